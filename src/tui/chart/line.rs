//! One line of a chart.

use std::borrow::Cow;

use ratatui::style::{Modifier, Style};

use crate::history::Series;
use crate::tui::theme::CurveLook;

/// One line.
#[derive(Debug, Clone)]
pub struct ChartLine<'a> {
    /// The label at its end; displayable text. A line that goes on elsewhere has none: it is empty.
    pub label: String,
    /// The values of the line, however many.
    pub series: Cow<'a, Series>,
    /// A band around it, lower and upper values; drawn while the line is focused.
    pub band: Option<(Cow<'a, Series>, Cow<'a, Series>)>,
    /// How it is drawn.
    pub look: CurveLook,
    /// Drawn last and bold: wins the cells that it shares.
    pub focused: bool,
}

impl ChartLine<'_> {
    /// Focused lines over bold ones over the rest over bands.
    pub(super) fn rank(&self) -> u8 {
        if self.focused { 3 } else { 1 + u8::from(self.look.style.add_modifier.contains(Modifier::BOLD)) }
    }

    pub(super) fn style(&self) -> Style {
        if self.focused { self.look.style.add_modifier(Modifier::BOLD) } else { self.look.style }
    }
}

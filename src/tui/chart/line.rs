//! One line of a chart.

use std::borrow::Cow;

use ratatui::style::{Modifier, Style};

use crate::history::Series;
use crate::tui::theme::CurveLook;

/// How much a line matters to what the chart tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Weight {
    /// Background: thin and quiet, without label and markers, and of no say in the bounds.
    Faint,
    /// One line among others.
    #[default]
    Plain,
    /// What the chart is about: twice as thick.
    Thick,
    /// The same for a projector: three times as thick.
    Heavy,
}

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
    /// How much it matters.
    pub weight: Weight,
}

impl ChartLine<'_> {
    /// Focused lines over bold ones over the rest over faint ones over bands.
    pub(super) fn rank(&self) -> u8 {
        match self.weight {
            _ if self.focused => 4,
            Weight::Faint => 1,
            _ => 2 + u8::from(self.look.style.add_modifier.contains(Modifier::BOLD)),
        }
    }

    pub(super) fn style(&self) -> Style {
        if self.focused { self.look.style.add_modifier(Modifier::BOLD) } else { self.look.style }
    }
}

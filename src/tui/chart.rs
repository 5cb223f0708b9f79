//! The line chart.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::widgets::Widget;

use super::theme::{CurveLook, Theme};
use crate::history::Series;

/// The glyphs that lines are drawn with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Glyphs {
    /// 2×4 dots a cell.
    #[default]
    Braille,
    /// 1×2 half blocks a cell.
    Half,
    /// One dot a cell.
    Dot,
    /// Plain ASCII.
    Ascii,
}

/// One line.
#[derive(Debug, Clone)]
pub struct ChartLine {
    /// The label at its end; displayable text.
    pub label: String,
    /// Its values.
    pub series: Series,
    /// A band around it: lower and upper values.
    pub band: Option<(Series, Series)>,
    /// How it is drawn.
    pub look: CurveLook,
    /// Drawn last and bold: wins the cells that it shares.
    pub focused: bool,
}

/// A vertical line with a letter at the top.
#[derive(Debug, Clone)]
pub struct ChartMark {
    /// Where.
    pub step: u64,
    /// The letter or short word at the top; displayable text.
    pub label: String,
    /// How it is drawn.
    pub style: Style,
}

/// A chart of lines over steps.
#[derive(Debug, Clone)]
pub struct Chart<'a> {
    /// Title of the y axis.
    pub title: String,
    /// The lines.
    pub lines: Vec<ChartLine>,
    /// Vertical marks.
    pub marks: Vec<ChartMark>,
    /// First and last step shown.
    pub x: (u64, u64),
    /// Lower and upper bound; `None` fits the finite values in view.
    pub y: Option<(f64, f64)>,
    /// The cursor's step.
    pub cursor: Option<u64>,
    /// The glyphs.
    pub glyphs: Glyphs,
    /// Shown in the middle when there is no line ("every group is hidden: press 0").
    pub hint: &'a str,
    /// The palette.
    pub theme: &'a Theme,
}

impl Widget for Chart<'_> {
    fn render(self, _area: Rect, _buf: &mut Buffer) {}
}

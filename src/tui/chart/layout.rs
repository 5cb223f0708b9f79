//! The layout of a chart: the places of its parts.

use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

/// The places of the parts; a part that does not fit has no extent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) title: Rect,
    pub(super) marks: Rect,
    /// Values of the ticks and the axis line, left of the plot.
    pub(super) y_axis: Rect,
    pub(super) plot: Rect,
    /// Leaders and labels, right of the plot.
    pub(super) labels: Rect,
    /// The axis line and the steps below the plot.
    pub(super) x_axis: Rect,
}

impl Layout {
    pub(super) fn new(area: Rect, ticks: u16, labels: u16, with_marks: bool) -> Self {
        let title = u16::from(area.height >= 6);
        let marks = u16::from(area.height >= 8 && with_marks);
        let below = if area.height >= 4 { 2 } else { 0 };
        let left = if area.width >= 16 && below > 0 { (ticks + 2).min(area.width / 3) } else { 0 };
        let right = if area.width >= 24 { labels.min(area.width / 3) } else { 0 };
        let plot = Rect {
            x: area.x + left,
            y: area.y + title + marks,
            width: area.width - left - right,
            height: area.height - title - marks - below,
        };
        Self {
            title: Rect { height: title, ..area },
            marks: Rect { y: area.y + title, height: marks, ..plot },
            y_axis: Rect { x: area.x, width: left, ..plot },
            plot,
            labels: Rect { x: plot.right(), width: right, ..plot },
            x_axis: Rect { y: plot.bottom(), height: below, ..area },
        }
    }
}

/// Columns that displayable text takes on a screen.
pub(super) fn width(text: &str) -> u16 {
    u16::try_from(text.width()).unwrap_or(u16::MAX)
}

//! Labels at the ends of the lines: as near as they can be without touching, joined by leaders.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::layout::{Layout, width};
use super::line::ChartLine;
use crate::text::fit;
use crate::tui::glyphs::Glyphs;
use crate::tui::theme::Theme;

/// Columns between the end of the lines and the labels.
const GUTTER: u16 = 3;

/// A label and the dot at which its line ends.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct EndLabel {
    text: String,
    style: Style,
    /// Dots from the left and the top of the plot.
    dot: (i64, i64),
    rank: u8,
}

impl EndLabel {
    /// The label of a line that ends at the dot.
    pub(super) fn new(line: &ChartLine<'_>, x: i64, y: i64, glyphs: Glyphs) -> Self {
        let text = format!("{} {}", glyphs.glyph(line.look.marker), line.label);
        Self { text, style: line.style(), dot: (x, y), rank: line.rank() }
    }
}

/// Columns that a label wants, gutter and marker included.
pub(super) fn width_of(label: &str) -> u16 {
    width(label).saturating_add(GUTTER + 2)
}

/// Rows for labels that want the rows `wanted` (ascending) of `height`, each its own: the least squared displacement,
/// by pooling neighbours that push each other (isotonic regression). There are at most `height` of them.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "rows of a screen")]
pub(super) fn spread(wanted: &[f64], height: usize) -> Vec<usize> {
    // Less its index, every label only must not lie above its predecessor: pools of equal value.
    let mut pools: Vec<(f64, usize)> = Vec::new();
    for (i, &row) in wanted.iter().enumerate() {
        let mut pool = (row - i as f64, 1);
        while let Some(&(mean, count)) = pools.last()
            && mean > pool.0
        {
            pools.pop();
            pool = ((mean * count as f64 + pool.0 * pool.1 as f64) / (count + pool.1) as f64, count + pool.1);
        }
        pools.push(pool);
    }
    let room = height.saturating_sub(wanted.len()) as f64;
    let rows = pools.into_iter().flat_map(|(mean, count)| std::iter::repeat_n(mean.clamp(0.0, room).round(), count));
    rows.enumerate().map(|(i, row)| row as i64 as usize + i).collect()
}

/// A line of box characters from the row in which a curve ends to its label's: no curve is drawn with them.
fn leader(gutter: Rect, from: u16, to: u16, style: Style, buf: &mut Buffer) {
    if gutter.width < GUTTER {
        return;
    }
    let mut put = |x: u16, row: u16, symbol: &str, joined: &str| {
        let cell = &mut buf[(gutter.x + x, gutter.y + row)];
        let symbol = if matches!(cell.symbol(), " " | "─") { symbol } else { joined };
        cell.set_symbol(symbol).set_style(style);
    };
    put(0, from, "─", "─");
    if from == to {
        put(1, from, "─", "┼");
        return;
    }
    let up = to < from;
    put(1, from, if up { "╯" } else { "╮" }, "┤");
    for row in from.min(to) + 1..from.max(to) {
        put(1, row, "│", "│");
    }
    put(1, to, if up { "╭" } else { "╰" }, "├");
}

/// Draws leaders and labels; where there are more labels than rows, the highest rank and then the first stay.
#[allow(clippy::cast_precision_loss, reason = "dots of a screen")]
pub(super) fn draw(layout: &Layout, mut ends: Vec<EndLabel>, glyphs: Glyphs, theme: &Theme, buf: &mut Buffer) {
    let Layout { plot, labels, .. } = *layout;
    let Some(last) = ends.iter().map(|e| e.dot.0).max().filter(|_| labels.width > GUTTER + 2 && plot.height > 0) else {
        return;
    };
    ends.sort_by_key(|e| std::cmp::Reverse(e.rank));
    ends.truncate(usize::from(plot.height));
    ends.sort_by_key(|e| e.dot.1);

    let (dots_x, dots_y) = glyphs.dots();
    // In a run that is still going the labels stand beside the lines' ends, not at the far right.
    let left = plot.x + u16::try_from(last / i64::from(dots_x)).unwrap_or(plot.width).min(plot.width - 1) + 1;
    let area = Rect { x: left, width: labels.right() - left, ..plot }.intersection(buf.area);
    let wanted: Vec<_> = ends.iter().map(|e| e.dot.1 as f64 / f64::from(dots_y) - 0.5).collect();
    let rows = spread(&wanted, usize::from(plot.height));

    let gutter = Rect { width: GUTTER.min(area.width), ..area };
    if glyphs != Glyphs::Ascii {
        for (end, &row) in ends.iter().zip(&rows) {
            let from = u16::try_from(end.dot.1 / i64::from(dots_y)).unwrap_or(0).min(plot.height - 1);
            let Ok(to) = u16::try_from(row) else { continue };
            leader(gutter, from, to, theme.faint(), buf);
        }
    }
    for (end, row) in ends.iter().zip(rows) {
        let Ok(row) = u16::try_from(row) else { continue };
        let room = area.width.saturating_sub(gutter.width);
        let longest = labels.width.saturating_sub(GUTTER);
        let text = fit(&end.text, usize::from(room.min(longest)));
        buf.set_string(gutter.right(), area.y + row, text, end.style);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::spread;

    #[test]
    fn labels_that_fit_stay_where_they_are() {
        assert_eq!(spread(&[0.0, 3.0, 7.0], 10), [0, 3, 7]);
        assert_eq!(spread(&[4.0, 4.0, 4.0], 10), [3, 4, 5]);
        assert_eq!(spread(&[9.0, 9.0], 10), [8, 9]);
        assert_eq!(spread(&[0.0; 3], 3), [0, 1, 2]);
        assert_eq!(spread(&[], 3), [0usize; 0]);
    }

    proptest! {
        #[test]
        fn labels_never_overlap(mut wanted in prop::collection::vec(-1.0..60.0f64, 0..40), spare in 0usize..30) {
            wanted.sort_by(f64::total_cmp);
            let height = wanted.len() + spare;
            let rows = spread(&wanted, height);
            prop_assert!(rows.windows(2).all(|w| w[0] < w[1]), "{:?}", rows);
            prop_assert!(rows.iter().all(|&r| r < height));
        }
    }
}

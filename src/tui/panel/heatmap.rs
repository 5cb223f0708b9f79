//! A matrix as a map: numbers where there is room for them, shades where there is not; signs by colour and by glyph.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Widget};

use crate::tui::glyphs::Glyphs;
use crate::tui::theme::Theme;
use crate::tui::view::text::{change, fitted, left, number, right};

/// Columns from which a cell holds a number.
const NUMBER: usize = 5;
/// Columns of a cell, at most.
const WIDEST: usize = 9;
/// Columns of a row's label, at most.
const LABEL: usize = 6;

pub(super) const SHADES: [char; 6] = [' ', '·', '░', '▒', '▓', '█'];
pub(super) const ASCII_SHADES: [char; 6] = [' ', '.', ':', 'o', 'm', '#'];

/// A matrix with a name for every row and column.
#[derive(Debug, Clone)]
pub(in crate::tui) struct HeatMap<'a> {
    /// What the rows and the columns are, in the corner: `u→o`.
    pub(in crate::tui) corner: &'a str,
    /// Names of the rows, displayable.
    pub(in crate::tui) rows: &'a [String],
    /// Names of the columns, displayable.
    pub(in crate::tui) columns: &'a [String],
    /// Row-major.
    pub(in crate::tui) values: &'a [f32],
    /// Whether values have a direction.
    pub(in crate::tui) signed: bool,
    /// The value of the darkest shade.
    pub(in crate::tui) largest: f64,
    /// The row and the column that stand out.
    pub(in crate::tui) selected: (usize, usize),
    /// The glyphs.
    pub(in crate::tui) glyphs: Glyphs,
    /// The palette.
    pub(in crate::tui) theme: &'a Theme,
}

/// The largest finite value off the diagonal, by size: what shades are measured by, for the diagonal is in a class of its
/// own.
pub(super) fn largest_off_diagonal(values: &[f32], names: usize) -> f64 {
    let off = values.iter().enumerate().filter(|(i, _)| names > 0 && i / names != i % names);
    off.map(|(_, &x)| f64::from(x).abs()).filter(|x| x.is_finite()).fold(0.0, f64::max)
}

impl HeatMap<'_> {
    /// Rows that the whole map takes, headings included.
    pub(in crate::tui) fn height(&self) -> usize {
        self.rows.len() + 1
    }

    /// What part of the darkest shade a value has, in sixths; 0 for nothing.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to a few shades")]
    fn shade(&self, value: f64) -> usize {
        let share = if self.largest > 0.0 { value.abs() / self.largest } else { 0.0 };
        ((share * 5.0).ceil().clamp(0.0, 5.0)) as usize
    }

    fn style(&self, value: f64) -> Style {
        let style = match (self.signed, value > 0.0, value < 0.0) {
            (true, true, _) => self.theme.gain(),
            (true, _, true) => self.theme.loss(),
            _ => self.theme.text(),
        };
        match self.shade(value) {
            0 | 1 => self.theme.dim(),
            5 => style.add_modifier(Modifier::BOLD),
            _ => style,
        }
    }

    /// A cell's text, `width` columns.
    fn cell(&self, value: f64, width: usize) -> String {
        if width >= NUMBER {
            let write = if self.signed { change } else { number };
            return format!(" {}", fitted(value, 2, width - 1, write));
        }
        let shades = if self.glyphs == Glyphs::Ascii { ASCII_SHADES } else { SHADES };
        let shade = if value.is_nan() { '?' } else { shades[self.shade(value)] };
        let sign = match (self.signed, value > 0.0, value < 0.0) {
            _ if shade == ' ' => ' ',
            (true, true, _) => '+',
            (true, _, true) => '-',
            _ => shade,
        };
        let gap = " ".repeat(width.saturating_sub(2));
        if width < 2 { shade.to_string() } else { format!("{gap}{sign}{shade}") }
    }

    /// A heading; the selected one stands out.
    fn heading(&self, selected: bool, text: String) -> Span<'static> {
        Span::styled(text, if selected { self.theme.selection() } else { self.theme.dim() })
    }
}

impl Widget for HeatMap<'_> {
    fn render(self, area: Rect, buf: &mut Buffer) {
        let count = self.columns.len();
        if area.is_empty() || count == 0 {
            return;
        }
        let longest = self.rows.iter().map(|name| Span::raw(name.as_str()).width()).max().unwrap_or(0);
        let label = longest.max(Span::raw(self.corner).width()).min(LABEL) + 1;
        let room = usize::from(area.width).saturating_sub(label);
        let width = (room / count).clamp(1, WIDEST);
        // What does not fit is scrolled to what is selected.
        let columns = window(count, room / width, self.selected.1);
        let rows = window(self.rows.len(), usize::from(area.height).saturating_sub(1), self.selected.0);
        let mut heading = vec![Span::styled(left(self.corner, label), self.theme.dim())];
        heading.extend(
            columns.clone().map(|column| self.heading(column == self.selected.1, right(&self.columns[column], width))),
        );
        let mut lines = vec![Line::from(heading)];
        for row in rows {
            let mut spans = vec![self.heading(row == self.selected.0, left(&self.rows[row], label))];
            for column in columns.clone() {
                let value = self.values.get(row * count + column).map_or(f64::NAN, |&x| f64::from(x));
                spans.push(Span::styled(self.cell(value, width), self.style(value)));
            }
            lines.push(Line::from(spans));
        }
        Paragraph::new(lines).render(area, buf);
    }
}

/// `room` of `count` places, with `at` among them.
fn window(count: usize, room: usize, at: usize) -> std::ops::Range<usize> {
    let room = room.min(count);
    let from = (at + 1).saturating_sub(room).min(count - room);
    from..from + room
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::testing::{plain, theme};

    fn map<'a>(names: &'a [String], values: &'a [f32], signed: bool, theme: &'a Theme) -> HeatMap<'a> {
        let (largest, glyphs) = (largest_off_diagonal(values, names.len()), Glyphs::Braille);
        let (rows, columns, selected) = (names, names, (1, 1));
        HeatMap { corner: "u→o", rows, columns, values, signed, largest, selected, glyphs, theme }
    }

    fn drawn(map: HeatMap<'_>, width: u16, height: u16) -> String {
        let area = Rect::new(0, 0, width, height);
        let mut buffer = Buffer::empty(area);
        map.render(area, &mut buffer);
        plain(&buffer)
    }

    #[test]
    fn numbers_where_there_is_room_and_signed_shades_where_there_is_not() {
        let names = ["4", "9"].map(String::from);
        let values = [900.0, 10.0, -5.25, f32::NAN];
        let theme = theme();
        assert_eq!(
            drawn(map(&names, &values, true, &theme), 24, 3),
            "u→o         4        9\n4     +900.00   +10.00\n9       −5.25        –\n"
        );
        assert_eq!(drawn(map(&names, &values, true, &theme), 9, 3), "u→o  4 9\n4   +█+█\n9   -▒??\n");
        assert_eq!(drawn(map(&names, &values, false, &theme), 8, 3), "u→o  4 9\n4   ████\n9   ▒▒??\n");
    }

    #[test]
    fn what_does_not_fit_is_scrolled_to_the_selected_class() {
        assert_eq!((window(10, 20, 3), window(10, 4, 0), window(10, 4, 9)), (0..10, 0..4, 6..10));
        assert!(window(10, 0, 5).is_empty());
        assert_eq!(window(1, 1, 7), 0..1);
    }

    #[test]
    fn any_size_and_any_values_stay_in_their_area_and_show_the_selected_class() {
        let names: Vec<String> = (0..12).map(|i| format!("c{i:02} \u{6f22}")).collect();
        let theme = theme();
        for values in [vec![f32::NAN; 144], vec![f32::INFINITY; 144], vec![0.0; 144], vec![-1e30; 3], Vec::new()] {
            for (width, height) in
                [0, 1, 2, 5, 8, 20, 60, 300].into_iter().flat_map(|w| [(w, 0), (w, 1), (w, 2), (w, 30)])
            {
                for selected in [0, 11, 99] {
                    let mut buffer =
                        Buffer::filled(Rect::new(0, 0, width + 2, height + 2), ratatui::buffer::Cell::new("x"));
                    let area = Rect::new(1, 1, width, height);
                    HeatMap { selected: (selected, selected), ..map(&names, &values, true, &theme) }
                        .render(area, &mut buffer);
                    let frame = buffer.area.positions().filter(|&at| !area.contains(at));
                    assert!(frame.into_iter().all(|at| buffer[at].symbol() == "x"), "{width}×{height}");
                    let room = width >= 8 && height >= 2 && selected < names.len();
                    assert!(
                        !room || plain(&buffer).contains(&names[selected][..3]),
                        "{width}×{height}:\n{}",
                        plain(&buffer)
                    );
                }
            }
        }
    }
}

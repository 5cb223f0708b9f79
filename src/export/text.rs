//! A buffer as plain text and as text with ANSI colours.

use std::fmt::Write;

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};
use unicode_width::UnicodeWidthStr;

use crate::text::Shown;

/// The symbols alone, a line a row, without trailing spaces.
pub fn plain(buffer: &Buffer) -> String {
    let mut out = String::new();
    for row in rows(buffer) {
        let line: String = row.iter().map(|cell| Shown::new(cell.symbol()).as_str().to_owned()).collect();
        let _ = writeln!(out, "{}", line.trim_end());
    }
    out
}

/// The symbols with their styles as SGR sequences, reset at the end of every line: `cat` shows the screen.
pub fn ansi(buffer: &Buffer) -> String {
    let mut out = String::new();
    for row in rows(buffer) {
        let mut now = (Color::Reset, Color::Reset, Modifier::empty());
        for cell in row {
            let style = (cell.fg, cell.bg, cell.modifier);
            if style != now {
                now = style;
                sgr(&mut out, cell);
            }
            out.push_str(Shown::new(cell.symbol()).as_str());
        }
        out.push_str("\x1b[0m\n");
    }
    out
}

/// The cells that show, a list a row: not those hidden behind a wide neighbour.
fn rows(buffer: &Buffer) -> Vec<Vec<&Cell>> {
    let width = usize::from(buffer.area.width);
    let visible = |row: &'_ [Cell]| {
        let mut skip = 0usize;
        let mut kept = Vec::new();
        for (i, cell) in row.iter().enumerate() {
            if skip == 0 {
                kept.push(i);
                skip = cell.symbol().width().clamp(1, 2);
            }
            skip -= 1;
        }
        kept
    };
    buffer.content.chunks(width.max(1)).map(|row| visible(row).into_iter().map(|i| &row[i]).collect()).collect()
}

/// The sequence that turns any style into the cell's.
pub(super) fn sgr(out: &mut String, cell: &Cell) {
    const MODIFIERS: [(Modifier, u8); 9] = [
        (Modifier::BOLD, 1),
        (Modifier::DIM, 2),
        (Modifier::ITALIC, 3),
        (Modifier::UNDERLINED, 4),
        (Modifier::SLOW_BLINK, 5),
        (Modifier::RAPID_BLINK, 6),
        (Modifier::REVERSED, 7),
        (Modifier::HIDDEN, 8),
        (Modifier::CROSSED_OUT, 9),
    ];
    out.push_str("\x1b[0");
    for (_, code) in MODIFIERS.iter().filter(|(m, _)| cell.modifier.contains(*m)) {
        let _ = write!(out, ";{code}");
    }
    color(out, cell.fg, 30);
    color(out, cell.bg, 40);
    out.push('m');
}

/// Parameters of a colour; `base` is 30 for foregrounds, 40 for backgrounds.
fn color(out: &mut String, color: Color, base: u8) {
    let plain = match color {
        Color::Reset => return,
        Color::Rgb(r, g, b) => {
            let _ = write!(out, ";{};2;{r};{g};{b}", base + 8);
            return;
        }
        Color::Indexed(i) => {
            let _ = write!(out, ";{};5;{i}", base + 8);
            return;
        }
        Color::Black => 0,
        Color::Red => 1,
        Color::Green => 2,
        Color::Yellow => 3,
        Color::Blue => 4,
        Color::Magenta => 5,
        Color::Cyan => 6,
        Color::Gray => 7,
        Color::DarkGray => 60,
        Color::LightRed => 61,
        Color::LightGreen => 62,
        Color::LightYellow => 63,
        Color::LightBlue => 64,
        Color::LightMagenta => 65,
        Color::LightCyan => 66,
        Color::White => 67,
    };
    let _ = write!(out, ";{}", base + plain);
}

#[cfg(test)]
mod tests {
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    use super::*;

    #[test]
    fn plain_text_is_trimmed_and_wide_characters_take_two_columns() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 10, 2));
        buffer.set_string(0, 0, "漢字 y⁺", Style::new());
        assert_eq!(plain(&buffer), "漢字 y⁺\n\n");
    }

    #[test]
    fn a_terminal_that_reads_the_ansi_text_shows_the_screen() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 12, 2));
        buffer.set_string(0, 0, "red", Style::new().fg(Color::Rgb(255, 0, 0)).add_modifier(Modifier::BOLD));
        buffer.set_string(4, 1, "ok", Style::new().fg(Color::LightBlue).bg(Color::Indexed(17)));
        assert_eq!(
            ansi(&buffer),
            "\x1b[0;1;38;2;255;0;0mred\x1b[0m         \x1b[0m\n    \x1b[0;94;48;5;17mok\x1b[0m      \x1b[0m\n"
        );
    }

    #[test]
    fn hidden_characters_in_cells_are_shown() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 3, 1));
        buffer[(0, 0)].set_symbol("\u{1b}]52;c;QQ\u{7}");
        buffer[(2, 0)].set_symbol("\u{202e}");
        for text in [plain(&buffer), ansi(&buffer)] {
            assert!(!text.contains("\x1b]") && !text.contains('\u{202e}') && text.contains("<U+202E>"));
        }
    }
}

//! Large type for a projector: how far the curves of the story moved, in letters of four rows.

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::Line;
use ratatui::widgets::Widget;
use tui_big_text::{BigText, PixelSize};

use crate::history::CurveId;
use crate::tui::app::App;
use crate::tui::glyphs::Glyphs;
use crate::tui::view::text::change;

/// Rows and columns of a letter.
const LETTER: u16 = 4;
/// Rows that the curves keep, at least.
const CURVES: u16 = 12;

/// A curve, its name and how far it moved, nats.
pub(super) type Move = (CurveId, &'static str, f64);

/// Writes the moves of curves at the top of an area, those that fit from the first on; returns what is left of it. A low
/// area is left to the curves, and one that is drawn in ASCII, which has no such letters.
pub(super) fn render(app: &App, moves: &[Move], area: Rect, buf: &mut Buffer) -> Rect {
    let [top, rest] = Layout::vertical([Constraint::Length(LETTER), Constraint::Fill(1)]).areas(area);
    if rest.height < CURVES || app.view.glyphs == Glyphs::Ascii {
        return area;
    }
    let first = top.x + 1;
    let mut left = first;
    for &(curve, name, by) in moves {
        let text = plain(&format!("{name} {}", change(by, 1)));
        let width = LETTER * u16::try_from(text.len()).unwrap_or(u16::MAX / LETTER);
        if width > top.right().saturating_sub(left) {
            break;
        }
        let style = app.view.theme.curve(curve).style;
        let place = Rect { x: left, width, ..top };
        BigText::builder()
            .pixel_size(PixelSize::Quadrant)
            .lines(vec![Line::styled(text, style)])
            .build()
            .render(place, buf);
        left += width + LETTER;
    }
    // Where nothing has room the curves get it.
    if left == first { area } else { rest }
}

/// The text in letters that there are.
fn plain(text: &str) -> String {
    let letter = |c: char| match c {
        '⁺' => '+',
        '⁻' | '−' => '-',
        c if c.is_ascii() => c,
        _ => ' ',
    };
    text.chars().map(letter).collect()
}

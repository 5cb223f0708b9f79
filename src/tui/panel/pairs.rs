//! The pairs: a table of how far y⁺, y⁻ and y* moved on each, and the same as points, with the quadrant shaded in which
//! both answers fell.

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Widget};

use unicode_width::UnicodeWidthStr as _;

use super::frame::frame;
use crate::text::Shown;
use crate::tui::app::{App, PairRow, PairState};
use crate::tui::glyphs::Glyphs;
use crate::tui::panel::Panel;
use crate::tui::theme::Theme;
use crate::tui::view::text::{change, direction, fit, fitted, number, right};

/// Columns of the table.
const TABLE: u16 = 37;
/// Fewest columns that points are worth drawing in.
const SCATTER: u16 = 18;
/// Fewest rows.
const SCATTER_ROWS: u16 = 5;

/// Draws the panel.
pub(in crate::tui) fn render(app: &App, area: Rect, buf: &mut Buffer) {
    let rows = app.pairs();
    let inner = frame(app, Panel::Pairs, said(app, &rows, area.width), area, buf);
    if rows.is_empty() {
        let hint = if app.shows().pairs { " nothing measured yet" } else { " the run records means alone" };
        Line::styled(fit(hint, inner.width.into()), app.view.theme.dim()).render(inner, buf);
        return;
    }
    if inner.width >= TABLE + SCATTER && inner.height >= SCATTER_ROWS {
        let [left, right] = Layout::horizontal([Constraint::Length(TABLE), Constraint::Fill(1)]).areas(inner);
        table(app, &rows, left, buf);
        scatter(app, &rows, right, buf);
    } else {
        table(app, &rows, inner, buf);
    }
}

/// Columns of the title around what it says: frame, the word, gaps.
const AROUND: usize = 12;

/// The title: how many pairs are in which state, since when, in what order.
fn said(app: &App, rows: &[PairRow], width: u16) -> String {
    let Some(step) = app.measured_step() else { return String::new() };
    let count = |state: PairState| rows.iter().filter(|row| row.state == state).count();
    let (squeezed, displaced) = (count(PairState::Squeezed), count(PairState::Displaced));
    let mut said = match squeezed + displaced {
        0 => format!("{} pairs", rows.len()),
        _ => format!("{squeezed} of {} squeezed, {displaced} only displaced", rows.len()),
    };
    let stage = app.evaluation().and_then(|e| Some(Shown::new(&app.shown().run.as_ref()?.stages.get(e.stage)?.name)));
    let stage = stage.map_or_else(String::new, |stage| format!(" · Δ in {stage}"));
    // The parts that fit, the first of them first: half a word says nothing.
    let room = usize::from(width).saturating_sub(AROUND);
    for part in [format!("{stage} at step {step}"), format!(" · {}", app.view.pair_order.title())] {
        if said.width() + part.width() > room {
            break;
        }
        said += &part;
    }
    said
}

fn table(app: &App, rows: &[PairRow], area: Rect, buf: &mut Buffer) {
    let theme = &app.view.theme;
    let marked = |title: &str, is: bool, width: usize| {
        let text = if is {
            format!("{title}{}", if app.view.glyphs == Glyphs::Ascii { "v" } else { "↓" })
        } else {
            title.to_owned()
        };
        right(&text, width)
    };
    use crate::tui::app::PairOrder as By;
    let by = app.view.pair_order;
    let headings = format!(
        "{} {} {} {}  {}",
        marked("pair", by == By::Number, 5),
        marked("Δy⁺", by == By::Chosen, 6),
        marked("Δy⁻", by == By::Rejected, 6),
        marked("Δy*", by == By::Argmax, 6),
        if by == By::State { "state↓" } else { "state" }
    );
    let mut lines = vec![Line::styled(headings, theme.dim())];
    let height = usize::from(area.height.saturating_sub(1));
    let selected = rows.iter().position(|row| row.pair == app.view.prompt).unwrap_or(0);
    let first = (selected + 1).saturating_sub(height);
    for row in rows.iter().skip(first).take(height) {
        let mut spans = vec![Span::styled(right(&(row.pair + 1).to_string(), 5), theme.text())];
        for value in [row.chosen, row.rejected, row.argmax] {
            let text = fitted(value, 1, 6, change);
            let style = direction(&text, theme);
            spans.push(Span::styled(format!(" {text}"), style));
        }
        spans.push(Span::styled(format!("  {}", row.state.title()), style_of(row.state, theme)));
        let line = Line::from(spans);
        lines.push(if row.pair == app.view.prompt { line.patch_style(theme.selection()) } else { line });
    }
    Paragraph::new(lines).render(area, buf);
}

fn style_of(state: PairState, theme: &Theme) -> ratatui::style::Style {
    match state {
        PairState::Quiet => theme.dim(),
        PairState::Displaced => theme.accent(),
        PairState::Squeezed => theme.warning(),
    }
}

/// The place of a value among `cells`, `low` at the first.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cell of a screen")]
fn cell(value: f64, (low, high): (f64, f64), cells: u16) -> u16 {
    let share = ((value - low) / (high - low)).clamp(0.0, 1.0);
    ((share * f64::from(cells.max(1) - 1)).round() as u16).min(cells.max(1) - 1)
}

/// The smallest and the largest of the finite values, zero among them; apart.
fn bounds(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = values.filter(|x| x.is_finite()).fold((0.0_f64, 0.0_f64), |(a, b), x| (a.min(x), b.max(x)));
    let air = ((high - low) * 0.06).max(0.1);
    (low - air, high + air)
}

/// A point a pair: to the right y⁺ rose, upwards y⁻. Lower left of both zeros, both fell.
fn scatter(app: &App, rows: &[PairRow], area: Rect, buf: &mut Buffer) {
    let theme = &app.view.theme;
    let plot =
        Rect { x: area.x + 2, width: area.width.saturating_sub(3), height: area.height.saturating_sub(1), ..area };
    if plot.width < 8 || plot.height < 3 {
        return;
    }
    let (x, y) = (bounds(rows.iter().map(|r| r.chosen)), bounds(rows.iter().map(|r| r.rejected)));
    let column = |value: f64| plot.x + cell(value, x, plot.width);
    let line = |value: f64| plot.bottom() - 1 - cell(value, y, plot.height);
    let (zero_x, zero_y) = (column(0.0), line(0.0));
    for row in plot.y..plot.bottom() {
        for at in plot.x..plot.right() {
            let cell = &mut buf[(at, row)];
            if at < zero_x && row > zero_y {
                // A ground where there are colours; where there are none, a texture.
                cell.set_symbol("░").set_style(theme.faint());
            }
            if at == zero_x {
                cell.set_symbol(if row == zero_y { "┼" } else { "│" }).set_style(theme.border(false));
            } else if row == zero_y {
                cell.set_symbol("─").set_style(theme.border(false));
            }
        }
    }
    let place = |row: &PairRow| {
        (row.chosen.is_finite() && row.rejected.is_finite()).then(|| (column(row.chosen), line(row.rejected)))
    };
    let mut order: Vec<&PairRow> = rows.iter().collect();
    order.sort_by_key(|row| (row.pair == app.view.prompt, row.state));
    for row in order {
        let Some(at) = place(row) else { continue };
        let symbol = match row.state {
            PairState::Quiet => "·",
            PairState::Displaced => "○",
            PairState::Squeezed => "●",
        };
        let style = style_of(row.state, theme);
        let style = if row.pair == app.view.prompt { style.patch(theme.selection()) } else { style };
        buf[at].set_symbol(symbol).set_style(style);
    }
    captions(theme, plot, (zero_x, zero_y), (x, y), buf);
}

/// What the quadrant and the axes are, where nothing lies.
fn captions(
    theme: &Theme,
    plot: Rect,
    (zero_x, zero_y): (u16, u16),
    ((low, _), (deep, _)): ((f64, f64), (f64, f64)),
    buf: &mut Buffer,
) {
    let mut say = |x: u16, y: u16, text: &str, style| {
        let wide = u16::try_from(Span::raw(text).width()).unwrap_or(u16::MAX);
        let free =
            (x..x.saturating_add(wide)).all(|x| x < plot.right() && matches!(buf[(x, y)].symbol(), " " | "░" | "─"));
        if free {
            buf.set_string(x, y, text, style);
        }
        free
    };
    if zero_x > plot.x + 10 {
        // The lowest row in which no point lies.
        let _ = (zero_y + 1..plot.bottom()).rev().find(|&row| say(plot.x, row, " both fell ", theme.dim()));
    }
    let caption = format!("→ Δy⁺ (from {})   ↑ Δy⁻ (from {}), nats", number(low, 0), number(deep, 0));
    let room = usize::from(plot.width) + 1;
    let short = "→ Δy⁺  ↑ Δy⁻";
    let text = if Span::raw(caption.as_str()).width() <= room { caption } else { fit(short, room) };
    buf.set_string(plot.x, plot.bottom(), text, theme.dim());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_lies_where_its_numbers_say() {
        let all = bounds([-10.0, 2.0, f64::NAN, f64::NEG_INFINITY].into_iter());
        assert!(all.0 < -10.0 && all.1 > 2.0 && all.0 > -11.0);
        assert_eq!((cell(all.0, all, 20), cell(all.1, all, 20)), (0, 19));
        assert_eq!((cell(f64::NEG_INFINITY, all, 20), cell(f64::INFINITY, all, 20)), (0, 19), "at the edge");
        assert!(cell(0.0, all, 20) > 10, "zero is always in sight");
        let none = bounds(std::iter::empty());
        assert!(none.0 < 0.0 && none.1 > 0.0);
    }
}

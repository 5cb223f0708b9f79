//! The curves as a table: the legend, and the read-out of the cursor.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Widget};
use unicode_width::UnicodeWidthStr;

use super::frame::frame;
use crate::history::{CurveId, Scale};
use crate::protocol::ProbeGroup;
use crate::text::Shown;
use crate::tui::app::{App, Curve};
use crate::tui::panel::Panel;
use crate::tui::view::text::{change, direction, fitted, left, number, right};

/// Which columns there is room for.
struct Columns {
    symbol: usize,
    key: usize,
    number: usize,
    change: usize,
    decimals: usize,
    smooth: bool,
    description: usize,
}

impl Columns {
    fn new(app: &App, width: usize) -> Self {
        let small = if matches!(app.scale(), Scale::PerToken | Scale::Probability) { 3 } else { 1 };
        let smoothing = app.view.smoothing.weight().is_some();
        let (key, number, change, decimals) = match width {
            0..40 => (0, 7, 6, small),
            40..55 => (0, 9, 9, small.max(2)),
            55..80 => (18, 9, 9, small.max(2)),
            _ => (18, 13, 13, 6),
        };
        let mut columns = Self { symbol: 12, key, number, change, decimals, smooth: false, description: 0 };
        if smoothing && columns.used() + number + 1 > width {
            columns.key = 0;
        }
        if smoothing && columns.used() + number + 1 > width {
            (columns.number, columns.change) = (7, columns.change.min(7));
        }
        columns.smooth = smoothing && columns.used() + columns.number < width;
        let free = width.saturating_sub(columns.used() + 1);
        if free > 20 {
            columns.description = free - 2;
        } else {
            columns.symbol += free;
        }
        columns
    }

    fn used(&self) -> usize {
        let key = if self.key > 0 { self.key + 1 } else { 0 };
        4 + self.symbol + key + (self.number + 1) * (1 + usize::from(self.smooth)) + self.change + 1
    }
}

/// Draws the panel.
pub(in crate::tui) fn render(app: &App, area: Rect, buf: &mut Buffer) {
    let height = usize::from(area.height.saturating_sub(2));
    let columns = Columns::new(app, area.width.saturating_sub(2).into());
    // The headings give way before a curve does; from where changes count must still be said.
    let crowded = table(app, &columns, false).len() == height;
    let [_, since, _] = app.since_in_words();
    let mut rest = match app.measured_step() {
        None => "nothing measured yet".to_owned(),
        Some(step) if !crowded => format!("at step {step}"),
        Some(step) if area.width < 40 => format!("at {step}, {since}"),
        Some(step) => format!("at step {step} · {since}"),
    };
    if !app.view.curve_filter.is_empty() {
        rest = format!("/{} · {rest}", Shown::new(&app.view.curve_filter));
    }
    let inner = frame(app, Panel::Curves, rest, area, buf);
    let mut lines = if crowded { Vec::new() } else { vec![headings(app, &columns)] };
    lines.extend(scrolled(app, &columns, height.saturating_sub(lines.len())));
    Paragraph::new(lines).render(inner, buf);
}

fn headings(app: &App, columns: &Columns) -> Line<'static> {
    let unit = match app.scale() {
        Scale::Delta | Scale::StageDelta | Scale::LogProb => "log p",
        Scale::PerToken => "per token",
        Scale::Probability => "prob.",
    };
    let mut text = format!("    {}", left("", columns.symbol));
    if columns.key > 0 {
        text += &format!(" {}", left("", columns.key));
    }
    text += &format!(" {}", right(unit, columns.number));
    if columns.smooth {
        text += &format!(" {}", right("smooth", columns.number));
    }
    let since = app.since_in_words();
    let fits = since.iter().find(|words| words.width() <= columns.change).unwrap_or(&since[2]);
    text += &format!(" {}", right(fits, columns.change));
    Line::styled(text, app.view.theme.dim())
}

/// A row of the table and whether it is the selected curve's.
type Row = (Line<'static>, bool);

/// The rows that fit: with the groups' names where there is room for them, scrolled to the selected curve.
fn scrolled(app: &App, columns: &Columns, height: usize) -> Vec<Line<'static>> {
    let mut rows = table(app, columns, true);
    if rows.len() > height {
        rows = table(app, columns, false);
    }
    let selected = rows.iter().position(|&(_, selected)| selected).unwrap_or(0);
    let first = (selected + 1).saturating_sub(height);
    rows.into_iter().map(|(line, _)| line).skip(first).take(height).collect()
}

fn table(app: &App, columns: &Columns, names: bool) -> Vec<Row> {
    let theme = &app.view.theme;
    let mut rows = Vec::new();
    for (digit, group) in ('1'..='9').zip(ProbeGroup::ALL) {
        let members: Vec<_> =
            app.curves().iter().filter(|c| c.id.group() == group && app.view.filter_passes(c.id)).collect();
        if members.is_empty() {
            continue;
        }
        let hidden = app.view.hidden.contains(&group);
        if names || hidden {
            let style = if hidden { theme.dim().add_modifier(Modifier::CROSSED_OUT) } else { theme.dim() };
            let title = vec![Span::styled(format!("{digit} "), theme.accent()), Span::styled(group.title(), style)];
            rows.push((Line::from(title), false));
        }
        if !hidden {
            for (index, curve) in members.into_iter().enumerate() {
                let digit = if names || index > 0 { ' ' } else { digit };
                rows.push(row(app, columns, digit, curve));
            }
        }
    }
    rows
}

fn row(app: &App, columns: &Columns, digit: char, curve: &Curve) -> Row {
    let theme = &app.view.theme;
    let step = app.step();
    let look = theme.curve(curve.id);
    let selected = app.view.curve == Some(curve.id);
    let value = curve.level.at(step).unwrap_or(f64::NAN);
    let delta = app.change(curve).unwrap_or(f64::NAN);
    let mut spans = vec![
        Span::styled(format!("{digit} "), theme.accent()),
        Span::styled(format!("{} ", look.marker), look.style),
        Span::styled(left(curve.id.symbol(), columns.symbol), look.style),
    ];
    if columns.key > 0 {
        spans.push(Span::styled(format!(" {}", left(curve.id.key(), columns.key)), theme.dim()));
    }
    spans.push(Span::styled(format!(" {}", fitted(value, columns.decimals, columns.number, number)), theme.text()));
    if columns.smooth {
        let smooth = curve.smooth_level(step).unwrap_or(f64::NAN);
        spans.push(Span::styled(format!(" {}", fitted(smooth, columns.decimals, columns.number, number)), theme.dim()));
    }
    let delta = fitted(delta, columns.decimals, columns.change, change);
    let direction = direction(&delta, theme);
    spans.push(Span::styled(format!(" {delta}"), direction));
    if columns.description > 0 {
        spans.push(Span::styled(format!("  {}", left(describe(curve.id), columns.description)), theme.dim()));
    }
    let line = Line::from(spans);
    (if selected { line.patch_style(theme.selection()) } else { line }, selected)
}

fn describe(curve: CurveId) -> &'static str {
    match curve {
        CurveId::Probe(kind) => kind.description(),
        CurveId::ArgmaxChosen => "the greedy choice at each position of y⁺",
        CurveId::ArgmaxRejected => "the greedy choice at each position of y⁻",
    }
}

#[cfg(test)]
mod tests {
    use crossterm::event::{KeyCode, KeyEvent};

    use super::*;
    use crate::tui::message::Message;
    use crate::tui::testing::squeezing;

    /// A number whose end is cut off is another number.
    #[test]
    fn the_columns_fit_in_every_width() {
        let mut app = squeezing();
        for smoothed in [false, true] {
            assert_eq!(app.view.smoothing.weight().is_some(), smoothed);
            for width in 31..200 {
                let columns = Columns::new(&app, width);
                let description = if columns.description > 0 { columns.description + 2 } else { 0 };
                assert!(columns.used() + description <= width, "{} of {width}", columns.used() + description);
            }
            app.update(Message::Key(KeyEvent::from(KeyCode::Char('m'))));
        }
    }
}

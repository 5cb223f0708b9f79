//! Dialogs that cover the dashboard: the help, made from the key table, and the question before quitting.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Paragraph, Widget};

use super::text::{fit, left, panel, title, words, wrap};
use crate::tui::app::App;
use crate::tui::glyphs::Glyphs;
use crate::tui::keymap::{self, Binding, Context, Key};
use crate::tui::theme::Theme;

/// Columns of the keys' names.
const KEYS: usize = 14;

/// Draws the help overlay from row `first` on.
pub(super) fn help(app: &App, first: u16, area: Rect, buf: &mut Buffer) {
    let what = if app.dashboard_mode() == Context::Replay { "a recorded run" } else { "a live run" };
    Keys { what, first, theme: &app.view.theme, glyphs: app.view.glyphs }.render(app.offered_keys(), area, buf);
}

/// The help of a screen: its keys and what they do.
pub(in crate::tui) struct Keys<'a> {
    /// What the keys work on.
    pub(in crate::tui) what: &'a str,
    /// The row that the page begins with.
    pub(in crate::tui) first: u16,
    pub(in crate::tui) theme: &'a Theme,
    pub(in crate::tui) glyphs: Glyphs,
}

impl Keys<'_> {
    /// Draws the help of these keys.
    pub(in crate::tui) fn render(self, keys: impl Iterator<Item = &'static Binding>, area: Rect, buf: &mut Buffer) {
        let Self { what, first, theme, glyphs } = self;
        let place = centred(area, 78, area.height);
        let said = format!("{what} · {}", keymap::scrolling());
        let block = panel(title("keys", said, true, theme), true, theme, glyphs);
        let inner = block.inner(place);
        let rows: Vec<Vec<Line<'_>>> = keys.map(|b| row(b, glyphs, theme, inner.width)).collect();
        let seen = page(rows, first, inner.height);
        Clear.render(place, buf);
        block.render(place, buf);
        Paragraph::new(seen).style(theme.text()).render(inner, buf);
    }
}

/// The lines of a page that begins with the row `first`, each row being of several lines; one that would end below the last
/// row begins earlier.
pub(super) fn page<'a>(rows: Vec<Vec<Line<'a>>>, first: u16, height: u16) -> Vec<Line<'a>> {
    let mut lines = 0;
    let fitting = rows.iter().rev().take_while(|row| {
        lines += row.len();
        lines <= usize::from(height)
    });
    let latest = rows.len() - fitting.count().max(1).min(rows.len());
    rows.into_iter().skip(latest.min(first.into())).flatten().take(height.into()).collect()
}

/// A key and what it does, in as many lines as that takes.
fn row(binding: &Binding, glyphs: Glyphs, theme: &Theme, width: u16) -> Vec<Line<'static>> {
    let name = |key: &Key| if glyphs.is_plain() { key.plain_name() } else { key.name() };
    let keys = binding.keys.iter().map(name).collect::<Vec<_>>().join(" ");
    let room = usize::from(width).saturating_sub(KEYS + 1);
    let mut lines = wrap(&words(binding.help, theme.text()), room);
    for (i, line) in lines.iter_mut().enumerate() {
        let name = if i == 0 { keys.as_str() } else { "" };
        line.spans.insert(0, Span::styled(format!(" {}", left(name, KEYS)), theme.accent()));
    }
    lines
}

/// Draws the question before quitting.
pub(super) fn quit(app: &App, area: Rect, buf: &mut Buffer) {
    let theme = &app.view.theme;
    let place = centred(area, 56, 6);
    let block = panel(title("quit", "the trainer is at work", true, theme), true, theme, app.view.glyphs);
    let inner = block.inner(place);
    let width = usize::from(inner.width).saturating_sub(2);
    let mut lines =
        wrap(&words("Stop it after this step and quit? Everything so far is recorded.", theme.text()), width);
    let mut keys = Vec::new();
    for binding in keymap::bindings(Context::Quit).filter(|b| !b.hint.is_empty()) {
        keys.push(Span::styled(binding.keys.first().map(|k| k.name()).unwrap_or_default(), theme.accent()));
        keys.push(Span::styled(fit(&format!(" {}   ", binding.hint), width), theme.dim()));
    }
    lines.push(Line::default());
    lines.push(Line::from(keys));
    for line in &mut lines {
        line.spans.insert(0, Span::raw(" "));
    }
    Clear.render(place, buf);
    block.render(place, buf);
    Paragraph::new(lines).style(theme.text()).render(inner, buf);
}

pub(super) fn centred(area: Rect, width: u16, height: u16) -> Rect {
    let (width, height) = (width.min(area.width), height.min(area.height));
    Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height }
}

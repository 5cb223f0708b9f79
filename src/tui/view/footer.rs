//! The footer: the keys that work now, from the key table; a notice or a filter for a while.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use super::text::fit;
use crate::text::Shown;
use crate::tui::app::{App, Dialog, Replay};
use crate::tui::glyphs::Glyphs;
use crate::tui::keymap::{self, Action, Binding, Context};
use crate::tui::panel::Panel;
use crate::tui::theme::Theme;

/// Draws the last row.
pub(super) fn render(app: &App, area: Rect, buf: &mut Buffer) {
    let theme = &app.view.theme;
    // While a dialog is open, its keys or the filter that is typed stay in sight.
    if let Some(notice) = app.notice().filter(|_| app.view.dialog.is_none()) {
        notice.line(area.width, theme).render(area, buf);
        return;
    }
    let mut spans = Vec::new();
    let mut used = 0;
    if app.view.dialog == Some(Dialog::Filter) {
        let what = if app.focus() == Panel::Prompt { "prompts" } else { "curves" };
        let text = fit(&format!(" {what} with: {}_ ", Shown::new(app.filter())), usize::from(area.width) / 2);
        used += Span::raw(text.as_str()).width();
        spans.push(Span::styled(text, theme.accent()));
    }
    let room = usize::from(area.width).saturating_sub(used);
    spans.extend(keys(hints(app).map(|binding| (key_name(binding, app.view.glyphs), hint(app, binding))), room, theme));
    Line::from(spans).render(area, buf);
}

/// Keys and what they do, as many as there is room for.
pub(in crate::tui) fn keys(
    hints: impl Iterator<Item = (String, impl AsRef<str>)>,
    room: usize,
    theme: &Theme,
) -> Vec<Span<'static>> {
    let mut spans = Vec::new();
    let mut used = 0;
    for (key, hint) in hints {
        let hint = hint.as_ref();
        let width = Span::raw(key.as_str()).width() + Span::raw(hint).width() + 3;
        if used + width > room {
            break;
        }
        used += width;
        spans.extend([
            Span::raw(" "),
            Span::styled(key, theme.accent()),
            Span::styled(format!(" {hint} "), theme.dim()),
        ]);
    }
    spans
}

/// The rows that the footer names, in order. With hidden clocks the transport of live and replay is left out, so that
/// both look alike.
pub(super) fn hints(app: &App) -> impl Iterator<Item = &'static Binding> {
    let trainer = !app.hide_clock && app.is_training();
    let recording = !app.hide_clock;
    keymap::bindings(app.mode()).filter(|b| !b.hint.is_empty() && app.offers(b.action)).filter(move |b| {
        match b.context {
            // Quitting is no transport.
            _ if b.action == Action::Quit => true,
            Context::Live => trainer,
            Context::Replay => recording,
            _ => true,
        }
    })
}

/// What a key does now.
fn hint(app: &App, binding: &Binding) -> &'static str {
    match binding.action {
        Action::ToggleStory if !app.view.story => "story",
        Action::PauseResume if app.wants_pause() => "resume",
        Action::PlayPause if app.recording().is_some_and(Replay::is_playing) => "pause",
        _ => binding.hint,
    }
}

/// The name of a row's first key; of a pair, both.
pub(in crate::tui) fn key_name(binding: &Binding, glyphs: Glyphs) -> String {
    let named = |row: &Binding| {
        row.keys.first().map_or_else(String::new, |key| if glyphs.is_plain() { key.plain_name() } else { key.name() })
    };
    let own = named(binding);
    match binding.counterpart().map(named) {
        None => own,
        // Words would run together.
        Some(other) if own.chars().count() > 1 || other.chars().count() > 1 => format!("{own}/{other}"),
        Some(other) => own + &other,
    }
}

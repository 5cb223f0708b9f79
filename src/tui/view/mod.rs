//! The view of the dashboard. Everything here is a pure function of the [`App`]: it draws and changes nothing.

mod banner;
pub(super) mod dialogs;
pub(super) mod footer;
mod glossary;
mod header;
mod layout;
mod narration;
pub(super) mod text;
mod waiting;
mod why;

#[cfg(test)]
mod tests;

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::widgets::{Paragraph, Widget};

use super::app::{App, Dialog};
use super::glyphs::{self, Glyphs};
use super::panel::{Panel, each_panel};
use super::theme::Theme;
use crate::protocol::ProbeGroup;

pub use layout::{MIN_HEIGHT, MIN_WIDTH};

/// Draws the dashboard in a buffer, which may be off-screen.
///
/// ```text
/// 80 × 24, 100 × 30                        120 × 40                  200 × 60
/// ┌ header: run · stage · phase ───state┐  ┌ header ─────────────┐  ┌ header ────────────────┐
/// │ progress · speed · time left        │  │ progress            │  │ progress               │
/// │ groups: 1 answers  2 rejected …     │  │ groups              │  │ groups                 │
/// │ banner, while squeezing             │  │ banner              │  │ banner                 │
/// ├ chart ──────────────────────────────┤  ├ chart ──────────────┤  ├ chart ────────┬ curves ┤
/// │                                     │  │                     │  │               │        │
/// │ (a focused panel takes half of it)  │  │                     │  │               ├ forces ┤
/// │                                     │  ├ prompt ──┬ pairs | ─┤  ├ prompt ┬ pairs┤        │
/// ├ prompt, in a line ──────────────────┤  │          │ curves … │  │        │      ├ dynam. ┤
/// └ footer: the keys that work now ─────┘  └ footer ──┴──────────┘  └ footer ┴──────┴────────┘
/// ```
pub fn render(app: &App, area: Rect, buf: &mut Buffer) {
    whole(&app.view.theme, app.view.glyphs, area, buf, |area, buf| parts(app, area, buf));
}

/// Draws a whole screen in a buffer: its ground, its parts, and stand-ins for what the glyphs do not hold. Where there is
/// too little room for the parts it says how much they need.
pub(in crate::tui) fn whole(
    theme: &Theme,
    glyphs: Glyphs,
    area: Rect,
    buf: &mut Buffer,
    parts: impl FnOnce(Rect, &mut Buffer),
) {
    let area = area.intersection(buf.area);
    if area.is_empty() {
        return;
    }
    buf.set_style(area, theme.text());
    if area.width < MIN_WIDTH || area.height < MIN_HEIGHT {
        let needed = format!("{MIN_WIDTH}×{MIN_HEIGHT} needed, this is {}×{}", area.width, area.height);
        Paragraph::new(needed).render(Rect { height: 1, ..area }, buf);
    } else {
        parts(area, buf);
    }
    glyphs::settle(glyphs, area, buf);
}

fn parts(app: &App, area: Rect, buf: &mut Buffer) {
    let places = layout::places(app, area);
    header::render(app, &places, buf);
    banner::render(app, places.announced, places.banner, buf);
    narration::render(app, &places.narrated, places.narration, buf);
    footer::render(app, places.footer, buf);
    if app.history().run.is_none() {
        waiting::render(app, places.body, buf);
    } else {
        for &(panel, place) in &places.panels {
            render_panel(app, panel, place, buf);
        }
        super::panel::prompt::line(app, places.prompt, buf);
    }
    match app.view.dialog {
        Some(Dialog::Help(row)) => dialogs::help(app, row, places.body, buf),
        Some(Dialog::Why(row)) => why::render(app, row, places.body, buf),
        Some(Dialog::Glossary(row)) => glossary::render(app, row, places.body, buf),
        Some(Dialog::Quit) => dialogs::quit(app, places.body, buf),
        Some(Dialog::Filter) | None => {}
    }
}

/// The panel at a place of the screen, and where it lies.
pub(in crate::tui) fn panel_at(app: &App, area: Rect, at: Position) -> Option<(Panel, Rect)> {
    if area.width < MIN_WIDTH || area.height < MIN_HEIGHT || app.history().run.is_none() {
        return None;
    }
    layout::places(app, area).panels.into_iter().find(|(_, place)| place.contains(at))
}

/// The group whose name stands at a place of the screen.
pub(in crate::tui) fn group_at(app: &App, area: Rect, at: Position) -> Option<ProbeGroup> {
    if area.width < MIN_WIDTH || area.height < MIN_HEIGHT {
        return None;
    }
    let place = layout::places(app, area).groups;
    place.contains(at).then(|| header::group_at(place, at.x)).flatten()
}

fn render_panel(app: &App, panel: Panel, area: Rect, buf: &mut Buffer) {
    if !area.is_empty() {
        draw_panel(app, panel, area, buf);
    }
}

macro_rules! drawing {
    ($(
        $(#[$doc:meta])*
        $variant:ident = $title:literal in $runs:ident, keys: $list:ident, at: [$($slot:ident),+],
        drawn by $module:ident.$function:ident;
    )+) => {
        /// Draws one panel.
        pub(in crate::tui) fn draw_panel(app: &App, panel: Panel, area: Rect, buf: &mut Buffer) {
            match panel {
                $( Panel::$variant => super::panel::$module::$function(app, area, buf), )+
            }
        }
    };
}
each_panel!(drawing);

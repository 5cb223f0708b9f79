//! What the state looks like. Everything here is a pure function of the [`App`]: it draws and changes nothing.

mod banner;
mod chart;
mod classes;
mod curves;
pub(super) mod dialogs;
mod dynamics;
mod events;
pub(super) mod footer;
mod forces;
mod header;
mod heatmap;
mod layout;
mod measure;
mod prompt;
pub(super) mod text;
mod waiting;
mod why;

#[cfg(test)]
mod tests;

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::{Paragraph, Widget};

use super::app::{App, Dialog, Panel};
use super::glyphs;

pub use layout::{MIN_HEIGHT, MIN_WIDTH};

/// Draws the dashboard on a frame.
pub fn draw(app: &App, frame: &mut Frame<'_>) {
    render(app, frame.area(), frame.buffer_mut());
}

/// Draws the dashboard in a buffer, which may be off-screen.
///
/// ```text
/// 80 × 24                                  120 × 40 and 200 × 60
/// ┌ header: run · stage · phase ───state┐  ┌ header ───────────────────────────────┐
/// │ progress · speed · time left        │  │ progress                              │
/// │ groups: 1 answers  2 rejected …     │  │ groups                                │
/// │ banner, while squeezing             │  │ banner, while squeezing               │
/// ├ chart ────────────┬ curves ─────────┤  ├ chart ─────────────────┬ curves ──────┤
/// │                   │ value, Δ        │  │                        │              │
/// │                   │                 │  │                        ├ dynamics ────┤
/// ├ prompt | events ──┤                 │  ├ prompt ────────────────┤              │
/// │ | dynamics        │                 │  │                        ├ events ──────┤
/// ├───────────────────┴─────────────────┤  ├────────────────────────┴──────────────┤
/// └ footer: the keys that work now ─────┘  └ footer ───────────────────────────────┘
/// ```
pub fn render(app: &App, area: Rect, buf: &mut Buffer) {
    let area = area.intersection(buf.area);
    if area.is_empty() {
        return;
    }
    buf.set_style(area, app.view.theme.text());
    render_parts(app, area, buf);
    glyphs::settle(app.view.glyphs, area, buf);
}

fn render_parts(app: &App, area: Rect, buf: &mut Buffer) {
    if area.width < MIN_WIDTH || area.height < MIN_HEIGHT {
        let needed = format!("{MIN_WIDTH}×{MIN_HEIGHT} needed, this is {}×{}", area.width, area.height);
        Paragraph::new(needed).render(Rect { height: 1, ..area }, buf);
        return;
    }
    let places = layout::places(app, area);
    header::render(app, &places, buf);
    banner::render(app, places.announced, places.banner, buf);
    footer::render(app, places.footer, buf);
    if app.history().run.is_none() {
        waiting::render(app, places.body, buf);
    } else {
        for &(panel, place) in &places.panels {
            render_panel(app, panel, place, buf);
        }
    }
    match app.view.dialog {
        Some(Dialog::Help(row)) => dialogs::help(app, row, places.body, buf),
        Some(Dialog::Why(row)) => why::render(app, row, places.body, buf),
        Some(Dialog::Quit) => dialogs::quit(app, places.body, buf),
        Some(Dialog::Filter) | None => {}
    }
}

fn render_panel(app: &App, panel: Panel, area: Rect, buf: &mut Buffer) {
    if area.is_empty() {
        return;
    }
    match panel {
        Panel::Chart => chart::render(app, area, buf),
        Panel::Curves => curves::render(app, area, buf),
        Panel::Prompt => prompt::render(app, area, buf),
        Panel::Answers => classes::chart(app, area, buf),
        Panel::Influence => classes::influence(app, area, buf),
        Panel::Kernel => classes::kernel(app, area, buf),
        Panel::Events => events::render(app, area, buf),
        Panel::Dynamics => dynamics::render(app, panel, &dynamics::measures(app), area, buf),
        Panel::Forces => forces::render(app, area, buf),
        Panel::Learning => dynamics::render(app, panel, &classes::measures(app), area, buf),
    }
}

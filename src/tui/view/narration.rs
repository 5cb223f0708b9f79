//! The sentence of a replay that has stopped at an event.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::{Paragraph, Widget};

use super::text::{words, wrap};
use crate::tui::app::App;
use crate::tui::keymap;

/// The sentence, in lines of a screen `width` columns wide; none while nothing is told.
pub(super) fn lines(app: &App, width: u16) -> Vec<Line<'static>> {
    let theme = &app.view.theme;
    let Some(told) = app.narration() else { return Vec::new() };
    let mut said = words(&format!("▸ {told}"), theme.accent());
    said.extend(words(&keymap::told("{play} plays on, {narration} no longer stops."), theme.dim()));
    wrap(&said, usize::from(width).saturating_sub(2))
}

/// Draws it above the footer.
pub(super) fn render(app: &App, lines: &[Line<'static>], area: Rect, buf: &mut Buffer) {
    if area.is_empty() {
        return;
    }
    buf.set_style(area, app.view.theme.selection());
    let inner = Rect { x: area.x + 1, width: area.width.saturating_sub(2), ..area };
    Paragraph::new(lines.to_vec()).render(inner, buf);
}

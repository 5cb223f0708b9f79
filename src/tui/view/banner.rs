//! The alarm's banner.

use ratatui::buffer::Buffer;
use ratatui::layout::{Alignment, Rect};
use ratatui::style::Modifier;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Widget};

use super::text::{fit, words, wrap};
use crate::text::Shown;
use crate::tui::app::App;

/// Columns below which the alarm is said in brief.
const NARROW: u16 = 100;

/// What the alarm says, in lines of a screen `width` columns wide; none while nothing is raised.
pub(super) fn announced(app: &App, width: u16) -> Vec<Line<'static>> {
    let detector = &app.history().detector;
    if app.history().run.is_none() || !detector.state.is_alarm() {
        return Vec::new();
    }
    let style = app.view.theme.state(detector.state);
    let announcement = if width < NARROW { detector.headline() } else { detector.announcement() };
    let announcement = Shown::new(&announcement);
    let mut said = words(&format!("! {}", detector.state.title().to_uppercase()), style.add_modifier(Modifier::BOLD));
    said.extend(words(&format!("· {announcement}"), style));
    wrap(&said, usize::from(width).saturating_sub(2))
}

/// The alarm, over the full width: it cannot be missed, and is there only while the detector raises it.
pub(super) fn render(app: &App, mut lines: Vec<Line<'static>>, area: Rect, buf: &mut Buffer) {
    if area.is_empty() {
        return;
    }
    let style = app.view.theme.state(app.history().detector.state);
    buf.set_style(area, style);
    let width = usize::from(area.width).saturating_sub(2);
    if lines.len() > usize::from(area.height) {
        lines.truncate(area.height.into());
        if let Some(last) = lines.last_mut() {
            let text = fit(&format!("{last} …"), width);
            let text = if text.ends_with('…') { text } else { fit(&text, width.saturating_sub(1)) + "…" };
            *last = Line::from(Span::styled(text, style));
        }
    }
    let inner = Rect { x: area.x + 1, width: area.width.saturating_sub(2), ..area };
    Paragraph::new(lines).alignment(Alignment::Left).style(style).render(inner, buf);
}

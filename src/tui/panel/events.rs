//! The events: stages, pauses and what the detector said.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Widget};

use super::frame::frame;
use crate::history::{Mark, MarkKind};
use crate::tui::app::App;
use crate::tui::panel::Panel;
use crate::tui::view::text::{right, words, wrap};

/// Columns of the step and the sign before the sentence.
const LEAD: usize = 10;

/// Draws the panel.
pub(in crate::tui) fn render(app: &App, area: Rect, buf: &mut Buffer) {
    let theme = &app.view.theme;
    let marks = &app.shown().marks;
    let inner = frame(app, Panel::Events, format!("{}, n and N jump", marks.len()), area, buf);
    if marks.is_empty() {
        Line::styled(" nothing yet", theme.dim()).render(inner, buf);
        return;
    }
    let selected = app.view.event.unwrap_or(marks.len() - 1);
    let width = usize::from(inner.width).saturating_sub(LEAD + 1).max(1);
    // The selected event is the last that must be seen; those before it fill the room above.
    let height = usize::from(inner.height);
    let mut lines: Vec<Line<'static>> = Vec::new();
    for (index, mark) in marks.iter().enumerate().take(selected + 1).rev() {
        let mut entry = entry(app, mark, width, app.view.event == Some(index));
        if lines.len() + entry.len() > height {
            if lines.is_empty() {
                entry.truncate(height);
                lines = entry;
            }
            break;
        }
        entry.append(&mut lines);
        lines = entry;
    }
    for mark in marks.iter().skip(selected + 1) {
        let room = height.saturating_sub(lines.len());
        if room == 0 {
            break;
        }
        lines.extend(entry(app, mark, width, false).into_iter().take(room));
    }
    Paragraph::new(lines).render(inner, buf);
}

fn entry(app: &App, mark: &Mark, width: usize, selected: bool) -> Vec<Line<'static>> {
    let theme = &app.view.theme;
    let (sign, style) = match mark.kind {
        MarkKind::Stage => ("▸", theme.accent()),
        MarkKind::Phase => ("·", theme.dim()),
        MarkKind::State => ("•", theme.text()),
        MarkKind::Alarm | MarkKind::Warning => ("!", theme.warning()),
    };
    let mut lines = wrap(&words(mark.text.as_str(), style), width);
    for (row, line) in lines.iter_mut().enumerate() {
        let lead =
            if row == 0 { format!(" {} {sign} ", right(&mark.step.to_string(), LEAD - 4)) } else { " ".repeat(LEAD) };
        line.spans.insert(0, Span::styled(lead, if row == 0 { style } else { theme.dim() }));
        if selected {
            *line = std::mem::take(line).patch_style(theme.selection());
        }
    }
    lines
}

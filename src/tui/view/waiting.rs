//! The first screen: what is being waited for, and what there will be to see.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Widget};

use super::header::loading;
use super::text::{fit, panel, title, words, wrap};
use crate::protocol::RunPhase;
use crate::text::Shown;
use crate::tui::app::{App, Reading};
use crate::tui::keymap;

const TEACH: &str = "Soon: one line for each kind of answer. Upwards, the model finds it more likely; downwards, less. \
                     y⁺ is the preferred answer and is pulled up, y⁻ the dispreferred one and is pushed down. Watch where \
                     the probability goes that both lose.";

/// Draws the screen before the run has said what it is.
pub(super) fn render(app: &App, area: Rect, buf: &mut Buffer) {
    let theme = &app.view.theme;
    let width = area.width.min(72);
    let height = area.height.min(11);
    let place = Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height };
    let block = panel(title("ldyn-tui", "watch a language model learn", true, theme), false, theme, app.view.glyphs);
    let inner = block.inner(place);
    block.render(place, buf);
    let columns = usize::from(inner.width).saturating_sub(2);
    let mut lines = vec![Line::default(), wait(app, columns), Line::default()];
    lines.extend(wrap(&words(TEACH, theme.dim()), columns));
    for line in &mut lines {
        line.spans.insert(0, Span::raw(" "));
    }
    Paragraph::new(lines).render(inner, buf);
}

fn wait(app: &App, columns: usize) -> Line<'static> {
    let theme = &app.view.theme;
    let what = match app.phase() {
        Some(RunPhase::Starting(what)) => Shown::new(what).to_string(),
        Some(RunPhase::Failed(why)) => {
            return Line::styled(fit(&format!("failed: {}", Shown::new(why)), columns), theme.warning());
        }
        Some(phase) if phase.is_terminal() => "the run ended before its first event".to_owned(),
        _ => match app.recording() {
            Some(replay) if replay.is_empty() => match replay.reading() {
                Reading::Broken(why) => return Line::styled(fit(why.as_str(), columns), theme.warning()),
                Reading::Attached { .. } => "attached: the run has not begun".to_owned(),
                _ => loading(replay),
            },
            Some(_) => keymap::told("the recording has not begun: {play} plays it").into_owned(),
            None => "starting".to_owned(),
        },
    };
    let mut spans = vec![Span::styled(fit(&what, columns.saturating_sub(9)), theme.accent())];
    if app.is_waiting() && !app.hide_clock {
        spans.push(Span::styled(format!("  {:.1} s", app.now().as_secs_f64()), theme.dim()));
    }
    Line::from(spans)
}

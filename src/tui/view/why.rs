//! Who moved an answer, over the dashboard.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::{Clear, Paragraph, Widget};

use super::text::{panel, title, words, wrap};
use crate::export::influence;
use crate::protocol::Question;
use crate::tui::app::{App, NAMED, Why};
use crate::tui::keymap;

/// Columns, at most: longer lines are hard to read.
const WIDTH: u16 = 150;

/// Draws the answer from line `first` on, or what is being done for it.
pub(super) fn render(app: &App, first: u16, area: Rect, buf: &mut Buffer) {
    let theme = &app.view.theme;
    let width = area.width.min(WIDTH);
    let place = Rect { x: area.x + (area.width - width) / 2, width, ..area };
    let block = panel(title("who moved it", keymap::scrolling(), true, theme), true, theme, app.view.glyphs);
    let inner = block.inner(place);
    let columns = usize::from(inner.width).saturating_sub(1);
    let run = app.shown().run.as_deref();
    let sentence = |text: &str| wrap(&words(text, theme.text()), columns);
    let lines = match app.why() {
        Some(Why::Known(answer)) => influence::lines(run, answer, NAMED, columns).into_iter().map(Line::from).collect(),
        Some(Why::Asked(Question { until, .. }, doing)) => {
            let mut lines = sentence(&format!(
                "The run's steps are being taken again, up to step {until}. The dashboard works meanwhile; {} comes back \
                 here.",
                keymap::key_of("who_moved_it")
            ));
            lines.extend(doing.iter().flat_map(|doing| sentence(doing.as_str())));
            lines
        }
        Some(Why::Unknown(why)) => why.as_str().lines().flat_map(sentence).collect(),
        None => Vec::new(),
    };
    let latest = lines.len().saturating_sub(inner.height.into());
    let seen: Vec<_> = lines.into_iter().skip(latest.min(first.into())).take(inner.height.into()).collect();
    Clear.render(place, buf);
    block.render(place, buf);
    Paragraph::new(seen).style(theme.text()).render(inner, buf);
}

//! The glossary over the dashboard: what the words and signs of the focused panel mean.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Paragraph, Widget};

use super::dialogs::{centred, page};
use super::text::{panel, title, words, wrap};
use crate::tui::app::App;
use crate::tui::glossary::{Term, terms};
use crate::tui::keymap;

/// Columns, at most: longer lines are hard to read.
const WIDTH: u16 = 100;

/// Draws the terms of the focused panel, from the term `first` on.
pub(super) fn render(app: &App, first: u16, area: Rect, buf: &mut Buffer) {
    let theme = &app.view.theme;
    let place = centred(area, WIDTH, area.height);
    let said = format!("of the {} panel · {}", app.focus().title(), keymap::scrolling());
    let block = panel(title("words", said, true, theme), true, theme, app.view.glyphs);
    let inner = block.inner(place);
    let columns = usize::from(inner.width).saturating_sub(3);
    let entry = |term: &Term| {
        let mut said = words(term.word, theme.accent());
        // The term is one phrase with what it means.
        if let Some((last, _)) = said.last_mut() {
            last.push(':');
        }
        said.extend(words(&keymap::told(term.meaning), theme.text()));
        if !term.source.is_empty() {
            said.extend(words(&format!("({})", term.source), theme.dim()));
        }
        let mut lines = wrap(&said, columns);
        for (row, line) in lines.iter_mut().enumerate() {
            line.spans.insert(0, Span::raw(if row == 0 { " " } else { "   " }));
        }
        lines
    };
    let entries: Vec<Vec<Line<'_>>> = terms(app.focus()).map(entry).collect();
    let seen = page(entries, first, inner.height);
    Clear.render(place, buf);
    block.render(place, buf);
    Paragraph::new(seen).style(theme.text()).render(inner, buf);
}

//! What the run's steps, taken again, tell: who moved an answer, where it lost, how alike prompts and examples are. Over the
//! dashboard.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;
use ratatui::text::Line;
use ratatui::widgets::{Clear, Paragraph, Widget};

use super::text::{panel, title, words, wrap};
use crate::dynamics::alike::{Alike, Cell, Learnt};
use crate::dynamics::sight::{Sight, Tone, View};
use crate::export::influence;
use crate::tui::app::{App, NAMED, Why};
use crate::tui::inquiry::{Query, Told};
use crate::tui::keymap;
use crate::tui::panel::heatmap::HeatMap;

/// Columns, at most: longer lines are hard to read.
const WIDTH: u16 = 150;
/// Lines of a token's position that are not positions and movers.
const FIXED: usize = 13;
/// Positions and movers of either direction, at least.
const LEAST: usize = 2;

/// Draws the answer from line `first` on, or what is being done for it.
pub(super) fn render(app: &App, first: u16, area: Rect, buf: &mut Buffer) {
    let theme = &app.view.theme;
    let width = area.width.min(WIDTH);
    let place = Rect { x: area.x + (area.width - width) / 2, width, ..area };
    let block = panel(heading(app), true, theme, app.view.glyphs);
    let inner = block.inner(place);
    Clear.render(place, buf);
    block.render(place, buf);
    if let Some(Why::Known(Told::Alike(alike))) = app.why() {
        map(app, alike, inner, buf);
        return;
    }
    let columns = usize::from(inner.width).saturating_sub(1);
    let sentence = |text: &str| wrap(&words(text, theme.text()), columns);
    let lines: Vec<Line<'_>> = match app.why() {
        Some(Why::Known(Told::Who(answer))) => {
            let run = app.shown().run.as_deref();
            influence::lines(run, answer, NAMED, columns).into_iter().map(Line::from).collect()
        }
        Some(Why::Known(Told::Where(sight))) => microscope(app, sight, columns, inner.height.into()),
        Some(Why::Known(Told::Alike(_))) | None => Vec::new(),
        Some(Why::Asked(query, doing)) => {
            let until = query.until();
            let mut lines = sentence(&format!(
                "The run's steps are being taken again, up to step {until}. The dashboard works meanwhile; {} comes back \
                 here.",
                key(*query)
            ));
            lines.extend(doing.iter().flat_map(|doing| sentence(doing.as_str())));
            lines
        }
        Some(Why::Unknown(why)) => why.as_str().lines().flat_map(sentence).collect(),
    };
    let latest = lines.len().saturating_sub(inner.height.into());
    let seen: Vec<_> = lines.into_iter().skip(latest.min(first.into())).take(inner.height.into()).collect();
    Paragraph::new(seen).style(theme.text()).render(inner, buf);
}

/// The key that asks it.
fn key(query: Query) -> String {
    match query {
        Query::Who(_) => keymap::key_of("who_moved_it"),
        Query::Where(_) => keymap::key_of("microscope"),
        Query::Alike(..) => keymap::key_of("kernel"),
    }
}

/// What is asked, and the keys.
fn heading(app: &App) -> Line<'static> {
    let query = match app.why() {
        Some(Why::Known(told)) => Some(told.query()),
        Some(Why::Asked(query, _)) => Some(*query),
        Some(Why::Unknown(_)) | None => None,
    };
    let scrolling = keymap::scrolling();
    let (what, keys) = match query {
        Some(Query::Where(_)) if app.looks_at_tokens() => {
            let walk = ["token_left", "token_right"].map(keymap::key_of).join(" ");
            ("where it lost", format!("{walk} walk, {scrolling}"))
        }
        Some(Query::Where(_)) => ("where it lost", scrolling),
        Some(Query::Alike(..)) => ("kernel", scrolling),
        Some(Query::Who(_)) | None => ("who moved it", scrolling),
    };
    title(what, keys, true, &app.view.theme)
}

/// The answer's tokens: as many positions and movers as there is room for.
fn microscope(app: &App, sight: &Sight, width: usize, height: usize) -> Vec<Line<'static>> {
    let theme = &app.view.theme;
    let third = (height.saturating_sub(FIXED) / 3).max(LEAST);
    let view = View { position: app.view.token, listed: third, top: third, width };
    let style = |tone| match tone {
        Tone::Plain => theme.text(),
        Tone::Dim => theme.dim(),
        Tone::Chosen => theme.accent().add_modifier(Modifier::BOLD),
        Tone::Gain => theme.gain(),
        Tone::Loss => theme.loss(),
    };
    sight.lines(&view).into_iter().map(|(tone, line)| Line::styled(line, style(tone))).collect()
}

/// The kernel as a map of norms, with a map of cosines and the strongest cells in words where there is room.
fn map(app: &App, alike: &Alike, area: Rect, buf: &mut Buffer) {
    let theme = &app.view.theme;
    let mut left = Rect { x: area.x + 1, width: area.width.saturating_sub(2), ..area };
    let columns = usize::from(left.width);
    let said = |text: &str, style| wrap(&words(text.trim_start(), style), columns);
    write(alike.sentences().iter().flat_map(|line| said(line, theme.text())).collect(), &mut left, buf);
    let strongest = alike.strongest(3);
    let rows: Vec<String> = alike.observed.iter().map(|text| format!("p{}", text.prompt + 1)).collect();
    let names: Vec<String> = alike.learnt.iter().map(Learnt::name).collect();
    #[allow(clippy::cast_possible_truncation, reason = "shades")]
    let values = |of: fn(&Cell) -> f64| alike.cells.iter().flatten().map(|cell| of(cell) as f32).collect::<Vec<f32>>();
    let tables: [(&str, bool, Vec<f32>); 2] =
        [("‖K‖", false, values(|cell| cell.norm)), ("cos", true, values(|cell| cell.cosine))];
    for (table, (corner, signed, values)) in tables.iter().enumerate() {
        let largest = values.iter().map(|&x| f64::from(x).abs()).filter(|x| x.is_finite()).fold(0.0, f64::max);
        let cells = HeatMap {
            corner,
            rows: &rows,
            columns: &names,
            values,
            signed: *signed,
            largest,
            selected: strongest.first().copied().unwrap_or_default(),
            glyphs: app.view.glyphs,
            theme,
        };
        let height = u16::try_from(cells.height()).unwrap_or(u16::MAX);
        // Half a second map says less than words.
        if table == 0 || height <= left.height {
            let height = height.min(left.height);
            cells.render(Rect { height, ..left }, buf);
            left = below(left, height);
        }
    }
    let told = strongest.iter().flat_map(|&(row, column)| said(&alike.told(row, column), theme.dim()));
    write(told.collect(), &mut left, buf);
}

/// Writes lines from the top of what is left, and leaves what lies below them.
fn write(lines: Vec<Line<'_>>, left: &mut Rect, buf: &mut Buffer) {
    let height = u16::try_from(lines.len()).unwrap_or(u16::MAX).min(left.height);
    Paragraph::new(lines).render(Rect { height, ..*left }, buf);
    *left = below(*left, height);
}

/// What lies below so many rows.
fn below(area: Rect, rows: u16) -> Rect {
    Rect { y: area.y + rows, height: area.height - rows, ..area }
}

//! The view of a lesson: a pure function of the [`Desk`].

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Modifier;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Widget};

use super::desk::{Desk, Given, Phase};
use super::stand::{Stand, panels};
use crate::lesson::Ask;
use crate::tui::keymap::{self, Context};
use crate::tui::view::text::{fit, panel, title, words, wrap};
use crate::tui::view::{dialogs, draw_panel, footer};

/// Rows of the text and its frame, at least: what stands beside it does not jump from step to step.
const TALK: u16 = 9;
/// Columns from which two panels lie side by side on low screens too.
const SIDE_BY_SIDE: u16 = 72;
/// Columns that a text takes, at most: longer lines are hard to read.
const READABLE: u16 = 110;

/// Draws the parts of the screen.
///
/// ```text
/// ┌ the lesson's title · step 3 of 7 ──────────┐
/// │ the recording's panels, or the lab         │
/// │ (the answer as a ghost beside the curves)  │
/// ├ what is said ──────────────────────────────┤
/// │ text, question, answers; then what it was  │
/// └ footer: the keys that work now ────────────┘
/// ```
pub(super) fn parts(desk: &Desk, area: Rect, buf: &mut Buffer) {
    let columns = usize::from(area.width.min(READABLE)).saturating_sub(4);
    let talk = talk(desk, columns);
    let wanted = u16::try_from(talk.len()).unwrap_or(u16::MAX).saturating_add(2).max(TALK);
    let [head, stand, text, keys] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Min(4),
        Constraint::Length(wanted.min(area.height.saturating_sub(6))),
        Constraint::Length(1),
    ])
    .areas(area);
    header(desk, head, buf);
    match desk.stand() {
        Stand::Run(_, app) => {
            for (panel, place) in places(desk, stand) {
                draw_panel(app, panel, place, buf);
            }
        }
        Stand::Lab(lab) => crate::tui::lab::within(lab, stand, buf),
    }
    spoken(desk, talk, text, buf);
    footer(desk, keys, buf);
    if let Some(first) = desk.help {
        let help = dialogs::Keys { what: "a lesson", first, theme: &desk.theme, glyphs: desk.glyphs };
        help.render(keymap::bindings(Context::Lesson), Rect { height: area.height - 1, ..area }, buf);
    }
}

fn header(desk: &Desk, area: Rect, buf: &mut Buffer) {
    let theme = &desk.theme;
    let answers = desk.answers();
    let marks: Vec<Span<'_>> = answers
        .iter()
        .enumerate()
        .map(|(at, answer)| match answer {
            Some(true) => Span::styled("✓", theme.gain()),
            Some(false) => Span::styled("✗", theme.loss()),
            None if at == desk.at() => Span::styled("●", theme.accent()),
            None => Span::styled("·", theme.dim()),
        })
        .collect();
    let place = format!("step {} of {}  ", desk.at() + 1, answers.len());
    let room = usize::from(area.width).saturating_sub(place.len() + answers.len() + 3);
    let name = fit(&format!(" {}", crate::text::Shown::new(&desk.opened().lesson.title)), room);
    Line::from(Span::styled(name, theme.accent().add_modifier(Modifier::BOLD))).render(area, buf);
    let mut right = vec![Span::styled(place, theme.dim())];
    right.extend(marks);
    right.push(Span::raw(" "));
    Line::from(right).right_aligned().render(area, buf);
}

/// The panels of the step in their places.
fn places(desk: &Desk, area: Rect) -> Vec<(crate::tui::panel::Panel, Rect)> {
    let panels = panels(desk.step());
    let rows = vec![Constraint::Fill(1); panels.len()];
    let beside = panels.len() > 1 && area.width >= SIDE_BY_SIDE && (area.height < 24 || area.width >= 100);
    let layout = if beside { Layout::horizontal(rows) } else { Layout::vertical(rows) };
    panels.into_iter().zip(layout.split(area).iter().copied()).collect()
}

/// What is said, line by line.
fn talk(desk: &Desk, columns: usize) -> Vec<Line<'static>> {
    let (theme, step) = (&desk.theme, desk.step());
    let said = |text: &str, style| wrap(&words(desk.say(text).as_str(), style), columns);
    let mut lines = said(&step.text, theme.text());
    let Some(ask) = &step.ask else {
        if desk.hint {
            lines.extend(said(&format!("Hint: {}", step.hint), theme.dim()));
        }
        return lines;
    };
    let strong = theme.accent();
    match desk.phase() {
        Phase::Told => {
            lines = verdict(desk, columns);
            lines.extend(said(ask.because(), theme.text()));
        }
        Phase::Reading | Phase::Asking => {
            lines.extend(said(ask.question(), strong));
            for (at, answer) in desk.choices().iter().enumerate() {
                let picked = at == desk.picked;
                let pointer = if picked { "▸" } else { " " };
                let text = fit(&format!(" {pointer} {} {}", at + 1, desk.say(&answer.text)), columns);
                lines.push(Line::styled(text, if picked { strong } else { theme.text() }));
            }
            if matches!(ask, Ask::Sketch { .. }) {
                let [left, right, up, down, next] =
                    ["pen_left", "pen_right", "pen_up", "pen_down", "lesson_next"].map(keymap::key_of);
                let how =
                    format!("{left} {right} move the pen, {up} {down} draw from there on; {next} shows what happened.");
                lines.extend(wrap(&words(&how, theme.dim()), columns));
            }
        }
    }
    if desk.hint {
        lines.extend(said(&format!("Hint: {}", step.hint), theme.dim()));
    }
    lines
}

/// What became of the answer.
fn verdict(desk: &Desk, columns: usize) -> Vec<Line<'static>> {
    let theme = &desk.theme;
    let right = desk.answers()[desk.at()];
    let (sign, style) = match right {
        Some(true) => ("✓", theme.gain()),
        Some(false) => ("✗", theme.loss()),
        None => ("·", theme.dim()),
    };
    let text = match desk.given() {
        Some(Given::Chosen(answer)) => {
            let chosen = desk.choices().get(answer).map(|answer| desk.say(&answer.text));
            let chosen = chosen.as_ref().map_or("", |text| text.as_str());
            format!("You said: {chosen}. {}", if right == Some(true) { "So it is." } else { "It is otherwise." })
        }
        Some(Given::Drawn(judged)) => format!(
            "Your curve ends {}, and is {:.1} nats off on average.",
            if right == Some(true) { "on the right side" } else { "on the wrong side" },
            judged.apart
        ),
        Some(Given::Done) => "Done.".to_owned(),
        Some(Given::Skipped) | None => "Passed over.".to_owned(),
    };
    wrap(&words(&format!("{sign} {text}"), style), columns)
}

fn spoken(desk: &Desk, lines: Vec<Line<'static>>, area: Rect, buf: &mut Buffer) {
    let theme = &desk.theme;
    let teaching = match (desk.phase(), &desk.step().ask) {
        (Phase::Asking, Some(Ask::Task { .. })) => "try it",
        (Phase::Asking, _) => "what will happen?",
        (Phase::Told, _) => "what happened",
        (Phase::Reading, _) => "",
    };
    let block = panel(title("lesson", teaching, true, theme), true, theme, desk.glyphs);
    let inner = block.inner(area);
    block.render(area, buf);
    let inner = Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner };
    Paragraph::new(lines).render(inner, buf);
}

/// The lesson's keys, then those of what stands beside the text.
fn footer(desk: &Desk, area: Rect, buf: &mut Buffer) {
    if let Some(notice) = desk.notice().filter(|_| desk.help.is_none()) {
        notice.line(area.width, &desk.theme).render(area, buf);
        return;
    }
    let live = desk.live();
    let of_stand = match desk.stand() {
        Stand::Run(_, app) => app.mode(),
        Stand::Lab(lab) => lab.mode(),
    };
    let own = keymap::bindings(desk.mode()).filter(|row| !row.hint.is_empty());
    // A task is done by the other's keys: they come first.
    let others = keymap::bindings(of_stand).filter(|row| live.iter().any(|name| name == row.name));
    let in_words =
        |row: &keymap::Binding| if row.hint.is_empty() { row.name.replace('_', " ") } else { row.hint.into() };
    let named = others.map(|row| (footer::key_name(row, desk.glyphs), in_words(row)));
    let answer = |row: &keymap::Binding| {
        if desk.phase() == Phase::Asking && row.hint == "go on" { "answer" } else { row.hint }.to_owned()
    };
    let hints = named.chain(own.map(|row| (footer::key_name(row, desk.glyphs), answer(row))));
    Line::from(footer::keys(hints, area.width.into(), &desk.theme)).render(area, buf);
}

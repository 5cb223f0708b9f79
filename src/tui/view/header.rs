//! The header: run, stage, phase and verdict; progress; the groups and their digits; the alarm.

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use super::layout::Places;
use super::text::{clock, fit};
use crate::history::DynamicsState;
use crate::protocol::{ProbeGroup, RunPhase, TrainerCommand};
use crate::text::{Shown, bytes};
use crate::tui::app::{App, Reading, Replay};
use crate::tui::glyphs::Glyphs;
use crate::tui::panel::classes;

/// Draws everything above the body.
pub(super) fn render(app: &App, places: &Places, buf: &mut Buffer) {
    title(app, places.header, buf);
    progress(app, places.progress, buf);
    groups(app, places.groups, buf);
}

fn title(app: &App, area: Rect, buf: &mut Buffer) {
    let theme = &app.view.theme;
    let history = app.history();
    let (verdict, style) = verdict(app);
    let width = u16::try_from(Span::raw(verdict.as_str()).width()).unwrap_or(u16::MAX).min(area.width);
    let name = Rect { width: area.width.saturating_sub(width + 1), ..area };
    let mut spans = vec![Span::styled(format!(" {}", app.experiment()), theme.accent().add_modifier(Modifier::BOLD))];
    if let Some(run) = &history.run {
        spans.push(Span::styled(format!(" seed {}", run.seed), theme.dim()));
        if let Some((index, stage)) = history.stage.and_then(|i| Some((i, run.stages.get(i)?))) {
            let stage = format!(" · {} ({}/{})", Shown::new(&stage.name), index + 1, run.stages.len());
            spans.push(Span::styled(stage, theme.text()));
        }
    }
    spans.push(Span::styled(" · ", theme.dim()));
    let (phase, urgent) = phase(app);
    spans.push(Span::styled(phase, if urgent { theme.warning() } else { theme.text() }));
    if app.is_frozen() {
        spans.push(Span::styled(format!(" · view frozen at {}", app.shown().step), theme.warning()));
    }
    Line::from(spans).render(name, buf);
    let at = Rect { x: area.right() - width, width, ..area };
    Line::from(Span::styled(verdict, style)).render(at, buf);
}

/// The verdict on the dynamics, once there is one; of a classifier, how often it is right.
fn verdict(app: &App) -> (String, Style) {
    let theme = &app.view.theme;
    let detector = &app.history().detector;
    let says_nothing = detector.standings.is_empty() && detector.state == DynamicsState::Healthy;
    if app.history().class_count() > 0 {
        (classes::verdict(app), theme.accent())
    } else if app.history().run.is_none() || says_nothing {
        (String::new(), theme.dim())
    } else {
        (format!(" {} ", detector.state.title()), theme.state(detector.state))
    }
}

/// A measurement is under way.
const MEASURING: &str = "measuring the probes";

/// How far the measurement under way has come.
fn headway(app: &App) -> String {
    match &app.history().measuring {
        None => MEASURING.to_owned(),
        Some((doing, None)) => doing.to_string(),
        Some((doing, Some(share))) => format!("{doing} {:.0} %", 100.0 * share),
    }
}

/// What the trainer is doing, in words, and whether that wants attention.
fn phase(app: &App) -> (String, bool) {
    if app.is_stopping() && !app.hide_clock {
        return ("stopping, then quitting".to_owned(), true);
    }
    let (mut words, mut urgent) = match app.phase() {
        None => ("starting".to_owned(), false),
        Some(RunPhase::Starting(what)) => {
            let what = Shown::new(what);
            // Before the run has begun the body of the screen counts the time.
            let counts = app.history().run.is_some();
            (if counts { format!("{what}, {}", clock(app.phase_age())) } else { what.to_string() }, false)
        }
        Some(RunPhase::Running) => ("training".to_owned(), false),
        Some(RunPhase::Paused) => ("paused".to_owned(), true),
        Some(RunPhase::Evaluating) => {
            let since = app.phase_age();
            // Most measurements are over sooner than a second is read.
            let counts = !app.hide_clock && since >= Duration::from_secs(1);
            let words = if counts { format!("{}, {}", headway(app), clock(since)) } else { MEASURING.to_owned() };
            (words, false)
        }
        Some(RunPhase::Stopping) => ("stopping".to_owned(), true),
        Some(RunPhase::Finished) => ("finished".to_owned(), false),
        Some(RunPhase::Stopped) => ("stopped early".to_owned(), true),
        Some(RunPhase::Failed(why)) => (format!("failed: {}", Shown::new(why)), true),
    };
    if let (Some(command), false) = (app.requested(), app.hide_clock) {
        words += match command {
            TrainerCommand::Pause => ", pause asked for",
            TrainerCommand::Resume => ", resume asked for",
            TrainerCommand::Step => ", one step asked for",
            TrainerCommand::Evaluate => ", measurement asked for",
            TrainerCommand::Stop => ", stop asked for",
        };
        urgent = true;
    }
    (words, urgent)
}

#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a bar on a screen"
)]
fn progress(app: &App, area: Rect, buf: &mut Buffer) {
    let theme = &app.view.theme;
    let history = app.history();
    let total = history.total_steps();
    if history.run.is_none() {
        return;
    }
    if let (Some(Reading::Broken(why)), false) = (app.recording().map(Replay::reading), app.hide_clock) {
        let text = format!(" not all could be read: {why}");
        Line::styled(fit(&text, area.width.into()), theme.warning()).render(area, buf);
        return;
    }
    let count = format!(" step {}/{total} ", history.step);
    let told = if app.hide_clock { String::new() } else { watched(app) };
    let told = fit(&told, usize::from(area.width).saturating_sub(count.len() + 8));
    let told_width = Span::raw(told.as_str()).width();
    let bar = usize::from(area.width).saturating_sub(count.len() + told_width + 2);
    let share = if total == 0 { 0.0 } else { history.step as f64 / total as f64 };
    let done = ((share * bar as f64) as usize).min(bar);
    let (full, empty) = if app.view.glyphs == Glyphs::Ascii { ("=", "-") } else { ("━", "─") };
    Line::from(vec![
        Span::styled(count, theme.text()),
        Span::styled(full.repeat(done), theme.accent()),
        Span::styled(empty.repeat(bar - done), theme.dim()),
        Span::raw(" "),
        Span::styled(told, theme.dim()),
    ])
    .render(area, buf);
}

/// How it is watched and how fast it goes: everything that a clock decides.
fn watched(app: &App) -> String {
    let mut parts = Vec::new();
    if let Some(replay) = app.recording() {
        parts.push(transport(replay, app.history().total_steps()));
    } else if let (Some((speed, left)), true) = (app.history().speed, app.is_training()) {
        let what = if app.has_classes() { "pictures" } else { "tokens" };
        parts.push(format!("{speed:.0} {what}/s"));
        if let Ok(left) = Duration::try_from_secs_f64(left) {
            parts.push(format!("{} left", clock(left)));
        }
    }
    if app.dropped() > 0 {
        parts.push(format!("{} not shown (all are recorded)", app.dropped()));
    }
    parts.join(" · ")
}

/// How a recording is played, and how much of it is read while that is not all of it.
fn transport(replay: &Replay, announced: u64) -> String {
    let rate = format!("{} steps/s", brief(replay.rate(announced)));
    let place = format!("event {}/{}", replay.position(), replay.len());
    match replay.reading() {
        Reading::Under { .. } if replay.is_playing() => format!("{}, playing, {rate}", loading(replay)),
        Reading::Under { .. } => loading(replay),
        Reading::Attached { silent: None } if replay.is_playing() => format!("attached, playing, {rate}"),
        Reading::Attached { silent } => attached(*silent),
        _ if replay.is_playing() => format!("playing, {rate}, {place}"),
        _ => format!("recording, {rate}, {place}"),
    }
}

/// That a run is followed, and how long its writer has said nothing, where that is long.
fn attached(silent: Option<Duration>) -> String {
    silent.map_or_else(|| "attached".to_owned(), |silent| format!("attached, nothing new for {}", clock(silent)))
}

/// How much of a recording is read.
pub(super) fn loading(replay: &Replay) -> String {
    match *replay.reading() {
        Reading::Under { read, of } if of > 0 => {
            format!("loading {} % of {}", u128::from(read) * 100 / u128::from(of), bytes(of))
        }
        _ => "loading".to_owned(),
    }
}

/// A round number in few columns.
#[allow(clippy::cast_precision_loss, reason = "one digit of it is shown")]
fn brief(n: u64) -> String {
    match n {
        0..10_000 => n.to_string(),
        10_000..1_000_000 => format!("{}k", n / 1000),
        1_000_000..1_000_000_000 => format!("{}M", n / 1_000_000),
        _ => format!("{:.0e}", n as f64),
    }
}

/// Columns of a group's title, at most: four of digit and gaps go before each; all of it fits into 79.
fn room_of_titles(width: u16) -> usize {
    if width >= 79 { usize::from(width) } else { usize::from(width) / 6 - 4 }
}

/// The group whose digit or title stands at a column.
pub(super) fn group_at(area: Rect, column: u16) -> Option<ProbeGroup> {
    let mut end = usize::from(area.x);
    ProbeGroup::ALL.into_iter().find(|group| {
        end += 4 + Span::raw(fit(group.title(), room_of_titles(area.width))).width();
        usize::from(column) < end
    })
}

/// The groups, each with the digit that toggles it.
fn groups(app: &App, area: Rect, buf: &mut Buffer) {
    let theme = &app.view.theme;
    if app.history().run.is_none() || area.is_empty() {
        return;
    }
    let room = room_of_titles(area.width);
    let mut spans = Vec::new();
    for (digit, group) in ('1'..='9').zip(ProbeGroup::ALL) {
        let hidden = app.view.hidden.contains(&group);
        spans.push(Span::styled(format!("  {digit} "), if hidden { theme.dim() } else { theme.accent() }));
        let background = app.view.story && !app.view.lit.contains(&group);
        let style = match hidden {
            true => theme.dim().add_modifier(Modifier::CROSSED_OUT),
            false if background => theme.dim(),
            false => theme.text(),
        };
        spans.push(Span::styled(fit(group.title(), room), style));
    }
    Line::from(spans).render(area, buf);
}

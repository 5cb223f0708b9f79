//! `attach`: a run that somebody else trains, shown while it is written, or told in one line for a script.

use std::io::{IsTerminal as _, Read};
use std::path::Path;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::alarm;
use super::display::{look, opened};
use super::export::screenshots;
use super::inquiry;
use crate::cli::{DisplayOptions, Settings, say, tell, var};
use crate::error::{Error, Result};
use crate::history::{RunHistory, Scale};
use crate::protocol::{RunPhase, floats};
use crate::record::{Follower, Loaded, RunDirectory, RunReader};
use crate::text::Shown;
use crate::tui::app::App;
use crate::tui::message::{Ending, Message};
use crate::tui::run::Source;

/// How long is read before the screen opens: what is wrong with a file is told without one.
const BEFORE_THE_SCREEN: Duration = Duration::from_millis(120);

/// What a run is read from that comes through a pipe, as errors call it.
const STDIN: &str = "stdin";

/// Shows a run while another program writes it, until the user leaves; nothing of the run is touched.
///
/// # Errors
/// When it cannot be read or is no run, or the terminal breaks.
pub fn attach(run: &Path, display: &DisplayOptions) -> Result<()> {
    let started = Instant::now();
    let (follower, directory) = follow(run)?;
    let (theme, glyphs) = look(display);
    let mut app = opened(App::arriving(theme, glyphs).on_paper(display.paper()), display);
    for loaded in follower.first(BEFORE_THE_SCREEN) {
        if matches!(loaded, Loaded::Broken(_)) {
            return follower.end().map(drop);
        }
        app.update(Message::Recording(loaded));
    }
    let on_alarm = Settings::load(var)?.on_alarm;
    let arrivals = alarm::relay(follower.arrivals(), app.history().detector.alarms().count(), on_alarm)?;
    let source = Source::Recording(arrivals);
    let inquiry = directory.clone().map(inquiry::inquiry).transpose()?;
    let folder = directory.map_or_else(|| "screenshots".into(), |directory| directory.screenshots());
    let left = crate::tui::show(app, source, inquiry.as_ref(), started, screenshots(folder))?;
    follower.end()?.iter().for_each(tell);
    match left.ending() {
        Ending::Signal => Err(Error::Interrupted),
        _ => Ok(()),
    }
}

/// Begins to follow what a path on the command line means, and the run's directory where there is one.
fn follow(run: &Path) -> Result<(Follower, Option<RunDirectory>)> {
    if is_stdin(run) {
        refuse_a_terminal()?;
        return Ok((Follower::pipe(Path::new(STDIN), std::io::stdin())?, None));
    }
    let directory = RunDirectory::awaited(run)?;
    Ok((Follower::path(directory.events(), run.is_dir())?, Some(directory)))
}

fn is_stdin(run: &Path) -> bool {
    run == Path::new("-")
}

fn refuse_a_terminal() -> Result<()> {
    if std::io::stdin().is_terminal() {
        return Err(Error::usage(
            "attach - reads a run from a pipe, and stdin is a terminal: ssh HOST tail -n +1 -F RUN/events.jsonl | ldyn-tui attach -",
        ));
    }
    Ok(())
}

/// How a run stands, in one JSON object.
#[derive(Debug, Serialize)]
struct Standing<'a> {
    /// The run's name.
    run: &'a str,
    /// The state of the dynamics.
    state: &'static str,
    /// Whether the state is an alarm.
    alarm: bool,
    /// Step from which the state holds; absent for a run that was always healthy.
    since: Option<u64>,
    /// Optimiser steps taken.
    step: u64,
    /// Optimiser steps planned; 0 where nobody knows.
    steps: u64,
    /// Name of the stage.
    stage: Option<&'a str>,
    /// What the trainer is doing, in its own words.
    phase: Option<&'a RunPhase>,
    /// Step of the last evaluation.
    evaluated: Option<u64>,
    /// Share of pairs on which y⁺ and y⁻ both fell though the margin grew; null where it cannot be told.
    displaced: Number,
    /// Share of pairs of which the argmax took the probability; null where it cannot be told.
    squeezed: Number,
    /// Sums of log-probs at the last evaluation, nats, means over prompts, by curve.
    logps: std::collections::BTreeMap<&'static str, Number>,
    /// The verdict in a sentence; empty for health.
    verdict: String,
}

/// A number that may not be finite.
#[derive(Debug, Serialize)]
struct Number(#[serde(serialize_with = "floats::double")] f64);

/// Prints how a run stands as one JSON object: of a file and a directory what is there, of a pipe what comes until its end.
///
/// # Errors
/// When it cannot be read or is no run; with status 1 when the state is an alarm.
pub fn attach_once(run: &Path) -> Result<()> {
    let history = if is_stdin(run) {
        refuse_a_terminal()?;
        folded(RunReader::new(Path::new(STDIN), std::io::BufReader::new(std::io::stdin())))?
    } else {
        folded(RunReader::open(RunDirectory::open(run)?.events())?)?
    };
    let standing = standing(&history);
    let text = serde_json::to_string(&standing).map_err(|e| Error::failed(format!("cannot be written: {e}")))?;
    say(&format!("{text}\n"))?;
    if standing.alarm {
        return Err(Error::failed(format!("{}: {}", history.detector.state.title(), standing.verdict)));
    }
    Ok(())
}

/// Reads to the end; what was passed over is told.
fn folded<R: std::io::BufRead + Read>(mut reader: RunReader<R>) -> Result<RunHistory> {
    let mut history = RunHistory::default();
    while let Some(event) = reader.next_event()? {
        history.apply(&event);
    }
    reader.warnings()?.iter().for_each(tell);
    Ok(history)
}

fn standing(history: &RunHistory) -> Standing<'_> {
    let detector = &history.detector;
    let run = history.run.as_ref();
    let last = detector.standings.last();
    let logps = history.curves().filter_map(|curve| {
        let (_, last) = history.curve(curve, Scale::LogProb, None).last()?;
        Some((curve.key(), Number(last)))
    });
    let began = detector.began();
    Standing {
        run: run.map_or("", |run| &run.run_id),
        state: detector.state.title(),
        alarm: detector.state.is_alarm(),
        since: began.map(|change| change.step),
        step: history.step,
        steps: history.total_steps(),
        stage: history.stage.and_then(|at| run?.stages.get(at)).map(|stage| stage.name.as_str()),
        phase: history.phase.as_ref(),
        evaluated: history.last_measured(),
        displaced: Number(last.map_or(f64::NAN, |s| s.displacement_rate)),
        squeezed: Number(last.map_or(f64::NAN, |s| s.squeezing_rate)),
        logps: logps.collect(),
        verdict: began.map_or_else(String::new, |_| Shown::new(&detector.announcement()).to_string()),
    }
}

//! Who moved an answer of a recorded run: the run's experiment is taken up again, and what comes of it printed.

use indicatif::{ProgressBar, ProgressStyle};

use super::again::Again;
use crate::cli::{InfluenceArgs, Steps, say, tell};
use crate::error::{Error, Result};
use crate::export;
use crate::history::RunHistory;
use crate::history::stats::mean;
use crate::protocol::{Influence, ProbeKind, Question, RunPhase, TrainerEvent};
use crate::record::{self, RunDirectory};
use crate::text::Shown;
use crate::train;

/// Columns of the table.
const TABLE_WIDTH: usize = 130;

/// Names the examples that moved an observed answer of a recorded run.
///
/// # Errors
/// When the run cannot be read or taken up again, or the question is not about it.
pub fn influence(args: &InfluenceArgs) -> Result<()> {
    let directory = RunDirectory::open(&args.run)?;
    let recording = record::read(directory.events())?;
    recording.warnings.iter().for_each(tell);
    let history = recording.history();
    let prompt = args.prompt.map(|prompt| usize::try_from(prompt - 1).unwrap_or(usize::MAX));
    let prompts = history.run.as_ref().map_or(0, |run| run.probes.len());
    if let Some(prompt) = prompt.filter(|&prompt| prompt >= prompts) {
        return Err(Error::usage(format!("--prompt {}: the run observes {prompts} prompts", prompt.saturating_add(1))));
    }
    let Steps { since, until } = match args.window {
        Some(steps) => steps,
        None => steepest(&history, args.probe, prompt)?,
    };
    let question = Question { kind: args.probe, prompt, since, until };
    if args.timings {
        timings();
    }
    // Draws nothing where stderr is no terminal.
    let bar = ProgressBar::new(until);
    if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len}") {
        bar.set_style(style);
    }
    let answer = ask(&directory, &history, question, &mut |event: &TrainerEvent| {
        if let TrainerEvent::Phase { phase, step } = event {
            bar.set_position(*step);
            if let RunPhase::Starting(what) = phase {
                bar.set_message(Shown::new(what).to_string());
            }
        }
        Ok(())
    });
    bar.finish_and_clear();
    let (answer, run) = (answer?, history.run.as_deref());
    if args.json {
        let json = export::influence::json(run, &answer);
        return say(&(json.map_err(|e| Error::failed(format!("the answer cannot be written: {e}")))? + "\n"));
    }
    let lines = export::influence::lines(run, &answer, args.top, TABLE_WIDTH);
    say(&lines.iter().map(|line| format!("{line}\n")).collect::<String>())
}

/// Asks who moved an answer of a recorded run.
pub(super) fn ask(
    directory: &RunDirectory,
    history: &RunHistory,
    question: Question,
    events: &mut dyn train::EventSink,
) -> Result<Influence> {
    let Again { experiment, backend, saved } = Again::of(directory, history, question.since)?;
    let asked = train::Asked { experiment: &experiment, history, saved };
    let answers = train::influence(asked, &[question], backend, events)?;
    answers.into_iter().next().ok_or_else(|| Error::failed("a question was not answered"))
}

/// Writes how long each part took to stderr.
fn timings() {
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .without_time()
        .with_writer(std::io::stderr)
        .with_max_level(tracing::Level::DEBUG);
    // Another subscriber is there only where another command of this process has made one.
    let _ = tracing::subscriber::set_global_default(subscriber.finish());
}

/// The window between two evaluations of a stage in which an answer moved most.
pub(super) fn steepest(history: &RunHistory, kind: ProbeKind, prompt: Option<usize>) -> Result<Steps> {
    let level = |values: &[f32]| match prompt {
        Some(prompt) => values.get(prompt).map_or(f64::NAN, |&x| x.into()),
        // Prompts without such an answer say nothing.
        None => mean(&values.iter().filter(|x| !x.is_nan()).map(|&x| f64::from(x)).collect::<Vec<f64>>()),
    };
    let measured: Vec<(u64, f64)> =
        history.evaluations.iter().filter_map(|e| Some((e.step, level(e.logps.get(kind)?)))).collect();
    let windows = measured.windows(2).filter(|pair| (pair[1].1 - pair[0].1).is_finite());
    let steepest = windows.max_by(|a, b| (a[1].1 - a[0].1).abs().total_cmp(&(b[1].1 - b[0].1).abs()));
    steepest.map(|pair| Steps { since: pair[0].0, until: pair[1].0 }).ok_or_else(|| {
        Error::usage(format!("the run has no two measurements of {kind} for this prompt: name a --window"))
    })
}

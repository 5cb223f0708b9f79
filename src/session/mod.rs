//! A session: an experiment, a trainer, a run directory and whoever watches, tied together.
//!
//! ```text
//! trainer thread ──LiveSink──> run file (everything, first)
//!        ^            └──────> bounded channel ──> dashboard or progress bar (what they can take)
//!        └─────────── commands ────────────────────────┘
//! ```

mod headless;
mod log;
mod recorded;
mod signals;
mod sink;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, bounded};

pub(crate) use log::catch_panics;
pub use recorded::{export, replay, verify};

use self::signals::Interrupts;
use self::sink::{CAPACITY, LiveSink};
use crate::backend::BackendChoice;
use crate::cli::{DisplayOptions, say};
use crate::error::{Error, Result};
use crate::experiment::{Experiment, ModelSource};
use crate::history::RunHistory;
use crate::protocol::RunPhase;
use crate::record::{self, RunDirectory, RunWriter, Summary};
use crate::text::Shown;
use crate::tui::app::{App, Ending};
use crate::tui::run::Live;
use crate::tui::theme::Theme;

/// How long the program waits for the trainer's last step after the terminal has gone.
const LAST_STEP: Duration = Duration::from_secs(20);
/// The same after a second Ctrl-C.
const AT_ONCE: Duration = Duration::from_secs(1);

/// A trainer at work and its run directory.
struct Session {
    directory: RunDirectory,
    label: String,
    live: Live,
    /// What ended the trainer, for the session itself; `live.finished` is for the screen.
    ended: Receiver<std::result::Result<(), Shown>>,
}

impl Session {
    /// Makes the run directory and starts the trainer.
    fn start(experiment: Experiment, backend: BackendChoice) -> Result<Self> {
        crate::backend::check(backend)?;
        if let ModelSource::Hub(id) = &experiment.model {
            // Now, while the progress of a download can be shown.
            crate::model::hub::fetch(id)?;
        }
        let label = experiment.run_id();
        let directory = RunDirectory::create(&experiment.output.directory, &label, &experiment.to_ron()?)?;
        log::write_to(&directory.log())?;
        tracing::info!("{} {}: run {}", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"), Shown::new(&label));
        let mut writer = RunWriter::create(directory.events())?;
        let (screen, events) = bounded(CAPACITY);
        let dropped = Arc::new(AtomicU64::new(0));
        let sink = LiveSink::new(Box::new(move |event| writer.write(event)), screen, Arc::clone(&dropped));
        let model_folder = experiment.output.save_model.then(|| directory.root().join("model"));
        let trainer = crate::train::spawn(experiment, backend, model_folder, Box::new(sink))?;
        let commands = trainer.commands.clone();
        let (tell_screen, finished) = bounded(1);
        let (tell_session, ended) = bounded(1);
        std::thread::Builder::new()
            .name("join".to_owned())
            .spawn(move || {
                let result = trainer.join().map_err(|e| Shown::new(&e.to_string()));
                // Whoever does not listen any more does not want to know.
                let _ = tell_screen.send(result.clone());
                let _ = tell_session.send(result);
            })
            .map_err(|e| Error::failed(format!("a thread cannot be started: {e}")))?;
        Ok(Self { directory, label, live: Live { events, commands, dropped, finished }, ended })
    }
}

/// Trains without a screen; prints where the run is and how it ended.
///
/// # Errors
/// What ended the run; [`Error::Interrupted`] after Ctrl-C.
pub fn headless(experiment: Experiment, backend: BackendChoice) -> Result<()> {
    let interrupts = Interrupts::listen()?;
    run_headless(experiment, backend, &interrupts).map(drop)
}

/// The same; returns what was recorded.
fn run_headless(experiment: Experiment, backend: BackendChoice, interrupts: &Interrupts) -> Result<RunHistory> {
    let started = Instant::now();
    let Session { directory, label, live, ended } = Session::start(experiment, backend)?;
    let interrupted = headless::follow(&live.events, &live.commands, interrupts, &label);
    let result = ended.recv().unwrap_or(Ok(()));
    outcome(finish(&directory, started)?, result, interrupted)
}

/// Trains with the dashboard; prints where the run is and how it ended once the terminal is given back.
///
/// # Errors
/// What ended the run or broke the screen; [`Error::Interrupted`] after a signal.
pub fn dashboard(experiment: Experiment, backend: BackendChoice, display: &DisplayOptions) -> Result<()> {
    let started = Instant::now();
    let app = App::live(&experiment.name, theme(display), display.glyphs());
    let Session { directory, live, ended, .. } = Session::start(experiment, backend)?;
    let commands = live.commands.clone();
    let left = crate::tui::run::run(app, Some(live), started, recorded::screenshots(directory.screenshots()));
    // The screen has gone, and with it the channel that it read: the trainer cannot be waiting for it.
    let _ = commands.send(crate::protocol::TrainerCommand::Stop);
    let interrupted = left.as_ref().is_ok_and(|app| app.ending() != Ending::Quit);
    let patience = if left.as_ref().is_ok_and(|app| app.ending() == Ending::Forced) { AT_ONCE } else { LAST_STEP };
    let result = ended.recv_timeout(patience).unwrap_or(Ok(()));
    let history = finish(&directory, started)?;
    left?;
    outcome(history, result, interrupted).map(drop)
}

/// Reads the run back, writes its summary and prints it; `None` where the run ended before it began.
fn finish(directory: &RunDirectory, started: Instant) -> Result<Option<RunHistory>> {
    // A run that failed before its first event has no more to tell than its error.
    let history = record::read(directory.events()).ok().map(|recording| recording.history());
    let summary = history.as_ref().and_then(|history| Summary::new(history, started.elapsed().as_secs_f64()));
    let lines = match &summary {
        Some(summary) => {
            summary.write(&directory.summary())?;
            summary.lines(Some(directory))
        }
        None => vec![Shown::new(&format!("run: {}", directory.root().display()))],
    };
    say(&lines.iter().map(|line| format!("{line}\n")).collect::<String>())?;
    Ok(history)
}

/// How the run's end is reported to whoever started it; returns what was recorded.
fn outcome(
    history: Option<RunHistory>,
    result: std::result::Result<(), Shown>,
    interrupted: bool,
) -> Result<RunHistory> {
    let history = match (history, result) {
        (_, Err(why)) => return Err(Error::Failed(why)),
        (None, Ok(())) if interrupted => return Err(Error::Interrupted),
        (None, Ok(())) => return Err(Error::failed("the run ended before it began")),
        (Some(history), Ok(())) => history,
    };
    match &history.phase {
        Some(RunPhase::Failed(why)) => Err(Error::failed(why)),
        _ if interrupted => Err(Error::Interrupted),
        _ => Ok(history),
    }
}

/// The palette: the terminal's colours, the flags' choice.
fn theme(display: &DisplayOptions) -> Theme {
    let theme = crate::tui::terminal::theme_from_env(|name| std::env::var(name).ok());
    Theme { kind: display.theme_kind(), ..theme }
}

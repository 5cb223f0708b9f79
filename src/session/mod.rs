//! A session: an experiment, a trainer, a run directory and whoever watches, tied together.
//!
//! ```text
//! trainer thread ──LiveSink──> run directory (every event, first; checkpoints)
//!        ^            └──────> bounded channel ──> dashboard or progress bar (what they can take)
//!        └─────────── commands ────────────────────────┘
//! ```

mod again;
mod alarm;
mod attach;
mod compare;
mod data;
mod display;
mod export;
mod headless;
mod imported;
mod influence;
mod inquiry;
mod kernel;
mod lab;
mod leak;
mod lesson;
mod log;
mod menu;
mod preflight;
mod recorded;
mod recorder;
mod resume;
mod signals;
mod sink;
mod snapshots;
pub(crate) mod starter;
mod sweep;
mod target;
mod tokens;
mod validated;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, bounded};

pub use attach::{attach, attach_once};
pub use compare::compare;
pub use data::data;
pub use export::export;
pub use influence::influence;
pub use kernel::kernel;
pub use lab::{lab, lab_table};
pub use lesson::{check_lesson, is_lesson, learn};
pub(crate) use log::catch_panics;
pub use menu::{Chosen, menu, runs};
pub use preflight::preflight;
pub use recorded::{replay, verify};
pub use sweep::sweep;
pub use tokens::tokens;
pub use validated::check_run;

use self::alarm::Alarmed;
use self::display::{look, opened};
use self::export::screenshots;
use self::recorder::Recorder;
use self::resume::Resumed;
use self::signals::Interrupts;
use self::sink::{CAPACITY, LiveSink};
use crate::backend::BackendChoice;
use crate::cli::{DisplayOptions, Settings, say, var};
use crate::error::{Error, Result};
use crate::experiment::{Experiment, ModelSource};
use crate::history::RunHistory;
use crate::protocol::{RunPhase, TrainerEvent};
use crate::record::{self, RunDirectory, Summary};
use crate::text::Shown;
use crate::train::EventSink as _;
use crate::tui::app::App;
use crate::tui::message::{Ending, Message};
use crate::tui::run::{Live, Source};

/// How long the program waits for the trainer's last step after the terminal has gone.
const LAST_STEP: Duration = Duration::from_secs(20);
/// How long the program waits after a second Ctrl-C.
const AT_ONCE: Duration = Duration::from_secs(1);

/// What is to be trained.
#[derive(Debug, Clone)]
pub enum Job {
    /// An experiment, from its beginning.
    New(Box<Experiment>),
    /// A recorded run, from its last checkpoint on; from its beginning where it has none yet.
    Resume(PathBuf),
}

impl From<Experiment> for Job {
    fn from(experiment: Experiment) -> Self {
        Self::New(Box::new(experiment))
    }
}

/// A trainer at work and its run directory.
struct Session {
    directory: RunDirectory,
    experiment: Experiment,
    /// What was recorded by earlier processes and stays.
    past: Vec<TrainerEvent>,
    /// What earlier processes took.
    before: Duration,
    live: Live,
    /// What ended the trainer, for the session itself; `live.finished` is for the screen.
    ended: Receiver<Result<()>>,
}

impl Session {
    /// Starts the trainer, with a command for alarms where somebody watches, after making the run directory or reading what is in it.
    fn start(job: Job, backend: BackendChoice, on_alarm: Option<String>) -> Result<Self> {
        match job {
            Job::New(experiment) => {
                crate::backend::check(backend, experiment.precision)?;
                if let ModelSource::Hub(id) = &experiment.model {
                    // Now, while the progress of a download can be shown.
                    crate::model::hub::fetch(id)?;
                }
                let ron = experiment.to_ron()?;
                let directory = RunDirectory::create(&experiment.output.directory, &experiment.run_id(), &ron)?;
                let recorder = Recorder::new(directory.clone(), ron)?;
                let (experiment, past, remark) = (*experiment, Vec::new(), None);
                Self::spawn(Resumed { directory, experiment, backend, past, recorder, remark }, on_alarm)
            }
            Job::Resume(run) => {
                let resumed = Resumed::open(&run, backend)?;
                crate::backend::check(resumed.backend, resumed.experiment.precision)?;
                Self::spawn(resumed, on_alarm)
            }
        }
    }

    fn spawn(run: Resumed, on_alarm: Option<String>) -> Result<Self> {
        let Resumed { directory, experiment, backend, past, recorder, remark } = run;
        let before = recorder.before;
        let recorder = recorder.with_snapshots(experiment.output.snapshots_mb);
        log::write_to(&directory.log())?;
        let id = experiment.run_id();
        tracing::info!("{} {}: run {}", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"), Shown::new(&id));
        let (screen, events) = bounded(CAPACITY);
        let dropped = Arc::new(AtomicU64::new(0));
        let mut sink = LiveSink::new(Box::new(recorder), screen, Arc::clone(&dropped));
        if let Some(remark) = remark {
            tracing::info!("{}", Shown::new(&remark));
            sink.emit(&TrainerEvent::Phase { phase: RunPhase::Starting(remark), step: 0 })?;
        }
        let model_folder = experiment.output.save_model.then(|| directory.root().join("model"));
        let sink = Alarmed::new(sink, on_alarm, &past);
        let trainer = crate::train::spawn(experiment.clone(), backend, model_folder, Box::new(sink))?;
        let commands = trainer.commands.clone();
        let (tell_screen, finished) = bounded(1);
        let (tell_session, ended) = bounded(1);
        std::thread::Builder::new()
            .name("join".to_owned())
            .spawn(move || {
                let result = trainer.join();
                // Whoever does not listen any more does not want to know.
                let _ = tell_screen.send(result.as_ref().map_err(|e| Shown::new(&e.to_string())).copied());
                let _ = tell_session.send(result);
            })
            .map_err(|e| Error::failed(format!("a thread cannot be started: {e}")))?;
        let live = Live { events, commands, dropped, finished };
        Ok(Self { directory, experiment, past, before, live, ended })
    }
}

/// Trains without a screen; prints where the run is and how it ended.
///
/// # Errors
/// What ended the run; [`Error::Interrupted`] after Ctrl-C.
pub fn headless(job: impl Into<Job>, backend: BackendChoice) -> Result<()> {
    let interrupts = Interrupts::listen()?;
    run_headless(job, backend, &interrupts, Settings::load(var)?.on_alarm).map(drop)
}

/// Trains without a screen, with a command for alarms where somebody watches; returns what was recorded.
fn run_headless(
    job: impl Into<Job>,
    backend: BackendChoice,
    interrupts: &Interrupts,
    on_alarm: Option<String>,
) -> Result<RunHistory> {
    let started = Instant::now();
    let Session { directory, experiment, past, before, live, ended } = Session::start(job.into(), backend, on_alarm)?;
    let interrupted = headless::follow(&live.events, &live.commands, interrupts, &experiment.run_id(), &past);
    let result = ended.recv().unwrap_or(Ok(()));
    outcome(finish(&directory, before + started.elapsed())?, result, interrupted)
}

/// Trains with the dashboard; prints where the run is and how it ended once the terminal is given back.
///
/// # Errors
/// What ended the run or broke the screen; [`Error::Interrupted`] after a signal.
pub fn dashboard(job: impl Into<Job>, backend: BackendChoice, display: &DisplayOptions) -> Result<()> {
    let started = Instant::now();
    let on_alarm = Settings::load(var)?.on_alarm;
    let Session { directory, experiment, past, before, live, ended } = Session::start(job.into(), backend, on_alarm)?;
    let (theme, glyphs) = look(display);
    let mut app = opened(App::live(&experiment.name, theme, glyphs).on_paper(display.paper()), display);
    for event in past {
        app.update(Message::Trainer(Arc::new(event)));
    }
    let commands = live.commands.clone();
    let inquiry = inquiry::inquiry(directory.clone())?;
    let left =
        crate::tui::show(app, Source::Trainer(live), Some(&inquiry), started, screenshots(directory.screenshots()));
    // The screen has gone, and with it the channel that it read: the trainer cannot be waiting for it.
    let _ = commands.send(crate::protocol::TrainerCommand::Stop);
    let interrupted = left.as_ref().is_ok_and(|app| app.ending() != Ending::Quit);
    let patience = if left.as_ref().is_ok_and(|app| app.ending() == Ending::Forced) { AT_ONCE } else { LAST_STEP };
    let result = ended.recv_timeout(patience).unwrap_or(Ok(()));
    let history = finish(&directory, before + started.elapsed())?;
    left?;
    outcome(history, result, interrupted).map(drop)
}

/// Reads the run back, writes its summary and prints it; `None` where the run ended before its first event.
fn finish(directory: &RunDirectory, took: Duration) -> Result<Option<RunHistory>> {
    // A run that failed before its first event has no more to tell than its error.
    let history = record::read(directory.events()).ok().map(|recording| recording.history());
    let summary = history.as_ref().and_then(|history| Summary::new(history, took.as_secs_f64()));
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
fn outcome(history: Option<RunHistory>, result: Result<()>, interrupted: bool) -> Result<RunHistory> {
    let history = match (history, result) {
        (_, Err(why)) => return Err(why),
        (None, Ok(())) if interrupted => return Err(Error::Interrupted),
        (None, Ok(())) => return Err(Error::failed("the run ended before its first event; its log says why")),
        (Some(history), Ok(())) => history,
    };
    match &history.phase {
        Some(RunPhase::Failed(why)) => Err(Error::failed(why)),
        _ if interrupted => Err(Error::Interrupted),
        _ => Ok(history),
    }
}

//! What can be done with a run that is over: show it, check the paper's claims on it, write it out.

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::{run_headless, theme};
use crate::cli::{DisplayOptions, ExportArgs, VerifyArgs, say};
use crate::error::{Error, Result};
use crate::experiment::Experiment;
use crate::history::RunHistory;
use crate::record::{self, Recording, RunDirectory};
use crate::session::signals::Interrupts;
use crate::tui::app::App;
use crate::tui::run::WriteScreenshot;

/// Shows a recorded run in the dashboard, at its end or at a step.
///
/// # Errors
/// When the run cannot be read, or the terminal breaks.
pub fn replay(run: &Path, step: Option<u64>, display: &DisplayOptions) -> Result<()> {
    let started = Instant::now();
    let directory = RunDirectory::open(run)?;
    let Recording { events, warnings } = record::read(directory.events())?;
    let mut app = App::replay(events, theme(display), display.glyphs());
    if let Some(step) = step {
        app.seek_step(step);
    }
    let left = crate::tui::run::run(app, None, started, screenshots(directory.screenshots()))?;
    for warning in warnings {
        say(&format!("{warning}\n"))?;
    }
    match left.ending() {
        crate::tui::app::Ending::Signal => Err(Error::Interrupted),
        _ => Ok(()),
    }
}

/// Checks the paper's claims on recorded runs, or on fresh ones.
///
/// # Errors
/// When a run cannot be had, or a claim fails that should hold.
pub fn verify(args: &VerifyArgs) -> Result<()> {
    let histories = histories(args)?;
    let _ = histories;
    Err(Error::failed("no claim can be checked yet"))
}

/// The runs that are meant: recorded ones, or fresh ones of one experiment.
fn histories(args: &VerifyArgs) -> Result<Vec<RunHistory>> {
    let is_experiment = |path: &PathBuf| !path.exists() || path.extension().is_some_and(|e| e == "ron");
    match args.targets.as_slice() {
        [only] if is_experiment(only) => fresh(&args.options.experiment(only)?, args),
        targets if targets.iter().any(is_experiment) => {
            Err(Error::usage("verify takes recorded runs, or one experiment: not both, and not several experiments"))
        }
        runs => runs
            .iter()
            .map(|run| Ok(record::read(RunDirectory::open(run)?.events())?.history()))
            .collect(),
    }
}

/// Runs the experiment with consecutive seeds, without a screen.
fn fresh(experiment: &Experiment, args: &VerifyArgs) -> Result<Vec<RunHistory>> {
    let interrupts = Interrupts::listen()?;
    (0..args.seeds)
        .map(|i| {
            let seed = experiment.seed.checked_add(i).ok_or_else(|| Error::usage("the seeds end at 2⁶⁴ − 1"))?;
            run_headless(Experiment { seed, ..experiment.clone() }, args.options.backend.into(), &interrupts)
        })
        .collect()
}

/// Writes a recorded run as data and figures.
///
/// # Errors
/// When the run cannot be read, or a file cannot be written.
pub fn export(args: &ExportArgs) -> Result<()> {
    let _ = args;
    Err(Error::failed("nothing can be exported yet"))
}

/// What the dashboard's key does.
pub(super) fn screenshots(folder: PathBuf) -> WriteScreenshot<'static> {
    let _ = folder;
    Box::new(|_, _| Err(Error::failed("no screenshot can be written yet")))
}

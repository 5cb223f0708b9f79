//! Commands over a run that is over: show it, check the paper's claims on it.

use std::path::Path;
use std::time::Instant;

use super::display::look;
use super::export::screenshots;
use super::influence;
use super::run_headless;
use super::target::is_experiment;
use crate::claims::{self, Checked};
use crate::cli::{DisplayOptions, RunOptions, VerifyArgs, say, tell};
use crate::error::{Error, Result};
use crate::experiment::Experiment;
use crate::history::RunHistory;
use crate::record::{self, Recording, RunDirectory};
use crate::session::signals::Interrupts;
use crate::text::Shown;
use crate::tui::app::App;

/// Columns of the table of claims; the same everywhere, so that two tables can be compared.
const TABLE_WIDTH: usize = 110;

/// Shows a recorded run in the dashboard, at its end or at a step.
///
/// # Errors
/// When the run cannot be read, or the terminal breaks.
pub fn replay(run: &Path, step: Option<u64>, display: &DisplayOptions) -> Result<()> {
    let started = Instant::now();
    let directory = RunDirectory::open(run)?;
    let Recording { events, warnings } = record::read(directory.events())?;
    let (theme, glyphs) = look(display);
    let mut app = App::replay(events, theme, glyphs).on_paper(display.paper());
    if let Some(step) = step {
        app.seek_step(step);
    }
    let inquiry = influence::inquiry(directory.clone())?;
    let left = crate::tui::show(app, None, Some(&inquiry), started, screenshots(directory.screenshots()))?;
    for warning in warnings {
        tell(&warning);
    }
    match left.ending() {
        crate::tui::message::Ending::Signal => Err(Error::Interrupted),
        _ => Ok(()),
    }
}

/// Checks the paper's claims on recorded runs, on fresh ones, or on the paper's own curves.
///
/// # Errors
/// When a run cannot be had, or a claim fails that should hold.
pub fn verify(args: &VerifyArgs) -> Result<()> {
    let checked = if let Some(claims) = super::lab::verified(args)? {
        vec![claims]
    } else if args.import.is_empty() {
        claims::check(&histories(args)?)
    } else {
        super::imported::check(&args.import, args.trained)?
    };
    say(&claims::table(&checked, TABLE_WIDTH))?;
    let failed =
        |checked: &Checked| -> Vec<&str> { checked.claims.iter().filter(|c| c.failed_gate()).map(|c| c.id).collect() };
    let failures = checked.iter().map(|c| (c, failed(c))).filter(|(_, ids)| !ids.is_empty());
    let failures: Vec<String> = failures.map(|(c, ids)| format!("{} ({})", ids.join(", "), c.experiment)).collect();
    if failures.is_empty() {
        Ok(())
    } else {
        Err(Error::ClaimFailed(Shown::new(&format!("not shown by these runs: {}", failures.join("; ")))))
    }
}

/// The runs that are meant: recorded ones, or fresh ones of one experiment.
fn histories(args: &VerifyArgs) -> Result<Vec<RunHistory>> {
    match args.targets.as_slice() {
        [only] if is_experiment(only) => {
            let experiment = args.options.experiment(only)?;
            // Overrides are meant for the experiment that was named; every other flag is meant for both.
            let options = RunOptions { set: Vec::new(), ..args.options.clone() };
            let baseline = experiment.baseline.as_ref().map(|path| options.experiment(path)).transpose()?;
            let baseline = baseline.map(|baseline| Experiment { seed: experiment.seed, ..baseline });
            fresh(&[Some(experiment), baseline].into_iter().flatten().collect::<Vec<_>>(), args)
        }
        targets if targets.iter().any(|path| is_experiment(path)) => {
            Err(Error::usage("verify takes recorded runs, or one experiment: not both, and not several experiments"))
        }
        runs => runs.iter().map(|run| recorded(run)).collect(),
    }
}

/// A recorded run; what was passed over in it is told.
fn recorded(run: &Path) -> Result<RunHistory> {
    let recording = record::read(RunDirectory::open(run)?.events())?;
    recording.warnings.iter().for_each(tell);
    Ok(recording.history())
}

/// Runs each experiment with the same consecutive seeds, without a screen.
fn fresh(experiments: &[Experiment], args: &VerifyArgs) -> Result<Vec<RunHistory>> {
    let interrupts = Interrupts::listen()?;
    let mut histories = Vec::new();
    for experiment in experiments {
        for i in 0..args.seeds {
            let seed = experiment.seed.checked_add(i).ok_or_else(|| Error::usage("the seeds end at 2⁶⁴ − 1"))?;
            let seeded = Experiment { seed, ..experiment.clone() };
            histories.push(run_headless(seeded, args.options.backend, &interrupts)?);
        }
    }
    Ok(histories)
}

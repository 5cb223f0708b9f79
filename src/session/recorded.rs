//! Commands over a run that is over: show it, check the paper's claims on it.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::display::{look, opened};
use super::export::screenshots;
use super::inquiry;
use super::run_headless;
use super::target::is_experiment;
use crate::claims::{self, Checked};
use crate::cli::{DisplayOptions, RunOptions, VerifyArgs, say, tell};
use crate::error::{Error, Result};
use crate::experiment::Experiment;
use crate::history::RunHistory;
use crate::record::{self, Loaded, Loader, RunDirectory};
use crate::session::signals::Interrupts;
use crate::text::Shown;
use crate::tui::app::App;
use crate::tui::message::{Ending, Message};
use crate::tui::run::Source;

/// Columns of the table of claims; the same everywhere, so that two tables can be compared.
const TABLE_WIDTH: usize = 110;

/// How long a recording is read before the screen opens: a file that is read by then, or turns out to be broken, needs no
/// word about it on the screen.
const BEFORE_THE_SCREEN: Duration = Duration::from_millis(120);

/// Shows a recorded run in the dashboard, at its end or at a step, while it is still being read.
///
/// # Errors
/// When the run cannot be read (of a long one that may show after the screen is left), or the terminal breaks.
pub fn replay(run: &Path, step: Option<u64>, display: &DisplayOptions) -> Result<()> {
    let started = Instant::now();
    let directory = RunDirectory::open(run)?;
    let loader = Loader::start(directory.events())?;
    let (theme, glyphs) = look(display);
    let mut app = opened(App::arriving(theme, glyphs).on_paper(display.paper()), display);
    if let Some(step) = step {
        app.seek_step(step);
    }
    for loaded in loader.first(BEFORE_THE_SCREEN) {
        if matches!(loaded, Loaded::Broken(_)) {
            return loader.end().map(drop);
        }
        app.update(Message::Recording(loaded));
    }
    let source = Source::Recording(loader.arrivals());
    let inquiry = inquiry::inquiry(directory.clone())?;
    let left = crate::tui::show(app, source, Some(&inquiry), started, screenshots(directory.screenshots()))?;
    loader.end()?.iter().for_each(tell);
    match left.ending() {
        Ending::Signal => Err(Error::Interrupted),
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
    let checked = match args.influence {
        Some(prompts) => with_leak(checked, args, usize::try_from(prompts).unwrap_or(usize::MAX))?,
        None => checked,
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

/// Adds who raised the answers of other questions, to each experiment's claims.
fn with_leak(mut checked: Vec<Checked>, args: &VerifyArgs, prompts: usize) -> Result<Vec<Checked>> {
    if args.targets.iter().any(|path| is_experiment(path)) {
        let advice = "run the experiment first, then: ldyn-tui verify RUN… --influence N";
        return Err(Error::usage(format!("--influence asks recorded runs; {advice}")));
    }
    let name = |run: &PathBuf| Ok(recorded(run)?.run.map_or_else(String::new, |run| run.experiment.clone()));
    let names = args.targets.iter().map(name).collect::<Result<Vec<String>>>()?;
    for checked in &mut checked {
        let own = args.targets.iter().zip(&names).filter(|(_, name)| **name == checked.experiment);
        let runs: Vec<PathBuf> = own.map(|(run, _)| run.clone()).collect();
        checked.claims.push(super::leak::claim(&runs, prompts)?);
    }
    Ok(checked)
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
            histories.push(run_headless(seeded, args.options.backend, &interrupts, None)?);
        }
    }
    Ok(histories)
}

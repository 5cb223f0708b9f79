//! Every run of a sweep, checked before anything runs.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::ValueEnum as _;

use super::grid::Cell;
use crate::cli::{RunOptions, SweepArgs};
use crate::error::{Error, Result};
use crate::experiment::Experiment;
use crate::text::Shown;

/// Runs of one sweep at most: more are a mistake in the grid.
const MOST: usize = 10_000;

/// The setting of the disk that snapshots may take; runs of a sweep take none, unless the sweep sets it.
const SNAPSHOTS: &str = "output.snapshots_mb";

/// Longest name of an experiment.
const NAME: usize = 80;

/// One run.
#[derive(Debug)]
pub(super) struct Job {
    /// Index of its cell.
    pub(super) cell: usize,
    /// The cell in words.
    pub(super) label: Shown,
    pub(super) seed: u64,
    /// Its run directory, which may not be there yet.
    pub(super) folder: PathBuf,
    /// The experiment as it is run, in RON: what its run directory holds of it.
    pub(super) ron: String,
    /// What the child is told.
    pub(super) arguments: Vec<OsString>,
}

/// Every run of a sweep, checked.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// Name of the experiment.
    pub(super) name: String,
    /// Whether its cells train classifiers; `None` before the first.
    pub(super) classifiers: Option<bool>,
    /// The folder of the sweep.
    pub(super) folder: PathBuf,
    pub(super) jobs: Vec<Job>,
}

/// Every run, checked.
pub(super) fn plan(args: &SweepArgs, cells: &[Cell]) -> Result<Plan> {
    let seeds = usize::try_from(args.seeds).unwrap_or(usize::MAX);
    if cells.len().saturating_mul(seeds) > MOST {
        return Err(Error::usage(format!("{} cells with {seeds} seeds are more than {MOST} runs", cells.len())));
    }
    let (mut plan, mut errors) = (Plan::default(), Vec::<Error>::new());
    for (index, cell) in cells.iter().enumerate() {
        match plan_cell(args, index, cell, &mut plan) {
            Ok(()) => {}
            Err(e) => {
                let all = if let Error::Several(all) = e { all } else { vec![e] };
                for e in all {
                    // A mistake in the file or in one setting would be told once a cell.
                    if errors.iter().all(|told| told.to_string() != e.to_string()) {
                        errors.push(e);
                    }
                }
            }
        }
    }
    Error::all(errors)?;
    Ok(plan)
}

/// Adds the runs of a cell. The first one names the sweep and, if nothing else does, says where it is.
fn plan_cell(args: &SweepArgs, index: usize, cell: &Cell, plan: &mut Plan) -> Result<()> {
    let mut set = cell.overrides();
    let given = Experiment::load(&args.experiment, &set)?;
    // A name of its own keeps the cell apart in every file and in `compare`.
    let name = format!("{}.{}", given.name, cell.folder);
    if name.len() <= NAME && cell.settings.iter().all(|(path, _)| path != "name") {
        set.push(format!("name={name}"));
    }
    // A disk full of snapshots is more than a sweep is asked for.
    if given.output.snapshots_mb > 0 && cell.settings.iter().all(|(path, _)| path != SNAPSHOTS) {
        set.push(format!("{SNAPSHOTS}=0"));
    }
    if plan.name.is_empty() {
        let beside = || given.output.directory.join(format!("{}-sweep", given.name));
        plan.folder = args.out.clone().unwrap_or_else(beside);
        plan.name = given.name;
    }
    let runs = plan.folder.join(&cell.folder);
    let options = RunOptions {
        headless: true,
        steps: args.steps,
        seed: None,
        out: Some(runs.clone()),
        set,
        backend: args.backend,
    };
    let cell_experiment = options.experiment(&args.experiment)?;
    has_stage(&cell_experiment, args.stage.as_deref(), &cell.label)?;
    if *plan.classifiers.get_or_insert(cell_experiment.has_pictures()) != cell_experiment.has_pictures() {
        let problem = "some cells train a classifier and others a language model: they have no number in common";
        return Err(Error::usage(format!("{problem}; sweep them apart")));
    }
    crate::backend::check(args.backend, cell_experiment.precision)?;
    let first = args.seed.unwrap_or(given.seed);
    for offset in 0..args.seeds {
        let seed = first.checked_add(offset).ok_or_else(|| Error::usage("the seeds end at 2⁶⁴ − 1"))?;
        let experiment = Experiment { seed, ..cell_experiment.clone() };
        let arguments = arguments(&args.experiment, &RunOptions { seed: Some(seed), ..options.clone() });
        let (label, folder, ron) = (Shown::new(&cell.label), runs.clone(), experiment.to_ron()?);
        plan.jobs.push(Job { cell: index, label, seed, folder, ron, arguments });
    }
    Ok(())
}

fn has_stage(experiment: &Experiment, stage: Option<&str>, label: &str) -> Result<()> {
    match stage {
        Some(name) if experiment.stages.iter().all(|s| s.name != name) => {
            let known: Vec<&str> = experiment.stages.iter().map(|s| s.name.as_str()).collect();
            Err(Error::usage(format!("--stage {name}: {label} runs no such stage, only {}", known.join(", "))))
        }
        _ => Ok(()),
    }
}

/// The options as a command line.
pub(super) fn arguments(experiment: &Path, options: &RunOptions) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = vec!["run".into(), "--headless".into()];
    let mut push = |flag: &str, value: OsString| arguments.extend([flag.into(), value]);
    let backend = options.backend.to_possible_value().map(|value| value.get_name().to_owned());
    for (flag, value) in [
        ("--seed", options.seed.map(|seed| seed.to_string())),
        ("--steps", options.steps.map(|steps| steps.to_string())),
        ("--backend", backend),
    ] {
        if let Some(value) = value {
            push(flag, value.into());
        }
    }
    if let Some(out) = &options.out {
        push("--out", out.clone().into());
    }
    for set in &options.set {
        push("--set", set.into());
    }
    arguments.extend(["--".into(), experiment.into()]);
    arguments
}

//! `sweep`: an experiment over a grid of settings and some seeds, each run a child process; then one table and one figure.
//!
//! ```text
//! DIR/
//!   <cell>/<name>.<cell>-seed<S>/   an ordinary run directory, one a seed
//!   sweep.csv  sweep.svg  sweep.png
//! ```
//!
//! Resumable: a run is done if its directory holds a finished summary and exactly the experiment that would be run; the
//! same command goes on where it was interrupted, and only reports once everything is done.

mod classes;
mod grid;
mod runner;
mod table;

use std::ffi::OsString;
use std::num::NonZero;
use std::path::{Path, PathBuf};

use clap::ValueEnum as _;

use self::classes::Classified;
use self::grid::Cell;
use self::runner::{Failure, Slots};
use self::table::Row;
use super::compare::{aligned, course, history, is_finished};
use super::recorded::tell;
use super::signals::Interrupts;
use crate::cli::{RunOptions, SweepArgs, say};
use crate::error::{Error, Result};
use crate::experiment::Experiment;
use crate::export::{self, ScreenshotMeta, comparison};
use crate::history::{Arm, By};
use crate::record::RunDirectory;
use crate::text::Shown;
use crate::tui::compare::figure;
use crate::tui::theme::Theme;

/// Runs of one sweep at most: more are a mistake in the grid.
const MOST: usize = 10_000;
/// Longest name of an experiment.
const NAME: usize = 80;
/// Columns of the figure, and rows of each of its charts.
const FIGURE: (u16, u16) = (120, 18);

/// One run.
#[derive(Debug)]
struct Job {
    /// Index of its cell.
    cell: usize,
    /// The cell in words.
    label: Shown,
    seed: u64,
    /// Where its run directory is or will be.
    folder: PathBuf,
    /// The experiment as it is run, in RON: what its run directory holds of it.
    ron: String,
    /// What the child is told.
    arguments: Vec<OsString>,
}

/// Every run of a sweep, checked.
#[derive(Debug, Default)]
struct Plan {
    /// Name of the experiment.
    name: String,
    /// Whether its cells train classifiers; `None` before the first.
    classifiers: Option<bool>,
    /// Where the sweep is.
    folder: PathBuf,
    jobs: Vec<Job>,
}

/// Runs the grid as far as it is not done, and reports.
///
/// # Errors
/// Every mistake in the experiment or the settings before anything runs; a run that failed, once all others are done;
/// [`Error::Interrupted`] after a signal.
pub fn sweep(args: &SweepArgs) -> Result<()> {
    let cells = grid::cells(&grid::settings(&args.set)?);
    let plan = plan(args, &cells)?;
    let jobs = &plan.jobs;
    let interrupts = Interrupts::listen()?;
    let todo: Vec<usize> = (0..jobs.len()).filter(|&job| finished_run(&jobs[job]).is_none()).collect();
    if todo.len() < jobs.len() {
        tell(&Shown::new(&format!("{} of {} runs are done already", jobs.len() - todo.len(), jobs.len())));
    }
    let failures = match runner::run(jobs, &todo, slots(args, todo.len()), &interrupts) {
        Err(Error::Interrupted) => {
            let done = jobs.iter().filter(|job| finished_run(job).is_some()).count();
            let told = format!("stopped: {done} of {} runs are done; the same command goes on from there", jobs.len());
            tell(&Shown::new(&told));
            return Err(Error::Interrupted);
        }
        result => result?,
    };
    report(args, &plan, &rows(&cells, jobs, &failures, args.stage.as_deref())?)?;
    match failures.len() {
        0 => Ok(()),
        failed => Err(Error::failed(format!("{failed} of {} runs failed: the table says which", jobs.len()))),
    }
}

/// How many children at a time, and with how many threads: all cores together, never more.
fn slots(args: &SweepArgs, todo: usize) -> Slots {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    let jobs = args.jobs.map_or(cores, NonZero::get).min(todo.max(1));
    Slots { jobs, threads: (jobs > 1).then_some((cores / jobs).max(1)) }
}

/// Every run, checked.
fn plan(args: &SweepArgs, cells: &[Cell]) -> Result<Plan> {
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
    crate::backend::check(args.backend.into(), cell_experiment.precision)?;
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
fn arguments(experiment: &Path, options: &RunOptions) -> Vec<OsString> {
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

/// The finished run of exactly this experiment, if there is one.
fn finished_run(job: &Job) -> Option<RunDirectory> {
    let entries = std::fs::read_dir(&job.folder).ok()?;
    let mut folders: Vec<PathBuf> = entries.filter_map(|e| Some(e.ok()?.path())).collect();
    folders.sort();
    folders
        .iter()
        .filter_map(|f| RunDirectory::open(f).ok())
        .find(|run| std::fs::read_to_string(run.experiment()).is_ok_and(|ron| ron == job.ron) && is_finished(run))
}

/// What every cell came to.
fn rows(cells: &[Cell], jobs: &[Job], failures: &[Failure], stage: Option<&str>) -> Result<Vec<Row>> {
    let mut rows: Vec<Row> = cells.iter().map(Row::of).collect();
    for (index, job) in jobs.iter().enumerate() {
        let row = &mut rows[job.cell];
        match finished_run(job) {
            Some(run) => {
                let history = history(&run)?;
                match Classified::of(&history) {
                    Some(classified) => row.classified.push(classified),
                    None => row.courses.push(course(&run, &history, stage)?),
                }
            }
            None => {
                let why = failures.iter().find(|(failed, _)| *failed == index).map(|(_, why)| why.clone());
                row.failures.push((job.seed, why.unwrap_or_else(|| Shown::new("it left no finished run"))));
            }
        }
    }
    Ok(rows)
}

/// The table on stdout, and the files.
fn report(args: &SweepArgs, plan: &Plan, rows: &[Row]) -> Result<()> {
    let folder = &plan.folder;
    std::fs::create_dir_all(folder).map_err(|e| Error::writing(folder, &e))?;
    let classifiers = rows.iter().any(|row| !row.classified.is_empty());
    let (mut text, csv) =
        if classifiers { (classes::text(rows), classes::csv(rows)) } else { (table::text(rows), table::csv(rows)) };
    let mut files = vec![("sweep.csv", csv.into_bytes())];
    let arms: Vec<Arm> = rows.iter().filter_map(Row::arm).collect();
    if !arms.is_empty() {
        match drawn(args, arms, plan) {
            Ok(figures) => files.extend(figures),
            // Cells whose stages have nothing in common still have a table.
            Err(e) => tell(&Shown::new(&format!("no figure: {e}"))),
        }
    }
    for (name, bytes) in files {
        let path = folder.join(name);
        std::fs::write(&path, bytes).map_err(|e| Error::writing(&path, &e))?;
        text += &format!("{}\n", Shown::new(&path.display().to_string()));
    }
    say(&text)
}

/// The leading curves of as many cells as can be told apart, over the steps that all of them took.
fn drawn(args: &SweepArgs, mut arms: Vec<Arm>, plan: &Plan) -> Result<[(&'static str, Vec<u8>); 2]> {
    let all = arms.len();
    arms.truncate(Theme::ARMS);
    let shown =
        if all > arms.len() { format!("the first {} of {all} cells", arms.len()) } else { format!("{all} cells") };
    let course = &arms[0].courses[0];
    let (stage, seed) = (course.stage.clone(), course.seed);
    let name = &plan.name;
    let heading = format!("{name} · stage {stage} · {shown}, {} seeds each", args.seeds);
    let aligned = aligned(arms, By::Step)?;
    let curves = comparison::leading(&aligned);
    let paper = args.display.paper();
    let theme = paper.theme();
    let rows = 1 + FIGURE.1 * u16::try_from(curves.len().max(1)).unwrap_or(1);
    let buffer = figure(&aligned, &heading, &curves, (&theme, paper.glyphs), (FIGURE.0, rows));
    let (fg, bg) = theme.ground();
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a step")]
    let step = aligned.at(aligned.end()) as u64;
    let meta = ScreenshotMeta { run_id: name.clone(), seed, step, view: "sweep".to_owned(), fg, bg };
    let svg = export::svg::svg(&buffer, &meta);
    let png = export::png::png(&svg, &meta)?;
    Ok([("sweep.svg", svg.into_bytes()), ("sweep.png", png)])
}

#[cfg(test)]
#[path = "sweep/tests.rs"]
mod tests;

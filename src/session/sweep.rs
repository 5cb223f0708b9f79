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
mod plan;
mod row;
mod runner;
mod table;

use std::num::NonZero;
use std::path::PathBuf;

use self::grid::Cell;
use self::plan::{Job, Plan, plan};
use self::row::{Classified, Row};
use self::runner::{Failure, Slots};
use super::compare::{aligned, course, history, is_finished};
use super::signals::Interrupts;
use crate::cli::{SweepArgs, say, tell};
use crate::error::{Error, Result};
use crate::export::{self, ScreenshotMeta, comparison};
use crate::history::{Arm, By};
use crate::record::RunDirectory;
use crate::text::Shown;
use crate::tui::compare::figure;
use crate::tui::theme::Theme;

/// Columns of the figure, and rows of each of its charts.
const FIGURE: (u16, u16) = (120, 18);

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

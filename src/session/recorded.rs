//! What can be done with a run that is over: show it, check the paper's claims on it, write it out.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::{run_headless, theme};
use crate::claims;
use crate::cli::{DisplayOptions, ExportArgs, ExportFormat, VerifyArgs, say};
use crate::error::{Error, Result};
use crate::experiment::Experiment;
use crate::export::{self, ScreenshotMeta, csv};
use crate::history::RunHistory;
use crate::record::{self, Recording, RunDirectory};
use crate::session::signals::Interrupts;
use crate::text::Shown;
use crate::tui::app::App;
use crate::tui::run::{ScreenshotInfo, WriteScreenshot, screenshot_sized};

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
    let mut app = App::replay(events, theme(display), display.glyphs());
    if let Some(step) = step {
        app.seek_step(step);
    }
    let left = crate::tui::run::run(app, None, started, screenshots(directory.screenshots()))?;
    for warning in warnings {
        tell(&warning);
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
    let results = claims::check(&histories(args)?);
    say(&claims::table(&results, TABLE_WIDTH))?;
    let failed: Vec<&str> = results.iter().filter(|r| r.failed_gate()).map(|r| r.id).collect();
    if failed.is_empty() {
        Ok(())
    } else {
        Err(Error::ClaimFailed(Shown::new(&format!("not shown by these runs: {}", failed.join(", ")))))
    }
}

/// The runs that are meant: recorded ones, or fresh ones of one experiment.
fn histories(args: &VerifyArgs) -> Result<Vec<RunHistory>> {
    let is_experiment = |path: &PathBuf| !path.exists() || path.extension().is_some_and(|e| e == "ron");
    match args.targets.as_slice() {
        [only] if is_experiment(only) => fresh(&args.options.experiment(only)?, args),
        targets if targets.iter().any(is_experiment) => {
            Err(Error::usage("verify takes recorded runs, or one experiment: not both, and not several experiments"))
        }
        runs => runs.iter().map(|run| Ok(record::read(RunDirectory::open(run)?.events())?.history())).collect(),
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

/// Writes a recorded run as data and figures, and prints the paths.
///
/// # Errors
/// When the run cannot be read, or a file cannot be written.
pub fn export(args: &ExportArgs) -> Result<()> {
    let Recording { events, warnings } = record::read(RunDirectory::open(&args.run)?.events())?;
    for warning in warnings {
        tell(&warning);
    }
    let mut app = App::replay(events, theme(&args.display), args.display.glyphs());
    let folder = args.out.as_deref().unwrap_or(Path::new("."));
    let mut written = Vec::new();
    if args.format.contains(&ExportFormat::Csv) {
        let history = app.history();
        let run = export::safe_name(history.run.as_ref().map_or("run", |run| &run.run_id));
        let measured = if history.class_count() > 0 {
            vec![("classes", csv::classes(history))]
        } else {
            vec![("evaluations", csv::evaluations(history)), ("pairs", csv::pairs(history))]
        };
        for (table, text) in measured.into_iter().chain([("steps", csv::steps(history))]) {
            written.extend(export::write_new(folder, &format!("{run}-{table}"), &[("csv", text.into_bytes())])?);
        }
    }
    if let Some(step) = args.step {
        app.seek_step(step);
    }
    let (buffer, info) = screenshot_sized(&app, args.size.columns, args.size.rows);
    let meta = meta(&info);
    let mut figures = Vec::new();
    for format in &args.format {
        figures.push(match format {
            ExportFormat::Csv => continue,
            ExportFormat::Svg => ("svg", export::svg::svg(&buffer, &meta).into_bytes()),
            ExportFormat::Png => ("png", export::png::png(&export::svg::svg(&buffer, &meta), &meta)?),
            ExportFormat::Txt => ("txt", export::text::plain(&buffer).into_bytes()),
        });
    }
    if !figures.is_empty() {
        written.extend(export::write_new(folder, &export::stem(&meta), &figures)?);
    }
    say(&written.iter().map(|path| format!("{}\n", Shown::new(&path.display().to_string()))).collect::<String>())
}

/// What the dashboard's key does: writes into a folder.
pub(super) fn screenshots(folder: PathBuf) -> WriteScreenshot<'static> {
    Box::new(move |buffer, info| export::screenshot(buffer, &meta(info), &folder))
}

fn meta(info: &ScreenshotInfo) -> ScreenshotMeta {
    let ScreenshotInfo { run_id, seed, step, view, ground: (fg, bg) } = info.clone();
    ScreenshotMeta { run_id, seed: seed.unwrap_or_default(), step, view: view.to_owned(), fg, bg }
}

/// A remark on stderr; a closed one is no reason to stop.
fn tell(remark: &Shown) {
    let _ = writeln!(std::io::stderr(), "{remark}");
}

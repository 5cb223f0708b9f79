//! What can be done with a run that is over: show it, check the paper's claims on it, write it out.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::{look, run_headless};
use crate::claims::{self, Checked};
use crate::cli::{DisplayOptions, ExportArgs, ExportFormat, RunOptions, VerifyArgs, say};
use crate::error::{Error, Result};
use crate::experiment::Experiment;
use crate::export::{self, Buffer, ScreenshotMeta, csv};
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
    let (theme, glyphs) = look(display);
    let mut app = App::replay(events, theme, glyphs).on_paper(display.paper());
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
        super::imported::check(&args.import, args.trained.map(Into::into))?
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

/// Whether a target of `verify` is an experiment, and no recorded run.
pub(super) fn is_experiment(path: &Path) -> bool {
    !path.exists() || path.extension().is_some_and(|e| e == "ron")
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
            histories.push(run_headless(seeded, args.options.backend.into(), &interrupts)?);
        }
    }
    Ok(histories)
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
    let paper = args.display.paper();
    let mut app = App::replay(events, paper.theme(), paper.glyphs);
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
    if let Some(asked) = args.step.filter(|&asked| asked != info.step) {
        tell(&Shown::new(&format!("nothing was measured at step {asked}: the figure is of step {}", info.step)));
    }
    let meta = meta(&info);
    written.extend(write_figures(&args.format, &buffer, &meta, folder)?);
    say_paths(&written)
}

/// Writes a screen as figures of the asked formats; tables are none.
pub(super) fn write_figures(
    formats: &[ExportFormat],
    buffer: &Buffer,
    meta: &ScreenshotMeta,
    folder: &Path,
) -> Result<Vec<PathBuf>> {
    let mut figures = Vec::new();
    for format in formats {
        figures.push(match format {
            ExportFormat::Csv => continue,
            ExportFormat::Svg => ("svg", export::svg::svg(buffer, meta).into_bytes()),
            ExportFormat::Png => ("png", export::png::png(&export::svg::svg(buffer, meta), meta)?),
            ExportFormat::Txt => ("txt", export::text::plain(buffer).into_bytes()),
            ExportFormat::Ansi => ("ans", export::text::ansi(buffer).into_bytes()),
        });
    }
    if figures.is_empty() { Ok(Vec::new()) } else { export::write_new(folder, &export::stem(meta), &figures) }
}

/// Prints paths, one a line.
pub(super) fn say_paths(paths: &[PathBuf]) -> Result<()> {
    say(&paths.iter().map(|path| format!("{}\n", Shown::new(&path.display().to_string()))).collect::<String>())
}

/// What the dashboard's key does: writes into a folder.
pub(super) fn screenshots(folder: PathBuf) -> WriteScreenshot<'static> {
    Box::new(move |buffer, info| export::screenshot(buffer, &meta(info), &folder))
}

pub(super) fn meta(info: &ScreenshotInfo) -> ScreenshotMeta {
    let ScreenshotInfo { run_id, seed, step, view, ground: (fg, bg) } = info.clone();
    ScreenshotMeta { run_id, seed: seed.unwrap_or_default(), step, view: view.to_owned(), fg, bg }
}

/// A remark on stderr; a closed one is no reason to stop.
pub(super) fn tell(remark: &Shown) {
    let _ = writeln!(std::io::stderr(), "{remark}");
}

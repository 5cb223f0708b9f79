//! Runs and screens as files: figures, and tables of data.

use std::path::{Path, PathBuf};

use crate::cli::{ExportArgs, say, tell};
use crate::error::Result;
use crate::export::{self, Exporter, Film, Frame, Kind, Numbers, Pace, ScreenshotMeta, schedule};
use crate::history::{MarkKind, RunHistory};
use crate::record::{self, Recording, RunDirectory};
use crate::text::Shown;
use crate::tui::app::App;
use crate::tui::screenful::{Screenful as _, ScreenshotInfo, WriteScreenshot};

/// Writes a recorded run as data and figures, and prints the paths.
///
/// # Errors
/// When the run cannot be read, or a file cannot be written.
pub fn export(args: &ExportArgs) -> Result<()> {
    let Recording { events, warnings } = record::read(RunDirectory::open(&args.run)?.events())?;
    for warning in warnings {
        tell(&warning);
    }
    let folder = args.out.as_deref().unwrap_or(Path::new("."));
    let mut written = Vec::new();
    if args.format.iter().any(|exporter| exporter.is_of_numbers()) {
        let mut history = RunHistory::default();
        events.iter().for_each(|event| history.apply(event));
        let run = export::safe_name(history.run.as_ref().map_or("run", |run| &run.run_id));
        written.extend(write_tables(&args.format, Numbers::Run(&history), &run, folder)?);
    }
    if args.format.iter().any(|exporter| !exporter.is_of_numbers()) {
        let paper = args.display.paper();
        let mut app = App::replay(events, paper.theme(), paper.glyphs);
        written.extend(write_screen(&mut app, args, folder)?);
        written.extend(write_films(&mut app, args, folder)?);
    }
    say_paths(&written)
}

/// Writes what the asked formats make of numbers, as `<stem>-<table>`; figures of screens are none.
pub(super) fn write_tables(
    formats: &[&Exporter],
    numbers: Numbers<'_>,
    stem: &str,
    folder: &Path,
) -> Result<Vec<PathBuf>> {
    let mut written = Vec::new();
    for exporter in formats {
        for (table, bytes) in exporter.files(numbers)? {
            let file = [(exporter.extension, bytes)];
            written.extend(export::write_new(folder, &format!("{stem}-{table}"), &file)?);
        }
    }
    Ok(written)
}

/// Writes the dashboard at the asked step as figures.
fn write_screen(app: &mut App, args: &ExportArgs, folder: &Path) -> Result<Vec<PathBuf>> {
    if let Some(step) = args.step {
        app.seek_step(step);
    }
    let (buffer, info) = app.screenshot_sized(args.size.columns, args.size.rows);
    if let Some(asked) = args.step.filter(|&asked| asked != info.step) {
        tell(&Shown::new(&format!("nothing was measured at step {asked}: the last screen is of step {}", info.step)));
    }
    export::figures(&args.format, &buffer, &meta(&info), folder)
}

/// Writes the recording as films, up to the asked step, as `<run>-<view>`.
fn write_films(app: &mut App, args: &ExportArgs, folder: &Path) -> Result<Vec<PathBuf>> {
    let mut written = Vec::new();
    for exporter in args.format.iter().filter(|exporter| matches!(exporter.kind, Kind::Film(_))) {
        let mut film = film(app, args);
        let stem = format!("{}-{}", export::safe_name(&film.meta.run_id), export::safe_name(&film.meta.view));
        if let Some(file) = exporter.film(&mut film)? {
            written.extend(export::write_new(folder, &stem, &[file])?);
        }
    }
    Ok(written)
}

/// The recording as it plays: each measurement as a screenshot shows it, with what the events panel has to tell.
fn film<'a>(app: &'a mut App, args: &ExportArgs) -> Film<'a> {
    let places = app.recording().map(|replay| replay.measured(args.step)).unwrap_or_default();
    let scenes = schedule(&places, args.speed.map_or(Pace::Seconds(args.seconds), Pace::Steps));
    let (columns, rows) = (args.size.columns, args.size.rows);
    app.seek(scenes.last().map_or(0, |&(place, _)| place));
    let meta = meta(&app.screenshot_sized(columns, rows).1);
    let count = scenes.len();
    let mut told = 0;
    let frames = scenes.into_iter().map(move |(place, lasts)| {
        app.seek(place);
        let shown = app.screenshot_sized(columns, rows).0;
        let marks = &app.history().marks;
        let fresh = marks.iter().skip(told).filter(|mark| mark.kind != MarkKind::Phase);
        let fresh = fresh.map(|mark| mark.text.clone()).collect();
        told = marks.len();
        Frame { shown, lasts, told: fresh }
    });
    Film { meta, size: (columns, rows), count, frames: Box::new(frames) }
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

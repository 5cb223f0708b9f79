//! Runs and screens as files: figures, and tables of data.

use std::path::{Path, PathBuf};

use crate::cli::{ExportArgs, say, tell};
use crate::error::Result;
use crate::export::{self, Exporter, Numbers, ScreenshotMeta};
use crate::history::RunHistory;
use crate::protocol::TrainerEvent;
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
        written.extend(write_screen(events, args, folder)?);
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
fn write_screen(events: Vec<TrainerEvent>, args: &ExportArgs, folder: &Path) -> Result<Vec<PathBuf>> {
    let paper = args.display.paper();
    let mut app = App::replay(events, paper.theme(), paper.glyphs);
    if let Some(step) = args.step {
        app.seek_step(step);
    }
    let (buffer, info) = app.screenshot_sized(args.size.columns, args.size.rows);
    if let Some(asked) = args.step.filter(|&asked| asked != info.step) {
        tell(&Shown::new(&format!("nothing was measured at step {asked}: the figure is of step {}", info.step)));
    }
    export::figures(&args.format, &buffer, &meta(&info), folder)
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

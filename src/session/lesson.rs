//! `learn`: the list of lessons, the lessons, and what is kept of them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use super::display::look;
use super::export::screenshots;
use super::menu::choose;
use crate::cli::{DisplayOptions, has_screen, say, var};
use crate::error::{Error, Result};
use crate::lesson::{self, Kept, LESSONS, Opened, Progress};
use crate::text::Shown;
use crate::tui::keymap;
use crate::tui::lesson::Desk;
use crate::tui::menu::Entry;
use crate::tui::message::Ending;
use crate::tui::run::Source;

/// Reads a lesson and holds it against its recordings.
///
/// # Errors
/// Every mistake in it, with line and column.
pub fn check_lesson(path: &Path) -> Result<Opened> {
    let opened = lesson::open(path)?;
    opened.check(&keymap::is_name)?;
    Ok(opened)
}

/// Whether a path names a lesson: one that comes with the program, or a file that has steps and no data.
pub fn is_lesson(path: &Path) -> bool {
    if !path.is_file() {
        return lesson::embedded(path).is_some();
    }
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let begins = |field: &str| {
        text.lines().any(|line| line.trim_start().trim_start_matches('(').trim_start().starts_with(field))
    };
    begins("steps:") && !begins("stages:") && !begins("data:")
}

/// Takes a lesson, or lists those that there are; on a terminal one opens from the list, and the list comes back after it.
///
/// # Errors
/// When a lesson is not as it should be, progress cannot be kept, or the terminal breaks; [`Error::Interrupted`] after a
/// signal.
pub fn learn(path: Option<&Path>, presents: bool, anew: bool, display: &DisplayOptions) -> Result<()> {
    let mut progress = Progress::load(var)?;
    if let Some(path) = path {
        let opened = Arc::new(check_lesson(path)?);
        return take(&opened, presents, anew, &mut progress, display);
    }
    let shelf =
        LESSONS.iter().map(|(path, _)| lesson::open(Path::new(path)).map(Arc::new)).collect::<Result<Vec<_>>>()?;
    if !has_screen() {
        let lines = shelf.iter().map(|opened| format!("{}\n", line(opened, progress.of(&opened.name))));
        return say(&lines.collect::<String>());
    }
    let mut at = shelf.iter().position(|opened| !progress.of(&opened.name).done).unwrap_or(0);
    loop {
        let entries = shelf.iter().map(|opened| entry(opened, progress.of(&opened.name))).collect();
        let Some(chosen) = choose("lessons", entries, at, display)? else { return Ok(()) };
        take(&shelf[chosen], presents, anew, &mut progress, display)?;
        let done = progress.of(&shelf[chosen].name).done;
        at = if done { (chosen + 1).min(shelf.len() - 1) } else { chosen };
    }
}

/// Takes one lesson, from where it was left.
fn take(
    opened: &Arc<Opened>,
    presents: bool,
    anew: bool,
    progress: &mut Progress,
    display: &DisplayOptions,
) -> Result<()> {
    let (theme, glyphs) = look(display);
    let before = progress.of(&opened.name);
    let at = if anew { 0 } else { before.at };
    let desk = Desk::new(Arc::clone(opened), at, theme, glyphs, display.paper())?.presenting(presents);
    let pictures = screenshots(PathBuf::from("screenshots"));
    let left = crate::tui::show(desk, Source::Nothing, None, Instant::now(), pictures)?;
    progress.keep(&opened.name, left.kept(before))?;
    if left.ending() == Ending::Signal { Err(Error::Interrupted) } else { Ok(()) }
}

/// What is known of a lesson that was begun.
fn standing(opened: &Opened, kept: Kept) -> String {
    let answers = if kept.asked > 0 { format!(", {} of {} right", kept.right, kept.asked) } else { String::new() };
    match kept {
        Kept { done: true, .. } => format!("done{answers}"),
        Kept { at: 0, .. } => format!("{} steps", opened.lesson.steps.len()),
        Kept { at, .. } => format!("at step {} of {}{answers}", at + 1, opened.lesson.steps.len()),
    }
}

fn line(opened: &Opened, kept: Kept) -> Shown {
    Shown::new(&format!("{:<16} {:<28} {}", opened.name, opened.lesson.title, standing(opened, kept)))
}

fn entry(opened: &Opened, kept: Kept) -> Entry {
    Entry {
        heading: Shown::new("lessons: Enter begins, or goes on"),
        line: line(opened, kept),
        detail: Shown::new(&opened.lesson.about),
        copied: None,
        marked: false,
    }
}

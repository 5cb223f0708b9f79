//! What there is to watch: the experiments that come with the program, and recordings in a folder.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use unicode_width::UnicodeWidthStr as _;

use super::display::look;
use super::export::screenshots;
use super::recorded::replay;
use crate::cli::{DisplayOptions, Opening, has_screen, say};
use crate::error::{Error, Result};
use crate::experiment::{EMBEDDED, Experiment};
use crate::history::CurveId;
use crate::protocol::ProbeKind;
use crate::record::{Outcome, RunDirectory, Summary};
use crate::text::{Shown, fit, minus};
use crate::tui::menu::{Entry, Menu};
use crate::tui::message::Ending;
use crate::tui::run::Source;

/// Folders between the one that is searched and a run, at most: a sweep has one for each cell.
const DEPTH: usize = 3;
/// The folder in which runs are recorded unless an experiment says otherwise.
const RUNS: &str = "runs";

/// What was chosen from the menu.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chosen {
    /// An experiment to be trained.
    Experiment(PathBuf),
    /// A recording to be shown.
    Recording(PathBuf),
}

/// A recording that was found.
struct Found {
    path: PathBuf,
    /// Its path from the folder that was searched.
    name: Shown,
    written: SystemTime,
    /// Absent while it is recorded, and after a process was killed.
    summary: Option<Summary>,
}

/// Lists the recordings of a folder; on a terminal one opens from the list, and the list comes back after it.
///
/// # Errors
/// When the folder cannot be read, or the terminal breaks; [`Error::Interrupted`] after a signal.
pub fn runs(folder: &Path, display: &DisplayOptions) -> Result<()> {
    std::fs::metadata(folder).map_err(|e| Error::reading(folder, &e))?;
    if !has_screen() {
        let found = search(folder)?;
        let lines = std::iter::once(headings()).chain(found.iter().map(line));
        return say(&lines.map(|line| format!("{line}\n")).collect::<String>());
    }
    let mut at = 0;
    loop {
        let found = search(folder)?;
        let title = format!("recordings in {}", folder.display());
        let Some(chosen) = choose(&title, found.iter().map(entry).collect(), at, display)? else { return Ok(()) };
        at = chosen;
        replay(&found[chosen].path, None, display)?;
    }
}

/// The menu of experiments and recordings; `None` where it was left.
///
/// # Errors
/// When the terminal breaks; [`Error::Interrupted`] after a signal.
pub fn menu(display: &DisplayOptions) -> Result<Option<Chosen>> {
    let found = if Path::new(RUNS).is_dir() { search(Path::new(RUNS))? } else { Vec::new() };
    let mut entries = Vec::new();
    let mut choices = Vec::new();
    for (path, text) in EMBEDDED {
        let experiment = Experiment::parse(Path::new(path), text, &[])?;
        let steps: Vec<String> = experiment.stages.iter().map(|s| format!("{} {}", s.name, s.steps)).collect();
        entries.push(Entry {
            heading: Shown::new("experiments: Enter trains and shows"),
            line: Shown::new(&format!("{} {}", left(&experiment.name, 24), steps.join(", "))),
            detail: Shown::new(&experiment.description.split_whitespace().collect::<Vec<_>>().join(" ")),
            copied: Some(Shown::new(path)),
            marked: false,
        });
        choices.push(Chosen::Experiment(PathBuf::from(path)));
    }
    entries.extend(found.iter().map(entry));
    choices.extend(found.into_iter().map(|found| Chosen::Recording(found.path)));
    let first = EMBEDDED.iter().position(|(path, _)| path.ends_with("/dpo_offpolicy.ron")).unwrap_or(0);
    let chosen = choose("what to watch", entries, first, display)?;
    Ok(chosen.and_then(|at| choices.into_iter().nth(at)))
}

/// Shows a menu; returns the entry that was opened.
pub(super) fn choose(title: &str, entries: Vec<Entry>, at: usize, display: &DisplayOptions) -> Result<Option<usize>> {
    let (theme, glyphs) = look(display);
    let Opening { copies, mouse, .. } = display.opening;
    let menu = Menu::new(title, entries, at, theme, glyphs, display.paper()).allowing(copies, mouse);
    let pictures = screenshots(PathBuf::from("screenshots"));
    let left = crate::tui::show(menu, Source::Nothing, None, Instant::now(), pictures)?;
    if left.ending() == Ending::Signal { Err(Error::Interrupted) } else { Ok(left.chosen()) }
}

/// The recordings in a folder, the latest first. What cannot be read is passed over: a run may be written to meanwhile.
fn search(folder: &Path) -> Result<Vec<Found>> {
    let mut found = Vec::new();
    // The folder itself must be readable, those in it are looked into.
    std::fs::read_dir(folder).map_err(|e| Error::reading(folder, &e))?;
    collect(folder, folder, DEPTH, &mut found);
    found.sort_by(|a, b| b.written.cmp(&a.written).then_with(|| a.path.cmp(&b.path)));
    Ok(found)
}

fn collect(root: &Path, folder: &Path, depth: usize, found: &mut Vec<Found>) {
    if let Ok(directory) = RunDirectory::open(folder)
        && let Ok(written) = std::fs::metadata(directory.events()).and_then(|data| data.modified())
    {
        let name = folder.strip_prefix(root).ok().filter(|name| !name.as_os_str().is_empty()).unwrap_or(folder);
        found.push(Found {
            path: folder.to_owned(),
            name: Shown::new(&name.display().to_string()),
            written,
            summary: Summary::read(&directory.summary()).ok(),
        });
        return;
    }
    let Some(deeper) = depth.checked_sub(1) else { return };
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_dir()) {
        collect(root, &path, deeper, found);
    }
}

/// What the columns are.
fn headings() -> Shown {
    let columns = columns("recording", "ended", "dynamics", ["y⁺", "y⁻", "y*"].map(str::to_owned), "age");
    Shown::new(&columns)
}

fn columns(name: &str, ended: &str, dynamics: &str, numbers: [String; 3], age: &str) -> String {
    let numbers = numbers.map(|number| right(&number, 7)).join(" ");
    format!("{} {} {} {numbers} {}", left(name, 30), left(ended, 12), left(dynamics, 12), right(age, 8))
}

/// The text in exactly so many columns, flush left.
fn left(text: &str, width: usize) -> String {
    let text = fit(text, width);
    let pad = width.saturating_sub(text.width());
    text + &" ".repeat(pad)
}

/// The same, flush right.
fn right(text: &str, width: usize) -> String {
    let text = fit(text, width);
    " ".repeat(width.saturating_sub(text.width())) + &text
}

/// A recording as a line: name, how it ended, the verdict, the last log-probs, how long ago.
fn line(found: &Found) -> Shown {
    let age = age(SystemTime::now().duration_since(found.written).unwrap_or_default());
    let Some(summary) = &found.summary else {
        let none = [const { String::new() }; 3];
        return Shown::new(&columns(found.name.as_str(), "not summed", "", none, &age));
    };
    let ended = match &summary.outcome {
        Outcome::Finished => "finished",
        Outcome::Stopped => "stopped",
        Outcome::Failed(_) => "failed",
        Outcome::Unfinished => "unfinished",
    };
    let dynamics = match summary.accuracy {
        Some(accuracy) => format!("{:.1} % right", 100.0 * accuracy),
        None => summary.dynamics.clone(),
    };
    let curves = [CurveId::Probe(ProbeKind::Chosen), CurveId::Probe(ProbeKind::Rejected), CurveId::ArgmaxChosen];
    let number = |curve: CurveId| match summary.logps.get(curve.key()) {
        Some(Some(value)) => minus(&format!("{value:.1}")),
        Some(None) => "–".to_owned(),
        None => String::new(),
    };
    Shown::new(&columns(found.name.as_str(), ended, &dynamics, curves.map(number), &age))
}

fn entry(found: &Found) -> Entry {
    let detail = match &found.summary {
        None => {
            "No summary yet: it is being recorded, or its process was killed. Enter shows what is there.".to_owned()
        }
        Some(summary) => {
            let said = summary.lines(None);
            said.iter().map(|line| line.as_str().trim().to_owned()).collect::<Vec<_>>().join("; ")
        }
    };
    Entry {
        heading: Shown::new(&format!("   {}", headings())),
        line: line(found),
        detail: Shown::new(&detail),
        copied: Some(Shown::new(&found.path.display().to_string())),
        marked: found.summary.as_ref().is_some_and(|s| matches!(s.dynamics.as_str(), "squeezing" | "collapse")),
    }
}

/// How long ago, in the largest unit that says something.
fn age(ago: Duration) -> String {
    match ago.as_secs() {
        s @ 0..60 => format!("{s} s"),
        s @ 60..3600 => format!("{} min", s / 60),
        s @ 3600..86_400 => format!("{} h", s / 3600),
        s => format!("{} d", s / 86_400),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use super::*;
    use crate::history::fixture::{evaluation, history, run, stage};
    use crate::protocol::{RunPhase, TrainerEvent};

    #[test]
    fn recordings_are_found_with_their_last_numbers_and_the_latest_comes_first() {
        let folder = tempfile::tempdir().unwrap();
        let make = |parent: &str, name: &str, summed: bool, days: u64| {
            let directory = RunDirectory::create(&folder.path().join(parent), name, "()").unwrap();
            std::fs::write(directory.events(), "").unwrap();
            let written = SystemTime::now() - Duration::from_secs(days * 86_400 + 7200);
            std::fs::File::options().append(true).open(directory.events()).unwrap().set_modified(written).unwrap();
            if summed {
                let history = history(&[
                    TrainerEvent::RunStarted(Box::new(run(2, 7, vec![stage("SFT", false, 2)]))),
                    TrainerEvent::from(evaluation(2, 0, 3, &[(ProbeKind::Chosen, -12.25)], -3.0)),
                    TrainerEvent::Phase { phase: RunPhase::Finished, step: 3 },
                ]);
                Summary::new(&history, 1.0).unwrap().write(&directory.summary()).unwrap();
            }
        };
        make("", "old-seed1", true, 3);
        make("", "young-seed1", false, 0);
        make("sweep/cell", "deep-seed1", true, 1);
        make("a/b/c", "too_deep-seed1", true, 1);
        std::fs::create_dir(folder.path().join("no run")).unwrap();
        let found = search(folder.path()).unwrap();
        let names: Vec<&str> = found.iter().map(|f| f.name.as_str()).collect();
        assert_eq!(names, ["young-seed1", "sweep/cell/deep-seed1", "old-seed1"]);
        let lines: Vec<String> = found.iter().map(|f| line(f).to_string()).collect();
        assert!(lines[0].contains("not summed") && lines[0].ends_with("2 h"), "{lines:?}");
        assert!(lines[2].contains("finished     healthy") && lines[2].contains("−12.2"), "{lines:?}");
        assert!(lines[2].ends_with("3 d"), "{lines:?}");
        assert!(entry(&found[2]).detail.as_str().contains("finished after 3 of 2 steps"));
        assert_eq!(search(&folder.path().join("none")).err().unwrap().exit_status(), 2);
    }
}

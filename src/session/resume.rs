//! Opens a recorded run to go on with it: everything is read and checked before anything is touched. A run that ended before
//! its first checkpoint begins anew in its directory; what it had recorded stays there under another name.

use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

use super::recorder::{NOTE, Note, Recorder};
use crate::backend::BackendChoice;
use crate::error::{Error, Location, Result};
use crate::experiment::Experiment;
use crate::protocol::{RunPhase, TrainerEvent};
use crate::record::{RunDirectory, RunReader, RunWriter};
use crate::train::SavedState;

/// A run that can be gone on with.
pub(super) struct Resumed {
    pub(super) directory: RunDirectory,
    pub(super) experiment: Experiment,
    pub(super) backend: BackendChoice,
    /// What was recorded up to the checkpoint; nothing where the run begins anew.
    pub(super) past: Vec<TrainerEvent>,
    pub(super) recorder: Recorder,
    /// What whoever resumed the run should know.
    pub(super) remark: Option<String>,
}

impl Resumed {
    /// Opens a run by its directory. `backend` is what was asked for: the run's own, or none in particular.
    ///
    /// # Errors
    /// When the run is finished or still going on, was begun on another backend, or when a file of it is damaged or was
    /// changed.
    pub(super) fn open(run: &Path, backend: BackendChoice) -> Result<Self> {
        if run.join("experiment.ron").is_file() && !run.join("events.jsonl").exists() {
            // Killed before its first word.
            RunWriter::create(&run.join("events.jsonl"))?;
        }
        let directory = RunDirectory::open(run)?;
        // Opened before anything is read: from here on nobody else writes.
        let writer = RunWriter::reopen(directory.events())?;
        if last_event(directory.events()).is_some_and(is_end) {
            let problem = format!("{}: the run is finished, nothing is left to resume", run.display());
            return Err(Error::usage(format!("{problem}\n  see it with: ldyn-tui replay {}", run.display())));
        }
        let path = directory.checkpoint();
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Self::anew(directory, backend, writer),
            Err(e) => return Err(Error::reading(&path, &e)),
        };
        let state = SavedState::open(&path, file)?;
        let note = state.note(NOTE).ok_or_else(|| state.damaged("it does not say which run it belongs to"))?;
        let note: Note = serde_json::from_str(note)
            .map_err(|e| state.damaged(&format!("which run it belongs to cannot be read: {e}")))?;
        let experiment = unchanged(&directory.experiment(), &note.experiment)?;
        let past = past(directory.events(), &note)?;
        let backend = same_backend(&past, backend)?;
        let recorder = Recorder::resume(directory.clone(), note, writer, state);
        Ok(Self { directory, experiment, backend, past, recorder, remark: None })
    }

    /// Begins anew in the run's directory. `writer` holds the claim on what was recorded, until that has its new name.
    fn anew(directory: RunDirectory, backend: BackendChoice, writer: RunWriter) -> Result<Self> {
        let path = directory.experiment();
        let text = fs::read_to_string(&path).map_err(|e| Error::reading(&path, &e))?;
        let experiment = Experiment::parse(&path, &text, &[])?;
        let backend = match begun_on(directory.events()) {
            Some(begun) if backend == BackendChoice::Auto => begun,
            _ => backend,
        };
        crate::backend::check(backend, experiment.precision)?;
        let kept = set_aside(directory.events())?;
        drop(writer);
        let recorder = Recorder::new(directory.clone(), text)?;
        let of_old = kept.map_or_else(String::new, |name| format!("; what it had recorded is in {name}"));
        let remark = Some(format!("there is no checkpoint yet, so the run begins anew{of_old}"));
        Ok(Self { directory, experiment, backend, past: Vec::new(), recorder, remark })
    }
}

/// The backend that a record says it was begun on, if it says so.
fn begun_on(events: &Path) -> Option<BackendChoice> {
    match RunReader::open(events).ok()?.next_event().ok()?? {
        TrainerEvent::RunStarted(run) => BackendChoice::named(&run.backend),
        _ => None,
    }
}

/// Gives a record another name beside it, the first that is free; an empty one is removed. Returns the name.
fn set_aside(events: &Path) -> Result<Option<String>> {
    let unchangeable = |e: std::io::Error| Error::writing(events, &e);
    if fs::metadata(events).map_err(unchangeable)?.len() == 0 {
        return fs::remove_file(events).map(|()| None).map_err(unchangeable);
    }
    let name = |number: u64| format!("events-{number}.jsonl");
    let free = (1..).map(name).find(|name| !events.with_file_name(name).exists()).unwrap_or_else(|| name(0));
    fs::rename(events, events.with_file_name(&free)).map_err(unchangeable)?;
    Ok(Some(free))
}

/// The last event of a run file, if it can be read: a short line where the run ended well.
fn last_event(events: &Path) -> Option<TrainerEvent> {
    const ENOUGH: i64 = 4096;
    let mut file = File::open(events).ok()?;
    if file.metadata().ok()?.len() > ENOUGH as u64 {
        file.seek(SeekFrom::End(-ENOUGH)).ok()?;
    }
    let mut tail = Vec::new();
    file.read_to_end(&mut tail).ok()?;
    let last = tail.trim_ascii_end().rsplit(|&byte| byte == b'\n').next()?;
    serde_json::from_slice(last).ok()
}

fn is_end(event: TrainerEvent) -> bool {
    matches!(event, TrainerEvent::Phase { phase: RunPhase::Finished, .. })
}

/// The experiment, which must be the one that the run was begun with; comments and layout may differ.
fn unchanged(path: &Path, begun: &str) -> Result<Experiment> {
    let now = fs::read_to_string(path).map_err(|e| Error::reading(path, &e))?;
    let experiment = Experiment::parse(path, &now, &[])?;
    if now == begun || Experiment::parse(path, begun, &[]).is_ok_and(|begun| begun == experiment) {
        return Ok(experiment);
    }
    let line = now.lines().zip(begun.lines()).position(|(now, begun)| now != begun);
    let at = line.unwrap_or_else(|| now.lines().count().min(begun.lines().count()));
    let said = begun.lines().nth(at).unwrap_or_default().trim();
    Err(Error::input(
        Location::line(path, at + 1),
        format!("was changed since the run began; it said `{said}`"),
        format!("write that again, or begin a new run with the change: ldyn-tui run {}", path.display()),
    ))
}

/// The events up to the checkpoint.
fn past(events: &Path, note: &Note) -> Result<Vec<TrainerEvent>> {
    let wrong = |problem: String| {
        Error::input(
            Location::file(events),
            problem,
            "the file was changed, or the checkpoint beside it belongs to another run; the run cannot be resumed",
        )
    };
    let unreadable = |e: std::io::Error| Error::reading(events, &e);
    let mut file = File::open(events).map_err(unreadable)?;
    let length = file.metadata().map_err(unreadable)?.len();
    if length < note.bytes {
        return Err(wrong(format!("has {length} bytes, and the checkpoint was written after {}", note.bytes)));
    }
    let mut bytes = Vec::new();
    file.by_ref().take(note.bytes).read_to_end(&mut bytes).map_err(unreadable)?;
    let lines = bytes.iter().filter(|&&byte| byte == b'\n').count() as u64;
    if !bytes.ends_with(b"\n") || lines != note.lines {
        let expected = note.lines;
        return Err(wrong(format!("has {lines} whole lines where the checkpoint was written after {expected}")));
    }
    let mut reader = RunReader::new(events, bytes.as_slice());
    let mut past = Vec::new();
    while let Some(event) = reader.next_event()? {
        past.push(event);
    }
    reader.warnings()?;
    Ok(past)
}

/// The backend that the run was begun on: another one rounds differently.
fn same_backend(past: &[TrainerEvent], asked: BackendChoice) -> Result<BackendChoice> {
    let name = past.iter().find_map(|event| match event {
        TrainerEvent::RunStarted(run) => Some(run.backend.as_str()),
        _ => None,
    });
    let name = name.unwrap_or_default();
    let begun = BackendChoice::named(name).ok_or_else(|| {
        Error::usage(format!("the run was begun on the backend {name}, which this program does not have"))
    })?;
    if asked == BackendChoice::Auto || asked == begun {
        return Ok(begun);
    }
    Err(Error::usage(format!(
        "the run was begun on the backend {name}, and another one rounds differently: leave --backend out, or begin a new run"
    )))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::{last_event, unchanged};
    use crate::protocol::{RunPhase, TrainerEvent};

    const BEGUN: &str =
        "(\n  name: \"x\", data: world(),\n  stages: [(name: \"S\", objective: sft, steps: 1, learning_rate: 1.0)],\n)";

    #[test]
    fn an_experiment_may_look_different_and_must_say_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("experiment.ron");
        let now = |text: &str| {
            std::fs::write(&path, text).unwrap();
            unchanged(&path, BEGUN).map(|experiment| experiment.total_steps()).map_err(|e| e.to_string())
        };
        assert_eq!(now(BEGUN), Ok(1));
        assert_eq!(now(&format!("// A remark.\n{}", BEGUN.replace("1.0", "1"))), Ok(1));
        let error = now(&BEGUN.replace("steps: 1", "steps: 2")).unwrap_err();
        assert!(error.contains("experiment.ron:3: was changed since the run began; it said `stages: ["), "{error}");
        let error = now(&BEGUN.replace("  name", "  seed: 7,\n  name")).unwrap_err();
        assert!(error.contains("experiment.ron:2: was changed since the run began; it said `name: "), "{error}");
    }

    #[test]
    fn the_last_event_is_found_behind_long_lines() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        let finished = TrainerEvent::Phase { phase: RunPhase::Finished, step: 4 };
        let line = serde_json::to_string(&finished).unwrap();
        for (text, expected) in [
            (format!("{line}\n"), Some(&finished)),
            (format!("{}\n{line}\n", "x".repeat(10_000)), Some(&finished)),
            (format!("{line}\n{}", "x".repeat(10_000)), None),
            (String::new(), None),
        ] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(last_event(&path).as_ref(), expected);
        }
    }
}

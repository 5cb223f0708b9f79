//! The directory of one run.

use std::fs::{self, DirBuilder};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// The folder of a run and its parts:
///
/// ```text
/// <name>-seed<seed>/
///   experiment.ron   the experiment as run
///   events.jsonl     what the trainer said, one JSON object a line
///   checkpoint.safetensors   where it stood at its last checkpoint, until it is finished
///   summary.json     what it came to
///   log.txt          diagnostics
///   screenshots/     pictures taken on the way
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunDirectory {
    root: PathBuf,
    events: PathBuf,
}

impl RunDirectory {
    /// Makes a new directory `<parent>/<run_name>`, or `<run_name>-2`, `-3`, … if there is one already, and writes the
    /// experiment into it. Nothing is ever overwritten, also when two runs start at once.
    ///
    /// # Errors
    /// Wrong usage if the name is no plain file name; else when the directory cannot be made or written to.
    pub fn create(parent: &Path, run_name: &str, experiment_ron: &str) -> Result<Self> {
        if !is_plain(run_name) {
            return Err(Error::usage(format!(
                "'{run_name}' cannot name a run: use letters, digits, '_', '-' and '.', beginning with a letter or digit"
            )));
        }
        fs::create_dir_all(parent).map_err(|e| Error::writing(parent, &e))?;
        let mut number = 1_u64;
        let root = loop {
            let name = if number == 1 { run_name.to_owned() } else { format!("{run_name}-{number}") };
            let root = parent.join(name);
            // Making the directory is what claims the name: looking first would leave room for another process.
            match DirBuilder::new().create(&root) {
                Ok(()) => break root,
                Err(e) if e.kind() == ErrorKind::AlreadyExists => number += 1,
                Err(e) => return Err(Error::writing(&root, &e)),
            }
        };
        let directory = Self { events: root.join("events.jsonl"), root };
        for (path, result) in [
            (directory.screenshots(), fs::create_dir(directory.screenshots())),
            (directory.experiment(), fs::write(directory.experiment(), experiment_ron)),
        ] {
            result.map_err(|e| Error::writing(&path, &e))?;
        }
        Ok(directory)
    }

    /// An existing run: its directory, or its file of events (under any name).
    ///
    /// # Errors
    /// When there is no such thing.
    pub fn open(path: &Path) -> Result<Self> {
        let kind = fs::metadata(path).map_err(|e| Error::reading(path, &e))?;
        if !kind.is_dir() {
            let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
            return Ok(Self { root: parent.to_owned(), events: path.to_owned() });
        }
        let events = path.join("events.jsonl");
        fs::metadata(&events).map_err(|e| Error::reading(&events, &e))?;
        Ok(Self { root: path.to_owned(), events })
    }

    /// A run that another program writes: its directory, in which the events may still be missing, or its file of events.
    ///
    /// # Errors
    /// When there is no such thing.
    pub fn awaited(path: &Path) -> Result<Self> {
        if path.is_dir() {
            return Ok(Self { root: path.to_owned(), events: path.join("events.jsonl") });
        }
        Self::open(path)
    }

    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The run's events.
    pub fn events(&self) -> &Path {
        &self.events
    }

    /// The experiment as run.
    pub fn experiment(&self) -> PathBuf {
        self.root.join("experiment.ron")
    }

    /// The file of the last checkpoint: where the run stood.
    pub fn checkpoint(&self) -> PathBuf {
        self.root.join("checkpoint.safetensors")
    }

    /// The folder of what checkpoints held, where that is kept.
    pub fn snapshots(&self) -> PathBuf {
        self.root.join("snapshots")
    }

    /// What the run came to.
    pub fn summary(&self) -> PathBuf {
        self.root.join("summary.json")
    }

    /// Diagnostics.
    pub fn log(&self) -> PathBuf {
        self.root.join("log.txt")
    }

    /// Pictures taken on the way.
    pub fn screenshots(&self) -> PathBuf {
        self.root.join("screenshots")
    }
}

/// Whether a name stays in its directory, hides from nobody and can be typed.
fn is_plain(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail")]

    use super::*;

    #[test]
    fn a_name_that_is_taken_gets_a_number_and_nothing_is_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let parent = folder.path().join("runs");
        let names: Vec<String> = (0..3)
            .map(|i| {
                let run = RunDirectory::create(&parent, "dpo-seed0", &format!("(name: {i})")).unwrap();
                run.root().file_name().unwrap().to_str().unwrap().to_owned()
            })
            .collect();
        assert_eq!(names, ["dpo-seed0", "dpo-seed0-2", "dpo-seed0-3"]);
        assert_eq!(fs::read_to_string(parent.join("dpo-seed0/experiment.ron")).unwrap(), "(name: 0)");
        assert!(parent.join("dpo-seed0-3/screenshots").is_dir());
    }

    #[test]
    fn many_at_once_get_a_directory_each() {
        let folder = tempfile::tempdir().unwrap();
        let roots: Vec<PathBuf> = std::thread::scope(|scope| {
            let start = || RunDirectory::create(folder.path(), "r-seed1", "").unwrap().root().to_owned();
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(start)).collect();
            threads.into_iter().map(|t| t.join().unwrap()).collect()
        });
        let distinct: std::collections::BTreeSet<_> = roots.iter().collect();
        assert_eq!(distinct.len(), 8);
    }

    #[test]
    fn a_name_cannot_leave_the_parent() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["", "..", "../x", "a/b", ".hidden", "-rf", "a\u{202e}b", "a b", "a\n"] {
            assert_eq!(RunDirectory::create(folder.path(), name, "").unwrap_err().exit_status(), 2, "{name:?}");
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_run_opens_by_its_directory_or_its_events() {
        let folder = tempfile::tempdir().unwrap();
        let made = RunDirectory::create(folder.path(), "r-seed1", "").unwrap();
        assert_eq!(RunDirectory::open(made.root()).unwrap_err().exit_status(), 2, "there are no events yet");
        fs::write(made.events(), "").unwrap();
        assert_eq!(RunDirectory::open(made.root()).unwrap(), made);
        assert_eq!(RunDirectory::open(made.events()).unwrap(), made);
        assert_eq!(RunDirectory::open(&folder.path().join("none")).unwrap_err().exit_status(), 2);
        let foreign = folder.path().join("foreign.jsonl");
        fs::write(&foreign, "").unwrap();
        assert_eq!(RunDirectory::open(&foreign).unwrap().events(), foreign);
    }
}

//! The run directory's side of a session: events as they come, and checkpoints, each in the place of the one before.

use std::fs::{self, File};
use std::io::{BufWriter, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::snapshots;
use crate::error::{Error, Result};
use crate::protocol::{RunPhase, TrainerEvent};
use crate::record::{Extent, RunDirectory, RunWriter};
use crate::train::{EventSink, SavedState, TrainerState};

/// The note in a checkpoint under which [`Note`] is found.
pub(super) const NOTE: &str = "run";

/// What a checkpoint says besides where the trainer stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Note {
    /// Bytes of the run file that came before.
    pub(super) bytes: u64,
    /// Lines of it.
    pub(super) lines: u64,
    /// Seconds that the run had taken.
    pub(super) seconds: f64,
    /// The experiment as run, RON.
    pub(super) experiment: String,
}

/// Records a run in its directory.
pub(super) struct Recorder {
    directory: RunDirectory,
    experiment: String,
    writer: RunWriter,
    started: Instant,
    /// What the run had taken before this process.
    pub(super) before: Duration,
    resuming: Option<Resuming>,
    /// Bytes of disk for snapshots.
    snapshots: u64,
}

/// What a run goes on from.
struct Resuming {
    /// Until the trainer takes it.
    state: Option<SavedState>,
    /// What stays of the run file.
    extent: Extent,
}

impl Recorder {
    /// Records a new run; `experiment` is the experiment as run, RON.
    pub(super) fn new(directory: RunDirectory, experiment: String) -> Result<Self> {
        let writer = RunWriter::create(directory.events())?;
        // Those of a run that began here before may be of another one.
        let folder = directory.snapshots();
        snapshots::clear(&folder).map_err(|e| Error::writing(&folder, &e))?;
        let (started, before) = (Instant::now(), Duration::ZERO);
        Ok(Self { directory, experiment, writer, started, before, resuming: None, snapshots: 0 })
    }

    /// Goes on with a run's record. Nothing of it is touched until the trainer has taken over the state.
    pub(super) fn resume(directory: RunDirectory, note: Note, writer: RunWriter, state: SavedState) -> Self {
        let Note { bytes, lines, seconds, experiment } = note;
        let before = Duration::try_from_secs_f64(seconds).unwrap_or_default();
        let resuming = Some(Resuming { state: Some(state), extent: Extent { bytes, lines } });
        Self { directory, experiment, writer, started: Instant::now(), before, resuming, snapshots: 0 }
    }

    /// Keeps snapshots in so many megabytes.
    pub(super) fn with_snapshots(self, megabytes: u64) -> Self {
        Self { snapshots: megabytes.saturating_mul(1_000_000), ..self }
    }
}

impl EventSink for Recorder {
    fn emit(&mut self, event: &TrainerEvent) -> Result<()> {
        if self.resuming.is_some() {
            return Ok(());
        }
        self.writer.write(event)?;
        if matches!(event, TrainerEvent::Phase { phase: RunPhase::Finished, .. }) {
            remove(&self.directory.checkpoint());
        }
        Ok(())
    }

    fn keep(&mut self, state: &TrainerState) -> Result<()> {
        let began = Instant::now();
        // A checkpoint is worth nothing without the events that came before it.
        let Extent { bytes, lines } = self.writer.sync()?;
        let seconds = (self.before + self.started.elapsed()).as_secs_f64();
        let note = Note { bytes, lines, seconds, experiment: self.experiment.clone() };
        let note = serde_json::to_string(&note).map_err(|e| Error::failed(format!("no checkpoint: {e}")))?;
        let bytes = replace(&self.directory.checkpoint(), |file| state.write(&[(NOTE, note)], file))?;
        #[allow(clippy::cast_precision_loss, reason = "a size for a person")]
        let (megabytes, milliseconds) = (bytes as f64 / 1e6, began.elapsed().as_millis());
        tracing::info!("checkpoint at step {}: {megabytes:.1} MB in {milliseconds} ms", state.step());
        Ok(())
    }

    fn snapshot(&mut self, state: &TrainerState) {
        let (began, folder) = (Instant::now(), self.directory.snapshots());
        match snapshots::keep(state, &folder, self.snapshots) {
            Ok(bytes) => tracing::info!("snapshot at step {}: {bytes} bytes in {:?}", state.step(), began.elapsed()),
            Err(e) => {
                // Those that are there serve as before.
                tracing::warn!("{}: no more snapshots: {e}", folder.display());
                self.snapshots = 0;
            }
        }
    }

    fn saved(&mut self) -> Option<SavedState> {
        self.resuming.as_mut()?.state.take()
    }

    fn resumed(&mut self) -> Result<()> {
        if let Some(Resuming { extent, .. }) = self.resuming.take() {
            self.writer.go_back(extent)?;
            tracing::info!("resumed after {} recorded events", extent.lines);
        }
        Ok(())
    }
}

/// Writes a file beside, then puts it in the place of the old one: whenever the power goes, one of them is there and whole.
/// Returns its bytes.
fn replace(path: &Path, write: impl FnOnce(&mut BufWriter<File>) -> std::io::Result<()>) -> Result<u64> {
    let beside = &beside(path);
    let written = || {
        let mut file = BufWriter::with_capacity(1 << 20, File::create(beside)?);
        write(&mut file)?;
        file.flush()?;
        file.get_ref().sync_all()?;
        file.get_ref().metadata().map(|m| m.len())
    };
    let bytes = written().map_err(|e| Error::writing(beside, &e))?;
    fs::rename(beside, path).map_err(|e| Error::writing(path, &e))?;
    // Where a directory can be opened, its entry can be made to last as well.
    if let (true, Some(parent)) = (cfg!(unix), path.parent()) {
        File::open(parent).and_then(|directory| directory.sync_all()).map_err(|e| Error::writing(parent, &e))?;
    }
    Ok(bytes)
}

/// The path under which a file is written before it takes its place.
fn beside(path: &Path) -> PathBuf {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".tmp");
    beside.into()
}

/// A finished run has nothing to go on with. That its checkpoint cannot be removed is no reason to fail.
fn remove(path: &Path) {
    // A process that was killed while it wrote left the file beside.
    for path in [path, &beside(path)] {
        match fs::remove_file(path) {
            Err(e) if e.kind() != ErrorKind::NotFound => tracing::warn!("{}: cannot be removed: {e}", path.display()),
            _ => {}
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use std::io::{Error, Write as _};

    use super::replace;

    #[test]
    fn the_old_file_stays_until_the_new_one_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint");
        assert_eq!(replace(&path, |file| file.write_all(b"old")).unwrap(), 3);
        let broken = replace(&path, |file| file.write_all(b"half").and(Err(Error::other("the disk is full"))));
        let error = broken.unwrap_err();
        assert!(error.to_string().contains("checkpoint.tmp: cannot be written: the disk is full"), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(replace(&path, |file| file.write_all(b"new")).unwrap(), 3);
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    }
}

//! Writes a run's events, one JSON object a line.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{BufWriter, Seek as _, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::error::{Error, Location, Result};
use crate::protocol::TrainerEvent;

/// Optimiser steps wait no longer than this for others before they are handed to the operating system: who follows the
/// file sees the steps of a large model one by one.
const PATIENCE: Duration = Duration::from_millis(500);

/// Writes events as they happen. A line reaches the disk whole; whatever was written before an error or a crash stays
/// readable.
#[derive(Debug)]
pub struct RunWriter<W: Write = File> {
    path: PathBuf,
    out: BufWriter<W>,
    line: Vec<u8>,
    written: Extent,
    flushed: Instant,
}

/// How much of a file of events there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Extent {
    /// Bytes.
    pub bytes: u64,
    /// Lines, one an event.
    pub lines: u64,
}

impl RunWriter {
    /// Starts a new file.
    ///
    /// # Errors
    /// When the file exists or cannot be created.
    pub fn create(path: &Path) -> Result<Self> {
        let file = OpenOptions::new().write(true).create_new(true).open(path).map_err(|e| Error::writing(path, &e))?;
        claim(path, &file)?;
        Ok(Self::new(path, file))
    }

    /// Opens the file of a run that is to be continued. It stays as it is until [`RunWriter::go_back`].
    ///
    /// # Errors
    /// When it cannot be written to, or another process still does.
    pub fn reopen(path: &Path) -> Result<Self> {
        let file = OpenOptions::new().write(true).open(path).map_err(|e| Error::writing(path, &e))?;
        claim(path, &file)?;
        Ok(Self::new(path, file))
    }

    /// Forgets what was written after `extent`, and goes on from there.
    ///
    /// # Errors
    /// When the file cannot be cut.
    pub fn go_back(&mut self, extent: Extent) -> Result<()> {
        self.flush()?;
        let file = self.out.get_mut();
        file.set_len(extent.bytes)
            .and_then(|()| file.seek(SeekFrom::Start(extent.bytes)))
            .map_err(|e| Error::writing(&self.path, &e))?;
        self.written = extent;
        Ok(())
    }

    /// Waits until everything so far is on the disk; returns how much that is.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn sync(&mut self) -> Result<Extent> {
        self.flush()?;
        self.out.get_ref().sync_data().map_err(|e| Error::writing(&self.path, &e))?;
        Ok(self.written)
    }
}

/// Claims the file for this process, where the system can: two writers would garble the run. Elsewhere than on Unix a lock
/// would keep readers out as well.
fn claim(path: &Path, file: &File) -> Result<()> {
    if cfg!(unix) && matches!(file.try_lock(), Err(TryLockError::WouldBlock)) {
        return Err(Error::input(
            Location::file(path),
            "another process is still writing this run",
            "wait for it or end it first",
        ));
    }
    Ok(())
}

impl<W: Write> RunWriter<W> {
    /// Writes to anything; `path` is what errors name.
    pub fn new(path: &Path, out: W) -> Self {
        Self {
            path: path.to_owned(),
            out: BufWriter::with_capacity(1 << 16, out),
            line: Vec::new(),
            written: Extent::default(),
            flushed: Instant::now(),
        }
    }

    /// Records one event; those that are for the screen alone are passed over. Everything so far is flushed at each
    /// event that is not an optimiser step, and at steps that are far apart.
    ///
    /// # Errors
    /// When it cannot be written (a full disk); the error names the file.
    pub fn write(&mut self, event: &TrainerEvent) -> Result<()> {
        if !event.is_recorded() {
            return Ok(());
        }
        self.line.clear();
        serde_json::to_writer(&mut self.line, event)
            .map_err(|e| Error::failed(format!("{}: an event cannot be written: {e}", self.path.display())))?;
        self.line.push(b'\n');
        self.out.write_all(&self.line).map_err(|e| Error::writing(&self.path, &e))?;
        self.written.bytes += self.line.len() as u64;
        self.written.lines += 1;
        let waits = matches!(event, TrainerEvent::Step(_)) && self.flushed.elapsed() < PATIENCE;
        if waits { Ok(()) } else { self.flush() }
    }

    /// Hands everything to the operating system; also happens on drop, where an error has nobody to be told to.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn flush(&mut self) -> Result<()> {
        self.flushed = Instant::now();
        self.out.flush().map_err(|e| Error::writing(&self.path, &e))
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail")]

    use std::io;
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::history::fixture::{evaluation, run, stage};
    use crate::protocol::{MetricKey, RunPhase, StepMetrics};

    /// A disk of a few bytes.
    #[derive(Clone)]
    struct Disk {
        bytes: Arc<Mutex<Vec<u8>>>,
        size: usize,
    }

    impl Write for Disk {
        fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
            let mut bytes = self.bytes.lock().unwrap();
            let room = (self.size - bytes.len()).min(buffer.len());
            if room == 0 && !buffer.is_empty() {
                return Err(io::ErrorKind::StorageFull.into());
            }
            bytes.extend_from_slice(&buffer[..room]);
            Ok(room)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn disk(size: usize) -> (Disk, RunWriter<Disk>) {
        let disk = Disk { bytes: Arc::default(), size };
        (disk.clone(), RunWriter::new(Path::new("run/events.jsonl"), disk))
    }

    fn step(step: u64) -> TrainerEvent {
        let metrics = [(MetricKey::LOSS, 0.5)].into_iter().collect();
        TrainerEvent::Step(StepMetrics { step, stage: 0, metrics })
    }

    #[test]
    fn steps_are_buffered_and_everything_else_is_flushed() {
        let (disk, mut writer) = disk(1 << 20);
        let lines = || disk.bytes.lock().unwrap().iter().filter(|&&b| b == b'\n').count();
        writer.write(&TrainerEvent::RunStarted(Box::new(run(1, 0, vec![stage("SFT", false, 9)])))).unwrap();
        assert_eq!(lines(), 1);
        writer.write(&step(1)).unwrap();
        assert_eq!(lines(), 1);
        writer.write(&TrainerEvent::from(evaluation(1, 0, 1, &[], 0.0))).unwrap();
        assert_eq!(lines(), 3);
        writer.write(&TrainerEvent::Speed { tokens_per_second: 1.0, seconds_left: 1.0 }).unwrap();
        writer.write(&TrainerEvent::Phase { phase: RunPhase::Evaluating, step: 1 }).unwrap();
        writer.write(&step(2)).unwrap();
        drop(writer);
        assert_eq!(lines(), 4);
    }

    #[test]
    fn a_full_disk_is_an_error_that_names_the_file_and_keeps_earlier_lines() {
        let (disk, mut writer) = disk(100);
        writer.write(&TrainerEvent::Phase { phase: RunPhase::Running, step: 0 }).unwrap();
        let written = disk.bytes.lock().unwrap().clone();
        let error = (0..).find_map(|_| writer.write(&TrainerEvent::StageStarted { stage: 0, step: 0 }).err()).unwrap();
        assert_eq!(error.exit_status(), 1);
        assert!(error.to_string().starts_with("run/events.jsonl: cannot be written"), "{error}");
        assert!(disk.bytes.lock().unwrap().starts_with(&written));
    }

    #[test]
    fn a_run_goes_back_and_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        let mut writer = RunWriter::create(&path).unwrap();
        writer.write(&step(1)).unwrap();
        let kept = writer.sync().unwrap();
        assert_eq!(kept, Extent { bytes: std::fs::metadata(&path).unwrap().len(), lines: 1 });
        writer.write(&step(2)).unwrap();
        if cfg!(unix) {
            let error = RunWriter::reopen(&path).unwrap_err();
            assert_eq!(error.exit_status(), 2, "{error}");
        }
        drop(writer);
        let before = std::fs::read_to_string(&path).unwrap();
        let mut writer = RunWriter::reopen(&path).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), before, "nothing is lost yet");
        writer.go_back(kept).unwrap();
        writer.write(&step(2)).unwrap();
        assert_eq!(writer.sync().unwrap().lines, 2);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), before);
    }

    #[test]
    fn an_existing_file_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        std::fs::write(&path, "mine").unwrap();
        assert!(RunWriter::create(&path).is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
    }
}

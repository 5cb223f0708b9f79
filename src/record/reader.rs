//! Reads a run's events: tolerant of what a newer or another program adds, strict about what it says.

use std::io::{BufRead, Read};
use std::path::{Path, PathBuf};

use super::lines::Lines;
use super::packed;
use crate::error::{Error, Result};
use crate::protocol::TrainerEvent;
use crate::record::Recording;
use crate::record::import;
use crate::text::Shown;

/// Longest line that is read: an evaluation of thousands of prompts fits many times over.
pub(super) const MAX_LINE: u64 = 256 << 20;

/// Reads a whole run: a file of events, or one of the paper's (the longest run in it).
///
/// # Errors
/// When a line is broken, and when the file does not hold the start of a run; as [`import::read`].
pub fn read(path: &Path) -> Result<Recording> {
    let mut events = Vec::new();
    let warnings = read_each(RunReader::open(path)?, |event, _| {
        events.push(event);
        true
    })?;
    Ok(Recording { events, warnings })
}

/// Reads as [`read`] does and hands over one event after the other, with the bytes read up to it; ends early where `take`
/// returns `false`. Returns what was passed over, in words.
///
/// # Errors
/// As [`read`]; what came before the mistake has been handed over.
pub(super) fn read_each(mut reader: RunReader, mut take: impl FnMut(TrainerEvent, u64) -> bool) -> Result<Vec<Shown>> {
    let beginning = reader.input.fill_buf().map_err(|e| Error::reading(&reader.path, &e))?;
    if import::recognise(beginning) {
        let Recording { events, warnings } = import::read_from(&reader.path, reader.input, None)?.into_recording();
        let _ = events.into_iter().all(|event| take(event, 0));
        return Ok(warnings);
    }
    while let Some(event) = reader.next_event()? {
        if !take(event, reader.bytes) {
            return Ok(Vec::new());
        }
    }
    reader.warnings()
}

/// Reads events one by one, a line in memory at a time.
#[derive(Debug)]
pub struct RunReader<R = Box<dyn BufRead + Send>> {
    path: PathBuf,
    input: R,
    line: Vec<u8>,
    lines: Lines,
    bytes: u64,
    truncated: bool,
}

impl RunReader {
    /// Opens a file of events, plain or packed by gzip.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn open(path: &Path) -> Result<Self> {
        packed::open(path).map(|(input, _)| Self::new(path, input))
    }
}

impl<R: BufRead> RunReader<R> {
    /// Reads from anything; `path` is what errors name.
    pub fn new(path: &Path, input: R) -> Self {
        let lines = Lines::new(path);
        Self { path: path.to_owned(), input, line: Vec::new(), lines, bytes: 0, truncated: false }
    }

    /// The next event; `None` at the end. Unknown fields are ignored, unknown events skipped and counted, and a last
    /// line that breaks off (the writer was killed) is dropped.
    ///
    /// # Errors
    /// As [`Lines::take`], and when the file cannot be read.
    pub fn next_event(&mut self) -> Result<Option<TrainerEvent>> {
        loop {
            self.line.clear();
            let read = self.input.by_ref().take(MAX_LINE).read_until(b'\n', &mut self.line);
            let read = read.map_err(|e| Error::reading(&self.path, &e))?;
            if read == 0 {
                return Ok(None);
            }
            self.bytes += read as u64;
            let complete = self.line.ends_with(b"\n");
            if !complete && self.line.len() as u64 == MAX_LINE {
                self.lines.number += 1;
                return Err(self.lines.wrong("the line is longer than 256 MiB", "a run file has one event a line"));
            }
            // A line that is no JSON and has no end was being written.
            if !complete && serde_json::from_slice::<serde::de::IgnoredAny>(&self.line).is_err() {
                self.lines.number += 1;
                self.truncated = !self.line.trim_ascii().is_empty();
                return Ok(None);
            }
            if let Some(event) = self.lines.take(&self.line)? {
                return Ok(Some(event));
            }
        }
    }

    /// What was passed over. Call at the end of the file.
    ///
    /// # Errors
    /// When the file does not hold the start of a run.
    pub fn warnings(&self) -> Result<Vec<Shown>> {
        let mut warnings = self.lines.passed_over()?;
        if self.truncated {
            let (path, number) = (self.path.display(), self.lines.number);
            warnings.push(Shown::new(&format!("{path}:{number}: the last line breaks off and was dropped")));
        }
        Ok(warnings)
    }
}

#[cfg(test)]
#[path = "reader_tests.rs"]
mod tests;

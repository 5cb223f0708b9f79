//! Reads a recording in the background: whoever shows it has the first events at once, whatever the file's size.

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::packed;
use super::reader::{RunReader, read_each};
use crate::error::{Error, Result};
use crate::history::{Folder, Part, RunHistory};
use crate::protocol::TrainerEvent;
use crate::text::Shown;

/// Between two parts. Each costs the screen a frame and the way back at most this much reading.
const PART: Duration = Duration::from_millis(100);
/// Until the first part.
const FIRST: Duration = Duration::from_millis(30);
/// Parts that wait to be taken.
const WAITING: usize = 4;

/// What the reader of a recording says.
#[derive(Debug, Clone)]
pub enum Loaded {
    /// So much more.
    Part {
        /// The events.
        part: Arc<Part>,
        /// The run after them.
        after: Arc<RunHistory>,
        /// Bytes of the file that were read.
        read: u64,
        /// Bytes of the file; 0 where that is not known.
        of: u64,
    },
    /// That was all.
    Whole,
    /// That is all there is for now; more is waited for.
    Attached {
        /// How long the writer has been silent at least, where that is worth a word.
        silent: Option<Duration>,
    },
    /// The file was replaced or cut: what follows is another run, from its beginning.
    Anew,
    /// The file cannot be read any further; in one displayable line, why.
    Broken(Shown),
}

/// A thread that reads a recording until all is read or nobody listens.
#[derive(Debug)]
pub struct Loader {
    arrivals: Receiver<Loaded>,
    thread: JoinHandle<Result<Vec<Shown>>>,
}

impl Loader {
    /// Begins to read a file as [`super::read`] does.
    ///
    /// # Errors
    /// When the file cannot be opened, or the thread not started.
    pub fn start(path: &Path) -> Result<Self> {
        let (input, of) = packed::open(path)?;
        let reader = RunReader::new(path, input);
        let (sender, arrivals) = bounded(WAITING);
        let thread = std::thread::Builder::new()
            .name("recording".to_owned())
            .spawn(move || load(reader, of, &sender))
            .map_err(|e| Error::failed(format!("the thread that reads the recording cannot be started: {e}")))?;
        Ok(Self { arrivals, thread })
    }

    /// Where the parts arrive.
    pub fn arrivals(&self) -> Receiver<Loaded> {
        self.arrivals.clone()
    }

    /// What arrives while there is patience. A file that is read by then is there in whole.
    pub fn first(&self, patience: Duration) -> Vec<Loaded> {
        let end = Instant::now() + patience;
        let mut arrived = Vec::new();
        while let Ok(loaded) = self.arrivals.recv_deadline(end) {
            arrived.push(loaded);
        }
        arrived
    }

    /// Ends the reading, wherever it is; returns what was passed over, in words.
    ///
    /// # Errors
    /// What is wrong with the file, where it was read so far.
    pub fn end(self) -> Result<Vec<Shown>> {
        let Self { arrivals, thread } = self;
        drop(arrivals);
        thread.join().unwrap_or_else(|_| Err(Error::failed("the thread that reads the recording failed")))
    }
}

fn load(reader: RunReader, of: u64, sender: &Sender<Loaded>) -> Result<Vec<Shown>> {
    let mut folder = Folder::default();
    let mut due = Instant::now() + FIRST;
    let send = |folder: &mut Folder, read: u64| {
        let (part, after) = folder.take();
        sender.send(Loaded::Part { part, after, read, of }).is_ok()
    };
    let take = |event: TrainerEvent, read: u64| {
        folder.add(event);
        if Instant::now() < due {
            return true;
        }
        let heard = send(&mut folder, read);
        due = Instant::now() + PART;
        heard
    };
    let result = read_each(reader, take);
    // Whoever does not listen any more does not want to know.
    send(&mut folder, of);
    let _ = sender.send(match &result {
        Ok(_) => Loaded::Whole,
        Err(error) => Loaded::Broken(error.brief()),
    });
    result
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;

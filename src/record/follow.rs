//! Follows a run file that another program writes, perhaps on another machine: what is there at once, then what is added.
//!
//! A file is looked at a few times a second, which works on every file system. When it is cut or another takes its place,
//! reading begins anew. Out of a pipe (`tail -F … | ldyn-tui attach -`) a second beginning of a run says the same.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, ErrorKind, Read, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::lines::Lines;
use super::load::Loaded;
use super::reader::MAX_LINE;
use super::silence::Silence;
use crate::error::{Error, Result};
use crate::history::Folder;
use crate::protocol::TrainerEvent;
use crate::text::Shown;

/// Between two looks at a file that had no more.
const LOOK: Duration = Duration::from_millis(100);
/// Between two parts while much is read.
const PART: Duration = Duration::from_millis(100);
/// Parts that wait to be taken.
const WAITING: usize = 4;

/// A thread that follows a run until nobody listens.
#[derive(Debug)]
pub struct Follower {
    arrivals: Receiver<Loaded>,
    stop: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<Result<Vec<Shown>>>,
    blocks: bool,
}

/// What is followed.
enum Source {
    /// A path whose file may grow, be cut and be replaced.
    Path(Watched),
    /// What comes in until it ends.
    Pipe(Box<dyn Read + Send>),
}

impl Follower {
    /// Follows the file at `path`, which need not be there yet if `awaited`; a named pipe is read as one.
    ///
    /// # Errors
    /// When it cannot be read, or the thread not started.
    pub fn path(path: &Path, awaited: bool) -> Result<Self> {
        let file = match File::open(path) {
            Ok(file) => Some(file),
            Err(e) if awaited && e.kind() == ErrorKind::NotFound => None,
            Err(e) => return Err(Error::reading(path, &e)),
        };
        let seekable = file.as_ref().is_none_or(|file| file.metadata().is_ok_and(|meta| meta.is_file()));
        match file {
            Some(file) if !seekable => Self::start(path, Source::Pipe(Box::new(file))),
            file => Self::start(path, Source::Path(Watched::new(path, file))),
        }
    }

    /// Follows what comes in; `name` is what errors call it.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn pipe(name: &Path, input: impl Read + Send + 'static) -> Result<Self> {
        Self::start(name, Source::Pipe(Box::new(input)))
    }

    fn start(path: &Path, source: Source) -> Result<Self> {
        let (sender, arrivals) = bounded(WAITING);
        let stop = Arc::new(AtomicBool::new(false));
        let mut teller = Teller::new(path, sender, Arc::clone(&stop));
        let blocks = matches!(source, Source::Pipe(_));
        let thread = std::thread::Builder::new()
            .name("attached".to_owned())
            .spawn(move || {
                let result = match source {
                    Source::Path(watched) => teller.follow(watched),
                    Source::Pipe(input) => teller.drain(input),
                };
                teller.end(result)
            })
            .map_err(|e| Error::failed(format!("the thread that follows the run cannot be started: {e}")))?;
        Ok(Self { arrivals, stop, thread, blocks })
    }

    /// Where the parts arrive.
    pub fn arrivals(&self) -> Receiver<Loaded> {
        self.arrivals.clone()
    }

    /// What arrives until all that is there now is read, or patience ends.
    pub fn first(&self, patience: Duration) -> Vec<Loaded> {
        let end = Instant::now() + patience;
        let mut arrived = Vec::new();
        while let Ok(loaded) = self.arrivals.recv_deadline(end) {
            let all = matches!(loaded, Loaded::Attached { .. } | Loaded::Whole | Loaded::Broken(_));
            arrived.push(loaded);
            if all {
                break;
            }
        }
        arrived
    }

    /// Ends it; returns what was passed over, in words. A pipe on which nothing comes is not waited for.
    ///
    /// # Errors
    /// What is wrong with the run, where it was read so far.
    pub fn end(self) -> Result<Vec<Shown>> {
        let Self { arrivals, stop, thread, blocks } = self;
        stop.store(true, Ordering::Relaxed);
        drop(arrivals);
        if blocks && !thread.is_finished() {
            return Ok(Vec::new());
        }
        thread.join().unwrap_or_else(|_| Err(Error::failed("the thread that follows the run failed")))
    }
}

/// A file under a path, and how far it is read.
struct Watched {
    path: PathBuf,
    input: Option<BufReader<File>>,
    read: u64,
}

/// What a look at the file found.
enum Look {
    /// So many more bytes than were read; none, mostly.
    More,
    /// It was cut, or another file has its place.
    Another,
}

impl Watched {
    fn new(path: &Path, file: Option<File>) -> Self {
        Self { path: path.to_owned(), input: file.map(buffered), read: 0 }
    }

    /// Whether the path still leads to what is read.
    fn look(&mut self) -> Look {
        let (Some(input), Ok(now)) = (&self.input, fs::metadata(&self.path)) else {
            // A file that is gone for now may come back as another.
            return if self.input.is_none() && self.path.exists() { Look::Another } else { Look::More };
        };
        let cut = now.len() < self.read;
        let same = input.get_ref().metadata().is_ok_and(|open| identity(&open) == identity(&now));
        if cut || !same { Look::Another } else { Look::More }
    }

    /// Begins anew with the file that the path leads to now; without one it is waited for.
    fn reopen(&mut self) {
        self.input = File::open(&self.path).ok().map(buffered);
        self.read = 0;
    }

    /// The next whole line, appended to `line`; `false` where there is none yet.
    fn next_line(&mut self, line: &mut Vec<u8>) -> std::io::Result<bool> {
        let Some(input) = &mut self.input else { return Ok(false) };
        let n = input.by_ref().take(MAX_LINE).read_until(b'\n', line)?;
        if line.ends_with(b"\n") || line.len() as u64 >= MAX_LINE {
            self.read += n as u64;
            return Ok(true);
        }
        // The writer is in the middle of it: the same bytes are read again, in case they are changed till then.
        line.clear();
        input.seek(SeekFrom::Start(self.read))?;
        Ok(false)
    }

    fn len(&self) -> u64 {
        let file = self.input.as_ref().and_then(|input| input.get_ref().metadata().ok());
        file.map_or(self.read, |file| file.len())
    }

    /// How long ago the file was written to.
    fn age(&self) -> Duration {
        let written = self.input.as_ref().and_then(|input| input.get_ref().metadata().ok()?.modified().ok());
        written.and_then(|at| SystemTime::now().duration_since(at).ok()).unwrap_or_default()
    }
}

fn buffered(file: File) -> BufReader<File> {
    BufReader::with_capacity(1 << 16, file)
}

/// What tells one file from another in its place.
#[cfg(unix)]
fn identity(file: &fs::Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt as _;
    (file.dev(), file.ino())
}

/// What tells one file from another in its place, where files have no numbers.
#[cfg(not(unix))]
fn identity(file: &fs::Metadata) -> Option<SystemTime> {
    file.created().ok()
}

/// Says what was read.
struct Teller {
    path: PathBuf,
    sender: Sender<Loaded>,
    stop: Arc<AtomicBool>,
    lines: Lines,
    folder: Folder,
    /// Whether something of this run was told.
    begun: bool,
    ended: bool,
    silence: Silence,
    due: Instant,
}

impl Teller {
    fn new(path: &Path, sender: Sender<Loaded>, stop: Arc<AtomicBool>) -> Self {
        Self {
            path: path.to_owned(),
            sender,
            stop,
            lines: Lines::new(path),
            folder: Folder::default(),
            begun: false,
            ended: false,
            silence: Silence::new(Duration::ZERO),
            due: Instant::now(),
        }
    }

    /// Whether nobody wants to know any more.
    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Takes a line; `false` where nobody listens.
    fn take(&mut self, line: &[u8], read: u64, of: u64) -> Result<bool> {
        if self.begun && begins_a_run(line) && !self.anew() {
            return Ok(false);
        }
        let Some(event) = self.lines.take(line)? else { return Ok(true) };
        self.begun |= self.lines.has_run();
        self.ended = matches!(&event, TrainerEvent::Phase { phase, .. } if phase.is_terminal());
        self.folder.add(event);
        Ok(Instant::now() < self.due || self.tell(read, of))
    }

    /// Hands over what was read since; `false` where nobody listens.
    fn tell(&mut self, read: u64, of: u64) -> bool {
        self.due = Instant::now() + PART;
        if self.folder.pending() == 0 {
            return true;
        }
        let (part, after) = self.folder.take();
        self.sender.send(Loaded::Part { part, after, read, of }).is_ok()
    }

    /// Another run takes this one's place; `false` where nobody listens.
    fn anew(&mut self) -> bool {
        (self.lines, self.folder) = (Lines::new(&self.path), Folder::default());
        (self.begun, self.ended) = (false, false);
        self.sender.send(Loaded::Anew).is_ok()
    }

    /// Says that all there is was read and more is waited for; `false` where nobody listens.
    fn attached(&mut self, silent: Option<Duration>) -> bool {
        self.sender.send(Loaded::Attached { silent: silent.filter(|_| !self.ended) }).is_ok()
    }

    fn follow(&mut self, mut watched: Watched) -> Result<()> {
        let mut line = Vec::new();
        let (mut behind, mut again) = (true, false);
        self.silence = Silence::new(watched.age());
        while !self.stopped() {
            line.clear();
            if watched.next_line(&mut line).map_err(|e| Error::reading(&self.path, &e))? {
                if line.len() as u64 >= MAX_LINE {
                    return Err(self.lines.wrong("the line is longer than 256 MiB", "a run file has one event a line"));
                }
                let (read, of) = (watched.read, watched.len());
                if !behind {
                    self.silence.broken();
                }
                match self.take(&line, read, of) {
                    Ok(true) => {}
                    Ok(false) => return Ok(()),
                    Err(error) if !self.begun => return Err(error),
                    // A file that was cut and filled again since the last look reads like a broken one: once more.
                    Err(_) if !again => {
                        again = true;
                        watched.reopen();
                        if !self.anew() {
                            return Ok(());
                        }
                    }
                    Err(error) => {
                        if !self.broken(&error) || !self.wait_for_another(&mut watched) {
                            return Err(error);
                        }
                        again = false;
                    }
                }
                behind = true;
                continue;
            }
            let read = watched.read;
            if !self.tell(read, read) {
                return Ok(());
            }
            if matches!(watched.look(), Look::Another) {
                watched.reopen();
                again = false;
                if !self.anew() {
                    return Ok(());
                }
                continue;
            }
            let news = self.silence.news();
            if (behind || news) && !self.attached(self.silence.told()) {
                return Ok(());
            }
            behind = false;
            std::thread::sleep(LOOK);
        }
        Ok(())
    }

    /// Says that the file cannot be read any further; `false` where nobody listens.
    fn broken(&mut self, error: &Error) -> bool {
        self.tell(0, 0) && self.sender.send(Loaded::Broken(error.brief())).is_ok()
    }

    /// Waits until the file is cut or replaced; `false` where nobody listens any more.
    fn wait_for_another(&mut self, watched: &mut Watched) -> bool {
        while !self.stopped() {
            if matches!(watched.look(), Look::Another) {
                watched.reopen();
                return self.anew();
            }
            std::thread::sleep(LOOK);
        }
        false
    }

    /// A pipe: a thread of its own waits for its lines, so that this one can say that none come.
    fn drain(&mut self, input: Box<dyn Read + Send>) -> Result<()> {
        let (sender, lines) = bounded::<std::io::Result<Vec<u8>>>(1024);
        std::thread::Builder::new()
            .name("pipe".to_owned())
            .spawn(move || {
                let mut input = BufReader::with_capacity(1 << 16, input);
                loop {
                    let mut line = Vec::new();
                    let read = input.by_ref().take(MAX_LINE).read_until(b'\n', &mut line);
                    let line = match read {
                        Ok(0) => return,
                        Ok(_) => Ok(line),
                        Err(e) => Err(e),
                    };
                    let failed = line.is_err();
                    if sender.send(line).is_err() || failed {
                        return;
                    }
                }
            })
            .map_err(|e| Error::failed(format!("the thread that reads the pipe cannot be started: {e}")))?;
        let mut told = false;
        let mut read = 0;
        while !self.stopped() {
            match lines.recv_timeout(LOOK) {
                Ok(line) => {
                    let line = line.map_err(|e| Error::reading(&self.path, &e))?;
                    read += line.len() as u64;
                    self.silence.broken();
                    // The last line of a pipe may break off.
                    let whole = line.ends_with(b"\n") || serde_json::from_slice::<serde::de::IgnoredAny>(&line).is_ok();
                    if whole && !self.take(&line, read, read)? {
                        return Ok(());
                    }
                    if lines.is_empty() && !(self.tell(read, read) && self.attached(None)) {
                        return Ok(());
                    }
                    told = true;
                }
                Err(crossbeam_channel::RecvTimeoutError::Timeout) => {
                    let news = self.silence.news();
                    if (news || !told) && !self.attached(self.silence.told()) {
                        return Ok(());
                    }
                    told = true;
                }
                Err(crossbeam_channel::RecvTimeoutError::Disconnected) => return Ok(()),
            }
        }
        Ok(())
    }

    /// The last word.
    fn end(&mut self, result: Result<()>) -> Result<Vec<Shown>> {
        self.tell(0, 0);
        // Whoever leaves before the run has begun is not told that it never did.
        let waited = !self.begun && self.stopped();
        let result = result.and_then(|()| if waited { Ok(Vec::new()) } else { self.lines.passed_over() });
        // Whoever does not listen any more does not want to know.
        let _ = self.sender.send(match &result {
            Ok(_) => Loaded::Whole,
            Err(error) => Loaded::Broken(error.brief()),
        });
        result
    }
}

/// Whether a line is the start of a run.
fn begins_a_run(line: &[u8]) -> bool {
    #[derive(serde::Deserialize)]
    struct Tag {
        event: String,
    }
    let near = line.iter().take(64).copied().collect::<Vec<u8>>();
    near.windows(11).any(|w| w == b"run_started")
        && serde_json::from_slice::<Tag>(line).is_ok_and(|tag| tag.event == "run_started")
}

#[cfg(test)]
#[path = "follow_tests.rs"]
mod tests;

//! A recording of what is drawn on the terminal, as it is drawn. A session has one terminal and so one tape: it goes on
//! from one screen to the next.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use ratatui::layout::Rect;

use crate::error::{Error, Result};
use crate::export::cast::Cast;
use crate::text::Shown;

static TAPE: Mutex<Option<Tape>> = Mutex::new(None);

/// A file that is recorded to.
struct Tape {
    path: PathBuf,
    film: Film,
}

enum Film {
    /// Nothing has been drawn.
    Blank(File),
    /// The size of the terminal, and when it was last drawn on.
    Running(Cast<File>, (u16, u16), Instant),
}

/// Begins to record into a new file what is drawn from here on.
///
/// # Errors
/// When the file is there already or cannot be made.
pub fn begin(path: &Path) -> Result<()> {
    let file = OpenOptions::new().write(true).create_new(true).open(path).map_err(|e| Error::writing(path, &e))?;
    let tape = Tape { path: path.to_owned(), film: Film::Blank(file) };
    *TAPE.lock().unwrap_or_else(PoisonError::into_inner) = Some(tape);
    Ok(())
}

/// Records what was written to a terminal of this size. Returns why the recording has ended, if it has: the session goes on.
pub fn record(area: Rect, written: &[u8]) -> Option<Shown> {
    let mut tape = TAPE.lock().unwrap_or_else(PoisonError::into_inner);
    let Tape { path, film } = tape.take()?;
    match film.record((area.width, area.height), written) {
        Ok(film) => {
            *tape = Some(Tape { path, film });
            None
        }
        Err(why) => Some(Shown::new(&Error::writing(&path, &why).to_string())),
    }
}

impl Film {
    fn record(self, size: (u16, u16), written: &[u8]) -> std::io::Result<Self> {
        let now = Instant::now();
        let (mut cast, before, last) = match self {
            Self::Blank(file) => (Cast::begin(file, size, None, &Shown::new("ldyn-tui"))?, size, now),
            Self::Running(cast, before, last) => (cast, before, last),
        };
        let mut after = now - last;
        if size != before {
            cast.resized(std::mem::take(&mut after), size)?;
        }
        cast.output(after, &String::from_utf8_lossy(written))?;
        Ok(Self::Running(cast, size, now))
    }
}

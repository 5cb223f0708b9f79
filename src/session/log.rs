//! The run's log, and panics that print nothing hostile.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use crate::error::{Error, Result};
use crate::text::Shown;

/// The log of the run that is going on; lines before the first run go nowhere.
static LOG: Mutex<Option<File>> = Mutex::new(None);

/// Writes every line to the current log.
struct CurrentLog;

impl Write for CurrentLog {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match LOG.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            Some(file) => file.write(bytes),
            None => Ok(bytes.len()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Makes that file the log from here on.
pub(super) fn write_to(path: &Path) -> Result<()> {
    let file = File::options().create(true).append(true).open(path).map_err(|e| Error::writing(path, &e))?;
    *LOG.lock().unwrap_or_else(PoisonError::into_inner) = Some(file);
    // The second run of a process finds the subscriber in place.
    let subscriber =
        tracing_subscriber::fmt().with_ansi(false).with_writer(|| CurrentLog).with_max_level(tracing::Level::INFO);
    let _ = tracing::subscriber::set_global_default(subscriber.finish());
    Ok(())
}

/// Panic messages go to the log; those of the trainer and of the Parquet reader nowhere else, since they become errors,
/// and others to stderr, displayable. The dashboard's own hook takes over while it has the terminal.
pub(crate) fn catch_panics() {
    std::panic::set_hook(Box::new(|info| {
        let message = Shown::new(&info.to_string());
        tracing::error!("{message}");
        if !matches!(std::thread::current().name(), Some("trainer" | "parquet")) {
            let _ = writeln!(io::stderr(), "error: internal: {message}");
        }
    }));
}

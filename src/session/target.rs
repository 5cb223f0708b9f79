//! The meaning of a path on the command line.

use std::io::Write as _;
use std::path::Path;

use crate::error::{Error, Location, Result};

/// Writes a file that is not there yet.
pub(super) fn create(file: &Path, text: &str) -> Result<()> {
    match std::fs::OpenOptions::new().write(true).create_new(true).open(file) {
        Ok(mut out) => out.write_all(text.as_bytes()).map_err(|e| Error::writing(file, &e)),
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => Err(is_there(file)),
        Err(e) => Err(Error::writing(file, &e)),
    }
}

/// Says before the work that makes a file whether it can be written at its end.
pub(super) fn absent(file: &Path) -> Result<()> {
    if file.exists() { Err(is_there(file)) } else { Ok(()) }
}

fn is_there(file: &Path) -> Error {
    Error::input(Location::file(file), "is there already", "name another file, or remove this one")
}

/// Whether a target of `verify` is an experiment, and no recorded run.
pub(super) fn is_experiment(path: &Path) -> bool {
    !path.exists() || path.extension().is_some_and(|e| e == "ron")
}

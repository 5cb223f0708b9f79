//! The meaning of a path on the command line.

use std::io::Write as _;
use std::path::Path;

use crate::error::{Error, Location, Result};

/// Writes a file that is not there yet.
pub(super) fn create(file: &Path, text: &str) -> Result<()> {
    match std::fs::OpenOptions::new().write(true).create_new(true).open(file) {
        Ok(mut out) => out.write_all(text.as_bytes()).map_err(|e| Error::writing(file, &e)),
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
            Err(Error::input(Location::file(file), "is there already", "name another file, or remove this one"))
        }
        Err(e) => Err(Error::writing(file, &e)),
    }
}

/// Whether a target of `verify` is an experiment, and no recorded run.
pub(super) fn is_experiment(path: &Path) -> bool {
    !path.exists() || path.extension().is_some_and(|e| e == "ron")
}

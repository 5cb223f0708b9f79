//! Files of strangers: opened where they are regular files, read where they are short, refused where Git LFS left a
//! stand-in.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use crate::data::pointer;
use crate::error::{Error, Location, Result};

/// The file of a checkpoint that is not sharded.
pub(super) const SINGLE: &str = "model.safetensors";
/// The file that says which shard holds which tensor.
pub(super) const INDEX: &str = "model.safetensors.index.json";

pub(super) fn refuse(path: &Path, problem: impl AsRef<str>, advice: &str) -> Result<()> {
    Err(Error::input(Location::file(path), problem, advice))
}

/// Opens a regular file: a pipe would wait, a device would never end.
pub(super) fn open_regular(path: &Path) -> Result<File> {
    let metadata = std::fs::metadata(path).map_err(|e| Error::reading(path, &e))?;
    if !metadata.is_file() {
        return Err(Error::input(
            Location::file(path),
            "is not a regular file",
            "name a file with contents of its own",
        ));
    }
    File::open(path).map_err(|e| Error::reading(path, &e))
}

/// Reads a whole file of at most `limit` bytes.
pub(super) fn read_small(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let file = open_regular(path)?;
    pointer::refuse(path)?;
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes).map_err(|e| Error::reading(path, &e))?;
    if bytes.len() as u64 > limit {
        let problem = format!("is larger than {limit} bytes");
        return Err(Error::input(
            Location::file(path),
            problem,
            "a file of this name is never that large: is it another?",
        ));
    }
    Ok(bytes)
}

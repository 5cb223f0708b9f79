//! Files of strangers: opened where they are regular files, read where they are short, refused where Git LFS left a
//! stand-in.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use crate::error::{Error, Location, Result};

/// The first words of a stand-in that Git leaves where large files are kept elsewhere (Git LFS).
const POINTER: &[u8] = b"version https://git-lfs";

/// Says that a file is a stand-in for one that Git LFS keeps elsewhere.
pub(super) fn pointer(path: &Path) -> Result<()> {
    let mut start = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(POINTER.len() as u64).read_to_end(&mut start));
    if read.is_err() || start != POINTER {
        return Ok(());
    }
    refuse(
        path,
        "is a pointer of Git LFS: the file that it stands for was not downloaded",
        "in its repository: git lfs install && git lfs pull; or download the file from the hub",
    )
}

pub(super) fn refuse(path: &Path, problem: impl AsRef<str>, advice: &str) -> Result<()> {
    Err(Error::input(Location::file(path), problem, advice))
}

/// Opens a regular file: a pipe would wait, a device would never end.
pub(super) fn open_regular(path: &Path) -> Result<File> {
    let metadata = std::fs::metadata(path).map_err(|e| Error::reading(path, &e))?;
    if !metadata.is_file() {
        return Err(Error::input(Location::file(path), "is no regular file", "name a file with contents of its own"));
    }
    File::open(path).map_err(|e| Error::reading(path, &e))
}

/// Reads a whole file of at most `limit` bytes.
pub(super) fn read_small(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let file = open_regular(path)?;
    pointer(path)?;
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

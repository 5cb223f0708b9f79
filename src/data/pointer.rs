//! Stand-ins that Git leaves where large files are kept elsewhere (Git LFS).

use std::io::Read as _;
use std::path::Path;

use crate::error::{Error, Location, Result};

/// The first words of a stand-in.
const POINTER: &[u8] = b"version https://git-lfs";

/// Refuses a file that is a stand-in for one that Git LFS keeps elsewhere.
pub(crate) fn refuse(path: &Path) -> Result<()> {
    let mut start = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(POINTER.len() as u64).read_to_end(&mut start));
    if read.is_err() || start != POINTER {
        return Ok(());
    }
    let problem = "is a pointer of Git LFS: the file that it stands for was not downloaded";
    let advice = "in its repository: git lfs install && git lfs pull; or download the file from the hub";
    Err(Error::input(Location::file(path), problem, advice))
}

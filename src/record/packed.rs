//! Files packed by gzip, read as if they were plain.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

use crate::error::{Error, Result};

/// What a file packed by gzip begins with.
pub(super) const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Opens a run file, plain or packed. Also its bytes as they will be read; 0 where that is not known before.
///
/// # Errors
/// When it cannot be read.
pub fn open(path: &Path) -> Result<(Box<dyn BufRead + Send>, u64)> {
    let failed = |e: io::Error| Error::reading(path, &e);
    let file = File::open(path).map_err(failed)?;
    let bytes = file.metadata().map_or(0, |file| file.len());
    let mut input = BufReader::with_capacity(1 << 16, file);
    let packed = input.fill_buf().map_err(failed)?.starts_with(&GZIP);
    Ok((unpacked(input).map_err(failed)?, if packed { 0 } else { bytes }))
}

/// What is read of `input`, unpacked if it is packed.
///
/// # Errors
/// When its beginning cannot be read.
pub fn unpacked<'a>(mut input: impl BufRead + Send + 'a) -> io::Result<Box<dyn BufRead + Send + 'a>> {
    let packed = input.fill_buf()?.starts_with(&GZIP);
    Ok(if packed { Box::new(BufReader::new(MultiGzDecoder::new(input))) } else { Box::new(input) })
}

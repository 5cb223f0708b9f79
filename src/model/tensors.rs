//! Tensors in files: what is there, and the numbers of one of them at a time. Nothing is believed before it was held
//! against the file's length, and no more than one tensor sits in memory here.

use std::collections::BTreeMap;
use std::io::{Cursor, Read, Seek, SeekFrom};
use std::path::PathBuf;

use super::files::open_regular;
use super::gguf::quant::ElementType;
use crate::data::pointer;
use crate::error::{Error, Location, Result};

/// Bytes that are read at once, about.
const CHUNK: usize = 1 << 20;

/// Anything that can be read from the middle.
pub(super) trait ReadSeek: Read + Seek {}
impl<T: Read + Seek> ReadSeek for T {}

/// A file, or one that is part of the program.
#[derive(Debug, Clone)]
pub(super) struct Blob {
    /// What errors call it, and where it lies unless it is embedded.
    pub(super) path: PathBuf,
    embedded: Option<&'static [u8]>,
}

impl Blob {
    pub(super) fn file(path: PathBuf) -> Self {
        Self { path, embedded: None }
    }

    pub(super) fn embedded(path: PathBuf, bytes: &'static [u8]) -> Self {
        Self { path, embedded: Some(bytes) }
    }

    /// Opens it; the length in bytes comes along.
    pub(super) fn open(&self) -> Result<(Box<dyn ReadSeek>, u64)> {
        match self.embedded {
            Some(bytes) => Ok((Box::new(Cursor::new(bytes)), bytes.len() as u64)),
            None => {
                let file = open_regular(&self.path)?;
                pointer::refuse(&self.path)?;
                let length = file.metadata().map_err(|e| Error::reading(&self.path, &e))?.len();
                Ok((Box::new(file), length))
            }
        }
    }

    pub(super) fn error(&self, problem: impl AsRef<str>, advice: &str) -> Error {
        Error::input(Location::file(&self.path), problem, advice)
    }
}

/// The place of a tensor in its file, and its form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// The tensor's file, an index into the list of files.
    pub(super) file: usize,
    /// The tensor's elements; the name of the type where it is none that can be trained.
    pub(super) element: Result<ElementType, String>,
    /// Outermost first.
    pub(super) shape: Vec<usize>,
    /// First byte in the file.
    pub(super) offset: u64,
    /// The tensor's bytes; they lie within the file.
    pub(super) bytes: u64,
}

/// Every tensor of a checkpoint.
#[derive(Debug, Clone, Default)]
pub(super) struct TensorFiles {
    pub(super) files: Vec<Blob>,
    pub(super) tensors: BTreeMap<String, Entry>,
}

impl TensorFiles {
    /// The file of a tensor.
    pub(super) fn file_of(&self, entry: &Entry) -> &Blob {
        &self.files[entry.file]
    }

    /// The numbers of a tensor in row-major order.
    ///
    /// # Errors
    /// When there is no such tensor, it cannot be read, its elements are of an unknown type, or one is not finite.
    pub(super) fn read(&self, name: &str) -> Result<Vec<f32>> {
        let entry = self.tensors.get(name).ok_or_else(|| Error::failed(format!("the checkpoint lacks {name}")))?;
        let blob = self.file_of(entry);
        let element = entry.element.as_ref().map_err(|other| unknown_element(blob, name, other))?;
        let (mut file, length) = blob.open()?;
        if entry.offset.checked_add(entry.bytes).is_none_or(|end| end > length) {
            return Err(blob.error(
                format!("ends before the tensor {name} does"),
                "it was cut short since it was opened; copy it again",
            ));
        }
        file.seek(SeekFrom::Start(entry.offset)).map_err(|e| Error::reading(&blob.path, &e))?;
        let mut values = Vec::with_capacity(entry.shape.iter().product());
        let whole_blocks = CHUNK / element.block_bytes() * element.block_bytes();
        let mut buffer = vec![0; whole_blocks.min(usize::try_from(entry.bytes).unwrap_or(usize::MAX))];
        let mut left = entry.bytes;
        while left > 0 {
            let part = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            file.read_exact(&mut buffer[..part]).map_err(|e| Error::reading(&blob.path, &e))?;
            let before = values.len();
            element.decode(&buffer[..part], &mut values);
            if let Some(at) = values[before..].iter().position(|x| !x.is_finite()) {
                return Err(blob.error(
                    format!("{name} holds {} at element {}", values[before + at], before + at),
                    "a checkpoint with numbers that are not finite cannot be trained",
                ));
            }
            left -= part as u64;
        }
        Ok(values)
    }
}

/// A tensor whose elements cannot be read.
pub(super) fn unknown_element(blob: &Blob, name: &str, element: &str) -> Error {
    blob.error(
        format!("{name} has element type {element}"),
        "convert the checkpoint to F32, F16 or BF16 (a GGUF file may also hold Q8_0, Q4, Q5 and K-quants)",
    )
}

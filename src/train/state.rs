//! The state of a run, as something that can be written down: all that decides its future, between two optimiser steps.
//!
//! The format is one safetensors file: the arrays by name, in full precision; [`Position`] and the notes of whoever writes
//! it as JSON in the metadata. The same state gives the same bytes. The last array is the CRC-32 of every byte before it. Arrays are read off the device one by
//! one while they are written, so that writing takes the memory of the largest one.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};
use serde::{Deserialize, Serialize};

use crate::backend::floats;
use crate::error::{Error, Location, Result};

/// Version of the format; another one is refused.
const FORMAT: u32 = 1;
/// Longest header, bytes: safetensors' own limit.
const MAX_HEADER: u64 = 100_000_000;
/// The entry of the metadata that holds the [`Head`]: the only one, since safetensors writes several in any order.
const HEAD: &str = "ldyn-tui";
/// The array that holds the checksum, at the end of the file.
const CHECKSUM: &str = "checksum";
/// Bytes of the checksum.
const CHECKSUM_BYTES: u64 = 4;

/// The position of a run: its state but for the arrays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// A checksum of what the run was begun on: data, tokens, probes, model.
    pub fingerprint: u32,
    /// The stage under way.
    pub stage: usize,
    /// Optimiser steps taken in it.
    pub taken: u64,
    /// Optimiser steps taken since the run began.
    pub step: u64,
    /// Tokens seen by the optimiser since the run began.
    pub tokens: u64,
    /// The step last measured.
    pub measured: Option<u64>,
    /// The step of the measurement that the stage began with.
    pub stage_start: Option<u64>,
    /// The step of the latest measurement whose distributions are kept.
    pub latest: Option<u64>,
    /// Position of the random generator where answers are sampled, in 32-bit words.
    pub drawn: Option<u128>,
}

/// What the metadata says.
#[derive(Serialize, Deserialize)]
struct Head {
    format: u32,
    position: Position,
    notes: BTreeMap<String, String>,
}

/// An array on its way into a file: its numbers are asked for when they are written.
pub struct Array {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Box<dyn Fn() -> Vec<u8>>,
}

impl Array {
    /// A tensor, in single precision.
    pub(super) fn tensor<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> Self {
        Self::f32(tensor.dims().into(), move || floats(tensor.clone()))
    }

    /// Numbers in single precision.
    pub(super) fn f32(shape: Vec<usize>, read: impl Fn() -> Vec<f32> + 'static) -> Self {
        Self { dtype: Dtype::F32, shape, bytes: Box::new(move || bytes(&read(), f32::to_le_bytes)) }
    }

    /// Numbers in double precision, one dimension.
    pub(super) fn f64(values: Vec<f64>) -> Self {
        Self { dtype: Dtype::F64, shape: vec![values.len()], bytes: Box::new(move || bytes(&values, f64::to_le_bytes)) }
    }

    /// Whole numbers, one dimension.
    pub(super) fn u32(values: Vec<u32>) -> Self {
        Self { dtype: Dtype::U32, shape: vec![values.len()], bytes: Box::new(move || bytes(&values, u32::to_le_bytes)) }
    }

    fn len(&self) -> usize {
        self.shape.iter().product::<usize>() * self.dtype.bitsize() / 8
    }
}

pub(super) fn bytes<T: Copy, const N: usize>(values: &[T], of: fn(T) -> [u8; N]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(N * values.len());
    for &value in values {
        bytes.extend_from_slice(&of(value));
    }
    bytes
}

/// The state of a run that a trainer hands over, to be written somewhere.
pub struct TrainerState {
    position: Position,
    arrays: Vec<(String, Array)>,
}

impl TrainerState {
    /// A state without arrays.
    pub(super) fn new(position: Position) -> Self {
        Self { position, arrays: Vec::new() }
    }

    /// Adds an array.
    pub(super) fn add(&mut self, name: impl Into<String>, array: Array) {
        self.arrays.push((name.into(), array));
    }

    /// A small state of a step.
    #[cfg(test)]
    pub(crate) fn example(step: u64) -> Self {
        let mut state = Self::new(Position { step, ..Position::default() });
        state.add("weights.w", Array::f32(vec![100, 2], || vec![0.5; 200]));
        state
    }

    /// Optimiser steps taken.
    pub fn step(&self) -> u64 {
        self.position.step
    }

    /// Bytes that it takes where it is written without notes.
    ///
    /// # Errors
    /// When it cannot be described.
    pub fn bytes(&self) -> io::Result<u64> {
        let arrays: usize = self.arrays.iter().map(|(_, array)| array.len()).sum();
        Ok(8 + (self.header(&[])?.len() + arrays) as u64 + CHECKSUM_BYTES)
    }

    /// The header of the file.
    fn header(&self, notes: &[(&str, String)]) -> io::Result<Vec<u8>> {
        let notes = notes.iter().map(|(name, note)| ((*name).to_owned(), note.clone())).collect();
        let head = Head { format: FORMAT, position: self.position.clone(), notes };
        let metadata = HashMap::from([(HEAD.to_owned(), serde_json::to_string(&head)?)]);
        let checksum = Array::u32(vec![0]);
        let mut end = 0;
        let mut info = |name: &str, array: &Array| {
            let start = end;
            end += array.len();
            let info = TensorInfo { dtype: array.dtype, shape: array.shape.clone(), data_offsets: (start, end) };
            (name.to_owned(), info)
        };
        let mut infos: Vec<_> = self.arrays.iter().map(|(name, array)| info(name, array)).collect();
        infos.push(info(CHECKSUM, &checksum));
        let header = Metadata::new(Some(metadata), infos).map_err(io::Error::other)?;
        let mut header = serde_json::to_vec(&header)?;
        header.resize(header.len().next_multiple_of(8), b' ');
        Ok(header)
    }

    /// Writes it, with notes.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, notes: &[(&str, String)], out: &mut dyn Write) -> io::Result<()> {
        let header = self.header(notes)?;
        let mut hasher = crc32fast::Hasher::new();
        let mut put = |bytes: &[u8]| {
            hasher.update(bytes);
            out.write_all(bytes)
        };
        put(&(header.len() as u64).to_le_bytes())?;
        put(&header)?;
        for (name, array) in &self.arrays {
            let bytes = (array.bytes)();
            if bytes.len() != array.len() {
                return Err(io::Error::other(format!("{name} has {} bytes, not {}", bytes.len(), array.len())));
            }
            put(&bytes)?;
        }
        out.write_all(&hasher.finalize().to_le_bytes())
    }
}

/// Bytes that can be read anywhere.
trait Source: Read + Seek + Send {}
impl<R: Read + Seek + Send> Source for R {}

/// A state that was written: known to be whole, its arrays not yet in memory.
pub struct SavedState {
    path: PathBuf,
    input: Box<dyn Source>,
    header: Metadata,
    /// The byte at which the arrays begin.
    start: u64,
    position: Position,
    notes: BTreeMap<String, String>,
}

impl SavedState {
    /// Opens a state and checks that it is whole; `path` is what errors name.
    ///
    /// # Errors
    /// When it is cut short, damaged, or of another version.
    pub fn open(path: &Path, mut input: impl Read + Seek + Send + 'static) -> Result<Self> {
        let unreadable = |e: io::Error| Error::reading(path, &e);
        let length = input.seek(SeekFrom::End(0)).map_err(unreadable)?;
        input.rewind().map_err(unreadable)?;
        let mut size = [0; 8];
        let header = match input.read_exact(&mut size).map(|()| u64::from_le_bytes(size)) {
            Ok(size) if size <= MAX_HEADER.min(length.saturating_sub(8)) => {
                let mut bytes = Vec::new();
                input.by_ref().take(size).read_to_end(&mut bytes).map_err(unreadable)?;
                bytes
            }
            _ => return Err(damaged(path, "its header is cut short")),
        };
        let start = 8 + header.len() as u64;
        let header: Metadata =
            serde_json::from_slice(&header).map_err(|e| damaged(path, &format!("its header cannot be read: {e}")))?;
        let expected = start.saturating_add(header.data_len() as u64);
        if expected != length {
            return Err(damaged(path, &format!("it has {length} bytes, and its header says {expected}")));
        }
        #[derive(Deserialize)]
        struct Version {
            format: u32,
        }
        let head = header.metadata().as_ref().and_then(|entries| entries.get(HEAD)).map_or("", String::as_str);
        if serde_json::from_str::<Version>(head).map_or(true, |version| version.format != FORMAT) {
            return Err(Error::input(
                Location::file(path),
                format!("cannot be resumed from: it is of another version (this program writes version {FORMAT})"),
                "resume the run with the program that wrote it, or train anew",
            ));
        }
        let Head { position, notes, .. } = serde_json::from_str(head)
            .map_err(|e| damaged(path, &format!("where the run stands cannot be read: {e}")))?;
        let mut this = Self { path: path.to_owned(), input: Box::new(input), header, start, position, notes };
        this.check(length)?;
        Ok(this)
    }

    /// Compares the checksum.
    fn check(&mut self, length: u64) -> Result<()> {
        let stored = self.u32(CHECKSUM, 1)?;
        self.input.rewind().map_err(|e| Error::reading(&self.path, &e))?;
        let mut summed = BufReader::with_capacity(1 << 20, self.input.by_ref().take(length - CHECKSUM_BYTES));
        let mut hasher = crc32fast::Hasher::new();
        let mut chunk = vec![0; 1 << 20];
        loop {
            match summed.read(&mut chunk).map_err(|e| Error::reading(&self.path, &e))? {
                0 => break,
                n => hasher.update(&chunk[..n]),
            }
        }
        if stored == [hasher.finalize()] { Ok(()) } else { Err(self.damaged("its checksum is wrong")) }
    }

    /// The position of the run.
    pub fn position(&self) -> &Position {
        &self.position
    }

    /// A note of whoever wrote it.
    pub fn note(&self, name: &str) -> Option<&str> {
        self.notes.get(name).map(String::as_str)
    }

    /// An error that names the file.
    pub fn damaged(&self, problem: &str) -> Error {
        damaged(&self.path, problem)
    }

    /// Whether there is such an array.
    pub(super) fn has(&self, name: &str) -> bool {
        self.header.info(name).is_some()
    }

    /// Numbers in single precision, of the given shape.
    pub(super) fn f32(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        self.read(name, Dtype::F32, Some(shape), f32::from_le_bytes)
    }

    /// So many numbers in double precision.
    pub(super) fn f64(&mut self, name: &str, length: usize) -> Result<Vec<f64>> {
        self.read(name, Dtype::F64, Some(&[length]), f64::from_le_bytes)
    }

    /// So many whole numbers.
    pub(super) fn u32(&mut self, name: &str, length: usize) -> Result<Vec<u32>> {
        self.read(name, Dtype::U32, Some(&[length]), u32::from_le_bytes)
    }

    /// Whole numbers, as many as there are.
    pub(super) fn u32_list(&mut self, name: &str) -> Result<Vec<u32>> {
        self.read(name, Dtype::U32, None, u32::from_le_bytes)
    }

    fn read<T, const N: usize>(
        &mut self,
        name: &str,
        dtype: Dtype,
        shape: Option<&[usize]>,
        of: fn([u8; N]) -> T,
    ) -> Result<Vec<T>> {
        let info = self.header.info(name).ok_or_else(|| self.damaged(&format!("it lacks {name}")))?;
        if info.dtype != dtype || shape.is_some_and(|shape| info.shape != shape) {
            let (found, wanted) = (&info.shape, shape.unwrap_or_default());
            return Err(
                self.damaged(&format!("{name} is {:?} {found:?}, and {dtype:?} {wanted:?} is needed", info.dtype))
            );
        }
        let (start, end) = info.data_offsets;
        let mut bytes = vec![0; end - start];
        self.input
            .seek(SeekFrom::Start(self.start + start as u64))
            .and_then(|_| self.input.read_exact(&mut bytes))
            .map_err(|e| Error::reading(&self.path, &e))?;
        Ok(bytes.as_chunks::<N>().0.iter().map(|&chunk| of(chunk)).collect())
    }
}

fn damaged(path: &Path, problem: &str) -> Error {
    Error::input(
        Location::file(path),
        format!("cannot be resumed from: {problem}"),
        "nothing that was recorded is lost; to train anew: ldyn-tui run EXPERIMENT, with the experiment.ron beside it",
    )
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::{Array, Position, SavedState, TrainerState};
    use crate::error::Result;

    fn written() -> Vec<u8> {
        let position = Position { step: 7, latest: Some(5), drawn: Some(1 << 70), ..Position::default() };
        let mut state = TrainerState::new(position);
        state.add("weights.w", Array::f32(vec![2, 2], || vec![1.0, -0.0, f32::NAN, f32::MIN_POSITIVE / 2.0]));
        state.add("logps", Array::f64(vec![0.1, f64::NEG_INFINITY]));
        state.add("ids", Array::u32(vec![u32::MAX]));
        state.add("none", Array::u32(Vec::new()));
        let mut out = Vec::new();
        state.write(&[("by", "me\n\"".to_owned())], &mut out).unwrap();
        out
    }

    fn open(bytes: Vec<u8>) -> Result<SavedState> {
        SavedState::open(std::path::Path::new("run/checkpoint.safetensors"), Cursor::new(bytes))
    }

    #[test]
    fn what_is_written_is_read_again_to_the_bit() {
        assert_eq!(written(), written());
        let mut state = open(written()).unwrap();
        assert_eq!((state.position().step, state.position().drawn), (7, Some(1 << 70)));
        assert_eq!((state.note("by"), state.note("nobody")), (Some("me\n\""), None));
        let bits: Vec<u32> = state.f32("weights.w", &[2, 2]).unwrap().into_iter().map(f32::to_bits).collect();
        assert_eq!(bits, [1.0, -0.0, f32::NAN, f32::MIN_POSITIVE / 2.0].map(f32::to_bits));
        assert_eq!(state.f64("logps", 2).unwrap(), [0.1, f64::NEG_INFINITY]);
        assert_eq!((state.u32("ids", 1).unwrap(), state.u32_list("none").unwrap()), (vec![u32::MAX], Vec::new()));
    }

    #[test]
    fn an_array_of_another_shape_or_name_is_refused_by_name() {
        let mut state = open(written()).unwrap();
        for error in [
            state.f32("weights.w", &[4]).unwrap_err(),
            state.f64("weights.w", 4).unwrap_err(),
            state.f32("weights.v", &[2]).unwrap_err(),
        ] {
            assert_eq!(error.exit_status(), 2);
            let text = error.to_string();
            assert!(text.starts_with("run/checkpoint.safetensors: ") && text.contains("weights."), "{text}");
        }
    }

    #[test]
    fn the_file_is_a_safetensors_file() {
        let bytes = written();
        let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        assert_eq!(file.tensor("weights.w").unwrap().shape(), [2, 2]);
    }

    #[test]
    fn a_file_that_is_cut_short_anywhere_is_refused() {
        let whole = written();
        for length in 0..whole.len() {
            let error = open(whole[..length].to_vec()).err().expect("a part of the file passes for the whole");
            assert_eq!(error.exit_status(), 2, "{length} bytes: {error}");
        }
    }

    proptest! {
        #[test]
        fn a_changed_byte_is_noticed(at in any::<prop::sample::Index>(), change in 1_u8..) {
            let mut bytes = written();
            let at = at.index(bytes.len());
            bytes[at] ^= change;
            prop_assert_eq!(open(bytes).err().map(|e| e.exit_status()), Some(2));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(open(bytes).is_err());
        }
    }
}

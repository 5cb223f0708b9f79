//! The header of a GGUF file. Every count, length and offset is held against what the file can hold before anything is
//! allocated for it; beyond what the file itself contains, reading takes a few megabytes.

use std::collections::BTreeMap;
use std::io::{BufReader, Read, Seek, SeekFrom};

use super::metadata::{Metadata, Texts, Value};
use super::quant::ElementType;
use crate::error::{Error, Result};
use crate::model::tensors::{Blob, Entry, ReadSeek, TensorFiles, unknown_element};

const MOST_KEYS: u64 = 1 << 16;
const MOST_TENSORS: u64 = 1 << 16;
/// Tokens, merges or types of tokens.
const MOST_ITEMS: u64 = 1 << 20;
const LONGEST_KEY: u64 = 1 << 16;
const LONGEST_TEXT: u64 = 16 << 20;
/// Bytes of the longest name of a tensor, as in ggml: 64 with the zero at the end.
const LONGEST_TENSOR_NAME: u64 = 63;
const MOST_DIMENSIONS: u32 = 4;
const DEFAULT_ALIGNMENT: u64 = 32;

/// Lists that are kept; others are passed over.
const KEPT_LISTS: [&str; 4] =
    ["tokenizer.ggml.tokens", "tokenizer.ggml.merges", "tokenizer.ggml.scores", "tokenizer.ggml.token_type"];

/// What is wrong, in words; or the disk.
enum Broken {
    Format(String),
    Disk(std::io::Error),
    /// An error that says it all.
    Told(Error),
}

impl From<String> for Broken {
    fn from(problem: String) -> Self {
        Self::Format(problem)
    }
}

type Parsed<T> = std::result::Result<T, Broken>;

/// Reads the header of a file: the metadata, and where the tensors lie.
pub(super) fn read(blob: &Blob) -> Result<(Metadata, TensorFiles)> {
    let (file, length) = blob.open()?;
    let mut bytes = Bytes { file: BufReader::with_capacity(1 << 16, file), at: 0, length };
    bytes.header(blob).map_err(|broken| match broken {
        Broken::Format(problem) => blob.error(
            format!("is not a sound GGUF file: {problem}"),
            "download or copy it again; if it still says so, do not trust it",
        ),
        Broken::Disk(e) => Error::reading(&blob.path, &e),
        Broken::Told(error) => error,
    })
}

/// The file, and how far it was read.
struct Bytes {
    file: BufReader<Box<dyn ReadSeek>>,
    at: u64,
    length: u64,
}

impl Bytes {
    fn header(&mut self, blob: &Blob) -> Parsed<(Metadata, TensorFiles)> {
        if self.take::<4>()? != *b"GGUF" {
            return Err("it does not begin with GGUF".to_owned().into());
        }
        match self.u32()? {
            2 | 3 => {}
            version if version.trailing_zeros() >= 16 && version != 0 => {
                return Err("it is in big-endian byte order".to_owned().into());
            }
            version => return Err(format!("it is of version {version}, and only 2 and 3 are known here").into()),
        }
        let (tensors, keys) = (self.u64()?, self.u64()?);
        // A key and its value take 13 bytes or more, a tensor's description 32.
        self.plausible("tensors", tensors, 32, MOST_TENSORS)?;
        self.plausible("keys", keys, 13, MOST_KEYS)?;
        let mut values = BTreeMap::new();
        for _ in 0..keys {
            let key = self.text(LONGEST_KEY, "a key")?;
            let value = self.value(&key)?;
            if values.contains_key(&key) {
                return Err(format!("the key {key} is there twice").into());
            }
            values.insert(key, value);
        }
        let alignment = match values.get("general.alignment") {
            None => DEFAULT_ALIGNMENT,
            Some(Value::Unsigned(n)) if n.is_power_of_two() && *n <= 1 << 20 => *n,
            Some(other) => return Err(format!("general.alignment is {other:?}, no power of two").into()),
        };
        let entries = self.tensors(tensors, alignment, blob)?;
        let metadata = Metadata::new(blob.path.clone(), values);
        Ok((metadata, TensorFiles { files: vec![blob.clone()], tensors: entries }))
    }

    /// The descriptions of all tensors, and where each lies.
    fn tensors(&mut self, count: u64, alignment: u64, blob: &Blob) -> Parsed<BTreeMap<String, Entry>> {
        let mut entries = BTreeMap::new();
        // As in ggml, tensors lie in order, each beginning at the next aligned byte.
        let mut next = 0u64;
        for _ in 0..count {
            let name = self.text(LONGEST_TENSOR_NAME, "a tensor's name")?;
            let dimensions = self.u32()?;
            if dimensions == 0 || dimensions > MOST_DIMENSIONS {
                return Err(format!("{name} has {dimensions} dimensions").into());
            }
            let sizes = (0..dimensions).map(|_| self.u64()).collect::<Parsed<Vec<u64>>>()?;
            let id = self.u32()?;
            let element = ElementType::of_gguf(id)
                .ok_or_else(|| Broken::Told(unknown_element(blob, &name, &foreign_element(id))))?;
            let offset = self.u64()?;
            let count = sizes.iter().try_fold(1u64, |count, &size| count.checked_mul(size).filter(|&c| c > 0));
            let rows = sizes[0].is_multiple_of(element.block_numbers() as u64);
            let bytes = count
                .filter(|_| rows)
                .and_then(|count| (count / element.block_numbers() as u64).checked_mul(element.block_bytes() as u64))
                .filter(|&bytes| bytes <= self.length)
                .ok_or_else(|| format!("{name} has the shape {sizes:?} of {}, which cannot be", element.name()))?;
            if offset != next {
                return Err(format!("{name} begins at byte {offset} of the data, not {next}").into());
            }
            // Neither sum overflows: both parts are at most the file's length and a power of two below 2^21.
            next = (offset + bytes).next_multiple_of(alignment);
            if next > self.length.saturating_add(alignment) {
                return Err(format!("{name} ends beyond the end of the file").into());
            }
            #[allow(clippy::cast_possible_truncation, reason = "the product is at most the file's length")]
            let shape = sizes.iter().rev().map(|&size| size as usize).collect();
            if entries.contains_key(&name) {
                return Err(format!("the tensor {name} is there twice").into());
            }
            entries.insert(name, Entry { file: 0, element: Ok(element), shape, offset, bytes });
        }
        let start = self.at.next_multiple_of(alignment);
        for (name, entry) in &mut entries {
            entry.offset += start;
            if entry.offset + entry.bytes > self.length {
                return Err(format!("{name} ends beyond the end of the file").into());
            }
        }
        Ok(entries)
    }

    fn value(&mut self, key: &str) -> Parsed<Value> {
        let kind = self.u32()?;
        self.scalar(kind, key, LONGEST_TEXT)?.map_or_else(|| self.list(key), Ok)
    }

    /// A value that is no list.
    fn scalar(&mut self, kind: u32, key: &str, longest: u64) -> Parsed<Option<Value>> {
        Ok(Some(match kind {
            0 => Value::Unsigned(u64::from(self.take::<1>()?[0])),
            1 => Value::Signed(i64::from(i8::from_le_bytes(self.take()?))),
            2 => Value::Unsigned(u64::from(u16::from_le_bytes(self.take()?))),
            3 => Value::Signed(i64::from(i16::from_le_bytes(self.take()?))),
            4 => Value::Unsigned(u64::from(self.u32()?)),
            5 => Value::Signed(i64::from(i32::from_le_bytes(self.take()?))),
            6 => Value::Real32(f32::from_le_bytes(self.take()?)),
            7 => match self.take::<1>()?[0] {
                0 => Value::Flag(false),
                1 => Value::Flag(true),
                other => return Err(format!("{key} is neither true nor false but {other}").into()),
            },
            8 => Value::Text(self.text(longest, key)?),
            9 => return Ok(None),
            10 => Value::Unsigned(self.u64()?),
            11 => Value::Signed(i64::from_le_bytes(self.take()?)),
            12 => Value::Real(f64::from_le_bytes(self.take()?)),
            other => return Err(format!("{key} is of the unknown kind {other}").into()),
        }))
    }

    fn list(&mut self, key: &str) -> Parsed<Value> {
        let (kind, count) = (self.u32()?, self.u64()?);
        let size = match kind {
            0 | 1 | 7 => 1,
            2 | 3 => 2,
            4..=6 => 4,
            8 | 10..=12 => 8,
            other => return Err(format!("{key} is a list of the unknown kind {other}").into()),
        };
        let kept = KEPT_LISTS.contains(&key);
        self.plausible(&format!("items of {key}"), count, size, if kept { MOST_ITEMS } else { u64::MAX })?;
        match kind {
            8 if kept => {
                let mut texts = Texts::default();
                for _ in 0..count {
                    texts.push(&self.text(LONGEST_KEY, key)?);
                }
                Ok(Value::Texts(texts))
            }
            8 => {
                for _ in 0..count {
                    let length = self.u64()?;
                    self.skip(length, key)?;
                }
                Ok(Value::Passed)
            }
            5 if kept => {
                (0..count).map(|_| Ok(i32::from_le_bytes(self.take()?))).collect::<Parsed<_>>().map(Value::Integers)
            }
            6 if kept => {
                (0..count).map(|_| Ok(f32::from_le_bytes(self.take()?))).collect::<Parsed<_>>().map(Value::Reals)
            }
            _ => {
                self.skip(count * size, key)?;
                Ok(Value::Passed)
            }
        }
    }

    /// Refuses a count that the rest of the file cannot hold.
    fn plausible(&self, what: &str, count: u64, least_bytes: u64, most: u64) -> Parsed<()> {
        let room = (self.length - self.at) / least_bytes;
        if count > room || count > most {
            return Err(
                format!("it claims {count} {what}; the rest of the file has room for {}", room.min(most)).into()
            );
        }
        Ok(())
    }

    fn text(&mut self, longest: u64, what: &str) -> Parsed<String> {
        let length = self.u64()?;
        if length > longest.min(self.length - self.at) {
            return Err(format!("{what} claims a length of {length} bytes").into());
        }
        #[allow(clippy::cast_possible_truncation, reason = "at most LONGEST_TEXT")]
        let mut bytes = vec![0; length as usize];
        self.fill(&mut bytes)?;
        String::from_utf8(bytes).map_err(|_| format!("{what} is not UTF-8 text").into())
    }

    fn skip(&mut self, count: u64, what: &str) -> Parsed<()> {
        if count > self.length - self.at {
            return Err(format!("{what} claims a length of {count} bytes").into());
        }
        self.at += count;
        self.file.seek(SeekFrom::Start(self.at)).map(drop).map_err(Broken::Disk)
    }

    fn take<const N: usize>(&mut self) -> Parsed<[u8; N]> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Parsed<()> {
        if bytes.len() as u64 > self.length - self.at {
            return Err(format!("it ends at byte {} in the middle of its header", self.length).into());
        }
        self.at += bytes.len() as u64;
        self.file.read_exact(bytes).map_err(Broken::Disk)
    }

    fn u32(&mut self) -> Parsed<u32> {
        self.take().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Parsed<u64> {
        self.take().map(u64::from_le_bytes)
    }
}

/// The name of an element type that ggml has and this program has not.
fn foreign_element(id: u32) -> String {
    let name = match id {
        9 => "Q8_1",
        15 => "Q8_K",
        16 => "IQ2_XXS",
        17 => "IQ2_XS",
        18 => "IQ3_XXS",
        19 => "IQ1_S",
        20 => "IQ4_NL",
        21 => "IQ3_S",
        22 => "IQ2_S",
        23 => "IQ4_XS",
        24 => "I8",
        25 => "I16",
        26 => "I32",
        27 => "I64",
        28 => "F64",
        29 => "IQ1_M",
        34 => "TQ1_0",
        35 => "TQ2_0",
        39 => "MXFP4",
        other => return format!("number {other}"),
    };
    name.to_owned()
}

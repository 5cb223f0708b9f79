//! Safetensors: one file, or several with an index, read as untrusted.

use std::collections::btree_map::Entry as Slot;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use safetensors::Dtype;
use safetensors::tensor::TensorInfo;
use serde::de::{self, Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};

use super::files::{INDEX, SINGLE, read_small};
use super::foreign;
use super::gguf::quant::ElementType;
use super::tensors::{Blob, Entry, TensorFiles};
use crate::error::{Error, Location, Result};

/// A header of this many bytes describes a hundred thousand tensors.
const LARGEST_HEADER: u64 = 16 << 20;
const LARGEST_INDEX: u64 = 16 << 20;
const MOST_SHARDS: usize = 1000;

const CUT_SHORT: &str = "download or copy it again: it may have been cut short";

/// The tensors of a folder: those of `model.safetensors`, or of the files that `model.safetensors.index.json` names.
///
/// # Errors
/// When there is neither, or a file is broken.
pub(super) fn open(folder: &Path) -> Result<TensorFiles> {
    let (single, index) = (folder.join(SINGLE), folder.join(INDEX));
    if single.exists() || !index.exists() {
        if !single.exists() {
            foreign::refuse_instead_of(SINGLE, folder)?;
        }
        return open_one(Blob::file(single));
    }
    let shards = read_index(&index)?;
    let files: BTreeSet<&str> = shards.values().map(String::as_str).collect();
    let mut all = TensorFiles::default();
    for name in &files {
        let shard = open_one(Blob::file(folder.join(name)))?;
        let file = all.files.len();
        for (tensor, entry) in shard.tensors {
            if shards.get(&tensor).map(String::as_str) != Some(*name) {
                return Err(shard.files[0].error(
                    format!("holds the tensor {tensor}, which the index does not say"),
                    "the index and the shards must belong together",
                ));
            }
            all.tensors.insert(tensor, Entry { file, ..entry });
        }
        all.files.extend(shard.files);
    }
    if let Some((tensor, file)) = shards.iter().find(|(tensor, _)| !all.tensors.contains_key(*tensor)) {
        return Err(Error::input(
            Location::file(&folder.join(file)),
            format!("lacks the tensor {tensor}, which the index says is here"),
            "the index and the shards must belong together",
        ));
    }
    Ok(all)
}

/// The tensors of one file.
///
/// # Errors
/// When it is not a sound safetensors file.
pub(super) fn open_one(blob: Blob) -> Result<TensorFiles> {
    let (mut file, length) = blob.open()?;
    let broken = |why: String| blob.error(format!("is not a sound safetensors file: {why}"), CUT_SHORT);
    let mut size = [0; 8];
    file.read_exact(&mut size).map_err(|_| broken("it has no header".to_owned()))?;
    let size = u64::from_le_bytes(size);
    if size > length.saturating_sub(8) || size > LARGEST_HEADER {
        return Err(broken(format!("its header claims {size} bytes, and the file has {length}")));
    }
    #[allow(clippy::cast_possible_truncation, reason = "at most LARGEST_HEADER")]
    let mut header = vec![0; size as usize];
    file.read_exact(&mut header).map_err(|e| Error::reading(&blob.path, &e))?;
    let Header(tensors) = serde_json::from_slice(&header).map_err(|e| broken(format!("its header: {e}")))?;
    let tensors = entries(tensors, 8 + size, length).map_err(broken)?;
    Ok(TensorFiles { files: vec![blob], tensors })
}

/// Holds the header's claims against each other and the file's length.
fn entries(tensors: BTreeMap<String, TensorInfo>, start: u64, length: u64) -> Result<BTreeMap<String, Entry>, String> {
    let mut ranges: Vec<(u64, u64, &str)> = Vec::with_capacity(tensors.len());
    for (name, info) in &tensors {
        let (from, to) = (info.data_offsets.0 as u64, info.data_offsets.1 as u64);
        let claimed = to.checked_sub(from).ok_or_else(|| format!("{name} ends before it begins"))?;
        let count = info.shape.iter().try_fold(1u64, |count, &size| count.checked_mul(size as u64));
        let bits = count.and_then(|count| count.checked_mul(info.dtype.bitsize() as u64));
        if bits.is_none_or(|bits| !bits.is_multiple_of(8) || bits / 8 != claimed) {
            return Err(format!("{name} has shape {:?} of {:?} and claims {claimed} bytes", info.shape, info.dtype));
        }
        ranges.push((from, to, name));
    }
    ranges.sort_unstable();
    let mut end = 0;
    for (from, to, name) in ranges {
        if from != end {
            return Err(format!("{name} begins at byte {from} of the data, and what comes before ends at {end}"));
        }
        end = to;
    }
    if start.checked_add(end) != Some(length) {
        return Err(format!("its tensors end at byte {}, and the file at {length}", start.saturating_add(end)));
    }
    let entry = |info: TensorInfo| Entry {
        file: 0,
        element: match info.dtype {
            Dtype::F32 => Ok(ElementType::F32),
            Dtype::F16 => Ok(ElementType::F16),
            Dtype::BF16 => Ok(ElementType::Bf16),
            other => Err(format!("{other:?}")),
        },
        shape: info.shape,
        offset: start + info.data_offsets.0 as u64,
        bytes: (info.data_offsets.1 - info.data_offsets.0) as u64,
    };
    Ok(tensors.into_iter().map(|(name, info)| (name, entry(info))).collect())
}

/// Tensor and file name of every tensor.
pub(super) fn read_index(path: &Path) -> Result<BTreeMap<String, String>> {
    #[derive(serde::Deserialize)]
    struct Index {
        weight_map: Unique<String>,
    }
    let bytes = read_small(path, LARGEST_INDEX)?;
    let Index { weight_map: Unique(shards) } = serde_json::from_slice(&bytes).map_err(|e| {
        let at = Location { file: path.to_owned(), line: Some(e.line()), column: Some(e.column()) };
        Error::input(at, format!("is not an index of shards: {e}"), CUT_SHORT)
    })?;
    let refuse = |problem: String, advice: &str| Err(Error::input(Location::file(path), problem, advice));
    if let Some(name) = shards.values().find(|name| !is_plain(name)) {
        return refuse(
            format!("names the shard {name:?}, which is not the plain name of a .safetensors file"),
            "shards lie beside their index; do not trust this checkpoint",
        );
    }
    let count = shards.values().collect::<BTreeSet<_>>().len();
    if count == 0 || count > MOST_SHARDS {
        return refuse(format!("names {count} shards"), "an index names between 1 and 1000");
    }
    Ok(shards)
}

/// Whether a name stays in its folder on every system.
fn is_plain(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    name.ends_with(".safetensors") && !name.starts_with('.') && name.chars().all(plain) && name.len() <= 255
}

/// A header: its tensors, without the metadata.
struct Header(BTreeMap<String, TensorInfo>);

/// A map in which no key comes twice.
struct Unique<T>(BTreeMap<String, T>);

/// Reads a map key by key; `skipped` is not kept.
struct Pairs<T> {
    skipped: &'static str,
    kind: std::marker::PhantomData<T>,
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for Pairs<T> {
    type Value = BTreeMap<String, T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map by tensor")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut all = BTreeMap::new();
        while let Some(key) = map.next_key::<String>()? {
            if key == self.skipped {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            match all.entry(key) {
                Slot::Vacant(slot) => drop(slot.insert(map.next_value()?)),
                Slot::Occupied(slot) => {
                    return Err(de::Error::custom(format_args!("{} is there twice", slot.key())));
                }
            }
        }
        Ok(all)
    }
}

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Pairs { skipped: "__metadata__", kind: std::marker::PhantomData }).map(Self)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Unique<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Pairs { skipped: "", kind: std::marker::PhantomData }).map(Self)
    }
}

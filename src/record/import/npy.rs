//! `logps_*.npy`: an array of (rows, 17 columns, prompts), as `numpy.save` writes it. Format: numpy's NEP 1.
//!
//! Read are versions 1 and 2, little-endian f64 in C order; nothing is allocated on the header's word alone, since its shape
//! is first held against the bytes that are there.

use std::path::Path;

use super::{Quantity, Row, Table};
use crate::error::{Error, Location, Result};
use crate::protocol::ProbeKind as Probe;

const MAGIC: &[u8] = b"\x93NUMPY";
/// Magic and version.
const FIXED: usize = 8;
const ADVICE: &str =
    "save it with numpy: np.save(file, np.ascontiguousarray(a, dtype='<f8')), a of (rows, 17, prompts)";

/// The columns in the paper's order; `None` for one that a run has no place for (the mass off the argmax).
const COLUMNS: [Option<Quantity>; 17] = [
    Some(Quantity::Probe(Probe::Chosen)),
    Some(Quantity::Argmax),
    None,
    Some(Quantity::AFrobenius),
    Some(Quantity::PE),
    Some(Quantity::Energy),
    Some(Quantity::Probe(Probe::ChosenInitial)),
    Some(Quantity::Probe(Probe::ChosenGptsemantic)),
    Some(Quantity::Probe(Probe::ChosenGptformat)),
    Some(Quantity::Probe(Probe::Rejected)),
    Some(Quantity::Probe(Probe::RejectGptsemantic)),
    Some(Quantity::Probe(Probe::RejectGptformat)),
    Some(Quantity::Probe(Probe::IrrTrain)),
    Some(Quantity::Probe(Probe::IrrTest)),
    Some(Quantity::Probe(Probe::IrrHum)),
    Some(Quantity::Probe(Probe::RandomPermute)),
    Some(Quantity::Probe(Probe::RandomNonhum)),
];

/// Whether a file that begins like this is an array of numpy's.
pub(super) fn is_npy(beginning: &[u8]) -> bool {
    beginning.starts_with(MAGIC)
}

/// The array as rows.
pub(super) fn parse(path: &Path, bytes: &[u8]) -> Result<Table> {
    table(bytes).map_err(|problem| Error::input(Location::file(path), problem, ADVICE))
}

fn table(bytes: &[u8]) -> Result<Table, String> {
    let (header, data) = split(bytes)?;
    let descr = field(header, "descr")?;
    if !matches!(descr, "'<f8'" | "\"<f8\"") {
        return Err(format!("holds elements of type {descr}, and only '<f8' (little-endian f64) is read"));
    }
    match field(header, "fortran_order")? {
        "False" => {}
        "True" => return Err("is in Fortran order".to_owned()),
        other => return Err(format!("the header's fortran_order is {other}, neither True nor False")),
    }
    let shape = shape(field(header, "shape")?)?;
    let [rows, columns, prompts] = shape[..] else {
        return Err(format!("has {} dimensions, not the three of (rows, 17 columns, prompts)", shape.len()));
    };
    if columns != COLUMNS.len() || rows == 0 || prompts == 0 {
        return Err(format!("has the shape ({rows}, {columns}, {prompts}), not (rows, 17 columns, prompts)"));
    }
    let promised = [columns, prompts, size_of::<f64>()].into_iter().try_fold(rows, usize::checked_mul);
    if promised != Some(data.len()) {
        let at = bytes.len() - data.len();
        return Err(format!(
            "the header promises {rows} × {columns} × {prompts} numbers of 8 bytes, but {} bytes follow from byte {at} on",
            data.len()
        ));
    }
    let column = |bytes: &[u8]| -> Vec<f64> {
        bytes.as_chunks::<8>().0.iter().map(|&number| f64::from_le_bytes(number)).collect()
    };
    let width = prompts * size_of::<f64>();
    let row = |bytes: &[u8]| -> Row {
        COLUMNS.iter().zip(bytes.chunks_exact(width)).filter_map(|(q, bytes)| Some(((*q)?, column(bytes)))).collect()
    };
    Ok(Table { rows: data.chunks_exact(columns * width).map(row).collect(), prompts, means: false })
}

/// The header's dictionary and what follows it.
fn split(bytes: &[u8]) -> Result<(&str, &[u8]), String> {
    let breaks_off = || format!("breaks off in the header, at byte {}", bytes.len());
    let version = bytes.get(MAGIC.len()..FIXED).ok_or_else(breaks_off)?;
    let size = match version {
        [1, 0] => 2,
        [2, 0] => 4,
        _ => return Err(format!("is of npy version {}.{}; 1.0 and 2.0 are read", version[0], version[1])),
    };
    let length = bytes.get(FIXED..FIXED + size).ok_or_else(breaks_off)?;
    let length = length.iter().rev().fold(0_usize, |length, &byte| length << 8 | usize::from(byte));
    let header = bytes.get(FIXED + size..).and_then(|rest| rest.get(..length)).ok_or_else(breaks_off)?;
    let text = std::str::from_utf8(header).map_err(|_| format!("the header at byte {} is no text", FIXED + size))?;
    Ok((text, &bytes[FIXED + size + length..]))
}

/// The value of a key of the header's dictionary, as it is written there.
fn field<'a>(header: &'a str, key: &str) -> Result<&'a str, String> {
    let missing = || format!("the header has no '{key}'");
    let at = header.find(&format!("'{key}'")).ok_or_else(missing)?;
    let value = header[at + key.len() + 2..].trim_start().strip_prefix(':').ok_or_else(missing)?.trim_start();
    let end = if value.starts_with('(') { value.find(')').map(|end| end + 1) } else { value.find([',', '}']) };
    end.map(|end| value[..end].trim_end()).ok_or_else(missing)
}

/// `(50, 17, 500)`.
fn shape(text: &str) -> Result<Vec<usize>, String> {
    let wrong = || format!("the header's shape is {text}, not three numbers in parentheses");
    let inner = text.strip_prefix('(').and_then(|t| t.strip_suffix(')')).ok_or_else(wrong)?;
    let numbers = inner.trim().trim_end_matches(',').split(',').map(str::trim).filter(|n| !n.is_empty());
    numbers.map(|n| n.parse().map_err(|_| wrong())).collect()
}

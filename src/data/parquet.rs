//! Rows from a Parquet file, as the Hugging Face hub serves data sets: text columns, or lists of `{role, content}`.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, bounded};
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::reader::RowIter;
use parquet::record::{Field, Row};
use parquet::schema::types::Type;

use super::place::Place;
use super::row::{self, Entry, Fields, Message, Value};
use crate::error::Location;
use crate::{Error, Result};

/// Rows read ahead.
const AHEAD: usize = 256;
/// Name of the reading thread; the panic hook is quiet about it, since its panics become errors.
pub(crate) const THREAD: &str = "parquet";

/// The rows of a file. Yields an error with file and row where a column is broken or a row is of no known format.
#[derive(Debug)]
pub(super) struct Rows {
    rows: Receiver<Result<Entry>>,
}

impl Rows {
    /// Opens a file and begins to read it, in a thread of its own: the decoder may panic on a file that lies.
    ///
    /// # Errors
    /// When the file cannot be read or is no Parquet.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|error| Error::reading(path, &error))?;
        let (send, rows) = bounded(AHEAD);
        let path = path.to_owned();
        let body = move || {
            let decoded = catch_unwind(AssertUnwindSafe(|| decode(&path, file, &send)));
            if let Err(error) = decoded.unwrap_or_else(|_| Err(unsound(&path, "its columns contradict each other"))) {
                // Whoever stopped reading does not want to know.
                let _ = send.send(Err(error));
            }
        };
        std::thread::Builder::new()
            .name(THREAD.to_owned())
            .spawn(body)
            .map_err(|e| Error::failed(format!("a thread cannot be started: {e}")))?;
        Ok(Self { rows })
    }
}

impl Iterator for Rows {
    type Item = Result<Entry>;

    fn next(&mut self) -> Option<Self::Item> {
        self.rows.recv().ok()
    }
}

/// Sends every row; a closed channel ends it.
fn decode(path: &Path, file: File, send: &Sender<Result<Entry>>) -> Result<()> {
    let broken = |error: parquet::errors::ParquetError| unsound(path, &error.to_string());
    let reader = SerializedFileReader::new(file).map_err(broken)?;
    let columns = known_columns(reader.metadata().file_metadata().schema());
    if columns.get_fields().is_empty() {
        return Err(Error::input(Location::file(path), "has no column that is read", row::EXPECTED));
    }
    for (index, decoded) in RowIter::from_file(Some(columns), &reader).map_err(broken)?.enumerate() {
        let place = Place::new(path, index + 1);
        let decoded = decoded.map_err(|error| {
            place.error(
                format!("cannot be decoded: {error}"),
                "download or copy the file again: it may have been cut short",
            )
        })?;
        if send.send(row::read(place, fields(decoded))).is_err() {
            return Ok(());
        }
    }
    Ok(())
}

fn unsound(path: &Path, why: &str) -> Error {
    let advice = "download or copy it again: it may have been cut short";
    Error::input(Location::file(path), format!("is not a sound Parquet file: {why}"), advice)
}

/// The part of the schema that is read; the rest is never decoded.
fn known_columns(schema: &Type) -> Type {
    let known = schema.get_fields().iter().filter(|column| row::is_read(column.name())).map(Arc::clone).collect();
    let projection = Type::group_type_builder(schema.name()).with_fields(known).build();
    // A group of columns of a sound schema is a sound schema.
    projection.unwrap_or_else(|_| schema.clone())
}

/// What a row holds. A null is a column that this row does without.
fn fields(row: Row) -> Fields {
    let value = |(key, field): (String, Field)| {
        let value = match field {
            Field::Null => return None,
            field if row::is_argument(&key) => Value::Json(json(&field)),
            Field::Str(text) => Value::Text(text),
            Field::ListInternal(list) => messages(list.elements()),
            other => Value::Other(kind(&other)),
        };
        Some((key, value))
    };
    row.into_columns().into_iter().filter_map(value).collect()
}

fn messages(items: &[Field]) -> Value {
    let mut messages = Vec::with_capacity(items.len());
    for item in items {
        let Field::Group(group) = item else { return Value::Other("a list") };
        // A column holds for every message what one of them has: an empty list is as good as none.
        let is_empty = |field: &Field| matches!(field, Field::ListInternal(list) if list.elements().is_empty());
        let members = group.get_column_iter().filter(|(_, field)| !is_empty(field));
        match Message::new(members.map(|(key, field)| (key.clone(), json(field))).collect()) {
            Ok(message) => messages.push(message),
            Err(problem) => return Value::Broken(messages.len() + 1, problem),
        }
    }
    Value::Messages(messages)
}

/// A value as a template sees it. What is null in a group is what another row has.
fn json(field: &Field) -> minijinja::Value {
    match field {
        Field::Null => minijinja::Value::from(()),
        Field::Bool(value) => (*value).into(),
        Field::Byte(value) => (*value).into(),
        Field::Short(value) => (*value).into(),
        Field::Int(value) => (*value).into(),
        Field::Long(value) => (*value).into(),
        Field::UByte(value) => (*value).into(),
        Field::UShort(value) => (*value).into(),
        Field::UInt(value) => (*value).into(),
        Field::ULong(value) => (*value).into(),
        Field::Float(value) => (*value).into(),
        Field::Double(value) => (*value).into(),
        Field::Str(text) => text.as_str().into(),
        Field::ListInternal(list) => list.elements().iter().map(json).collect::<Vec<_>>().into(),
        Field::Group(group) => {
            let members = group.get_column_iter().filter(|(_, field)| !matches!(field, Field::Null));
            minijinja::Value::from_pairs(members.map(|(key, field)| (key.clone(), json(field))))
        }
        other => other.to_string().into(),
    }
}

/// What a value is, in words.
fn kind(field: &Field) -> &'static str {
    match field {
        Field::Null => "null",
        Field::Bool(_) => "true or false",
        Field::Str(_) => "text",
        Field::Bytes(_) => "bytes that are not marked as text",
        Field::Group(_) | Field::MapInternal(_) => "an object",
        Field::ListInternal(_) => "a list",
        _ => "a number or a date",
    }
}

#[cfg(test)]
#[path = "parquet_tests.rs"]
mod tests;

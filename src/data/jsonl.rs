//! Rows from a file of JSON lines, one at a time.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use serde::de::{Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::row::{EXPECTED, Entry, Fields, Member, Message, Place, Value, is_read, read};
use crate::error::Location;
use crate::{Error, Result};

/// Longest line that is read: 16 MiB. Anything longer is no line of text but a file of another kind.
pub(super) const MAX_LINE: usize = 16 << 20;
/// Most keys that a row may have; data that is read has a few dozen.
const MAX_KEYS: usize = 1000;

/// The rows of a file, line by line; blank lines are skipped, unknown keys ignored, unless they look like a misspelt one.
///
/// Yields an error with file and line (and column for broken JSON) where the file cannot be read and where a row is no
/// UTF-8, longer than [`MAX_LINE`], no object, has a key twice or is no row of any known format.
#[derive(Debug)]
pub(super) struct Lines<R> {
    path: PathBuf,
    reader: R,
    line: Vec<u8>,
    number: usize,
}

impl Lines<BufReader<File>> {
    /// Opens a file.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|error| Error::reading(path, &error))?;
        Ok(Self::new(path, BufReader::new(file)))
    }
}

impl<R: BufRead> Lines<R> {
    fn new(path: &Path, reader: R) -> Self {
        Self { path: path.to_owned(), reader, line: Vec::new(), number: 0 }
    }

    /// Reads one line; `false` at the file's end.
    fn advance(&mut self) -> Result<bool> {
        self.line.clear();
        self.number += 1;
        // Two bytes over, so that a line of exactly the limit passes with its line break.
        let limit = MAX_LINE as u64 + 2;
        let read = self.reader.by_ref().take(limit).read_until(b'\n', &mut self.line);
        Ok(read.map_err(|e| Error::reading(&self.path, &e))? > 0)
    }

    /// The row on the line that was read; `None` on a blank one.
    fn row(&mut self) -> Result<Option<Entry>> {
        let place = Place::new(&self.path, self.number);
        while self.line.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
            self.line.pop();
        }
        if self.line.len() > MAX_LINE {
            return Err(place.error("line is longer than 16 MiB", "is this a file of JSON lines? One row a line"));
        }
        let text = std::str::from_utf8(&self.line).map_err(|error| {
            let at = format!("is not UTF-8, from byte {} of the line on", error.valid_up_to() + 1);
            place.error(at, "save the file as UTF-8")
        })?;
        // A byte order mark is what some editors put before UTF-8.
        let text = if self.number == 1 { text.strip_prefix('\u{feff}').unwrap_or(text) } else { text };
        if text.trim().is_empty() {
            return Ok(None);
        }
        if self.number == 1 && text.trim_start().starts_with('[') {
            let advice = "write one object a line: jq -c '.[]' rows.json > rows.jsonl";
            return Err(place.error("begins a JSON array", advice));
        }
        let fields = fields(text).map_err(|error| {
            let problem = error.to_string();
            // The place is said by the location.
            let problem = problem.split(" at line ").next().unwrap_or(&problem);
            let mut location = Location::line(&self.path, self.number);
            location.column = Some(column(text, error.column()));
            Error::input(location, problem, EXPECTED)
        })?;
        read(place, fields).map(Some)
    }
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = Result<Entry>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.advance() {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => return Some(Err(error)),
            }
            if let Some(row) = self.row().transpose() {
                return Some(row);
            }
        }
    }
}

/// The 1-based column in characters of serde_json's 1-based one in bytes (0 for the beginning).
fn column(line: &str, byte: usize) -> usize {
    line.char_indices().take_while(|&(at, _)| at + 1 < byte).count() + 1
}

/// What a row holds. Values stay as they are written until they are known to be read: a line of 16 MiB must not become a
/// tree of many times its size.
fn fields(text: &str) -> serde_json::Result<Fields> {
    let Members(members) = serde_json::from_str(text)?;
    let read = |(key, raw): (String, &RawValue)| {
        let value = if is_read(&key) { value(raw)? } else { Value::Other("not read") };
        Ok((key, value))
    };
    members.into_iter().map(read).collect()
}

fn value(raw: &RawValue) -> serde_json::Result<Value> {
    if raw.get().strip_prefix('[').is_some_and(|items| items.trim_start().starts_with('{')) {
        return messages(raw);
    }
    Ok(match member(raw)? {
        Member::Text(text) => Value::Text(text),
        Member::Null => Value::Other(if raw.get() == "null" { "null" } else { "an empty list" }),
        Member::Other(what) => Value::Other(what),
    })
}

/// A list whose first item is an object.
fn messages(raw: &RawValue) -> serde_json::Result<Value> {
    let Turns(turns) = serde_json::from_str(raw.get())?;
    Ok(turns)
}

/// A list of messages, up to the first unsound one: the rest is skipped, not kept.
struct Turns(Value);

impl<'de> serde::Deserialize<'de> for Turns {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = Value;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
                let mut messages = Vec::new();
                while let Some(item) = items.next_element::<&RawValue>()? {
                    let unsound = match message(item).map_err(A::Error::custom)? {
                        Some(Ok(message)) => {
                            messages.push(message);
                            continue;
                        }
                        Some(Err(problem)) => Value::Broken(messages.len() + 1, problem),
                        None => Value::Other("a list"),
                    };
                    while items.next_element::<IgnoredAny>()?.is_some() {}
                    return Ok(unsound);
                }
                Ok(Value::Messages(messages))
            }
        }
        deserializer.deserialize_seq(List).map(Self)
    }
}

/// One item of a list; `None` where it is no object.
fn message(raw: &RawValue) -> serde_json::Result<Option<Result<Message, String>>> {
    if !raw.get().starts_with('{') {
        return Ok(None);
    }
    let Members(members) = serde_json::from_str(raw.get())?;
    let members = members.into_iter().map(|(key, raw)| Ok((key, member(raw)?)));
    Ok(Some(Message::new(members.collect::<serde_json::Result<Vec<_>>>()?)))
}

/// A value of which nothing but text is wanted.
fn member(raw: &RawValue) -> serde_json::Result<Member> {
    let written = raw.get();
    Ok(match written.as_bytes().first() {
        Some(b'"') => Member::Text(serde_json::from_str(written)?),
        Some(b'n') => Member::Null,
        Some(b'[') if written[1..].trim_start().starts_with(']') => Member::Null,
        Some(b'[') => Member::Other("a list"),
        Some(b'{') => Member::Other("an object"),
        Some(b't' | b'f') => Member::Other("true or false"),
        _ => Member::Other("a number"),
    })
}

/// The members of an object; a key twice is an error, where a plain map would silently keep one.
struct Members<'a>(BTreeMap<String, &'a RawValue>);

impl<'de: 'a, 'a> serde::Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = BTreeMap<String, &'de RawValue>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = BTreeMap::new();
                while let Some((key, value)) = map.next_entry::<String, &RawValue>()? {
                    if members.contains_key(&key) {
                        return Err(A::Error::custom(format_args!("key \"{key}\" twice")));
                    }
                    if members.len() == MAX_KEYS {
                        return Err(A::Error::custom(format_args!("more than {MAX_KEYS} keys")));
                    }
                    members.insert(key, value);
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(Object).map(Self)
    }
}

#[cfg(test)]
#[path = "jsonl_tests.rs"]
mod tests;

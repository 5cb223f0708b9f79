//! Rows from a file of JSON lines, or of one list, one at a time.

mod array;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use self::array::{Broken, Items};
use flate2::bufread::MultiGzDecoder;
use serde::de::{Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::place::Place;
use super::row::{EXPECTED, Entry, Fields, Message, Value, is_argument, is_read, read};
use crate::error::Location;
use crate::{Error, Result};

/// Longest line that is read: 16 MiB. Anything longer is no line of text but a file of another kind.
pub(super) const MAX_LINE: usize = 16 << 20;
/// Longest value that is kept as it is (tools, a message's members that are no text): 1 MiB.
const MAX_WHOLE: usize = 1 << 20;
/// Most keys that a row may have; data that is read has a few dozen.
const MAX_KEYS: usize = 1000;

/// Files that are known by their first bytes and are no lines of JSON, and the way out.
const FOREIGN: [(&[u8], &str, &str); 8] = [
    (b"PAR1", "is a Parquet file", "let its name end in .parquet"),
    (
        &[0x28, 0xb5, 0x2f, 0xfd],
        "is compressed by zstd",
        "unpack it (zstd -d), or pack it by gzip, which is read as it is",
    ),
    (
        &[0xfd, b'7', b'z', b'X', b'Z'],
        "is compressed by xz",
        "unpack it (xz -d), or pack it by gzip, which is read as it is",
    ),
    (b"BZh", "is compressed by bzip2", "unpack it (bunzip2), or pack it by gzip, which is read as it is"),
    (b"PK\x03\x04", "is a ZIP archive", "unpack it, and name the file of JSON lines in it"),
    (b"ARROW1", "is an Arrow file", "write JSON lines: in Python, Dataset.to_json(\"train.jsonl\")"),
    (&[0xff, 0xfe], "is UTF-16", "save the file as UTF-8"),
    (&[0xfe, 0xff], "is UTF-16", "save the file as UTF-8"),
];

/// The rows of a file, line by line, or item by item where the file is one list; blank lines are skipped, unknown keys
/// ignored, unless they look like a misspelt one.
///
/// Yields an error with file and line (and column for broken JSON) where the file cannot be read and where a row is no
/// UTF-8, longer than [`MAX_LINE`], no object, has a key twice or is no row of any known format.
#[derive(Debug)]
pub(super) struct Lines<R> {
    path: PathBuf,
    reader: R,
    line: Vec<u8>,
    number: usize,
    /// How far the list was read that the file is, if it is one.
    items: Option<Items>,
}

impl Lines<Box<dyn BufRead>> {
    /// Opens a file; one that is compressed by gzip is unpacked as it is read.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let failed = |error: std::io::Error| Error::reading(path, &error);
        let mut file = BufReader::new(File::open(path).map_err(failed)?);
        let start = file.fill_buf().map_err(failed)?;
        if let Some((what, advice)) =
            FOREIGN.iter().find_map(|(begins, what, advice)| start.starts_with(begins).then_some((what, advice)))
        {
            return Err(Error::input(Location::file(path), what, advice));
        }
        let packed = start.starts_with(&[0x1f, 0x8b]);
        let reader: Box<dyn BufRead> =
            if packed { Box::new(BufReader::new(MultiGzDecoder::new(file))) } else { Box::new(file) };
        Ok(Self::new(path, reader))
    }
}

impl<R: BufRead> Lines<R> {
    fn new(path: &Path, reader: R) -> Self {
        Self { path: path.to_owned(), reader, line: Vec::new(), number: 0, items: None }
    }

    fn place(&self) -> Place<'_> {
        if self.items.is_some() { Place::item(&self.path, self.number) } else { Place::new(&self.path, self.number) }
    }

    /// Reads one line, or one item; `false` at the file's end.
    fn advance(&mut self) -> Result<bool> {
        self.line.clear();
        self.number += 1;
        let failed = |error: std::io::Error| Error::reading(&self.path, &error);
        if self.number == 1 {
            let start = self.reader.fill_buf().map_err(failed)?;
            let start = start.strip_prefix("\u{feff}".as_bytes()).unwrap_or(start);
            self.items = start.trim_ascii_start().starts_with(b"[").then(Items::default);
        }
        if let Some(items) = &mut self.items {
            return items.next(&mut self.reader, &mut self.line, MAX_LINE + 1).map_err(|broken| match broken {
                Broken::Read(error) => failed(error),
                Broken::Json(problem) => Place::item(&self.path, self.number).error(problem, EXPECTED),
            });
        }
        // Two bytes over, so that a line of exactly the limit passes with its line break.
        let limit = MAX_LINE as u64 + 2;
        Ok(self.reader.by_ref().take(limit).read_until(b'\n', &mut self.line).map_err(failed)? > 0)
    }

    /// The row on the line that was read; `None` on a blank one.
    fn row(&mut self) -> Result<Option<Entry>> {
        while self.line.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
            self.line.pop();
        }
        let place = self.place();
        if self.line.len() > MAX_LINE {
            let what = if self.items.is_some() { "is longer than 16 MiB" } else { "line is longer than 16 MiB" };
            return Err(place.error(what, "is this a file of JSON lines? One row a line"));
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
        let fields = fields(text).map_err(|error| {
            let problem = error.to_string();
            // The place is said by the location.
            let problem = problem.split(" at line ").next().unwrap_or(&problem);
            if self.items.is_some() {
                return place.error(problem, EXPECTED);
            }
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

/// What a row holds; a null is a key that the row does without. Values stay as they are written until they are known to be
/// read: a line of 16 MiB must not become a tree of many times its size.
fn fields(text: &str) -> serde_json::Result<Fields> {
    let (text, numbers) = with_numbers(text);
    let Members(members) = serde_json::from_str(&text)?;
    let read = |(key, raw): (String, &RawValue)| {
        if raw.get() == "null" {
            return Ok(None);
        }
        let value = match () {
            () if !is_read(&key) => Value::Other("not read"),
            () if numbers.iter().any(|&at| lies_in(&text, at, raw.get())) => {
                Value::Other("no text: it holds NaN or Infinity")
            }
            () if is_argument(&key) => Value::Json(whole(raw)?),
            () => value(raw)?,
        };
        Ok(Some((key, value)))
    };
    members.into_iter().filter_map(|member| read(member).transpose()).collect()
}

/// The text with plain numbers in the place of NaN and Infinity, which Python writes and JSON does not have, and where they
/// stood. It is as long as before.
fn with_numbers(text: &str) -> (Cow<'_, str>, Vec<usize>) {
    if !text.contains("NaN") && !text.contains("Infinity") {
        return (Cow::Borrowed(text), Vec::new());
    }
    let (mut out, mut places, mut in_text, mut at) = (String::with_capacity(text.len()), Vec::new(), false, 0);
    while let Some(c) = text[at..].chars().next() {
        let word = ["NaN", "Infinity"].into_iter().find(|word| !in_text && text[at..].starts_with(word));
        if let Some(word) = word {
            places.push(at);
            out.push_str("0.");
            out.extend(std::iter::repeat_n('0', word.len() - 2));
            at += word.len();
            continue;
        }
        let length = if in_text && c == '\\' {
            1 + text[at + 1..].chars().next().map_or(0, char::len_utf8)
        } else {
            in_text ^= c == '"';
            c.len_utf8()
        };
        out.push_str(&text[at..at + length]);
        at += length;
    }
    (Cow::Owned(out), places)
}

/// Whether the byte `at` of a text lies in a part of it.
fn lies_in(text: &str, at: usize, part: &str) -> bool {
    let start = (part.as_ptr() as usize).wrapping_sub(text.as_ptr() as usize);
    (start..start.saturating_add(part.len())).contains(&at)
}

/// A value that is kept as it is.
fn whole(raw: &RawValue) -> serde_json::Result<minijinja::Value> {
    if raw.get().len() > MAX_WHOLE {
        return Err(serde_json::Error::custom("a value that is no text is longer than 1 MiB"));
    }
    serde_json::from_str(raw.get())
}

fn value(raw: &RawValue) -> serde_json::Result<Value> {
    let written = raw.get();
    let items = written.strip_prefix('[').map(str::trim_start);
    if items.is_some_and(|items| items.starts_with(['{', ']'])) {
        return messages(raw);
    }
    Ok(match written.as_bytes().first() {
        Some(b'"') => Value::Text(serde_json::from_str(written)?),
        Some(b'[') => Value::Other("a list"),
        Some(b'{') => Value::Other("an object"),
        Some(b't' | b'f') => Value::Other("true or false"),
        _ => Value::Other("a number"),
    })
}

/// A list that is empty, or whose first item is an object.
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
    let members = members.into_iter().map(|(key, raw)| {
        let text = raw.get().starts_with('"');
        Ok((key, if text { serde_json::from_str::<String>(raw.get())?.into() } else { whole(raw)? }))
    });
    Ok(Some(Message::new(members.collect::<serde_json::Result<Vec<_>>>()?)))
}

/// The members of an object as they are written; a key twice is an error, where a plain map would silently keep one.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> serde::Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Vec<(String, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let (mut members, mut keys) = (Vec::new(), BTreeSet::new());
                while let Some((key, value)) = map.next_entry::<String, &RawValue>()? {
                    if !keys.insert(key.clone()) {
                        return Err(A::Error::custom(format_args!("key \"{key}\" twice")));
                    }
                    if members.len() == MAX_KEYS {
                        return Err(A::Error::custom(format_args!("more than {MAX_KEYS} keys")));
                    }
                    members.push((key, value));
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(Object).map(Self)
    }
}

#[cfg(test)]
mod tests;

//! The items of one list of JSON, one at a time, as bytes.

use std::io::BufRead;

/// Why there is no item.
#[derive(Debug)]
pub(super) enum Broken {
    /// The file cannot be read.
    Read(std::io::Error),
    /// The file is no list.
    Json(&'static str),
}

/// How far a list was read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Items {
    /// The list's bracket is yet to come.
    #[default]
    Unread,
    /// An item may follow.
    Open,
    /// The list has ended.
    Ended,
}

impl Items {
    /// Reads the next item into `item`, of which at most `limit` bytes are kept; `false` at the list's end.
    pub(super) fn next(&mut self, reader: &mut impl BufRead, item: &mut Vec<u8>, limit: usize) -> Result<bool, Broken> {
        const NO_END: Broken = Broken::Json("the list has no end");
        if *self == Self::Unread {
            if solid(reader)? != Some(b'[') {
                return Err(Broken::Json("begins no list"));
            }
            *self = Self::Open;
        }
        if *self == Self::Ended {
            return Ok(false);
        }
        match solid(reader)?.ok_or(NO_END)? {
            b']' => {
                *self = Self::Ended;
                return end(reader).map(|()| false);
            }
            first => item.push(first),
        }
        let mut scan = Scan::default();
        scan.step(item[0]);
        loop {
            let byte = byte(reader)?.ok_or(NO_END)?;
            if scan.is_between() && byte == b',' {
                return Ok(true);
            }
            if scan.is_between() && byte == b']' {
                *self = Self::Ended;
                return end(reader).map(|()| true);
            }
            scan.step(byte);
            if item.len() < limit {
                item.push(byte);
            }
        }
    }
}

/// How deep the scan is, and whether in a text.
#[derive(Default)]
struct Scan {
    depth: usize,
    in_text: bool,
    escaped: bool,
}

impl Scan {
    fn is_between(&self) -> bool {
        self.depth == 0 && !self.in_text
    }

    fn step(&mut self, byte: u8) {
        if self.in_text {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.in_text = false,
                _ => {}
            }
            return;
        }
        match byte {
            b'"' => self.in_text = true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
    }
}

fn byte(reader: &mut impl BufRead) -> Result<Option<u8>, Broken> {
    let byte = reader.fill_buf().map_err(Broken::Read)?.first().copied();
    if byte.is_some() {
        reader.consume(1);
    }
    Ok(byte)
}

/// The next byte that is neither white space nor part of a byte order mark.
fn solid(reader: &mut impl BufRead) -> Result<Option<u8>, Broken> {
    loop {
        match byte(reader)? {
            Some(byte) if byte.is_ascii_whitespace() || [0xef, 0xbb, 0xbf].contains(&byte) => {}
            other => return Ok(other),
        }
    }
}

/// Nothing may follow the list.
fn end(reader: &mut impl BufRead) -> Result<(), Broken> {
    match solid(reader)? {
        None => Ok(()),
        Some(_) => Err(Broken::Json("something follows the list")),
    }
}

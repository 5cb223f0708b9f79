//! A RON text with its file name, and with the overrides that were written into it: errors keep pointing at the file's
//! own lines, or at the override that made them.

use std::ops::Range;
use std::path::{Path, PathBuf};

use super::scan::{self, Fields, Kind, Node, SyntaxError};
use crate::error::{Error, Location, Result};

/// The text of an experiment and where its parts come from.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    /// Name of the file.
    pub file: PathBuf,
    /// The text, overrides included.
    pub text: String,
    original: String,
    edits: Vec<Edit>,
}

/// One override, in offsets of the text just after it was written.
#[derive(Debug, Clone)]
struct Edit {
    at: usize,
    inserted: usize,
    removed: usize,
    argument: String,
}

impl Source {
    /// A text as it stands in its file.
    pub(super) fn new(file: &Path, text: &str) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text).to_owned();
        Self { file: file.to_owned(), original: text.clone(), text, edits: Vec::new() }
    }

    /// The text as a tree.
    pub(super) fn scan(&self) -> Result<Node> {
        scan::scan(&self.text).map_err(|SyntaxError { at, problem, advice }| self.error(at, problem, advice))
    }

    /// Writes `value` over a range; `argument` is what asked for it.
    pub(super) fn replace(&mut self, range: Range<usize>, value: &str, argument: &str) {
        self.edits.push(Edit {
            at: range.start,
            inserted: value.len(),
            removed: range.len(),
            argument: argument.to_owned(),
        });
        self.text.replace_range(range, value);
    }

    /// Reads `world((train: 9))` as `world(train: 9)`: RON knows both spellings of a variant's fields. Every offset keeps
    /// its meaning.
    pub(super) fn unwrap_payloads(&mut self, node: &Node) {
        match &node.kind {
            Kind::Tuple(Some(_), items) => {
                if let [Node { span, kind: Kind::Fields(Fields { name: None, .. }) }] = items.as_slice() {
                    self.text.replace_range(span.start..span.start + 1, " ");
                    let rest = &self.text[span.end..node.span.end];
                    let comma = if rest.trim_start().starts_with(',') { rest.find(',') } else { None };
                    let end = comma.map_or(span.end, |i| span.end + i + 1);
                    self.text.replace_range(span.end - 1..end, &" ".repeat(end - span.end + 1));
                }
                items.iter().for_each(|item| self.unwrap_payloads(item));
            }
            Kind::List(items) | Kind::Tuple(None, items) => items.iter().for_each(|item| self.unwrap_payloads(item)),
            Kind::Fields(fields) => fields.entries.iter().for_each(|field| self.unwrap_payloads(&field.value)),
            _ => {}
        }
    }

    /// The line and column of an offset, or the override that wrote what stands there.
    pub(super) fn location(&self, mut at: usize) -> Location {
        for edit in self.edits.iter().rev() {
            if at >= edit.at + edit.inserted {
                at = at - edit.inserted + edit.removed;
            } else if at >= edit.at {
                return Location::file(Path::new(&format!("--set {}", edit.argument)));
            }
        }
        let (mut line, mut column) = (1, 1);
        for c in self.original.get(..at).unwrap_or_default().chars() {
            if c == '\n' {
                (line, column) = (line + 1, 1);
            } else {
                column += 1;
            }
        }
        Location { file: self.file.clone(), line: Some(line), column: Some(column) }
    }

    /// Bad input at an offset.
    pub(crate) fn error(&self, at: usize, problem: impl AsRef<str>, advice: impl AsRef<str>) -> Error {
        Error::input(self.location(at), problem, advice)
    }
}

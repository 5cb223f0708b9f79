//! The place of a row in its file, for errors.

use std::path::Path;

use crate::Error;
use crate::error::Location;

/// What the rows of a file are counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Unit {
    /// A file whose rows are counted by lines.
    #[default]
    Line,
    /// One by one, in a file without lines.
    Row,
}

/// The place of a row, for its errors.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) file: &'a Path,
    pub(super) number: usize,
    pub(super) unit: Unit,
}

impl<'a> Place<'a> {
    /// Row `number` of a file, from 1: its line where the file has lines.
    pub(super) fn new(file: &'a Path, number: usize) -> Self {
        Self { file, number, unit: if is_parquet(file) { Unit::Row } else { Unit::Line } }
    }

    /// Item `number` of a list that may stand on one line.
    pub(super) fn item(file: &'a Path, number: usize) -> Self {
        Self { file, number, unit: Unit::Row }
    }

    pub(super) fn error(&self, problem: impl AsRef<str>, advice: impl AsRef<str>) -> Error {
        match self.unit {
            Unit::Line => Error::input(Location::line(self.file, self.number), problem, advice),
            Unit::Row => {
                let problem = format!("row {}: {}", self.number, problem.as_ref());
                Error::input(Location::file(self.file), problem, advice)
            }
        }
    }
}

/// Whether a file is read as Parquet, by its ending.
pub(super) fn is_parquet(file: &Path) -> bool {
    file.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("parquet"))
}

//! Experiments loaded from a file or a text, and held to make sense.

use std::path::Path;

use crate::error::{Error, Location, Result};
use crate::experiment::{Experiment, Parsed, embedded, instead, parse};

impl Experiment {
    /// Reads, overrides (`stages[1].learning_rate=1e-5`) and checks an experiment: a file, or one that comes with the
    /// program, by its path or its bare name.
    ///
    /// # Errors
    /// Every mistake, each with file, line and column, and what to write instead.
    pub fn load(path: &Path, overrides: &[String]) -> Result<Self> {
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(path, &text, overrides),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => match embedded(path) {
                Some((name, text)) => Self::parse(Path::new(name), text, overrides),
                None => Err(Error::input(Location::file(path), "there is no such file", instead(path))),
            },
            Err(e) => Err(Error::reading(path, &e)),
        }
    }

    /// Reads, overrides and checks the text of an experiment; `file` only names it.
    ///
    /// # Errors
    /// As [`Experiment::load`].
    pub fn parse(file: &Path, text: &str, overrides: &[String]) -> Result<Self> {
        let Parsed { mut experiment, source, tree } = parse(file, text, overrides)?;
        Error::all(super::validate(&mut experiment, &source, &tree))?;
        Ok(experiment)
    }
}

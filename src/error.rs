//! Errors as the user meets them: what is wrong, where (file, line, column), and the way out.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::text::Shown;

/// Result of anything that can fail in front of the user.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A place in a text file, 1-based.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// The file.
    pub file: PathBuf,
    /// Line, where known.
    pub line: Option<usize>,
    /// Column in characters, where known.
    pub column: Option<usize>,
}

impl Location {
    /// The whole file.
    pub fn file(file: &Path) -> Self {
        Self { file: file.to_owned(), line: None, column: None }
    }

    /// A line of the file.
    pub fn line(file: &Path, line: usize) -> Self {
        Self { file: file.to_owned(), line: Some(line), column: None }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Shown::new(&self.file.display().to_string()))?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
            if let Some(column) = self.column {
                write!(f, ":{column}")?;
            }
        }
        Ok(())
    }
}

/// What can go wrong, by what the exit status says of it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Bad input: a file or an argument that the user can mend. Exit status 2. `problem` is displayable text.
    #[error("{location}: {problem}\n  {advice}")]
    Input {
        /// The place of the mistake.
        location: Location,
        /// What is wrong.
        problem: Shown,
        /// The way out.
        advice: Shown,
    },
    /// Several mistakes at once, each with its place. Exit status: the largest of theirs.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Several(Vec<Error>),
    /// Wrong usage. Exit status 2.
    #[error("{0}")]
    Usage(Shown),
    /// Something failed on the way: the disk, the terminal, the trainer. Exit status 1.
    #[error("{0}")]
    Failed(Shown),
    /// A claim that `verify` gates on did not hold, or a claim's numbers could not be had. Exit status 1.
    #[error("{0}")]
    ClaimFailed(Shown),
    /// Ended by Ctrl-C or a signal. Exit status 130.
    #[error("interrupted")]
    Interrupted,
}

impl Error {
    /// Bad input at a place in a file.
    pub fn input(location: Location, problem: impl AsRef<str>, advice: impl AsRef<str>) -> Self {
        Self::Input { location, problem: Shown::new(problem.as_ref()), advice: Shown::new(advice.as_ref()) }
    }

    /// Nothing wrong, one mistake, or several.
    ///
    /// # Errors
    /// When there is any error.
    pub fn all(mut errors: Vec<Self>) -> Result<()> {
        match errors.pop() {
            None => Ok(()),
            Some(only) if errors.is_empty() => Err(only),
            Some(last) => {
                errors.push(last);
                Err(Self::Several(errors))
            }
        }
    }

    /// Wrong usage.
    pub fn usage(problem: impl AsRef<str>) -> Self {
        Self::Usage(Shown::new(problem.as_ref()))
    }

    /// A failure on the way.
    pub fn failed(problem: impl AsRef<str>) -> Self {
        Self::Failed(Shown::new(problem.as_ref()))
    }

    /// An I/O error with the path that it concerns; exit status 2 where the user named a path that cannot be read.
    pub fn reading(path: &Path, error: &std::io::Error) -> Self {
        Self::input(Location::file(path), format!("cannot be read: {error}"), "check the path and its permissions")
    }

    /// A write that failed.
    pub fn writing(path: &Path, error: &std::io::Error) -> Self {
        Self::failed(format!("{}: cannot be written: {error}", path.display()))
    }

    /// The error in one displayable line: the file by its name alone, without the way out.
    pub fn brief(&self) -> Shown {
        match self {
            Self::Input { location, problem, .. } => {
                let file = location.file.file_name().map_or(location.file.as_path(), Path::new);
                Shown::new(&format!("{}: {problem}", Location { file: file.to_owned(), ..location.clone() }))
            }
            other => Shown::new(other.to_string().lines().next().unwrap_or_default()),
        }
    }

    /// The exit status that tells a script what happened.
    pub fn exit_status(&self) -> u8 {
        match self {
            Self::Input { .. } | Self::Usage(_) => 2,
            Self::Several(errors) => errors.iter().map(Self::exit_status).max().unwrap_or(1),
            Self::Failed(_) | Self::ClaimFailed(_) => 1,
            Self::Interrupted => 130,
        }
    }
}

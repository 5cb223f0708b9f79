//! What a recorded run needs to be trained again.

use std::fs::File;
use std::path::Path;

use super::snapshots;
use crate::backend::BackendChoice;
use crate::error::{Error, Result};
use crate::experiment::Experiment;
use crate::history::RunHistory;
use crate::record::RunDirectory;
use crate::train::SavedState;

/// What a recorded run needs to be trained again.
pub(super) struct Again {
    pub(super) experiment: Experiment,
    /// The backend that it was recorded on.
    pub(super) backend: BackendChoice,
    /// Where the run once stood, if that was kept.
    pub(super) saved: Option<SavedState>,
}

impl Again {
    /// What lies beside a run's events; where it stood is the latest that was kept at `since` or before.
    ///
    /// # Errors
    /// When the run's experiment is not there or cannot be read, or the program lacks the run's backend.
    pub(super) fn of(directory: &RunDirectory, history: &RunHistory, since: u64) -> Result<Self> {
        let path = directory.experiment();
        if !path.is_file() {
            return Err(Error::usage(format!(
                "{}: the run's experiment.ron is not beside its events: a run that was imported, or a file by itself, \
                 cannot be taken up again",
                directory.root().display()
            )));
        }
        let experiment = Experiment::load(&path, &[])?;
        let name = history.run.as_ref().map_or("", |run| run.backend.as_str());
        let backend = BackendChoice::named(name).ok_or_else(|| {
            Error::usage(format!("the run was recorded on the backend {name}, which this program does not have"))
        })?;
        let kept = snapshots::at(&directory.snapshots(), since).unwrap_or_else(|| directory.checkpoint());
        Ok(Self { experiment, backend, saved: saved(&kept) })
    }
}

/// The place where the run once stood. That there is nothing to read is no reason to fail: the run can be taken from its
/// beginning.
fn saved(path: &Path) -> Option<SavedState> {
    File::open(path).ok().and_then(|file| SavedState::open(path, file).ok())
}

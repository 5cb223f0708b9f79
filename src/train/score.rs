//! `score`: log-probs of given completions under a checkpoint, for checks against other tools.

use std::path::Path;

use crate::backend::{self, BackendChoice};
use crate::data::batch::Sequence;
use crate::error::Result;
use crate::model::Checkpoint;
use crate::probe::score::CompletionLogps;

/// Scores every sequence's completion under the checkpoint in `folder`; one entry a sequence, f32, nats.
///
/// # Errors
/// When the checkpoint is broken or a sequence is unusable.
pub fn score(folder: &Path, sequences: &[Sequence], backend: BackendChoice) -> Result<Vec<CompletionLogps>> {
    backend::score(&Checkpoint::read(folder)?, sequences, backend)
}

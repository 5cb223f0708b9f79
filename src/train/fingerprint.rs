//! The fingerprint of what a run begins with, as one number.

use burn::tensor::backend::Backend;

use super::prepare::Pair;
use super::weights;
use crate::error::{Error, Result};
use crate::model::Transformer;
use crate::protocol::RunStarted;

/// What a run is begun on, as one number: the experiment alone does not tell whether a file of data or of weights has
/// changed since. `model` is as yet untrained.
pub(super) fn fingerprint<B: Backend>(started: &RunStarted, pairs: &[Pair], model: &Transformer<B>) -> Result<u32> {
    let started =
        serde_json::to_vec(started).map_err(|e| Error::failed(format!("the run cannot be described: {e}")))?;
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&started);
    for sequence in pairs.iter().flat_map(|pair| std::iter::once(&pair.chosen).chain(&pair.rejected)) {
        for ids in [sequence.prompt_ids.as_ref(), sequence.completion_ids.as_slice()] {
            hasher.update(&(ids.len() as u64).to_le_bytes());
            ids.iter().for_each(|id| hasher.update(&id.to_le_bytes()));
        }
    }
    if model.is_adapted() {
        // The frozen weights are not in a checkpoint.
        weights::hash(model, &mut hasher);
    }
    Ok(hasher.finalize())
}

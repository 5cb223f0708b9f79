//! How far log-probs would move with the weights along a direction, for every answer of a batch.

use burn::module::Module as _;
use burn::tensor::Tensor;
use burn::tensor::backend::AutodiffBackend;

use super::backprop::label_logps;
use crate::backend::floats;
use crate::data::Sequence;
use crate::model::Transformer;
use crate::model::batch::Batch;

/// ⟨∇log π(answer), direction⟩ of every sequence's answer, nats for each unit of the direction. One pass forwards and one
/// backwards over `at_once` sequences at a time; no gradient of a weight is made. `direction` has the model's shape.
///
/// It is a derivative and no difference of log-probs: an optimiser that has seen few gradients makes directions in which
/// some weights go so far that log-probs bend within any step that rounding leaves visible.
pub(super) fn slopes<B: AutodiffBackend>(
    model: &Transformer<B>,
    direction: &Transformer<B>,
    sequences: &[&Sequence],
    pad: u32,
    at_once: usize,
) -> Vec<f64> {
    let (model, direction) = (model.clone().no_grad(), direction.clone().no_grad());
    let device = model.device();
    let mut slopes = Vec::with_capacity(sequences.len());
    for rows in sequences.chunks(at_once.max(1)) {
        let batch = Batch::<B>::whole(rows, pad, &device);
        let by: Tensor<B, 2> = Tensor::zeros([rows.len(), 1], &device).require_grad();
        let predicting = batch.predicting_tensor(&device);
        let logits = model.logits_leaning(batch.tokens, predicting, &direction, by.clone());
        let gradients = label_logps(logits, &batch.labels).sum().backward();
        let of_rows = by.grad(&gradients).map_or_else(|| vec![0.0; rows.len()], floats);
        slopes.extend(of_rows.into_iter().map(f64::from));
    }
    slopes
}

#[cfg(test)]
#[path = "slopes_tests.rs"]
mod tests;

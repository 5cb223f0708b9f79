//! Log-probs of what was to be predicted, out of logits.

use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor};

/// `per_token_logps`: log π(label | prefix) in nats, `[rows]`, of logits `[rows, V]` and labels `[rows]`.
///
/// log π_y = z_y − log Σ_v exp z_v, with the largest logit taken out of the sum; its gradient is e_y − π (the −G of the
/// learning dynamics).
pub fn per_token_logps<B: Backend>(logits: Tensor<B, 2>, labels: Tensor<B, 1, Int>) -> Tensor<B, 1> {
    label_and_largest_logps(logits, labels).0
}

/// The same as [`per_token_logps`], together with the log-prob of the likeliest token, which is never below it.
pub fn label_and_largest_logps<B: Backend>(
    logits: Tensor<B, 2>,
    labels: Tensor<B, 1, Int>,
) -> (Tensor<B, 1>, Tensor<B, 1>) {
    let largest = logits.clone().detach().max_dim(1);
    let shifted = logits - largest;
    let normaliser = shifted.clone().exp().sum_dim(1).log();
    let label = shifted.gather(1, labels.unsqueeze_dim(1)) - normaliser.clone();
    (label.squeeze_dim(1), normaliser.neg().squeeze_dim(1))
}

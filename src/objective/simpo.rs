//! `simpo`: −log σ(β(log π⁺/|y⁺| − log π⁻/|y⁻|) − γ), without a reference (Meng et al., arXiv 2405.14734, eq. 6).
//! With a = σ of that argument, w± = β(1−a)/|y±|. TRL writes the target as γ/β inside the parenthesis: the same.

use super::sigmoid::{sigmoid, softplus};
use super::{PairLogps, PairLoss};

#[allow(clippy::cast_precision_loss, reason = "an answer has few tokens")]
pub(super) fn evaluate(pair: &PairLogps, beta: f64, gamma: f64) -> PairLoss {
    let (chosen_length, rejected_length) = (pair.chosen_tokens.max(1) as f64, pair.rejected_tokens.max(1) as f64);
    let chosen = beta * pair.policy_chosen_logps / chosen_length;
    let rejected = beta * pair.policy_rejected_logps / rejected_length;
    let x = chosen - rejected - gamma;
    let weight = beta * sigmoid(-x);
    PairLoss {
        loss: softplus(-x),
        chosen_weight: weight / chosen_length,
        rejected_weight: weight / rejected_length,
        rewards: Some((chosen, rejected)),
    }
}

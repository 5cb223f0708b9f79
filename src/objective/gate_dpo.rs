//! `gate_dpo`: DPO whose push-down is scaled by a gate that closes where y⁻ already lies in a valley (the idea of
//! Gate-DPO, arXiv 2605.02626: attenuate gradients on extremely unlikely rejected answers, leave the objective alone).
//!
//! The gate is g = σ(s·(log π⁻/|y⁻| − t)) and no gradient flows through it: w⁺ = β(1−a), w⁻ = g·β(1−a), and the loss
//! reported is DPO's. The paper's own gate was not at hand; this one is per answer and ours.

use super::sigmoid::sigmoid;
use super::{PairLogps, PairLoss};

#[allow(clippy::cast_precision_loss, reason = "an answer has few tokens")]
pub(super) fn evaluate(pair: &PairLogps, beta: f64, threshold: f64, sharpness: f64) -> PairLoss {
    let per_token = pair.policy_rejected_logps / pair.rejected_tokens.max(1) as f64;
    let gate = sigmoid(sharpness * (per_token - threshold));
    let dpo = super::sigmoid::evaluate(pair, beta, 0.0);
    PairLoss { rejected_weight: gate * dpo.rejected_weight, ..dpo }
}

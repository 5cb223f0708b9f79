//! `sigmoid`: DPO (Rafailov et al., arXiv 2305.18290, eq. 7).
//!
//! L = −log σ(βh), h = r⁺ − r⁻; with a = σ(βh), w⁺ = w⁻ = β(1 − a).

use super::{PairLogps, PairLoss};

pub(super) fn evaluate(pair: &PairLogps, beta: f64) -> PairLoss {
    let (chosen, rejected) = (beta * pair.chosen_logratio(), beta * pair.rejected_logratio());
    let weight = beta * sigmoid(rejected - chosen);
    PairLoss {
        loss: softplus(rejected - chosen),
        chosen_weight: weight,
        rejected_weight: weight,
        rewards: Some((chosen, rejected)),
    }
}

/// log(1 + eˣ) = −log σ(−x), without overflow.
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// 1/(1 + e⁻ˣ), without overflow.
fn sigmoid(x: f64) -> f64 {
    let e = (-x.abs()).exp();
    if x >= 0.0 { 1.0 / (1.0 + e) } else { e / (1.0 + e) }
}

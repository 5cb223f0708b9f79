//! DPO with another argument of the sigmoid, so that y⁺ is not dragged down.
//!
//! `dpop` (Smaug; Pal et al., arXiv 2402.13228, eq. 3): −log σ(β(h − λ·max(0, −r⁺))), w⁺ = β(1−a)(1 + λ\[r⁺ < 0\]),
//! w⁻ = β(1−a): below the reference y⁺ is pulled up harder than y⁻ is pushed down.
//!
//! `dpo_shift` (Yang et al., arXiv 2502.07599, eq. 4, the fixed f): −log σ(β(r⁺ − f·r⁻)), w⁺ = β(1−a),
//! w⁻ = f·β(1−a).

use super::sigmoid::{sigmoid, softplus};
use super::{PairLogps, PairLoss};

pub(super) fn dpop(pair: &PairLogps, beta: f64, lambda: f64) -> PairLoss {
    let fallen = pair.chosen_logratio() < 0.0;
    let punishment = lambda * (-pair.chosen_logratio()).max(0.0);
    let x = beta * (pair.margin() - punishment);
    let weight = beta * sigmoid(-x);
    PairLoss {
        loss: softplus(-x),
        chosen_weight: weight * if fallen { 1.0 + lambda } else { 1.0 },
        rejected_weight: weight,
        rewards: pair.rewards(beta),
    }
}

pub(super) fn dpo_shift(pair: &PairLogps, beta: f64, shift: f64) -> PairLoss {
    let x = beta * (pair.chosen_logratio() - shift * pair.rejected_logratio());
    let weight = beta * sigmoid(-x);
    PairLoss { loss: softplus(-x), chosen_weight: weight, rejected_weight: shift * weight, rewards: pair.rewards(beta) }
}

//! `sigmoid`: DPO (Rafailov et al., arXiv 2305.18290, eq. 7), with the label smoothing ε of conservative DPO (Mitchell's
//! note "cDPO", TRL's `label_smoothing`):
//! L = −(1−ε) log σ(βh) − ε log σ(−βh); with a = σ(βh), w⁺ = w⁻ = β(1−ε−a).
//!
//! `robust`: the loss whose expectation under preferences flipped with probability ε is DPO's (Chowdhury et al., arXiv
//! 2403.00409, eq. 12): L = (−(1−ε) log σ(βh) + ε log σ(−βh)) / (1−2ε), w = β((1−ε)(1−a) + εa) / (1−2ε). SPIN (Chen et
//! al., arXiv 2401.01335) is `sigmoid` on answers that the previous iterate samples: see `on_policy`.

use super::{PairLogps, PairLoss};

pub(super) fn evaluate(pair: &PairLogps, beta: f64, smoothing: f64) -> PairLoss {
    let x = beta * pair.margin();
    let weight = beta * ((1.0 - smoothing) * sigmoid(-x) - smoothing * sigmoid(x));
    PairLoss {
        loss: (1.0 - smoothing) * softplus(-x) + smoothing * softplus(x),
        chosen_weight: weight,
        rejected_weight: weight,
        rewards: pair.rewards(beta),
    }
}

pub(super) fn robust(pair: &PairLogps, beta: f64, smoothing: f64) -> PairLoss {
    let x = beta * pair.margin();
    let scale = 1.0 - 2.0 * smoothing;
    let weight = beta * ((1.0 - smoothing) * sigmoid(-x) + smoothing * sigmoid(x)) / scale;
    PairLoss {
        loss: ((1.0 - smoothing) * softplus(-x) - smoothing * softplus(x)) / scale,
        chosen_weight: weight,
        rejected_weight: weight,
        rewards: pair.rewards(beta),
    }
}

/// log(1 + eˣ) = −log σ(−x), without overflow.
pub(super) fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// 1/(1 + e⁻ˣ), without overflow.
pub(super) fn sigmoid(x: f64) -> f64 {
    let e = (-x.abs()).exp();
    if x >= 0.0 { 1.0 / (1.0 + e) } else { e / (1.0 + e) }
}

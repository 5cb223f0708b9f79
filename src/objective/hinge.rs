//! Losses that stop pushing once the margin is there.
//!
//! `hinge`: max(0, 1 − βh), as TRL has it (Liu et al., arXiv 2309.06657, eq. 11), w⁺ = w⁻ = β·\[βh < 1\].
//!
//! `slic`: max(0, δ − log π⁺ + log π⁻) without a reference, as SLiC-HF (Zhao et al., arXiv 2305.10425) and Ren &
//! Sutherland's section 3.2 have it, w⁺ = w⁻ = \[active\]. Both are usually met with λ·NLL of y⁺ beside them (`nll`).

use super::{PairLogps, PairLoss};

pub(super) fn evaluate(pair: &PairLogps, beta: f64) -> PairLoss {
    let missing = 1.0 - beta * pair.margin();
    let weight = if missing > 0.0 { beta } else { 0.0 };
    PairLoss { loss: missing.max(0.0), chosen_weight: weight, rejected_weight: weight, rewards: pair.rewards(beta) }
}

pub(super) fn slic(pair: &PairLogps, delta: f64) -> PairLoss {
    let missing = delta - (pair.policy_chosen_logps - pair.policy_rejected_logps);
    let weight = if missing > 0.0 { 1.0 } else { 0.0 };
    PairLoss {
        loss: missing.max(0.0),
        chosen_weight: weight,
        rejected_weight: weight,
        rewards: Some((pair.policy_chosen_logps, pair.policy_rejected_logps)),
    }
}

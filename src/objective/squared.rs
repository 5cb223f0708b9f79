//! Objectives that aim at a margin instead of an ever larger one.
//!
//! `ipo`: (h − 1/2β)² (Azar et al., arXiv 2310.12036, eq. 17), w⁺ = w⁻ = 2(1/2β − h). Log-probs are sums, as in its
//! paper and in the code of Ren & Sutherland; TRL takes means over the tokens of each answer, which `length_normalised`
//! does: then w± are those of the means, over |y±|.
//!
//! `sppo_hard`: (r⁺ − 1/2β)² + (r⁻ + 1/2β)² (Wu et al., arXiv 2405.00675, as in TRL), w⁺ = 2(1/2β − r⁺),
//! w⁻ = 2(1/2β + r⁻): y⁻ is pushed down until r⁻ = −1/2β and up below it.

use super::{PairLogps, PairLoss};

#[allow(clippy::cast_precision_loss, reason = "an answer has few tokens")]
pub(super) fn ipo(pair: &PairLogps, beta: f64, length_normalised: bool) -> PairLoss {
    let length = |tokens: usize| if length_normalised { tokens.max(1) as f64 } else { 1.0 };
    let (chosen_length, rejected_length) = (length(pair.chosen_tokens), length(pair.rejected_tokens));
    let margin = pair.chosen_logratio() / chosen_length - pair.rejected_logratio() / rejected_length;
    let missing = 0.5 / beta - margin;
    PairLoss {
        loss: missing * missing,
        chosen_weight: 2.0 * missing / chosen_length,
        rejected_weight: 2.0 * missing / rejected_length,
        rewards: pair.rewards(beta),
    }
}

pub(super) fn sppo_hard(pair: &PairLogps, beta: f64) -> PairLoss {
    let chosen = 0.5 / beta - pair.chosen_logratio();
    let rejected = 0.5 / beta + pair.rejected_logratio();
    PairLoss {
        loss: chosen * chosen + rejected * rejected,
        chosen_weight: 2.0 * chosen,
        rejected_weight: 2.0 * rejected,
        rewards: pair.rewards(beta),
    }
}

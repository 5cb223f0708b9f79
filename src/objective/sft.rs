//! `sft`: −log π⁺, which the trainer divides by the batch's completion tokens.

use super::{PairLogps, PairLoss};

pub(super) fn evaluate(pair: &PairLogps) -> PairLoss {
    PairLoss { loss: -pair.policy_chosen_logps, chosen_weight: 1.0, rejected_weight: 0.0, rewards: None }
}

//! `sft`: −log π⁺, which the trainer divides by the batch's completion tokens; `sft_extended`: −log π⁺ − log π⁻, the
//! same on the extended set, where y⁺ and y⁻ both are targets (Ren & Sutherland, section 4: train on y⁻ first, so that
//! DPO finds it on a slope and not in a valley).

use super::{PairLogps, PairLoss};

pub(super) fn chosen(pair: &PairLogps) -> PairLoss {
    PairLoss { loss: -pair.policy_chosen_logps, chosen_weight: 1.0, rejected_weight: 0.0, rewards: None }
}

pub(super) fn extended(pair: &PairLogps) -> PairLoss {
    PairLoss {
        loss: -pair.policy_chosen_logps - pair.policy_rejected_logps,
        chosen_weight: 1.0,
        rejected_weight: -1.0,
        rewards: None,
    }
}

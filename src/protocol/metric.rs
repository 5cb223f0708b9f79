//! The names of scalars that are logged every step.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The name of a scalar that is logged every step, spelled as TRL spells it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MetricKey(pub std::borrow::Cow<'static, str>);

impl MetricKey {
    /// Mean loss over the batch.
    pub const LOSS: Self = Self::named("loss");
    /// Global L2 norm of the gradient before clipping.
    pub const GRAD_NORM: Self = Self::named("grad_norm");
    /// The learning rate of this step, warm-up included.
    pub const LEARNING_RATE: Self = Self::named("learning_rate");
    /// Tokens seen by the optimiser since the run began, prompts included.
    pub const NUM_TOKENS: Self = Self::named("num_tokens");
    /// Pictures seen by the optimiser since the run began.
    pub const NUM_PICTURES: Self = Self::named("num_pictures");
    /// Mean sum of log-probs of the chosen completions in the batch.
    pub const LOGPS_CHOSEN: Self = Self::named("logps/chosen");
    /// Mean sum of log-probs of the rejected completions in the batch.
    pub const LOGPS_REJECTED: Self = Self::named("logps/rejected");
    /// Mean implicit reward of the chosen completions, β·(log π − log π_ref).
    pub const REWARDS_CHOSEN: Self = Self::named("rewards/chosen");
    /// Mean implicit reward of the rejected completions.
    pub const REWARDS_REJECTED: Self = Self::named("rewards/rejected");
    /// Mean difference of the two rewards.
    pub const REWARDS_MARGINS: Self = Self::named("rewards/margins");
    /// Share of pairs with a positive reward margin.
    pub const REWARDS_ACCURACIES: Self = Self::named("rewards/accuracies");
    /// Mean reward of the answers sampled as y⁺, at the steps that sample.
    pub const SAMPLED_REWARD_CHOSEN: Self = Self::named("sampled/reward_chosen");
    /// Mean reward of the answers sampled as y⁻, at the steps that sample.
    pub const SAMPLED_REWARD_REJECTED: Self = Self::named("sampled/reward_rejected");
    /// Mean weight w⁺ = −∂L/∂log π⁺ of the chosen completions: how hard they are pulled up.
    pub const WEIGHT_CHOSEN: Self = Self::named("weights/chosen");
    /// Mean weight w⁻ = ∂L/∂log π⁻ of the rejected completions: how hard they are pushed down.
    pub const WEIGHT_REJECTED: Self = Self::named("weights/rejected");

    const fn named(name: &'static str) -> Self {
        Self(std::borrow::Cow::Borrowed(name))
    }
}

impl fmt::Display for MetricKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

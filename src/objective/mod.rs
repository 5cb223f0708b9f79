//! Objectives: from sums of log-probs to a loss and the two weights that say which way, and how hard, it pushes.
//!
//! Every objective here is a function L(log π⁺, log π⁻) of the completions' log-probs, so its gradient is
//! ∇_θ L = −Σ (w⁺ ∇log π⁺ − w⁻ ∇log π⁻) with w⁺ = −∂L/∂log π⁺ and w⁻ = ∂L/∂log π⁻. Those scalars are computed here in
//! f64; the trainer backpropagates −w⁺·log π⁺ + w⁻·log π⁻. A new objective is one file and one row in
//! [`evaluate`]. Log-probs and masks are all that is seen here, never a model.

pub mod logps;
mod sft;
mod sigmoid;

use crate::experiment::ObjectiveConfig;

/// Sums of log-probs of one pair, nats, and the completions' lengths.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PairLogps {
    /// log π(y⁺ | x).
    pub policy_chosen_logps: f64,
    /// log π(y⁻ | x); 0 where the objective has no rejected answer.
    pub policy_rejected_logps: f64,
    /// log π_ref(y⁺ | x); 0 where the objective has no reference.
    pub ref_chosen_logps: f64,
    /// log π_ref(y⁻ | x).
    pub ref_rejected_logps: f64,
    /// Tokens of y⁺.
    pub chosen_tokens: usize,
    /// Tokens of y⁻.
    pub rejected_tokens: usize,
}

impl PairLogps {
    /// r⁺ = log π(y⁺) − log π_ref(y⁺).
    pub fn chosen_logratio(&self) -> f64 {
        self.policy_chosen_logps - self.ref_chosen_logps
    }

    /// r⁻ = log π(y⁻) − log π_ref(y⁻).
    pub fn rejected_logratio(&self) -> f64 {
        self.policy_rejected_logps - self.ref_rejected_logps
    }
}

/// One pair's part in the loss.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PairLoss {
    /// The pair's loss; the batch's is the sum of these over [`normaliser`].
    pub loss: f64,
    /// w⁺ = −∂loss/∂log π⁺: how hard y⁺ is pulled up.
    pub chosen_weight: f64,
    /// w⁻ = ∂loss/∂log π⁻: how hard y⁻ is pushed down.
    pub rejected_weight: f64,
    /// The implicit rewards of y⁺ and y⁻, where the objective defines them.
    pub rewards: Option<(f64, f64)>,
}

/// One pair's loss and weights under an objective.
pub fn evaluate(objective: &ObjectiveConfig, pair: &PairLogps) -> PairLoss {
    match *objective {
        ObjectiveConfig::Sft => sft::evaluate(pair),
        ObjectiveConfig::Sigmoid { beta } => sigmoid::evaluate(pair, beta),
    }
}

/// What the sum of pair losses is divided by: completion tokens for `sft`, pairs otherwise.
#[allow(clippy::cast_precision_loss, reason = "a batch's tokens are few")]
pub fn normaliser(objective: &ObjectiveConfig, pairs: usize, chosen_tokens: usize) -> f64 {
    match objective {
        ObjectiveConfig::Sft => chosen_tokens as f64,
        ObjectiveConfig::Sigmoid { .. } => pairs as f64,
    }
}

impl ObjectiveConfig {
    /// Its name in TRL.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Sft => "sft",
            Self::Sigmoid { .. } => "sigmoid",
        }
    }

    /// Whether it pushes a rejected answer down.
    pub fn has_rejected(&self) -> bool {
        match self {
            Self::Sft => false,
            Self::Sigmoid { .. } => true,
        }
    }

    /// Whether it compares with a frozen reference model.
    pub fn has_reference(&self) -> bool {
        match self {
            Self::Sft => false,
            Self::Sigmoid { .. } => true,
        }
    }

    /// β, where it has one.
    pub fn beta(&self) -> Option<f64> {
        match *self {
            Self::Sft => None,
            Self::Sigmoid { beta } => Some(beta),
        }
    }
}

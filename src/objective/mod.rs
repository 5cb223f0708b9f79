//! Objectives: from sums of log-probs to a loss and the two weights that say which way, and how hard, it pushes.
//!
//! Every objective here is a function L(log π⁺, log π⁻) of the completions' log-probs, so its gradient is
//! ∇_θ L = −Σ (w⁺ ∇log π⁺ − w⁻ ∇log π⁻) with w⁺ = −∂L/∂log π⁺ and w⁻ = ∂L/∂log π⁻. Those scalars are computed here in
//! f64; the trainer backpropagates −w⁺·log π⁺ + w⁻·log π⁻. Log-probs and masks are all that is seen here, never a model.
//!
//! | objective | w⁺ | w⁻ |
//! |---|---|---|
//! | `sft` | 1 | 0 |
//! | `sft_extended` | 1 | −1 |
//! | `sigmoid`, `robust` (+ λ·NLL) | β·c(h) + λ | β·c(h) |
//! | `ipo` | 2(1/2β − h) | the same |
//! | `hinge`, `slic` (+ λ·NLL) | β·\[active\] + λ | β·\[active\] |
//! | `simpo` | β(1−a)/\|y⁺\| | β(1−a)/\|y⁻\| |
//! | `sppo_hard` | 2(1/2β − r⁺) | 2(1/2β + r⁻) |
//! | `dpop` | β(1−a)(1 + λ\[r⁺<0\]) | β(1−a) |
//! | `gate_dpo` | β(1−a) | β(1−a)·gate |
//! | `dpo_shift` | β(1−a) | f·β(1−a) |
//!
//! A new objective is one file, a row in [`evaluate`] and one in [`ObjectiveConfig::traits`].

mod gate_dpo;
mod hinge;
pub mod logps;
mod pair;
mod sft;
mod shifted;
mod sigmoid;
mod simpo;
mod squared;
#[cfg(test)]
mod tests;

pub use pair::{PairLogps, PairLoss};

use crate::experiment::ObjectiveConfig;

/// One pair's loss and weights under an objective.
pub fn evaluate(objective: &ObjectiveConfig, pair: &PairLogps) -> PairLoss {
    match *objective {
        ObjectiveConfig::Sft => sft::chosen(pair),
        ObjectiveConfig::SftExtended => sft::extended(pair),
        ObjectiveConfig::Sigmoid { beta, label_smoothing, nll } => {
            sigmoid::evaluate(pair, beta, label_smoothing).with_nll(pair, nll)
        }
        ObjectiveConfig::Robust { beta, label_smoothing } => sigmoid::robust(pair, beta, label_smoothing),
        ObjectiveConfig::Ipo { beta, length_normalised } => squared::ipo(pair, beta, length_normalised),
        ObjectiveConfig::Hinge { beta, nll } => hinge::evaluate(pair, beta).with_nll(pair, nll),
        ObjectiveConfig::Slic { delta, nll } => hinge::slic(pair, delta).with_nll(pair, nll),
        ObjectiveConfig::Simpo { beta, gamma } => simpo::evaluate(pair, beta, gamma),
        ObjectiveConfig::SppoHard { beta } => squared::sppo_hard(pair, beta),
        ObjectiveConfig::Dpop { beta, lambda } => shifted::dpop(pair, beta, lambda),
        ObjectiveConfig::GateDpo { beta, threshold, sharpness } => gate_dpo::evaluate(pair, beta, threshold, sharpness),
        ObjectiveConfig::DpoShift { beta, shift } => shifted::dpo_shift(pair, beta, shift),
    }
}

/// What the sum of pair losses is divided by: the tokens of every target for cross entropy, pairs otherwise.
#[allow(clippy::cast_precision_loss, reason = "a batch's tokens are few")]
pub fn normaliser(objective: &ObjectiveConfig, pairs: usize, chosen_tokens: usize, rejected_tokens: usize) -> f64 {
    match objective {
        ObjectiveConfig::Sft => chosen_tokens as f64,
        ObjectiveConfig::SftExtended => (chosen_tokens + rejected_tokens) as f64,
        _ => pairs as f64,
    }
}

/// What the trainer and the viewer must know of an objective besides its loss.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Traits {
    /// Its name, TRL's where it has one.
    pub name: &'static str,
    /// What it does with a rejected answer.
    pub rejected: Rejected,
    /// Whether it compares with a frozen reference model.
    pub reference: bool,
    /// β, where it has one.
    pub beta: Option<f64>,
}

/// What an objective does with a rejected answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rejected {
    /// It does not read it.
    Unread,
    /// It is a target like the chosen one.
    Target,
    /// It pushes it down: only then can a stage be said to squeeze.
    PushedDown,
}

impl ObjectiveConfig {
    /// The objective's row in the table of traits.
    pub fn traits(&self) -> Traits {
        use Rejected::{PushedDown, Target, Unread};
        let row = |name, rejected, reference, beta| Traits { name, rejected, reference, beta };
        match *self {
            Self::Sft => row("sft", Unread, false, None),
            Self::SftExtended => row("sft_extended", Target, false, None),
            Self::Sigmoid { beta, .. } => row("sigmoid", PushedDown, true, Some(beta)),
            Self::Robust { beta, .. } => row("robust", PushedDown, true, Some(beta)),
            Self::Ipo { beta, .. } => row("ipo", PushedDown, true, Some(beta)),
            Self::Hinge { beta, .. } => row("hinge", PushedDown, true, Some(beta)),
            Self::Slic { .. } => row("slic", PushedDown, false, None),
            Self::Simpo { beta, .. } => row("simpo", PushedDown, false, Some(beta)),
            Self::SppoHard { beta } => row("sppo_hard", PushedDown, true, Some(beta)),
            Self::Dpop { beta, .. } => row("dpop", PushedDown, true, Some(beta)),
            Self::GateDpo { beta, .. } => row("gate_dpo", PushedDown, true, Some(beta)),
            Self::DpoShift { beta, .. } => row("dpo_shift", PushedDown, true, Some(beta)),
        }
    }

    /// Its name in TRL, or ours where TRL has none.
    pub fn name(&self) -> &'static str {
        self.traits().name
    }

    /// Whether it reads a rejected answer at all.
    pub fn reads_rejected(&self) -> bool {
        self.traits().rejected != Rejected::Unread
    }

    /// Whether it pushes a rejected answer down.
    pub fn pushes_down(&self) -> bool {
        self.traits().rejected == Rejected::PushedDown
    }

    /// Whether it compares with a frozen reference model.
    pub fn has_reference(&self) -> bool {
        self.traits().reference
    }

    /// β, where it has one.
    pub fn beta(&self) -> Option<f64> {
        self.traits().beta
    }
}

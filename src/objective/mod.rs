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
//! A new objective is one file with its equation, and a row in the table below: the experiment's schema, the names, the
//! defaults, the bounds and the tests' list of golden values follow from it.

mod gate_dpo;
mod hinge;
pub mod logps;
mod pair;
mod sft;
mod shifted;
mod sigmoid;
mod simpo;
mod squared;
mod table;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use table::Bound::{AboveZero, Any, Finite, Flipped, NotNegative, Share};
use table::{Given, objective_config};

pub use pair::{PairLogps, PairLoss};
pub use table::{Bound, Parameter, Rejected, Traits};

/// Hands the table of objectives to a macro: variant, name, what is done with a rejected answer, parameters with their
/// types, defaults and bounds, and the equation.
macro_rules! each_objective {
    ($then:ident) => {
        $then! {
            /// Cross entropy of the chosen completion, mean over the batch's completion tokens.
            Sft = sft [Unread, reference: false] => |pair| sft::chosen(pair);
            /// Cross entropy of the chosen and of the rejected completion: the extended set of Ren & Sutherland's section 4.
            SftExtended = sft_extended [Target, reference: false] => |pair| sft::extended(pair);
            /// DPO: −log σ(βh) (Rafailov et al., arXiv 2305.18290).
            Sigmoid = sigmoid [PushedDown, reference: true] {
                /// Inverse temperature of the implicit reward.
                beta: f64 = 0.1, AboveZero("such as 0.1");
                /// Share of preferences that are taken to be flipped (conservative DPO, cDPO).
                label_smoothing: f64 = 0.0, Flipped;
                /// Weight λ of −log π(y⁺), a sum over tokens, that is added.
                nll: f64 = 0.0, NotNegative("a weight");
            } => |pair| sigmoid::evaluate(pair, beta, label_smoothing).with_nll(pair, nll);
            /// Robust DPO: DPO's loss made unbiased under flipped preferences (Chowdhury et al., arXiv 2403.00409).
            Robust = robust [PushedDown, reference: true] {
                /// Inverse temperature of the implicit reward.
                beta: f64 = 0.1, AboveZero("such as 0.1");
                /// Share of preferences that are flipped.
                label_smoothing: f64 = 0.1, Flipped;
            } => |pair| sigmoid::robust(pair, beta, label_smoothing);
            /// IPO: (h − 1/2β)² (Azar et al., arXiv 2310.12036).
            Ipo = ipo [PushedDown, reference: true] {
                /// The margin that is aimed at is 1/2β.
                beta: f64 = 0.1, AboveZero("such as 0.1");
                /// Whether log-probs are means over tokens, as in TRL, instead of sums, as in IPO's paper and in the code of
                /// Ren & Sutherland.
                length_normalised: bool = false, Any;
            } => |pair| squared::ipo(pair, beta, length_normalised);
            /// TRL's hinge: max(0, 1 − βh), with a reference, plus λ·NLL.
            Hinge = hinge [PushedDown, reference: true] {
                /// Inverse temperature of the implicit reward.
                beta: f64 = 0.1, AboveZero("such as 0.1");
                /// Weight λ of −log π(y⁺), a sum over tokens, that is added.
                nll: f64 = 0.0, NotNegative("a weight");
            } => |pair| hinge::evaluate(pair, beta).with_nll(pair, nll);
            /// SLiC-HF as in the paper: max(0, δ − log π⁺ + log π⁻) plus λ·NLL, without a reference (Zhao et al., arXiv
            /// 2305.10425).
            Slic = slic [PushedDown, reference: false] {
                /// The margin that is asked for, nats.
                delta: f64 = 1.0, AboveZero("such as 1.0");
                /// Weight λ of −log π(y⁺), a sum over tokens, that is added.
                nll: f64 = 0.01, NotNegative("a weight");
            } => |pair| hinge::slic(pair, delta).with_nll(pair, nll);
            /// SimPO: −log σ(β(log π⁺/|y⁺| − log π⁻/|y⁻|) − γ), without a reference (Meng et al., arXiv 2405.14734).
            Simpo = simpo [PushedDown, reference: false] {
                /// Inverse temperature of the reward.
                beta: f64 = 2.0, AboveZero("such as 0.1");
                /// The reward margin that is asked for.
                gamma: f64 = 0.5, NotNegative("a margin");
            } => |pair| simpo::evaluate(pair, beta, gamma);
            /// SPPO with hard labels: (r⁺ − 1/2β)² + (r⁻ + 1/2β)² (Wu et al., arXiv 2405.00675).
            SppoHard = sppo_hard [PushedDown, reference: true] {
                /// Log-ratios are aimed at ±1/2β.
                beta: f64 = 0.1, AboveZero("such as 0.1");
            } => |pair| squared::sppo_hard(pair, beta);
            /// DPO-Positive (Smaug): −log σ(β(h − λ·max(0, −r⁺))) (Pal et al., arXiv 2402.13228).
            Dpop = dpop [PushedDown, reference: true] {
                /// Inverse temperature of the implicit reward.
                beta: f64 = 0.1, AboveZero("such as 0.1");
                /// How hard a fall of y⁺ below the reference is punished.
                lambda: f64 = 5.0, NotNegative("a weight");
            } => |pair| shifted::dpop(pair, beta, lambda);
            /// DPO with a gate on the push-down that closes where y⁻ lies in a valley (after Gate-DPO, arXiv 2605.02626):
            /// w⁻ = β(1−a)·σ(sharpness·(log π⁻/|y⁻| − threshold)).
            GateDpo = gate_dpo [PushedDown, reference: true] {
                /// Inverse temperature of the implicit reward.
                beta: f64 = 0.1, AboveZero("such as 0.1");
                /// Log-prob a token, nats, at which the gate is half open.
                threshold: f64 = -1.5, Finite("log-prob", "a log-prob a token, such as -1.5");
                /// How fast it closes, per nat a token.
                sharpness: f64 = 8.0, AboveZero("such as 8.0");
            } => |pair| gate_dpo::evaluate(pair, beta, threshold, sharpness);
            /// DPO-Shift: −log σ(β(r⁺ − f·r⁻)) with a fixed f (Yang et al., arXiv 2502.07599).
            DpoShift = dpo_shift [PushedDown, reference: true] {
                /// Inverse temperature of the implicit reward.
                beta: f64 = 0.1, AboveZero("such as 0.1");
                /// f, the share of the rejected reward that counts: 1 is DPO.
                shift: f64 = 0.75, Share;
            } => |pair| shifted::dpo_shift(pair, beta, shift);
        }
    };
}
pub(crate) use each_objective;

each_objective!(objective_config);

/// What the sum of pair losses is divided by: the tokens of every target for cross entropy, pairs otherwise.
#[allow(clippy::cast_precision_loss, reason = "a batch's tokens are few")]
pub fn normaliser(objective: &ObjectiveConfig, pairs: usize, chosen_tokens: usize, rejected_tokens: usize) -> f64 {
    match objective {
        ObjectiveConfig::Sft => chosen_tokens as f64,
        ObjectiveConfig::SftExtended => (chosen_tokens + rejected_tokens) as f64,
        _ => pairs as f64,
    }
}

impl ObjectiveConfig {
    /// The objective's name in TRL, or ours where TRL has none.
    pub fn name(&self) -> &'static str {
        self.traits().name
    }

    /// The objective as an experiment spells it, with every parameter that it has.
    pub fn spelled(&self) -> String {
        let parameter = |parameter: Parameter| match parameter.bound {
            Any => format!("{}: {}", parameter.name, parameter.value != 0.0),
            _ => format!("{}: {:?}", parameter.name, parameter.value),
        };
        let parameters: Vec<String> = self.parameters().into_iter().map(parameter).collect();
        if parameters.is_empty() {
            self.name().to_owned()
        } else {
            format!("{}({})", self.name(), parameters.join(", "))
        }
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
        self.parameters().into_iter().find(|parameter| parameter.name == "beta").map(|beta| beta.value)
    }
}

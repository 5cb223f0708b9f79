//! What is done: a stage of training, its objective, its optimiser.

use serde::{Deserialize, Serialize};

/// Optimiser steps under one objective.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// Name on the screen ("SFT", "DPO").
    pub name: String,
    /// What is minimised.
    pub objective: ObjectiveConfig,
    /// Where answers are sampled from the policy itself; absent where the data's answers are used.
    #[serde(default)]
    pub on_policy: Option<OnPolicy>,
    /// Optimiser steps.
    pub steps: u64,
    /// Examples per optimiser step and accumulation slice.
    #[serde(default = "default_batch_size")]
    pub batch_size: usize,
    /// Slices accumulated into one optimiser step: the effective batch is `batch_size · gradient_accumulation_steps`.
    #[serde(default = "one")]
    pub gradient_accumulation_steps: usize,
    /// Whether the backward pass computes every block anew instead of keeping what it computed (Chen et al. 2016, arXiv
    /// 1604.06174): less memory, a third more time. The gradients are the same.
    #[serde(default)]
    pub gradient_checkpointing: bool,
    /// How gradients become updates.
    #[serde(default)]
    pub optimizer: OptimizerConfig,
    /// Peak learning rate.
    pub learning_rate: f64,
    /// Steps of linear warm-up.
    #[serde(default)]
    pub warmup_steps: u64,
    /// What the learning rate does after the warm-up.
    #[serde(default)]
    pub schedule: Schedule,
    /// Global L2 norm to which gradients are clipped; 0 for no clipping.
    #[serde(default = "default_max_grad_norm")]
    pub max_grad_norm: f64,
    /// Optimiser steps between evaluations.
    #[serde(default = "default_evaluate_every")]
    pub evaluate_every: u64,
}

fn default_batch_size() -> usize {
    8
}
fn one() -> usize {
    1
}
fn default_max_grad_norm() -> f64 {
    10.0
}
fn default_evaluate_every() -> u64 {
    16
}

/// Answers sampled from the policy that is being trained, in place of the data's.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OnPolicy {
    /// Which answers are replaced.
    pub replaces: Replaces,
    /// Optimiser steps between two samplings; each serves the prompts of the steps up to the next. 0: an answer to every
    /// prompt once, when the stage begins (SPIN's iteration, arXiv 2401.01335).
    pub every: u64,
    /// Answers sampled to a prompt. Of several, the one with the least reward is y⁻, the one with the most is y⁺.
    pub candidates: usize,
    /// Temperature of the softmax.
    pub temperature: f64,
    /// Nucleus: the smallest set of tokens that holds this much probability (Holtzman et al., arXiv 1904.09751).
    pub top_p: f64,
    /// Longest answer, tokens.
    pub max_new_tokens: usize,
}

impl Default for OnPolicy {
    fn default() -> Self {
        Self {
            replaces: Replaces::Rejected,
            every: 16,
            candidates: 1,
            temperature: 1.0,
            top_p: 1.0,
            max_new_tokens: 64,
        }
    }
}

/// Which answers the policy's own replace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Replaces {
    /// y⁻.
    #[default]
    Rejected,
    /// y⁺ and y⁻: the best and the worst of the candidates, by the world's reward.
    Both,
}

/// What is minimised; names as in TRL's `loss_type` where it has one. r = log π − log π_ref over sums of log-probs,
/// h = r⁺ − r⁻. The formulas stand in `src/objective`, one file each.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ObjectiveConfig {
    /// Cross entropy of the chosen completion, mean over the batch's completion tokens.
    Sft,
    /// Cross entropy of the chosen and of the rejected completion: the extended set of Ren & Sutherland's section 4.
    SftExtended,
    /// DPO: −log σ(βh) (Rafailov et al., arXiv 2305.18290).
    Sigmoid {
        /// Inverse temperature of the implicit reward.
        #[serde(default = "default_beta")]
        beta: f64,
        /// Share of preferences that are taken to be flipped (conservative DPO, cDPO).
        #[serde(default)]
        label_smoothing: f64,
        /// Weight λ of −log π(y⁺), a sum over tokens, that is added.
        #[serde(default)]
        nll: f64,
    },
    /// Robust DPO: DPO's loss made unbiased under flipped preferences (Chowdhury et al., arXiv 2403.00409).
    Robust {
        /// Inverse temperature of the implicit reward.
        #[serde(default = "default_beta")]
        beta: f64,
        /// Share of preferences that are flipped.
        #[serde(default = "default_label_smoothing")]
        label_smoothing: f64,
    },
    /// IPO: (h − 1/2β)² (Azar et al., arXiv 2310.12036).
    Ipo {
        /// The margin that is aimed at is 1/2β.
        #[serde(default = "default_beta")]
        beta: f64,
        /// Whether log-probs are means over tokens, as in TRL, instead of sums, as in IPO's paper and in the code of Ren &
        /// Sutherland.
        #[serde(default)]
        length_normalised: bool,
    },
    /// TRL's hinge: max(0, 1 − βh), with a reference, plus λ·NLL.
    Hinge {
        /// Inverse temperature of the implicit reward.
        #[serde(default = "default_beta")]
        beta: f64,
        /// Weight λ of −log π(y⁺), a sum over tokens, that is added.
        #[serde(default)]
        nll: f64,
    },
    /// SLiC-HF as in the paper: max(0, δ − log π⁺ + log π⁻) plus λ·NLL, without a reference (Zhao et al., arXiv 2305.10425).
    Slic {
        /// The margin that is asked for, nats.
        #[serde(default = "one_real")]
        delta: f64,
        /// Weight λ of −log π(y⁺), a sum over tokens, that is added.
        #[serde(default = "default_slic_nll")]
        nll: f64,
    },
    /// SimPO: −log σ(β(log π⁺/|y⁺| − log π⁻/|y⁻|) − γ), without a reference (Meng et al., arXiv 2405.14734).
    Simpo {
        /// Inverse temperature of the reward.
        #[serde(default = "default_simpo_beta")]
        beta: f64,
        /// The reward margin that is asked for.
        #[serde(default = "default_simpo_gamma")]
        gamma: f64,
    },
    /// SPPO with hard labels: (r⁺ − 1/2β)² + (r⁻ + 1/2β)² (Wu et al., arXiv 2405.00675).
    SppoHard {
        /// Log-ratios are aimed at ±1/2β.
        #[serde(default = "default_beta")]
        beta: f64,
    },
    /// DPO-Positive (Smaug): −log σ(β(h − λ·max(0, −r⁺))) (Pal et al., arXiv 2402.13228).
    Dpop {
        /// Inverse temperature of the implicit reward.
        #[serde(default = "default_beta")]
        beta: f64,
        /// How hard a fall of y⁺ below the reference is punished.
        #[serde(default = "default_dpop_lambda")]
        lambda: f64,
    },
    /// DPO with a gate on the push-down that closes where y⁻ lies in a valley (after Gate-DPO, arXiv 2605.02626):
    /// w⁻ = β(1−a)·σ(sharpness·(log π⁻/|y⁻| − threshold)).
    GateDpo {
        /// Inverse temperature of the implicit reward.
        #[serde(default = "default_beta")]
        beta: f64,
        /// Log-prob a token, nats, at which the gate is half open.
        #[serde(default = "default_gate_threshold")]
        threshold: f64,
        /// How fast it closes, per nat a token.
        #[serde(default = "default_gate_sharpness")]
        sharpness: f64,
    },
    /// DPO-Shift: −log σ(β(r⁺ − f·r⁻)) with a fixed f (Yang et al., arXiv 2502.07599).
    DpoShift {
        /// Inverse temperature of the implicit reward.
        #[serde(default = "default_beta")]
        beta: f64,
        /// f, the share of the rejected reward that counts: 1 is DPO.
        #[serde(default = "default_shift")]
        shift: f64,
    },
}

fn default_beta() -> f64 {
    0.1
}
fn default_label_smoothing() -> f64 {
    0.1
}
fn one_real() -> f64 {
    1.0
}
fn default_slic_nll() -> f64 {
    0.01
}
fn default_simpo_beta() -> f64 {
    2.0
}
fn default_simpo_gamma() -> f64 {
    0.5
}
fn default_dpop_lambda() -> f64 {
    5.0
}
fn default_gate_threshold() -> f64 {
    -1.5
}
fn default_gate_sharpness() -> f64 {
    8.0
}
fn default_shift() -> f64 {
    0.75
}

/// How gradients become updates.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum OptimizerConfig {
    /// Decoupled weight decay (Loshchilov & Hutter, arXiv 1711.05101).
    Adamw {
        /// Decay of the first moment.
        #[serde(default = "default_beta_1")]
        beta_1: f64,
        /// Decay of the second moment.
        #[serde(default = "default_beta_2")]
        beta_2: f64,
        /// Weight decay.
        #[serde(default)]
        weight_decay: f64,
    },
    /// RMSprop without momentum, as in the paper's runs.
    Rmsprop {
        /// Decay of the second moment.
        #[serde(default = "default_alpha")]
        alpha: f64,
    },
    /// Plain gradient descent: the optimiser of the paper's theory.
    Sgd,
}

fn default_beta_1() -> f64 {
    0.9
}
fn default_beta_2() -> f64 {
    0.95
}
fn default_alpha() -> f64 {
    0.99
}

impl Default for OptimizerConfig {
    fn default() -> Self {
        Self::Adamw { beta_1: default_beta_1(), beta_2: default_beta_2(), weight_decay: 0.0 }
    }
}

/// What the learning rate does after the warm-up.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Schedule {
    /// Stays.
    #[default]
    Constant,
    /// Falls along half a cosine to this share of the peak at the last step.
    Cosine(f64),
}

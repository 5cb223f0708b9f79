//! The stages: a stage of training, its objective, its optimiser.

use serde::{Deserialize, Serialize};

pub use crate::objective::ObjectiveConfig;

/// Optimiser steps under one objective.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// Name on the screen ("SFT", "DPO").
    pub name: String,
    /// What is minimised.
    pub objective: ObjectiveConfig,
    /// How answers are sampled from the policy itself; absent where the data's answers are used.
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

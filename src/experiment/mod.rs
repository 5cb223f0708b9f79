//! The experiment file: what is trained, on what, how, and what is watched. RON, every field with a default that is
//! written down here, unknown fields refused. See `experiments/` for files with comments.

mod overrides;
mod parse;
mod scan;
mod schema;
mod source;
mod validate;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::protocol::DetectorSettings;

pub use parse::EMBEDDED;

/// One run from beginning to end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Experiment {
    /// Short name; letters, digits, `_`, `-` and `.`; names the run directory.
    pub name: String,
    /// One or two sentences for whoever watches: what to look at.
    #[serde(default)]
    pub description: String,
    /// Seed of everything random: data, order, sampling.
    #[serde(default)]
    pub seed: u64,
    /// Where the weights come from.
    #[serde(default)]
    pub model: ModelSource,
    /// What is learnt.
    pub data: DataSource,
    /// What is observed.
    #[serde(default)]
    pub probes: Probes,
    /// What is done, in order.
    pub stages: Vec<Stage>,
    /// Thresholds of the squeeze detector.
    #[serde(default)]
    pub detector: DetectorSettings,
    /// Where the results go.
    #[serde(default)]
    pub output: Output,
}

/// Where the weights come from.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ModelSource {
    /// The base model embedded in the program (`assets/base`).
    #[default]
    Base,
    /// A Hugging Face folder (`config.json`, `tokenizer.json`, `model.safetensors`), relative to the working directory.
    Folder(PathBuf),
    /// A new Llama, randomly initialised, with a tokenizer trained on the data.
    New(NewModel),
}

/// The shape of a new model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewModel {
    /// Entries of the BPE vocabulary at most.
    pub vocab_size: usize,
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Width inside the SwiGLU.
    pub intermediate_size: usize,
    /// Transformer blocks.
    pub layers: usize,
    /// Attention heads; `hidden_size / heads` must be even.
    pub heads: usize,
    /// Longest sequence in tokens.
    pub max_positions: usize,
}

/// What is learnt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum DataSource {
    /// Questions about the synthetic world, each with y⁺, y⁻ and every probe response.
    World(WorldTask),
    /// Free text of the synthetic world, for pretraining: documents without prompts.
    WorldDocuments(WorldDocuments),
    /// Rows `{"prompt", "chosen", "rejected", …}`; further probe kinds under their keys.
    Jsonl(JsonlData),
}

/// How the world's preference pairs are drawn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WorldTask {
    /// Training questions.
    pub train: usize,
    /// Held-out questions, disjoint from training; their answers are `irr_test`.
    pub held_out: usize,
    /// Zipf exponent of the words of y⁺: larger is peakier.
    pub chosen_exponent: f64,
    /// Zipf exponent of the words of y⁻: the smaller, the deeper in a valley of the model's belief it lies.
    pub rejected_exponent: f64,
    /// Probability that a content word of y⁻ is copied from y⁺.
    pub overlap: f64,
}

impl Default for WorldTask {
    fn default() -> Self {
        Self { train: 512, held_out: 128, chosen_exponent: 1.4, rejected_exponent: 0.8, overlap: 0.2 }
    }
}

/// How the world's pretraining text is drawn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WorldDocuments {
    /// Documents to train on.
    pub train: usize,
    /// Documents that measure the validation loss.
    pub held_out: usize,
}

impl Default for WorldDocuments {
    fn default() -> Self {
        Self { train: 51_200, held_out: 256 }
    }
}

/// Preference data in a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JsonlData {
    /// Training rows.
    pub train: PathBuf,
    /// Held-out rows: `irr_test` comes from here.
    #[serde(default)]
    pub held_out: Option<PathBuf>,
}

/// What is observed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Probes {
    /// Training prompts under observation.
    pub prompts: usize,
    /// Prompts for which the free-running greedy answer is generated at every evaluation; all of them if there are fewer.
    pub greedy: usize,
    /// Longest greedy answer, tokens.
    pub max_new_tokens: usize,
}

impl Default for Probes {
    fn default() -> Self {
        Self { prompts: 64, greedy: 64, max_new_tokens: 64 }
    }
}

/// Optimiser steps under one objective.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// Name on the screen ("SFT", "DPO").
    pub name: String,
    /// What is minimised.
    pub objective: ObjectiveConfig,
    /// Optimiser steps.
    pub steps: u64,
    /// Examples per optimiser step and accumulation slice.
    #[serde(default = "default_batch_size")]
    pub batch_size: usize,
    /// Slices accumulated into one optimiser step: the effective batch is `batch_size · gradient_accumulation_steps`.
    #[serde(default = "one")]
    pub gradient_accumulation_steps: usize,
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

/// What is minimised; names as in TRL's `loss_type`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ObjectiveConfig {
    /// Cross entropy of the chosen completion, mean over the batch's completion tokens.
    Sft,
    /// DPO: −log σ(β·(r⁺ − r⁻)), r = log π − log π_ref over sums of log-probs (Rafailov et al., arXiv 2305.18290).
    Sigmoid {
        /// Inverse temperature of the implicit reward.
        #[serde(default = "default_beta")]
        beta: f64,
    },
}

fn default_beta() -> f64 {
    0.1
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

/// Where the results go.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Output {
    /// Folder in which every run gets a directory of its own.
    pub directory: PathBuf,
    /// Whether the final weights are written to the run directory as a Hugging Face folder `model/`.
    pub save_model: bool,
}

impl Default for Output {
    fn default() -> Self {
        Self { directory: PathBuf::from("runs"), save_model: false }
    }
}

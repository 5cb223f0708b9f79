//! The beginning of a run: its stages, its prompts, its settings.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::kinds::ProbeKind;

/// One stage of a run, as the viewer needs to know it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StageInfo {
    /// The stage's name ("SFT", "DPO").
    pub name: String,
    /// The objective, spelled as in TRL (`sft`, `sigmoid`).
    pub objective: String,
    /// Whether the objective pushes a rejected answer down: only then can a stage be said to squeeze.
    pub has_rejected: bool,
    /// Whether answers are sampled from the policy that is trained, in place of the data's.
    #[serde(default)]
    pub on_policy: bool,
    /// Optimiser steps.
    pub steps: u64,
    /// Peak learning rate.
    pub learning_rate: f64,
    /// β, where the objective has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beta: Option<f64>,
}

/// One response of a probe prompt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeResponse {
    /// The raw text; make it displayable before it is shown.
    pub text: String,
    /// Completion tokens, the end-of-text token included.
    pub tokens: u32,
}

/// A prompt under observation and its responses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbePrompt {
    /// The raw prompt.
    pub prompt: String,
    /// The responses to the prompt; a kind that the data does not provide is absent.
    pub responses: BTreeMap<ProbeKind, ProbeResponse>,
    /// The tokens of the chosen answer, as text, one a position.
    #[serde(default)]
    pub chosen_tokens: Vec<String>,
    /// The tokens of the rejected answer.
    #[serde(default)]
    pub rejected_tokens: Vec<String>,
}

/// The first event of a run: what it is and what is observed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunStarted {
    /// [`FORMAT_VERSION`](super::FORMAT_VERSION) of the writer.
    pub format_version: u32,
    /// `<experiment>-seed<seed>`.
    pub run_id: String,
    /// Name of the experiment.
    pub experiment: String,
    /// One or two sentences for whoever watches.
    #[serde(default)]
    pub description: String,
    /// Seed of everything random in the run.
    pub seed: u64,
    /// The backend that trains (`flex`, `ndarray`, `cuda`).
    pub backend: String,
    /// What is trained, in words ("base, 1.6 M parameters").
    pub model: String,
    /// Entries of the vocabulary.
    pub vocab_size: usize,
    /// The stages, in order.
    pub stages: Vec<StageInfo>,
    /// Claims of the paper that the run must show; the others are reported with their numbers.
    #[serde(default)]
    pub claims: Vec<String>,
    /// Name of the experiment that the run is to be compared with, seed by seed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<String>,
    /// The settings of the detector.
    #[serde(default)]
    pub detector: DetectorSettings,
    /// The prompts under observation; the index into this list is the pair's identity everywhere.
    pub probes: Vec<ProbePrompt>,
    /// Whether what stands for a prompt is a mean over prompts, of which nobody says how many.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub means: bool,
    /// Raw names of the classes, where a classifier is trained: such a run has [class readings](super::ClassReading)
    /// in place of [evaluations](super::Evaluation). Empty for a language model.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<String>,
}

/// Thresholds of the squeeze detector. All of them are settings of the experiment file; what they were chosen on is written
/// in `experiments/README.md`. (A recording of an older version may hold others: those are passed over.)
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DetectorSettings {
    /// τ: a fall or rise counts from this many nats per completion token.
    pub tau: f64,
    /// A fall or rise counts from this many times the noise of one evaluation.
    pub noise: f64,
    /// A fall or rise counts from this many times the noise where only means over prompts are recorded, so that no pair
    /// confirms another.
    pub noise_of_means: f64,
    /// Share of the steps since the stage began whose evaluations count as recent: their median counts where one evaluation
    /// alone is too noisy, and their mean where a share of pairs only touches its rate.
    pub recent: f64,
    /// Share of displaced pairs from which a run is displacing.
    pub displacing_rate: f64,
    /// Share of squeezed pairs from which a run is squeezing.
    pub squeezing_rate: f64,
    /// A state is left below this part of the rate at which it was entered.
    pub leave: f64,
    /// Share of the freed probability mass that the argmax must take for a pair to count as squeezed.
    pub squeezed_share: f64,
    /// Relative fall of the greedy text's distinct-2 that turns squeezing into collapse.
    pub collapse_distinct_2_drop: f64,
    /// Rate of repeated 4-grams in the greedy text that turns squeezing into collapse.
    pub collapse_repeat_4: f64,
}

impl Default for DetectorSettings {
    fn default() -> Self {
        Self {
            tau: 0.01,
            noise: 3.0,
            noise_of_means: 4.0,
            recent: 0.15,
            displacing_rate: 0.20,
            squeezing_rate: 0.20,
            leave: 0.50,
            squeezed_share: 0.25,
            collapse_distinct_2_drop: 0.30,
            collapse_repeat_4: 0.30,
        }
    }
}

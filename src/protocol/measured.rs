//! Measurements: of an optimiser step, of the probes, of a classifier.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::floats;
use super::kinds::MetricKey;
use super::sums::Sums;
use super::tokens::TokenLists;

/// Scalars of one optimiser step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepMetrics {
    /// Optimiser steps since the run began, this one included.
    pub step: u64,
    /// Index of the stage.
    pub stage: usize,
    /// The scalars.
    #[serde(with = "floats::map")]
    pub metrics: BTreeMap<MetricKey, f64>,
}

/// What was read along the prefixes of one response (teacher forcing), one entry a probe prompt. A list is empty where
/// nothing was read.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PrefixReading {
    /// Σ over positions of max_v log π(v | prefix). Never below the label's log-prob.
    #[serde(with = "floats::list")]
    pub argmax_logps: Vec<f32>,
    /// Mean over positions of ‖π − e_y‖₂.
    #[serde(with = "floats::list")]
    pub p_e: Vec<f32>,
    /// Mean over positions of 1 − π_y.
    #[serde(with = "floats::list")]
    pub energy: Vec<f32>,
    /// Mean over positions of ‖A‖_F, A = I − 1·πᵀ.
    #[serde(with = "floats::list")]
    pub a_frobenius: Vec<f32>,
    /// Mean over positions of the entropy of π, nats.
    #[serde(with = "floats::list")]
    pub entropy: Vec<f32>,
    /// The greedy token at each position, as text.
    pub argmax_tokens: TokenLists,
    /// log π of the response's own token at each position, a list for each of the first prompts; empty where they were not
    /// asked for.
    #[serde(with = "floats::lists", skip_serializing_if = "<[_]>::is_empty")]
    pub token_logps: floats::lists::Lists,
}

/// Probability mass that one token gained (positive) or lost (negative), summed over positions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TokenFlow {
    /// The raw token.
    pub token: String,
    /// Σ over positions of Δπ.
    #[serde(with = "floats::single")]
    pub mass: f32,
}

/// How probability moved at the frozen prefixes of y⁺ between two evaluations. At each position the gains and the losses
/// cancel, and `star + label + bystanders = 0`; both are checked where this is made.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct MassFlow {
    /// Step of the evaluation it is measured against.
    pub since: u64,
    /// Per pair, Σ over positions of the gains (Δπ(y*))₊ of y*, the argmax (other than the label) at `since`.
    #[serde(with = "floats::list")]
    pub star_gain: Vec<f32>,
    /// Per pair, Σ over positions and tokens of all gains (Δπ(v))₊.
    #[serde(with = "floats::list")]
    pub gain: Vec<f32>,
    /// Per pair, Σ over positions of Δπ(y*), signed.
    #[serde(with = "floats::list")]
    pub star: Vec<f32>,
    /// Per pair, Σ over positions of Δπ(y⁺'s own token), signed.
    #[serde(with = "floats::list")]
    pub label: Vec<f32>,
    /// Per pair, the net change of every other token.
    #[serde(with = "floats::list")]
    pub bystanders: Vec<f32>,
    /// Per pair, mean over positions of the change of entropy, nats.
    #[serde(with = "floats::list")]
    pub entropy: Vec<f32>,
    /// Tokens that gained most over all pairs, largest first.
    pub gained: Vec<TokenFlow>,
    /// Tokens that lost most over all pairs, largest loss first.
    pub lost: Vec<TokenFlow>,
    /// Per pair, the tokens that gained and lost most.
    #[serde(default)]
    pub pairs: Vec<PairFlow>,
}

/// The largest movements within one pair.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PairFlow {
    /// Largest gains first.
    pub gained: Vec<TokenFlow>,
    /// Largest losses first.
    pub lost: Vec<TokenFlow>,
}

/// A free-running greedy answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GreedyAnswer {
    /// The raw text.
    pub text: String,
    /// Distinct bigrams over bigrams, of tokens; 1 for an answer too short to have any.
    #[serde(with = "floats::single")]
    pub distinct_2: f32,
    /// Share of 4-grams that occurred before in the answer.
    #[serde(with = "floats::single")]
    pub repeat_4: f32,
    /// Share of the facts that are right, where the data has a reward that can be checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reward: Option<f32>,
}

/// Everything that is measured at one evaluation; vectors have one entry a probe prompt.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Optimiser steps since the run began.
    pub step: u64,
    /// Index of the stage whose steps led here (0 at step 0).
    pub stage: usize,
    /// Sum of log-probs of every response, nats, by kind.
    pub logps: Sums,
    /// Along the prefixes of y⁺.
    #[serde(default)]
    pub chosen: PrefixReading,
    /// Along the prefixes of y⁻; absent where the data has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejected: Option<PrefixReading>,
    /// Mass flow since the stage began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage_flow: Option<MassFlow>,
    /// Greedy answers, one a prompt; empty when not generated.
    #[serde(default)]
    pub greedy: Vec<GreedyAnswer>,
    /// Rewards of answers sampled to held-out prompts at temperature 1, one a prompt: what win rates are counted over.
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "floats::list")]
    pub held_out_rewards: Vec<f32>,
}

/// What a classifier says of pictures that it does not learn from, and how it came to say so. Matrices are row-major, with
/// a row and a column a class; `u` names the class of the pictures that were learnt from, `o` that of the pictures that
/// are observed: some of each class, over which every number about `o` is a mean.
///
/// Influence is to first order and under plain gradient descent (Ren & Sutherland, Prop. 1): at each step that is
/// examined, −η · A(x_o) · Σ_u K(x_o, x_u) · G(x_u, y_u) over the pictures u of the batch that belong to a class, with η
/// the step's learning rate times the factor by which the gradient was clipped.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ClassReading {
    /// Optimiser steps since the run began.
    pub step: u64,
    /// Index of the stage whose steps led here (0 at step 0).
    pub stage: usize,
    /// Share of all held-out pictures whose likeliest class is theirs.
    pub accuracy: f64,
    /// log π(v | x_o), nats: row o, column v.
    #[serde(with = "floats::list")]
    pub log_probs: Vec<f32>,
    /// Accumulated influence since the run began: row u, column o, what the updates on class u did to log π(u | x_o).
    #[serde(with = "floats::list")]
    pub influence: Vec<f32>,
    /// Accumulated influence on log π(o | x_o), the right answer: row u, column o.
    #[serde(with = "floats::list")]
    pub influence_on_label: Vec<f32>,
    /// ‖K(x_o, x_u)‖_F, mean over pairs of different observed pictures of the two classes.
    #[serde(with = "floats::list")]
    pub kernel: Vec<f32>,
    /// ‖G(x_o, o)‖₂, one a class.
    #[serde(with = "floats::list")]
    pub residual: Vec<f32>,
    /// ‖A(x_o)‖_F, one a class.
    #[serde(with = "floats::list")]
    pub adaptation: Vec<f32>,
    /// The change of log π(v | x_o) since the reading before that all influence together predicts: row o, column v. What
    /// was measured is the difference of `log_probs`. Zeros at the first reading.
    #[serde(with = "floats::list")]
    pub predicted: Vec<f32>,
    /// One step in so many is examined, and stands for all of them.
    #[serde(default = "every_step")]
    pub examined_every: u64,
}

fn every_step() -> u64 {
    1
}

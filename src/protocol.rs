//! The waist of the house: everything that passes between a trainer and whoever watches it.
//!
//! Plain data over `std` and `serde` alone. A run file is a sequence of [`TrainerEvent`]s, one JSON object a line, so a
//! recorded run, a live one and one made by another program are the same thing to the history, the detector and the views.
//!
//! Units: log-probabilities are in nats and, unless a name says otherwise, *sums* over the completion's tokens (the
//! convention of Ren & Sutherland, arXiv 2407.10490). Non-finite numbers survive JSON: NaN is `null`, infinities are
//! the strings `"inf"` and `"-inf"`.

mod detector;
pub mod floats;
mod metric;
mod probe;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use detector::DetectorSettings;
pub use metric::MetricKey;
pub use probe::{ProbeGroup, ProbeKind};

/// Version of the run-file format; a reader refuses a larger one.
pub const FORMAT_VERSION: u32 = 1;

/// The claims of the paper that can be checked, as an experiment names them (see `src/claims`).
pub const CLAIMS: [&str; 21] = [
    "S1", "S2", "S3", "S4", "S5", "D1", "D2", "D3", "D4", "D5", "D6", "E1", "R1", "Q1", "Q2", "Q3", "Q4", "Q5", "K1",
    "squeeze", "quiet",
];

/// What the front end asks of the trainer. Commands act between optimiser steps and are acknowledged by a
/// [`TrainerEvent::Phase`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrainerCommand {
    /// Stop before the next optimiser step and wait.
    Pause,
    /// Take exactly one optimiser step, then pause again (while paused), or pause (while running).
    Step,
    /// Go on after a pause.
    Resume,
    /// End the run after the current optimiser step; everything recorded stays.
    Stop,
    /// Measure every probe at the current weights, outside the cadence.
    Evaluate,
}

/// What the trainer is doing, in its own words: a request becomes a fact only when the trainer says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunPhase {
    /// Getting ready; the text says what is being waited for ("loading model").
    Starting(String),
    /// Optimiser steps are being taken.
    Running,
    /// No step is taken until a command arrives.
    Paused,
    /// The probes are being measured.
    Evaluating,
    /// A stop was asked for.
    Stopping,
    /// Every stage is done.
    Finished,
    /// Stopped before the end, by request.
    Stopped,
    /// Ended by an error or a panic, with its message.
    Failed(String),
}

impl RunPhase {
    /// Whether no further event can follow.
    pub fn is_terminal(&self) -> bool {
        matches!(self, Self::Finished | Self::Stopped | Self::Failed(_))
    }
}

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
    /// The prompt's responses; a kind that the data does not provide is absent.
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
    /// [`FORMAT_VERSION`] of the writer.
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
    /// Raw names of the classes, where a classifier is trained: such a run has [`ClassReading`]s in place of
    /// [`Evaluation`]s. Empty for a language model.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<String>,
}

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

/// What was read along the prefixes of one response (teacher forcing), one entry a probe prompt.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
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
    pub argmax_tokens: Vec<Vec<String>>,
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
    #[serde(with = "floats::lists")]
    pub logps: BTreeMap<ProbeKind, Vec<f32>>,
    /// Along the prefixes of y⁺.
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
    /// The same for log π(o | x_o), the right answer.
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

/// What a trainer says. All of it makes up the run and is recorded, except [`TrainerEvent::Speed`] and the
/// phases [`RunPhase::Starting`] and [`RunPhase::Evaluating`]: they concern a clock or a screen (see [`TrainerEvent::is_recorded`]).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum TrainerEvent {
    /// The run begins.
    RunStarted(Box<RunStarted>),
    /// The trainer's phase changed: the acknowledgement of a command, or progress of its own.
    Phase {
        /// The phase it is in now.
        phase: RunPhase,
        /// Optimiser steps taken so far.
        #[serde(default)]
        step: u64,
    },
    /// A stage begins after `step` optimiser steps.
    StageStarted {
        /// Index into [`RunStarted::stages`].
        stage: usize,
        /// Optimiser steps taken so far.
        step: u64,
    },
    /// One optimiser step was taken.
    Step(StepMetrics),
    /// The probes were measured.
    Evaluation(Box<Evaluation>),
    /// The classes were measured: what an evaluation is to a classifier.
    Classes(Box<ClassReading>),
    /// How fast it goes; display only.
    Speed {
        /// Tokens (pictures, for a classifier) per second through the optimiser, over the last steps.
        tokens_per_second: f64,
        /// Estimated seconds to the end of the last stage, evaluations included.
        seconds_left: f64,
    },
}

impl TrainerEvent {
    /// Whether the event belongs in the run file. Those that do depend on experiment, seed and commands alone, never on
    /// a clock, so that the same run gives the same file.
    pub fn is_recorded(&self) -> bool {
        !matches!(self, Self::Speed { .. } | Self::Phase { phase: RunPhase::Starting(_) | RunPhase::Evaluating, .. })
    }
}

//! The waist of the house: everything that passes between a trainer and whoever watches it.
//!
//! Plain data over `std` and `serde` alone. A run file is a sequence of [`TrainerEvent`]s, one JSON object a line, so a
//! recorded run, a live one and one made by another program are the same thing to the history, the detector and the views.
//!
//! Units: log-probabilities are in nats and, unless a name says otherwise, *sums* over the completion's tokens (the
//! convention of Ren & Sutherland, arXiv 2407.10490). Non-finite numbers survive JSON: NaN is `null`, infinities are
//! the strings `"inf"` and `"-inf"`.

pub mod floats;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

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

/// The groups in which probes are shown and toggled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProbeGroup {
    /// The preferred answer and its relatives.
    Answers,
    /// The dispreferred answer and its rephrases.
    Rejected,
    /// Answers of other questions, and repetition.
    Hallucination,
    /// Fluent text that answers nothing.
    Unrelated,
    /// Shuffled words.
    NotLanguage,
    /// The greedy choice along a response's prefixes.
    Argmax,
}

impl ProbeGroup {
    /// Every group, in the order of the keys `1`, `2`, ….
    pub const ALL: [Self; 6] =
        [Self::Answers, Self::Rejected, Self::Argmax, Self::Hallucination, Self::Unrelated, Self::NotLanguage];

    /// The words on the screen.
    pub fn title(self) -> &'static str {
        match self {
            Self::Answers => "answers",
            Self::Rejected => "rejected",
            Self::Hallucination => "hallucination",
            Self::Unrelated => "unrelated",
            Self::NotLanguage => "not language",
            Self::Argmax => "argmax",
        }
    }
}

/// One row per probe kind: variant, key in the paper's code, symbol, group, what it is.
macro_rules! probe_kinds {
    ($($(#[$doc:meta])* $variant:ident, $key:literal, $symbol:literal, $group:ident, $what:literal;)*) => {
        /// What is observed besides the training loss: a kind of response to every probe prompt (the paper's keys).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum ProbeKind {
            $(#[doc = $what] #[serde(rename = $key)] $variant,)*
        }

        impl ProbeKind {
            /// Every kind, in the order of the legend.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The key of the paper's released code and of our run files.
            pub fn key(self) -> &'static str {
                match self { $(Self::$variant => $key),* }
            }

            /// A short label for the end of a curve.
            pub fn symbol(self) -> &'static str {
                match self { $(Self::$variant => $symbol),* }
            }

            /// The group it is toggled with.
            pub fn group(self) -> ProbeGroup {
                match self { $(Self::$variant => ProbeGroup::$group),* }
            }

            /// One line that says what it is.
            pub fn description(self) -> &'static str {
                match self { $(Self::$variant => $what),* }
            }
        }
    };
}

probe_kinds! {
    Chosen, "chosen", "y⁺", Answers, "the preferred answer";
    ChosenInitial, "chosen_initial", "y⁺ init", Answers, "the model's own answer before finetuning";
    ChosenSelfr, "chosen_selfr", "y⁺ self", Answers, "the preferred answer's opening, continued by the model before finetuning";
    ChosenGptsemantic, "chosen_gptsemantic", "y⁺ sem", Answers, "the preferred answer in other words";
    ChosenGptformat, "chosen_gptformat", "y⁺ fmt", Answers, "the preferred answer's format with other meaning";
    Rejected, "rejected", "y⁻", Rejected, "the dispreferred answer";
    RejectGptsemantic, "reject_gptsemantic", "y⁻ sem", Rejected, "the dispreferred answer in other words";
    RejectGptformat, "reject_gptformat", "y⁻ fmt", Rejected, "the dispreferred answer's format with other meaning";
    IrrTrain, "irr_train", "irr train", Hallucination, "the chosen answer of another training question";
    IrrTest, "irr_test", "irr test", Hallucination, "the chosen answer of a held-out question: the control of irr_train";
    Repeater, "repeater", "repeat", Hallucination, "a short phrase, repeated";
    IrrHum, "irr_hum", "irr hum", Unrelated, "grammatical sentences that answer nothing";
    RandomPermute, "random_permute", "shuffled y⁺", NotLanguage, "the words of the preferred answer, shuffled";
    RandomNonhum, "random_nonhum", "shuffled irr", NotLanguage, "the words of irr_test, shuffled";
}

impl fmt::Display for ProbeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key())
    }
}

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
    /// Its responses; a kind that the data does not provide is absent.
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

/// Thresholds of the squeeze detector. All of them are settings of the experiment file; what they were chosen on is written
/// in `experiments/README.md`. (A recording of an older version may hold others: those are passed over.)
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DetectorSettings {
    /// τ: a fall or rise counts from this many nats per completion token.
    pub tau: f64,
    /// A fall or rise counts from this many times the noise of one evaluation.
    pub noise: f64,
    /// The same where only means over prompts are recorded, so that no pair confirms another.
    pub noise_of_means: f64,
    /// Share of the steps since the stage began whose evaluations count as recent: their median counts where one evaluation
    /// alone is too noisy, and a share of pairs that only touches its rate must be shown twice among them.
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

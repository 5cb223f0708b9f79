//! The waist of the house: everything that passes between a trainer and whoever watches it.
//!
//! Plain data over `std` and `serde` alone. A run file is a sequence of [`TrainerEvent`]s, one JSON object a line, so a
//! recorded run, a live one and one made by another program are the same thing to the history, the detector and the views.
//!
//! Units: log-probabilities are in nats and, unless a name says otherwise, *sums* over the completion's tokens (the
//! convention of Ren & Sutherland, arXiv 2407.10490). Non-finite numbers survive JSON: NaN is `null`, infinities are
//! the strings `"inf"` and `"-inf"`.

pub mod floats;
mod forces;
mod influence;
mod kinds;
mod measured;
mod shared;
mod started;
mod sums;
mod tokens;
mod unlisted;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use forces::{ForceParts, Forces};
pub use influence::{Contribution, Influence, Question};
pub use kinds::{MetricKey, ProbeGroup, ProbeKind};
pub use measured::{ClassReading, Evaluation, GreedyAnswer, MassFlow, PairFlow, PrefixReading, StepMetrics, TokenFlow};
pub use started::{DetectorSettings, ProbePrompt, ProbeResponse, RunStarted, StageInfo};
pub use sums::Sums;
pub use tokens::TokenLists;
pub use unlisted::Unlisted;

/// Version of the run-file format; a reader refuses a larger one.
pub const FORMAT_VERSION: u32 = 1;

/// The claims of the paper that can be checked, as an experiment names them (see `src/claims`).
pub const CLAIMS: [&str; 25] = [
    "S1", "S2", "S3", "S4", "S5", "D1", "D2", "D3", "D4", "D5", "D6", "E1", "F1", "F2", "F3", "F4", "R1", "Q1", "Q2",
    "Q3", "Q4", "Q5", "K1", "squeeze", "quiet",
];

/// A command of the front end to the trainer. Commands act between optimiser steps and are acknowledged by a
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

/// An event that a trainer tells. All of it makes up the run and is recorded, except [`TrainerEvent::Speed`],
/// [`TrainerEvent::Measuring`] and the phases [`RunPhase::Starting`] and [`RunPhase::Evaluating`]: they concern a clock or a
/// screen (see [`TrainerEvent::is_recorded`]).
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
    Evaluation(#[serde(with = "shared")] Arc<Evaluation>),
    /// The evaluation's changes since the one before, in parts; follows it.
    Forces(Box<Forces>),
    /// The classes were measured: what an evaluation is to a classifier.
    Classes(#[serde(with = "shared")] Arc<ClassReading>),
    /// A remark of whoever trains: what failed and did not end the run, what was left out.
    Note {
        /// Optimiser steps taken so far.
        step: u64,
        /// The remark, raw.
        text: String,
        /// Whether it tells of something that went wrong.
        #[serde(default)]
        warning: bool,
    },
    /// How far the measurement under way has come; display only.
    Measuring {
        /// What of it is being done ("measuring answers").
        doing: String,
        /// The share of that which is done, 0 to 1, where it is counted.
        share: Option<f64>,
    },
    /// How fast it goes; display only.
    Speed {
        /// Tokens (pictures, for a classifier) per second through the optimiser, over the last steps.
        tokens_per_second: f64,
        /// Estimated seconds to the end of the last stage, evaluations included.
        seconds_left: f64,
    },
}

impl From<Evaluation> for TrainerEvent {
    fn from(evaluation: Evaluation) -> Self {
        Self::Evaluation(Arc::new(evaluation))
    }
}

impl From<ClassReading> for TrainerEvent {
    fn from(reading: ClassReading) -> Self {
        Self::Classes(Arc::new(reading))
    }
}

impl TrainerEvent {
    /// Whether the event belongs in the run file. Those that do depend on experiment, seed and commands alone, never on
    /// a clock, so that the same run gives the same file.
    pub fn is_recorded(&self) -> bool {
        let for_a_screen = matches!(
            self,
            Self::Measuring { .. }
                | Self::Speed { .. }
                | Self::Phase { phase: RunPhase::Starting(_) | RunPhase::Evaluating, .. }
        );
        !for_a_screen
    }
}

//! Lessons: what a teacher writes in a RON file, a recording or a lab to look at, and questions whose right answers are read
//! off what happened. Nothing that a lesson says of a recording is written down as a number: its texts name facts, and facts
//! are measured.

mod check;
mod fact;
mod open;
mod progress;
mod schema;
mod shelf;
mod told;

use std::path::PathBuf;

use serde::Deserialize;

use crate::experiment::LabSettings;

pub use fact::{Condition, Fact};
pub use open::{Opened, Recorded};
pub use progress::{Kept, Progress};
pub use shelf::{LESSONS, embedded, open};
pub use told::curve_named;

/// A lesson as its file has it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lesson {
    /// A few words for the list and the head of the screen.
    pub title: String,
    /// A sentence for the list: what is learnt.
    #[serde(default)]
    pub about: String,
    /// Recordings, by the names that steps and facts call them; the first is meant where none is named.
    #[serde(default)]
    pub recordings: Vec<Source>,
    /// The lab that a lesson without recordings begins with.
    #[serde(default)]
    pub lab: Option<LabSettings>,
    /// What is measured, by the names that texts, answers and claims call it.
    #[serde(default)]
    pub facts: Vec<Fact>,
    /// The steps, in order.
    pub steps: Vec<Step>,
}

/// A recording of a lesson.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// What it is called in the lesson.
    pub name: String,
    /// Its file, relative to the lesson's: a run file, plain or packed by gzip.
    pub file: PathBuf,
}

/// One step: something to read and look at, and at most one thing to do.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// What is said, in at most three lines; `{name}` is the fact of that name.
    pub text: String,
    /// The recording that is shown, by its name.
    #[serde(default)]
    pub recording: Option<String>,
    /// The recording's step up to which it is shown; its end where absent.
    #[serde(default)]
    pub at: Option<u64>,
    /// The step from which changes are counted; where absent, that of a question's beginning, else where the stage began.
    #[serde(default)]
    pub since: Option<u64>,
    /// The lab as this step shows it; as the step before left it where absent.
    #[serde(default)]
    pub lab: Option<LabSettings>,
    /// The panels beside the text; the chart alone where none is named.
    #[serde(default)]
    pub panels: Vec<Place>,
    /// The curves that stand out, by their keys; y⁺, y⁻ and y* where none is named.
    #[serde(default)]
    pub curves: Vec<String>,
    /// The prompt that is shown, counted from 1.
    #[serde(default)]
    pub prompt: Option<usize>,
    /// Another recording, whose curves are drawn as ghosts beside this one's.
    #[serde(default)]
    pub beside: Option<String>,
    /// The keys that work besides the lesson's own, by their names in the settings.
    #[serde(default)]
    pub keys: Vec<String>,
    /// What the learner is to do.
    #[serde(default)]
    pub ask: Option<Ask>,
    /// Shown on demand.
    #[serde(default)]
    pub hint: String,
    /// What the words of the step say of the recordings or of the lab: `check` refuses a lesson of which one does not hold.
    #[serde(default)]
    pub claims: Vec<Condition>,
}

/// What a step asks of the learner.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Ask {
    /// To say what will happen, before it is shown.
    Choice {
        /// The question.
        question: String,
        /// The curve that the answers are drawn along, by its key; they are not drawn where it is absent.
        #[serde(default)]
        curve: Option<String>,
        /// The answers, of which exactly one holds.
        answers: Vec<Answer>,
        /// The recording's step up to which the reveal goes; as far as before where absent.
        #[serde(default)]
        to: Option<u64>,
        /// The recording that the reveal shows; the same where absent.
        #[serde(default)]
        of: Option<String>,
        /// The lab that the reveal shows; the same where absent.
        #[serde(default)]
        lab: Option<LabSettings>,
        /// What is said at the reveal.
        because: String,
    },
    /// To draw how a curve will go on, before it does.
    Sketch {
        /// The question.
        question: String,
        /// The curve, by its key.
        curve: String,
        /// The recording's step up to which it is drawn.
        to: u64,
        /// The recording that the reveal shows; the same where absent.
        #[serde(default)]
        of: Option<String>,
        /// What is said at the reveal.
        because: String,
    },
    /// To bring something about in the lab, with the keys of the step.
    Task {
        /// What is to be brought about.
        question: String,
        /// When it is.
        until: Condition,
        /// What is said then.
        because: String,
    },
}

impl Ask {
    /// What is asked.
    pub fn question(&self) -> &str {
        match self {
            Self::Choice { question, .. } | Self::Sketch { question, .. } | Self::Task { question, .. } => question,
        }
    }

    /// What is said at the reveal.
    pub fn because(&self) -> &str {
        match self {
            Self::Choice { because, .. } | Self::Sketch { because, .. } | Self::Task { because, .. } => because,
        }
    }
}

/// An answer to choose.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// Its words.
    pub text: String,
    /// When it is the right one.
    pub when: Condition,
    /// How far the question's curve would move if it were, nats: what its ghost is drawn from.
    #[serde(default)]
    pub by: Option<f64>,
}

/// A panel, as lessons call it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// The curves over steps.
    Chart,
    /// The curves as a table.
    Curves,
    /// A prompt and its answers.
    Prompt,
    /// Every pair.
    Pairs,
    /// What happened.
    Events,
    /// The measures behind the verdict.
    Dynamics,
    /// Pull and push.
    Forces,
}

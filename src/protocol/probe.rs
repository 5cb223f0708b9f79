//! Kinds of responses under observation, and the groups in which they are shown.

use std::fmt;

use serde::{Deserialize, Serialize};

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
            pub const fn key(self) -> &'static str {
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

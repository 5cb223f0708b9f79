//! Names of what is measured: kinds of answers, groups of them, metrics.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::unlisted::Unlisted;

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
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ProbeKind {
            $(#[doc = $what] $variant,)*
            /// A kind without a row here, in a run file of another program.
            Other(Unlisted),
        }

        impl ProbeKind {
            /// Every kind, in the order of the legend.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The keys of the kinds with a row, in the order of [`Self::ALL`].
            pub const KEYS: &'static [&'static str] = &[$($key),*];

            /// The key of the paper's released code and of our run files.
            pub fn key(self) -> &'static str {
                match self { $(Self::$variant => $key,)* Self::Other(unlisted) => unlisted.name() }
            }

            /// A short label for the end of a curve.
            pub fn symbol(self) -> &'static str {
                match self { $(Self::$variant => $symbol,)* Self::Other(unlisted) => unlisted.name() }
            }

            /// The group it is toggled with.
            pub fn group(self) -> ProbeGroup {
                match self { $(Self::$variant => ProbeGroup::$group,)* Self::Other(_) => ProbeGroup::Unrelated }
            }

            /// One line that says what it is.
            pub fn description(self) -> &'static str {
                match self { $(Self::$variant => $what,)* Self::Other(_) => "a kind of answer unknown to this program" }
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

impl ProbeKind {
    /// The kind of this name; `None` where a name without a row cannot be kept: there is an end to them.
    pub fn named(name: &str) -> Option<Self> {
        let known = Self::ALL.iter().copied().find(|kind| kind.key() == name);
        known.or_else(|| Unlisted::new(name).map(Self::Other))
    }
}

impl Serialize for ProbeKind {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match Self::ALL.iter().position(|kind| kind == self).and_then(|at| u32::try_from(at).ok()) {
            // In RON a kind is a name without quotes.
            Some(at) => s.serialize_unit_variant("ProbeKind", at, self.key()),
            None => s.serialize_str(self.key()),
        }
    }
}

impl<'de> Deserialize<'de> for ProbeKind {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Name;
        impl de::Visitor<'_> for Name {
            type Value = ProbeKind;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a kind of answer")
            }
            fn visit_str<E: de::Error>(self, name: &str) -> Result<ProbeKind, E> {
                ProbeKind::named(name)
                    .ok_or_else(|| E::custom("more kinds of answers than this program can tell apart"))
            }
        }
        struct Identifier(ProbeKind);
        impl<'de> Deserialize<'de> for Identifier {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                d.deserialize_identifier(Name).map(Self)
            }
        }
        struct Variant;
        impl<'de> de::Visitor<'de> for Variant {
            type Value = ProbeKind;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a kind of answer")
            }
            fn visit_enum<A: de::EnumAccess<'de>>(self, data: A) -> Result<ProbeKind, A::Error> {
                let (Identifier(kind), variant) = data.variant()?;
                de::VariantAccess::unit_variant(variant)?;
                Ok(kind)
            }
        }
        d.deserialize_enum("ProbeKind", ProbeKind::KEYS, Variant)
    }
}

impl fmt::Display for ProbeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key())
    }
}

/// The name of a scalar that is logged every step, spelled as TRL spells it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
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
    /// Mean reward of the answers that a training by reward (GRPO, RLOO) samples; other trainers log it.
    pub const REWARD: Self = Self::named("reward");
    /// Mean weight w⁺ = −∂L/∂log π⁺ of the chosen completions: how hard they are pulled up.
    pub const WEIGHT_CHOSEN: Self = Self::named("weights/chosen");
    /// Mean weight w⁻ = ∂L/∂log π⁻ of the rejected completions: how hard they are pushed down.
    pub const WEIGHT_REJECTED: Self = Self::named("weights/rejected");

    /// ‖g⁻‖/‖g⁺‖ of the batch: g⁺ and g⁻ are what the chosen and the rejected completions add to the gradient, each divided by
    /// its mean weight.
    pub const BAND_RATIO: Self = Self::named("band/a");
    /// cos(g⁺, g⁻) of the batch.
    pub const BAND_COSINE: Self = Self::named("band/rho");
    /// w⁺/w⁻ of the batch. To first order plain SGD raises the batch's chosen completions where this is above ρa, and lowers
    /// its rejected ones where it is below a/ρ.
    pub const BAND_WEIGHTS: Self = Self::named("band/r");

    /// Every scalar that this program logs.
    const KNOWN: [Self; 18] = [
        Self::LOSS,
        Self::GRAD_NORM,
        Self::LEARNING_RATE,
        Self::NUM_TOKENS,
        Self::NUM_PICTURES,
        Self::LOGPS_CHOSEN,
        Self::LOGPS_REJECTED,
        Self::REWARDS_CHOSEN,
        Self::REWARDS_REJECTED,
        Self::REWARDS_MARGINS,
        Self::REWARDS_ACCURACIES,
        Self::SAMPLED_REWARD_CHOSEN,
        Self::SAMPLED_REWARD_REJECTED,
        Self::WEIGHT_CHOSEN,
        Self::WEIGHT_REJECTED,
        Self::BAND_RATIO,
        Self::BAND_COSINE,
        Self::BAND_WEIGHTS,
    ];

    const fn named(name: &'static str) -> Self {
        Self(std::borrow::Cow::Borrowed(name))
    }
}

impl<'de> Deserialize<'de> for MetricKey {
    /// A known name costs no memory: a long recording has millions of them.
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Name;
        impl de::Visitor<'_> for Name {
            type Value = MetricKey;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_str<E>(self, name: &str) -> Result<MetricKey, E> {
                let known = MetricKey::KNOWN.into_iter().find(|known| known.0 == name);
                Ok(known.unwrap_or_else(|| MetricKey(name.to_owned().into())))
            }
        }
        d.deserialize_str(Name)
    }
}

impl fmt::Display for MetricKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

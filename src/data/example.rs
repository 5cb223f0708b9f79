//! Preference examples and their JSONL form.

use std::collections::BTreeMap;

use crate::protocol::ProbeKind;

/// A prompt with its responses: chosen, rejected and whatever probes the data provides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreferenceExample {
    /// The prompt, as the tokenizer sees it.
    pub prompt: String,
    /// The responses, as the tokenizer sees them (a leading space included); the end-of-text token is added later.
    pub responses: BTreeMap<ProbeKind, String>,
}

/// What is learnt and what is held out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Dataset {
    /// Training examples; the first ones are observed.
    pub train: Vec<PreferenceExample>,
    /// Held-out examples.
    pub held_out: Vec<PreferenceExample>,
}

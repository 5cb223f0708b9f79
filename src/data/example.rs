//! Preference examples, the probes that follow from them, and their JSONL form.

use std::collections::BTreeMap;

use crate::data::world::Source;
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

/// Fills in, where absent, the probes that follow from the data itself: `irr_train` (the chosen answer of the example
/// half the set away), `irr_test` (of a held-out example, where there are any), `random_permute` and `random_nonhum`
/// (the words of y⁺ and of `irr_test`, shuffled) and `repeater` (a few words of y⁺ repeated to its length).
///
/// Only training examples are observed, so only they get probes. The same `seed` gives the same probes.
pub fn derive_probes(dataset: &mut Dataset, seed: u64) {
    let mut source = Source::new("probes", seed);
    let chosen = |examples: &[PreferenceExample]| -> Vec<Option<String>> {
        examples.iter().map(|example| example.responses.get(&ProbeKind::Chosen).cloned()).collect()
    };
    let (train, held_out) = (chosen(&dataset.train), chosen(&dataset.held_out));
    let offset = (train.len() / 2).max(1);
    for (index, example) in dataset.train.iter_mut().enumerate() {
        let mut provide = |kind, text: Option<String>| {
            if let Some(text) = text {
                example.responses.entry(kind).or_insert(text);
            }
        };
        if train.len() > 1 {
            provide(ProbeKind::IrrTrain, train[(index + offset) % train.len()].clone());
        }
        if !held_out.is_empty() {
            provide(ProbeKind::IrrTest, held_out[index % held_out.len()].clone());
        }
        let irr_test = example.responses.get(&ProbeKind::IrrTest).cloned();
        let own = &train[index];
        let derived = [
            (ProbeKind::RandomPermute, own.as_ref().map(|text| source.shuffle_words(text))),
            (ProbeKind::RandomNonhum, irr_test.map(|text| source.shuffle_words(&text))),
            (ProbeKind::Repeater, own.as_ref().map(|text| repeat_phrase(&mut source, text))),
        ];
        for (kind, text) in derived {
            if let Some(text) = text {
                example.responses.entry(kind).or_insert(text);
            }
        }
    }
}

/// Up to three neighbouring words of `text`, repeated to about its number of words.
fn repeat_phrase(source: &mut Source, text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let length = words.len().min(3);
    if length == 0 {
        return text.to_owned();
    }
    let start = source.below(words.len() - length + 1);
    let phrase = words[start..start + length].join(" ");
    let lead = if text.starts_with(' ') { " " } else { "" };
    format!("{lead}{}", vec![phrase.as_str(); words.len().div_ceil(length)].join(" "))
}

impl Dataset {
    /// Whether the examples answer prompts; documents do not.
    pub fn has_prompts(&self) -> bool {
        self.train.iter().any(|example| !example.prompt.is_empty())
    }
}

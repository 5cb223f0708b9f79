//! Preference examples, the probes that follow from them, and what of them is made from other examples.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use crate::data::world::Source;
use crate::protocol::ProbeKind;

/// A prompt with its responses: chosen, rejected and whatever probes the data provides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreferenceExample {
    /// The prompt, as the tokenizer sees it.
    pub prompt: String,
    /// The responses, as the tokenizer sees them (a leading space included); the end-of-text token is added later.
    pub responses: BTreeMap<ProbeKind, String>,
    /// How the text came to be.
    pub form: Form,
}

/// How an example's text came to be.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Form {
    /// Text as it is written in the data: the tokenizer puts before it what it puts before any text.
    #[default]
    Plain,
    /// Text written by a chat template, which writes the beginning and the end of a text itself.
    Chat {
        /// The prompt as the template writes it to be answered, where that is more than every answer follows on.
        opened: Option<String>,
    },
}

impl PreferenceExample {
    /// Whether a chat template wrote it.
    pub(super) fn is_turn(&self) -> bool {
        self.form != Form::Plain
    }

    /// The prompt as a model reads it to answer.
    pub(super) fn opened(&self) -> &str {
        match &self.form {
            Form::Chat { opened: Some(opened) } => opened,
            _ => &self.prompt,
        }
    }

    /// Prompt and chosen answer in one.
    pub fn document(&self) -> String {
        let chosen = self.responses.get(&ProbeKind::Chosen).map_or("", String::as_str);
        format!("{}{chosen}", self.prompt)
    }
}

/// What is learnt and what is held out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Dataset {
    /// Training examples; the first ones are observed.
    pub train: Vec<PreferenceExample>,
    /// Held-out examples.
    pub held_out: Vec<PreferenceExample>,
}

/// Fills in, where absent, the probes that follow from the data itself; see `Others`. Only training examples are
/// observed, so only they get probes. The same `seed` gives the same probes.
pub fn derive_probes(dataset: &mut Dataset, seed: u64) {
    let chosen = |examples: &[PreferenceExample]| -> Vec<Option<String>> {
        examples.iter().map(|example| example.responses.get(&ProbeKind::Chosen).cloned()).collect()
    };
    let (train, held_out) = (chosen(&dataset.train), chosen(&dataset.held_out));
    let mut others = Others::new(seed, &train, &held_out);
    for (index, example) in dataset.train.iter_mut().enumerate() {
        others.derive(index, &mut example.responses);
    }
}

/// The chosen answers from which missing probes are made.
pub(super) struct Others<'a> {
    source: Source,
    train: &'a [Option<String>],
    held_out: &'a [Option<String>],
}

impl<'a> Others<'a> {
    /// The chosen answers of all training examples and of (the first) held-out ones.
    pub(super) fn new(seed: u64, train: &'a [Option<String>], held_out: &'a [Option<String>]) -> Self {
        Self { source: Source::new("probes", seed), train, held_out }
    }

    /// Gives training example `index` what it lacks: `irr_train` (the chosen answer of the example half the set away),
    /// `irr_test` (of a held-out example, where there are any), `random_permute` and `random_nonhum` (the words of y⁺ and of
    /// `irr_test`, shuffled) and `repeater` (a few words of y⁺, over and over to its length). To be asked in the examples'
    /// order. Returns what was made.
    pub(super) fn derive<T: AsRef<str> + From<String>>(
        &mut self,
        index: usize,
        responses: &mut BTreeMap<ProbeKind, T>,
    ) -> Vec<ProbeKind> {
        let Self { source, train, held_out } = self;
        let mut made = Vec::new();
        let mut provide = |responses: &mut BTreeMap<ProbeKind, T>, kind, text: Option<String>| {
            // An answer may be a call without words: nothing can be made of it.
            let text = text.filter(|text| !text.trim().is_empty());
            if let (Entry::Vacant(place), Some(text)) = (responses.entry(kind), text) {
                place.insert(text.into());
                made.push(kind);
            }
        };
        if train.len() > 1 {
            let offset = train.len() / 2;
            provide(responses, ProbeKind::IrrTrain, train[(index + offset) % train.len()].clone());
        }
        if !held_out.is_empty() {
            provide(responses, ProbeKind::IrrTest, held_out[index % held_out.len()].clone());
        }
        let own = train[index].as_deref();
        provide(responses, ProbeKind::RandomPermute, own.map(|text| source.shuffle_words(text)));
        provide(responses, ProbeKind::Repeater, own.map(|text| repeat_phrase(source, text)));
        let shuffled = responses.get(&ProbeKind::IrrTest).map(|text| source.shuffle_words(text.as_ref()));
        provide(responses, ProbeKind::RandomNonhum, shuffled);
        made
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

#[cfg(test)]
mod tests {
    use super::*;

    fn example(chosen: &str) -> PreferenceExample {
        let responses = BTreeMap::from([(ProbeKind::Chosen, chosen.to_owned())]);
        PreferenceExample { prompt: "Q:".into(), responses, form: Form::Plain }
    }

    #[test]
    fn probes_come_from_other_examples() {
        let train = [" a b c", " d e f", " g h i", " j k l"].map(example).to_vec();
        let mut dataset = Dataset { train, held_out: vec![example(" x y z")] };
        derive_probes(&mut dataset, 1);
        let responses = &dataset.train[0].responses;
        assert_eq!(responses[&ProbeKind::IrrTrain], " g h i");
        assert_eq!(responses[&ProbeKind::IrrTest], " x y z");
        assert_eq!(responses[&ProbeKind::Repeater], " a b c");
        for (shuffled, of) in [(ProbeKind::RandomPermute, ["a", "b", "c"]), (ProbeKind::RandomNonhum, ["x", "y", "z"])]
        {
            let mut words: Vec<_> = responses[&shuffled].split_whitespace().collect();
            words.sort_unstable();
            assert_eq!(words, of);
        }
        assert_eq!(dataset.held_out, [example(" x y z")]);
        let derived = dataset.clone();
        derive_probes(&mut dataset, 2);
        assert_eq!(dataset, derived, "what is there stays");
    }

    #[test]
    fn without_others_there_are_no_probes_of_others() {
        let mut dataset = Dataset { train: vec![example(" one")], held_out: vec![] };
        derive_probes(&mut dataset, 1);
        let kinds: Vec<_> = dataset.train[0].responses.keys().map(|kind| kind.key()).collect();
        assert_eq!(kinds, ["chosen", "repeater", "random_permute"]);
    }
}

//! The prompts under observation and their responses, as tokens.

use std::collections::BTreeMap;
use std::sync::Arc;

use burn::tensor::backend::Backend;

use super::answers;
use crate::data::Sequence;
use crate::data::lengths::Untrainable;
use crate::data::tokenizer::Tokenizer;
use crate::data::{Lengths, PreferenceExample};
use crate::error::{Error, Result};
use crate::model::Transformer;
use crate::protocol::{ProbeKind, ProbePrompt, ProbeResponse};

/// One prompt under observation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// The raw prompt.
    pub prompt: String,
    /// The prompt's tokens; never empty.
    pub prompt_ids: Arc<[u32]>,
    /// Text and tokens of every response; the tokens end with the end-of-text token.
    pub responses: BTreeMap<ProbeKind, (String, Vec<u32>)>,
}

/// Everything under observation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProbeSet {
    /// One entry a prompt; its index is the pair's identity everywhere.
    pub probes: Vec<Probe>,
}

impl ProbeSet {
    /// Observes the given examples, cut as the training examples are.
    ///
    /// # Errors
    /// When a text cannot be tokenised or is too long for the model.
    pub fn new(examples: &[PreferenceExample], tokenizer: &Tokenizer, lengths: &Lengths) -> Result<Self> {
        let probe = |(index, example): (usize, &PreferenceExample)| {
            let kinds: Vec<ProbeKind> = example.responses.keys().copied().collect();
            let tokenised = lengths.tokenise(tokenizer, example, &kinds)?.or_refuse(|unfit| {
                let problem = match unfit {
                    Untrainable::Refused(problem) | Untrainable::Unknown(problem) => problem,
                    Untrainable::Dropped(why) => why.to_owned(),
                };
                Error::usage(format!("observed prompt {}: {problem}; max_length in the data cuts it", index + 1))
            })?;
            let mut prompt_ids = tokenised.prompt;
            let mut responses = BTreeMap::new();
            for (kind, ids) in tokenised.responses {
                let sequence = Sequence::new(prompt_ids, ids);
                prompt_ids = sequence.prompt_ids;
                responses.insert(kind, (example.responses[&kind].clone(), sequence.completion_ids));
            }
            Ok(Probe { prompt: example.prompt.clone(), prompt_ids, responses })
        };
        Ok(Self { probes: examples.iter().enumerate().map(probe).collect::<Result<_>>()? })
    }

    /// Adds what the model itself answers before it is finetuned: `chosen_initial`, its greedy answer, and `chosen_selfr`,
    /// its greedy continuation of y⁺'s first sentence.
    pub fn add_initial<B: Backend>(&mut self, model: &Transformer<B>, tokenizer: &Tokenizer, max_new_tokens: usize) {
        let opened: Vec<Vec<u32>> = self
            .probes
            .iter()
            .map(|p| {
                let chosen = p.responses.get(&ProbeKind::Chosen).map_or(&[][..], |(_, ids)| ids);
                let sentence = chosen.iter().position(|&id| tokenizer.token(id).ends_with(['.', '!', '?']));
                chosen[..sentence.map_or(chosen.len() / 4, |at| at + 1)].to_vec()
            })
            .collect();
        for (kind, openings) in
            [(ProbeKind::ChosenInitial, vec![Vec::new(); opened.len()]), (ProbeKind::ChosenSelfr, opened)]
        {
            let read: Vec<Vec<u32>> =
                self.probes.iter().zip(&openings).map(|(p, o)| [&p.prompt_ids[..], o].concat()).collect();
            let rows: Vec<&[u32]> = read.iter().map(Vec::as_slice).collect();
            for ((probe, opening), answer) in
                self.probes.iter_mut().zip(openings).zip(answers::greedy(model, &rows, tokenizer, max_new_tokens))
            {
                let mut ids = [opening, answer].concat();
                let text = tokenizer.decode(tokenizer.without_stop(&ids));
                if !ids.last().is_some_and(|&id| tokenizer.is_stop(id)) {
                    ids.extend(tokenizer.eos());
                }
                probe.responses.insert(kind, (text, ids));
            }
        }
    }

    /// Leaves only these kinds of responses under observation; all of them if none is named.
    pub fn retain(&mut self, kinds: &[ProbeKind]) {
        if !kinds.is_empty() {
            self.probes.iter_mut().for_each(|probe| probe.responses.retain(|kind, _| kinds.contains(kind)));
        }
    }

    /// The probes as the viewer needs to know them.
    pub fn describe(&self, tokenizer: &Tokenizer) -> Vec<ProbePrompt> {
        let tokens = |probe: &Probe, kind| {
            probe
                .responses
                .get(&kind)
                .map_or_else(Vec::new, |(_, ids)| ids.iter().map(|&id| tokenizer.token(id)).collect())
        };
        #[allow(clippy::cast_possible_truncation, reason = "a response has few tokens")]
        self.probes
            .iter()
            .map(|p| ProbePrompt {
                prompt: p.prompt.clone(),
                responses: p
                    .responses
                    .iter()
                    .map(|(&kind, (text, ids))| (kind, ProbeResponse { text: text.clone(), tokens: ids.len() as u32 }))
                    .collect(),
                chosen_tokens: tokens(p, ProbeKind::Chosen),
                rejected_tokens: tokens(p, ProbeKind::Rejected),
            })
            .collect()
    }
}

//! Some of the observed prompts, whose answers are scored again and again under weights that differ a little.

use std::collections::BTreeMap;
use std::sync::Arc;

use burn::tensor::backend::Backend;

use super::completions::Completions;
use super::prompts::Prompts;
use super::score::SEQUENCES_AT_ONCE;
use super::set::ProbeSet;
use crate::model::{self, Answer, Transformer};
use crate::protocol::{Evaluation, ProbeKind};

/// A response that is scored.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Scored {
    kind: ProbeKind,
    /// Index of its prompt.
    prompt: usize,
    ids: Vec<u32>,
}

/// The first of the observed prompts with all their answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subset {
    prompts: Vec<Arc<[u32]>>,
    /// Prompt by prompt.
    answers: Vec<Scored>,
    /// Tokens of the longest prompt with its longest answer.
    longest: usize,
    /// Answers read together, at most: an evaluation reads no fewer, and needs the memory for them.
    at_once: usize,
    pad: u32,
}

impl Subset {
    /// The first `prompts` of the set; all of them if there are fewer.
    pub fn new(set: &ProbeSet, prompts: usize, pad: u32) -> Self {
        let some = &set.probes[..prompts.min(set.probes.len())];
        let mut answers = Vec::new();
        let mut longest = 0;
        for (prompt, probe) in some.iter().enumerate() {
            for (&kind, (_, ids)) in &probe.responses {
                longest = longest.max(probe.prompt_ids.len() + ids.len());
                answers.push(Scored { kind, prompt, ids: ids.clone() });
            }
        }
        let prompts = some.iter().map(|probe| Arc::clone(&probe.prompt_ids)).collect();
        Self { prompts, answers, longest, at_once: set.probes.len().clamp(1, SEQUENCES_AT_ONCE), pad }
    }

    /// How many answers there are.
    pub fn len(&self) -> usize {
        self.answers.len()
    }

    /// Sums of log-probs under a model, nats, one an answer.
    pub fn logps<B: Backend>(&self, model: &Transformer<B>) -> Vec<f64> {
        let prompts: Vec<&[u32]> = self.prompts.iter().map(|ids| &**ids).collect();
        let plain = model.plain(self.longest);
        let sum = |logps: &[f32]| logps.iter().map(|&logp| f64::from(logp)).sum::<f64>();
        match Prompts::read(model, plain.as_ref(), &prompts, self.pad) {
            Prompts::Plain(plain, prompts) => {
                let answers: Vec<Answer<'_>> =
                    self.answers.iter().map(|a| Answer { prompt: a.prompt, tokens: &a.ids }).collect();
                let logp = |_: usize, logits: &mut [f32], label| model::label_and_largest(logits, label).0;
                plain.read_answers(&prompts, &answers, logp).iter().map(|logps| sum(logps)).collect()
            }
            Prompts::OnDevice { past, last } => {
                // By length, so that those that are read together need little padding.
                let mut order: Vec<usize> = (0..self.answers.len()).collect();
                order.sort_by_key(|&i| self.answers[i].ids.len());
                let mut sums = vec![0.0; order.len()];
                for some in order.chunks(self.at_once) {
                    let row = |&i: &usize| (self.answers[i].prompt, self.answers[i].ids.as_slice());
                    let (owners, ids): (Vec<usize>, Vec<&[u32]>) = some.iter().map(row).unzip();
                    let logps = Completions::read(model, (&past, &last), &owners, &ids, self.pad).logps(model);
                    let mut rest = logps.as_slice();
                    for (&i, ids) in some.iter().zip(ids) {
                        let (own, after) = rest.split_at(ids.len().min(rest.len()));
                        sums[i] = sum(own);
                        rest = after;
                    }
                }
                sums
            }
        }
    }

    /// What an evaluation says of them, one an answer; NaN where it says nothing.
    pub fn of(&self, evaluation: &Evaluation) -> Vec<f64> {
        let of_answer = |answer: &Scored| {
            let value = evaluation.logps.get(&answer.kind).and_then(|values| values.get(answer.prompt));
            value.map_or(f64::NAN, |&value| value.into())
        };
        self.answers.iter().map(of_answer).collect()
    }

    /// Numbers, one an answer, as lists by kind with one entry a prompt; NaN where the prompt has no such answer.
    #[allow(clippy::cast_possible_truncation, reason = "recorded in single precision")]
    pub fn by_kind(&self, numbers: &[f64]) -> BTreeMap<ProbeKind, Vec<f32>> {
        let mut lists = BTreeMap::new();
        for (answer, &number) in self.answers.iter().zip(numbers) {
            let list = lists.entry(answer.kind).or_insert_with(|| vec![f32::NAN; self.prompts.len()]);
            list[answer.prompt] = number as f32;
        }
        lists
    }
}

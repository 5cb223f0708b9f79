//! Some of the observed prompts, whose answers are scored again and again under weights that differ a little.

use std::collections::BTreeMap;
use std::sync::Arc;

use burn::tensor::backend::Backend;

use super::measure::Completions;
use super::prompts::Prompts;
use super::score::SEQUENCES_AT_ONCE;
use super::set::ProbeSet;
use crate::model::Transformer;
use crate::protocol::{Evaluation, ProbeKind};

/// An answer that is scored.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Answer {
    kind: ProbeKind,
    /// Index of its prompt.
    prompt: usize,
    ids: Vec<u32>,
}

/// The first of the observed prompts with all their answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subset {
    prompts: Vec<Arc<[u32]>>,
    /// By length, so that those that are read together need little padding.
    answers: Vec<Answer>,
    /// Answers read together, at most: an evaluation reads no fewer, and needs the memory for them.
    at_once: usize,
    pad: u32,
}

impl Subset {
    /// The first `prompts` of the set; all of them if there are fewer.
    pub fn new(set: &ProbeSet, prompts: usize, pad: u32) -> Self {
        let some = &set.probes[..prompts.min(set.probes.len())];
        let of_prompt = |(prompt, probe): (usize, &super::set::Probe)| {
            let answer =
                move |(&kind, (_, ids)): (&ProbeKind, &(String, Vec<u32>))| Answer { kind, prompt, ids: ids.clone() };
            probe.responses.iter().map(answer).collect::<Vec<_>>()
        };
        let mut answers: Vec<Answer> = some.iter().enumerate().flat_map(of_prompt).collect();
        answers.sort_by_key(|answer| answer.ids.len());
        Self {
            prompts: some.iter().map(|probe| Arc::clone(&probe.prompt_ids)).collect(),
            answers,
            at_once: set.probes.len().clamp(1, SEQUENCES_AT_ONCE),
            pad,
        }
    }

    /// How many answers there are.
    pub fn len(&self) -> usize {
        self.answers.len()
    }

    /// Sums of log-probs under a model, nats, one an answer.
    pub fn logps<B: Backend>(&self, model: &Transformer<B>) -> Vec<f64> {
        let prompts: Vec<&[u32]> = self.prompts.iter().map(|ids| &**ids).collect();
        let read = Prompts::read(model, &prompts, self.pad);
        let mut sums = Vec::with_capacity(self.answers.len());
        for some in self.answers.chunks(self.at_once) {
            let (owners, ids): (Vec<usize>, Vec<&[u32]>) = some.iter().map(|a| (a.prompt, a.ids.as_slice())).unzip();
            let logps = Completions::read(model, &read, &owners, &ids, self.pad).logps(model);
            let mut rest = logps.as_slice();
            for answer in some {
                let (own, after) = rest.split_at(answer.ids.len().min(rest.len()));
                sums.push(own.iter().map(|&logp| f64::from(logp)).sum());
                rest = after;
            }
        }
        sums
    }

    /// What an evaluation says of them, one an answer; NaN where it says nothing.
    pub fn of(&self, evaluation: &Evaluation) -> Vec<f64> {
        let of_answer = |answer: &Answer| {
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

//! Some of the observed prompts, whose answers are scored again and again under weights that differ a little.

use std::collections::BTreeMap;
use std::sync::Arc;

use burn::tensor::backend::Backend;

use super::score;
use super::set::ProbeSet;
use crate::data::Sequence;
use crate::model::Transformer;
use crate::protocol::{Evaluation, ProbeKind};

/// An answer that is scored.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Scored {
    kind: ProbeKind,
    /// Index of its prompt.
    prompt: usize,
    sequence: Sequence,
}

/// The first of the observed prompts with all their answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subset {
    prompts: usize,
    answers: Vec<Scored>,
    pad: u32,
}

impl Subset {
    /// The first `prompts` of the set; all of them if there are fewer.
    pub fn new(set: &ProbeSet, prompts: usize, pad: u32) -> Self {
        let some = &set.probes[..prompts.min(set.probes.len())];
        let mut answers = Vec::new();
        for (prompt, probe) in some.iter().enumerate() {
            for (&kind, (_, ids)) in &probe.responses {
                let sequence = Sequence { prompt_ids: Arc::clone(&probe.prompt_ids), completion_ids: ids.clone() };
                answers.push(Scored { kind, prompt, sequence });
            }
        }
        Self { prompts: some.len(), answers, pad }
    }

    /// How many answers there are.
    pub fn len(&self) -> usize {
        self.answers.len()
    }

    /// Sums of log-probs under a model, nats, one an answer.
    pub fn logps<B: Backend>(&self, model: &Transformer<B>) -> Vec<f64> {
        let sequences: Vec<&Sequence> = self.answers.iter().map(|answer| &answer.sequence).collect();
        score::completions(model, &sequences, self.pad).iter().map(score::CompletionLogps::sum).collect()
    }

    /// What an evaluation says of them, one an answer; NaN where it says nothing.
    pub fn of(&self, evaluation: &Evaluation) -> Vec<f64> {
        let of_answer = |answer: &Scored| {
            let value = evaluation.logps.get(answer.kind).and_then(|values| values.get(answer.prompt));
            value.map_or(f64::NAN, |&value| value.into())
        };
        self.answers.iter().map(of_answer).collect()
    }

    /// Numbers, one an answer, as lists by kind with one entry a prompt; NaN where the prompt has no such answer.
    #[allow(clippy::cast_possible_truncation, reason = "recorded in single precision")]
    pub fn by_kind(&self, numbers: &[f64]) -> BTreeMap<ProbeKind, Vec<f32>> {
        let mut lists = BTreeMap::new();
        for (answer, &number) in self.answers.iter().zip(numbers) {
            let list = lists.entry(answer.kind).or_insert_with(|| vec![f32::NAN; self.prompts]);
            list[answer.prompt] = number as f32;
        }
        lists
    }
}

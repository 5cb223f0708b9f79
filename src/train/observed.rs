//! The answers that an influence is asked about.

use std::sync::Arc;

use burn::optim::GradientsParams;
use burn::tensor::backend::{AutodiffBackend, Backend};

use super::backprop::{Accumulator, Pass};
use crate::data::Sequence;
use crate::error::{Error, Result};
use crate::model::Transformer;
use crate::model::batch::Batch;
use crate::probe::{ProbeSet, score};
use crate::protocol::{Evaluation, Question};

/// Answers that are read with their graph at the same time.
const ROWS_AT_ONCE: usize = 16;

/// One prompt's answer of a kind, or those of all prompts.
pub(super) struct Observed {
    /// Indices of the prompts that have one.
    prompts: Vec<usize>,
    answers: Vec<Sequence>,
    /// Whether one prompt is meant.
    single: bool,
}

impl Observed {
    /// What is asked about.
    ///
    /// # Errors
    /// Wrong usage: the run does not observe it.
    pub(super) fn new(set: &ProbeSet, question: &Question) -> Result<Self> {
        let Question { kind, prompt, .. } = *question;
        let (mut prompts, mut answers) = (Vec::new(), Vec::new());
        for (index, probe) in set.probes.iter().enumerate().filter(|(i, _)| prompt.is_none_or(|p| p == *i)) {
            if let Some((_, ids)) = probe.responses.get(&kind) {
                prompts.push(index);
                answers.push(Sequence { prompt_ids: Arc::clone(&probe.prompt_ids), completion_ids: ids.clone() });
            }
        }
        if answers.is_empty() {
            let whose = prompt.map_or_else(|| "no prompt has an".to_owned(), |p| format!("prompt {} has no", p + 1));
            return Err(Error::usage(format!("{whose} answer {kind} that is observed in this run")));
        }
        Ok(Self { prompts, answers, single: prompt.is_some() })
    }

    /// How many answers there are.
    pub(super) fn answers(&self) -> usize {
        self.answers.len()
    }

    /// Whether a training example asks what the one observed prompt asks.
    pub(super) fn asks(&self, example: &Sequence) -> bool {
        self.single && self.answers.iter().any(|answer| answer.prompt_ids == example.prompt_ids)
    }

    /// Whether a training example's answer is the one observed answer.
    pub(super) fn says(&self, example: &Sequence) -> bool {
        self.single && self.answers.iter().any(|answer| answer.completion_ids == example.completion_ids)
    }

    /// The answers with the indices of their prompts.
    pub(super) fn each(&self) -> impl Iterator<Item = (usize, &Sequence)> {
        self.prompts.iter().copied().zip(&self.answers)
    }

    /// The one answer that is meant, if one is.
    pub(super) fn only(&self) -> Option<&Sequence> {
        self.answers.first().filter(|_| self.single)
    }

    /// Mean of the sums of log-probs under a model, nats.
    pub(super) fn mean<B: Backend>(&self, model: &Transformer<B>, pad: u32) -> f64 {
        let sequences: Vec<&Sequence> = self.answers.iter().collect();
        let scored = score::completions(model, &sequences, pad);
        mean(scored.iter().map(score::CompletionLogps::sum), self.answers.len())
    }

    /// The same as an evaluation has it; no number where it does not say.
    pub(super) fn recorded(&self, evaluation: &Evaluation, question: &Question) -> f64 {
        let of_kind = evaluation.logps.get(question.kind);
        let of = |&prompt: &usize| of_kind.and_then(|values| values.get(prompt)).map_or(f64::NAN, |&x| x.into());
        mean(self.prompts.iter().map(of), self.prompts.len())
    }

    /// The gradient of the mean.
    #[allow(clippy::cast_precision_loss, reason = "few answers")]
    pub(super) fn gradient<B: AutodiffBackend>(
        &self,
        model: &Transformer<B>,
        pad: u32,
        checkpointing: bool,
    ) -> GradientsParams {
        let sequences: Vec<&Sequence> = self.answers.iter().collect();
        gradient(model, &sequences, 1.0 / self.answers.len() as f32, (pad, checkpointing))
    }
}

/// The gradient of `weight` times the sum of the sequences' log-probs. Last the id that pads, and whether blocks are computed
/// anew on the way back.
pub(super) fn gradient<B: AutodiffBackend>(
    model: &Transformer<B>,
    sequences: &[&Sequence],
    weight: f32,
    (pad, checkpointing): (u32, bool),
) -> GradientsParams {
    let mut sum = Accumulator::new();
    for rows in sequences.chunks(ROWS_AT_ONCE) {
        let pass = Pass::forward(model, Batch::whole(rows, pad, &model.device()), checkpointing);
        let weights = vec![weight; pass.batch.labels.len()];
        pass.backward(model, &weights, &mut sum);
    }
    sum.grads()
}

#[allow(clippy::cast_precision_loss, reason = "few answers")]
fn mean(numbers: impl Iterator<Item = f64>, count: usize) -> f64 {
    numbers.sum::<f64>() / count as f64
}

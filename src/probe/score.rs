//! Log-probs of whole sequences, without gradients.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use crate::backend::{floats, int_tensor};
use crate::data::Sequence;
use crate::model::batch::Batch;
use crate::model::{self, Answer, Plain, Transformer};
use crate::objective::logps::label_and_largest_logps;

/// Positions whose logits exist at the same time, at most.
pub(crate) const ROWS_AT_ONCE: usize = 1024;
/// Sequences read in one pass, at most.
pub(crate) const SEQUENCES_AT_ONCE: usize = 64;
/// Tokens read in one pass, padding included, unless one sequence alone has more.
pub(crate) const TOKENS_AT_ONCE: usize = 8192;

/// What is known of one completion, a number a token, nats.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CompletionLogps {
    /// log π(token | prefix).
    pub logps: Vec<f32>,
    /// max_v log π(v | prefix).
    pub argmax_logps: Vec<f32>,
}

impl CompletionLogps {
    /// Sum over the tokens.
    pub fn sum(&self) -> f64 {
        self.logps.iter().map(|&x| f64::from(x)).sum()
    }
}

/// Tokens of prompts whose keys and values are kept at the same time, unless one prompt alone has more.
pub(crate) const PROMPT_TOKENS: usize = 2048;

/// Scores every sequence's completion. The order of the result is that of the input.
pub fn completions<B: Backend>(model: &Transformer<B>, sequences: &[&Sequence], pad: u32) -> Vec<CompletionLogps> {
    match model.plain(sequences.iter().map(|s| s.tokens()).max().unwrap_or(0)) {
        Some(plain) => after_prompts(&plain, sequences),
        None => whole(model, sequences, pad),
    }
}

/// Reads each prompt once, however many completions it has.
fn after_prompts(plain: &Plain, sequences: &[&Sequence]) -> Vec<CompletionLogps> {
    let mut order: Vec<usize> = (0..sequences.len()).filter(|&i| !sequences[i].prompt_ids.is_empty()).collect();
    order.sort_by_key(|&i| &sequences[i].prompt_ids);
    let mut scored = vec![CompletionLogps::default(); sequences.len()];
    let mut rest = order.as_slice();
    while !rest.is_empty() {
        let (mut prompts, mut answers, mut tokens) = (Vec::<&[u32]>::new(), Vec::new(), 0);
        for sequence in rest.iter().map(|&i| sequences[i]) {
            if prompts.last() != Some(&&*sequence.prompt_ids) {
                tokens += sequence.prompt_ids.len();
                if tokens > PROMPT_TOKENS && !prompts.is_empty() {
                    break;
                }
                prompts.push(&sequence.prompt_ids);
            }
            answers.push(Answer { prompt: prompts.len() - 1, tokens: &sequence.completion_ids });
        }
        let (group, after) = rest.split_at(answers.len());
        rest = after;
        let read = plain.read_answers(&plain.read_prompts(&prompts), &answers, |_, logits, token| {
            model::label_and_largest(logits, token)
        });
        for (&i, read) in group.iter().zip(read) {
            (scored[i].logps, scored[i].argmax_logps) = read.into_iter().unzip();
        }
    }
    scored
}

/// Reads sequences of like length together.
fn whole<B: Backend>(model: &Transformer<B>, sequences: &[&Sequence], pad: u32) -> Vec<CompletionLogps> {
    let mut order: Vec<usize> = (0..sequences.len()).collect();
    order.sort_by_key(|&i| sequences[i].tokens());
    let mut scored = vec![CompletionLogps::default(); sequences.len()];
    let device = model.device();
    let mut rest = order.as_slice();
    while let Some(taken) = fitting(rest, |i| sequences[i].tokens()) {
        let (group, after) = rest.split_at(taken);
        rest = after;
        let rows: Vec<&Sequence> = group.iter().map(|&i| sequences[i]).collect();
        let batch = Batch::whole(&rows, pad, &device);
        let hidden = model.forward(batch.tokens.clone());
        for start in (0..batch.predicting.len()).step_by(ROWS_AT_ONCE) {
            let part = start..(start + ROWS_AT_ONCE).min(batch.predicting.len());
            let (logps, largest) =
                label_and_largest(model, hidden.clone(), &batch.predicting[part.clone()], &batch.labels[part.clone()]);
            for ((&row, logp), largest) in batch.owner[part].iter().zip(logps).zip(largest) {
                let scored = &mut scored[group[row]];
                scored.logps.push(logp);
                scored.argmax_logps.push(largest);
            }
        }
    }
    scored
}

/// How many of the sequences in `order`, shortest first, are read in the next pass; `None` where none is left.
fn fitting(order: &[usize], tokens: impl Fn(usize) -> usize) -> Option<usize> {
    let most = order.iter().take(SEQUENCES_AT_ONCE).enumerate();
    let fit = most.take_while(|&(before, &i)| (before + 1) * tokens(i) <= TOKENS_AT_ONCE).count();
    (!order.is_empty()).then_some(fit.max(1))
}

/// Log-probs of the labels, and the largest log-prob, at the given rows of `hidden`.
pub(super) fn label_and_largest<B: Backend>(
    model: &Transformer<B>,
    hidden: Tensor<B, 2>,
    rows: &[usize],
    labels: &[u32],
) -> (Vec<f32>, Vec<f32>) {
    let device = hidden.device();
    let index = int_tensor(rows.iter().map(|&i| i as i64).collect(), &device);
    let labels = int_tensor(labels.iter().map(|&id| i64::from(id)).collect(), &device);
    let (label, largest) = label_and_largest_logps(model.logits(hidden.select(0, index)), labels);
    (floats(label), floats(largest))
}

#[cfg(test)]
mod tests {
    use super::{SEQUENCES_AT_ONCE, TOKENS_AT_ONCE, fitting};

    #[test]
    fn a_pass_reads_what_fits_and_at_least_one() {
        let passes = |lengths: &[usize]| {
            let order: Vec<usize> = (0..lengths.len()).collect();
            let (mut rest, mut passes) = (order.as_slice(), Vec::new());
            while let Some(taken) = fitting(rest, |i| lengths[i]) {
                passes.push(taken);
                rest = &rest[taken..];
            }
            passes
        };
        assert_eq!(passes(&[]), [0; 0]);
        assert_eq!(passes(&[5; SEQUENCES_AT_ONCE + 1]), [SEQUENCES_AT_ONCE, 1]);
        assert_eq!(
            passes(&[1, TOKENS_AT_ONCE / 2, TOKENS_AT_ONCE / 2, TOKENS_AT_ONCE, 2 * TOKENS_AT_ONCE]),
            [2, 1, 1, 1]
        );
    }
}

//! Answers that the model gives by itself: greedy ones to the prompts under observation, sampled ones to held-out prompts.

use burn::tensor::backend::Backend;

use super::prompts::Prompts;
use crate::data::tokenizer::Tokenizer;
use crate::data::world::{Judge, Source};
use crate::model::Transformer;
use crate::model::generate::Decoding;
use crate::protocol::GreedyAnswer;

/// Prompts answered in one batch, at most.
const PROMPTS_AT_ONCE: usize = 64;

/// Answers to prompts, as tokens, in the order given; each ends with a token that ends a generation or after `max_new_tokens`.
/// Greedy where no `sampling` is given. Every prompt has at least one token.
pub(crate) fn answer<B: Backend>(
    model: &Transformer<B>,
    prompts: &[&[u32]],
    tokenizer: &Tokenizer,
    max_new_tokens: usize,
    mut sampling: Option<Sampling<impl FnMut() -> f64>>,
) -> Vec<Vec<u32>> {
    let mut answers = Vec::with_capacity(prompts.len());
    let longest = prompts.iter().map(|prompt| prompt.len()).max().unwrap_or(0) + max_new_tokens;
    let plain = model.plain(longest);
    for prompts in prompts.chunks(PROMPTS_AT_ONCE) {
        let read = Prompts::read(model, plain.as_ref(), prompts, tokenizer.pad());
        let decoding = sampling.as_mut().map_or(Decoding::Greedy, |s| Decoding::Sample {
            temperature: s.temperature,
            top_p: s.top_p,
            unit: &mut s.unit,
        });
        answers.extend(read.answer(model, |id| tokenizer.is_stop(id), max_new_tokens, decoding));
    }
    answers
}

/// Greedy answers, as of [`answer`].
pub(crate) fn greedy<B: Backend>(
    model: &Transformer<B>,
    prompts: &[&[u32]],
    tokenizer: &Tokenizer,
    max_new_tokens: usize,
) -> Vec<Vec<u32>> {
    answer(model, prompts, tokenizer, max_new_tokens, None::<Sampling<fn() -> f64>>)
}

/// How answers are sampled.
pub(crate) struct Sampling<U> {
    /// Temperature of the softmax.
    pub(crate) temperature: f64,
    /// Mass of the nucleus.
    pub(crate) top_p: f64,
    /// Uniform draws in [0, 1).
    pub(crate) unit: U,
}

/// The answers that the model writes at every measurement, besides those it is given.
#[derive(Debug, Default)]
pub struct Generation {
    /// The first so many observed prompts get a greedy answer.
    pub greedy: usize,
    /// Longest answer, tokens.
    pub max_new_tokens: usize,
    /// Held-out prompts, text and tokens, that get a sampled answer.
    pub held_out: Vec<(String, Vec<u32>)>,
    /// What knows which facts are right, where the data has such a thing.
    pub judge: Option<Judge>,
    /// Seed of the sampled answers: every measurement of a run draws the same numbers, so that two of them differ by the
    /// model alone.
    pub seed: u64,
}

impl Generation {
    /// A greedy answer in words, with what is counted of it.
    #[allow(clippy::cast_possible_truncation, reason = "recorded in single precision")]
    pub(super) fn describe(&self, tokenizer: &Tokenizer, prompt: &str, ids: &[u32]) -> GreedyAnswer {
        let ids = tokenizer.without_stop(ids);
        let text = tokenizer.decode(ids);
        let reward = self.judge.as_ref().and_then(|judge| judge.reward(prompt, &text)).map(|x| x as f32);
        GreedyAnswer { text, distinct_2: distinct(ids, 2), repeat_4: 1.0 - distinct(ids, 4), reward }
    }

    /// Rewards of answers sampled to the held-out prompts at temperature 1; NaN where the judge does not know the prompt,
    /// empty where there is no judge.
    #[allow(clippy::cast_possible_truncation, reason = "recorded in single precision")]
    pub(super) fn held_out_rewards<B: Backend>(&self, model: &Transformer<B>, tokenizer: &Tokenizer) -> Vec<f32> {
        let Some(judge) = &self.judge else { return Vec::new() };
        let mut source = Source::new("held-out answers", self.seed);
        let sampling = Sampling { temperature: 1.0, top_p: 1.0, unit: || source.unit() };
        let prompts: Vec<&[u32]> = self.held_out.iter().map(|(_, ids)| ids.as_slice()).collect();
        let answers = answer(model, &prompts, tokenizer, self.max_new_tokens, Some(sampling));
        let reward = |((prompt, _), ids): (&(String, Vec<u32>), Vec<u32>)| {
            judge.reward(prompt, &tokenizer.decode(tokenizer.without_stop(&ids))).map_or(f32::NAN, |x| x as f32)
        };
        self.held_out.iter().zip(answers).map(reward).collect()
    }
}

/// Distinct n-grams over n-grams; 1 where there is none.
#[allow(clippy::cast_precision_loss, reason = "an answer has few tokens")]
fn distinct(ids: &[u32], n: usize) -> f32 {
    let all = ids.windows(n).count();
    if all == 0 {
        return 1.0;
    }
    ids.windows(n).collect::<std::collections::BTreeSet<_>>().len() as f32 / all as f32
}

#[cfg(test)]
mod tests {
    use super::distinct;

    #[test]
    fn repetition_is_counted_in_tokens() {
        assert_eq!(distinct(&[1, 2, 3], 2), 1.0);
        assert_eq!(distinct(&[1, 2, 1, 2, 1], 2), 0.5);
        assert_eq!(distinct(&[7], 2), 1.0);
        assert_eq!(distinct(&[5; 9], 4), 1.0 / 6.0);
    }
}

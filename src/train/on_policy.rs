//! Answers sampled from the policy that is trained, in place of the data's.

use burn::tensor::backend::Backend;

use super::prepare::Pair;
use super::reference::Reference;
use crate::data::Sequence;
use crate::data::tokenizer::Tokenizer;
use crate::data::world::{Judge, Source};
use crate::error::Result;
use crate::experiment::{OnPolicy, Replaces};
use crate::model::Transformer;
use crate::probe::answers::{Sampling, answer};

/// Samples answers and puts them into the training pairs.
pub(super) struct Sampler {
    settings: OnPolicy,
    judge: Option<Judge>,
    source: Source,
}

/// Whether answers are to be sampled before a step, and how long they serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// The answers that there are still serve.
    Not,
    /// New ones, for this step and those after it, so many in all.
    ForSteps(usize),
    /// New ones to every prompt, for the whole stage.
    ForTheStage,
}

/// Mean rewards of what was sampled; NaN where there is no judge.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Sampled {
    /// Mean reward of the new y⁺; NaN where y⁺ stays the data's.
    pub(super) chosen: f64,
    /// Mean reward of the new y⁻.
    pub(super) rejected: f64,
}

impl Sampler {
    /// The sampling of stage `stage` of a run.
    pub(super) fn new(settings: OnPolicy, judge: Option<Judge>, seed: u64, stage: usize) -> Self {
        let source = Source::new(&format!("on policy {stage}"), seed);
        Self { settings, judge, source }
    }

    /// Position of the random generator: how much of it was drawn.
    pub(super) fn drawn(&self) -> u128 {
        self.source.position()
    }

    /// Goes on from there.
    pub(super) fn seek(&mut self, drawn: u128) {
        self.source.seek(drawn);
    }

    /// Whether answers are due before a stage's step, counted from 1, and for how many steps they serve.
    pub(super) fn due(&self, step: u64) -> Due {
        match self.settings.every {
            0 if step == 1 => Due::ForTheStage,
            0 => Due::Not,
            every if step % every == 1 % every => usize::try_from(every).map_or(Due::ForTheStage, Due::ForSteps),
            _ => Due::Not,
        }
    }

    /// Samples answers to the prompts of the pairs `which` and puts them in the place of what they replace; the frozen
    /// reference, where there is one, is asked about the new ones.
    pub(super) fn refresh<B: Backend>(
        &mut self,
        model: &Transformer<B>,
        tokenizer: &Tokenizer,
        pairs: &mut [Pair],
        which: &[usize],
        reference: &mut Reference<B>,
    ) -> Result<Sampled> {
        let candidates = self.settings.candidates.max(1);
        let prompts: Vec<&[u32]> =
            which.iter().flat_map(|&i| std::iter::repeat_n(&*pairs[i].chosen.prompt_ids, candidates)).collect();
        let sampling = Sampling {
            temperature: self.settings.temperature,
            top_p: self.settings.top_p,
            unit: || self.source.unit(),
        };
        let answers = answer(model, &prompts, tokenizer, self.settings.max_new_tokens, Some(sampling));
        let (mut best_sum, mut worst_sum) = (0.0, 0.0);
        for (&i, answers) in which.iter().zip(answers.chunks_exact(candidates)) {
            let prompt_ids = &pairs[i].chosen.prompt_ids;
            let reward = |ids: &Vec<u32>| {
                let judge = self.judge.as_ref()?;
                judge.reward(&tokenizer.decode(prompt_ids), &tokenizer.decode(tokenizer.without_stop(ids)))
            };
            let rewards: Vec<f64> = answers.iter().map(|ids| reward(ids).unwrap_or(f64::NAN)).collect();
            let (best, worst) = extremes(&rewards);
            let sequence =
                |which: usize| Sequence { prompt_ids: prompt_ids.clone(), completion_ids: answers[which].clone() };
            let (chosen, rejected) = (sequence(best), sequence(worst));
            best_sum += rewards[best];
            worst_sum += rewards[worst];
            // Candidates of equal reward hold no preference: y⁺ stays what it was.
            if self.settings.replaces == Replaces::Both && rewards[best] > rewards[worst] {
                pairs[i].chosen = chosen;
            }
            pairs[i].rejected = Some(rejected);
        }
        reference.score(tokenizer, pairs, which)?;
        #[allow(clippy::cast_precision_loss, reason = "a mean over few answers")]
        let mean = |sum: f64| sum / which.len() as f64;
        let chosen = if self.settings.replaces == Replaces::Both { mean(best_sum) } else { f64::NAN };
        Ok(Sampled { chosen, rejected: mean(worst_sum) })
    }
}

/// The first of the largest and the first of the smallest; the first of all where they cannot be told.
fn extremes(rewards: &[f64]) -> (usize, usize) {
    let pick = |better: fn(f64, f64) -> bool| {
        (1..rewards.len()).fold(0, |best, i| if better(rewards[i], rewards[best]) { i } else { best })
    };
    (pick(|a, b| a > b), pick(|a, b| a < b))
}

#[cfg(test)]
mod tests {
    use super::{Due, Sampler, extremes};
    use crate::experiment::OnPolicy;

    #[test]
    fn the_best_and_the_worst_are_told_apart() {
        assert_eq!(extremes(&[0.2, 0.9, 0.1, 0.9]), (1, 2));
        assert_eq!(extremes(&[0.5]), (0, 0));
        assert_eq!(extremes(&[f64::NAN, f64::NAN]), (0, 0));
    }

    #[test]
    fn answers_are_due_when_the_last_ones_are_used_up() {
        let due = |every: u64| {
            let sampler = Sampler::new(OnPolicy { every, ..OnPolicy::default() }, None, 0, 0);
            (1..=6).filter(|&step| sampler.due(step) != Due::Not).collect::<Vec<u64>>()
        };
        assert_eq!(due(0), [1]);
        assert_eq!(due(1), [1, 2, 3, 4, 5, 6]);
        assert_eq!(due(4), [1, 5]);
    }
}

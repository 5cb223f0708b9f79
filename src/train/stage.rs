//! The material of a stage besides the model: its pairs, its frozen reference, the order of its batches.

use std::sync::Arc;

use burn::tensor::backend::Backend;

use super::on_policy::{Due, Sampled, Sampler};
use super::order::{Batches, Order};
use super::prepare::Pair;
use super::reference::Reference;
use super::state::{Array, SavedState, TrainerState};
use super::weights;
use crate::data::Sequence;
use crate::data::tokenizer::Tokenizer;
use crate::data::world::Judge;
use crate::error::Result;
use crate::experiment::{DataSource, Experiment};
use crate::model::Transformer;

/// One stage's pairs, as they are trained on, with what goes with them.
pub(super) struct StageData<B: Backend> {
    /// Shared with the other stages, until answers are sampled into them.
    pub(super) pairs: Arc<Vec<Pair>>,
    pub(super) reference: Reference<B>,
    batches: Batches,
    sampler: Option<Sampler>,
}

impl<B: Backend> StageData<B> {
    /// Stage `index` of the experiment, which begins at `model`, on the data's pairs. Where answers are sampled, the
    /// reference is asked about those when they are there.
    pub(super) fn new(
        experiment: &Experiment,
        index: usize,
        model: &Transformer<B>,
        tokenizer: &Tokenizer,
        pairs: &Arc<Vec<Pair>>,
    ) -> Result<Self> {
        let mut data = Self::unscored(experiment, index, model, pairs);
        if data.sampler.is_none() && data.reference.model.is_some() {
            // A short stage on a large file draws few of its pairs.
            let steps = usize::try_from(experiment.stages[index].steps).unwrap_or(usize::MAX);
            let drawn = data.batches.examples_of_next(steps.min(data.batches.epoch()));
            data.reference.score(tokenizer, &data.pairs, &drawn)?;
            // Nobody will ask again.
            data.reference.model = None;
        }
        Ok(data)
    }

    /// A stage's data before the reference was asked about anything.
    fn unscored(experiment: &Experiment, index: usize, model: &Transformer<B>, pairs: &Arc<Vec<Pair>>) -> Self {
        let stage = &experiment.stages[index];
        let judge = matches!(experiment.data, DataSource::World(_)).then(Judge::default);
        Self {
            pairs: Arc::clone(pairs),
            reference: Reference::new(stage.objective.has_reference().then(|| model.clone()), pairs.len()),
            batches: batches(experiment, index, pairs.len()),
            sampler: stage.on_policy.map(|settings| Sampler::new(settings, judge, experiment.seed, index)),
        }
    }

    /// The examples that `taken` steps of stage `index` learnt last, the latest first, at most so many.
    pub(super) fn learnt_last(
        experiment: &Experiment,
        index: usize,
        taken: u64,
        examples: usize,
        most: usize,
    ) -> Vec<usize> {
        batches(experiment, index, examples).latest_of(taken, most)
    }

    /// Position of the random generator, where answers are sampled.
    pub(super) fn drawn(&self) -> Option<u128> {
        self.sampler.as_ref().map(Sampler::drawn)
    }

    /// Adds to a state what cannot be derived again: what the reference said, and where answers are sampled, those and the
    /// reference itself.
    pub(super) fn save(&self, state: &mut TrainerState) {
        let flat = self.reference.logps.iter().flat_map(|&(chosen, rejected)| [chosen, rejected]).collect();
        state.add("reference_logps", Array::f64(flat));
        if let Some(model) = &self.reference.model {
            weights::save(model, "reference", state);
        }
        if self.sampler.is_some() {
            save_answers(self.pairs.iter().map(|pair| Some(&pair.chosen)), "chosen", state);
            save_answers(self.pairs.iter().map(|pair| pair.rejected.as_ref()), "rejected", state);
        }
    }

    /// The stage that was under way in a saved state; `model` gives the reference its shape.
    pub(super) fn restore(
        experiment: &Experiment,
        model: &Transformer<B>,
        pairs: &Arc<Vec<Pair>>,
        saved: &mut SavedState,
    ) -> Result<Self> {
        let position = saved.position().clone();
        let mut data = Self::unscored(experiment, position.stage, model, pairs);
        data.batches.skip(position.taken);
        let flat = saved.f64("reference_logps", 2 * data.reference.logps.len())?;
        data.reference.logps = flat.as_chunks().0.iter().map(|&[chosen, rejected]| (chosen, rejected)).collect();
        let Some(sampler) = &mut data.sampler else {
            data.reference.model = None;
            return Ok(data);
        };
        sampler.seek(position.drawn.ok_or_else(|| saved.damaged("it does not say which answers were sampled"))?);
        if let Some(reference) = data.reference.model.take() {
            data.reference.model = Some(weights::load(reference, "reference", saved)?);
        }
        let chosen = load_answers("chosen", pairs.len(), saved)?;
        let rejected = load_answers("rejected", pairs.len(), saved)?;
        for (pair, (chosen, rejected)) in
            Arc::make_mut(&mut data.pairs).iter_mut().zip(chosen.into_iter().zip(rejected))
        {
            let chosen = chosen.ok_or_else(|| saved.damaged("a pair has no chosen answer"))?;
            *pair = Pair { chosen, rejected };
        }
        Ok(data)
    }

    /// Whether every pair is about to be sampled anew before the stage's step: that takes a while.
    pub(super) fn samples_everything(&self, step: u64) -> bool {
        self.sampler.as_ref().is_some_and(|sampler| sampler.due(step) == Due::ForTheStage)
    }

    /// Samples answers from the model, where they are due before the stage's step (counted from 1).
    pub(super) fn sample(
        &mut self,
        step: u64,
        model: &Transformer<B>,
        tokenizer: &Tokenizer,
    ) -> Result<Option<Sampled>> {
        let Some(sampler) = &mut self.sampler else { return Ok(None) };
        let which = match sampler.due(step) {
            Due::Not => return Ok(None),
            Due::ForTheStage => (0..self.pairs.len()).collect(),
            Due::ForSteps(steps) => self.batches.examples_of_next(steps),
        };
        let pairs = Arc::make_mut(&mut self.pairs);
        sampler.refresh(model, tokenizer, pairs, &which, &mut self.reference).map(Some)
    }

    /// The slices of the next step.
    pub(super) fn take(&mut self) -> Vec<Vec<usize>> {
        self.batches.take()
    }
}

/// The batches of a stage, from its first step on.
fn batches(experiment: &Experiment, index: usize, examples: usize) -> Batches {
    let stage = &experiment.stages[index];
    let order = Order::new(experiment.seed, index, examples);
    Batches::new(order, stage.batch_size, stage.gradient_accumulation_steps)
}

/// The length that says that there is no answer.
const NO_ANSWER: u32 = u32::MAX;

/// Adds prompts with their answers to a state.
#[allow(clippy::cast_possible_truncation, reason = "a sequence has few tokens")]
fn save_answers<'a>(answers: impl Iterator<Item = Option<&'a Sequence>>, name: &str, state: &mut TrainerState) {
    let (mut lengths, mut ids) = (Vec::new(), Vec::new());
    for answer in answers {
        let Some(Sequence { prompt_ids, completion_ids }) = answer else {
            lengths.extend([NO_ANSWER; 2]);
            continue;
        };
        lengths.extend([prompt_ids.len() as u32, completion_ids.len() as u32]);
        ids.extend(prompt_ids.iter().chain(completion_ids));
    }
    state.add(format!("answers.{name}.lengths"), Array::u32(lengths));
    state.add(format!("answers.{name}.ids"), Array::u32(ids));
}

/// The prompts with their answers of a saved state.
fn load_answers(name: &str, pairs: usize, saved: &mut SavedState) -> Result<Vec<Option<Sequence>>> {
    let lengths = saved.u32(&format!("answers.{name}.lengths"), 2 * pairs)?;
    let ids = saved.u32_list(&format!("answers.{name}.ids"))?;
    let mut rest = ids.as_slice();
    let mut next = |length: u32| {
        let (part, after) = rest.split_at_checked(length as usize)?;
        rest = after;
        Some(part.to_vec())
    };
    let mut answer = |&[prompt, completion]: &[u32; 2]| match (prompt, completion) {
        (NO_ANSWER, NO_ANSWER) => Ok(None),
        _ => next(prompt)
            .zip(next(completion))
            .map(|(prompt_ids, completion_ids)| Some(Sequence { prompt_ids: prompt_ids.into(), completion_ids }))
            .ok_or_else(|| saved.damaged("the sampled answers break off")),
    };
    lengths.as_chunks().0.iter().map(&mut answer).collect()
}

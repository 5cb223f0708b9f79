//! What a stage works with besides the model: its pairs, its frozen reference, the order of its batches.

use std::sync::Arc;

use burn::tensor::backend::Backend;

use super::on_policy::{Sampled, Sampler};
use super::order::{Batches, Order};
use super::prepare::{Pair, rejected};
use crate::data::tokenizer::Tokenizer;
use crate::data::world::Judge;
use crate::error::Result;
use crate::experiment::{DataSource, Experiment};
use crate::model::Transformer;
use crate::probe::score;

/// The frozen reference: the model as it was when the stage began, and what it gives the pairs' answers.
pub(super) struct Reference<B: Backend> {
    model: Option<Transformer<B>>,
    /// log π_ref(y⁺) and log π_ref(y⁻) of every pair, sums; empty where the objective has no reference.
    logps: Vec<(f64, f64)>,
}

impl<B: Backend> Reference<B> {
    /// No reference, or a frozen model.
    fn new(model: Option<Transformer<B>>, pairs: usize) -> Self {
        let pairs = if model.is_some() { pairs } else { 0 };
        Self { model, logps: vec![(f64::NAN, f64::NAN); pairs] }
    }

    /// Asks it about the answers of the pairs `which`.
    pub(super) fn score(&mut self, tokenizer: &Tokenizer, pairs: &[Pair], which: &[usize]) -> Result<()> {
        let Some(model) = &self.model else { return Ok(()) };
        let mut sequences = Vec::with_capacity(2 * which.len());
        for &i in which {
            sequences.extend([&pairs[i].chosen, rejected(&pairs[i])?]);
        }
        let scored = score::completions(model, &sequences, tokenizer.pad());
        for (&i, pair) in which.iter().zip(scored.chunks_exact(2)) {
            self.logps[i] = (pair[0].sum(), pair[1].sum());
        }
        Ok(())
    }

    /// What it gives pair `i`; zeros where the objective has no reference.
    pub(super) fn of(&self, i: usize) -> (f64, f64) {
        self.logps.get(i).copied().unwrap_or_default()
    }
}

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
        let stage = &experiment.stages[index];
        let order = Order::new(experiment.seed, index, pairs.len());
        let judge = matches!(experiment.data, DataSource::World(_)).then(Judge::default);
        let mut data = Self {
            pairs: Arc::clone(pairs),
            reference: Reference::new(stage.objective.has_reference().then(|| model.clone()), pairs.len()),
            batches: Batches::new(order, stage.batch_size, stage.gradient_accumulation_steps),
            sampler: stage.on_policy.map(|settings| Sampler::new(settings, judge, experiment.seed, index)),
        };
        if data.sampler.is_none() {
            let all: Vec<usize> = (0..pairs.len()).collect();
            data.reference.score(tokenizer, &data.pairs, &all)?;
            // Nobody will ask again.
            data.reference.model = None;
        }
        Ok(data)
    }

    /// Whether every pair is about to be sampled anew before the stage's step: that takes a while.
    pub(super) fn samples_everything(&self, step: u64) -> bool {
        self.sampler.as_ref().and_then(|sampler| sampler.due(step)) == Some(None)
    }

    /// Samples answers from the model, where they are due before the stage's step (counted from 1).
    pub(super) fn sample(
        &mut self,
        step: u64,
        model: &Transformer<B>,
        tokenizer: &Tokenizer,
    ) -> Result<Option<Sampled>> {
        let Some((sampler, steps)) = self.sampler.as_mut().and_then(|s| s.due(step).map(|steps| (s, steps))) else {
            return Ok(None);
        };
        let which = match steps {
            None => (0..self.pairs.len()).collect(),
            Some(steps) => self.batches.examples_of_next(steps),
        };
        let pairs = Arc::make_mut(&mut self.pairs);
        sampler.refresh(model, tokenizer, pairs, &which, &mut self.reference).map(Some)
    }

    /// The slices of the next step.
    pub(super) fn take(&mut self) -> Vec<Vec<usize>> {
        self.batches.take()
    }
}

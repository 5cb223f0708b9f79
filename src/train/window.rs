//! A window of optimiser steps, kept so that it can be gone back through: who learnt what, where, and how far that went.

use std::collections::BTreeMap;
use std::sync::Arc;

use burn::module::AutodiffModule;
use burn::tensor::backend::{AutodiffBackend, Backend};

use super::control::Control;
use super::direction::Direction;
use super::language::{Language, LanguageStage, Lesson, Taken};
use super::prepare::Pair;
use super::run::StepNumber;
use super::schedule::learning_rate;
use crate::error::Result;
use crate::experiment::{Precision, Stage};
use crate::model::Transformer;
use crate::protocol::MetricKey;

/// The steps of a window, in order; at least one.
pub(super) struct Window<B: Backend> {
    pub(super) steps: Vec<WindowStep<B>>,
    /// The model after the last one.
    pub(super) end: Transformer<B>,
    /// The averages of gradients that the first one went on from; absent where nothing was learnt before it.
    pub(super) before: Option<Direction<B>>,
    /// How much of an average an update keeps.
    pub(super) momentum: f64,
}

/// One step of a window.
pub(super) struct WindowStep<B: Backend> {
    /// The model that it was taken from, in single precision whatever the training computes in.
    pub(super) model: Transformer<B>,
    /// What was learnt.
    pub(super) lessons: Vec<Lesson>,
    /// The pairs as they were then.
    pub(super) pairs: Arc<Vec<Pair>>,
    /// How far the update took every weight for each unit of its average of gradients.
    pub(super) reach: Direction<B>,
    /// What weight decay added, as a share of the weights.
    pub(super) decay: f64,
}

/// A window that is being filled.
pub(super) struct Filling<B: Backend> {
    steps: Vec<WindowStep<B>>,
    before: Option<Direction<B>>,
}

impl<B: Backend> Filling<B> {
    /// Nothing yet.
    pub(super) fn new() -> Self {
        Self { steps: Vec::new(), before: None }
    }

    /// Takes a step and keeps it; returns its scalars.
    pub(super) fn step<A: AutodiffBackend<InnerBackend = B>>(
        &mut self,
        learner: &mut Language<A>,
        stage: &Stage,
        under_way: &mut LanguageStage<A>,
        number: StepNumber,
        control: &mut Control<'_>,
    ) -> Result<BTreeMap<MetricKey, f64>> {
        if self.steps.is_empty() && number.of_stage > 1 {
            self.before = Some(under_way.optimizer.averages(&learner.model));
        }
        let model = learner.model.valid().compute_in(Precision::F32);
        let Taken { metrics, lessons } = learner.take_step(stage, under_way, number, control)?;
        let rate = learning_rate(stage, number.of_stage);
        let (reach, decay) = (under_way.optimizer.reach(&learner.model, rate), under_way.optimizer.rule().decay(rate));
        self.steps.push(WindowStep { model, lessons, pairs: Arc::clone(&under_way.data.pairs), reach, decay });
        Ok(metrics)
    }

    /// The window, which ends here; `None` where no step was taken.
    pub(super) fn finish<A: AutodiffBackend<InnerBackend = B>>(
        self,
        learner: &Language<A>,
        under_way: &LanguageStage<A>,
    ) -> Option<Window<B>> {
        let Self { steps, before } = self;
        let momentum = under_way.optimizer.rule().momentum();
        let end = learner.model.valid().compute_in(Precision::F32);
        (!steps.is_empty()).then_some(Window { steps, end, before, momentum })
    }
}

impl<B: Backend> Window<B> {
    /// The model after so many of the steps.
    pub(super) fn model(&self, steps: usize) -> &Transformer<B> {
        self.steps.get(steps).map_or(&self.end, |step| &step.model)
    }
}

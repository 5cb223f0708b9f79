//! A classifier of pictures as what learns: optimiser steps on the cross entropy, each examined for what it does to the
//! beliefs about the observed pictures.

use std::collections::BTreeMap;
use std::path::Path;

use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::tensor::backend::AutodiffBackend;

use super::control::Control;
use super::gradients::{Clipped, clip};
use super::halves::Halves;
use super::optimizer::Optimizer;
use super::order::{Batches, Order};
use super::prepare;
use super::run::{Learner, Prepared, Progress, StepNumber, UnderWay, must_be_finite};
use super::schedule::learning_rate;
use super::state::{SavedState, TrainerState};
use crate::backend::int_tensor;
use crate::data::pictures::CLASSES;
use crate::data::{self, Pictures};
use crate::error::{Error, Result};
use crate::experiment::{Experiment, ModelSource, Stage};
use crate::model::classifier::pictures;
use crate::model::{Classifier, ClassifierShape};
use crate::objective::logps::per_token_logps;
use crate::probe::entk::{Gradients, Recorder};
use crate::probe::{ClassObserver, Headway};
use crate::protocol::{FORMAT_VERSION, MetricKey, RunPhase, RunStarted, TrainerEvent};

/// A step of LeNet's is examined once in so many: its Jacobian costs several steps. A perceptron's costs less than the
/// step itself, so there every step is.
const CONVOLUTIONS_EXAMINED_EVERY: u64 = 8;

/// A classifier with the pictures that it is trained on and those that are observed.
pub(super) struct Classifying<B: AutodiffBackend> {
    model: Classifier<B>,
    pictures: Pictures,
    observer: ClassObserver,
    /// Pictures seen by the optimiser.
    seen: u64,
}

/// What a stage of a classifier works with.
pub(super) struct ClassifyingStage<B: AutodiffBackend> {
    batches: Batches,
    optimizer: Optimizer<B>,
}

/// Gets the pictures and makes the model.
///
/// # Errors
/// On bad data, or a model that cannot look at pictures.
pub(super) fn prepare<B: AutodiffBackend>(
    experiment: &Experiment,
    device: &B::Device,
    backend: &str,
    control: &mut Control<'_>,
) -> Result<Prepared<Classifying<B>>> {
    control.say(RunPhase::Starting("getting the pictures".to_owned()), 0)?;
    let set = data::load_pictures(experiment)?;
    control.say(RunPhase::Starting("making the model".to_owned()), 0)?;
    let shape = shape(&experiment.model)?;
    let model = Classifier::<B>::random(&shape, experiment.seed, device);
    let every = if shape.convolutions.is_empty() { 1 } else { CONVOLUTIONS_EXAMINED_EVERY };
    let observer = ClassObserver::new(set.held_out, experiment.probes.prompts / CLASSES.len(), every)?;
    let started = run_started(experiment, &shape, backend);
    Ok(Prepared { learner: Classifying { model, pictures: set.train, observer, seen: 0 }, started })
}

/// The layers that the experiment asks for.
fn shape(model: &ModelSource) -> Result<ClassifierShape> {
    match model {
        ModelSource::Mlp(hidden) => Ok(ClassifierShape::mlp(hidden)),
        ModelSource::Lenet => Ok(ClassifierShape::lenet()),
        ModelSource::Base
        | ModelSource::Folder(_)
        | ModelSource::File(_)
        | ModelSource::Hub(_)
        | ModelSource::New(_) => {
            Err(Error::usage("model: a language model cannot look at pictures; use mlp([64]) or lenet"))
        }
    }
}

/// The run's first event.
fn run_started(experiment: &Experiment, shape: &ClassifierShape, backend: &str) -> RunStarted {
    let kind = if shape.convolutions.is_empty() { "perceptron" } else { "LeNet" };
    RunStarted {
        format_version: FORMAT_VERSION,
        run_id: experiment.run_id(),
        experiment: experiment.name.clone(),
        description: experiment.description.clone(),
        seed: experiment.seed,
        backend: backend.to_owned(),
        model: format!("{kind}, {} parameters", shape.parameter_count()),
        vocab_size: CLASSES.len(),
        stages: prepare::stages(experiment),
        claims: experiment.claims.clone(),
        baseline: experiment.baseline_name(),
        detector: experiment.detector,
        probes: Vec::new(),
        means: false,
        classes: CLASSES.map(str::to_owned).to_vec(),
    }
}

impl<B: AutodiffBackend> Learner for Classifying<B> {
    type Stage = ClassifyingStage<B>;

    fn begin(
        &mut self,
        experiment: &Experiment,
        index: usize,
        _: u64,
        _: &mut Control<'_>,
    ) -> Result<ClassifyingStage<B>> {
        let stage = &experiment.stages[index];
        let order = Order::new(experiment.seed, index, self.pictures.len());
        let batches = Batches::new(order, stage.batch_size, stage.gradient_accumulation_steps);
        Ok(ClassifyingStage { batches, optimizer: Optimizer::new(&stage.optimizer) })
    }

    fn step(
        &mut self,
        stage: &Stage,
        under_way: &mut ClassifyingStage<B>,
        number: StepNumber,
        _: &mut Control<'_>,
    ) -> Result<BTreeMap<MetricKey, f64>> {
        let slices = under_way.batches.take();
        self.optimise(stage, number, &slices, &mut under_way.optimizer)
    }

    fn measure(&mut self, step: u64, stage: usize, _: &Headway<'_>) -> Result<Vec<TrainerEvent>> {
        Ok(vec![TrainerEvent::from(self.observer.measure(&self.model, step, stage)?)])
    }

    fn seen(&self) -> u64 {
        self.seen
    }

    /// A run of a classifier is short, and its seed gives the same weights again.
    fn state(&self, _: &Progress, _: &UnderWay<ClassifyingStage<B>>) -> Option<TrainerState> {
        None
    }

    fn snapshot(&self, _: &Progress, _: &UnderWay<ClassifyingStage<B>>) -> Option<TrainerState> {
        None
    }

    fn restore(&mut self, _: &Experiment, saved: &mut SavedState) -> Result<(Progress, UnderWay<ClassifyingStage<B>>)> {
        Err(saved.damaged("a classifier's run keeps none"))
    }

    fn write(&self, _: &Path) -> Result<()> {
        Err(Error::usage("output.save_model: a classifier's weights are not written; leave it out"))
    }
}

impl<B: AutodiffBackend> Classifying<B> {
    /// One optimiser step over one or more slices.
    #[allow(clippy::cast_precision_loss, reason = "a batch has few pictures, and a run fewer than 2^52")]
    fn optimise(
        &mut self,
        stage: &Stage,
        number: StepNumber,
        slices: &[Vec<usize>],
        optimizer: &mut Optimizer<B>,
    ) -> Result<BTreeMap<MetricKey, f64>> {
        let examples: usize = slices.iter().map(Vec::len).sum();
        let mut accumulator = GradientsAccumulator::new();
        let mut batch = Vec::with_capacity(slices.len());
        let mut loss = 0.0;
        for slice in slices {
            let (part, gradients, each) = self.backward(slice, examples);
            loss += part;
            accumulator.accumulate(&self.model, gradients);
            batch.push((each, self.pictures.labels_of(slice)));
        }
        self.seen += examples as u64;
        must_be_finite(loss, stage, number.of_run)?;
        let mut gradients = Halves::whole(accumulator.grads());
        let Clipped { norm, factor, .. } = clip(&self.model, &mut gradients, stage.max_grad_norm);
        let learning_rate = learning_rate(stage, number.of_stage);
        if self.observer.examines(number.of_run) {
            let contributions = self.observer.contributions(&self.model, &batch);
            self.observer.accumulate(&contributions, learning_rate * factor);
        }
        self.model = optimizer.step(learning_rate, self.model.clone(), gradients, None);
        Ok(BTreeMap::from([
            (MetricKey::LOSS, loss),
            (MetricKey::GRAD_NORM, norm),
            (MetricKey::LEARNING_RATE, learning_rate),
            (MetricKey::NUM_PICTURES, self.seen as f64),
        ]))
    }

    /// One slice's part in the mean loss over `examples` pictures, its gradients, and those of each picture.
    #[allow(clippy::cast_precision_loss, reason = "a batch has few pictures")]
    fn backward(&self, slice: &[usize], examples: usize) -> (f64, GradientsParams, Gradients<B::InnerBackend>) {
        let device = self.model.device();
        let mut recorder = Recorder::new(1);
        let logits = self.model.forward_tapped(pictures(self.pictures.ink(slice), &device), &mut recorder);
        let labels = self.pictures.labels_of(slice).into_iter().map(|label| label as i64).collect();
        let loss = -per_token_logps(logits, int_tensor(labels, &device)).sum() / examples as f64;
        let part = loss.clone().inner().into_data().iter::<f64>().sum();
        let gradients = loss.backward();
        let each = recorder.finish(&gradients);
        (part, GradientsParams::from_grads(gradients, &self.model), each)
    }
}

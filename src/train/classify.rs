//! The loop for a classifier of pictures: stages of optimiser steps on the cross entropy, each step examined for what it
//! does to the beliefs about the observed pictures. Readable top to bottom.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::tensor::backend::AutodiffBackend;
use crossbeam_channel::Receiver;

use super::control::{Control, Next};
use super::gradients::clip;
use super::metrics::{Aside, Speed};
use super::optimizer::Optimizer;
use super::order::{Batches, Order};
use super::prepare;
use super::schedule::learning_rate;
use super::sink::EventSink;
use crate::backend::int_tensor;
use crate::data::pictures::CLASSES;
use crate::data::{self, Pictures};
use crate::error::{Error, Result};
use crate::experiment::{Experiment, ModelSource, Stage};
use crate::model::classifier::pictures;
use crate::model::{Classifier, ClassifierShape};
use crate::objective::logps::per_token_logps;
use crate::probe::ClassObserver;
use crate::probe::entk::{Gradients, Recorder};
use crate::protocol::{FORMAT_VERSION, MetricKey, RunPhase, RunStarted, StepMetrics, TrainerCommand, TrainerEvent};

/// A step of LeNet's is examined once in so many: its Jacobian costs several steps. A perceptron's costs less than the
/// step itself, so there every step is.
const CONVOLUTIONS_EXAMINED_EVERY: u64 = 8;

/// Trains an experiment on pictures from beginning to end.
///
/// # Errors
/// On bad data, when the loss is no longer finite, or when an event cannot be recorded.
pub(super) fn train<B: AutodiffBackend>(
    experiment: &Experiment,
    device: &B::Device,
    backend: &str,
    events: &mut dyn EventSink,
    commands: &Receiver<TrainerCommand>,
) -> Result<()> {
    let mut control = Control::new(commands, events);
    control.say(RunPhase::Starting("getting the pictures".to_owned()), 0)?;
    let set = data::load_pictures(experiment)?;
    control.say(RunPhase::Starting("making the model".to_owned()), 0)?;
    let shape = shape(&experiment.model)?;
    let model = Classifier::<B>::random(&shape, experiment.seed, device);
    let every = if shape.convolutions.is_empty() { 1 } else { CONVOLUTIONS_EXAMINED_EVERY };
    let observer = ClassObserver::new(set.held_out, experiment.probes.prompts / CLASSES.len(), every)?;
    control.emit(&TrainerEvent::RunStarted(Box::new(run_started(experiment, &shape, backend))))?;
    let mut trainer = Trainer {
        model,
        pictures: set.train,
        observer,
        control,
        step: 0,
        seen: 0,
        measured: None,
        measuring: Duration::ZERO,
    };
    let last = trainer.run(experiment)?;
    let step = trainer.step;
    trainer.control.say(last, step)
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

struct Trainer<'a, B: AutodiffBackend> {
    model: Classifier<B>,
    pictures: Pictures,
    observer: ClassObserver,
    control: Control<'a>,
    /// Optimiser steps taken.
    step: u64,
    /// Pictures seen by the optimiser.
    seen: u64,
    /// The step last measured.
    measured: Option<u64>,
    /// Time that measuring took.
    measuring: Duration,
}

impl<B: AutodiffBackend> Trainer<'_, B> {
    /// Takes every step; returns how it ended.
    fn run(&mut self, experiment: &Experiment) -> Result<RunPhase> {
        let mut speed = Speed::new(experiment, 0, 0);
        for (index, stage) in experiment.stages.iter().enumerate() {
            self.control.emit(&TrainerEvent::StageStarted { stage: index, step: self.step })?;
            self.evaluate(index)?;
            let order = Order::new(experiment.seed, index, self.pictures.len());
            let mut batches = Batches::new(order, stage.batch_size, stage.gradient_accumulation_steps);
            let mut optimizer = Optimizer::new(&stage.optimizer);
            self.control.say(RunPhase::Running, self.step)?;
            for stage_step in 1..=stage.steps {
                loop {
                    match self.control.next(self.step)? {
                        Next::Step => break,
                        Next::Evaluate => self.evaluate(index)?,
                        Next::Stop => return Ok(RunPhase::Stopped),
                    }
                }
                let metrics = self.optimise(stage, stage_step, &batches.take(), &mut optimizer)?;
                self.control.emit(&TrainerEvent::Step(StepMetrics { step: self.step, stage: index, metrics }))?;
                if stage_step % stage.evaluate_every == 0 || stage_step == stage.steps {
                    self.evaluate(index)?;
                }
                if let Some(event) = speed.tick(self.step, self.seen, self.aside()) {
                    self.control.emit(&event)?;
                }
            }
        }
        Ok(RunPhase::Finished)
    }

    /// Measures the classes, unless that was done at these weights already.
    fn evaluate(&mut self, stage: usize) -> Result<()> {
        if self.measured == Some(self.step) {
            return Ok(());
        }
        self.control.say(RunPhase::Evaluating, self.step)?;
        let began = Instant::now();
        let reading = self.observer.measure(&self.model, self.step, stage)?;
        self.measuring += began.elapsed();
        self.measured = Some(self.step);
        self.control.emit(&TrainerEvent::Classes(Box::new(reading)))?;
        if !self.control.is_paused() && self.step > 0 {
            self.control.say(RunPhase::Running, self.step)?;
        }
        Ok(())
    }

    /// The time that went into no optimiser step.
    fn aside(&self) -> Aside {
        Aside { waiting: self.control.waited(), measuring: self.measuring }
    }

    /// One optimiser step over one or more slices.
    #[allow(clippy::cast_precision_loss, reason = "a batch has few pictures, and a run fewer than 2^52")]
    fn optimise(
        &mut self,
        stage: &Stage,
        stage_step: u64,
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
        self.step += 1;
        self.seen += examples as u64;
        if !loss.is_finite() {
            return Err(Error::failed(format!(
                "the loss is {loss} at step {}: lower the stage's learning_rate (it is {:e}), or clip harder with max_grad_norm",
                self.step, stage.learning_rate
            )));
        }
        let mut gradients = accumulator.grads();
        let grad_norm = clip(&self.model, &mut gradients, stage.max_grad_norm);
        let learning_rate = learning_rate(stage, stage_step);
        if self.observer.examines(self.step) {
            let clipped = if stage.max_grad_norm > 0.0 { (stage.max_grad_norm / grad_norm).min(1.0) } else { 1.0 };
            let contributions = self.observer.contributions(&self.model, &batch);
            self.observer.accumulate(&contributions, learning_rate * clipped);
        }
        self.model = optimizer.step(learning_rate, self.model.clone(), gradients);
        Ok(BTreeMap::from([
            (MetricKey::LOSS, loss),
            (MetricKey::GRAD_NORM, grad_norm),
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

//! The loop: stages of optimiser steps, with the probes measured on the way. Readable top to bottom.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use burn::module::AutodiffModule;
use burn::tensor::backend::AutodiffBackend;
use crossbeam_channel::Receiver;

use super::cadence::Cadence;
use super::control::{Control, Next};
use super::fingerprint::fingerprint;
use super::fits;
use super::gradients::clip;
use super::metrics::{Aside, Means, Speed, add_sampled};
use super::on_policy::Sampled;
use super::optimizer::Optimizer;
use super::pass::{Accumulator, Pass};
use super::preflight;
use super::prepare::{self, Material, Pair, rejected};
use super::schedule::learning_rate;
use super::sink::EventSink;
use super::stage::StageData;
use crate::data::Sequence;
use crate::data::{self, tokenizer::Tokenizer};
use crate::error::{Error, Result};
use crate::experiment::{Experiment, Stage};
use crate::model::batch::Batch;
use crate::model::{Transformer, model_files};
use crate::objective::{self, PairLogps, PairLoss};
use crate::probe::{Observer, ProbeSet};
use crate::protocol::{MetricKey, RunPhase, StepMetrics, TrainerCommand, TrainerEvent};
use crate::text::Shown;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Finished,
    Stopped,
}

/// Trains an experiment from beginning to end, or from where a saved state stands. `model_folder` is where the final
/// weights go, if they are to be kept.
///
/// # Errors
/// On bad data or a broken checkpoint, when the loss is no longer finite, when an invariant of a measurement breaks, or
/// when an event cannot be recorded.
pub(crate) fn train<B: AutodiffBackend>(
    experiment: &Experiment,
    device: &B::Device,
    backend: &str,
    model_folder: Option<&Path>,
    events: &mut dyn EventSink,
    commands: &Receiver<TrainerCommand>,
) -> Result<()> {
    if experiment.has_pictures() {
        return super::classify::train::<B>(experiment, device, backend, events, commands);
    }
    let saved = events.saved();
    let mut control = Control::new(commands, events);
    let starting = |what: &str| RunPhase::Starting(what.to_owned());
    control.say(starting("drawing the data"), 0)?;
    let data = data::load(experiment, model_files)?;
    control.say(starting("reading the model's configuration"), 0)?;
    let checkpoint = prepare::checkpoint(experiment, &data)?;
    let tokenizer = checkpoint.tokenizer.clone();
    control.say(starting("tokenising"), 0)?;
    let positions = checkpoint.config.max_position_embeddings;
    let Material { pairs, visited, lengths } = prepare::material(experiment, data, &tokenizer, positions)?;
    if let Some(report) = &visited.report {
        tracing::info!("{}", Shown::new(&report.to_string()));
    }
    let mut probes = ProbeSet::new(&visited.observed, &tokenizer, &lengths)?;
    let host = crate::backend::is_host::<B::InnerBackend>(device);
    if let Some(need) = fits::need(experiment, &checkpoint.config, &pairs, &probes, host) {
        tracing::info!("{need}");
        need.check(crate::backend::available_memory::<B::InnerBackend>(device))?;
    }
    if experiment.check_device && !host {
        control.say(starting("holding the device against the CPU"), 0)?;
        let batch = prepare::first_batch(experiment, &pairs);
        let found = preflight::check::<B>(&checkpoint, &batch, experiment.precision, device, backend)?;
        tracing::info!("{found}");
    }
    control.say(starting("loading the model"), 0)?;
    let model: Transformer<B> = prepare::model(experiment, &checkpoint, device)?;
    if visited.asks {
        control.say(starting("asking the model for its own answers"), 0)?;
        probes.add_initial(&model.valid(), &tokenizer, experiment.probes.max_new_tokens);
    }
    probes.retain(&experiment.probes.kinds);
    let started = prepare::run_started(experiment, &checkpoint, backend, &probes);
    let fingerprint = fingerprint(&started, &pairs, &model)?;
    let asked = prepare::asked(experiment, &visited, &tokenizer)?;
    drop(visited);
    let observer = Observer::new(probes, tokenizer.clone(), asked);
    let mut trainer = Trainer {
        model,
        tokenizer,
        pairs,
        observer,
        control,
        fingerprint,
        step: 0,
        tokens: 0,
        measured: None,
        measuring: Duration::ZERO,
    };
    let under_way = match saved {
        None => {
            trainer.control.emit(&TrainerEvent::RunStarted(Box::new(started)))?;
            None
        }
        Some(mut saved) => {
            let step = saved.position().step;
            trainer.control.say(starting(&format!("going back to the checkpoint of step {step}")), step)?;
            let under_way = trainer.restore(experiment, &mut saved)?;
            trainer.control.resumed()?;
            Some(under_way)
        }
    };
    let ending = trainer.run(experiment, under_way)?;
    if let (Ending::Finished, Some(folder)) = (ending, model_folder) {
        checkpoint.with_weights(&trainer.model).write(folder)?;
    }
    let last = match ending {
        Ending::Finished => RunPhase::Finished,
        Ending::Stopped => RunPhase::Stopped,
    };
    let step = trainer.step;
    trainer.control.say(last, step)
}

pub(super) struct Trainer<'a, B: AutodiffBackend> {
    pub(super) model: Transformer<B>,
    tokenizer: Tokenizer,
    pub(super) pairs: Arc<Vec<Pair>>,
    pub(super) observer: Observer,
    control: Control<'a>,
    /// Of what the run was begun on.
    pub(super) fingerprint: u32,
    /// Optimiser steps taken.
    pub(super) step: u64,
    /// Tokens seen by the optimiser.
    pub(super) tokens: u64,
    /// The step last measured.
    pub(super) measured: Option<u64>,
    /// Time that measuring took.
    measuring: Duration,
}

/// A stage under way.
pub(super) struct StageRun<B: AutodiffBackend> {
    /// Index into the experiment's stages.
    pub(super) index: usize,
    /// Optimiser steps taken in it.
    pub(super) taken: u64,
    pub(super) data: StageData<B::InnerBackend>,
    pub(super) optimizer: Optimizer<B>,
}

impl<B: AutodiffBackend> Trainer<'_, B> {
    /// Runs every stage, or those from the one that is under way on.
    fn run(&mut self, experiment: &Experiment, mut under_way: Option<StageRun<B>>) -> Result<Ending> {
        let mut speed = Speed::new(experiment, self.step, self.tokens);
        let mut cadence = Cadence::new(experiment.output.checkpoint_every);
        let first = under_way.as_ref().map_or(0, |run| run.index);
        for (index, stage) in experiment.stages.iter().enumerate().skip(first) {
            let mut run = match under_way.take() {
                Some(run) => run,
                None => self.begin(experiment, index)?,
            };
            while run.taken < stage.steps {
                loop {
                    match self.control.next(self.step)? {
                        Next::Step => break,
                        Next::Evaluate => self.evaluate(index)?,
                        Next::Stop => return Ok(Ending::Stopped),
                    }
                }
                run.taken += 1;
                let sampled = self.sample(&mut run.data, run.taken)?;
                let mut metrics = self.optimise(stage, &mut run)?;
                if let Some(sampled) = sampled {
                    add_sampled(&mut metrics, sampled);
                }
                self.control.emit(&TrainerEvent::Step(StepMetrics { step: self.step, stage: index, metrics }))?;
                if run.taken % stage.evaluate_every == 0 || run.taken == stage.steps {
                    self.evaluate(index)?;
                    // After the last step there is nothing to go on with.
                    let last = index + 1 == experiment.stages.len() && run.taken == stage.steps;
                    if !last && cadence.is_due() {
                        let began = Instant::now();
                        self.control.keep(&self.state(&run))?;
                        cadence.written(began);
                    }
                }
                if let Some(event) = speed.tick(self.step, self.tokens, self.aside()) {
                    self.control.emit(&event)?;
                }
            }
        }
        Ok(Ending::Finished)
    }

    /// Begins a stage.
    fn begin(&mut self, experiment: &Experiment, index: usize) -> Result<StageRun<B>> {
        let stage = &experiment.stages[index];
        self.control.emit(&TrainerEvent::StageStarted { stage: index, step: self.step })?;
        self.evaluate(index)?;
        self.observer.begin_stage();
        if stage.objective.has_reference() {
            self.control.say(RunPhase::Starting("scoring the pairs under the reference".to_owned()), self.step)?;
        }
        let data = StageData::new(experiment, index, &self.model.valid(), &self.tokenizer, &self.pairs)?;
        self.control.say(RunPhase::Running, self.step)?;
        Ok(StageRun { index, taken: 0, data, optimizer: Optimizer::new(&stage.optimizer) })
    }

    /// Measures the probes, unless that was done at these weights already.
    fn evaluate(&mut self, stage: usize) -> Result<()> {
        if self.measured == Some(self.step) {
            return Ok(());
        }
        self.control.say(RunPhase::Evaluating, self.step)?;
        let began = Instant::now();
        let evaluation = self.observer.measure(&self.model.valid(), self.step, stage)?;
        self.measuring += began.elapsed();
        self.measured = Some(self.step);
        self.control.emit(&TrainerEvent::Evaluation(Box::new(evaluation)))?;
        if !self.control.is_paused() && self.step > 0 {
            self.control.emit(&TrainerEvent::Phase { phase: RunPhase::Running, step: self.step })?;
        }
        Ok(())
    }

    /// The time that went into no optimiser step.
    fn aside(&self) -> Aside {
        Aside { waiting: self.control.waited(), measuring: self.measuring }
    }

    /// Samples answers from the policy as it is now, where the stage asks for them.
    fn sample(&mut self, data: &mut StageData<B::InnerBackend>, stage_step: u64) -> Result<Option<Sampled>> {
        let everything = data.samples_everything(stage_step);
        if everything {
            self.control.say(RunPhase::Starting("asking the policy for answers".to_owned()), self.step)?;
        }
        let sampled = data.sample(stage_step, &self.model.valid(), &self.tokenizer)?;
        if everything {
            self.control.say(RunPhase::Running, self.step)?;
        }
        Ok(sampled)
    }

    /// One optimiser step over one or more slices.
    #[allow(clippy::cast_precision_loss, reason = "a batch has few tokens")]
    fn optimise(&mut self, stage: &Stage, run: &mut StageRun<B>) -> Result<BTreeMap<MetricKey, f64>> {
        let slices = run.data.take();
        let data = &run.data;
        let examples: usize = slices.iter().map(Vec::len).sum();
        let drawn = || slices.iter().flatten().map(|&i| &data.pairs[i]);
        let chosen_tokens = drawn().map(|pair| pair.chosen.completion_ids.len()).sum();
        let rejected_tokens = drawn().filter_map(|pair| pair.rejected.as_ref()).map(|s| s.completion_ids.len()).sum();
        let normaliser = objective::normaliser(&stage.objective, examples, chosen_tokens, rejected_tokens);
        let mut accumulator = Accumulator::new();
        let mut means = Means::default();
        for slice in &slices {
            for (pair, outcome) in self.backward(stage, slice, data, normaliser, &mut accumulator)? {
                means.add(&pair, &outcome, normaliser, examples as f64);
            }
        }
        self.step += 1;
        let loss = means.loss;
        if !loss.is_finite() {
            return Err(Error::failed(format!(
                "the loss is {loss} at step {}: lower the stage's learning_rate (it is {:e}), or clip harder with max_grad_norm",
                self.step, stage.learning_rate
            )));
        }
        let mut gradients = accumulator.grads();
        let grad_norm = clip(&self.model, &mut gradients, stage.max_grad_norm);
        let learning_rate = learning_rate(stage, run.taken);
        // Nobody else holds the weights while they are overwritten.
        let hollow = Transformer::hollow(&self.model.device());
        let model = std::mem::replace(&mut self.model, hollow);
        self.model = run.optimizer.step(learning_rate, model, gradients);
        Ok(means.metrics(stage, grad_norm, learning_rate, self.tokens as f64))
    }

    /// Adds up the gradients of one slice's part in the loss; returns what each pair gave.
    fn backward(
        &mut self,
        stage: &Stage,
        slice: &[usize],
        data: &StageData<B::InnerBackend>,
        normaliser: f64,
        sum: &mut Accumulator<B>,
    ) -> Result<Vec<(PairLogps, PairLoss)>> {
        let mut sequences: Vec<&Sequence> = slice.iter().map(|&i| &data.pairs[i].chosen).collect();
        if stage.objective.reads_rejected() {
            for &i in slice {
                sequences.push(rejected(&data.pairs[i])?);
            }
        }
        self.tokens += sequences.iter().map(|s| s.tokens()).sum::<usize>() as u64;
        let batch = Batch::whole(&sequences, self.tokenizer.pad(), &self.model.device());
        let pass = Pass::forward(&self.model, batch, stage.gradient_checkpointing);

        let mut sums = vec![0.0; sequences.len()];
        for (&row, logp) in pass.batch.owner.iter().zip(pass.logps()) {
            sums[row] += f64::from(logp);
        }
        let mut weights = vec![0.0; sequences.len()];
        let mut outcomes = Vec::with_capacity(slice.len());
        for (row, &i) in slice.iter().enumerate() {
            let other = slice.len() + row;
            let (ref_chosen_logps, ref_rejected_logps) = data.reference.of(i);
            let pair = PairLogps {
                policy_chosen_logps: sums[row],
                policy_rejected_logps: sums.get(other).copied().unwrap_or_default(),
                ref_chosen_logps,
                ref_rejected_logps,
                chosen_tokens: sequences[row].completion_ids.len(),
                rejected_tokens: sequences.get(other).map_or(0, |s| s.completion_ids.len()),
            };
            let outcome = objective::evaluate(&stage.objective, &pair);
            weights[row] = -outcome.chosen_weight / normaliser;
            if let Some(weight) = weights.get_mut(other) {
                *weight = outcome.rejected_weight / normaliser;
            }
            outcomes.push((pair, outcome));
        }
        #[allow(clippy::cast_possible_truncation, reason = "gradients are in single precision")]
        let per_token: Vec<f32> = pass.batch.owner.iter().map(|&row| weights[row] as f32).collect();
        pass.backward(&self.model, &per_token, sum);
        Ok(outcomes)
    }
}

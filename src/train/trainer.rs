//! The loop: stages of optimiser steps, with the probes measured on the way. Readable top to bottom.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use burn::module::AutodiffModule;
use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::tensor::backend::AutodiffBackend;
use burn::tensor::{Tensor, TensorData};
use crossbeam_channel::Receiver;

use super::control::{Control, Next};
use super::gradients::clip;
use super::handle::EventSink;
use super::optimizer::{Optimizer, learning_rate};
use super::order::Order;
use super::prepare::{self, Pair};
use crate::data::batch::{Batch, Sequence};
use crate::data::{self, tokenizer::Tokenizer};
use crate::error::{Error, Result};
use crate::experiment::{Experiment, Stage};
use crate::model::Transformer;
use crate::model::transformer::{floats, int_tensor};
use crate::objective::logps::per_token_logps;
use crate::objective::{self, PairLogps, PairLoss};
use crate::probe::{Observer, score};
use crate::protocol::{MetricKey, RunPhase, StepMetrics, TrainerCommand, TrainerEvent};

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Finished,
    Stopped,
}

/// Trains an experiment from beginning to end. `model_folder` is where the final weights go, if they are to be kept.
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
    let mut control = Control::new(commands, events);
    let starting = |what: &str| RunPhase::Starting(what.to_owned());
    control.say(starting("drawing the data"), 0)?;
    let data = data::load(experiment)?;
    control.say(starting("loading the model"), 0)?;
    let checkpoint = prepare::checkpoint(experiment, &data)?;
    let tokenizer = checkpoint.tokenizer.clone();
    let model: Transformer<B> = checkpoint.load(device)?;
    control.say(starting("tokenising"), 0)?;
    let pairs = prepare::pairs(&data, &tokenizer, checkpoint.config.max_position_embeddings)?;
    let mut probes = prepare::probe_set(experiment, &data, &tokenizer)?;
    if data.has_prompts() {
        control.say(starting("asking the model for its own answers"), 0)?;
        probes.add_initial(&model.valid(), &tokenizer, experiment.probes.max_new_tokens);
    }
    let started = prepare::run_started(experiment, &checkpoint, backend, &probes);
    control.emit(&TrainerEvent::RunStarted(Box::new(started)))?;
    let greedy = if data.has_prompts() { experiment.probes.greedy } else { 0 };
    let observer =
        Observer::new(probes, tokenizer.clone(), greedy, experiment.probes.max_new_tokens, experiment.detector.window);
    let mut trainer = Trainer { model, tokenizer, pairs, observer, control, step: 0, tokens: 0, measured: None };
    let ending = trainer.run(experiment)?;
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

struct Trainer<'a, B: AutodiffBackend> {
    model: Transformer<B>,
    tokenizer: Tokenizer,
    pairs: Vec<Pair>,
    observer: Observer,
    control: Control<'a>,
    /// Optimiser steps taken.
    step: u64,
    /// Tokens seen by the optimiser.
    tokens: u64,
    /// The step last measured.
    measured: Option<u64>,
}

impl<B: AutodiffBackend> Trainer<'_, B> {
    fn run(&mut self, experiment: &Experiment) -> Result<Ending> {
        let mut speed = Speed::new(experiment);
        for (index, stage) in experiment.stages.iter().enumerate() {
            self.control.emit(&TrainerEvent::StageStarted { stage: index, step: self.step })?;
            self.evaluate(index)?;
            self.observer.begin_stage();
            let reference = self.reference(stage)?;
            let mut order = Order::new(experiment.seed, index, self.pairs.len());
            let mut optimizer = Optimizer::new(&stage.optimizer);
            self.control.say(RunPhase::Running, self.step)?;
            for stage_step in 1..=stage.steps {
                loop {
                    match self.control.next(self.step)? {
                        Next::Step => break,
                        Next::Evaluate => self.evaluate(index)?,
                        Next::Stop => return Ok(Ending::Stopped),
                    }
                }
                let slices: Vec<Vec<usize>> =
                    (0..stage.gradient_accumulation_steps).map(|_| order.take(stage.batch_size)).collect();
                let metrics = self.optimise(stage, stage_step, &slices, &reference, &mut optimizer)?;
                self.control.emit(&TrainerEvent::Step(StepMetrics { step: self.step, stage: index, metrics }))?;
                let evaluating = stage_step % stage.evaluate_every == 0 || stage_step == stage.steps;
                if evaluating {
                    self.evaluate(index)?;
                }
                if let Some(event) = speed.tick(self.step, self.tokens) {
                    self.control.emit(&event)?;
                }
            }
        }
        Ok(Ending::Finished)
    }

    /// Measures the probes, unless that was done at these weights already.
    fn evaluate(&mut self, stage: usize) -> Result<()> {
        if self.measured == Some(self.step) {
            return Ok(());
        }
        self.control.say(RunPhase::Evaluating, self.step)?;
        let evaluation = self.observer.measure(&self.model.valid(), self.step, stage)?;
        self.measured = Some(self.step);
        self.control.emit(&TrainerEvent::Evaluation(Box::new(evaluation)))?;
        if !self.control.is_paused() && self.step > 0 {
            self.control.emit(&TrainerEvent::Phase { phase: RunPhase::Running, step: self.step })?;
        }
        Ok(())
    }

    /// Sums of log-probs of every pair under the stage's frozen reference, the model as it is now; empty where the
    /// objective has none.
    fn reference(&mut self, stage: &Stage) -> Result<Vec<(f64, f64)>> {
        if !stage.objective.has_reference() {
            return Ok(Vec::new());
        }
        self.control.say(RunPhase::Starting("scoring every pair under the reference".to_owned()), self.step)?;
        let mut sequences = Vec::new();
        for pair in &self.pairs {
            sequences.extend([&pair.chosen, rejected(pair)?]);
        }
        let scored = score::completions(&self.model.valid(), &sequences, self.tokenizer.pad());
        Ok(scored.chunks_exact(2).map(|pair| (pair[0].sum(), pair[1].sum())).collect())
    }

    /// One optimiser step over one or more slices.
    #[allow(clippy::cast_precision_loss, reason = "a batch has few tokens")]
    fn optimise(
        &mut self,
        stage: &Stage,
        stage_step: u64,
        slices: &[Vec<usize>],
        reference: &[(f64, f64)],
        optimizer: &mut Optimizer<B, Transformer<B>>,
    ) -> Result<BTreeMap<MetricKey, f64>> {
        let examples: usize = slices.iter().map(Vec::len).sum();
        let chosen_tokens = slices.iter().flatten().map(|&i| self.pairs[i].chosen.completion_ids.len()).sum();
        let normaliser = objective::normaliser(&stage.objective, examples, chosen_tokens);
        let mut accumulator = GradientsAccumulator::new();
        let mut means = Means::default();
        for slice in slices {
            let (gradients, outcomes) = self.backward(stage, slice, reference, normaliser)?;
            accumulator.accumulate(&self.model, gradients);
            for (pair, outcome) in outcomes {
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
        let learning_rate = learning_rate(stage, stage_step);
        self.model = optimizer.step(learning_rate, self.model.clone(), gradients);
        Ok(means.metrics(stage, grad_norm, learning_rate, self.tokens as f64))
    }

    /// Gradients of one slice's part in the loss, and what each pair gave.
    fn backward(
        &mut self,
        stage: &Stage,
        slice: &[usize],
        reference: &[(f64, f64)],
        normaliser: f64,
    ) -> Result<(GradientsParams, Vec<(PairLogps, PairLoss)>)> {
        let device = self.model.device();
        let mut sequences: Vec<&Sequence> = slice.iter().map(|&i| &self.pairs[i].chosen).collect();
        if stage.objective.has_rejected() {
            for &i in slice {
                sequences.push(rejected(&self.pairs[i])?);
            }
        }
        self.tokens += sequences.iter().map(|s| s.tokens()).sum::<usize>() as u64;
        let batch: Batch<B> = Batch::whole(&sequences, self.tokenizer.pad(), &device);
        let hidden = self.model.forward(batch.tokens.clone()).select(0, batch.predicting_tensor(&device));
        let labels = int_tensor(batch.labels.iter().map(|&id| i64::from(id)).collect(), &device);
        let logps = per_token_logps(self.model.logits(hidden), labels);

        let mut sums = vec![0.0; sequences.len()];
        for (&row, logp) in batch.owner.iter().zip(floats(logps.clone())) {
            sums[row] += f64::from(logp);
        }
        let mut weights = vec![0.0; sequences.len()];
        let mut outcomes = Vec::with_capacity(slice.len());
        for (row, &i) in slice.iter().enumerate() {
            let other = slice.len() + row;
            let (ref_chosen_logps, ref_rejected_logps) = reference.get(i).copied().unwrap_or_default();
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
        // d(loss)/d(log-prob) is known from here on, so the loss itself need not be in the graph.
        #[allow(clippy::cast_possible_truncation, reason = "gradients are in single precision")]
        let per_token: Vec<f32> = batch.owner.iter().map(|&row| weights[row] as f32).collect();
        let count = per_token.len();
        let per_token = Tensor::<B, 1>::from_data(TensorData::new(per_token, [count]), &device);
        let gradients = (logps * per_token).sum().backward();
        Ok((GradientsParams::from_grads(gradients, &self.model), outcomes))
    }
}

fn rejected(pair: &Pair) -> Result<&Sequence> {
    pair.rejected.as_ref().ok_or_else(|| {
        Error::usage(
            "a stage compares with rejected answers, and the data has rows without one: add `rejected` to every row",
        )
    })
}

/// Means over the pairs of one optimiser step.
#[derive(Default)]
struct Means {
    pairs: f64,
    loss: f64,
    chosen: f64,
    rejected: f64,
    chosen_weight: f64,
    rejected_weight: f64,
    chosen_reward: f64,
    rejected_reward: f64,
    accurate: f64,
}

impl Means {
    fn add(&mut self, pair: &PairLogps, outcome: &PairLoss, normaliser: f64, examples: f64) {
        self.pairs += 1.0;
        self.loss += outcome.loss / normaliser;
        self.chosen += pair.policy_chosen_logps;
        self.rejected += pair.policy_rejected_logps;
        // The weight on the mean loss of the batch, times the batch size: comparable between batch sizes.
        self.chosen_weight += outcome.chosen_weight * examples / normaliser;
        self.rejected_weight += outcome.rejected_weight * examples / normaliser;
        if let Some((chosen, rejected)) = outcome.rewards {
            self.chosen_reward += chosen;
            self.rejected_reward += rejected;
            self.accurate += f64::from(chosen > rejected);
        }
    }

    fn metrics(&self, stage: &Stage, grad_norm: f64, learning_rate: f64, tokens: f64) -> BTreeMap<MetricKey, f64> {
        let mean = |sum: f64| sum / self.pairs;
        let mut metrics = BTreeMap::from([
            (MetricKey::LOSS, self.loss),
            (MetricKey::GRAD_NORM, grad_norm),
            (MetricKey::LEARNING_RATE, learning_rate),
            (MetricKey::NUM_TOKENS, tokens),
            (MetricKey::LOGPS_CHOSEN, mean(self.chosen)),
            (MetricKey::WEIGHT_CHOSEN, mean(self.chosen_weight)),
        ]);
        if stage.objective.has_rejected() {
            metrics.insert(MetricKey::LOGPS_REJECTED, mean(self.rejected));
            metrics.insert(MetricKey::WEIGHT_REJECTED, mean(self.rejected_weight));
        }
        if stage.objective.has_reference() {
            metrics.insert(MetricKey::REWARDS_CHOSEN, mean(self.chosen_reward));
            metrics.insert(MetricKey::REWARDS_REJECTED, mean(self.rejected_reward));
            metrics.insert(MetricKey::REWARDS_MARGINS, mean(self.chosen_reward - self.rejected_reward));
            metrics.insert(MetricKey::REWARDS_ACCURACIES, mean(self.accurate));
        }
        metrics
    }
}

/// Tokens per second and time left, told about twice a second.
struct Speed {
    began: Instant,
    told: Instant,
    tokens_told: u64,
    total_steps: u64,
}

impl Speed {
    fn new(experiment: &Experiment) -> Self {
        let now = Instant::now();
        Self { began: now, told: now, tokens_told: 0, total_steps: experiment.stages.iter().map(|s| s.steps).sum() }
    }

    #[allow(clippy::cast_precision_loss, reason = "an estimate for a person")]
    fn tick(&mut self, step: u64, tokens: u64) -> Option<TrainerEvent> {
        let since = self.told.elapsed().as_secs_f64();
        if since < 0.5 {
            return None;
        }
        let tokens_per_second = (tokens - self.tokens_told) as f64 / since;
        let per_step = self.began.elapsed().as_secs_f64() / step.max(1) as f64;
        self.told = Instant::now();
        self.tokens_told = tokens;
        let seconds_left = per_step * self.total_steps.saturating_sub(step) as f64;
        Some(TrainerEvent::Speed { tokens_per_second, seconds_left })
    }
}

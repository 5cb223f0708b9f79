//! A language model as what learns: pairs of answers as batches, one optimiser step over them, the probes as what is
//! measured.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use burn::module::AutodiffModule;
use burn::tensor::backend::AutodiffBackend;

use super::backprop::{Accumulator, Pass};
use super::control::Control;
use super::device_check;
use super::fingerprint::fingerprint;
use super::forces::Forces;
use super::gradients::{Clipped, clip};
use super::halves::Halves;
use super::memory;
use super::metrics::{Means, add_sampled};
use super::on_policy::Sampled;
use super::optimizer::Optimizer;
use super::prepare::{self, Material, Pair, rejected};
use super::run::{Learner, Prepared, Progress, StepNumber, UnderWay, must_be_finite};
use super::schedule::learning_rate;
use super::stage::StageData;
use super::state::{SavedState, TrainerState};
use crate::backend::{available_memory, is_host};
use crate::data::tokenizer::Tokenizer;
use crate::data::{self, Sequence};
use crate::error::Result;
use crate::experiment::{Experiment, Stage};
use crate::model::batch::Batch;
use crate::model::{Architecture, Checkpoint, Transformer, model_files};
use crate::objective::{self, PairLogps, PairLoss};
use crate::probe::{Headway, Observer, ProbeSet};
use crate::protocol::{MetricKey, RunPhase, TrainerEvent};
use crate::text::Shown;

/// A language model with everything that it is trained on and observed by.
pub(super) struct Language<B: AutodiffBackend> {
    /// What the model was loaded from; its weights are those of the beginning.
    checkpoint: Checkpoint,
    pub(super) model: Transformer<B>,
    pub(super) pairs: Arc<Vec<Pair>>,
    pub(super) observer: Observer,
    /// Present where the changes of observed answers are taken apart.
    pub(super) forces: Option<Forces<B::InnerBackend>>,
    /// A checksum of what the run began with: its first event, tokens and weights.
    pub(super) fingerprint: u32,
    /// Tokens seen by the optimiser.
    pub(super) tokens: u64,
}

/// What a stage of a language model works with.
pub(super) struct LanguageStage<B: AutodiffBackend> {
    pub(super) data: StageData<B::InnerBackend>,
    pub(super) optimizer: Optimizer<B>,
}

/// Loads data and model, and refuses what does not fit into memory before the weights are read.
///
/// # Errors
/// On bad data, a broken checkpoint, too little memory, or a device that computes something else than the CPU.
pub(super) fn prepare<B: AutodiffBackend>(
    experiment: &Experiment,
    device: &B::Device,
    backend: &str,
    control: &mut Control<'_>,
) -> Result<Prepared<Language<B>>> {
    let mut starting = |what: &str| control.say(RunPhase::Starting(what.to_owned()), 0);
    starting("drawing the data")?;
    let data = data::load(experiment, model_files)?;
    starting("reading the model's configuration")?;
    let checkpoint = prepare::checkpoint(experiment, &data)?;
    let tokenizer = &checkpoint.tokenizer;
    starting("tokenising")?;
    let positions = checkpoint.config.max_position_embeddings;
    let Material { pairs, visited, lengths } = prepare::material(experiment, data, tokenizer, positions)?;
    if let Some(report) = &visited.report {
        tracing::info!("{}", Shown::new(&report.to_string()));
    }
    let mut probes = ProbeSet::new(&visited.observed, tokenizer, &lengths)?;
    let host = is_host::<B::InnerBackend>(device);
    if let Some(need) = memory::need(experiment, &checkpoint.config, &pairs, &probes, host) {
        tracing::info!("{need}");
        need.check(available_memory::<B::InnerBackend>(device))?;
    }
    if experiment.check_device && !host {
        starting("holding the device against the CPU")?;
        let batch = prepare::first_batch(experiment, &pairs);
        let found = device_check::check::<B>(&checkpoint, &batch, experiment.precision, device, backend)?;
        tracing::info!("{found}");
    }
    starting("loading the model")?;
    let model: Transformer<B> = prepare::model(experiment, &checkpoint, device)?;
    if visited.asks {
        starting("asking the model for its own answers")?;
        probes.add_initial(&model.valid(), tokenizer, experiment.probes.max_new_tokens);
    }
    probes.retain(&experiment.probes.kinds);
    let started = prepare::run_started(experiment, &checkpoint, backend, &probes);
    let fingerprint = fingerprint(&started, &pairs, &model)?;
    let generation = prepare::generation(experiment, &visited, tokenizer)?;
    let forces = experiment.forces.map(|settings| Forces::new(settings, &probes, tokenizer.pad()));
    let observer = Observer::new(probes, tokenizer.clone(), generation).recording_tokens(experiment.probes.tokens);
    Ok(Prepared { learner: Language { checkpoint, model, pairs, observer, forces, fingerprint, tokens: 0 }, started })
}

impl<B: AutodiffBackend> Learner for Language<B> {
    type Stage = LanguageStage<B>;

    fn begin(
        &mut self,
        experiment: &Experiment,
        index: usize,
        step: u64,
        control: &mut Control<'_>,
    ) -> Result<LanguageStage<B>> {
        let stage = &experiment.stages[index];
        self.observer.begin_stage();
        if stage.objective.has_reference() {
            control.say(RunPhase::Starting("scoring the pairs under the reference".to_owned()), step)?;
        }
        let data = StageData::new(experiment, index, &self.model.valid(), &self.checkpoint.tokenizer, &self.pairs)?;
        if let Some(forces) = &mut self.forces {
            forces.begin(step, self.model.valid());
        }
        Ok(LanguageStage { data, optimizer: Optimizer::new(&stage.optimizer) })
    }

    fn step(
        &mut self,
        stage: &Stage,
        under_way: &mut LanguageStage<B>,
        number: StepNumber,
        control: &mut Control<'_>,
    ) -> Result<BTreeMap<MetricKey, f64>> {
        self.take_step(stage, under_way, number, control).map(|taken| taken.metrics)
    }

    fn measure(&mut self, step: u64, stage: usize, headway: &Headway<'_>) -> Result<Vec<TrainerEvent>> {
        let model = self.model.valid();
        let evaluation = self.observer.measure(&model, step, stage, headway)?;
        let forces = self.forces.as_mut().and_then(|forces| {
            headway.begin("measuring forces");
            forces.measure(model, &evaluation)
        });
        let forces = forces.map(|forces| TrainerEvent::Forces(Box::new(forces)));
        Ok([TrainerEvent::from(evaluation)].into_iter().chain(forces).collect())
    }

    fn seen(&self) -> u64 {
        self.tokens
    }

    fn state(&self, progress: &Progress, under_way: &UnderWay<LanguageStage<B>>) -> Option<TrainerState> {
        Some(self.state_at(progress, under_way))
    }

    fn snapshot(&self, progress: &Progress, under_way: &UnderWay<LanguageStage<B>>) -> Option<TrainerState> {
        Some(self.snapshot_at(progress, under_way))
    }

    fn restore(
        &mut self,
        experiment: &Experiment,
        saved: &mut SavedState,
    ) -> Result<(Progress, UnderWay<LanguageStage<B>>)> {
        self.go_back(experiment, saved)
    }

    fn write(&self, folder: &Path) -> Result<()> {
        self.checkpoint.with_weights(&self.model).write(folder)
    }
}

impl<B: AutodiffBackend> Language<B> {
    /// What turns texts into tokens.
    pub(super) fn tokenizer(&self) -> &Tokenizer {
        &self.checkpoint.tokenizer
    }

    /// The model's sizes.
    pub(super) fn architecture(&self) -> &Architecture {
        &self.checkpoint.config
    }

    /// Takes an optimiser step, on new answers where those are due.
    pub(super) fn take_step(
        &mut self,
        stage: &Stage,
        under_way: &mut LanguageStage<B>,
        number: StepNumber,
        control: &mut Control<'_>,
    ) -> Result<Taken> {
        let sampled = self.sample(&mut under_way.data, number, control)?;
        let mut taken = self.optimise(stage, under_way, number)?;
        if let Some(sampled) = sampled {
            add_sampled(&mut taken.metrics, sampled);
        }
        Ok(taken)
    }

    /// Samples answers from the policy as it is now, where the stage asks for them.
    fn sample(
        &mut self,
        data: &mut StageData<B::InnerBackend>,
        number: StepNumber,
        control: &mut Control<'_>,
    ) -> Result<Option<Sampled>> {
        let everything = data.samples_everything(number.of_stage);
        let taken = number.of_run - 1;
        if everything {
            control.say(RunPhase::Starting("asking the policy for answers".to_owned()), taken)?;
        }
        let sampled = data.sample(number.of_stage, &self.model.valid(), &self.checkpoint.tokenizer)?;
        if everything {
            control.say(RunPhase::Running, taken)?;
        }
        Ok(sampled)
    }

    /// One optimiser step over one or more slices.
    #[allow(clippy::cast_precision_loss, reason = "a batch has few tokens")]
    fn optimise(&mut self, stage: &Stage, under_way: &mut LanguageStage<B>, number: StepNumber) -> Result<Taken> {
        let LanguageStage { data, optimizer } = under_way;
        let slices = data.take();
        let examples: usize = slices.iter().map(Vec::len).sum();
        let drawn = || slices.iter().flatten().map(|&i| &data.pairs[i]);
        let chosen_tokens = drawn().map(|pair| pair.chosen.completion_ids.len()).sum();
        let rejected_tokens = drawn().filter_map(|pair| pair.rejected.as_ref()).map(|s| s.completion_ids.len()).sum();
        let normaliser = objective::normaliser(&stage.objective, examples, chosen_tokens, rejected_tokens);
        let mut accumulators = Halves::accumulators(stage.objective.reads_rejected());
        let mut means = Means::default();
        let mut lessons = Vec::with_capacity(examples);
        for slice in &slices {
            let outcomes = self.backward(stage, slice, data, normaliser, &mut accumulators)?;
            for (&pair, (logps, outcome)) in slice.iter().zip(outcomes) {
                means.add(&logps, &outcome, normaliser, examples as f64);
                lessons.push(Lesson { pair, weights: weights(stage, &outcome, normaliser) });
            }
        }
        must_be_finite(means.loss, stage, number.of_run)?;
        let mut gradients = accumulators.grads();
        let Clipped { norm, squares, factor } = clip(&self.model, &mut gradients, stage.max_grad_norm);
        lessons.iter_mut().for_each(|lesson| lesson.weights = lesson.weights.clone().map(|weight| weight * factor));
        let learning_rate = learning_rate(stage, number.of_stage);
        // Nobody else holds the weights while they are overwritten.
        let hollow = Transformer::hollow(&self.model.device());
        let model = std::mem::replace(&mut self.model, hollow);
        let trace = self.forces.as_mut().and_then(Forces::trace);
        self.model = optimizer.step(learning_rate, model, gradients, trace);
        Ok(Taken { metrics: means.metrics(stage, norm, &squares, learning_rate, self.tokens as f64), lessons })
    }

    /// Adds up the gradients of one slice's part in the loss, of either half by itself; returns what each pair gave.
    fn backward(
        &mut self,
        stage: &Stage,
        slice: &[usize],
        data: &StageData<B::InnerBackend>,
        normaliser: f64,
        sums: &mut Halves<Accumulator<B>>,
    ) -> Result<Vec<(PairLogps, PairLoss)>> {
        let chosen: Vec<&Sequence> = slice.iter().map(|&i| &data.pairs[i].chosen).collect();
        let rejected = || slice.iter().map(|&i| rejected(&data.pairs[i])).collect::<Result<Vec<_>>>();
        let sequences = Halves { pull: chosen, push: sums.push.as_ref().map(|_| rejected()).transpose()? };
        let read = [Some(&sequences.pull), sequences.push.as_ref()].into_iter().flatten().flatten();
        self.tokens += read.map(|sequence| sequence.tokens()).sum::<usize>() as u64;
        let pad = self.checkpoint.tokenizer.pad();
        // Where nothing but the processor's cores is shared. Graphs with a weight in common are one graph, on which one
        // thread works at a time: each half has its own.
        let beside = is_host::<B::InnerBackend>(&self.model.device());
        let twin = (beside && sequences.push.is_some()).then(|| Transformer::<B>::from_inner(self.model.valid()));
        let models = || Halves { pull: &self.model, push: Some(twin.as_ref().unwrap_or(&self.model)) };
        let forward = |(sequences, model): (Vec<&Sequence>, &Transformer<B>)| {
            Read::forward(model, &sequences, pad, stage.gradient_checkpointing)
        };
        let forwards = sequences.zip(models());
        let read = if beside { forwards.map_beside(forward) } else { forwards.map(forward) };
        let mut by_half =
            Halves { pull: Vec::with_capacity(slice.len()), push: read.push.as_ref().map(|_| Vec::new()) };
        let mut outcomes = Vec::with_capacity(slice.len());
        for (row, &i) in slice.iter().enumerate() {
            let (ref_chosen_logps, ref_rejected_logps) = data.reference.of(i);
            let of_rejected = read.push.as_ref().map(|read| (read.sums[row], read.tokens[row]));
            let (policy_rejected_logps, rejected_tokens) = of_rejected.unwrap_or_default();
            let pair = PairLogps {
                policy_chosen_logps: read.pull.sums[row],
                policy_rejected_logps,
                ref_chosen_logps,
                ref_rejected_logps,
                chosen_tokens: read.pull.tokens[row],
                rejected_tokens,
            };
            let outcome = objective::evaluate(&stage.objective, &pair);
            let Halves { pull, push } = weights(stage, &outcome, normaliser);
            by_half.pull.push(pull);
            if let (Some(by_half), Some(push)) = (&mut by_half.push, push) {
                by_half.push(push);
            }
            outcomes.push((pair, outcome));
        }
        let backward = |(((read, model), weights), sum): Returning<'_, B>| read.backward(model, &weights, sum);
        let backwards = read.zip(models()).zip(by_half).zip(sums.each_mut());
        if beside {
            backwards.map_beside(backward)
        } else {
            backwards.map(backward)
        };
        Ok(outcomes)
    }
}

/// A step that was taken.
pub(super) struct Taken {
    /// Its scalars.
    pub(super) metrics: BTreeMap<MetricKey, f64>,
    /// What was learnt in it, in the order of the batch.
    pub(super) lessons: Vec<Lesson>,
}

/// How strongly a step learnt a pair's answers.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Lesson {
    /// Index of the pair.
    pub(super) pair: usize,
    /// d(loss)/d(log π) of y⁺ and of y⁻, after clipping.
    pub(super) weights: Halves<f64>,
}

/// d(loss)/d(log π) of a pair's answers.
fn weights(stage: &Stage, outcome: &PairLoss, normaliser: f64) -> Halves<f64> {
    let push = stage.objective.reads_rejected().then_some(outcome.rejected_weight / normaliser);
    Halves { pull: -outcome.chosen_weight / normaliser, push }
}

/// What the way back of one half needs: what was read, by which model, the answers' weights, and where its gradient is added.
type Returning<'a, B> = (((Read<B>, &'a Transformer<B>), Vec<f64>), &'a mut Accumulator<B>);

/// Answers that were read and wait for their weights.
struct Read<B: AutodiffBackend> {
    pass: Pass<B>,
    /// Sums of log-probs, one an answer, nats.
    sums: Vec<f64>,
    /// Tokens of each answer.
    tokens: Vec<usize>,
}

impl<B: AutodiffBackend> Read<B> {
    /// Reads answers.
    fn forward(model: &Transformer<B>, sequences: &[&Sequence], pad: u32, checkpointing: bool) -> Self {
        let pass = Pass::forward(model, Batch::whole(sequences, pad, &model.device()), checkpointing);
        let mut sums = vec![0.0; sequences.len()];
        for (&row, logp) in pass.batch.owner.iter().zip(pass.logps()) {
            sums[row] += f64::from(logp);
        }
        Self { pass, sums, tokens: sequences.iter().map(|s| s.completion_ids.len()).collect() }
    }

    /// Adds Σ weight·∇log π to `sum`; `weights` holds d(loss)/d(log π) of every answer.
    #[allow(clippy::cast_possible_truncation, reason = "gradients are in single precision")]
    fn backward(self, model: &Transformer<B>, weights: &[f64], sum: &mut Accumulator<B>) {
        let per_token: Vec<f32> = self.pass.batch.owner.iter().map(|&row| weights[row] as f32).collect();
        self.pass.backward(model, &per_token, sum);
    }
}

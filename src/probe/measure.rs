//! The measurement: every probe at the current weights.
//!
//! A prompt is read once and its keys and values serve all its responses. Logits exist for completion positions only, in
//! chunks. Along y⁺ and y⁻ every position's whole distribution is read; of the other responses only the log-probs.

use std::sync::Arc;

use burn::tensor::backend::Backend;

use super::answers::Generation;
use super::headway::Headway;
use super::prompts::Prompts;
use super::reading::Reading;
use super::responses::{Along, Responses};
use super::set::{Probe, ProbeSet};
use crate::data::tokenizer::Tokenizer;
use crate::dynamics::massflow::{self, Distributions, Positions};
use crate::error::{Error, Result};
use crate::model::Transformer;
use crate::model::generate::Decoding;
use crate::protocol::{Evaluation, PrefixReading, ProbeKind};

/// The distributions at a step.
pub(crate) type Measured = (u64, Arc<Distributions>);

/// Measures the probes and remembers what mass flow is measured against.
#[derive(Debug)]
pub struct Observer {
    set: ProbeSet,
    tokenizer: Tokenizer,
    generation: Generation,
    positions: Positions,
    /// Prompts, from the first on, of which every token's log-prob is recorded.
    tokens: usize,
    /// The measurement that the stage started from.
    stage_start: Option<Measured>,
    /// The latest measurement: what the next stage starts from.
    latest: Option<Measured>,
}

impl Observer {
    /// Observes `set` and what the model writes by `generation`.
    pub fn new(set: ProbeSet, tokenizer: Tokenizer, generation: Generation) -> Self {
        let mut positions = Positions { pairs: set.probes.len(), ..Positions::default() };
        for (pair, probe) in set.probes.iter().enumerate() {
            for &id in probe.responses.get(&ProbeKind::Chosen).map_or(&[][..], |(_, ids)| ids) {
                positions.owner.push(pair);
                positions.labels.push(id);
            }
        }
        let generation = Generation { greedy: generation.greedy.min(set.probes.len()), ..generation };
        Self { set, tokenizer, generation, positions, tokens: 0, stage_start: None, latest: None }
    }

    /// Records the log-prob of every token along y⁺ and y⁻ of the first so many prompts.
    pub fn recording_tokens(self, prompts: usize) -> Self {
        Self { tokens: prompts.min(self.set.probes.len()), ..self }
    }

    /// What is observed.
    pub(crate) fn set(&self) -> &ProbeSet {
        &self.set
    }

    /// A stage begins: mass flow is measured from the latest measurement on.
    pub fn begin_stage(&mut self) {
        self.stage_start.clone_from(&self.latest);
    }

    /// What mass flow is and will be measured against: the stage's start and the latest measurement.
    pub(crate) fn memory(&self) -> (Option<&Measured>, Option<&Measured>) {
        (self.stage_start.as_ref(), self.latest.as_ref())
    }

    /// Goes back to such a memory.
    pub(crate) fn remember(&mut self, stage_start: Option<Measured>, latest: Option<Measured>) {
        (self.stage_start, self.latest) = (stage_start, latest);
    }

    /// Positions that are read, at most.
    fn longest(&self) -> usize {
        let of = |p: &Probe| {
            let responses = p.responses.values().map(|(_, ids)| ids.len());
            p.prompt_ids.len() + responses.chain([self.generation.max_new_tokens]).max().unwrap_or(0)
        };
        self.set.probes.iter().map(of).max().unwrap_or(0)
    }

    /// Positions at which distributions are measured, over all prompts.
    pub(crate) fn positions(&self) -> usize {
        self.positions.labels.len()
    }

    /// Measures every probe.
    ///
    /// # Errors
    /// When the model has diverged or an invariant of the measurement is broken.
    pub fn measure<B: Backend>(
        &mut self,
        model: &Transformer<B>,
        step: u64,
        stage: usize,
        headway: &Headway<'_>,
    ) -> Result<Evaluation> {
        let mut evaluation = Evaluation { step, stage, ..Evaluation::default() };
        let pairs = self.set.probes.len();
        let plain = model.plain(self.longest());
        let prompts: Vec<&[u32]> = self.set.probes.iter().map(|p| &*p.prompt_ids).collect();
        let prompts = Prompts::read(model, plain.as_ref(), &prompts, self.tokenizer.pad());
        // The memory of the measurement before is written over, unless a stage began there.
        let spare = self.latest.take().and_then(|(_, distributions)| Arc::into_inner(distributions));
        let spare = spare.map_or_else(Vec::new, |distributions| distributions.probabilities);
        let Responses { sums, mut along, distributions } =
            Responses::read(model, &prompts, &self.set, spare, (self.positions(), self.tokenizer.pad()), headway)?;
        let read_along = along.iter().map(|(&kind, along)| (kind, label_sums(&along.readings, &along.owner, pairs)));
        evaluation.logps = sums.into_iter().chain(read_along).collect();
        if let Some(Along { readings, owner }) = along.remove(&ProbeKind::Chosen) {
            evaluation.chosen = self.along_prefix(&readings, &owner);
        }
        let rejected = along.remove(&ProbeKind::Rejected);
        evaluation.rejected = rejected.map(|Along { readings, owner }| self.along_prefix(&readings, &owner));
        check_argmax(&evaluation)?;
        self.measure_flow(distributions, &mut evaluation)?;
        headway.begin("writing answers");
        if self.generation.greedy > 0 {
            let (stops, longest) = (|id| self.tokenizer.is_stop(id), self.generation.max_new_tokens);
            let answers = prompts.first(self.generation.greedy).answer(model, stops, longest, Decoding::Greedy);
            let described = self.set.probes.iter().zip(answers);
            evaluation.greedy =
                described.map(|(probe, ids)| self.generation.describe(&self.tokenizer, &probe.prompt, &ids)).collect();
        }
        evaluation.held_out_rewards = self.generation.held_out_rewards(model, &self.tokenizer);
        Ok(evaluation)
    }

    /// Mass flow against the stage's start, then remembers this measurement.
    fn measure_flow(&mut self, distributions: Distributions, evaluation: &mut Evaluation) -> Result<()> {
        let now = Arc::new(distributions);
        if let Some((step, before)) = &self.stage_start {
            let name = |id| self.tokenizer.token(id);
            evaluation.stage_flow = Some(massflow::between(before, &now, &self.positions, *step, &name)?);
        }
        self.latest = Some((evaluation.step, now));
        Ok(())
    }

    /// Sums and means over each pair's positions.
    #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "recorded in single precision")]
    fn along_prefix(&self, readings: &[Reading], owner: &[usize]) -> PrefixReading {
        let pairs = self.set.probes.len();
        let mut count = vec![0usize; pairs];
        let mut tokens = vec![Vec::new(); pairs];
        for (reading, &pair) in readings.iter().zip(owner) {
            count[pair] += 1;
            tokens[pair].push(self.tokenizer.token(reading.argmax));
        }
        let mut logps = vec![Vec::new(); self.tokens];
        for (reading, &pair) in readings.iter().zip(owner) {
            if let Some(list) = logps.get_mut(pair) {
                list.push(reading.label_logp as f32);
            }
        }
        let total = |f: fn(&Reading) -> f64| {
            let mut sums = vec![0.0; pairs];
            for (reading, &pair) in readings.iter().zip(owner) {
                sums[pair] += f(reading);
            }
            sums
        };
        let sum =
            |f| total(f).into_iter().zip(&count).map(|(x, &n)| if n == 0 { f32::NAN } else { x as f32 }).collect();
        let mean = |f| total(f).into_iter().zip(&count).map(|(x, &n)| (x / n as f64) as f32).collect();
        PrefixReading {
            argmax_logps: sum(|r| r.argmax_logp),
            p_e: mean(|r| r.p_e),
            energy: mean(|r| r.energy),
            a_frobenius: mean(|r| r.a_frobenius),
            entropy: mean(|r| r.entropy),
            argmax_tokens: tokens.into_iter().collect(),
            token_logps: logps.into_iter().map(Vec::into_boxed_slice).collect(),
        }
    }
}

/// Sums of the labels' log-probs, one entry a prompt.
#[allow(clippy::cast_possible_truncation, reason = "recorded in single precision")]
fn label_sums(readings: &[Reading], owner: &[usize], pairs: usize) -> Vec<f32> {
    let mut sums = vec![f64::NAN; pairs];
    for (reading, &pair) in readings.iter().zip(owner) {
        let sum = &mut sums[pair];
        *sum = if sum.is_nan() { 0.0 } else { *sum } + reading.label_logp;
    }
    sums.into_iter().map(|x| x as f32).collect()
}

/// The invariant that the paper's released curves break: no response is likelier than the greedy choice at its prefixes.
fn check_argmax(evaluation: &Evaluation) -> Result<()> {
    let readings = [(ProbeKind::Chosen, Some(&evaluation.chosen)), (ProbeKind::Rejected, evaluation.rejected.as_ref())];
    for (kind, reading) in readings {
        let (Some(labels), Some(reading)) = (evaluation.logps.get(kind), reading) else { continue };
        for (pair, (label, argmax)) in labels.iter().zip(&reading.argmax_logps).enumerate() {
            if argmax < label {
                return Err(Error::failed(format!(
                    "at step {} the argmax along {kind} of prompt {pair} ({argmax}) lies below the response itself ({label})",
                    evaluation.step
                )));
            }
        }
    }
    Ok(())
}

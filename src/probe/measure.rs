//! The measurement: every probe at the current weights.
//!
//! A prompt is read once and its keys and values serve all its responses. Logits exist for completion positions only, in
//! chunks. Along y⁺ and y⁻ every position's whole distribution is read; of the other responses only the log-probs.

use std::sync::Arc;

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use super::answers::Asked;
use super::prompts::Prompts;
use super::reading::{self, Reading};
use super::score::{ROWS_AT_ONCE, label_and_largest};
use super::set::ProbeSet;
use crate::backend::{floats, int_tensor};
use crate::data::tokenizer::Tokenizer;
use crate::dynamics::massflow::{self, Distributions, Positions};
use crate::error::{Error, Result};
use crate::model::Transformer;
use crate::model::batch::Batch;
use crate::model::generate::{Decoding, generate};
use crate::protocol::{Evaluation, PrefixReading, ProbeKind};

/// The predicting positions of one kind of response: hidden states, labels and owners, row by row.
pub(super) struct Completions<B: Backend> {
    hidden: Tensor<B, 2>,
    rows: Vec<usize>,
    labels: Vec<u32>,
    owner: Vec<usize>,
}

impl<B: Backend> Completions<B> {
    /// Reads one completion for each of the prompts `pairs`.
    pub(super) fn read(
        model: &Transformer<B>,
        prompts: &Prompts<B>,
        pairs: &[usize],
        completions: &[&[u32]],
        pad: u32,
    ) -> Self {
        let device = model.device();
        let batch: Batch<B> = Batch::completions(completions, pad, &device);
        let positions = batch.tokens.dims()[1];
        let mut past = prompts.past.select(pairs);
        let inside = model.forward_after(batch.tokens, &mut past, false);
        // The first token of a completion is predicted by its prompt's last position, the others by its own positions.
        let hidden = Tensor::cat(vec![prompts.last.clone(), inside], 0);
        let before = prompts.last.dims()[0];
        let mut this = Self { hidden, rows: Vec::new(), labels: Vec::new(), owner: Vec::new() };
        for (row, (&pair, ids)) in pairs.iter().zip(completions).enumerate() {
            for (t, &id) in ids.iter().enumerate() {
                this.rows.push(if t == 0 { pair } else { before + row * positions + t - 1 });
                this.labels.push(id);
                this.owner.push(pair);
            }
        }
        this
    }

    /// Log-probs of the labels, row by row, nats.
    pub(super) fn logps(&self, model: &Transformer<B>) -> Vec<f32> {
        let mut logps = Vec::with_capacity(self.rows.len());
        for (rows, labels) in self.rows.chunks(ROWS_AT_ONCE).zip(self.labels.chunks(ROWS_AT_ONCE)) {
            logps.extend(label_and_largest(model, self.hidden.clone(), rows, labels).0);
        }
        logps
    }

    /// Sums of log-probs, one entry a prompt; NaN for a prompt without such a response.
    #[allow(clippy::cast_possible_truncation, reason = "recorded in single precision")]
    fn sums(&self, model: &Transformer<B>, pairs: usize) -> Vec<f32> {
        let mut sums = vec![f64::NAN; pairs];
        for (&owner, logp) in self.owner.iter().zip(self.logps(model)) {
            let sum = &mut sums[owner];
            *sum = if sum.is_nan() { 0.0 } else { *sum } + f64::from(logp);
        }
        sums.into_iter().map(|x| x as f32).collect()
    }

    /// Reads every position's distribution; with `keep`, keeps them.
    fn readings(&self, model: &Transformer<B>, mut keep: Option<&mut Distributions>) -> Result<Vec<Reading>> {
        let device = model.device();
        let vocab = model.vocab_size();
        let mut readings = Vec::with_capacity(self.rows.len());
        for start in (0..self.rows.len()).step_by(ROWS_AT_ONCE) {
            let part = start..(start + ROWS_AT_ONCE).min(self.rows.len());
            let index = int_tensor(self.rows[part.clone()].iter().map(|&i| i as i64).collect(), &device);
            let logits = floats(model.logits(self.hidden.clone().select(0, index)));
            for (row, &label) in logits.chunks_exact(vocab).zip(&self.labels[part]) {
                readings.push(reading::read(row, label, keep.as_deref_mut())?);
            }
        }
        Ok(readings)
    }
}

/// The distributions at a step.
pub(crate) type Measured = (u64, Arc<Distributions>);

/// Measures the probes and remembers what mass flow is measured against.
#[derive(Debug)]
pub struct Observer {
    set: ProbeSet,
    tokenizer: Tokenizer,
    asked: Asked,
    positions: Positions,
    /// The measurement that the stage started from.
    stage_start: Option<Measured>,
    /// The latest measurement: what the next stage starts from.
    latest: Option<Measured>,
}

impl Observer {
    /// Observes `set` and what else is `asked` of the model.
    pub fn new(set: ProbeSet, tokenizer: Tokenizer, asked: Asked) -> Self {
        let mut positions = Positions { pairs: set.probes.len(), ..Positions::default() };
        for (pair, probe) in set.probes.iter().enumerate() {
            for &id in probe.responses.get(&ProbeKind::Chosen).map_or(&[][..], |(_, ids)| ids) {
                positions.owner.push(pair);
                positions.labels.push(id);
            }
        }
        let asked = Asked { greedy: asked.greedy.min(set.probes.len()), ..asked };
        Self { set, tokenizer, asked, positions, stage_start: None, latest: None }
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

    /// Positions at which distributions are measured, over all prompts.
    pub(crate) fn positions(&self) -> usize {
        self.positions.labels.len()
    }

    /// Measures every probe.
    ///
    /// # Errors
    /// When the model has diverged or an invariant of the measurement is broken.
    pub fn measure<B: Backend>(&mut self, model: &Transformer<B>, step: u64, stage: usize) -> Result<Evaluation> {
        let mut evaluation = Evaluation { step, stage, ..Evaluation::default() };
        let pairs = self.set.probes.len();
        let prompts: Vec<&[u32]> = self.set.probes.iter().map(|p| &*p.prompt_ids).collect();
        let prompts = Prompts::read(model, &prompts, self.tokenizer.pad());
        let mut distributions = Distributions { vocab_size: model.vocab_size(), ..Distributions::default() };
        for &kind in ProbeKind::ALL {
            let (having, completions): (Vec<usize>, Vec<&[u32]>) = self
                .set
                .probes
                .iter()
                .enumerate()
                .filter_map(|(pair, p)| Some((pair, p.responses.get(&kind)?.1.as_slice())))
                .unzip();
            if having.is_empty() {
                continue;
            }
            let completions = Completions::read(model, &prompts, &having, &completions, self.tokenizer.pad());
            let sums = match kind {
                ProbeKind::Chosen => {
                    let readings = completions.readings(model, Some(&mut distributions))?;
                    evaluation.chosen = self.along_prefix(&readings, &completions.owner);
                    label_sums(&readings, &completions.owner, pairs)
                }
                ProbeKind::Rejected => {
                    let readings = completions.readings(model, None)?;
                    evaluation.rejected = Some(self.along_prefix(&readings, &completions.owner));
                    label_sums(&readings, &completions.owner, pairs)
                }
                _ => completions.sums(model, pairs),
            };
            evaluation.logps.insert(kind, sums);
        }
        check_argmax(&evaluation)?;
        self.measure_flow(distributions, &mut evaluation)?;
        if self.asked.greedy > 0 {
            let first = prompts.last.clone().slice(0..self.asked.greedy);
            let past = prompts.past.select(&(0..self.asked.greedy).collect::<Vec<_>>());
            let (stops, longest) = (|id| self.tokenizer.is_stop(id), self.asked.max_new_tokens);
            let answers = generate(model, past, model.logits(first), stops, longest, Decoding::Greedy);
            let described = self.set.probes.iter().zip(answers);
            evaluation.greedy =
                described.map(|(probe, ids)| self.asked.describe(&self.tokenizer, &probe.prompt, &ids)).collect();
        }
        evaluation.held_out_rewards = self.asked.held_out_rewards(model, &self.tokenizer);
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
            argmax_tokens: tokens,
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
        let (Some(labels), Some(reading)) = (evaluation.logps.get(&kind), reading) else { continue };
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

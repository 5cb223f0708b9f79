//! Checkpoints: when one is due, what of the trainer goes into it, and how a trainer goes on from it.
//!
//! What can be derived again is not kept: data, tokens, probes and the order of the batches follow from the experiment.

use std::sync::Arc;
use std::time::{Duration, Instant};

use burn::module::AutodiffModule;
use burn::tensor::backend::{AutodiffBackend, Backend};

use super::optimizer::Optimizer;
use super::prepare::Pair;
use super::stage::StageData;
use super::state::{Array, Position, SavedState, TrainerState};
use super::trainer::{StageRun, Trainer};
use super::weights;
use crate::dynamics::massflow::Distributions;
use crate::error::{Error, Result};
use crate::experiment::Experiment;
use crate::model::Transformer;
use crate::protocol::RunStarted;

/// Where the clock decides: no checkpoint earlier than this, nor two closer together.
const APART: Duration = Duration::from_secs(60);
/// Where the clock decides: a checkpoint is followed by so many times the time that it took.
const REST: u32 = 100;

/// When a checkpoint is due; asked after every evaluation that is due itself.
pub(super) struct Cadence {
    /// Evaluations between two checkpoints; the clock decides where it is absent.
    every: Option<u64>,
    evaluations: u64,
    last: Instant,
    cost: Duration,
}

impl Cadence {
    pub(super) fn new(every: Option<u64>) -> Self {
        Self { every, evaluations: 0, last: Instant::now(), cost: Duration::ZERO }
    }

    /// Counts an evaluation; whether a checkpoint is due after it.
    pub(super) fn is_due(&mut self) -> bool {
        self.evaluations += 1;
        match self.every {
            Some(0) => false,
            Some(every) => self.evaluations.is_multiple_of(every),
            None => self.last.elapsed() >= APART.max(self.cost * REST),
        }
    }

    /// A checkpoint was written, from `began` until now.
    pub(super) fn written(&mut self, began: Instant) {
        self.last = Instant::now();
        self.cost = self.last - began;
    }
}

/// What a run is begun on, as one number: the experiment alone does not tell whether a file of data or of weights has
/// changed since. `model` is as yet untrained.
pub(super) fn fingerprint<B: Backend>(started: &RunStarted, pairs: &[Pair], model: &Transformer<B>) -> Result<u32> {
    let started =
        serde_json::to_vec(started).map_err(|e| Error::failed(format!("the run cannot be described: {e}")))?;
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&started);
    for sequence in pairs.iter().flat_map(|pair| std::iter::once(&pair.chosen).chain(&pair.rejected)) {
        for ids in [sequence.prompt_ids.as_ref(), sequence.completion_ids.as_slice()] {
            hasher.update(&(ids.len() as u64).to_le_bytes());
            ids.iter().for_each(|id| hasher.update(&id.to_le_bytes()));
        }
    }
    if model.is_adapted() {
        // The frozen weights are not in a checkpoint.
        weights::hash(model, &mut hasher);
    }
    Ok(hasher.finalize())
}

impl<B: AutodiffBackend> Trainer<'_, B> {
    /// Where the run stands, between two steps of a stage.
    pub(super) fn state(&self, run: &StageRun<B>) -> TrainerState {
        let (stage_start, latest) = self.observer.memory();
        let position = Position {
            fingerprint: self.fingerprint,
            stage: run.index,
            taken: run.taken,
            step: self.step,
            tokens: self.tokens,
            measured: self.measured,
            stage_start: stage_start.map(|(step, _)| *step),
            latest: latest.map(|(step, _)| *step),
            drawn: run.data.drawn(),
        };
        let mut state = TrainerState::new(position);
        weights::save(&self.model, "model", &mut state);
        run.optimizer.save(&self.model, "optimizer", &mut state);
        run.data.save(&mut state);
        // The stage's start may be the latest.
        let earlier = stage_start.filter(|(start, _)| latest.is_none_or(|(step, _)| step != start));
        for (step, distributions) in earlier.into_iter().chain(latest) {
            add_distributions(&mut state, *step, distributions);
        }
        state
    }

    /// Goes back to a saved state: returns the stage that was under way.
    pub(super) fn restore(&mut self, experiment: &Experiment, saved: &mut SavedState) -> Result<StageRun<B>> {
        let position = saved.position().clone();
        if position.fingerprint != self.fingerprint {
            return Err(saved.damaged(
                "the run was begun on other data, another model or another version of this program than are here now",
            ));
        }
        let stage = experiment
            .stages
            .get(position.stage)
            .filter(|stage| position.taken <= stage.steps)
            .ok_or_else(|| saved.damaged("it is about a stage that the experiment does not have"))?;
        self.model = weights::load(self.model.clone(), "model", saved)?;
        let optimizer = Optimizer::new(&stage.optimizer).load(&self.model, "optimizer", saved)?;
        let data = StageData::restore(experiment, &self.model.valid(), &self.pairs, saved)?;
        let mut measured = |step: u64| -> Result<_> { Ok((step, self.distributions(step, saved)?)) };
        let latest = position.latest.map(&mut measured).transpose()?;
        let stage_start = match position.stage_start {
            start if start == position.latest => latest.clone(),
            start => start.map(&mut measured).transpose()?,
        };
        self.observer.remember(stage_start, latest);
        (self.step, self.tokens, self.measured) = (position.step, position.tokens, position.measured);
        Ok(StageRun { index: position.stage, taken: position.taken, data, optimizer })
    }

    fn distributions(&self, step: u64, saved: &mut SavedState) -> Result<Arc<Distributions>> {
        let (rows, vocab_size) = (self.observer.positions(), self.model.vocab_size());
        Ok(Arc::new(Distributions {
            vocab_size,
            probabilities: saved.f32(&format!("measured.{step}.probabilities"), &[rows, vocab_size])?,
            entropy: saved.f32(&format!("measured.{step}.entropy"), &[rows])?,
        }))
    }
}

fn add_distributions(state: &mut TrainerState, step: u64, distributions: &Arc<Distributions>) {
    let rows = distributions.entropy.len();
    let (of, vocab_size) = (Arc::clone(distributions), distributions.vocab_size);
    let probabilities = Array::f32(vec![rows, vocab_size], move || of.probabilities.clone());
    state.add(format!("measured.{step}.probabilities"), probabilities);
    let of = Arc::clone(distributions);
    state.add(format!("measured.{step}.entropy"), Array::f32(vec![rows], move || of.entropy.clone()));
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{APART, Cadence};

    fn ago(time: Duration) -> Instant {
        Instant::now().checked_sub(time).unwrap()
    }

    #[test]
    fn checkpoints_are_counted_or_timed() {
        let due = |every| {
            let mut cadence = Cadence::new(every);
            (1..=6).filter(|_| cadence.is_due()).count()
        };
        assert_eq!((due(Some(0)), due(Some(1)), due(Some(2)), due(Some(4)), due(None)), (0, 6, 3, 1, 0));
    }

    #[test]
    fn the_clock_spends_a_hundredth_of_the_time_at_most() {
        let mut cadence = Cadence { last: ago(APART), ..Cadence::new(None) };
        assert!(cadence.is_due(), "after the first minute");
        cadence.written(ago(Duration::from_secs(2)));
        cadence.last = ago(Duration::from_secs(190));
        assert!(!cadence.is_due(), "two seconds were spent, and 190 have passed");
        cadence.last = ago(Duration::from_secs(210));
        assert!(cadence.is_due());
    }
}

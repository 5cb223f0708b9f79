//! Checkpoints of a language model's run: what goes into one, and how a run goes on from it.
//!
//! What can be derived again is not kept: data, tokens, probes and the order of the batches follow from the experiment.

use std::sync::Arc;

use burn::module::AutodiffModule;
use burn::tensor::backend::AutodiffBackend;

use super::language::{Language, LanguageStage};
use super::optimizer::Optimizer;
use super::run::{Progress, UnderWay};
use super::stage::StageData;
use super::state::{Array, Position, SavedState, TrainerState};
use super::weights;
use crate::dynamics::massflow::Distributions;
use crate::error::Result;
use crate::experiment::Experiment;

/// The log-probs that forces count changes from, by their name in a saved state.
const LATEST: &str = "forces.latest";

impl<B: AutodiffBackend> Language<B> {
    /// The state of the run, between two steps of a stage.
    pub(super) fn state_at(&self, progress: &Progress, run: &UnderWay<LanguageStage<B>>) -> TrainerState {
        let (stage_start, latest) = self.observer.memory();
        let position = Position {
            stage_start: stage_start.map(|(step, _)| *step),
            latest: latest.map(|(step, _)| *step),
            ..self.position(progress, run)
        };
        let mut state = self.trained(position, run, true);
        if let Some(forces) = &self.forces {
            state.add(LATEST, Array::f64(forces.latest().to_vec()));
        }
        // The stage's start may be the latest.
        let earlier = stage_start.filter(|(start, _)| latest.is_none_or(|(step, _)| step != start));
        for (step, distributions) in earlier.into_iter().chain(latest) {
            add_distributions(&mut state, *step, distributions);
        }
        state
    }

    /// What taking the steps again from here needs: the state without what was measured and without how the halves of the
    /// gradient moved it.
    pub(super) fn snapshot_at(&self, progress: &Progress, run: &UnderWay<LanguageStage<B>>) -> TrainerState {
        self.trained(self.position(progress, run), run, false)
    }

    /// The position of the run, between two measurements that it knows nothing of.
    fn position(&self, progress: &Progress, run: &UnderWay<LanguageStage<B>>) -> Position {
        Position {
            fingerprint: self.fingerprint,
            stage: run.index,
            taken: run.taken,
            step: progress.step,
            tokens: self.tokens,
            measured: progress.measured,
            stage_start: None,
            latest: None,
            drawn: run.stage.data.drawn(),
        }
    }

    /// The model, the optimiser and the stage's material; with `halves`, what the optimiser remembers of the gradient's halves.
    fn trained(&self, position: Position, run: &UnderWay<LanguageStage<B>>, halves: bool) -> TrainerState {
        let mut state = TrainerState::new(position);
        weights::save(&self.model, "model", &mut state);
        run.stage.optimizer.save(&self.model, "optimizer", halves, &mut state);
        run.stage.data.save(&mut state);
        state
    }

    /// Goes back to a saved state: returns how far the run had come, and the stage that was under way.
    pub(super) fn go_back(
        &mut self,
        experiment: &Experiment,
        saved: &mut SavedState,
    ) -> Result<(Progress, UnderWay<LanguageStage<B>>)> {
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
        if let Some(forces) = &mut self.forces {
            let latest = saved.f64(LATEST, forces.latest().len())?;
            forces.remember(position.step, self.model.valid(), latest);
        }
        self.tokens = position.tokens;
        let progress = Progress { step: position.step, measured: position.measured };
        let stage = LanguageStage { data, optimizer };
        Ok((progress, UnderWay { index: position.stage, taken: position.taken, stage }))
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

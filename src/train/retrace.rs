//! Takes a recorded run's steps again, up to the end of a window: training is the same every time, so that nothing but the
//! experiment need be kept. Every step's loss, and the observed answer where it was measured, are held against the record.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use burn::module::AutodiffModule as _;
use burn::tensor::backend::{AutodiffBackend, Backend};

use super::control::Control;
use super::language::{self, Language, LanguageStage};
use super::observed::Observed;
use super::prepare::Pair;
use super::run::{Learner as _, Prepared, StepNumber, UnderWay};
use super::stage::StageData;
use super::state::SavedState;
use super::window::{Filling, Window};
use crate::backend::{Available, available_memory};
use crate::error::{Error, Result};
use crate::experiment::{Experiment, Precision, Stage};
use crate::history::RunHistory;
use crate::model::{Transformer, lora};
use crate::protocol::{MetricKey, Question, RunPhase};
use crate::text::bytes;

/// How far a loss, or a log-prob, may be from what was recorded, as a share of it.
const RELATIVE: f64 = 1e-5;
/// The same in nats.
const ABSOLUTE: f64 = 1e-3;

/// The stage that a window lies in.
pub(super) fn stage_of(experiment: &Experiment, history: &RunHistory, question: &Question) -> Result<usize> {
    let Question { since, until, .. } = *question;
    if experiment.has_pictures() {
        return Err(Error::usage("influence is about answers, and a classifier of pictures gives none"));
    }
    if since >= until {
        return Err(Error::usage(format!(
            "the window {since}..{until} has no step: its end must lie after its beginning"
        )));
    }
    if until > history.step {
        return Err(Error::usage(format!("the window ends at step {until}, and the run has {} steps", history.step)));
    }
    let mut start = 0;
    for (index, stage) in experiment.stages.iter().enumerate() {
        let end = start + stage.steps;
        if (start..end).contains(&since) {
            if until <= end {
                return Ok(index);
            }
            return Err(Error::usage(format!(
                "the window {since}..{until} must lie within one stage: {} has the steps {start}..{end}",
                stage.name
            )));
        }
        start = end;
    }
    Err(Error::usage(format!("the window begins at step {since}, and the experiment has {start} steps")))
}

/// The run cannot be trained again as it was recorded.
fn not_the_same(how: &str) -> Error {
    Error::Several(vec![
        Error::usage(format!("the run cannot be taken up again as it was: {how}")),
        Error::usage(
            "  the data, the model, the experiment or the version of this program is another than when it was recorded",
        ),
        Error::usage("  train it anew, and ask about that: ldyn-tui run RUN/experiment.ron"),
    ])
}

/// Whether two numbers are the same but for rounding. What is no number is equal to itself.
fn same(found: f64, recorded: f64) -> bool {
    found == recorded
        || found.is_nan() && recorded.is_nan()
        || (found - recorded).abs() <= ABSOLUTE.max(RELATIVE * recorded.abs())
}

/// What is known of a recorded run that is to be taken again.
pub(super) struct Known<'a> {
    /// Its experiment, without forces: nobody looks at them on the way, and the training is the same without.
    pub(super) experiment: &'a Experiment,
    /// What was recorded.
    pub(super) history: &'a RunHistory,
    /// Optimiser steps taken before and at the end of the window that is asked about.
    pub(super) window: (u64, u64),
}

/// A run that is taken again.
pub(super) struct Retrace<'a, B: AutodiffBackend> {
    known: Known<'a>,
    pub(super) learner: Language<B>,
    pub(super) control: Control<'a>,
}

/// A place of a run, as far as its material goes.
pub(super) struct There {
    /// The pairs as they are learnt there.
    pub(super) pairs: Arc<Vec<Pair>>,
    /// Those that were learnt last, the latest first.
    pub(super) latest: Vec<usize>,
    /// Whether their rejected answers were read.
    pub(super) pushes: bool,
}

/// The models at both ends of a window, in single precision.
pub(super) struct Ends<B: Backend> {
    pub(super) start: Transformer<B>,
    pub(super) end: Transformer<B>,
}

/// Takes one step in its own way; returns its scalars.
type Take<'t, 'a, B> = &'t mut dyn FnMut(
    &mut Retrace<'a, B>,
    &Stage,
    &mut LanguageStage<B>,
    StepNumber,
) -> Result<BTreeMap<MetricKey, f64>>;

impl<'a, B: AutodiffBackend> Retrace<'a, B> {
    /// Gets the run ready to be taken again.
    ///
    /// # Errors
    /// When data or model are not what they were.
    pub(super) fn prepare(
        known: Known<'a>,
        device: &B::Device,
        backend: &str,
        mut control: Control<'a>,
    ) -> Result<Self> {
        let began = Instant::now();
        let Prepared { learner, started } = language::prepare::<B>(known.experiment, device, backend, &mut control)?;
        if known.history.run.as_ref().map(|run| &run.probes) != Some(&started.probes) {
            return Err(not_the_same("the observed prompts and answers are others than those that were recorded"));
        }
        tracing::debug!("data, model and probes: {:?}", began.elapsed());
        Ok(Self { known, learner, control })
    }

    /// Trains up to the window's end and keeps its steps; returns the stage too that they are in.
    pub(super) fn window(&mut self, saved: Option<SavedState>) -> Result<(Window<B::InnerBackend>, &'a Stage)> {
        let began = Instant::now();
        let mut filling = Filling::new();
        let mut first = true;
        let (index, under_way) = self.walk(saved, &mut |run, stage, under_way, number| {
            if std::mem::take(&mut first) {
                run.check_memory(stage)?;
            }
            filling.step(&mut run.learner, stage, under_way, number, &mut run.control)
        })?;
        tracing::debug!("steps taken again: {:?}", began.elapsed());
        let window =
            filling.finish(&self.learner, &under_way).ok_or_else(|| Error::failed("the window has no step"))?;
        Ok((window, &self.known.experiment.stages[index]))
    }

    /// Trains up to the window's end and keeps the models at its ends.
    pub(super) fn ends(&mut self, saved: Option<SavedState>) -> Result<Ends<B::InnerBackend>> {
        let mut start = None;
        self.walk(saved, &mut |run, stage, under_way, number| {
            start.get_or_insert_with(|| run.learner.model.valid().compute_in(Precision::F32));
            run.learner.step(stage, under_way, number, &mut run.control)
        })?;
        let end = self.learner.model.valid().compute_in(Precision::F32);
        Ok(Ends { start: start.unwrap_or_else(|| end.clone()), end })
    }

    /// Trains up to the window's end; of the pairs that were learnt last at most so many are told.
    pub(super) fn there(&mut self, saved: Option<SavedState>, most: usize) -> Result<There> {
        let (index, under_way) = self.walk(saved, &mut |run, stage, under_way, number| {
            run.learner.step(stage, under_way, number, &mut run.control)
        })?;
        let (experiment, pairs) = (self.known.experiment, under_way.data.pairs);
        let before: u64 = experiment.stages[..index].iter().map(|stage| stage.steps).sum();
        let taken = self.known.window.1.saturating_sub(before);
        let latest = StageData::<B::InnerBackend>::learnt_last(experiment, index, taken, pairs.len(), most);
        let pushes = experiment.stages[index].objective.reads_rejected();
        Ok(There { pairs, latest, pushes })
    }

    /// Trains up to the window's end, from the beginning or from where the run once stood; the window's own steps are taken by
    /// `take`. Returns the stage that was under way, by its index and what it works with.
    fn walk(&mut self, saved: Option<SavedState>, take: Take<'_, 'a, B>) -> Result<(usize, LanguageStage<B>)> {
        let (since, until) = self.known.window;
        let saved = saved.filter(|saved| saved.position().step <= since);
        let experiment = self.known.experiment;
        let (mut step, mut under_way) = match saved {
            Some(mut saved) => {
                let (progress, run) = self.learner.go_back(experiment, &mut saved)?;
                (progress.step, Some(run))
            }
            None => (0, None),
        };
        let first = under_way.as_ref().map_or(0, |run| run.index);
        for (index, stage) in experiment.stages.iter().enumerate().skip(first) {
            let mut run = match under_way.take() {
                Some(run) => run,
                None => {
                    let stage = self.learner.begin(experiment, index, step, &mut self.control)?;
                    UnderWay { index, taken: 0, stage }
                }
            };
            while run.taken < stage.steps && step < until {
                let number = StepNumber { of_stage: run.taken + 1, of_run: step + 1 };
                let metrics = if step < since {
                    self.learner.step(stage, &mut run.stage, number, &mut self.control)?
                } else {
                    take(self, stage, &mut run.stage, number)?
                };
                self.check_loss(number.of_run, &metrics)?;
                (run.taken, step) = (number.of_stage, number.of_run);
            }
            if step == until {
                return Ok((index, run.stage));
            }
        }
        Err(Error::failed(format!("the run ended before step {until}")))
    }

    /// Holds a step's loss against the record.
    fn check_loss(&mut self, step: u64, metrics: &BTreeMap<MetricKey, f64>) -> Result<()> {
        let loss = metrics.get(&MetricKey::LOSS).copied().unwrap_or(f64::NAN);
        let recorded = self.known.history.metrics.get(&MetricKey::LOSS).and_then(|losses| losses.at(step));
        match recorded {
            Some(recorded) if same(loss, recorded) => {}
            Some(recorded) => {
                return Err(not_the_same(&format!("at step {step} the loss is {loss}, and {recorded} was recorded")));
            }
            None => return Err(not_the_same(&format!("no loss was recorded at step {step}"))),
        }
        let until = self.known.window.1;
        self.control.say(RunPhase::Starting(format!("replaying step {step} of {until}")), step)
    }

    /// Holds an observed answer against the record, where the window's ends were measured.
    pub(super) fn check_measured(
        &self,
        observed: &Observed,
        question: &Question,
        [start, end]: [&Transformer<B::InnerBackend>; 2],
    ) -> Result<()> {
        for (step, model) in [(question.since, start), (question.until, end)] {
            let Some(evaluation) = self.known.history.evaluations.iter().find(|e| e.step == step) else { continue };
            let recorded = observed.recorded(evaluation, question);
            let found = observed.mean(model, self.learner.tokenizer().pad());
            if !same(found, recorded) {
                let what = question.kind;
                return Err(not_the_same(&format!(
                    "at step {step} the log-prob of {what} is {found:.4}, and {recorded:.4} was recorded"
                )));
            }
        }
        Ok(())
    }

    /// Refuses a window that is too long to be kept.
    fn check_memory(&self, stage: &Stage) -> Result<()> {
        let (since, until) = self.known.window;
        let architecture = self.learner.architecture();
        let trained = match &self.known.experiment.lora {
            Some(lora) => lora::parameter_count(lora, architecture),
            None => architecture.parameter_count(),
        } as u64;
        // Every step keeps the weights and how far they went; some more are made on the way back.
        let of_step = 2 * 4 * trained;
        let needed = of_step * (until - since) + 12 * 4 * trained;
        let (Available::Shared(there) | Available::Apart { device: there, .. }) =
            available_memory::<B::InnerBackend>(&self.learner.model.device());
        match there.filter(|&there| needed > there) {
            None => Ok(()),
            Some(there) => Err(Error::usage(format!(
                "the window {since}..{until} of {} needs about {} of memory, and {} are available: ask about a shorter one",
                stage.name,
                bytes(needed),
                bytes(there)
            ))),
        }
    }
}

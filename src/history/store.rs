//! [`RunHistory`]: the fold over a run's events.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use super::detect::Detector;
use super::forces::Ledger;
use super::mark::{Mark, MarkKind, stage_span};
use super::series::{CurveId, Scale, Series};
use super::stats::{mean, quantile};
use super::warn::Watch;
use crate::protocol::{ClassReading, Evaluation, MetricKey, RunPhase, RunStarted, StepMetrics, TrainerEvent};
use crate::text::Shown;

/// Everything known about a run, derived from its events alone: the same events give the same history.
#[derive(Debug, Clone, Default)]
pub struct RunHistory {
    /// What the run is; `None` until it says so.
    pub run: Option<Arc<RunStarted>>,
    /// The trainer's last word on what it is doing.
    pub phase: Option<RunPhase>,
    /// Optimiser steps taken.
    pub step: u64,
    /// The stage that is being trained.
    pub stage: Option<usize>,
    /// Step at which each stage began.
    pub stage_starts: Vec<u64>,
    /// Scalars logged every step.
    pub metrics: BTreeMap<MetricKey, Series>,
    /// Every evaluation, in order.
    pub evaluations: Vec<Arc<Evaluation>>,
    /// Why the observed answers moved.
    pub forces: Ledger,
    /// Every reading of a classifier, in order; a run has these or evaluations.
    pub classes: Vec<Arc<ClassReading>>,
    /// What happened, in order.
    pub marks: Vec<Mark>,
    /// The verdict on the dynamics.
    pub detector: Detector,
    /// Tokens per second and seconds left, as last told; display only.
    pub speed: Option<(f64, f64)>,
    /// What of the measurement under way is being done, and the share of that, 0 to 1, as last told; display only.
    pub measuring: Option<(Shown, Option<f64>)>,
    /// The mean of every curve, computed once an evaluation.
    means: BTreeMap<CurveId, Means>,
    /// What was already warned of.
    watch: Watch,
}

/// A curve's mean over prompts.
#[derive(Debug, Clone, Default)]
struct Means {
    scales: BTreeMap<Scale, Series>,
    /// Readings in a row that belong to one stage: the stage, and the place of the first of them.
    stages: Vec<(usize, usize)>,
}

impl RunHistory {
    /// Folds in one event. The start of a run forgets the run before it.
    pub fn apply(&mut self, event: &TrainerEvent) {
        match event {
            TrainerEvent::RunStarted(run) => {
                let phase = self.phase.take();
                let detector = Detector::new(run.detector);
                *self = Self { run: Some(Arc::new((**run).clone())), phase, detector, ..Self::default() };
            }
            TrainerEvent::Phase { phase, step } => self.enter_phase(phase, *step),
            TrainerEvent::StageStarted { stage, step } => self.start_stage(*stage, *step),
            TrainerEvent::Step(metrics) => self.add_step(metrics),
            TrainerEvent::Evaluation(evaluation) => self.add_evaluation(evaluation),
            TrainerEvent::Forces(forces) => self.forces.push(forces),
            TrainerEvent::Classes(reading) => {
                self.step = self.step.max(reading.step);
                self.classes.push(Arc::clone(reading));
            }
            TrainerEvent::Note { step, text, warning } => {
                let kind = if *warning { MarkKind::Warning } else { MarkKind::Phase };
                self.marks.push(Mark { step: *step, kind, text: Shown::new(text) });
            }
            TrainerEvent::Measuring { doing, share } => self.measuring = Some((Shown::new(doing), *share)),
            TrainerEvent::Speed { tokens_per_second, seconds_left } => {
                self.speed = Some((*tokens_per_second, *seconds_left));
            }
        }
    }

    fn enter_phase(&mut self, phase: &RunPhase, step: u64) {
        self.measuring = None;
        let (kind, text) = match phase {
            RunPhase::Paused => (MarkKind::Phase, "paused".to_owned()),
            RunPhase::Finished => (MarkKind::Phase, "finished".to_owned()),
            RunPhase::Stopped => (MarkKind::Phase, "stopped".to_owned()),
            RunPhase::Failed(why) => (MarkKind::Warning, format!("failed: {why}")),
            _ => {
                self.phase = Some(phase.clone());
                return;
            }
        };
        let mark = Mark { step, kind, text: Shown::new(&text) };
        // A trainer that measures during a pause says again that it is paused.
        if !self.marks.iter().rev().take_while(|m| m.step == step).any(|m| *m == mark) {
            self.marks.push(mark);
        }
        self.phase = Some(phase.clone());
    }

    fn start_stage(&mut self, stage: usize, step: u64) {
        let info = self.run.as_ref().and_then(|r| r.stages.get(stage));
        let Some(name) = info.map(|s| s.name.clone()) else {
            let text = Shown::new(&format!("stage {stage} begins, but the run announced no such stage"));
            self.marks.push(Mark { step, kind: MarkKind::Warning, text });
            return;
        };
        self.stage = Some(stage);
        self.stage_starts.resize(stage, step);
        self.stage_starts.push(step);
        self.detector.begin_stage(stage, step);
        let text = Shown::new(&format!("stage {name} begins"));
        self.marks.push(Mark { step, kind: MarkKind::Stage, text });
    }

    fn add_step(&mut self, step: &StepMetrics) {
        self.step = step.step;
        for (key, &value) in &step.metrics {
            match self.metrics.get_mut(key) {
                Some(series) => series.push(step.step, value),
                None => self.metrics.entry(key.clone()).or_default().push(step.step, value),
            }
        }
        self.marks.extend(self.watch.step(step));
    }

    /// Folds in an evaluation, which is shared and not copied.
    pub(super) fn add_evaluation(&mut self, evaluation: &Arc<Evaluation>) {
        self.step = self.step.max(evaluation.step);
        self.evaluations.push(Arc::clone(evaluation));
        CurveId::of(evaluation).for_each(|curve| self.add_reading(curve, evaluation));
        if let Some(run) = &self.run {
            self.marks.extend(self.watch.evaluation(run, evaluation));
            self.marks.extend(self.detector.observe(run, &self.stage_starts, &self.evaluations));
        }
    }

    /// Adds one point to the mean of a curve that was measured.
    fn add_reading(&mut self, curve: CurveId, evaluation: &Evaluation) {
        if curve.values(evaluation).is_none() {
            return;
        }
        let means = Scale::ALL.map(|scale| (scale, mean(&self.sorted(curve, scale, evaluation))));
        let known = self.means.entry(curve).or_default();
        if known.stages.last().is_none_or(|&(stage, _)| stage != evaluation.stage) {
            let readings = known.scales.values().next().map_or(0, Series::len);
            known.stages.push((evaluation.stage, readings));
        }
        for (scale, mean) in means {
            known.scales.entry(scale).or_default().push(evaluation.step, mean);
        }
    }

    /// What a mean is over, in ascending order. Prompts without such a response do not count; a NaN among those that have
    /// one makes mean and quartiles NaN, a gap: a mean over whichever prompts happen to be finite is another quantity.
    fn sorted(&self, curve: CurveId, scale: Scale, evaluation: &Evaluation) -> Vec<f64> {
        let values = self.scaled(curve, scale, evaluation).unwrap_or_default().into_iter().enumerate();
        let mut counted: Vec<f64> =
            values.filter(|&(pair, _)| self.has_response(curve, pair)).map(|(_, x)| x).collect();
        counted.sort_by(f64::total_cmp);
        counted
    }

    /// Whether the prompt has the response that the curve follows; true for a prompt that the run did not describe.
    fn has_response(&self, curve: CurveId, pair: usize) -> bool {
        let probe = self.run.as_ref().and_then(|r| r.probes.get(pair));
        probe.is_none_or(|p| p.responses.contains_key(&curve.kind()))
    }

    /// How many prompts the mean and the quartiles of a curve are over.
    pub fn prompts(&self, curve: CurveId) -> usize {
        let prompts = self.run.as_ref().map_or(0, |r| r.probes.len());
        (0..prompts).filter(|&pair| self.has_response(curve, pair)).count()
    }

    /// The evaluations of a stage, the one that it started from first: the last at or before its first step.
    pub fn stage_evaluations(&self, stage: usize) -> &[Arc<Evaluation>] {
        stage_span(&self.evaluations, &self.stage_starts, stage)
    }

    /// How often something was measured.
    pub fn measurements(&self) -> usize {
        self.evaluations.len() + self.classes.len()
    }

    /// The step of the measurement with this place.
    pub fn measured_at(&self, place: usize) -> Option<u64> {
        let of_classes = || self.classes.get(place.checked_sub(self.evaluations.len())?).map(|r| r.step);
        self.evaluations.get(place).map(|e| e.step).or_else(of_classes)
    }

    /// How many measurements there are at or before a step. A run has evaluations or a classifier's readings.
    pub fn measured_up_to(&self, step: u64) -> usize {
        self.evaluations.partition_point(|e| e.step <= step) + self.classes.partition_point(|r| r.step <= step)
    }

    /// The step of the last measurement.
    pub fn last_measured(&self) -> Option<u64> {
        self.classes.last().map(|r| r.step).or_else(|| self.evaluations.last().map(|e| e.step))
    }

    /// Steps of the whole run, all stages together.
    pub fn total_steps(&self) -> u64 {
        self.run.as_ref().map_or(0, |r| r.stages.iter().map(|s| s.steps).sum())
    }

    /// The curve of one prompt, or the mean over all prompts that have the response, on the given scale. Empty where the
    /// run has no such curve. The mean is cached and shared.
    pub fn curve(&self, curve: CurveId, scale: Scale, pair: Option<usize>) -> Series {
        let Some(pair) = pair else {
            return self.means.get(&curve).and_then(|m| m.scales.get(&scale)).cloned().unwrap_or_default();
        };
        let mut series = Series::default();
        for evaluation in &self.evaluations {
            if let Some(values) = curve.values(evaluation) {
                let value = values.get(pair).copied().unwrap_or(f32::NAN);
                let start = self.origin(curve, scale, evaluation).and_then(|o| o.get(pair)).copied();
                series.push(evaluation.step, self.on_scale(curve, scale, pair, value, start));
            }
        }
        series
    }

    /// First and third quartile over prompts, on the given scale, of a curve's readings at these places. Worked out anew: of
    /// many readings, about `most` are looked at, evenly spread, the last among them.
    pub fn quartiles(&self, curve: CurveId, scale: Scale, places: Range<usize>, most: usize) -> (Series, Series) {
        let places = places.start..places.end.min(self.readings(curve));
        let every = places.len().div_ceil(most.max(1)).max(1);
        let wanted = |&(place, _): &(usize, &Arc<Evaluation>)| {
            (place - places.start).is_multiple_of(every) || place + 1 == places.end
        };
        let all = self.readings(curve) == self.evaluations.len();
        let measured = |e: &&Arc<Evaluation>| all || curve.values(e).is_some();
        let readings = self.evaluations.iter().filter(measured).enumerate().take(places.end).skip(places.start);
        let quartiles = readings.filter(wanted).map(|(_, evaluation)| {
            let sorted = self.sorted(curve, scale, evaluation);
            let quartile = |q| if sorted.iter().any(|x| x.is_nan()) { f64::NAN } else { quantile(&sorted, q) };
            ((evaluation.step, quartile(0.25)), (evaluation.step, quartile(0.75)))
        });
        quartiles.unzip()
    }

    /// Every curve that this program knows, and those that only this run has.
    pub fn curves(&self) -> impl Iterator<Item = CurveId> {
        CurveId::all().chain(self.means.keys().copied().filter(|curve| curve.is_unlisted()))
    }

    /// How often a curve was measured.
    pub fn readings(&self, curve: CurveId) -> usize {
        self.means.get(&curve).and_then(|m| m.scales.values().next()).map_or(0, Series::len)
    }

    /// The stages in which a curve was measured, each with the place of its first reading.
    pub(super) fn stages_of(&self, curve: CurveId) -> &[(usize, usize)] {
        self.means.get(&curve).map_or(&[], |means| &means.stages)
    }

    /// One value a prompt.
    fn scaled(&self, curve: CurveId, scale: Scale, evaluation: &Evaluation) -> Option<Vec<f64>> {
        let sums = curve.values(evaluation)?;
        let origin = self.origin(curve, scale, evaluation)?;
        let on_scale = |(pair, &sum)| self.on_scale(curve, scale, pair, sum, origin.get(pair).copied());
        Some(sums.iter().enumerate().map(on_scale).collect())
    }

    /// The sums that an evaluation's changes are counted from: the curve's first of the run, or of the evaluation's stage.
    fn origin(&self, curve: CurveId, scale: Scale, evaluation: &Evaluation) -> Option<&[f32]> {
        let from = match scale {
            Scale::StageDelta => self.stage_evaluations(evaluation.stage),
            _ => &self.evaluations,
        };
        from.iter().find_map(|e| curve.values(e))
    }

    /// A sum of log-probs on another scale; `start` is the prompt's sum where changes are counted from.
    fn on_scale(&self, curve: CurveId, scale: Scale, pair: usize, sum: f32, start: Option<f32>) -> f64 {
        let tokens = self.run.as_ref().and_then(|run| curve.tokens(run, pair));
        scale.of(f64::from(sum), tokens, start.map_or(f64::NAN, f64::from))
    }
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;

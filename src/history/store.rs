//! [`RunHistory`]: the fold over a run's events.

use std::collections::BTreeMap;

use super::detect::Detector;
use super::series::{CurveId, Scale, Series};
use crate::protocol::{Evaluation, MetricKey, RunPhase, RunStarted, StepMetrics, TrainerEvent};
use crate::text::Shown;

/// What a mark on the time line means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MarkKind {
    /// A stage begins.
    Stage,
    /// Pause, resume, stop.
    Phase,
    /// The detector entered or left a state that is no alarm.
    State,
    /// The detector says squeezing or collapse.
    Alarm,
    /// Something is wrong with the numbers or the run.
    Warning,
}

/// Something worth a line in the events panel and a marker on the chart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// Optimiser steps taken when it happened.
    pub step: u64,
    /// What it means.
    pub kind: MarkKind,
    /// A plain sentence.
    pub text: Shown,
}

/// Everything known about a run, derived from its events alone: the same events give the same history.
#[derive(Debug, Clone, Default)]
pub struct RunHistory {
    /// What the run is; `None` until it says so.
    pub run: Option<RunStarted>,
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
    pub evaluations: Vec<Evaluation>,
    /// What happened, in order.
    pub marks: Vec<Mark>,
    /// The verdict on the dynamics.
    pub detector: Detector,
    /// Tokens per second and seconds left, as last told; display only.
    pub speed: Option<(f64, f64)>,
}

impl RunHistory {
    /// Folds in one event.
    pub fn apply(&mut self, event: &TrainerEvent) {
        match event {
            TrainerEvent::RunStarted(run) => {
                self.detector = Detector::new(run.detector);
                self.run = Some((**run).clone());
            }
            TrainerEvent::Phase { phase, step } => self.enter_phase(phase, *step),
            TrainerEvent::StageStarted { stage, step } => self.start_stage(*stage, *step),
            TrainerEvent::Step(metrics) => self.add_step(metrics),
            TrainerEvent::Evaluation(evaluation) => {
                self.step = self.step.max(evaluation.step);
                self.evaluations.push((**evaluation).clone());
                if let Some(run) = &self.run {
                    self.marks.extend(self.detector.observe(run, &self.stage_starts, &self.evaluations));
                }
            }
            TrainerEvent::Speed { tokens_per_second, seconds_left } => {
                self.speed = Some((*tokens_per_second, *seconds_left));
            }
        }
    }

    fn enter_phase(&mut self, phase: &RunPhase, step: u64) {
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
        self.marks.push(Mark { step, kind, text: Shown::new(&text) });
        self.phase = Some(phase.clone());
    }

    fn start_stage(&mut self, stage: usize, step: u64) {
        self.stage = Some(stage);
        self.stage_starts.resize(stage, step);
        self.stage_starts.push(step);
        let name = self.run.as_ref().and_then(|r| r.stages.get(stage)).map_or("?", |s| s.name.as_str());
        let text = Shown::new(&format!("stage {name} begins"));
        self.marks.push(Mark { step, kind: MarkKind::Stage, text });
    }

    fn add_step(&mut self, step: &StepMetrics) {
        self.step = step.step;
        for (key, &value) in &step.metrics {
            self.metrics.entry(key.clone()).or_default().push(step.step, value);
        }
    }

    /// Steps of the whole run, all stages together.
    pub fn total_steps(&self) -> u64 {
        self.run.as_ref().map_or(0, |r| r.stages.iter().map(|s| s.steps).sum())
    }

    /// The curve of one prompt, or the mean over all prompts, on the given scale. Empty where the run has no such curve.
    pub fn curve(&self, curve: CurveId, scale: Scale, pair: Option<usize>) -> Series {
        let mut series = Series::default();
        for evaluation in &self.evaluations {
            if let Some(values) = self.scaled(curve, scale, evaluation) {
                series.push(evaluation.step, summary(&values, pair));
            }
        }
        series
    }

    /// First and third quartile over prompts, on the given scale.
    pub fn quartiles(&self, curve: CurveId, scale: Scale) -> (Series, Series) {
        let (mut low, mut high) = (Series::default(), Series::default());
        for evaluation in &self.evaluations {
            if let Some(mut values) = self.scaled(curve, scale, evaluation) {
                values.sort_by(f64::total_cmp);
                low.push(evaluation.step, quantile(&values, 0.25));
                high.push(evaluation.step, quantile(&values, 0.75));
            }
        }
        (low, high)
    }

    /// One value a prompt.
    fn scaled(&self, curve: CurveId, scale: Scale, evaluation: &Evaluation) -> Option<Vec<f64>> {
        let sums = curve.values(evaluation)?;
        let first = self.evaluations.first().and_then(|e| curve.values(e))?;
        let per_token = |pair: usize, x: f64| {
            let tokens = self.run.as_ref().and_then(|r| curve.tokens(r, pair)).unwrap_or(0);
            if tokens == 0 { f64::NAN } else { x / f64::from(tokens) }
        };
        Some(
            sums.iter()
                .enumerate()
                .map(|(pair, &sum)| {
                    let sum = f64::from(sum);
                    match scale {
                        Scale::LogProb => sum,
                        Scale::PerToken => per_token(pair, sum),
                        Scale::Probability => per_token(pair, sum).exp(),
                        Scale::Delta => sum - first.get(pair).map_or(f64::NAN, |&x| f64::from(x)),
                    }
                })
                .collect(),
        )
    }
}

/// One prompt's value, or the mean over all.
#[allow(clippy::cast_precision_loss, reason = "probe prompts are few")]
fn summary(values: &[f64], pair: Option<usize>) -> f64 {
    match pair {
        Some(pair) => values.get(pair).copied().unwrap_or(f64::NAN),
        None if values.is_empty() => f64::NAN,
        None => values.iter().sum::<f64>() / values.len() as f64,
    }
}

/// Linear interpolation between order statistics; `sorted` ascends.
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an index into a short list"
)]
fn quantile(sorted: &[f64], q: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let at = q * last as f64;
    let low = at.floor() as usize;
    let share = at - low as f64;
    sorted[low] * (1.0 - share) + sorted[(low + 1).min(last)] * share
}

//! What claims are made of: one stage of every run, changes per pair, pooled means and rates.

use std::collections::BTreeMap;

use super::{Figure, Unit};
use crate::history::stats::{Estimate, float, mean, rate, stratified_mean};
use crate::history::{CurveId, RunHistory};
use crate::protocol::{Evaluation, ProbeKind, RunStarted, StageInfo};

/// A stage of one run, from the evaluation that it started from to its last.
#[derive(Debug, Clone, Copy)]
pub(super) struct StageRun<'a> {
    run: &'a RunStarted,
    /// At least two.
    pub(super) evaluations: &'a [Evaluation],
}

/// The first stage of each run that `pick` accepts.
///
/// # Errors
/// In words: when a run has no such stage or did not complete it.
pub(super) fn stage_runs(histories: &[RunHistory], pick: fn(&StageInfo) -> bool) -> Result<Vec<StageRun<'_>>, String> {
    if histories.is_empty() {
        return Err("there is no run".to_owned());
    }
    histories.iter().map(|history| stage_run(history, pick)).collect()
}

fn stage_run(history: &RunHistory, pick: fn(&StageInfo) -> bool) -> Result<StageRun<'_>, String> {
    let run = history.run.as_ref().ok_or("a run never began")?;
    if !run.classes.is_empty() {
        return Err("classes are observed, not answers".to_owned());
    }
    let found = run.stages.iter().enumerate().find(|(_, info)| pick(info));
    let (stage, info) = found.ok_or("there is no such stage")?;
    let not_done = || format!("stage {} of {} did not come to its end", info.name, run.run_id);
    let start = *history.stage_starts.get(stage).ok_or_else(not_done)?;
    let evaluations = history.stage_evaluations(stage);
    let (first, last) = evaluations.first().zip(evaluations.last()).ok_or_else(not_done)?;
    if last.step < start + info.steps || last.step <= first.step {
        return Err(not_done());
    }
    Ok(StageRun { run, evaluations })
}

impl StageRun<'_> {
    pub(super) fn seed(&self) -> u64 {
        self.run.seed
    }

    /// Index of the last evaluation.
    pub(super) fn end(&self) -> usize {
        self.evaluations.len() - 1
    }

    /// The run's τ times the tokens of a pair's response, nats.
    fn noise(&self, kind: ProbeKind, pair: usize) -> f64 {
        let tokens = CurveId::Probe(kind).tokens(self.run, pair);
        tokens.map_or(f64::NAN, |t| self.run.detector.tau * f64::from(t))
    }

    /// Change of a curve from the stage's start to evaluation `to`, by pair, for every pair that has the response.
    fn changes(&self, curve: CurveId, to: usize) -> Result<BTreeMap<usize, f64>, String> {
        let values = |at: usize| self.evaluations.get(at).and_then(|e| curve.values(e));
        let (before, now) = values(0).zip(values(to)).ok_or_else(|| format!("{} was not measured", curve.key()))?;
        let change = |(&now, &before): (&f32, &f32)| f64::from(now) - f64::from(before);
        let all = now.iter().zip(before).map(change).enumerate();
        let changes: BTreeMap<_, _> = all.filter(|&(pair, _)| curve.tokens(self.run, pair).is_some()).collect();
        if changes.is_empty() { Err(format!("no prompt has a {} response", curve.kind())) } else { Ok(changes) }
    }

    /// Change of a curve from the stage's start to evaluation `to`, for every pair that has the response.
    pub(super) fn change(&self, curve: CurveId, to: usize) -> Result<Vec<f64>, String> {
        Ok(self.changes(curve, to)?.into_values().collect())
    }

    /// Changes of two probes over the stage, for every pair that has both responses.
    fn both(&self, one: ProbeKind, other: ProbeKind) -> Result<Vec<(usize, f64, f64)>, String> {
        let others = self.changes(CurveId::Probe(other), self.end())?;
        let ones = self.changes(CurveId::Probe(one), self.end())?;
        Ok(ones.into_iter().filter_map(|(pair, x)| Some((pair, x, *others.get(&pair)?))).collect())
    }

    /// Change of a probe over the stage.
    pub(super) fn probe(&self, kind: ProbeKind) -> Result<Vec<f64>, String> {
        self.change(CurveId::Probe(kind), self.end())
    }

    /// Change of one probe over that of another, pair by pair.
    pub(super) fn difference(&self, one: ProbeKind, other: ProbeKind) -> Result<Vec<f64>, String> {
        Ok(self.both(one, other)?.into_iter().map(|(_, one, other)| one - other).collect())
    }

    /// Per pair: the margin grew although y⁺ and y⁻ both fell by more than τ over the stage.
    pub(super) fn displaced(&self) -> Result<Vec<bool>, String> {
        let displaced = |(pair, chosen, rejected): (usize, f64, f64)| {
            chosen > rejected
                && chosen < -self.noise(ProbeKind::Chosen, pair)
                && rejected < -self.noise(ProbeKind::Rejected, pair)
        };
        Ok(self.both(ProbeKind::Chosen, ProbeKind::Rejected)?.into_iter().map(displaced).collect())
    }

    /// Evaluation after the start at which the mean of a curve is highest.
    pub(super) fn peak(&self, curve: CurveId) -> Result<usize, String> {
        let means = (1..=self.end()).map(|at| Ok((at, mean(&self.change(curve, at)?))));
        let means = means.collect::<Result<Vec<_>, String>>()?;
        let finite = means.into_iter().filter(|(_, x)| x.is_finite());
        // Of equal means the first: `max_by` would take the last.
        let peak = finite.rev().max_by(|a, b| a.1.total_cmp(&b.1));
        peak.map(|(at, _)| at).ok_or_else(|| format!("{} is nowhere finite", curve.key()))
    }
}

/// A mean over the pairs of all runs.
pub(super) fn pooled(
    runs: &[StageRun<'_>],
    label: impl Into<String>,
    values: impl Fn(&StageRun<'_>) -> Result<Vec<f64>, String>,
) -> Result<Figure, String> {
    let strata = runs.iter().map(values).collect::<Result<Vec<_>, _>>()?;
    let per_seed = runs.iter().zip(&strata).map(|(run, values)| (run.seed(), mean(values))).collect();
    Ok(Figure { label: label.into(), unit: Unit::Nats, pooled: stratified_mean(&strata), per_seed })
}

/// A share of the pairs of all runs.
pub(super) fn share(
    runs: &[StageRun<'_>],
    label: impl Into<String>,
    hits: impl Fn(&StageRun<'_>) -> Result<Vec<bool>, String>,
) -> Result<Figure, String> {
    let hits = runs.iter().map(hits).collect::<Result<Vec<_>, _>>()?;
    let counted = |hits: &[bool]| rate(hits.iter().filter(|&&h| h).count(), hits.len());
    let per_seed = runs.iter().zip(&hits).map(|(run, hits)| (run.seed(), counted(hits).value)).collect();
    Ok(Figure { label: label.into(), unit: Unit::Share, pooled: counted(&hits.concat()), per_seed })
}

/// A step of each run.
pub(super) fn steps(label: impl Into<String>, per_seed: Vec<(u64, f64)>) -> Figure {
    let values: Vec<f64> = per_seed.iter().map(|&(_, x)| x).collect();
    let pooled = Estimate { value: mean(&values), low: f64::NAN, high: f64::NAN, n: values.len() };
    Figure { label: label.into(), unit: Unit::Steps, pooled, per_seed }
}

/// A correlation of each run.
pub(super) fn correlation(label: impl Into<String>, per_seed: Vec<(u64, f64)>) -> Figure {
    Figure { unit: Unit::Correlation, ..steps(label, per_seed) }
}

/// A step as a number.
#[allow(clippy::cast_precision_loss, reason = "steps are far below 2^52")]
pub(super) fn step(evaluation: &Evaluation) -> f64 {
    evaluation.step as f64
}

/// A share of runs.
pub(super) fn share_of_runs(label: impl Into<String>, per_seed: Vec<(u64, bool)>) -> Figure {
    let hits = per_seed.iter().filter(|(_, hit)| *hit).count();
    let pooled = rate(hits, per_seed.len());
    let per_seed = per_seed.into_iter().map(|(seed, hit)| (seed, float(usize::from(hit)))).collect();
    Figure { label: label.into(), unit: Unit::Share, pooled, per_seed }
}

impl Figure {
    /// Whether the whole interval is above zero.
    pub(super) fn rises(&self) -> bool {
        self.pooled.low > 0.0
    }

    /// Whether the whole interval is below zero.
    pub(super) fn falls(&self) -> bool {
        self.pooled.high < 0.0
    }
}

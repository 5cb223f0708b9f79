//! The measures that claims are made of: one stage of every run, changes per pair, pooled means and rates.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::claim::{Figure, Measured, Unit};
use crate::history::band::{self, Warned};
use crate::history::forces::{Entry, Force};
use crate::history::stats::{Estimate, float, mean, rate, stratified_mean};
use crate::history::{CurveId, Moved, Place, RunHistory, displaced, margins};
use crate::protocol::{Evaluation, MetricKey, ProbeKind, RunStarted, StageInfo};

/// A stage of one run, from the evaluation that it started from to its last.
#[derive(Debug, Clone, Copy)]
pub(super) struct StageRun<'a> {
    history: &'a RunHistory,
    pub(super) run: &'a RunStarted,
    /// Index of the stage.
    pub(super) stage: usize,
    /// The evaluations of the stage, the one that it started from first; at least two.
    pub(super) evaluations: &'a [Arc<Evaluation>],
}

/// A claim that is read in one stage of every run.
pub(super) struct StageClaim {
    pub(super) id: &'static str,
    pub(super) statement: &'static str,
    pub(super) measure: fn(&[StageRun<'_>]) -> Measured,
}

/// The first stage of each run that `pick` accepts.
///
/// # Errors
/// In words: when a run has no such stage or did not complete it.
pub(super) fn stage_runs<'a>(
    histories: &[&'a RunHistory],
    pick: fn(&StageInfo) -> bool,
) -> Result<Vec<StageRun<'a>>, String> {
    if histories.is_empty() {
        return Err("there is no run".to_owned());
    }
    histories.iter().map(|history| StageRun::first(history, pick)).collect()
}

/// What a run whose answers are observed began with.
fn answering(history: &RunHistory) -> Result<&RunStarted, String> {
    let run = history.run.as_ref().ok_or("a run never began")?;
    if run.classes.is_empty() { Ok(run) } else { Err("classes are observed, not answers".to_owned()) }
}

impl<'a> StageRun<'a> {
    /// The first stage that `pick` accepts.
    pub(super) fn first(history: &'a RunHistory, pick: fn(&StageInfo) -> bool) -> Result<Self, String> {
        let stage = answering(history)?.stages.iter().position(pick).ok_or("there is no such stage")?;
        Self::completed(history, stage)
    }

    /// A stage by its index.
    pub(super) fn completed(history: &'a RunHistory, stage: usize) -> Result<Self, String> {
        let run = answering(history)?;
        let info = run.stages.get(stage).ok_or("there is no such stage")?;
        let not_done = || format!("stage {} of {} did not come to its end", info.name, run.run_id);
        let start = *history.stage_starts.get(stage).ok_or_else(not_done)?;
        let evaluations = history.stage_evaluations(stage);
        let (first, last) = evaluations.first().zip(evaluations.last()).ok_or_else(not_done)?;
        if last.step < start + info.steps || last.step <= first.step {
            return Err(not_done());
        }
        Ok(Self { history, run, stage, evaluations })
    }

    pub(super) fn seed(&self) -> u64 {
        self.run.seed
    }

    /// Steps since the stage began, at each evaluation.
    pub(super) fn steps_taken(&self) -> Vec<f64> {
        let start = self.evaluations.first().map_or(0.0, |e| step(e));
        self.evaluations.iter().map(|e| step(e) - start).collect()
    }

    /// Index of the last evaluation.
    pub(super) fn end(&self) -> usize {
        self.evaluations.len() - 1
    }

    /// What the stage is.
    pub(super) fn info(&self) -> Option<&'a StageInfo> {
        self.run.stages.get(self.stage)
    }

    /// A curve at a place, by pair, for every pair that has the response; linear between evaluations.
    pub(super) fn levels(&self, curve: CurveId, place: Place) -> Result<BTreeMap<usize, f64>, String> {
        let not_measured = || format!("{} was not measured", curve.key());
        let values = |at: usize| self.evaluations.get(at).and_then(|e| curve.values(e)).ok_or_else(not_measured);
        let (before, after) = place.evaluations();
        let (before, after) = (values(before)?, values(after)?);
        let level = |(&a, &b): (&f32, &f32)| place.mix(f64::from(a), f64::from(b));
        let all = before.iter().zip(after).map(level).enumerate();
        let levels: BTreeMap<_, _> = all.filter(|&(pair, _)| curve.tokens(self.run, pair).is_some()).collect();
        if levels.is_empty() { Err(format!("no prompt has a {} response", curve.kind())) } else { Ok(levels) }
    }

    /// Change of a curve from the stage's start to a place, by pair.
    pub(super) fn changes(&self, curve: CurveId, place: Place) -> Result<BTreeMap<usize, f64>, String> {
        let before = self.levels(curve, Place::at(0))?;
        let now = self.levels(curve, place)?;
        Ok(now.into_iter().filter_map(|(pair, x)| Some((pair, x - before.get(&pair)?))).collect())
    }

    /// Change of a curve from the stage's start to evaluation `to`, for every pair that has the response.
    pub(super) fn change(&self, curve: CurveId, to: usize) -> Result<Vec<f64>, String> {
        Ok(self.changes(curve, Place::at(to))?.into_values().collect())
    }

    /// Changes of two probes to a place, for every pair that has both responses.
    fn both(&self, one: ProbeKind, other: ProbeKind, place: Place) -> Result<Vec<(usize, f64, f64)>, String> {
        let others = self.changes(CurveId::Probe(other), place)?;
        let ones = self.changes(CurveId::Probe(one), place)?;
        Ok(ones.into_iter().filter_map(|(pair, x)| Some((pair, x, *others.get(&pair)?))).collect())
    }

    /// Change of a probe over the stage.
    pub(super) fn probe(&self, kind: ProbeKind) -> Result<Vec<f64>, String> {
        self.change(CurveId::Probe(kind), self.end())
    }

    /// Change of one probe over that of another, pair by pair.
    pub(super) fn difference(&self, one: ProbeKind, other: ProbeKind) -> Result<Vec<f64>, String> {
        let both = self.both(one, other, Place::at(self.end()))?;
        Ok(both.into_iter().map(|(_, one, other)| one - other).collect())
    }

    /// Whether a pair is displaced, by pair: the margin grew although y⁺ and y⁻ both fell by more than τ, from the stage's start to a place.
    pub(super) fn displaced(&self, place: Place) -> Result<BTreeMap<usize, bool>, String> {
        let moved = |kind, pair, change| Moved::beyond_tau(self.run, kind, pair, change);
        let displaced = |(pair, chosen, rejected): (usize, f64, f64)| {
            (pair, displaced(moved(ProbeKind::Chosen, pair, chosen), moved(ProbeKind::Rejected, pair, rejected)))
        };
        Ok(self.both(ProbeKind::Chosen, ProbeKind::Rejected, place)?.into_iter().map(displaced).collect())
    }

    /// Growth of the training margin at each evaluation, nats.
    pub(super) fn margins(&self) -> Result<Vec<f64>, String> {
        margins(self.history, self.stage).ok_or_else(|| format!("{} was not recorded", MetricKey::REWARDS_MARGINS))
    }

    /// The windows of the stage in which changes were taken apart.
    pub(super) fn windows(&self) -> Result<Vec<&'a Entry>, String> {
        let windows: Vec<&Entry> =
            self.history.forces.entries.iter().map(AsRef::as_ref).filter(|e| e.stage == self.stage).collect();
        if windows.is_empty() { Err("forces were not measured".to_owned()) } else { Ok(windows) }
    }

    /// The windows of the stage that the band was told for.
    pub(super) fn warned(&self) -> Vec<Warned> {
        band::windows(self.history, self.stage)
    }

    /// A part of what moved an answer from the stage's start to a place, by pair; linear between evaluations.
    pub(super) fn forces(
        &self,
        kind: ProbeKind,
        place: Place,
        part: fn(Force) -> f64,
    ) -> Result<BTreeMap<usize, f64>, String> {
        let windows = self.windows()?;
        let at = |evaluation: usize| {
            let step = self.evaluations.get(evaluation).map(|e| e.step);
            let total = windows.iter().find(|w| Some(w.step) == step).and_then(|w| w.total.get(&kind));
            move |pair: usize| match total {
                Some(total) => total.get(pair).copied().flatten().map(part),
                // Nothing has moved anything where the stage begins.
                None => (evaluation == 0).then_some(0.0),
            }
        };
        let (before, after) = place.evaluations();
        let (before, after) = (at(before), at(after));
        let between = |pair| Some((pair, place.mix(before(pair)?, after(pair)?)));
        let pairs = windows.iter().filter_map(|w| w.total.get(&kind)).map(Vec::len).max().unwrap_or(0);
        Ok((0..pairs).filter_map(between).collect())
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

/// Share of all pairs of all runs of which something holds; of means over prompts that are not told apart, the share of
/// those means. `label` goes on after "pairs".
pub(super) fn share_of_pairs(
    runs: &[StageRun<'_>],
    label: &str,
    hits: impl Fn(&StageRun<'_>) -> Result<Vec<bool>, String>,
) -> Result<Figure, String> {
    let whose = if runs.iter().any(|r| r.run.means) { "means over prompts" } else { "pairs" };
    share(runs, format!("{whose} {label}"), hits)
}

/// A step of each run.
pub(super) fn steps(label: impl Into<String>, per_seed: Vec<(u64, f64)>) -> Figure {
    Figure { unit: Unit::Steps, ..of_runs(label, per_seed) }
}

/// A number of each run, in nats; their mean has no interval.
pub(super) fn of_runs(label: impl Into<String>, per_seed: Vec<(u64, f64)>) -> Figure {
    let values: Vec<f64> = per_seed.iter().map(|&(_, x)| x).collect();
    let pooled = Estimate { value: mean(&values), low: f64::NAN, high: f64::NAN, n: values.len() };
    Figure { label: label.into(), unit: Unit::Nats, pooled, per_seed }
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

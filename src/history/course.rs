//! One stage of one run, cut down to what a comparison needs: every curve pair by pair at every evaluation, and how far
//! training had come by then.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::place::Place;
use super::progress;
use super::readings::displaced;
use super::series::{CurveId, Scale};
use super::state::DynamicsState;
use super::stats::float;
use super::store::RunHistory;
use crate::protocol::{Evaluation, RunStarted};
use crate::text::Shown;

/// The measure by which runs are brought onto one axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, clap::ValueEnum)]
pub enum By {
    /// Optimiser steps since the stage began.
    #[default]
    Step,
    /// Training loss, the mean over the steps since the evaluation before.
    Loss,
    /// Growth of the training margin since the stage's first step, nats.
    Margin,
}

impl By {
    /// Every way, in the order in which the key cycles.
    pub const ALL: [Self; 3] = [Self::Step, Self::Loss, Self::Margin];

    /// The word in titles and file names.
    pub fn title(self) -> &'static str {
        match self {
            Self::Step => "step",
            Self::Loss => "loss",
            Self::Margin => "margin",
        }
    }

    /// The name of the axis, with its unit.
    pub fn axis(self) -> &'static str {
        match self {
            Self::Step => "step",
            Self::Loss => "loss",
            Self::Margin => "margin (nats)",
        }
    }

    /// Progress as the number that a reader knows it by, and back: a loss falls where training goes on.
    pub(super) fn flipped(self, x: f64) -> f64 {
        if self == Self::Loss { -x } else { x }
    }
}

/// One stage of one run.
#[derive(Debug, Clone)]
pub struct Course {
    /// Seed of the run.
    pub seed: u64,
    /// Name of the stage.
    pub stage: Shown,
    /// What the stage came to.
    pub outcome: StageOutcome,
    /// Whether its numbers are means over prompts that are not told apart.
    pub of_means: bool,
    prompts: Vec<String>,
    curves: BTreeMap<CurveId, Readings>,
    /// One an evaluation, the one that the stage started from first.
    steps: Vec<f64>,
    losses: Vec<f64>,
    margins: Vec<f64>,
}

/// What a stage came to.
#[derive(Debug, Clone, PartialEq)]
pub struct StageOutcome {
    /// Whether a pair is displaced, for every pair that could be read: over the stage the margin grew while y⁺ and y⁻ both fell by more than τ.
    pub displaced: Vec<bool>,
    /// The detector's state at the stage's last evaluation.
    pub state: DynamicsState,
    /// Step of the run at which the detector first raised an alarm in the stage.
    pub first_alarm: Option<u64>,
    /// Training loss, the mean over the steps since the last evaluation but one.
    pub loss: f64,
}

/// A curve: sums of log-probs, nats, by evaluation and pair.
#[derive(Debug, Clone)]
struct Readings {
    /// Completion tokens of each pair's response; `None` where the prompt has no such response.
    tokens: Vec<Option<u32>>,
    /// Sums at the run's first evaluation that has the curve, by pair.
    first: Vec<f32>,
    sums: Vec<Vec<f32>>,
}

impl Course {
    /// Truncation a stage out of a run: the one of that name, or else the first that pushes rejected answers down, or else the
    /// last.
    ///
    /// # Errors
    /// In words: when there is no such stage or it was not measured at least twice.
    pub fn of(history: &RunHistory, stage: Option<&str>) -> Result<Self, String> {
        let run = history.run.as_ref().ok_or("the run never began")?;
        let index = stage_index(run, stage)?;
        let name = Shown::new(&run.stages[index].name);
        let start = history.stage_starts.get(index).ok_or_else(|| format!("stage {name} was never reached"))?;
        let evaluations = history.stage_evaluations(index);
        let [first, .., last] = evaluations else { return Err(format!("stage {name} was measured less than twice")) };
        let unrecorded = || vec![f64::NAN; evaluations.len()];
        let losses = progress::losses(history, index).unwrap_or_else(unrecorded);
        let standing = history.detector.standings.iter().rev().find(|s| s.stage == index);
        Ok(Self {
            seed: run.seed,
            stage: name,
            of_means: run.means,
            outcome: StageOutcome {
                displaced: displaced(run, first, last).into_iter().flatten().collect(),
                state: standing.map(|s| s.state).unwrap_or_default(),
                first_alarm: history.detector.alarms().find(|a| a.stage == index).map(|a| a.step),
                loss: losses.last().copied().unwrap_or(f64::NAN),
            },
            prompts: run.probes.iter().map(|p| p.prompt.clone()).collect(),
            curves: CurveId::all().filter_map(|c| Some((c, Readings::of(history, run, evaluations, c)?))).collect(),
            steps: evaluations.iter().map(|e| steps_since(e.step, *start)).collect(),
            margins: progress::margins(history, index).unwrap_or_else(unrecorded),
            losses,
        })
    }

    /// The curves that were measured.
    pub fn curves(&self) -> impl Iterator<Item = CurveId> {
        self.curves.keys().copied()
    }

    /// The prompts under observation, raw.
    pub(super) fn prompts(&self) -> &[String] {
        &self.prompts
    }

    /// How far training had come at each evaluation, where that is further than at any before: the running maximum of the
    /// progress, and an evaluation that does not raise it is passed over. So a value belongs to the moment when the margin
    /// or the loss was FIRST reached.
    pub(super) fn track(&self, by: By) -> Vec<(f64, usize)> {
        let all = match by {
            By::Step => &self.steps,
            By::Loss => &self.losses,
            By::Margin => &self.margins,
        };
        let mut track: Vec<(f64, usize)> = Vec::new();
        for (at, progress) in all.iter().map(|&x| by.flipped(x)).enumerate() {
            if progress.is_finite() && track.last().is_none_or(|&(reached, _)| progress > reached) {
                track.push((progress, at));
            }
        }
        track
    }

    /// The curve at a place on a scale, one value a prompt; `None` where the prompt has no such response. Between two
    /// evaluations sums of log-probs are interpolated linearly.
    pub(super) fn values(&self, curve: CurveId, scale: Scale, place: Place) -> Vec<Option<f64>> {
        let Some(readings) = self.curves.get(&curve) else { return Vec::new() };
        let value = |(pair, tokens): (usize, &Option<u32>)| {
            let tokens = (*tokens)?;
            let origin = match scale {
                Scale::StageDelta => readings.sum(pair, Place::at(0)),
                _ => readings.first.get(pair).map_or(f64::NAN, |&x| f64::from(x)),
            };
            Some(scale.of(readings.sum(pair, place), Some(tokens), origin))
        };
        readings.tokens.iter().enumerate().map(value).collect()
    }
}

impl Readings {
    /// `None` where the run has no such curve.
    fn of(history: &RunHistory, run: &RunStarted, evaluations: &[Arc<Evaluation>], curve: CurveId) -> Option<Self> {
        let first = history.evaluations.iter().find_map(|e| curve.values(e))?.to_vec();
        let sums: Vec<_> = evaluations.iter().map(|e| curve.values(e).unwrap_or_default().to_vec()).collect();
        let tokens: Vec<_> = (0..run.probes.len()).map(|pair| curve.tokens(run, pair)).collect();
        let measured = sums.iter().any(|s| !s.is_empty()) && tokens.iter().any(Option::is_some);
        measured.then_some(Self { tokens, first, sums })
    }

    fn sum(&self, pair: usize, place: Place) -> f64 {
        let at =
            |evaluation: usize| self.sums.get(evaluation).and_then(|s| s.get(pair)).map_or(f64::NAN, |&x| f64::from(x));
        let (before, after) = place.evaluations();
        place.mix(at(before), at(after))
    }
}

fn stage_index(run: &RunStarted, stage: Option<&str>) -> Result<usize, String> {
    let known = || run.stages.iter().map(|s| Shown::new(&s.name).to_string()).collect::<Vec<_>>().join(", ");
    match stage {
        Some(name) => run
            .stages
            .iter()
            .position(|s| s.name == name)
            .ok_or_else(|| format!("there is no stage {}; the run has {}", Shown::new(name), known())),
        None => {
            let pushing = run.stages.iter().position(|s| s.has_rejected);
            pushing.or(run.stages.len().checked_sub(1)).ok_or_else(|| "the run has no stage".to_owned())
        }
    }
}

/// Steps from the stage's start; the evaluation that it started from may lie before it.
fn steps_since(step: u64, start: u64) -> f64 {
    float(usize::try_from(step.saturating_sub(start)).unwrap_or(usize::MAX))
}

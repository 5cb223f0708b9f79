//! A stage so far, read pair by pair: y⁺, y⁻ and the argmax, their courses and their means.

use std::sync::Arc;

use super::displacement::{self, Moved};
use super::evidence::{Hold, Series};
use super::noise::MEMORY;
use super::stats::mean;
use crate::protocol::{DetectorSettings, Evaluation, ProbeKind, RunStarted};

/// The direction of y⁺ over the last quarter of the stage so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Direction {
    /// Neither up nor down beyond τ and noise.
    #[default]
    Steady,
    /// Down.
    Worsening,
    /// Up.
    Easing,
}

impl Direction {
    /// The word on the screen.
    pub fn title(self) -> &'static str {
        match self {
            Self::Steady => "steady",
            Self::Worsening => "worsening",
            Self::Easing => "easing",
        }
    }
}

/// The highest mean of y⁺ in a stage, once it is passed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Peak {
    /// Step of the evaluation.
    pub step: u64,
    /// Fall since, nats, positive.
    pub fall: f64,
}

/// Per pair, whether it is displaced from one evaluation to another by the run's own τ; `None` where it cannot be read.
pub(super) fn displaced(run: &RunStarted, before: &Evaluation, now: &Arc<Evaluation>) -> Vec<Option<bool>> {
    let readings = Readings::new(run, before, std::slice::from_ref(now), &run.detector);
    (0..run.probes.len()).map(|pair| readings.displaced(pair)).collect()
}

/// What is read of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Read {
    Chosen,
    Rejected,
    Argmax,
}

impl Read {
    pub(super) fn values(self, evaluation: &Evaluation) -> Option<&[f32]> {
        match self {
            Self::Chosen => evaluation.logps.get(ProbeKind::Chosen),
            Self::Rejected => evaluation.logps.get(ProbeKind::Rejected),
            Self::Argmax => Some(evaluation.chosen.argmax_logps.as_slice()),
        }
    }

    /// The response along which it is read.
    pub(super) fn kind(self) -> ProbeKind {
        if self == Self::Rejected { ProbeKind::Rejected } else { ProbeKind::Chosen }
    }
}

/// A stage so far, read pair by pair: where it started, and the latest evaluations since.
pub(super) struct Readings<'a> {
    pub(super) run: &'a RunStarted,
    pub(super) start: &'a Evaluation,
    /// The evaluations since, in ascending steps, the latest last; never empty.
    pub(super) later: &'a [Arc<Evaluation>],
    /// The steps of the later evaluations.
    pub(super) steps: Vec<u64>,
    /// Whether these are all evaluations since the start.
    pub(super) whole: bool,
    pub(super) settings: &'a DetectorSettings,
}

impl<'a> Readings<'a> {
    pub(super) fn new(
        run: &'a RunStarted,
        start: &'a Evaluation,
        later: &'a [Arc<Evaluation>],
        settings: &'a DetectorSettings,
    ) -> Self {
        let whole = later.len() <= MEMORY;
        let later = &later[later.len().saturating_sub(MEMORY)..];
        Self { run, start, later, steps: later.iter().map(|e| e.step).collect(), whole, settings }
    }

    pub(super) fn now(&self) -> &Evaluation {
        self.later.last().map_or(self.start, AsRef::as_ref)
    }

    /// Whether something is measured at all, at both ends.
    pub(super) fn measured(&self, what: Read) -> bool {
        [self.start, self.now()].iter().all(|e| what.values(e).is_some_and(|v| !v.is_empty()))
    }

    /// Whether y⁻ is measured. A stage that pushes nothing down has no y⁻ whose fall could be deduced.
    pub(super) fn rejected_measured(&self) -> bool {
        let pushes_down = self.run.stages.get(self.now().stage).is_some_and(|s| s.has_rejected);
        self.measured(Read::Rejected) || !pushes_down
    }

    /// The course of any number of an evaluation; `tokens` are those that τ counts by.
    pub(super) fn course(&self, value: &dyn Fn(&Evaluation) -> f64, tokens: f64) -> Option<Series<'_>> {
        let values: Vec<f64> = self.later.iter().map(|evaluation| value(evaluation)).collect();
        let start = (self.start.step, value(self.start));
        Series::new(start, (&self.steps, &values), self.whole, self.settings.tau * tokens, self.settings)
    }

    /// A pair's course; `None` where it has no such response or a number is missing at either end.
    pub(super) fn pair(&self, what: Read, pair: usize) -> Option<Series<'_>> {
        let tokens = self.run.probes.get(pair)?.responses.get(&what.kind())?.tokens;
        let value = |e: &Evaluation| what.values(e).and_then(|v| v.get(pair)).map_or(f64::NAN, |&x| f64::from(x));
        self.course(&value, f64::from(tokens))
    }

    /// The margin grew while y⁺ and y⁻ both fell; `None` where the pair cannot be read.
    pub(super) fn displaced(&self, pair: usize) -> Option<bool> {
        let moved = |series: &Series<'_>| Moved { change: series.change(), fell: series.moved(-1.0) };
        let chosen = moved(&self.pair(Read::Chosen, pair)?);
        if !self.rejected_measured() {
            return Some(chosen.fell);
        }
        let rejected = moved(&self.pair(Read::Rejected, pair)?);
        Some(displacement::displaced(chosen, rejected))
    }

    /// Mean of a reading over the pairs that have it.
    pub(super) fn mean_at(&self, what: Read, evaluation: &Evaluation) -> f64 {
        let has = |pair: usize| self.run.probes.get(pair).is_some_and(|p| p.responses.contains_key(&what.kind()));
        let values = what.values(evaluation).unwrap_or_default().iter().enumerate();
        mean(&values.filter(|&(pair, _)| has(pair)).map(|(_, &x)| f64::from(x)).collect::<Vec<_>>())
    }

    /// Tokens of a response, mean over the pairs that have it.
    pub(super) fn mean_tokens(&self, what: Read) -> f64 {
        let tokens = self.run.probes.iter().filter_map(|p| p.responses.get(&what.kind())).map(|r| f64::from(r.tokens));
        mean(&tokens.collect::<Vec<_>>())
    }

    /// The course of a mean.
    pub(super) fn mean(&self, what: Read) -> Option<Series<'_>> {
        self.course(&|e| self.mean_at(what, e), self.mean_tokens(what))
    }

    /// The course of the mean of one reading over that of another.
    pub(super) fn mean_over(&self, what: Read, other: Read) -> Option<Series<'_>> {
        self.course(&|e| self.mean_at(what, e) - self.mean_at(other, e), self.mean_tokens(Read::Chosen))
    }

    pub(super) fn mean_change(&self, what: Read) -> f64 {
        self.mean_at(what, self.now()) - self.mean_at(what, self.start)
    }

    pub(super) fn direction(&self) -> Direction {
        let Some(chosen) = self.mean(Read::Chosen) else { return Direction::Steady };
        match chosen.recent_change(DIRECTION) {
            change if change < -chosen.tolerance() => Direction::Worsening,
            change if change > chosen.tolerance() => Direction::Easing,
            _ => Direction::Steady,
        }
    }

    /// Step and value of the highest mean of y⁺, carried on from the one before.
    pub(super) fn highest(&self, before: Option<(u64, f64)>) -> (u64, f64) {
        let start = (self.start.step, self.mean_at(Read::Chosen, self.start));
        let before = before.unwrap_or(start);
        let now = (self.now().step, self.mean_at(Read::Chosen, self.now()));
        if now.1 > before.1 || before.1.is_nan() { now } else { before }
    }

    /// The highest mean of y⁺, if it rose there beyond noise and has fallen beyond noise since.
    pub(super) fn peak(&self, (step, highest): (u64, f64)) -> Option<Peak> {
        let tolerance = self.mean(Read::Chosen)?.tolerance();
        let over = |e: &Evaluation| highest - self.mean_at(Read::Chosen, e);
        (over(self.start) > tolerance && over(self.now()) > tolerance).then(|| Peak { step, fall: over(self.now()) })
    }

    /// What means alone say of displacement and of a squeeze: y⁺ below its start, y⁻ too and the margin grown where y⁻ is
    /// recorded; and the argmax above its start, further above y⁺ than it was, while y⁺ falls on.
    pub(super) fn of_means(&self) -> (Hold, Hold) {
        let hold = |series: Option<Series<'_>>, sign: f64| {
            series.map_or(Hold::UNDECIDED, |s| Hold { enter: s.mean_moved(sign), stay: s.mean_is_beyond_start(sign) })
        };
        let mut displacing = hold(self.mean(Read::Chosen), -1.0);
        if self.measured(Read::Rejected) {
            let margin = hold(self.mean_over(Read::Chosen, Read::Rejected), 1.0);
            displacing = displacing.and(hold(self.mean(Read::Rejected), -1.0)).and(margin);
        }
        if !self.measured(Read::Argmax) {
            return (displacing, Hold::UNDECIDED);
        }
        let gap = hold(self.mean_over(Read::Argmax, Read::Chosen), 1.0);
        let mut squeezing = displacing.and(hold(self.mean(Read::Argmax), 1.0)).and(gap);
        squeezing.enter &= self.mean(Read::Chosen).is_some_and(|chosen| chosen.mean_falls());
        (displacing, squeezing)
    }
}

/// Share of the steps since the stage began over which the direction is read.
pub(super) const DIRECTION: f64 = 0.25;

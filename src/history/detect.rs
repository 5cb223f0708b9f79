//! The squeeze detector: what changed since the stage began, pair by pair, turned into states with hysteresis. It sees raw
//! values, never smoothed ones, and judges the same whether it is shown every fourth step or every sixty-fourth.
//!
//! What counts: a pair is *displaced* when its margin grew although y⁺ and y⁻ both fell below where the stage began; it is
//! *squeezed* when, besides, the argmax along y⁺ rose and y* took at least `squeezed_share` of the mass that was freed
//! since. A fall or a rise counts beyond τ and beyond the noise of an evaluation (see `evidence`). A state is entered at
//! its rate of such pairs and left below a part of it. A rising argmax alone is no squeeze: supervised finetuning does
//! that too. Hence a stage without rejected answers is healthy by definition, and every stage starts healthy.

use std::sync::Arc;

use super::evidence::Hold;
use super::mark::{Mark, MarkKind, stage_span};
use super::readings::Direction;
use super::standing::{Courses, Evidence, Standing};
use super::state::{DynamicsState, StateChange};
use crate::protocol::{DetectorSettings, Evaluation, RunStarted};
use crate::text::{Shown, minus};

/// Turns evaluations into states, with hysteresis.
#[derive(Debug, Clone, Default)]
pub struct Detector {
    /// The thresholds.
    pub settings: DetectorSettings,
    /// The state the run is in.
    pub state: DynamicsState,
    /// Why it is in that state as it stands now, as a plain, displayable sentence; empty while nothing was said.
    pub reason: String,
    /// How each evaluation stands against the start of its stage.
    pub standings: Vec<Arc<Standing>>,
    /// The numbers of the standings over steps.
    pub courses: Courses,
    /// Every change of state, in order.
    pub changes: Vec<StateChange>,
    /// Which states are held.
    held: Held,
    /// Standings before this one belong to earlier stages.
    stage_begins: usize,
    /// Whether y⁺ passed its peak in this stage.
    past_peak: bool,
}

/// States that are held, each on its own: a squeeze displaces too.
#[derive(Debug, Clone, Copy, Default)]
struct Held {
    displacing: bool,
    flattening: bool,
    squeezing: bool,
    collapse: bool,
}

impl Held {
    fn update(&mut self, evidence: &Evidence) {
        let hold = |held: &mut bool, evidence: Hold| *held = if *held { evidence.stay } else { evidence.enter };
        hold(&mut self.displacing, evidence.displacing);
        hold(&mut self.flattening, evidence.flattening);
        hold(&mut self.squeezing, evidence.squeezing);
        hold(&mut self.collapse, evidence.collapse);
    }

    /// The gravest state that is held. Text that repeats itself is a collapse only of what squeezes, and mass that flattens
    /// out a state only of what displaces.
    fn state(self) -> DynamicsState {
        match self {
            Self { squeezing: true, collapse: true, .. } => DynamicsState::Collapse,
            Self { squeezing: true, .. } => DynamicsState::Squeezing,
            Self { displacing: true, flattening: true, .. } => DynamicsState::Flattening,
            Self { displacing: true, .. } => DynamicsState::Displacing,
            _ => DynamicsState::Healthy,
        }
    }
}

impl Detector {
    /// A detector that has seen nothing.
    pub fn new(settings: DetectorSettings) -> Self {
        Self { settings, ..Self::default() }
    }

    /// A new stage begins after `step` steps: what was said about the last one no longer holds.
    pub fn begin_stage(&mut self, stage: usize, step: u64) {
        if self.state != DynamicsState::Healthy {
            let state = DynamicsState::Healthy;
            self.changes.push(StateChange { step, stage, state, share: f64::NAN });
        }
        self.state = DynamicsState::Healthy;
        self.held = Held::default();
        self.reason.clear();
        self.stage_begins = self.standings.len();
        self.past_peak = false;
    }

    /// Changes of state that are announced.
    pub fn alarms(&self) -> impl Iterator<Item = &StateChange> {
        self.changes.iter().filter(|change| change.state.is_alarm())
    }

    /// The change by which the present state was entered; `None` while the run is healthy.
    pub fn began(&self) -> Option<&StateChange> {
        self.changes.last().filter(|change| change.state != DynamicsState::Healthy)
    }

    /// The sentence of the banner: since when the present state holds, how it stood then and stands now, and why; displayable.
    pub fn announcement(&self) -> String {
        let Some((change, now)) = self.began().zip(self.standings.last()) else { return self.reason.clone() };
        let mut said = format!("began at step {}", change.step);
        if change.share.is_finite() {
            said += &format!(" with {} of pairs; now {}", percent(change.share), percent(share(self.state, now)));
        }
        if now.direction != Direction::Steady {
            said += &format!(", {}", now.direction.title());
        }
        format!("{said}: {}", self.reason)
    }

    /// The announcement in brief, for a screen too narrow for the reason: since when, on how many pairs, and how far y⁺, y⁻
    /// and the argmax moved since the stage began, in nats, means over pairs.
    pub fn headline(&self) -> String {
        let Some((change, now)) = self.began().zip(self.standings.last()) else { return self.reason.clone() };
        let mut said = format!("since step {}", change.step);
        if change.share.is_finite() {
            said += &format!(": {} of pairs then, {} now", percent(change.share), percent(share(self.state, now)));
        }
        if now.direction != Direction::Steady {
            said += &format!(", {}", now.direction.title());
        }
        let moved = [("y⁺", now.chosen), ("y⁻", now.rejected), ("argmax", now.argmax)];
        let moved = moved.iter().filter(|(_, nats)| nats.is_finite()).map(|(what, nats)| format!("{what} {nats:+.1}"));
        said += &format!(". Since step {}: {} nats", now.since, moved.collect::<Vec<_>>().join(", "));
        if now.star_share.is_finite() && now.argmax > 0.0 {
            said += &format!("; it took {} of the freed mass", percent(now.star_share));
        }
        said
    }

    /// Looks at the latest of `evaluations`; returns the marks to be shown: a change of state, an early sign. An evaluation
    /// that repeats a step adds nothing and is passed over.
    pub fn observe(&mut self, run: &RunStarted, stage_starts: &[u64], evaluations: &[Arc<Evaluation>]) -> Vec<Mark> {
        let Some(latest) = evaluations.last() else { return Vec::new() };
        if self.standings.last().is_some_and(|s| s.step >= latest.step) {
            return Vec::new();
        }
        let span = stage_span(evaluations, stage_starts, latest.stage);
        if self.standings.get(self.stage_begins).is_some_and(|first| first.stage != latest.stage) {
            self.begin_stage(latest.stage, span.first().map_or(latest.step, |start| start.step));
        }
        let earlier = &self.standings[self.stage_begins..];
        let Some((mut standing, evidence)) = Standing::measure(run, span, earlier, &self.settings) else {
            return Vec::new();
        };
        let info = run.stages.get(latest.stage);
        let stage = Shown::new(info.map_or("the stage", |s| s.name.as_str()));
        let passes_its_peak = standing.peak.is_some() && !std::mem::replace(&mut self.past_peak, true);
        let mut marks = Vec::new();
        if info.is_some_and(|s| s.has_rejected) {
            self.held.update(&evidence);
            standing.state = self.held.state();
            self.reason = reason(&standing, stage.as_str());
            if passes_its_peak && standing.state == DynamicsState::Healthy {
                marks.extend(early_sign(&standing));
            }
            marks.extend(self.enter(&standing));
        }
        self.record(standing);
        marks
    }

    /// Keeps a standing.
    pub(crate) fn record(&mut self, standing: Standing) {
        self.courses.push(&standing);
        self.standings.push(Arc::new(standing));
    }

    /// The standing at or before a step.
    pub fn standing_at(&self, step: u64) -> Option<&Standing> {
        let after = self.standings.partition_point(|s| s.step <= step);
        self.standings[..after].last().map(Arc::as_ref)
    }

    /// Enters the state of a standing, if it is another one.
    fn enter(&mut self, standing: &Standing) -> Option<Mark> {
        let Standing { step, stage, state, .. } = *standing;
        if state == self.state {
            return None;
        }
        self.state = state;
        self.changes.push(StateChange { step, stage, state, share: share(state, standing) });
        let kind = if state.is_alarm() { MarkKind::Alarm } else { MarkKind::State };
        let again = if state == DynamicsState::Healthy { " again" } else { "" };
        let text = Shown::new(&format!("{}{again}: {}", state.title(), self.reason));
        Some(Mark { step, kind, text })
    }
}

/// Share of the pairs that a state is about; NaN for health and for means.
fn share(state: DynamicsState, standing: &Standing) -> f64 {
    match state {
        DynamicsState::Healthy => f64::NAN,
        DynamicsState::Displacing | DynamicsState::Flattening => standing.displacement_rate,
        DynamicsState::Squeezing | DynamicsState::Collapse => standing.squeezing_rate,
    }
}

fn percent(share: f64) -> String {
    format!("{:.0} %", 100.0 * share)
}

/// y⁺ rose and falls again, while too few pairs lie below the stage's start for any state: shown, not alarmed.
fn early_sign(standing: &Standing) -> Option<Mark> {
    let peak = standing.peak?;
    let text = format!("early sign: y⁺ is past its peak of step {} ({:.1} nats lower)", peak.step, peak.fall);
    Some(Mark { step: standing.step, kind: MarkKind::State, text: Shown::new(&text) })
}

/// Why a stage is in the state that it is in, in one displayable sentence.
fn reason(standing: &Standing, stage: &str) -> String {
    let displaced = standing.displaced_in_words(stage);
    let Standing { star_share, flow_measured, .. } = standing;
    let rose = format!("the argmax rose by {:.1} nats", standing.argmax);
    match standing.state {
        DynamicsState::Healthy => displaced,
        DynamicsState::Displacing if standing.argmax.is_nan() => {
            format!("{displaced}; whether it squeezes cannot be told, the argmax is not recorded")
        }
        DynamicsState::Displacing if standing.argmax <= 0.0 => format!("{displaced}, and the argmax did not rise"),
        DynamicsState::Displacing if *flow_measured => {
            format!("{displaced}, while the argmax took {} of the freed mass", percent(*star_share))
        }
        DynamicsState::Displacing => format!("{displaced}, while {rose} (mass flow is not recorded)"),
        DynamicsState::Flattening => format!(
            "{displaced}, and the mass flattens out: entropy {} nats and bystanders {} a position",
            minus(&format!("{:+.3}", standing.entropy)),
            minus(&format!("{:+.4}", standing.bystanders))
        ),
        DynamicsState::Squeezing | DynamicsState::Collapse => {
            let top = standing.top_gain.as_ref().map_or_else(String::new, |(token, share)| {
                format!(" (largest gain: '{}', {})", Shown::new(token), percent(*share))
            });
            let took = if *flow_measured {
                format!("the argmax took {} of the freed mass{top}", percent(*star_share))
            } else {
                format!("{rose} (mass flow is not recorded)")
            };
            let text = standing.greedy.filter(|_| standing.state == DynamicsState::Collapse);
            let text = text.map_or_else(String::new, |g| format!("; {}", g.describe()));
            format!("{displaced}, while {took}{text}")
        }
    }
}

#[cfg(test)]
#[path = "detect_tests.rs"]
mod tests;

//! The squeeze detector: per-pair displacement and mass flow over a window of evaluations, turned into states with
//! hysteresis. It sees raw values, never smoothed ones.
//!
//! What counts: a pair is *displaced* when its margin grew although y⁺ and y⁻ both fell by more than τ; it is *squeezed*
//! when, besides, the argmax along y⁺ rose by more than τ and y* took at least `squeezed_share` of the mass that was
//! freed. A rising argmax alone is no squeeze: supervised finetuning does that too. Hence a stage without rejected
//! answers is healthy by definition, and every stage starts healthy.

use super::store::{Mark, MarkKind, stage_span};
use super::window::{Window, displaced_in_words};
use crate::protocol::{DetectorSettings, Evaluation, RunStarted};
use crate::text::Shown;

/// What the dynamics look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum DynamicsState {
    /// Few pairs are displaced.
    #[default]
    Healthy,
    /// On many pairs y⁺ falls together with y⁻.
    Displacing,
    /// Displacing, and the mass flattens out: entropy and bystanders gain.
    Flattening,
    /// Displacing, and the argmax takes the mass.
    Squeezing,
    /// Squeezing, and the greedy text degenerates.
    Collapse,
}

impl DynamicsState {
    /// The word on the screen.
    pub fn title(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Displacing => "displacing",
            Self::Flattening => "flattening",
            Self::Squeezing => "squeezing",
            Self::Collapse => "collapse",
        }
    }

    /// Whether it is announced with a banner.
    pub fn is_alarm(self) -> bool {
        matches!(self, Self::Squeezing | Self::Collapse)
    }

    /// The state one rung milder: what is also true in this state.
    fn milder(self) -> Option<Self> {
        match self {
            Self::Healthy => None,
            Self::Displacing => Some(Self::Healthy),
            Self::Flattening | Self::Squeezing => Some(Self::Displacing),
            Self::Collapse => Some(Self::Squeezing),
        }
    }

    /// Whether whoever is in this state is also in `other`: a collapse is a squeeze, a squeeze displaces.
    fn implies(self, other: Self) -> bool {
        std::iter::successors(Some(self), |s| s.milder()).any(|s| s == other)
    }

    /// The gravest state that both are in.
    fn common(self, other: Self) -> Self {
        std::iter::successors(Some(self), |s| s.milder()).find(|&s| other.implies(s)).unwrap_or_default()
    }
}

/// The moment when the detector entered a state that is announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alarm {
    /// Step of the evaluation that decided it.
    pub step: u64,
    /// Index of the stage.
    pub stage: usize,
    /// What it said.
    pub state: DynamicsState,
}

/// Turns evaluations into states, with hysteresis.
#[derive(Debug, Clone, Default)]
pub struct Detector {
    /// The thresholds.
    pub settings: DetectorSettings,
    /// The state the run is in.
    pub state: DynamicsState,
    /// The reason for the current state, as a plain, displayable sentence; empty while nothing was said.
    pub reason: String,
    /// Every window measured.
    pub windows: Vec<Window>,
    /// Every alarm raised.
    pub alarms: Vec<Alarm>,
    /// Windows before this one belong to earlier stages.
    stage_begins: usize,
}

impl Detector {
    /// A detector that has seen nothing.
    pub fn new(settings: DetectorSettings) -> Self {
        Self { settings, ..Self::default() }
    }

    /// A new stage: what was said about the last one no longer holds.
    pub fn begin_stage(&mut self) {
        self.state = DynamicsState::Healthy;
        self.reason.clear();
        self.stage_begins = self.windows.len();
    }

    /// Looks at the latest of `evaluations`; returns the marks to be shown, if the state changed. An evaluation that
    /// repeats a step adds nothing and is passed over.
    pub fn observe(&mut self, run: &RunStarted, stage_starts: &[u64], evaluations: &[Evaluation]) -> Vec<Mark> {
        let Some(latest) = evaluations.last() else { return Vec::new() };
        if self.windows.last().is_some_and(|w| w.step >= latest.step) {
            return Vec::new();
        }
        let span = stage_span(evaluations, stage_starts, latest.stage);
        let Some(mut window) = Window::measure(run, span, &self.settings) else { return Vec::new() };
        if self.windows.get(self.stage_begins).is_some_and(|first| first.stage != latest.stage) {
            self.begin_stage();
        }
        let can_squeeze = run.stages.get(latest.stage).is_some_and(|s| s.has_rejected);
        window.verdict = if can_squeeze { self.verdict(&window) } else { DynamicsState::Healthy };
        self.windows.push(window);
        self.decide().into_iter().collect()
    }

    /// What one window says on its own; where it says nothing, the present state.
    fn verdict(&self, window: &Window) -> DynamicsState {
        let settings = &self.settings;
        // Comparisons with NaN are false, so that an unmeasured rate decides nothing.
        if window.squeezing_rate >= settings.squeezing_rate {
            let collapse = window.greedy.is_some_and(|g| g.is_collapse(settings));
            if collapse { DynamicsState::Collapse } else { DynamicsState::Squeezing }
        } else if window.displacement_rate >= settings.displacing_rate {
            let flattening = window.entropy > 0.0 && window.bystanders > 0.0;
            if flattening { DynamicsState::Flattening } else { DynamicsState::Displacing }
        } else if window.displacement_rate < settings.healthy_rate {
            DynamicsState::Healthy
        } else {
            self.state
        }
    }

    /// Changes the state if the last `patience` windows of the stage agree: what all of them imply is entered, and a
    /// state is left only when none of them implies it any more.
    fn decide(&mut self) -> Option<Mark> {
        let stage = &self.windows[self.stage_begins.min(self.windows.len())..];
        let recent = &stage[stage.len().checked_sub(self.settings.patience.max(1))?..];
        let window = recent.last()?;
        let target = recent.iter().map(|w| w.verdict).reduce(DynamicsState::common)?;
        let leaves = !target.implies(self.state);
        if target == self.state || (leaves && recent.iter().any(|w| w.verdict.implies(self.state))) {
            return None;
        }
        let reason = reason(target, window);
        let (step, stage) = (window.step, window.stage);
        let kind = if target.is_alarm() { MarkKind::Alarm } else { MarkKind::State };
        let again = if target == DynamicsState::Healthy { " again" } else { "" };
        let text = Shown::new(&format!("{}{again}: {reason}", target.title()));
        if target.is_alarm() {
            self.alarms.push(Alarm { step, stage, state: target });
        }
        self.state = target;
        self.reason = reason;
        Some(Mark { step, kind, text })
    }
}

/// Why the state was entered, in one displayable sentence.
fn reason(state: DynamicsState, window: &Window) -> String {
    let displaced = displaced_in_words(window);
    match state {
        DynamicsState::Healthy => displaced,
        DynamicsState::Displacing if window.squeezing_rate.is_nan() => {
            format!("{displaced}; whether it squeezes cannot be told, the run records no mass flow for this window")
        }
        DynamicsState::Displacing if window.star_share.is_nan() => {
            format!("{displaced}, and the argmax did not rise on any of them")
        }
        DynamicsState::Displacing => {
            format!("{displaced}, while the argmax took {:.0} % of the freed mass", 100.0 * window.star_share)
        }
        DynamicsState::Flattening => format!(
            "{displaced}, and the mass flattens out: entropy {:+.3} nats and bystanders {:+.4} a position",
            window.entropy, window.bystanders
        ),
        DynamicsState::Squeezing | DynamicsState::Collapse => {
            let top = window.top_gain.as_ref().map_or_else(String::new, |(token, share)| {
                format!(" (largest gain: '{}', {:.0} %)", Shown::new(token), 100.0 * share)
            });
            let text = window.greedy.filter(|_| state == DynamicsState::Collapse);
            let text = text.map_or_else(String::new, |g| format!("; {}", g.describe()));
            format!(
                "{displaced}, while the argmax took {:.0} % of the freed mass{top}{text}",
                100.0 * window.star_share
            )
        }
    }
}

#[cfg(test)]
#[path = "detect_tests.rs"]
mod tests;

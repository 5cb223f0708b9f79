//! The squeeze detector.

use super::store::Mark;
use crate::protocol::{DetectorSettings, Evaluation, RunStarted};

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
}

/// The measurements behind one verdict: the change over the last window of evaluations.
#[derive(Debug, Clone, PartialEq)]
pub struct Window {
    /// Step of the evaluation that ends the window.
    pub step: u64,
    /// Step of the evaluation that begins it.
    pub since: u64,
    /// Per pair: the margin grew while y⁺ and y⁻ both fell by more than τ.
    pub displaced: Vec<bool>,
    /// Per pair: displaced, the argmax rose by more than τ and took its share of the freed mass.
    pub squeezed: Vec<bool>,
    /// Share of displaced pairs.
    pub displacement_rate: f64,
    /// 95 % Wilson interval of the displacement rate.
    pub interval: (f64, f64),
    /// Share of squeezed pairs.
    pub squeezing_rate: f64,
    /// Mass-weighted share of all gains that y* took, S.
    pub star_share: f64,
    /// Net change of mass of bystanders, mean per position.
    pub bystanders: f64,
    /// Change of entropy, mean per position, nats.
    pub entropy: f64,
    /// Tokens that gained most and their share of all gains.
    pub top_gain: Option<(String, f64)>,
    /// What this window alone would say.
    pub verdict: DynamicsState,
}

/// Turns evaluations into states, with hysteresis.
#[derive(Debug, Clone, Default)]
pub struct Detector {
    /// The thresholds.
    pub settings: DetectorSettings,
    /// The state the run is in.
    pub state: DynamicsState,
    /// The reason for the current state, as a plain sentence; empty while nothing was said.
    pub reason: String,
    /// Every window measured.
    pub windows: Vec<Window>,
}

impl Detector {
    /// A detector that has seen nothing.
    pub fn new(settings: DetectorSettings) -> Self {
        Self { settings, ..Self::default() }
    }

    /// Looks at the latest of `evaluations`; returns the marks to be shown, if the state changed.
    pub fn observe(&mut self, _run: &RunStarted, _stage_starts: &[u64], _evaluations: &[Evaluation]) -> Vec<Mark> {
        Vec::new()
    }
}

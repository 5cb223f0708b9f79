//! The states that the detector tells apart, and changes between them.

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

/// A change of state.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StateChange {
    /// Step of the evaluation that decided it; of a new stage, the step at which it began.
    pub step: u64,
    /// Index of the stage.
    pub stage: usize,
    /// The state that was entered.
    pub state: DynamicsState,
    /// Share of the pairs that the state is about (squeezed ones, or displaced ones), then; NaN where there is no share.
    pub share: f64,
}

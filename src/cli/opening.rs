//! How the dashboard opens.

/// How the dashboard opens, besides its look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Opening {
    /// Every curve alike, and not the story.
    pub all_curves: bool,
    /// A recording plays through its events.
    pub plays_through: bool,
    /// The bell rings at an alarm.
    pub bell: bool,
    /// The mouse works.
    pub mouse: bool,
    /// The clipboard may be written.
    pub copies: bool,
}

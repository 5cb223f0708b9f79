//! The contexts in which keys work.

/// The contexts in which a key means something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Context {
    /// Everywhere, dialogs included.
    Always,
    /// Everywhere but on the dashboard of a running trainer, where the key says more.
    Elsewhere,
    /// Wherever no dialog is open.
    Screen,
    /// Wherever no dialog is open and nothing is trained.
    Still,
    /// The dashboard, where no dialog is open.
    Dashboard,
    /// The dashboard of a running trainer.
    Live,
    /// The dashboard of a recorded run.
    Replay,
    /// A comparison of runs.
    Compare,
    /// The help overlay, and others that are read and closed.
    Help,
    /// An answer under the microscope.
    Microscope,
    /// Whatever is read and closed.
    Reading,
    /// The question before quitting.
    Quit,
    /// While a filter is typed.
    Filter,
    /// The squeeze lab.
    Lab,
    /// The menu of experiments and recordings.
    Menu,
    /// A lesson, whatever it asks.
    Lesson,
    /// A lesson that waits for a choice.
    Choice,
    /// A lesson that waits for a curve.
    Sketch,
}

impl Context {
    /// Whether a binding of `self` works in the mode `mode` (none of `Always`,
    /// `Elsewhere`, `Screen`, `Still`, `Dashboard`, `Reading`).
    pub fn reaches(self, mode: Self) -> bool {
        match self {
            Self::Always => true,
            Self::Elsewhere => mode != Self::Live,
            Self::Still => mode.is_still(),
            Self::Screen => mode == Self::Live || mode.is_still(),
            Self::Lesson => mode.is_lesson(),
            Self::Dashboard => matches!(mode, Self::Live | Self::Replay),
            Self::Reading => matches!(mode, Self::Help | Self::Microscope),
            _ => self == mode,
        }
    }

    /// Whether no dialog is open and nothing is trained.
    fn is_still(self) -> bool {
        matches!(self, Self::Replay | Self::Compare | Self::Lab | Self::Menu) || self.is_lesson()
    }

    fn is_lesson(self) -> bool {
        matches!(self, Self::Lesson | Self::Choice | Self::Sketch)
    }
}

//! The actions that keys ask for.

use crate::protocol::ProbeGroup;
use crate::tui::message::Effect;

/// An action that a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Open or close the help overlay.
    Help,
    /// What the words and signs of the focused panel mean.
    Glossary,
    /// Quit; asks first while training.
    Quit,
    /// Ctrl-C: like [`Action::Quit`], and without asking the second time.
    Interrupt,
    /// Hand the terminal back to the shell until `fg`.
    Suspend,
    /// Pause or resume the trainer.
    PauseResume,
    /// One optimiser step.
    SingleStep,
    /// Measure the probes now.
    Evaluate,
    /// Play or pause the replay.
    PlayPause,
    /// Replay: forward to the next evaluation.
    EvaluationForward,
    /// Replay: back to the previous evaluation.
    EvaluationBack,
    /// Replay: faster.
    Faster,
    /// Replay: slower.
    Slower,
    /// Replay: to the beginning.
    JumpStart,
    /// Replay: to the end.
    JumpEnd,
    /// Replay: stop at every event, or play on.
    Narration,
    /// Keep the panels as they are while the run goes on.
    Freeze,
    /// Show or hide a group of probes.
    Toggle(ProbeGroup),
    /// Show only one group.
    Solo,
    /// Show every group.
    ShowAll,
    /// Next panel.
    FocusNext,
    /// Previous panel.
    FocusPrevious,
    /// The focused panel takes the screen, or gives it back.
    Maximise,
    /// One level back.
    Back,
    /// Cursor by this many evaluations.
    Cursor(i32),
    /// Halve the range of steps.
    ZoomIn,
    /// Double the range of steps.
    ZoomOut,
    /// Earlier steps.
    PanLeft,
    /// Later steps.
    PanRight,
    /// The whole run, no cursor.
    ResetView,
    /// Next scale of the y axis.
    NextScale,
    /// Compare: the next measure that runs are aligned by.
    NextAlignment,
    /// Count changes from the cursor's step, or again as the scale does.
    CountFromHere,
    /// The story's curves stand out, or all alike.
    ToggleStory,
    /// The y axis without values far from most, or with all.
    ToggleRobust,
    /// Next strength of smoothing.
    NextSmoothing,
    /// List the prompts by how far the selected curve rose on them.
    OrderPrompts,
    /// The next squeezed pair, or the one before.
    NextSqueezed(bool),
    /// Ask who moved an answer.
    Why,
    /// Ask at which tokens an answer lost.
    Microscope,
    /// Ask how alike prompts and examples are.
    Alike,
    /// The microscope: another position of the answer, by so many.
    Token(i32),
    /// Type a filter for the focused list.
    Filter,
    /// Next event.
    NextEvent,
    /// Previous event.
    PreviousEvent,
    /// Another row of the focused list.
    List(Rows),
    /// Write the whole screen again.
    Redraw,
    /// Write a screenshot.
    Screenshot,
    /// Next theme.
    NextTheme,
    /// A dialog: yes.
    Confirm,
    /// A dialog: no.
    Cancel,
    /// Filter: delete a character.
    Erase,
    /// Something in the squeeze lab.
    Lab(LabAction),
    /// Something in a lesson.
    Lesson(LessonAction),
    /// Copy what the focused panel shows.
    Copy,
}

impl Action {
    /// What every screen without a trainer asks the loop for at this action; nothing for what is a screen's own.
    pub(in crate::tui) fn effect(self) -> Vec<Effect> {
        match self {
            Self::Quit | Self::Interrupt => vec![Effect::Quit],
            Self::Suspend => vec![Effect::Suspend],
            Self::Redraw => vec![Effect::Redraw],
            Self::Screenshot => vec![Effect::Screenshot],
            _ => Vec::new(),
        }
    }
}

/// A way to move in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rows {
    /// The next row.
    Next,
    /// The previous row.
    Previous,
    /// A page on.
    PageDown,
    /// A page back.
    PageUp,
    /// The first row.
    First,
    /// The last row.
    Last,
}

impl Rows {
    /// Rows of a page: as many as the lowest panel shows.
    const PAGE: usize = 8;

    /// The row of a list of `len`, seen from the row `at`; `None` for an empty list.
    pub fn moved(self, at: Option<usize>, len: usize) -> Option<usize> {
        let last = len.checked_sub(1)?;
        Some(match (self, at) {
            (Self::Last, _) => last,
            (Self::First, _) | (_, None) => 0,
            (Self::Next, Some(at)) => (at + 1).min(last),
            (Self::Previous, Some(at)) => at.saturating_sub(1),
            (Self::PageDown, Some(at)) => (at + Self::PAGE).min(last),
            (Self::PageUp, Some(at)) => at.saturating_sub(Self::PAGE),
        })
    }

    /// The first visible row of `len`, seen from `first`.
    pub fn scrolled(self, first: u16, len: usize) -> u16 {
        self.moved(Some(first.into()), len).and_then(|at| u16::try_from(at).ok()).unwrap_or_default()
    }
}

/// What a key of the squeeze lab asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LabAction {
    /// Take the step that is shown.
    Take,
    /// Take the last step back.
    Undo,
    /// Back to the distribution before the first step.
    Reset,
    /// Another class y, by so many ranks.
    Class(i32),
    /// The likeliest class.
    First,
    /// The least likely class.
    Last,
    /// Push y down, or pull it up.
    Flip,
    /// A larger η′, or a smaller one.
    Eta(bool),
    /// More classes, or fewer.
    Classes(bool),
    /// The next distribution.
    Shape,
    /// One more peak, or one less.
    Peaks(bool),
    /// A linear scale, or a logarithmic one.
    Scale,
}

/// What a key of a lesson asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LessonAction {
    /// Give the answer, or go on to the next step.
    Next,
    /// Back to the step before.
    Back,
    /// Show the hint, or hide it.
    Hint,
    /// Take the answer back and be asked again.
    Again,
    /// Pass a task over.
    Skip,
    /// For a projector, or for one reader.
    Presenter,
    /// Choose the answer of this index.
    Pick(usize),
    /// The pen by so many measurements, and the curve from there on by so many steps of its height.
    Draw(i32, i32),
}

//! Messages that reach a screen, effects that it asks for in return, and the reasons why it was left.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crossterm::event::KeyEvent;
use ratatui::layout::Rect;

use super::inquiry::{Query, Reply};
use crate::protocol::{TrainerCommand, TrainerEvent};
use crate::record::Loaded;
use crate::text::Shown;

/// What a mouse did, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pointer {
    /// What it did.
    pub did: Gesture,
    /// The column, counted from 0.
    pub column: u16,
    /// The row, counted from 0.
    pub row: u16,
}

/// What a mouse can do here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gesture {
    /// The left button went down.
    Click,
    /// The wheel was turned down, towards the user.
    WheelDown,
    /// The wheel was turned up.
    WheelUp,
}

/// What happened outside.
#[derive(Debug, Clone)]
pub enum Message {
    /// A key was pressed.
    Key(KeyEvent),
    /// The mouse was used, on a screen of this place and size.
    Pointer(Pointer, Rect),
    /// The terminal has a new size.
    Resize,
    /// More of a recording was read.
    Recording(Loaded),
    /// The trainer said something.
    Trainer(Arc<TrainerEvent>),
    /// The trainer is no more; with what ended it, if it did not end well.
    TrainerGone(Result<(), Shown>),
    /// The time since the program started.
    Tick(Duration),
    /// So many events were not shown because the screen was slow, in all. They are in the run file.
    Dropped(u64),
    /// A screenshot was written.
    ScreenshotWritten(Vec<PathBuf>),
    /// A screenshot was not written.
    ScreenshotFailed(Shown),
    /// What is drawn is recorded up to here and not beyond; why.
    RecordingEnded(Shown),
    /// Word of what was asked.
    Told(Reply),
    /// A signal asks the program to end.
    Terminate,
    /// A signal asks the program to stop until it is continued.
    Suspend,
}

/// What is to be done outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Tell the trainer.
    Command(TrainerCommand),
    /// Find out what only the run's steps, taken again, can tell.
    Ask(Query),
    /// Leave the screen.
    Quit,
    /// Hand the terminal to the shell until the program is continued.
    Suspend,
    /// Draw the screen off-screen, without clocks, and write it.
    Screenshot,
    /// Write what the screen offers (see [`Screenful::copied`](super::screenful::Screenful::copied)) to the clipboard.
    Copy,
    /// Ring the terminal's bell.
    Bell,
    /// Write the whole screen again: something else has drawn on it.
    Redraw,
}

/// Why the screen was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ending {
    /// The user quit.
    #[default]
    Quit,
    /// Ctrl-C while the trainer was still at work: it was told to stop and not waited for.
    Forced,
    /// A signal, or the terminal is gone.
    Signal,
}

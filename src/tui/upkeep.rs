//! Screens without a trainer: what they keep beside what they show, and how each of them is a [`Screenful`].

use std::time::Duration;

use crossterm::event::KeyEvent;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::glyphs::Glyphs;
use super::message::{Effect, Ending, Message, Pointer};
use super::notice::{Notice, Notices};
use super::screenful::{Screenful, ScreenshotInfo};
use crate::text::Shown;

/// The notice of a screen without a trainer, why it was left, and whether it changed.
#[derive(Debug, Clone)]
pub struct Upkeep {
    notices: Notices,
    ending: Ending,
    dirty: bool,
}

impl Default for Upkeep {
    /// A screen that was not drawn yet.
    fn default() -> Self {
        Self { notices: Notices::default(), ending: Ending::default(), dirty: true }
    }
}

impl Upkeep {
    /// Takes every message but keys, which are the screen's own; returns what is to be done outside.
    pub(super) fn take(&mut self, message: &Message) -> Vec<Effect> {
        self.dirty |= self.notices.take(message);
        match message {
            Message::Resize => self.dirty = true,
            Message::Terminate => {
                self.ending = Ending::Signal;
                return vec![Effect::Quit];
            }
            Message::Suspend => return vec![Effect::Suspend],
            // The notices took what was theirs, keys are the screen's, and there is no trainer.
            Message::Key(_)
            | Message::Pointer(..)
            | Message::Tick(_)
            | Message::ScreenshotWritten(_)
            | Message::ScreenshotFailed(_)
            | Message::RecordingEnded(_)
            | Message::Recording(_)
            | Message::Trainer(_)
            | Message::TrainerGone(_)
            | Message::Dropped(_)
            | Message::Told(_) => {}
        }
        Vec::new()
    }

    /// Says something in the footer.
    pub(super) fn notify(&mut self, text: &str, failure: bool) {
        self.notices.tell(text, failure);
        self.dirty = true;
    }

    /// Says why something was refused, if it was.
    pub(super) fn refused(&mut self, done: Result<(), &str>) {
        if let Err(refusal) = done {
            self.notify(refusal, true);
        }
    }

    /// The line in the footer.
    pub(super) fn notice(&self) -> Option<&Notice> {
        self.notices.shown()
    }

    /// The screen has to be drawn again.
    pub(super) fn touch(&mut self) {
        self.dirty = true;
    }

    /// Why the screen was left.
    pub(super) fn ending(&self) -> Ending {
        self.ending
    }

    /// How often a tick changes the screen.
    pub(super) fn tick_interval(&self) -> Option<Duration> {
        self.notices.tick_interval()
    }

    /// Whether the screen has to be drawn again, asked once.
    pub(super) fn take_dirty(&mut self) -> bool {
        std::mem::take(&mut self.dirty)
    }
}

/// A screen without a trainer: what is its own, from which the rest of a [`Screenful`] follows.
pub trait Sheet: Sized {
    /// Its upkeep.
    fn upkeep(&self) -> &Upkeep;

    /// Its upkeep, to be changed.
    fn upkeep_mut(&mut self) -> &mut Upkeep;

    /// Does what a key asks for; returns what is to be done outside.
    fn key(&mut self, key: KeyEvent) -> Vec<Effect>;

    /// Draws it in a buffer.
    fn draw(&self, area: Rect, buf: &mut Buffer);

    /// The glyphs of the screen.
    fn drawn_with(&self) -> Glyphs;

    /// What the window's title says.
    fn name(&self) -> Shown;

    /// The same as files show it: without clocks, notices and dialogs.
    fn still(&self) -> Self;

    /// What the key that copies takes; nothing where there is nothing to give.
    fn to_copy(&self) -> Option<Shown> {
        None
    }

    /// Whether clicks and the wheel are wanted.
    fn wants_mouse(&self) -> bool {
        false
    }

    /// Does what the mouse asks for; returns what is to be done outside.
    fn pointed(&mut self, _: Pointer, _: Rect) -> Vec<Effect> {
        Vec::new()
    }

    /// What a screenshot of it is of.
    fn info(&self) -> ScreenshotInfo;
}

impl<S: Sheet> Screenful for S {
    fn update(&mut self, message: Message) -> Vec<Effect> {
        match message {
            Message::Key(key) => self.key(key),
            Message::Pointer(pointer, area) => self.pointed(pointer, area),
            other => self.upkeep_mut().take(&other),
        }
    }

    fn render(&self, area: Rect, buf: &mut Buffer) {
        self.draw(area, buf);
    }

    fn tick_interval(&self) -> Option<Duration> {
        self.upkeep().tick_interval()
    }

    fn copied(&self) -> Option<Shown> {
        self.to_copy()
    }

    fn takes_mouse(&self) -> bool {
        self.wants_mouse()
    }

    fn take_dirty(&mut self) -> bool {
        self.upkeep_mut().take_dirty()
    }

    fn glyphs(&self) -> Glyphs {
        self.drawn_with()
    }

    fn subject(&self) -> Shown {
        self.name()
    }

    fn screenshot(&self, area: Rect) -> (Buffer, ScreenshotInfo) {
        let mut frame = Buffer::empty(area);
        self.still().draw(area, &mut frame);
        (frame, self.info())
    }
}

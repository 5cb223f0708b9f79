//! What a screen without a trainer keeps beside what it shows.

use std::time::Duration;

use super::message::{Effect, Ending, Message};
use super::notice::{Notice, Notices};

/// The notice of a screen without a trainer, why it was left, and whether it changed.
#[derive(Debug, Clone)]
pub(super) struct Upkeep {
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
            | Message::Tick(_)
            | Message::ScreenshotWritten(_)
            | Message::ScreenshotFailed(_)
            | Message::Trainer(_)
            | Message::TrainerGone(_)
            | Message::Dropped(_)
            | Message::Influence(_) => {}
        }
        Vec::new()
    }

    /// Says something in the footer.
    pub(super) fn notify(&mut self, text: &str, failure: bool) {
        self.notices.tell(text, failure);
        self.dirty = true;
    }

    /// The line in the footer.
    pub(super) fn notice(&self) -> Option<&Notice> {
        self.notices.shown()
    }

    /// The screen has to be drawn again.
    pub(super) fn touch(&mut self) {
        self.dirty = true;
    }

    /// Whether the screen changed since this was last asked.
    pub(super) fn take_dirty(&mut self) -> bool {
        std::mem::take(&mut self.dirty)
    }

    /// How often a [`Message::Tick`] may change the screen.
    pub(super) fn tick_interval(&self) -> Option<Duration> {
        self.notices.tick_interval()
    }

    /// Why the screen was left.
    pub(super) fn ending(&self) -> Ending {
        self.ending
    }
}

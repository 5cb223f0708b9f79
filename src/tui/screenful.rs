//! What the loop needs of a screen: a state that takes messages, a frame, and what a screenshot is of. The dashboard is
//! one; whatever else wants the terminal is another and gets keys, signals, resizing and suspension from the same loop.

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::app::{App, Effect, Message};
use super::chart::Glyphs;
use super::run::{ScreenshotInfo, screenshot};
use super::view;
use crate::text::Shown;

/// A state that fills the terminal. Like [`App`] it does no I/O and reads no clock.
pub trait Screenful {
    /// Takes one message; returns what is to be done outside.
    fn update(&mut self, message: Message) -> Vec<Effect>;

    /// Draws the state and changes nothing.
    fn render(&self, area: Rect, buf: &mut Buffer);

    /// How often a [`Message::Tick`] changes the screen; `None` while nothing on it depends on a clock.
    fn tick_interval(&self) -> Option<Duration>;

    /// Whether the screen changed since this was last asked.
    fn take_dirty(&mut self) -> bool;

    /// The glyphs of the screen.
    fn glyphs(&self) -> Glyphs;

    /// What is shown, for the window's title; empty where that is not known.
    fn subject(&self) -> Shown;

    /// The screen without clocks, notices and dialogs, and what it is of.
    fn screenshot(&self, area: Rect) -> (Buffer, ScreenshotInfo);

    /// Events that the screen did not show, as it was last told; nothing is lost without a trainer.
    fn dropped(&self) -> u64 {
        0
    }
}

impl Screenful for App {
    fn update(&mut self, message: Message) -> Vec<Effect> {
        Self::update(self, message)
    }

    fn render(&self, area: Rect, buf: &mut Buffer) {
        view::render(self, area, buf);
    }

    fn tick_interval(&self) -> Option<Duration> {
        Self::tick_interval(self)
    }

    fn take_dirty(&mut self) -> bool {
        Self::take_dirty(self)
    }

    fn glyphs(&self) -> Glyphs {
        self.view.glyphs
    }

    fn subject(&self) -> Shown {
        self.experiment()
    }

    fn screenshot(&self, area: Rect) -> (Buffer, ScreenshotInfo) {
        screenshot(self, area)
    }

    fn dropped(&self) -> u64 {
        Self::dropped(self)
    }
}

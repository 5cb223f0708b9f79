//! The squeeze lab on the screen: one softmax, one class that is pushed down or pulled up, and what that does to the
//! others. State / update / view as in the dashboard, with the same loop, terminal, keys and screenshots.
//!
//! From outside: [`Lab::new`], then [`run`](super::run::run).

mod app;
mod bars;
mod view;

#[cfg(test)]
mod tests;

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::glyphs::Glyphs;
use super::message::{Effect, Message};
use super::screenful::{Screenful, ScreenshotInfo};
use crate::text::Shown;

pub use app::{Lab, Scale};

impl Screenful for Lab {
    fn update(&mut self, message: Message) -> Vec<Effect> {
        match message {
            Message::Key(key) => self.key(key),
            other => self.upkeep.take(&other),
        }
    }

    fn render(&self, area: Rect, buf: &mut Buffer) {
        view::render(self, area, buf);
    }

    fn tick_interval(&self) -> Option<Duration> {
        self.upkeep.tick_interval()
    }

    fn take_dirty(&mut self) -> bool {
        self.upkeep.take_dirty()
    }

    fn glyphs(&self) -> Glyphs {
        self.glyphs
    }

    fn subject(&self) -> Shown {
        self.name()
    }

    fn screenshot(&self, area: Rect) -> (Buffer, ScreenshotInfo) {
        let mut frame = Buffer::empty(area);
        view::render(&self.still(), area, &mut frame);
        (frame, self.info())
    }
}

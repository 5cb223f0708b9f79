//! Several runs on one screen: the overlay, and the panel of differences. State, update and view are apart as they are in
//! the dashboard.

mod app;
mod figure;
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

pub use app::{Compare, CompareView, Row};
pub use figure::figure;
pub use view::render;

impl Compare {
    /// The screen without clocks, notices and dialogs, of so many columns and rows, and what it is of.
    pub fn screenshot_sized(&self, columns: u16, rows: u16) -> (Buffer, ScreenshotInfo) {
        Screenful::screenshot(self, Rect::new(0, 0, columns, rows))
    }
}

impl Screenful for Compare {
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
        self.view.glyphs
    }

    fn subject(&self) -> Shown {
        Shown::new("compare")
    }

    fn screenshot(&self, area: Rect) -> (Buffer, ScreenshotInfo) {
        let mut frame = Buffer::empty(area);
        view::render(&self.still(), area, &mut frame);
        (frame, self.info())
    }
}

//! A lesson on the screen: the dashboard over a recording, or the lab, beside a text and a question. The answer is given
//! before what happened is shown, and stays beside it as a ghost.
//!
//! From outside: [`Desk::new`], then [`show`](super::show), then [`Desk::kept`].

mod act;
mod desk;
mod sketch;
mod stand;
#[cfg(test)]
mod tests;
mod view;

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::glyphs::Glyphs;
use super::message::{Effect, Message};
use super::screenful::{Screenful, ScreenshotInfo};
use super::upkeep::Upkeep;
use super::view::whole;
use crate::text::Shown;

pub use desk::Desk;

impl Screenful for Desk {
    fn update(&mut self, message: Message) -> Vec<Effect> {
        match message {
            Message::Key(key) => self.key(key),
            other => self.upkeep.take(&other),
        }
    }

    fn render(&self, area: Rect, buf: &mut Buffer) {
        whole(&self.theme, self.glyphs, area, buf, |area, buf| view::parts(self, area, buf));
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
        Shown::new(&self.opened().lesson.title)
    }

    fn screenshot(&self, area: Rect) -> (Buffer, ScreenshotInfo) {
        let mut still = self.clone();
        (still.help, still.upkeep) = (None, Upkeep::default());
        still.wear(self.paper.theme(), self.paper.glyphs);
        let mut frame = Buffer::empty(area);
        still.render(area, &mut frame);
        let step = u64::try_from(self.at() + 1).unwrap_or(u64::MAX);
        let ground = self.paper.theme().ground();
        (frame, ScreenshotInfo { run_id: self.opened().name.clone(), seed: None, step, view: "lesson", ground })
    }
}

//! The squeeze lab on the screen: one softmax, one class that is pushed down or pulled up, and what that does to the
//! others. State / update / view as in the dashboard, with the same loop, terminal, keys and screenshots.
//!
//! From outside: [`Lab::new`], then [`show`](super::show).

mod app;
mod bars;
mod view;

#[cfg(test)]
mod tests;

use crossterm::event::KeyEvent;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::glyphs::Glyphs;
use super::message::Effect;
use super::screenful::ScreenshotInfo;
use super::upkeep::{Sheet, Upkeep};
use crate::text::Shown;

pub use app::Lab;
pub(in crate::tui) use view::within;

impl Sheet for Lab {
    fn upkeep(&self) -> &Upkeep {
        &self.upkeep
    }

    fn upkeep_mut(&mut self) -> &mut Upkeep {
        &mut self.upkeep
    }

    fn key(&mut self, key: KeyEvent) -> Vec<Effect> {
        Self::key(self, key)
    }

    fn draw(&self, area: Rect, buf: &mut Buffer) {
        view::render(self, area, buf);
    }

    fn drawn_with(&self) -> Glyphs {
        self.glyphs
    }

    fn name(&self) -> Shown {
        Shown::new(self.experiment())
    }

    fn still(&self) -> Self {
        let mut still = self.clone();
        (still.help, still.upkeep) = (None, Upkeep::default());
        (still.theme, still.glyphs) = (self.paper.theme(), self.paper.glyphs);
        still
    }

    fn info(&self) -> ScreenshotInfo {
        let ground = self.paper.theme().ground();
        ScreenshotInfo { run_id: self.experiment().to_owned(), seed: None, step: self.steps(), view: "lab", ground }
    }
}

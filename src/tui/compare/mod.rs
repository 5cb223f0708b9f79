//! Several runs on one screen: the overlay, and the panel of differences. State, update and view are apart as they are in
//! the dashboard.

mod app;
mod figure;
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
use crate::history::By;
use crate::text::Shown;

pub use app::{Compare, CompareView};
pub use figure::figure;

impl Sheet for Compare {
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
        self.view.glyphs
    }

    fn name(&self) -> Shown {
        Shown::new("compare")
    }

    fn still(&self) -> Self {
        let mut still = self.clone();
        still.hide_clock = true;
        still.view.help = None;
        (still.view.theme, still.view.glyphs) = (self.view.paper.theme(), self.view.paper.glyphs);
        still
    }

    fn info(&self) -> ScreenshotInfo {
        let labels: Vec<&str> = self.arms().iter().map(|arm| arm.label.as_str()).collect();
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a step, or none")]
        let step = match (self.aligned(), self.view.by) {
            (Ok(aligned), By::Step) => aligned.at(self.point()) as u64,
            _ => 0,
        };
        ScreenshotInfo {
            run_id: labels.join("-vs-"),
            seed: None,
            step,
            view: match self.view.by {
                By::Step => "compare-by-step",
                By::Loss => "compare-by-loss",
                By::Margin => "compare-by-margin",
            },
            ground: self.view.paper.theme().ground(),
        }
    }
}

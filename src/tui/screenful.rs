//! [`Screenful`], what the loop needs of a screen: a state that takes messages, a frame, and what a screenshot is of. The dashboard is
//! one; whatever else wants the terminal is another and gets keys, signals, resizing and suspension from the same loop.

use std::path::PathBuf;
use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::app::App;
use super::glyphs::Glyphs;
use super::message::{Effect, Message};
use super::view;
use crate::error::Result;
use crate::text::Shown;

/// What a screenshot is of: it names the file and goes into its metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScreenshotInfo {
    /// The run's id, raw; the experiment's name before the run has one.
    pub run_id: String,
    /// The run's seed, once known.
    pub seed: Option<u64>,
    /// The step whose measurements are shown.
    pub step: u64,
    /// `dashboard`, or the panel that has the screen; `waiting` before anything is measured.
    pub view: &'static str,
    /// Default foreground and background, `0xRRGGBB`.
    pub ground: (u32, u32),
}

/// Writes a screenshot; returns the files.
pub type WriteScreenshot<'a> = Box<dyn FnMut(&Buffer, &ScreenshotInfo) -> Result<Vec<PathBuf>> + 'a>;

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

    /// The same of a screen of so many columns and rows.
    fn screenshot_sized(&self, columns: u16, rows: u16) -> (Buffer, ScreenshotInfo) {
        self.screenshot(Rect::new(0, 0, columns, rows))
    }

    /// What the key that copies takes from the screen; nothing where it has nothing to give.
    fn copied(&self) -> Option<Shown> {
        None
    }

    /// Whether clicks and the wheel are wanted.
    fn takes_mouse(&self) -> bool {
        false
    }

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

    fn copied(&self) -> Option<Shown> {
        self.to_copy()
    }

    fn takes_mouse(&self) -> bool {
        self.view.mouse
    }
}

/// The screen as files show it, without clocks, notices and dialogs, of the run as it was last measured (see [`App::still`]),
/// and what it is of: the same state gives the same buffer on any machine and any terminal.
fn screenshot(app: &App, area: Rect) -> (Buffer, ScreenshotInfo) {
    let mut still = app.still();
    (still.view.theme, still.view.glyphs) = (app.view.paper.theme(), app.view.paper.glyphs);
    let mut frame = Buffer::empty(area);
    view::render(&still, area, &mut frame);
    let run = still.shown().run.as_ref();
    let measured = still.measured_step();
    let view = match measured {
        // Not yet what the recording shows at this step.
        None => "waiting",
        Some(_) if still.view.maximised => still.focus().title(),
        Some(_) => "dashboard",
    };
    let info = ScreenshotInfo {
        run_id: run.map_or_else(|| app.experiment().to_string(), |r| r.run_id.clone()),
        seed: run.map(|r| r.seed),
        step: measured.unwrap_or(still.step()),
        view,
        ground: still.view.theme.ground(),
    };
    (frame, info)
}

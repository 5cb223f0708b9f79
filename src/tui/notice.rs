//! The footer's notice, for every screen alike: what it says, how it looks and when it goes.

use std::time::Duration;

use ratatui::text::Line;

use super::message::Message;
use super::theme::Theme;
use super::view::text::fit;
use crate::text::Shown;

/// How long a notice stays.
const STAYS: Duration = Duration::from_secs(6);

/// A line in the footer for a while.
#[derive(Debug, Clone)]
pub struct Notice {
    /// What it says.
    pub text: Shown,
    /// Whether it tells of a failure.
    pub failure: bool,
    /// The time at which it goes.
    pub until: Duration,
}

impl Notice {
    /// The notice as the footer's row, `width` columns wide.
    pub(super) fn line(&self, width: u16, theme: &Theme) -> Line<'static> {
        let style = if self.failure { theme.warning() } else { theme.accent() };
        Line::styled(fit(&format!(" {}", self.text), width.into()), style)
    }
}

/// The notice of a screen, if there is one, and the time that it goes by.
#[derive(Debug, Clone, Default)]
pub struct Notices {
    now: Duration,
    shown: Option<Notice>,
}

impl Notices {
    /// Takes the place of whatever was said.
    pub fn tell(&mut self, text: &str, failure: bool) {
        self.shown = Some(Notice { text: Shown::new(text), failure, until: self.now + STAYS });
    }

    /// Takes what a message says to it: the time, and what became of a screenshot. Whether the notice is another now.
    pub fn take(&mut self, message: &Message) -> bool {
        match message {
            Message::Tick(now) => {
                self.now = *now;
                self.shown.take_if(|notice| notice.until <= *now).is_some()
            }
            Message::ScreenshotWritten(paths) => {
                let names: Vec<_> = paths.iter().map(|p| p.display().to_string()).collect();
                self.tell(&format!("written: {}", names.join(", ")), false);
                true
            }
            Message::ScreenshotFailed(why) => {
                self.tell(&format!("no screenshot: {why}"), true);
                true
            }
            Message::RecordingEnded(why) => {
                self.tell(&format!("the cast ends here: {why}"), true);
                true
            }
            _ => false,
        }
    }

    /// The notice.
    pub fn shown(&self) -> Option<&Notice> {
        self.shown.as_ref()
    }

    /// The time since the program started, as last told.
    pub fn now(&self) -> Duration {
        self.now
    }

    /// How often a [`Message::Tick`] may end the notice; `None` without one.
    pub fn tick_interval(&self) -> Option<Duration> {
        self.shown.as_ref().map(|_| Duration::from_millis(500))
    }
}

//! What stands beside the text: the dashboard over a recording, or the lab.

use crossterm::event::KeyEvent;

use crate::dynamics::lab::Outcome;
use crate::error::Result;
use crate::experiment::LabSettings;
use crate::history::{CurveId, RunHistory, Scale, Series};
use crate::lesson::{Opened, Place, Recorded, Step, curve_named};
use crate::tui::app::{App, Ghost};
use crate::tui::glyphs::Glyphs;
use crate::tui::keymap::{self, Action};
use crate::tui::lab::Lab;
use crate::tui::panel::Panel;
use crate::tui::theme::Theme;

/// What is looked at.
#[derive(Debug, Clone)]
pub(super) enum Stand {
    /// A recording, by its name.
    Run(String, Box<App>),
    /// The lab.
    Lab(Box<Lab>),
}

impl Stand {
    /// The recording of a name, at its end.
    pub(super) fn run(recorded: &Recorded, theme: Theme, glyphs: Glyphs) -> Self {
        let mut app = App::replay(recorded.events.clone(), theme, glyphs);
        app.view.narration = false;
        Self::Run(recorded.name.clone(), Box::new(app))
    }

    /// The lab with these settings.
    pub(super) fn lab(name: &str, settings: &LabSettings, theme: Theme, glyphs: Glyphs) -> Result<Self> {
        Ok(Self::Lab(Box::new(Lab::new(name, settings, theme, glyphs)?)))
    }

    /// The lab's step that is shown.
    pub(super) fn outcome(&self) -> Option<&Outcome> {
        match self {
            Self::Run(..) => None,
            Self::Lab(lab) => Some(lab.outcome()),
        }
    }

    /// Puts on a palette and glyphs.
    pub(super) fn wear(&mut self, theme: Theme, glyphs: Glyphs) {
        match self {
            Self::Run(_, app) => (app.view.theme, app.view.glyphs) = (theme, glyphs),
            Self::Lab(lab) => (lab.theme, lab.glyphs) = (theme, glyphs),
        }
    }

    /// Shows a step of a lesson as it begins.
    pub(super) fn set(&mut self, step: &Step, presents: bool) {
        let Self::Run(_, app) = self else { return };
        let view = &mut app.view;
        (view.story, view.cursor, view.event, view.maximised) = (true, None, None, false);
        view.ghosts.clear();
        view.presents = presents;
        // A question begins at nothing: what comes is a change from here.
        view.anchor = step.since.or_else(|| step.at.filter(|_| step.ask.is_some()));
        let led: Vec<CurveId> = step.curves.iter().filter_map(|curve| curve_named(curve).ok()).collect();
        view.led = (!led.is_empty()).then_some(led);
        if let Some(prompt) = step.prompt.and_then(|prompt| prompt.checked_sub(1)) {
            (view.prompt, view.prompt_chosen) = (prompt, true);
        }
        app.view.focus_on(self::panels(step)[0]);
        self.go(step.at);
    }

    /// For a projector, or as before.
    pub(super) fn present(&mut self, presents: bool) {
        if let Self::Run(_, app) = self {
            app.view.presents = presents;
        }
    }

    /// Goes to a step of the recording; to its end where none is named. Changes are counted from where the stage began.
    pub(super) fn go(&mut self, step: Option<u64>) {
        let Self::Run(_, app) = self else { return };
        match step {
            Some(step) => app.seek_step(step),
            None => app.seek(usize::MAX),
        }
    }

    /// A line beside the curves.
    pub(super) fn haunt(&mut self, ghost: Ghost) {
        if let Self::Run(_, app) = self {
            app.view.ghosts.push(ghost);
        }
    }

    /// No lines beside the curves.
    pub(super) fn exorcise(&mut self) {
        if let Self::Run(_, app) = self {
            app.view.ghosts.clear();
        }
    }

    /// Another recording's curves as ghosts of this one's, on the scale that is shown.
    pub(super) fn beside(&mut self, other: &Recorded) {
        let Self::Run(_, app) = self else { return };
        let ghosts: Vec<Ghost> = CurveId::all()
            .filter(|&curve| app.view.leads(curve))
            .map(|curve| Ghost {
                label: format!("{} {}", other.name, curve.symbol()),
                curve,
                series: likeness(app, &other.whole, curve),
                pen: None,
            })
            .filter(|ghost| !ghost.series.is_empty())
            .collect();
        app.view.ghosts.extend(ghosts);
    }

    /// A curve over the whole recording on the scale that is shown, and how far its curves go there.
    pub(super) fn truth(&self, whole: &RunHistory, curve: CurveId) -> Option<(Series, f64)> {
        let Self::Run(_, app) = self else { return None };
        let series = likeness(app, whole, curve);
        let of = |curve| likeness(app, whole, curve).summary(0..usize::MAX).finite;
        let led = whole.curves().filter(|&curve| app.view.leads(curve)).filter_map(of);
        let (low, high) = led.reduce(|(a, b), (low, high)| (a.min(low), b.max(high)))?;
        Some((series, high - low))
    }

    /// Hands on a key, if its name is one of those that are live; returns whether it was.
    pub(super) fn key(&mut self, key: KeyEvent, live: &[String]) -> bool {
        let mode = match self {
            Self::Run(_, app) => app.mode(),
            Self::Lab(lab) => lab.mode(),
        };
        let reached = keymap::pair_of(mode, key);
        let Some((_, action)) = reached.filter(|(name, _)| live.iter().any(|live| live == name)) else { return false };
        match self {
            Self::Run(_, app) if action != Action::Quit => drop(app.update(crate::tui::message::Message::Key(key))),
            Self::Lab(lab) => drop(lab.key(key)),
            Self::Run(..) => {}
        }
        true
    }
}

/// A curve of a whole recording as the dashboard would show it.
fn likeness(app: &App, whole: &RunHistory, curve: CurveId) -> Series {
    let Some(anchor) = app.view.anchor else { return whole.curve(curve, app.scale(), None) };
    let level = whole.curve(curve, Scale::LogProb, None);
    let start = level.at(anchor).unwrap_or(f64::NAN);
    level.iter().map(|(step, value)| (step, value - start)).collect()
}

/// The panels that a step shows, the chart where it names none.
pub(super) fn panels(step: &Step) -> Vec<Panel> {
    let panels: Vec<Panel> = step
        .panels
        .iter()
        .map(|place| match place {
            Place::Chart => Panel::Chart,
            Place::Curves => Panel::Curves,
            Place::Prompt => Panel::Prompt,
            Place::Pairs => Panel::Pairs,
            Place::Events => Panel::Events,
            Place::Dynamics => Panel::Dynamics,
            Place::Forces => Panel::Forces,
        })
        .collect();
    if panels.is_empty() { vec![Panel::Chart] } else { panels }
}

/// The recording that a step begins with.
pub(super) fn recorded<'a>(opened: &'a Opened, step: &Step) -> Option<&'a Recorded> {
    opened.recording(step.recording.as_deref())
}

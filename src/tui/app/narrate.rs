//! The sentences of a replay: at every event, what to look at next.

use super::{App, Replay};
use crate::history::{DynamicsState, Mark, MarkKind};
use crate::text::Shown;
use crate::tui::keymap;

impl App {
    /// What a replay that has stopped at an event says of it; nothing with hidden clocks: it is no part of the run.
    pub fn narration(&self) -> Option<String> {
        let replay = self.replay.as_ref().filter(|_| !self.hide_clock)?;
        let mark = replay.whole().marks.get(replay.narrated()?)?;
        Some(format!("step {}: {}", mark.step, keymap::told(&self.told(replay, mark))))
    }

    fn told(&self, replay: &Replay, mark: &Mark) -> String {
        let whole = replay.whole();
        match mark.kind {
            MarkKind::Stage => {
                let at = whole.stage_starts.iter().rposition(|&start| start == mark.step);
                let stage = at.and_then(|at| whole.run.as_ref()?.stages.get(at));
                let name = stage.map_or_else(|| Shown::new("a stage"), |stage| Shown::new(&stage.name));
                if self.has_classes() {
                    format!(
                        "{name} begins. Choose a class with {{next_row}} and {{previous_row}}; watch which other answers rise with the right one."
                    )
                } else if stage.is_some_and(|stage| stage.has_rejected) {
                    format!(
                        "{name} begins: it pulls y⁺ up against y⁻. Watch whether y⁺ (●) stays above 0 while y⁻ (■) falls."
                    )
                } else {
                    format!(
                        "{name} begins: it shows the model y⁺ alone. Watch y⁺ (●) rise towards y* (★), what the model would say."
                    )
                }
            }
            MarkKind::Warning => {
                "something is wrong with the numbers. Read the events: {next_panel}, or {next_event}.".to_owned()
            }
            MarkKind::Phase => mark.text.to_string(),
            MarkKind::State | MarkKind::Alarm => {
                let changes = &whole.detector.changes;
                let entered = changes.iter().rev().find(|change| change.step == mark.step).map(|change| change.state);
                after(entered).to_owned()
            }
        }
    }
}

/// What to look at once a state was entered; an early sign enters none.
fn after(entered: Option<DynamicsState>) -> &'static str {
    match entered {
        None => "y⁺ has passed its peak. Watch whether it falls below where the stage began, the line at 0.",
        Some(DynamicsState::Healthy) => {
            "healthy again. Watch whether it lasts: the pairs ({next_panel}) leave the shaded quarter."
        }
        Some(DynamicsState::Displacing) => {
            "y⁺ falls with y⁻ on many pairs. Watch y* (★): does it rise, and take what both lose?"
        }
        Some(DynamicsState::Flattening) => {
            "y⁺ falls with y⁻, and the mass spreads over many tokens. Watch the entropy in the dynamics panel."
        }
        Some(DynamicsState::Squeezing) => {
            "squeezing: y* (★) takes what y⁺ and y⁻ lose. {next_squeezed} goes through the pairs; read what the model says now."
        }
        Some(DynamicsState::Collapse) => {
            "the squeezed model repeats itself. Read what it says now in the prompt ({next_squeezed})."
        }
    }
}

//! What the key that copies takes from the dashboard.

use super::{App, Panel};
use crate::history::{CurveId, Scale};
use crate::protocol::ProbeKind;
use crate::text::Shown;
use crate::tui::message::Effect;

/// Why nothing is copied where nobody has allowed it.
pub const OFF: &str = "copying is off: write copy: true in your settings (ldyn-tui config says where)";

impl App {
    /// Asks for what is to be copied, and says what it is.
    pub(super) fn copy(&mut self) -> Vec<Effect> {
        if !self.view.copies {
            return self.notify(OFF, true);
        }
        match self.to_copy() {
            None => self.notify("there is nothing to copy here", true),
            Some(text) => {
                self.notify(&format!("copied: {text}"), false);
                vec![Effect::Copy]
            }
        }
    }

    /// The prompt of the panels that show one, the sentence of an event; elsewhere the number that the selected curve (y⁺
    /// where none is) has at the step that is shown.
    pub fn to_copy(&self) -> Option<Shown> {
        match self.focus() {
            Panel::Prompt | Panel::Pairs => {
                let probe = self.shown().run.as_ref()?.probes.get(self.view.prompt)?;
                Some(Shown::new(&probe.prompt))
            }
            Panel::Events => {
                let marks = &self.shown().marks;
                let at = self.view.event.or(marks.len().checked_sub(1))?;
                Some(marks.get(at)?.text.clone())
            }
            _ => {
                let id = self.view.curve.unwrap_or(CurveId::Probe(ProbeKind::Chosen));
                let curve = self.curves().iter().find(|curve| curve.id == id)?;
                let value = curve.at(self.step())?;
                let decimals = if self.scale() == Scale::Probability { 6 } else { 4 };
                Some(Shown::new(&format!("{value:.decimals$}")))
            }
        }
    }
}

//! The mouse: the wheel moves in the list of the panel that it is over, a click focuses a panel, sets the cursor of the
//! chart, or toggles a group. All of it can be done by keys.

use ratatui::layout::{Position, Rect};

use super::{App, Panel};
use crate::protocol::ProbeGroup;
use crate::tui::keymap::{Action, Rows};
use crate::tui::message::{Effect, Gesture, Pointer};
use crate::tui::{panel, view};

impl App {
    /// Does what the mouse asks for, on a screen of this place and size.
    pub(super) fn pointed(&mut self, pointer: Pointer, area: Rect) -> Vec<Effect> {
        let Pointer { did, column, row } = pointer;
        let by = match did {
            Gesture::WheelDown => Some(Rows::Next),
            Gesture::WheelUp => Some(Rows::Previous),
            Gesture::Click => None,
        };
        // What covers the screen is scrolled, and not clicked through.
        if self.view.dialog.is_some() {
            if let Some(by) = by {
                self.list(by);
            }
            return self.changed();
        }
        let at = Position { x: column, y: row };
        let found = view::panel_at(self, area, at);
        match (by, found) {
            (Some(by), Some((panel, _))) => {
                self.view.focus_on(panel);
                self.list(by);
            }
            (None, Some((panel, place))) => {
                self.view.focus_on(panel);
                if panel == Panel::Chart
                    && let Some(step) = panel::chart::step_at(self, place, column)
                {
                    self.point_at(step);
                }
            }
            (None, None) => {
                if let Some(group) = view::group_at(self, area, at) {
                    self.toggle_group(group);
                }
            }
            (Some(_), None) => {}
        }
        self.changed()
    }

    /// The cursor to the measurement nearest to a step.
    fn point_at(&mut self, step: u64) {
        let history = self.shown();
        let after = history.measured_up_to(step);
        let beside = (after.saturating_sub(1)..=after).filter_map(|place| history.measured_at(place));
        let nearest = beside.min_by_key(|measured| measured.abs_diff(step));
        (self.view.cursor, self.view.event) = (nearest, None);
    }

    fn toggle_group(&mut self, group: ProbeGroup) {
        if self.offers(Action::Toggle(group)) {
            self.view.toggle(group);
        }
    }
}

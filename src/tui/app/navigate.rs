//! The cursor, the range of steps and the lists.

use super::{App, Dialog};
use crate::tui::glossary;
use crate::tui::keymap::Rows;
use crate::tui::panel::{List, Panel};

/// Fewest steps that a chart shows.
const MIN_RANGE: u64 = 4;

impl App {
    pub(super) fn move_cursor(&mut self, by: i32) {
        let history = self.shown();
        let Some(last) = history.measurements().checked_sub(1) else { return };
        let here = history.measured_up_to(self.step()).saturating_sub(1);
        let there = history.measured_at(here.saturating_add_signed(by as isize).min(last));
        self.view.cursor = there.or(self.view.cursor);
        self.view.event = None;
        self.keep_cursor_in_range();
    }

    fn keep_cursor_in_range(&mut self) {
        if let (Some(cursor), Some((from, to))) = (self.view.cursor, self.view.range) {
            if cursor < from {
                self.view.range = Some((cursor, cursor + (to - from)));
            } else if cursor > to {
                self.view.range = Some((cursor.saturating_sub(to - from), cursor));
            }
        }
    }

    pub(super) fn zoom(&mut self, closer: bool) {
        let (from, to) = self.range();
        let last = self.end();
        let length = to - from;
        let wanted = if closer { (length / 2).max(MIN_RANGE.min(last)) } else { length.saturating_mul(2) };
        if wanted >= last {
            self.view.range = None;
            return;
        }
        // Without a cursor the latest steps stay in view.
        let from = match self.view.cursor {
            Some(cursor) => cursor.saturating_sub(wanted / 2),
            None if closer => to.saturating_sub(wanted),
            None => from.saturating_sub((wanted - length) / 2),
        };
        self.view.range = Some(within(from, wanted, last));
    }

    pub(super) fn pan(&mut self, later: bool) {
        let Some((from, to)) = self.view.range else { return };
        let length = to - from;
        let by = (length / 4).max(1);
        let from = if later { from + by } else { from.saturating_sub(by) };
        self.view.range = Some(within(from, length, self.end()));
    }

    pub(super) fn jump_event(&mut self, next: bool) {
        let marks = &self.shown().marks;
        let Some(last) = marks.len().checked_sub(1) else { return };
        let at = match (self.view.event, next) {
            (Some(event), true) => (event + 1).min(last),
            (Some(event), false) => event.saturating_sub(1),
            (None, true) => marks.partition_point(|m| m.step <= self.step()).min(last),
            (None, false) => marks.partition_point(|m| m.step < self.step()).saturating_sub(1),
        };
        self.select_event(at);
    }

    fn select_event(&mut self, at: usize) {
        if let Some(step) = self.shown().marks.get(at).map(|m| m.step) {
            self.view.event = Some(at);
            self.view.cursor = Some(step);
            self.keep_cursor_in_range();
        }
    }

    pub(super) fn list(&mut self, by: Rows) {
        if let Some(Dialog::Help(row)) = self.view.dialog {
            let rows = self.offered_keys().count();
            self.view.dialog = Some(Dialog::Help(by.scrolled(row, rows)));
            return;
        }
        if let Some(Dialog::Glossary(row)) = self.view.dialog {
            let terms = glossary::terms(self.focus()).count();
            self.view.dialog = Some(Dialog::Glossary(by.scrolled(row, terms)));
            return;
        }
        if let Some(Dialog::Why(row)) = self.view.dialog {
            self.view.dialog = Some(Dialog::Why(by.scrolled(row, self.why_lines())));
            return;
        }
        match self.focus().list() {
            List::Classes => {
                let at = by.moved(Some(self.class()), self.shown().class_count());
                self.view.class = at;
            }
            List::Curves => {
                let shown: Vec<_> = self.visible_curves().map(|c| c.id).collect();
                let at = self.view.curve.and_then(|c| shown.iter().position(|&s| s == c));
                if let Some(&curve) = by.moved(at, shown.len()).and_then(|at| shown.get(at)) {
                    self.view.curve = Some(curve);
                    self.view.group = curve.group();
                    self.refresh();
                }
            }
            // The text that has no room is read page by page.
            List::Prompts if self.focus() == Panel::Prompt && by == Rows::PageDown => {
                let at = self.view.prompt_scroll.map_or(0, |at| by.scrolled(at, self.prompt_lines()));
                self.view.prompt_scroll = Some(at);
            }
            List::Prompts if self.focus() == Panel::Prompt && by == Rows::PageUp => {
                let back = |at: u16| (at > 0).then(|| by.scrolled(at, self.prompt_lines()));
                self.view.prompt_scroll = self.view.prompt_scroll.and_then(back);
            }
            List::Prompts => {
                let shown = self.visible_prompts();
                let at = shown.iter().position(|&p| p == self.view.prompt);
                if let Some(&prompt) = by.moved(at, shown.len()).and_then(|at| shown.get(at)) {
                    self.choose_prompt(prompt);
                }
            }
            List::Pairs => {
                let rows = self.pairs();
                let at = rows.iter().position(|row| row.pair == self.view.prompt);
                if let Some(row) = by.moved(at, rows.len()).and_then(|at| rows.get(at)) {
                    self.choose_prompt(row.pair);
                }
            }
            List::Events => {
                let count = self.shown().marks.len();
                let at = self.view.event.or(count.checked_sub(1));
                if let Some(at) = by.moved(at, count) {
                    self.select_event(at);
                }
            }
        }
    }
}

impl App {
    /// Lines that the selected prompt's texts take, at most: where scrolling ends.
    fn prompt_lines(&self) -> usize {
        // A panel has some forty columns for text; a text begins a line.
        const COLUMNS: usize = 40;
        let Some(probe) = self.shown().run.as_ref().and_then(|run| run.probes.get(self.view.prompt)) else { return 0 };
        let texts = probe.responses.values().map(|response| response.text.len()).chain([probe.prompt.len()]);
        texts.map(|bytes| bytes / COLUMNS + 1).sum::<usize>() + 12
    }
}

/// `length` steps from `from`, moved so that they lie within `0..=last`.
fn within(from: u64, length: u64, last: u64) -> (u64, u64) {
    let from = from.min(last.saturating_sub(length));
    (from, from + length)
}

//! The pairs: how far y⁺, y⁻ and y* moved on each of them since its stage began, and which of them is shown.

use super::App;
use super::pair::PairOrder;
use crate::history::{PairRow, PairState};
use crate::tui::panel::Panel;

impl App {
    /// Whether the run tells its pairs apart.
    pub(super) fn has_pairs(&self) -> bool {
        self.shown().has_pairs()
    }

    /// Every pair at [`App::step`], in the order that was chosen; empty where nothing is measured.
    pub fn pairs(&self) -> Vec<PairRow> {
        let mut rows = self.shown().pairs_at(self.step());
        self.view.pair_order.sort(&mut rows);
        rows
    }

    /// The squeezed pairs at a step, the gravest first.
    fn squeezed_at(&self, step: u64) -> Vec<usize> {
        if !self.shown().pairs_standing(step).is_some_and(|standing| standing.squeezed.contains(&true)) {
            return Vec::new();
        }
        let mut rows = self.shown().pairs_at(step);
        PairOrder::State.sort(&mut rows);
        rows.iter().take_while(|row| row.state == PairState::Squeezed).map(|row| row.pair).collect()
    }

    /// Until the user selects a prompt, it is the gravest of those that an alarm is about, else the first: the gravest when
    /// the alarm was raised, as long as it is squeezed, so that the text stays while it is read.
    pub(super) fn follow_alarm(&mut self) {
        if self.view.prompt_chosen {
            return;
        }
        let step = self.step();
        let now = self.standing().filter(|standing| standing.state.is_alarm());
        let raised = self.shown().detector.alarms().filter(|change| change.step <= step).last();
        let first = raised.and_then(|raised| self.squeezed_at(raised.step).first().copied());
        let stays = |&pair: &usize| now.is_some_and(|now| now.squeezed.get(pair) == Some(&true));
        let gravest = now.and_then(|_| first.filter(stays).or_else(|| self.squeezed_at(step).first().copied()));
        self.view.prompt = gravest.unwrap_or(0);
    }

    /// Selects a prompt, as the user does.
    pub(super) fn choose_prompt(&mut self, pair: usize) {
        (self.view.prompt, self.view.prompt_chosen) = (pair, true);
        self.view.prompt_scroll = None;
    }

    /// Selects the squeezed pair after the selected one, or before it, the gravest first; says so where there is none.
    pub(super) fn next_squeezed(&mut self, next: bool) -> Result<(), &'static str> {
        let squeezed = self.squeezed_at(self.step());
        let last = squeezed.len().checked_sub(1).ok_or("no pair is squeezed at the step that is shown")?;
        let at = squeezed.iter().position(|&pair| pair == self.view.prompt);
        let at = match (at, next) {
            // The first key shows the gravest, whether or not the panel is there already.
            (Some(at), true) if self.view.prompt_chosen => {
                if at == last {
                    0
                } else {
                    at + 1
                }
            }
            (Some(at), false) if self.view.prompt_chosen => at.checked_sub(1).unwrap_or(last),
            (_, true) => 0,
            (_, false) => last,
        };
        self.choose_prompt(squeezed[at]);
        self.view.prompt_filter.clear();
        if self.focus() != Panel::Pairs {
            self.view.focus_on(Panel::Prompt);
        }
        Ok(())
    }
}

//! The pairs: how far y⁺, y⁻ and y* moved on each of them since its stage began, and what the detector says of it.

use super::App;
use crate::history::{CurveId, Standing};
use crate::protocol::{Evaluation, ProbeKind};
use crate::tui::panel::Panel;

/// What the detector says of a pair, the gravest last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PairState {
    /// Nothing to remark, or nothing is known.
    Quiet,
    /// y⁺ fell with y⁻ although the margin grew.
    Displaced,
    /// Displaced, and y* took its share of the mass.
    Squeezed,
}

impl PairState {
    /// The word in the table.
    pub fn title(self) -> &'static str {
        match self {
            Self::Quiet => "–",
            Self::Displaced => "displaced",
            Self::Squeezed => "squeezed",
        }
    }
}

/// One pair of the run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PairRow {
    /// Index of the prompt.
    pub pair: usize,
    /// Change of log p(y⁺) since the stage began, nats; NaN where it was not measured at both ends.
    pub chosen: f64,
    /// Change of log p(y⁻), nats.
    pub rejected: f64,
    /// Change of the argmax along y⁺, nats.
    pub argmax: f64,
    /// What the detector says of it.
    pub state: PairState,
}

impl PairRow {
    /// How far y* rose above y⁺, nats: by this the gravest pair comes first. A fall of y⁺ alone where y* was not measured.
    fn gap(&self) -> f64 {
        if self.argmax.is_nan() { -self.chosen } else { self.argmax - self.chosen }
    }
}

/// What the pairs are listed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PairOrder {
    /// The gravest state first, within it the widest gap between y* and y⁺.
    #[default]
    State,
    /// The deepest fall of y⁺ first.
    Chosen,
    /// The deepest fall of y⁻ first.
    Rejected,
    /// The largest rise of y* first.
    Argmax,
    /// As the run has them.
    Number,
}

impl PairOrder {
    /// The order after this one.
    pub fn next(self) -> Self {
        match self {
            Self::State => Self::Chosen,
            Self::Chosen => Self::Rejected,
            Self::Rejected => Self::Argmax,
            Self::Argmax => Self::Number,
            Self::Number => Self::State,
        }
    }

    /// The words in the panel's title.
    pub fn title(self) -> &'static str {
        match self {
            Self::State => "by state",
            Self::Chosen => "by y⁺",
            Self::Rejected => "by y⁻",
            Self::Argmax => "by y*",
            Self::Number => "by number",
        }
    }

    /// Sorts; what is no number comes last.
    fn sort(self, rows: &mut [PairRow]) {
        let key = |row: &PairRow| {
            let value = match self {
                Self::State => -row.gap(),
                Self::Chosen => row.chosen,
                Self::Rejected => row.rejected,
                Self::Argmax => -row.argmax,
                Self::Number => 0.0,
            };
            if value.is_nan() { f64::INFINITY } else { value }
        };
        rows.sort_by(|a, b| {
            let state = if self == Self::State { b.state.cmp(&a.state) } else { std::cmp::Ordering::Equal };
            state.then(key(a).total_cmp(&key(b))).then(a.pair.cmp(&b.pair))
        });
    }
}

impl App {
    /// Whether the run tells its pairs apart.
    pub(super) fn has_pairs(&self) -> bool {
        let run = self.shown().run.as_ref();
        run.is_some_and(|run| !run.means && run.classes.is_empty() && !run.probes.is_empty())
    }

    /// How the pairs stand at a step, if its stage pushes answers down.
    fn pairs_standing(&self, step: u64) -> Option<&Standing> {
        let standing = self.shown().detector.standing_at(step);
        standing.filter(|standing| self.pushes_down_in(standing.stage) && !standing.of_means)
    }

    /// Every pair at [`App::step`], in the order that was chosen; empty where nothing is measured.
    pub fn pairs(&self) -> Vec<PairRow> {
        let mut rows = self.pairs_at(self.step());
        self.view.pair_order.sort(&mut rows);
        rows
    }

    /// Every pair at a step, as the run has them.
    fn pairs_at(&self, step: u64) -> Vec<PairRow> {
        let evaluations = &self.shown().evaluations;
        let now = evaluations[..evaluations.partition_point(|e| e.step <= step)].last();
        let start = now.and_then(|now| self.shown().stage_evaluations(now.stage).first());
        let (Some(start), Some(now), true) = (start, now, self.has_pairs()) else { return Vec::new() };
        let standing = self.pairs_standing(step);
        let moved = |curve: CurveId, pair: usize| {
            let value = |e: &Evaluation| curve.values(e).and_then(|v| v.get(pair)).map(|&x| f64::from(x));
            value(now).zip(value(start)).map_or(f64::NAN, |(now, start)| now - start)
        };
        let state = |pair: usize| match standing {
            Some(s) if s.squeezed.get(pair) == Some(&true) => PairState::Squeezed,
            Some(s) if s.displaced.get(pair) == Some(&true) => PairState::Displaced,
            _ => PairState::Quiet,
        };
        let count = self.shown().run.as_ref().map_or(0, |run| run.probes.len());
        let row = |pair: usize| PairRow {
            pair,
            chosen: moved(CurveId::Probe(ProbeKind::Chosen), pair),
            rejected: moved(CurveId::Probe(ProbeKind::Rejected), pair),
            argmax: moved(CurveId::ArgmaxChosen, pair),
            state: state(pair),
        };
        (0..count).map(row).collect()
    }

    /// The squeezed pairs at a step, the gravest first.
    fn squeezed_at(&self, step: u64) -> Vec<usize> {
        if !self.pairs_standing(step).is_some_and(|standing| standing.squeezed.contains(&true)) {
            return Vec::new();
        }
        let mut rows = self.pairs_at(step);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn row(pair: usize, chosen: f64, argmax: f64, state: PairState) -> PairRow {
        PairRow { pair, chosen, rejected: -3.0, argmax, state }
    }

    #[test]
    fn the_gravest_pair_comes_first_and_what_was_not_measured_last() {
        use PairState::{Displaced, Quiet, Squeezed};
        let rows = [
            row(0, f64::NAN, f64::NAN, Quiet),
            row(1, -9.0, 0.5, Displaced),
            row(2, -1.0, 2.0, Squeezed),
            row(3, -4.0, 2.0, Squeezed),
            row(4, 2.0, 1.0, Quiet),
        ];
        let sorted = |order: PairOrder| {
            let mut rows = rows;
            order.sort(&mut rows);
            rows.map(|row| row.pair)
        };
        assert_eq!(sorted(PairOrder::State), [3, 2, 1, 4, 0]);
        assert_eq!(sorted(PairOrder::Chosen), [1, 3, 2, 4, 0]);
        assert_eq!(sorted(PairOrder::Argmax), [2, 3, 4, 1, 0]);
        assert_eq!(sorted(PairOrder::Number), [0, 1, 2, 3, 4]);
        let mut order = PairOrder::default();
        for _ in 0..5 {
            order = order.next();
        }
        assert_eq!(order, PairOrder::default(), "the key goes round");
    }
}

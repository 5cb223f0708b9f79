//! The forces that moved the observed answers: the parts of their changes, added up since the stage began.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::stats::mean;
use crate::protocol::{ForceParts, Forces, ProbeKind};

/// The change of one answer, or a mean over answers, in parts, nats: `pull + push + decay + residual = measured`.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Force {
    /// The change that was measured.
    pub measured: f64,
    /// What the learning of chosen answers did.
    pub pull: f64,
    /// What the learning of rejected answers did.
    pub push: f64,
    /// What weight decay did.
    pub decay: f64,
}

impl Force {
    /// What the parts leave unexplained.
    pub fn residual(self) -> f64 {
        self.measured - self.pull - self.push - self.decay
    }

    fn plus(self, other: Self) -> Self {
        Self {
            measured: self.measured + other.measured,
            pull: self.pull + other.pull,
            push: self.push + other.push,
            decay: self.decay + other.decay,
        }
    }

    fn mean(of: &[Self]) -> Self {
        let mean = |part: fn(&Self) -> f64| mean(&of.iter().map(part).collect::<Vec<_>>());
        Self {
            measured: mean(|f| f.measured),
            pull: mean(|f| f.pull),
            push: mean(|f| f.push),
            decay: mean(|f| f.decay),
        }
    }
}

/// What was known after one window.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Entry {
    /// Optimiser steps at the window's end.
    pub step: u64,
    /// Optimiser steps at its beginning.
    pub since: u64,
    /// Index of the stage.
    pub stage: usize,
    /// What the window did, by kind, one entry a prompt; `None` where the prompt has no such answer.
    pub window: BTreeMap<ProbeKind, Vec<Option<Force>>>,
    /// The same since the stage began.
    pub total: BTreeMap<ProbeKind, Vec<Option<Force>>>,
    /// Root mean square of the window's residuals over that of its changes.
    pub unexplained: f64,
    /// Whether that is more than was tolerated.
    pub open: bool,
}

impl Entry {
    /// What moved the answer of a prompt since the stage began, or the mean over all prompts that have such an answer.
    pub fn since_stage(&self, kind: ProbeKind, prompt: Option<usize>) -> Option<Force> {
        pick(&self.total, kind, prompt)
    }

    /// How many prompts have an answer of a kind: what its mean is over.
    pub fn answers(&self, kind: ProbeKind) -> usize {
        self.total.get(&kind).map_or(0, |answers| answers.iter().flatten().count())
    }

    /// How many prompts there are.
    pub fn prompts(&self) -> usize {
        self.total.values().map(Vec::len).max().unwrap_or(0)
    }
}

fn pick(all: &BTreeMap<ProbeKind, Vec<Option<Force>>>, kind: ProbeKind, prompt: Option<usize>) -> Option<Force> {
    let of_kind = all.get(&kind)?;
    match prompt {
        Some(prompt) => of_kind.get(prompt).copied().flatten(),
        None => {
            let forces: Vec<Force> = of_kind.iter().copied().flatten().collect();
            (!forces.is_empty()).then(|| Force::mean(&forces))
        }
    }
}

/// Every window, in order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Ledger {
    /// One entry a window.
    pub entries: Vec<Arc<Entry>>,
}

impl Ledger {
    /// Adds a window.
    pub(super) fn push(&mut self, forces: &Forces) {
        let window: BTreeMap<_, _> = forces.kinds.iter().map(|(&kind, parts)| (kind, of_prompts(parts))).collect();
        let before = self.entries.last().filter(|entry| entry.stage == forces.stage);
        let total = window.iter().map(|(&kind, now)| {
            let before = before.and_then(|entry| entry.total.get(&kind));
            let sum = |(prompt, &force): (usize, &Option<Force>)| match before.and_then(|b| b.get(prompt)) {
                None => force,
                Some(before) => before.zip(force).map(|(before, force)| before.plus(force)),
            };
            (kind, now.iter().enumerate().map(sum).collect())
        });
        let (mut residual, mut change) = (0.0, 0.0);
        for force in window.values().flatten().flatten() {
            residual += force.residual().powi(2);
            change += force.measured.powi(2);
        }
        let entry = Entry {
            step: forces.step,
            since: forces.since,
            stage: forces.stage,
            total: total.collect(),
            window,
            unexplained: (residual / change).sqrt(),
            // What is no number explains nothing.
            open: residual > forces.tolerance.powi(2) * change || residual.is_nan(),
        };
        self.entries.push(Arc::new(entry));
    }

    /// The last entry at or before a step.
    pub fn at(&self, step: u64) -> Option<&Entry> {
        let after = self.entries.partition_point(|entry| entry.step <= step);
        self.entries[..after].last().map(Arc::as_ref)
    }
}

/// One entry a prompt; `None` where nothing was measured.
fn of_prompts(parts: &ForceParts) -> Vec<Option<Force>> {
    let of = |list: &[f32], prompt: usize| list.get(prompt).map_or(0.0, |&x| f64::from(x));
    let force = |(prompt, &measured): (usize, &f32)| {
        let (pull, push, decay) = (of(&parts.pull, prompt), of(&parts.push, prompt), of(&parts.decay, prompt));
        (!measured.is_nan()).then_some(Force { measured: measured.into(), pull, push, decay })
    };
    parts.measured.iter().enumerate().map(force).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail")]

    use super::*;
    use crate::protocol::ProbeKind::Chosen;

    fn window(stage: usize, since: u64, step: u64, parts: [&[f32]; 3]) -> Forces {
        let [measured, pull, push] = parts.map(<[f32]>::to_vec);
        let parts = ForceParts { measured, pull, push, decay: Vec::new() };
        Forces { step, stage, since, nodes: 2, tolerance: 0.05, kinds: [(Chosen, parts)].into() }
    }

    fn ledger(windows: &[Forces]) -> Ledger {
        let mut ledger = Ledger::default();
        windows.iter().for_each(|window| ledger.push(window));
        ledger
    }

    #[test]
    fn totals_are_the_sums_of_their_windows_and_begin_anew_with_a_stage() {
        let ledger = ledger(&[
            window(0, 0, 4, [&[1.0, 3.0], &[1.0, 3.0], &[]]),
            window(1, 4, 8, [&[-2.0, 1.0], &[8.0, 5.0], &[-10.25, -4.0]]),
            window(1, 8, 9, [&[-0.5, 0.25], &[2.0, 1.0], &[-2.5, -0.75]]),
        ]);
        for (step, stage, prompt, expected) in [
            (4, 0, Some(0), [1.0, 1.0, 0.0]),
            (8, 1, Some(0), [-2.0, 8.0, -10.25]),
            (9, 1, Some(0), [-2.5, 10.0, -12.75]),
            (9, 1, Some(1), [1.25, 6.0, -4.75]),
            (9, 1, None, [-0.625, 8.0, -8.75]),
        ] {
            let entry = ledger.at(step).unwrap();
            let force = entry.since_stage(Chosen, prompt).unwrap();
            assert_eq!((entry.stage, [force.measured, force.pull, force.push]), (stage, expected));
            assert_eq!(force.pull + force.push + force.decay + force.residual(), force.measured);
        }
        assert_eq!(ledger.at(9).unwrap().window[&Chosen][1].unwrap().pull, 1.0);
        assert!(ledger.at(3).is_none());
        assert_eq!(ledger.at(7).unwrap().step, 4, "the last at or before a step");
    }

    #[test]
    fn a_window_that_leaves_too_much_unexplained_is_open() {
        let of = |push: f32| ledger(&[window(0, 0, 4, [&[-2.0], &[8.0], &[push]])]).entries[0].clone();
        assert!(!of(-10.05).open);
        assert!(of(-10.2).open && (of(-10.2).unexplained - 0.1).abs() < 1e-6);
        assert!(of(f32::NAN).open, "no number explains nothing");
    }

    #[test]
    fn a_prompt_without_the_answer_has_no_force_and_no_part_in_the_mean() {
        let ledger = ledger(&[window(0, 0, 4, [&[f32::NAN, 3.0], &[f32::NAN, 3.0], &[]])]);
        let entry = ledger.at(4).unwrap();
        assert_eq!(entry.since_stage(Chosen, Some(0)), None);
        assert_eq!(entry.since_stage(Chosen, None).unwrap().measured, 3.0);
        assert!(!entry.open && entry.prompts() == 2);
        assert_eq!(entry.since_stage(ProbeKind::Rejected, None), None);
    }
}

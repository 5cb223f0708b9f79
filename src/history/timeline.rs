//! A recording, all of it: its events in little room, and the way to the run as it was after any of them.
//!
//! A history only grows, so that going back means folding anew. What is kept on the way makes that short: copies of the
//! history, which share everything with one another, and from the nearest of which the few events up to a place are folded.

use std::ops::Range;
use std::sync::Arc;

use super::store::RunHistory;
use crate::protocol::{Evaluation, MetricKey, StepMetrics, TrainerEvent};

/// Copies of the history that are kept, at least; at most twice as many.
const COPIES: usize = 48;

/// Events of a recording in a row.
#[derive(Debug, Default)]
pub struct Part {
    events: Vec<Kept>,
    /// Optimiser steps taken at each event; never falls.
    steps: Vec<u64>,
    /// The scalars of all optimiser steps, one after the other.
    scalars: Vec<f64>,
    /// Which scalars those are: most steps log the same.
    keys: Vec<Vec<MetricKey>>,
}

/// An event as it is kept.
#[derive(Debug)]
enum Kept {
    /// An optimiser step: its stage, its keys, the place of its first scalar.
    Step {
        stage: u32,
        keys: u32,
        scalars: u32,
    },
    Evaluation(Arc<Evaluation>),
    Other(Box<TrainerEvent>),
}

impl Part {
    fn len(&self) -> usize {
        self.events.len()
    }

    /// Keeps an event, `reached` being the steps taken before it.
    fn push(&mut self, event: TrainerEvent, reached: u64) {
        let step = step_of(&event).unwrap_or(reached).max(reached);
        let kept = match &event {
            TrainerEvent::Step(metrics) if metrics.step == step => self.step(metrics),
            TrainerEvent::Evaluation(evaluation) => Some(Kept::Evaluation(Arc::clone(evaluation))),
            _ => None,
        };
        self.events.push(kept.unwrap_or_else(|| Kept::Other(Box::new(event))));
        self.steps.push(step);
    }

    fn step(&mut self, metrics: &StepMetrics) -> Option<Kept> {
        let same = |keys: &Vec<MetricKey>| keys.iter().eq(metrics.metrics.keys());
        let keys = self.keys.iter().rposition(same).unwrap_or_else(|| {
            self.keys.push(metrics.metrics.keys().cloned().collect());
            self.keys.len() - 1
        });
        let place = self.scalars.len();
        self.scalars.extend(metrics.metrics.values());
        let small = |n: usize| u32::try_from(n).ok();
        Some(Kept::Step { stage: small(metrics.stage)?, keys: small(keys)?, scalars: small(place)? })
    }

    /// Folds the events at these places into a history.
    fn fold(&self, places: Range<usize>, history: &mut RunHistory) {
        for (event, &step) in self.events[places.clone()].iter().zip(&self.steps[places]) {
            match event {
                Kept::Step { stage, keys, scalars } => {
                    let scalars = self.scalars[*scalars as usize..].iter().copied();
                    let metrics = self.keys[*keys as usize].iter().cloned().zip(scalars).collect();
                    history.apply(&TrainerEvent::Step(StepMetrics { step, stage: *stage as usize, metrics }));
                }
                Kept::Evaluation(evaluation) => history.add_evaluation(evaluation),
                Kept::Other(event) => history.apply(event),
            }
        }
    }
}

/// Folds events into a history and hands out what it has kept of them, part by part.
#[derive(Debug, Default)]
pub struct Folder {
    part: Part,
    history: RunHistory,
    reached: u64,
}

impl Folder {
    /// Folds in one event.
    pub fn add(&mut self, event: TrainerEvent) {
        self.history.apply(&event);
        self.part.push(event, self.reached);
        self.reached = self.part.steps.last().copied().unwrap_or_default();
    }

    /// Events since the last part.
    pub fn pending(&self) -> usize {
        self.part.len()
    }

    /// The events since the last part, and the history after them.
    pub fn take(&mut self) -> (Arc<Part>, Arc<RunHistory>) {
        let mut part = std::mem::take(&mut self.part);
        part.events.shrink_to_fit();
        part.steps.shrink_to_fit();
        part.scalars.shrink_to_fit();
        (Arc::new(part), Arc::new(self.history.clone()))
    }
}

/// The history after so many events, without the lists that it has in common with the whole one.
#[derive(Debug, Clone)]
struct Copied {
    events: usize,
    history: Arc<RunHistory>,
    evaluations: usize,
    standings: usize,
}

impl Copied {
    fn new(events: usize, history: &RunHistory) -> Self {
        let (evaluations, standings) = (history.evaluations.len(), history.detector.standings.len());
        let mut copy = history.clone();
        (copy.evaluations, copy.detector.standings) = (Vec::new(), Vec::new());
        Self { events, history: Arc::new(copy), evaluations, standings }
    }

    /// The history, `whole` being one that it has grown to.
    fn restored(&self, whole: &RunHistory) -> RunHistory {
        let mut history = RunHistory::clone(&self.history);
        history.evaluations = whole.evaluations[..self.evaluations].to_vec();
        history.detector.standings = whole.detector.standings[..self.standings].to_vec();
        history
    }
}

/// A recording, as far as it is known. A copy costs little.
#[derive(Debug, Clone, Default)]
pub struct Timeline {
    /// Each part with the number of events before it.
    parts: Vec<(usize, Arc<Part>)>,
    len: usize,
    /// In order.
    copies: Vec<Copied>,
    /// Parts from one copy to the next.
    apart: usize,
    /// Parts since the last copy.
    since: usize,
    /// After everything that is known.
    whole: Arc<RunHistory>,
}

impl Timeline {
    /// A recording of these events.
    pub fn new(events: impl IntoIterator<Item = TrainerEvent>) -> Self {
        const EVENTS: usize = 1024;
        let (mut timeline, mut folder) = (Self::default(), Folder::default());
        for event in events {
            folder.add(event);
            if folder.pending() == EVENTS {
                timeline.extend(folder.take());
            }
        }
        timeline.extend(folder.take());
        timeline
    }

    /// Appends what a [`Folder`] has given.
    pub fn extend(&mut self, (part, after): (Arc<Part>, Arc<RunHistory>)) {
        let same_run = match (&self.whole.run, &after.run) {
            (Some(before), Some(now)) => Arc::ptr_eq(before, now),
            (before, now) => before.is_none() && now.is_none(),
        };
        if !same_run {
            // A run begins: what was before has not grown to it.
            self.copies.clear();
        }
        self.whole = after;
        if part.len() == 0 {
            return;
        }
        let begin = self.len;
        self.len += part.len();
        self.parts.push((begin, part));
        self.since += 1;
        if self.since >= self.apart {
            self.copies.push(Copied::new(self.len, &self.whole));
            self.since = 0;
        }
        if self.copies.len() > 2 * COPIES {
            let copies = std::mem::take(&mut self.copies).into_iter();
            self.copies = copies.skip(1).step_by(2).collect();
            self.apart = 2 * self.apart.max(1);
        }
    }

    /// The history after everything that is known.
    pub fn whole(&self) -> &RunHistory {
        &self.whole
    }

    /// Events in all.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The part with the event at `place`, and the place in it.
    fn part(&self, place: usize) -> Option<(usize, &Part, usize)> {
        let index = self.parts.partition_point(|(begin, _)| *begin <= place).checked_sub(1)?;
        let (begin, part) = &self.parts[index];
        (place - begin < part.len()).then_some((index, part, place - begin))
    }

    /// Optimiser steps taken after the first `events` of them.
    pub fn step_at(&self, events: usize) -> u64 {
        let last = events.checked_sub(1).and_then(|last| self.part(last));
        last.map_or(0, |(_, part, at)| part.steps[at])
    }

    /// How many events there are at or before `step`.
    pub fn up_to(&self, step: u64) -> usize {
        let after = self.parts.partition_point(|(_, part)| part.steps.first().is_none_or(|&first| first <= step));
        let Some((begin, part)) = after.checked_sub(1).and_then(|at| self.parts.get(at)) else { return 0 };
        begin + part.steps.partition_point(|&s| s <= step)
    }

    /// How many events there are up to and including the first measurement after the first `events`.
    pub fn next_measurement(&self, events: usize) -> Option<usize> {
        (events..self.len).find(|&at| self.is_measurement(at)).map(|at| at + 1)
    }

    /// How many events there are up to and including the last measurement among the first `events`.
    pub fn last_measurement(&self, events: usize) -> Option<usize> {
        (0..events.min(self.len)).rev().find(|&at| self.is_measurement(at)).map(|at| at + 1)
    }

    fn is_measurement(&self, place: usize) -> bool {
        self.part(place).is_some_and(|(_, part, at)| match &part.events[at] {
            Kept::Evaluation(_) => true,
            Kept::Other(event) => matches!(**event, TrainerEvent::Classes(_)),
            Kept::Step { .. } => false,
        })
    }

    /// Takes a history from where it is after `from` events to where it is after `to`, at most all there are.
    pub fn seek(&self, history: &mut RunHistory, from: usize, to: usize) {
        if to == self.len {
            *history = RunHistory::clone(&self.whole);
            return;
        }
        let known = self.copies.partition_point(|copy| copy.events <= to).checked_sub(1).map(|at| &self.copies[at]);
        let begin = known.map_or(0, |copy| copy.events);
        let mut at = from;
        if from > to || from < begin {
            *history = known.map_or_else(RunHistory::default, |copy| copy.restored(&self.whole));
            at = begin;
        }
        while let Some((index, part, place)) = self.part(at).filter(|_| at < to) {
            let end = part.len().min(to - self.parts[index].0);
            part.fold(place..end, history);
            at += end - place;
        }
    }
}

/// Optimiser steps taken at an event; `None` where it does not say.
fn step_of(event: &TrainerEvent) -> Option<u64> {
    match event {
        TrainerEvent::RunStarted(_) | TrainerEvent::Measuring { .. } | TrainerEvent::Speed { .. } => None,
        TrainerEvent::Phase { step, .. }
        | TrainerEvent::StageStarted { step, .. }
        | TrainerEvent::Note { step, .. } => Some(*step),
        TrainerEvent::Step(metrics) => Some(metrics.step),
        TrainerEvent::Evaluation(evaluation) => Some(evaluation.step),
        TrainerEvent::Forces(forces) => Some(forces.step),
        TrainerEvent::Classes(reading) => Some(reading.step),
    }
}

#[cfg(test)]
#[path = "timeline_tests.rs"]
mod tests;

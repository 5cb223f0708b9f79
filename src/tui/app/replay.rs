//! A recorded run and the place in it.

use std::time::Duration;

use crate::history::RunHistory;
use crate::protocol::TrainerEvent;

/// Optimiser steps per second.
const RATES: [f64; 10] = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0];
/// How long a whole run takes at the rate it is opened with, seconds, at most.
const WHOLE_RUN_SECONDS: f64 = 30.0;

/// A recorded run and how much of it has been applied.
#[derive(Debug, Clone)]
pub struct Replay {
    events: Vec<TrainerEvent>,
    /// Optimiser steps taken at each event; never falls.
    steps: Vec<u64>,
    position: usize,
    /// While playing: since when, and from which step.
    playing: Option<(Duration, u64)>,
    rate: usize,
}

impl Replay {
    /// A recording of which nothing has been applied.
    pub fn new(events: Vec<TrainerEvent>) -> Self {
        let mut last = 0;
        let steps: Vec<u64> = events
            .iter()
            .map(|event| {
                last = last.max(step_of(event).unwrap_or(last));
                last
            })
            .collect();
        #[allow(clippy::cast_precision_loss, reason = "a number of steps")]
        let wanted = last as f64 / WHOLE_RUN_SECONDS;
        let rate = RATES.iter().position(|&r| r >= wanted).unwrap_or(RATES.len() - 1);
        Self { events, steps, position: 0, playing: None, rate }
    }

    /// Events in all.
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether the recording is empty.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Events applied.
    pub fn position(&self) -> usize {
        self.position
    }

    /// Whether it plays.
    pub fn is_playing(&self) -> bool {
        self.playing.is_some()
    }

    /// Optimiser steps per second.
    pub fn rate(&self) -> f64 {
        RATES[self.rate]
    }

    /// The position after the last event at or before `step`.
    pub fn position_of(&self, step: u64) -> usize {
        self.steps.partition_point(|&s| s <= step)
    }

    /// The position after the next evaluation, or the end.
    pub fn next_evaluation(&self) -> usize {
        let rest = &self.events[self.position..];
        rest.iter().position(is_evaluation).map_or(self.len(), |i| self.position + i + 1)
    }

    /// The position after the evaluation before the one last applied, or the beginning of the measurements.
    pub fn previous_evaluation(&self) -> usize {
        let mut applied = self.events[..self.position].iter().enumerate().rev().filter(|(_, e)| is_evaluation(e));
        let last = applied.next().map_or(0, |(i, _)| i + 1);
        // Within the steps after an evaluation, "back" goes to that evaluation first.
        if last < self.position { last } else { applied.next().map_or(last, |(i, _)| i + 1) }
    }

    /// Applies events up to `position`; going back starts from nothing, since a history only grows.
    pub fn seek(&mut self, history: &mut RunHistory, position: usize) {
        let position = position.min(self.len());
        if position < self.position {
            *history = RunHistory::default();
            self.position = 0;
        }
        for event in &self.events[self.position..position] {
            history.apply(event);
        }
        self.position = position;
    }

    /// Starts, from the beginning if it is at its end, or stops.
    pub fn toggle(&mut self, history: &mut RunHistory, now: Duration) {
        if self.playing.take().is_some() {
            return;
        }
        if self.position == self.len() {
            self.seek(history, 0);
        }
        self.playing = Some((now, self.step()));
    }

    /// Stops.
    pub fn stop(&mut self) {
        self.playing = None;
    }

    /// Changes the rate.
    pub fn change_rate(&mut self, faster: bool, now: Duration) {
        self.rate = if faster { (self.rate + 1).min(RATES.len() - 1) } else { self.rate.saturating_sub(1) };
        if self.playing.is_some() {
            self.playing = Some((now, self.step()));
        }
    }

    /// Goes on playing; returns whether anything was applied.
    pub fn tick(&mut self, history: &mut RunHistory, now: Duration) -> bool {
        let Some((since, from)) = self.playing else { return false };
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates, never negative")]
        let played = (now.saturating_sub(since).as_secs_f64() * self.rate()) as u64;
        let target = self.position_of(from.saturating_add(played));
        let moved = target > self.position;
        if moved {
            self.seek(history, target);
        }
        if self.position == self.len() {
            self.playing = None;
            return true;
        }
        moved
    }

    fn step(&self) -> u64 {
        self.position.checked_sub(1).map_or(0, |last| self.steps[last])
    }
}

fn is_evaluation(event: &TrainerEvent) -> bool {
    matches!(event, TrainerEvent::Evaluation(_) | TrainerEvent::Classes(_))
}

fn step_of(event: &TrainerEvent) -> Option<u64> {
    match event {
        TrainerEvent::RunStarted(_) | TrainerEvent::Speed { .. } => None,
        TrainerEvent::Phase { step, .. } | TrainerEvent::StageStarted { step, .. } => Some(*step),
        TrainerEvent::Step(metrics) => Some(metrics.step),
        TrainerEvent::Evaluation(evaluation) => Some(evaluation.step),
        TrainerEvent::Forces(forces) => Some(forces.step),
        TrainerEvent::Classes(reading) => Some(reading.step),
    }
}

//! A recorded run and the place in it.

use std::time::Duration;

use crate::history::{MarkKind, RunHistory, Timeline};
use crate::protocol::TrainerEvent;
use crate::record::Loaded;
use crate::text::Shown;

/// How long a whole run takes at the rate it is opened with, seconds, at most.
const WHOLE_RUN_SECONDS: u64 = 30;

/// A recorded run, as far as it is read, and how much of it has been applied.
#[derive(Debug, Clone, Default)]
pub struct Replay {
    timeline: Timeline,
    reading: Reading,
    position: usize,
    /// What is shown of a recording that is still being read.
    aim: Aim,
    /// While playing: since when, and from which step.
    playing: Option<(Duration, u64)>,
    /// The event at which playing stopped to say what to look at: an index into the whole recording's marks.
    narrated: Option<usize>,
    /// The rate that was chosen; `None` for one at which the run takes half a minute.
    rate: Option<Rate>,
}

/// How much of the file is read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Reading {
    /// All of it.
    #[default]
    Done,
    /// So many bytes.
    Under {
        /// Read.
        read: u64,
        /// In the file.
        of: u64,
    },
    /// All that was written so far; whoever writes it goes on.
    Attached {
        /// How long the writer has been silent at least, where that is worth a word.
        silent: Option<Duration>,
    },
    /// It cannot be read any further; why, in a line.
    Broken(Shown),
}

/// What is shown as a recording arrives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Aim {
    /// The end of what is there.
    #[default]
    End,
    /// A step, as soon as it is there.
    Step(u64),
    /// What is shown now: the user has chosen it.
    Here,
}

/// Optimiser steps per second: 1, 2, 5, 10 and so on, without end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rate(u32);

impl Rate {
    /// Beyond it a number of steps is no number any more.
    const LAST: Self = Self(56);

    fn steps(self) -> u64 {
        [1, 2, 5][(self.0 % 3) as usize] * 10_u64.pow(self.0 / 3)
    }

    /// The slowest that is no slower.
    fn at_least(steps: u64) -> Self {
        (0..Self::LAST.0).map(Self).find(|rate| rate.steps() >= steps).unwrap_or(Self::LAST)
    }

    fn next(self, faster: bool) -> Self {
        Self(if faster { (self.0 + 1).min(Self::LAST.0) } else { self.0.saturating_sub(1) })
    }
}

impl Replay {
    /// A recording of which nothing has been applied.
    pub fn new(events: Vec<TrainerEvent>) -> Self {
        Self { timeline: Timeline::new(events), ..Self::default() }
    }

    /// A recording that is being read.
    pub fn arriving() -> Self {
        Self { reading: Reading::Under { read: 0, of: 0 }, ..Self::default() }
    }

    /// Events that are known.
    pub fn len(&self) -> usize {
        self.timeline.len()
    }

    /// Whether the recording is empty.
    pub fn is_empty(&self) -> bool {
        self.timeline.is_empty()
    }

    /// Events applied.
    pub fn position(&self) -> usize {
        self.position
    }

    /// How much of it is read.
    pub fn reading(&self) -> &Reading {
        &self.reading
    }

    /// Whether more is to come.
    fn is_arriving(&self) -> bool {
        matches!(self.reading, Reading::Under { .. } | Reading::Attached { .. })
    }

    /// Whether it plays.
    pub fn is_playing(&self) -> bool {
        self.playing.is_some()
    }

    /// Optimiser steps per second, `announced` being those of the whole run.
    pub fn rate(&self, announced: u64) -> u64 {
        self.rate_of(announced).steps()
    }

    fn rate_of(&self, announced: u64) -> Rate {
        let known = self.timeline.step_at(self.len());
        let whole = if self.is_arriving() { announced.max(known) } else { known };
        self.rate.unwrap_or_else(|| Rate::at_least(whole.div_ceil(WHOLE_RUN_SECONDS)))
    }

    /// Takes what was read; returns whether the history changed.
    pub fn arrived(&mut self, loaded: Loaded, history: &mut RunHistory) -> bool {
        match loaded {
            Loaded::Part { part, after, read, of } => {
                self.timeline.extend((part, after));
                // A few more lines of a run that is followed are no loading.
                if !matches!(self.reading, Reading::Attached { .. }) {
                    self.reading = Reading::Under { read, of };
                }
            }
            Loaded::Attached { silent } => self.reading = Reading::Attached { silent },
            Loaded::Anew => {
                *self = Self { rate: self.rate, ..Self::arriving() };
                *history = RunHistory::default();
                return true;
            }
            Loaded::Whole => self.reading = Reading::Done,
            Loaded::Broken(why) => self.reading = Reading::Broken(why),
        }
        let position = match self.aim {
            Aim::End => self.len(),
            Aim::Step(step) => self.position_of(step),
            Aim::Here => self.position,
        };
        let moved = position != self.position;
        self.go(history, position);
        moved
    }

    /// The history after everything that is read: what axes are fixed to.
    pub fn whole(&self) -> &RunHistory {
        self.timeline.whole()
    }

    /// The event at which playing stopped, an index into the marks of [`Replay::whole`].
    pub fn narrated(&self) -> Option<usize> {
        self.narrated
    }

    /// The first event worth a sentence that lies after the position: its place among the marks, and the position after it.
    fn next_told(&self) -> Option<(usize, usize)> {
        let marks = self.whole().marks.iter().enumerate();
        let mut told = marks.filter(|(_, mark)| mark.kind != MarkKind::Phase);
        let (first, at) = told.find_map(|(at, mark)| {
            let position = self.position_of(mark.step);
            (position > self.position).then_some((at, position))
        })?;
        // Of several at one step the gravest, which comes last, is told.
        let step = self.whole().marks[first].step;
        let last = told.take_while(|(_, mark)| mark.step == step).last().map_or(first, |(at, _)| at);
        Some((last, at))
    }

    /// The position after the last event at or before `step`.
    pub fn position_of(&self, step: u64) -> usize {
        self.timeline.up_to(step)
    }

    /// The position after the next evaluation, or the end.
    pub fn next_evaluation(&self) -> usize {
        self.timeline.next_measurement(self.position).unwrap_or(self.len())
    }

    /// The position after the evaluation before the one last applied, or the beginning of the measurements.
    pub fn previous_evaluation(&self) -> usize {
        let Some(last) = self.timeline.last_measurement(self.position) else { return 0 };
        // Within the steps after an evaluation, "back" goes to that evaluation first.
        if last < self.position { last } else { self.timeline.last_measurement(last - 1).unwrap_or(last) }
    }

    /// The position after each measurement and the step that it is reached at, up to `step` or the end, where the last is.
    pub fn measured(&self, step: Option<u64>) -> Vec<(usize, u64)> {
        let end = step.map_or(self.len(), |step| self.position_of(step));
        let next = |at: usize| self.timeline.next_measurement(at).filter(|&at| at <= end);
        let measured = std::iter::successors(next(0), |&at| next(at));
        measured.chain([end]).map(|at| (at, self.timeline.step_at(at))).collect()
    }

    /// Applies events up to `position`, and stays there.
    pub fn seek(&mut self, history: &mut RunHistory, position: usize) {
        self.aim = if position >= self.len() { Aim::End } else { Aim::Here };
        self.narrated = None;
        self.go(history, position);
    }

    /// Goes to the state after everything that happened at or before a step, which may not be read yet.
    pub fn seek_step(&mut self, history: &mut RunHistory, step: u64) {
        self.aim = Aim::Step(step);
        self.narrated = None;
        self.go(history, self.position_of(step));
    }

    fn go(&mut self, history: &mut RunHistory, position: usize) {
        let position = position.min(self.len());
        self.timeline.seek(history, self.position, position);
        self.position = position;
    }

    /// Starts, from the beginning if it is at its end, or stops.
    pub fn toggle(&mut self, history: &mut RunHistory, now: Duration) {
        self.aim = Aim::Here;
        self.narrated = None;
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
    pub fn change_rate(&mut self, faster: bool, announced: u64, now: Duration) {
        self.rate = Some(self.rate_of(announced).next(faster));
        if self.playing.is_some() {
            self.playing = Some((now, self.step()));
        }
    }

    /// Goes on playing, to the next event where `narrates` stops at each; returns whether anything was applied.
    pub fn tick(&mut self, history: &mut RunHistory, now: Duration, narrates: bool) -> bool {
        let Some((since, from)) = self.playing else { return false };
        let rate = u128::from(self.rate(history.total_steps()));
        let played = now.saturating_sub(since).as_micros().saturating_mul(rate) / 1_000_000;
        let target = self.position_of(from.saturating_add(u64::try_from(played).unwrap_or(u64::MAX)));
        if let Some((mark, at)) = self.next_told().filter(|&(_, at)| narrates && target >= at) {
            self.go(history, at);
            (self.playing, self.narrated) = (None, Some(mark));
            return true;
        }
        let moved = target > self.position;
        if moved {
            self.go(history, target);
        }
        if self.position == self.len() {
            // What is not read yet is waited for.
            self.playing = self.is_arriving().then(|| (now, self.step()));
            return moved || self.playing.is_none();
        }
        moved
    }

    fn step(&self) -> u64 {
        self.timeline.step_at(self.position)
    }
}

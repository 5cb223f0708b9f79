//! Commands from outside, acted on between optimiser steps.

use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, TryRecvError};

use super::sink::EventSink;
use super::state::TrainerState;
use crate::error::Result;
use crate::protocol::{RunPhase, TrainerCommand, TrainerEvent};

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Take an optimiser step.
    Step,
    /// Measure the probes, then ask again.
    Evaluate,
    /// End the run.
    Stop,
}

/// The trainer's side of the commands.
pub(super) struct Control<'a> {
    commands: &'a Receiver<TrainerCommand>,
    events: &'a mut dyn EventSink,
    paused: bool,
    /// A single step was asked for: pause after it.
    stepping: bool,
    /// Time spent paused.
    waited: Duration,
}

impl<'a> Control<'a> {
    pub(super) fn new(commands: &'a Receiver<TrainerCommand>, events: &'a mut dyn EventSink) -> Self {
        Self { commands, events, paused: false, stepping: false, waited: Duration::ZERO }
    }

    /// Emits an event.
    pub(super) fn emit(&mut self, event: &TrainerEvent) -> Result<()> {
        self.events.emit(event)
    }

    /// Hands over where the run stands.
    pub(super) fn keep(&mut self, state: &TrainerState) -> Result<()> {
        self.events.keep(state)
    }

    /// Hands over a snapshot.
    pub(super) fn snapshot(&mut self, state: &TrainerState) {
        self.events.snapshot(state);
    }

    /// Says that the run goes on from the saved state.
    pub(super) fn resumed(&mut self) -> Result<()> {
        self.events.resumed()
    }

    /// Says what the trainer is doing.
    pub(super) fn say(&mut self, phase: RunPhase, step: u64) -> Result<()> {
        self.emit(&TrainerEvent::Phase { phase, step })
    }

    /// Acknowledges every waiting command, waits while paused, and says what to do next. Whoever gave the commands being gone
    /// is no reason to stop.
    pub(super) fn next(&mut self, step: u64) -> Result<Next> {
        if self.stepping {
            self.stepping = false;
            self.pause(step)?;
        }
        loop {
            let command = if self.paused {
                let began = Instant::now();
                let command = self.commands.recv();
                self.waited += began.elapsed();
                command.unwrap_or(TrainerCommand::Resume)
            } else {
                match self.commands.try_recv() {
                    Ok(command) => command,
                    Err(TryRecvError::Empty | TryRecvError::Disconnected) => return Ok(Next::Step),
                }
            };
            match command {
                TrainerCommand::Pause => self.pause(step)?,
                TrainerCommand::Resume => self.resume(step)?,
                TrainerCommand::Step => {
                    self.resume(step)?;
                    self.stepping = true;
                    return Ok(Next::Step);
                }
                TrainerCommand::Evaluate => return Ok(Next::Evaluate),
                TrainerCommand::Stop => {
                    self.say(RunPhase::Stopping, step)?;
                    return Ok(Next::Stop);
                }
            }
        }
    }

    /// Says what the trainer is doing, though it was doing that before.
    pub(super) fn say_again(&mut self, step: u64) -> Result<()> {
        self.say(if self.paused { RunPhase::Paused } else { RunPhase::Running }, step)
    }

    /// How long the trainer has waited for commands, in all.
    pub(super) fn waited(&self) -> Duration {
        self.waited
    }

    /// Whether the trainer waits for a command before it takes another step.
    pub(super) fn is_paused(&self) -> bool {
        self.paused
    }

    fn pause(&mut self, step: u64) -> Result<()> {
        if !self.paused {
            self.paused = true;
            self.say(RunPhase::Paused, step)?;
        }
        Ok(())
    }

    fn resume(&mut self, step: u64) -> Result<()> {
        if self.paused {
            self.paused = false;
            self.say(RunPhase::Running, step)?;
        }
        Ok(())
    }
}

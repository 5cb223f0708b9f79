//! The training thread: spawn, channels, panics caught, join.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::thread::JoinHandle;

use crossbeam_channel::{Sender, bounded};

use super::job;
use super::sink::EventSink;
use super::state::{SavedState, TrainerState};
use crate::backend::BackendChoice;
use crate::error::{Error, Result};
use crate::experiment::Experiment;
use crate::protocol::{RunPhase, TrainerCommand, TrainerEvent};

/// A running trainer.
#[derive(Debug)]
pub struct TrainerHandle {
    /// Commands to it.
    pub commands: Sender<TrainerCommand>,
    thread: JoinHandle<Result<()>>,
}

impl TrainerHandle {
    /// Waits for the thread. A panic in it was already turned into an error.
    ///
    /// # Errors
    /// What ended the run, if it did not end well.
    pub fn join(self) -> Result<()> {
        self.thread.join().unwrap_or_else(|panic| Err(Error::failed(panic_message(&*panic))))
    }
}

/// Commands that may wait; more than a held key gives during the longest evaluation.
const COMMANDS: usize = 1024;

/// Starts the training thread. `model_folder` is where the final weights go, if the experiment keeps them.
///
/// # Errors
/// When the thread cannot be started.
pub fn spawn(
    experiment: Experiment,
    backend: BackendChoice,
    model_folder: Option<PathBuf>,
    sink: Box<dyn EventSink>,
) -> Result<TrainerHandle> {
    let (commands, receiver) = bounded(COMMANDS);
    let body = move || {
        let mut sink = Counting { sink, step: 0 };
        let trained = catch_unwind(AssertUnwindSafe(|| {
            job::train(&experiment, backend, model_folder.as_deref(), &mut sink, &receiver)
        }))
        .unwrap_or_else(|panic| Err(Error::failed(format!("the trainer panicked: {}", panic_message(&*panic)))));
        if let Err(error) = &trained {
            let failed = TrainerEvent::Phase { phase: RunPhase::Failed(error.to_string()), step: sink.step };
            // The sink may be what failed; the error itself still reaches whoever joins.
            let _ = sink.emit(&failed);
        }
        trained
    };
    let thread = std::thread::Builder::new()
        .name("trainer".to_owned())
        .spawn(body)
        .map_err(|e| Error::failed(format!("the trainer thread cannot be started: {e}")))?;
    Ok(TrainerHandle { commands, thread })
}

/// Remembers how far the trainer came, for a failure that does not say.
struct Counting {
    sink: Box<dyn EventSink>,
    step: u64,
}

impl EventSink for Counting {
    fn emit(&mut self, event: &TrainerEvent) -> Result<()> {
        if let TrainerEvent::Step(metrics) = event {
            self.step = metrics.step;
        }
        self.sink.emit(event)
    }

    fn keep(&mut self, state: &TrainerState) -> Result<()> {
        self.sink.keep(state)
    }

    fn snapshot(&mut self, state: &TrainerState) {
        self.sink.snapshot(state);
    }

    fn saved(&mut self) -> Option<SavedState> {
        let saved = self.sink.saved()?;
        self.step = saved.position().step;
        Some(saved)
    }

    fn resumed(&mut self) -> Result<()> {
        self.sink.resumed()
    }
}

fn panic_message(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a panic without a message")
}

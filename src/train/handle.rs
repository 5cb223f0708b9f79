//! The training thread: spawn, channels, panics caught, join.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::thread::JoinHandle;

use crossbeam_channel::{Sender, bounded};

use super::state::{SavedState, TrainerState};
use crate::backend::{self, BackendChoice};
use crate::error::{Error, Result};
use crate::experiment::Experiment;
use crate::protocol::{RunPhase, TrainerCommand, TrainerEvent};

/// Where a trainer's events go, and where it is kept where the run stands. Called on the training thread, in order.
pub trait EventSink: Send {
    /// Takes one event. An error (a full disk) ends the run with [`RunPhase::Failed`].
    ///
    /// # Errors
    /// When the event cannot be recorded.
    fn emit(&mut self, event: &TrainerEvent) -> Result<()>;

    /// Keeps where the run stands now: what was emitted so far came before, what is emitted next comes after.
    ///
    /// # Errors
    /// When it cannot be written. That ends the run: the state kept before is whole, and the run can go on from it.
    fn keep(&mut self, _state: &TrainerState) -> Result<()> {
        Ok(())
    }

    /// What the run is to go on from; asked once, before the first event. Up to [`EventSink::resumed`] nothing that is
    /// emitted belongs to the run.
    fn saved(&mut self) -> Option<SavedState> {
        None
    }

    /// The saved state was taken over: what is emitted from here on comes after what was emitted when it was kept.
    ///
    /// # Errors
    /// When the record cannot be taken back to there.
    fn resumed(&mut self) -> Result<()> {
        Ok(())
    }
}

/// A function of the event is a sink that keeps nothing.
impl<F: FnMut(&TrainerEvent) -> Result<()> + Send> EventSink for F {
    fn emit(&mut self, event: &TrainerEvent) -> Result<()> {
        self(event)
    }
}

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
            backend::train(&experiment, backend, model_folder.as_deref(), &mut sink, &receiver)
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

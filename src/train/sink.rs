//! The sink of a trainer's events.

use super::state::{SavedState, TrainerState};
use crate::error::Result;
use crate::protocol::TrainerEvent;

/// The sink of a trainer's events, which also keeps where the run stands. Called on the training thread, in order.
pub trait EventSink: Send {
    /// Takes one event. An error (a full disk) ends the run with [`RunPhase::Failed`](crate::protocol::RunPhase::Failed).
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

    /// Keeps a snapshot: where the run stands now, without what only its going on needs. It is worth nothing but time, so that
    /// one that cannot be written ends nothing.
    fn snapshot(&mut self, _state: &TrainerState) {}

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

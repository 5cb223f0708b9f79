//! A run as it was recorded.

use crate::history::RunHistory;
use crate::protocol::TrainerEvent;
use crate::text::Shown;

/// A run as it was recorded.
#[derive(Debug, Clone, Default)]
pub struct Recording {
    /// The run's events, in order; the first that is not a phase is the start of the run.
    pub events: Vec<TrainerEvent>,
    /// What was passed over, in words.
    pub warnings: Vec<Shown>,
}

impl Recording {
    /// All of it, folded.
    pub fn history(&self) -> RunHistory {
        let mut history = RunHistory::default();
        for event in &self.events {
            history.apply(event);
        }
        history
    }
}

//! Training. Knows no terminal and no files of its own: everything it has to say goes through an [`EventSink`].

mod classify;
#[cfg(test)]
mod classify_tests;
mod control;
mod fits;
pub mod footprint;
mod gradients;
pub mod handle;
mod metrics;
mod on_policy;
mod optimizer;
mod order;
mod pass;
#[cfg(test)]
mod pass_tests;
mod prepare;
mod resume;
#[cfg(test)]
mod resume_tests;
pub mod score;
mod stage;
pub mod state;
#[cfg(test)]
mod tests;
mod trainer;
mod update;
mod weights;

pub use fits::{Need, Outlook, outlook};
pub use handle::{EventSink, TrainerHandle, spawn};
pub(crate) use pass::logps;
pub use state::{SavedState, TrainerState};
pub(crate) use trainer::train;

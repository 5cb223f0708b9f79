//! Training. Knows no terminal and no files of its own: everything it has to say goes through an [`EventSink`].

mod classify;
#[cfg(test)]
mod classify_tests;
mod control;
mod gradients;
pub mod handle;
mod metrics;
mod on_policy;
mod optimizer;
mod order;
mod prepare;
pub mod score;
mod stage;
#[cfg(test)]
mod tests;
mod trainer;

pub use handle::{EventSink, TrainerHandle, spawn};
pub(crate) use trainer::train;

//! Training. Knows no terminal and no files: everything it has to say goes through an [`EventSink`].

pub mod handle;
pub mod score;

pub use handle::{EventSink, TrainerHandle, spawn};

//! Training. Knows no terminal and no files: everything it has to say goes through an [`EventSink`].

pub mod handle;

pub use handle::{EventSink, TrainerHandle, spawn};

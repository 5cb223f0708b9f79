//! Watch a language model learn, live, in a terminal: the learning dynamics of finetuning (Ren & Sutherland, ICLR 2025,
//! arXiv 2407.10490), and above all the squeezing effect of off-policy DPO.
//!
//! ```text
//! Experiment -> data -> model -> objective -> trainer thread
//!                                    \-> probe, dynamics (every N steps)
//! trainer ==TrainerEvent==> history -> reduce/detect -> view
//!    ^                       \-> run file -> replay, compare, export, verify
//!    ====TrainerCommand==== keymap -> app.update -> Effect
//! ```
//!
//! The waist is [`protocol`]: plain data. Everything left of it trains and knows no screen; everything right of it shows
//! and knows no tensor. A recorded run and a live one are the same thing to the right-hand side.
//!
//! # Floors
//!
//! A room imports only from floors below its own; rooms of one floor do not know each other. Within a room and between
//! rooms no files import each other in a circle.
//!
//! ```text
//! 10  commands
//!  9  session  selftest
//!  8  train  score  cli
//!  7  probe  validate
//!  6  model
//!  5  data  claims  tui
//!  4  backend  dynamics  record  export
//!  3  experiment  history
//!  2  error  objective
//!  1  protocol  text
//! ```
//!
//! # Architecture invariants
//!
//! `tests/it/architecture.rs` reads the source and holds the floors, and the invariants that can be read off imports.
//!
//! 1. [`protocol`] imports `std` and `serde` alone.
//! 2. `burn` is named only in [`backend`], [`model`], [`objective`], [`probe`], [`train`], [`score`] and [`selftest`].
//! 3. `ratatui` and `crossterm` are named only in [`tui`], and in [`export`] where it renders a buffer.
//! 4. [`objective`] sees log-probs and masks, never a model.
//! 5. [`history`], [`record`], [`claims`] and [`export`] import neither [`tui`] nor [`train`]; [`tui`] never imports [`train`].
//! 6. `App::update` is deterministic: time arrives inside the message.
//! 7. Channels to the screen are bounded. Events that make up the run go to the run file from the trainer's side and are
//!    lossless; only display copies may be dropped, and the header counts them. The trainer never waits for the screen.
//! 8. A phase change is an acknowledgement: a request becomes a fact only when the trainer says so.
//! 9. Nothing panics to stop; a panic of the trainer becomes [`protocol::RunPhase::Failed`] with its message on the screen.
//! 10. A new objective, probe kind, key, exporter or model family costs one row or one file, and its test.
//! 11. Untrusted text reaches a terminal, a log or a file name only as [`text::Shown`].
//! 12. An invariant of a measurement (argmax ≥ label, gains = losses) is checked where the number is made.

pub mod backend;
pub mod claims;
pub mod cli;
pub mod commands;
pub mod data;
pub mod dynamics;
pub mod error;
pub mod experiment;
pub mod export;
pub mod history;
pub mod model;
pub mod objective;
pub mod probe;
pub mod protocol;
pub mod record;
pub mod score;
pub mod selftest;
pub mod session;
pub mod text;
pub mod train;
pub mod tui;
mod validate;

pub use error::{Error, Result};

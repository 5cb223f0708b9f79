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
//! # Training from a program
//!
//! ```
//! use ldyn_tui::protocol::{MetricKey, TrainerEvent};
//! use ldyn_tui::{BackendChoice, Experiment, train};
//!
//! # fn main() -> ldyn_tui::Result<()> {
//! let text = r#"(
//!     name: "two_steps",
//!     data: world(train: 4, held_out: 2),
//!     probes: (prompts: 2, greedy: 0),
//!     stages: [(name: "SFT", objective: sft, steps: 2, batch_size: 2, learning_rate: 5e-4)],
//! )"#;
//! let experiment = Experiment::parse("two_steps.ron".as_ref(), text, &[])?;
//! let mut losses = Vec::new();
//! train(&experiment, BackendChoice::Flex, |event| {
//!     if let TrainerEvent::Step(step) = event {
//!         losses.extend(step.metrics.get(&MetricKey::LOSS).copied());
//!     }
//!     Ok(())
//! })?;
//! assert_eq!(losses.len(), 2);
//! # Ok(())
//! # }
//! ```
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
//!  6  model  tui
//!  5  data  claims  lesson
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
//! 2. `burn` is named only in `backend`, `model`, `objective`, `probe`, `train`, `score` and `selftest`.
//! 3. `ratatui` and `crossterm` are named only in `tui`, and in `export` where it renders a buffer.
//! 4. `objective` sees log-probs and masks, never a model.
//! 5. `history`, `record`, `claims` and `export` import neither `tui` nor `train`; `tui` never imports `train`.
//! 6. `App::update` is deterministic: time arrives inside the message.
//! 7. Channels to the screen are bounded. Events that make up the run go to the run file from the trainer's side and are
//!    lossless; only display copies may be dropped, and the header counts them. The trainer never waits for the screen.
//! 8. A phase change is an acknowledgement: a request becomes a fact only when the trainer says so.
//! 9. Nothing panics to stop; a panic of the trainer becomes [`protocol::RunPhase::Failed`] with its message on the screen.
//! 10. A new objective, probe kind, key, exporter or model family costs one row or one file, and its test.
//! 11. Untrusted text reaches a terminal, a log or a file name only as `text::Shown`.
//! 12. An invariant of a measurement (argmax ≥ label, gains = losses) is checked where the number is made.

mod backend;
mod claims;
mod cli;
mod commands;
mod data;
mod dynamics;
mod error;
mod experiment;
mod export;
mod history;
mod lesson;
mod model;
mod objective;
mod probe;
pub mod protocol;
mod record;
mod score;
mod selftest;
mod session;
mod text;
mod train;
mod tui;
mod validate;

pub use backend::BackendChoice;
pub use claims::{Checked, check as check_claims, displacement};
pub use cli::DisplayOptions;
pub use commands::run;
pub use error::{Error, Result};
pub use experiment::Experiment;
pub use export::text::plain as plain_text;
pub use history::{DynamicsState, RunHistory};
pub use model::Checkpoint;
pub use record::{Loaded, Loader, Recording, RunDirectory, RunWriter, import, read as read_run};
pub use session::{Job, dashboard};
pub use text::Shown;
pub use train::{EventSink, TrainerHandle, outlook, spawn, train_with as train};
pub use tui::{App, Glyphs, Live, Message, Screenful, Source, Theme, show};

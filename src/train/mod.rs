//! Training. Knows no terminal and no files of its own: everything it has to say goes through an [`EventSink`].

mod apart;
mod backprop;
#[cfg(test)]
mod backprop_tests;
#[cfg(test)]
mod band_tests;
mod beside;
mod cadence;
mod ches;
mod classify;
#[cfg(test)]
mod classify_tests;
mod control;
mod device_check;
mod direction;
mod factors;
mod fingerprint;
pub mod footprint;
mod forces;
#[cfg(test)]
mod forces_tests;
mod gradients;
mod halves;
pub mod handle;
mod handout;
mod influence;
#[cfg(test)]
mod influence_tests;
mod inquire;
mod job;
mod kernels;
mod language;
mod looks;
mod memory;
mod metrics;
mod observed;
mod on_policy;
mod optimizer;
mod order;
mod pair_band;
mod parameter;
mod prepare;
mod reference;
mod resume;
#[cfg(test)]
mod resume_tests;
mod retrace;
mod run;
mod schedule;
mod sink;
mod slopes;
mod stage;
pub mod state;
#[cfg(test)]
mod tests;
mod update;
mod weights;
mod who;
mod window;

pub(crate) use apart::apart;
pub(crate) use backprop::logps;
pub(crate) use ches::{ScoredPair, ches};
pub(crate) use gradients::gradient_of;
pub use handle::{TrainerHandle, spawn};
pub(crate) use handout::{Handout, TextPair, handout};
pub(crate) use inquire::Asked;
pub(crate) use job::train;
pub use job::train_with;
pub(crate) use kernels::{Map, alike, kernel};
pub(crate) use looks::tokens;
pub use memory::{Outlook, outlook};
pub use sink::EventSink;
pub use state::{SavedState, TrainerState};
pub(crate) use who::influence;

//! Probes: what is observed, and the measurement. Never updates weights.

pub(crate) mod answers;
pub mod classes;
mod completions;
pub mod entk;
mod headway;
pub mod measure;

mod prompts;
pub mod reading;
mod responses;
pub mod score;
pub mod set;
pub mod subset;

pub use answers::Generation;
pub use classes::ClassObserver;
pub use headway::Headway;
pub use measure::Observer;
pub use set::ProbeSet;
pub use subset::Subset;

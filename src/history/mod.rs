//! What happened so far: every event of a run folded into series, evaluations, marks and the detector's verdict. Knows
//! no terminal and no trainer, so a live run, a replay and a foreign run are the same thing to it.

pub mod detect;
pub mod reduce;
pub mod series;
pub mod store;

pub use detect::{Detector, DynamicsState, Window};
pub use series::{CurveId, Scale, Series};
pub use store::{Mark, MarkKind, RunHistory};

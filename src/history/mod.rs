//! The history of a run: its events so far, folded into series, evaluations, marks and the detector's verdict. Knows
//! no terminal and no trainer, so a live run, a replay and a foreign run are the same thing to it.

pub mod align;
pub mod band;
mod chunk;
pub mod classes;
pub mod columns;
mod course;
pub mod detect;
mod displacement;
mod evidence;
#[cfg(test)]
pub(crate) mod fixture;
pub mod forces;
pub mod leaks;
mod mark;
mod measured;
mod noise;
mod pairs;
mod place;
mod progress;
mod readings;
pub mod reduce;
pub mod series;
mod standing;
mod state;
pub mod stats;
pub mod store;
pub mod stretches;
mod timeline;
mod warn;

pub use align::{Aligned, Arm, Difference};
pub use chunk::Summary;
pub use course::{By, Course};
pub use displacement::{Moved, displaced};
pub use mark::{Mark, MarkKind};
pub use pairs::{PairRow, PairState};
pub use place::Place;
pub use progress::margins;
#[cfg(test)]
pub use readings::Direction;
pub use series::{CurveId, Scale, Series};
pub use standing::Standing;
pub use state::{DynamicsState, StateChange};
pub use store::RunHistory;
pub use timeline::{Folder, Part, Timeline};

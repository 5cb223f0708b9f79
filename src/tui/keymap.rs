//! The keys: one table that drives dispatch, the footer and the help overlay, so that no hint can name a dead key; and what a
//! user has mapped otherwise.

mod action;
mod context;
mod key;
mod mapped;
mod table;

pub use action::{Action, LabAction, LessonAction, Rows};
pub use context::Context;
pub use key::Key;
#[cfg(test)]
use mapped::all;
pub use mapped::{Mistake, bindings, is_name, key_of, lookup, pair_of, remap, remapped, scrolling, told};
pub use table::Binding;

#[cfg(test)]
mod tests;

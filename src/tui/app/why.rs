//! What is known of what was asked.

use crate::text::Shown;
use crate::tui::inquiry::{Query, Told};

/// Examples that are named, besides those that an answer belongs to.
pub const NAMED: usize = 10;

/// What is known of what was asked.
#[derive(Debug, Clone, PartialEq)]
pub enum Why {
    /// It was asked; what was last heard of it.
    Asked(Query, Option<Shown>),
    /// The answer.
    Known(Told),
    /// There is none, and why.
    Unknown(Shown),
}

//! What is known of who moved an answer.

use crate::protocol::{Influence, Question};
use crate::text::Shown;

/// Examples that are named, besides those that an answer belongs to.
pub const NAMED: usize = 10;

/// What is known of who moved an answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Why {
    /// It was asked; what was last heard of it.
    Asked(Question, Option<Shown>),
    /// The answer.
    Known(Box<Influence>),
    /// There is none, and why.
    Unknown(Shown),
}

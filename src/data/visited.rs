//! A pass over the training examples: what is asked about each, and what is left of them.

use super::example::PreferenceExample;
use super::lengths::{Trainable, Truncation};
use super::report::DataReport;
use crate::error::Result;

/// What is asked about every training example in turn, given with the line or row of its file (its number among drawn ones,
/// from 1): what became of it, or why it is not trained on.
pub type ExampleVisitor<'a> = dyn FnMut(usize, &PreferenceExample) -> Result<Trainable<Truncation>> + 'a;

/// What is left of the data once every training example has been seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visited {
    /// The examples under observation, with every probe that follows from the data: the first training examples, or held-out
    /// ones where there are nothing but documents.
    pub observed: Vec<PreferenceExample>,
    /// Held-out examples; of a file, as many as are observed.
    pub held_out: Vec<PreferenceExample>,
    /// Whether the examples answer prompts; documents do not.
    pub asks: bool,
    /// What was done to the rows of a file.
    pub report: Option<DataReport>,
}

//! The frozen reference of an objective that compares with one.

use burn::tensor::backend::Backend;

use super::prepare::{Pair, rejected};
use crate::data::tokenizer::Tokenizer;
use crate::error::Result;
use crate::model::Transformer;
use crate::probe::score;

/// The frozen reference: the model as it was when the stage began, and what it gives the pairs' answers.
pub(super) struct Reference<B: Backend> {
    pub(super) model: Option<Transformer<B>>,
    /// log π_ref(y⁺) and log π_ref(y⁻) of every pair that was asked about, sums; empty where the objective has no reference.
    pub(super) logps: Vec<(f64, f64)>,
}

impl<B: Backend> Reference<B> {
    /// No reference, or a frozen model.
    pub(super) fn new(model: Option<Transformer<B>>, pairs: usize) -> Self {
        let pairs = if model.is_some() { pairs } else { 0 };
        Self { model, logps: vec![(f64::NAN, f64::NAN); pairs] }
    }

    /// Asks it about the answers of the pairs `which`.
    pub(super) fn score(&mut self, tokenizer: &Tokenizer, pairs: &[Pair], which: &[usize]) -> Result<()> {
        let Some(model) = &self.model else { return Ok(()) };
        let mut sequences = Vec::with_capacity(2 * which.len());
        for &i in which {
            sequences.extend([&pairs[i].chosen, rejected(&pairs[i])?]);
        }
        let scored = score::completions(model, &sequences, tokenizer.pad());
        for (&i, pair) in which.iter().zip(scored.chunks_exact(2)) {
            self.logps[i] = (pair[0].sum(), pair[1].sum());
        }
        Ok(())
    }

    /// What it gives pair `i`; zeros where the objective has no reference.
    pub(super) fn of(&self, i: usize) -> (f64, f64) {
        self.logps.get(i).copied().unwrap_or_default()
    }
}

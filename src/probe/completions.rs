//! One kind of response on the model's device, after prompts that were read. Logits exist for the predicting positions
//! only, in chunks.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use super::reading::{self, Reading};
use super::score::{ROWS_AT_ONCE, label_and_largest};
use crate::backend::{floats, int_tensor};
use crate::error::Result;
use crate::model::batch::Batch;
use crate::model::{KeyValues, Transformer};

/// The predicting positions of one kind of response: hidden states, labels and owners, row by row.
pub(super) struct Completions<B: Backend> {
    hidden: Tensor<B, 2>,
    rows: Vec<usize>,
    labels: Vec<u32>,
    pub(super) owner: Vec<usize>,
}

impl<B: Backend> Completions<B> {
    /// Reads one completion for each of the prompts `pairs`.
    pub(super) fn read(
        model: &Transformer<B>,
        (past, last): (&KeyValues<B>, &Tensor<B, 2>),
        pairs: &[usize],
        completions: &[&[u32]],
        pad: u32,
    ) -> Self {
        let device = model.device();
        let batch: Batch<B> = Batch::completions(completions, pad, &device);
        let positions = batch.tokens.dims()[1];
        let mut past = past.select(pairs);
        let inside = model.forward_after(batch.tokens, &mut past, false);
        // The first token of a completion is predicted by its prompt's last position, the others by its own positions.
        let hidden = Tensor::cat(vec![last.clone(), inside], 0);
        let before = last.dims()[0];
        let mut this = Self { hidden, rows: Vec::new(), labels: Vec::new(), owner: Vec::new() };
        for (row, (&pair, ids)) in pairs.iter().zip(completions).enumerate() {
            for (t, &id) in ids.iter().enumerate() {
                this.rows.push(if t == 0 { pair } else { before + row * positions + t - 1 });
                this.labels.push(id);
                this.owner.push(pair);
            }
        }
        this
    }

    /// log π of every token.
    pub(super) fn logps(&self, model: &Transformer<B>) -> Vec<f32> {
        let mut all = Vec::with_capacity(self.rows.len());
        for start in (0..self.rows.len()).step_by(ROWS_AT_ONCE) {
            let part = start..(start + ROWS_AT_ONCE).min(self.rows.len());
            let (logps, _) =
                label_and_largest(model, self.hidden.clone(), &self.rows[part.clone()], &self.labels[part.clone()]);
            all.extend(logps);
        }
        all
    }

    /// Reads every position's distribution; with `keep`, appends them there.
    pub(super) fn readings(&self, model: &Transformer<B>, mut keep: Option<&mut Vec<f32>>) -> Result<Vec<Reading>> {
        let device = model.device();
        let vocab = model.vocab_size();
        let mut readings = Vec::with_capacity(self.rows.len());
        for start in (0..self.rows.len()).step_by(ROWS_AT_ONCE) {
            let part = start..(start + ROWS_AT_ONCE).min(self.rows.len());
            let index = int_tensor(self.rows[part.clone()].iter().map(|&i| i as i64).collect(), &device);
            let mut logits = floats(model.logits(self.hidden.clone().select(0, index)));
            for (row, &label) in logits.chunks_exact_mut(vocab).zip(&self.labels[part]) {
                let kept = keep.as_deref_mut().map(|keep| {
                    keep.resize(keep.len() + vocab, 0.0);
                    let start = keep.len() - vocab;
                    &mut keep[start..]
                });
                readings.push(reading::read(row, label, kept)?);
            }
        }
        Ok(readings)
    }
}

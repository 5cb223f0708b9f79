//! Prompts that were read once, for everything that follows them.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use crate::backend::int_tensor;
use crate::model::batch;
use crate::model::{KeyValues, Transformer};

/// Prompts that were read: their keys and values and the hidden state at each one's last token.
pub(crate) struct Prompts<B: Backend> {
    /// Keys and values.
    pub(crate) past: KeyValues<B>,
    /// `[prompts, d]`.
    pub(crate) last: Tensor<B, 2>,
}

impl<B: Backend> Prompts<B> {
    pub(crate) fn read(model: &Transformer<B>, prompts: &[&[u32]], pad: u32) -> Self {
        let device = model.device();
        let (tokens, lengths) = batch::prompts(prompts, pad, &device);
        let width = tokens.dims()[1];
        let ends = lengths.iter().enumerate().map(|(row, n)| (row * width + n - 1) as i64).collect();
        let (hidden, past) = model.read_prompts(tokens, lengths);
        Self { past, last: hidden.select(0, int_tensor(ends, &device)) }
    }
}

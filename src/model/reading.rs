//! What a pass knows beside its hidden states. A pass can be made block by block, for training that keeps no graph of the
//! whole: [`Transformer::embed`], [`Transformer::block`] for each of [`Transformer::layers`] and
//! [`Transformer::normalise`] are what [`Transformer::forward`] does at once.

use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor};

use super::transformer::{Placement, Transformer, visibility};

/// Rows of tokens that are being read.
pub struct Reading<B: Backend> {
    /// `[batch, positions]`.
    pub(super) tokens: Tensor<B, 2, Int>,
    pub(super) placement: Placement<B>,
    /// What attention may see, `[batch or 1, 1, positions, sources]`.
    pub(super) mask: Tensor<B, 4>,
}

impl<B: Backend> Transformer<B> {
    /// Begins to read right-padded rows of tokens from the start.
    pub fn reading(&self, tokens: Tensor<B, 2, Int>) -> Reading<B> {
        let [batch, positions] = tokens.dims();
        let device = tokens.device();
        let placement = self.placement(&vec![0; batch], positions, &device);
        let mask = visibility(1, positions, positions, |_, t, s| s <= t, &device);
        Reading { tokens, placement, mask }
    }

    /// One block, `[batch · positions, d]` to the same.
    pub fn block(&self, layer: usize, x: Tensor<B, 2>, reading: &Reading<B>) -> Tensor<B, 2> {
        self.through(layer..layer + 1, x, reading, |_, k, v| (k, v))
    }
}

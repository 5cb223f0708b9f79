//! A pass that is made block by block, for training that keeps no graph of the whole.

use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor};

use super::transformer::{Attend, Placement, Transformer, visibility};

/// Right-padded rows of tokens that are read from the start, and what every block needs to know of them.
pub struct Reading<B: Backend> {
    /// `[batch, positions]`.
    pub(super) tokens: Tensor<B, 2, Int>,
    pub(super) placement: Placement<B>,
    pub(super) mask: Tensor<B, 4>,
}

impl<B: Backend> Transformer<B> {
    /// Begins a pass: [`Self::embed`], [`Self::block`] for each of [`Self::layers`] and [`Self::normalise`] are what
    /// [`Self::forward`] does at once.
    pub fn reading(&self, tokens: Tensor<B, 2, Int>) -> Reading<B> {
        let [batch, positions] = tokens.dims();
        let device = tokens.device();
        let placement = self.placement(&vec![0; batch], positions, &device);
        let mask = visibility(1, positions, positions, |_, t, s| s <= t, &device);
        Reading { tokens, placement, mask }
    }

    /// What the first block reads, `[batch · positions, d]`.
    pub fn embed(&self, reading: &Reading<B>) -> Tensor<B, 2> {
        self.enter(reading.tokens.clone(), &reading.placement)
    }

    /// One block, `[batch · positions, d]` to the same.
    pub fn block(&self, layer: usize, x: Tensor<B, 2>, reading: &Reading<B>) -> Tensor<B, 2> {
        let Reading { tokens, placement, mask } = reading;
        self.through(layer..layer + 1, x, tokens.dims(), placement, mask, None::<Attend<B>>)
    }
}

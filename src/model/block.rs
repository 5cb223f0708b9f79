//! A block of the transformer, and how it computes when it leans: as if its weights were moved some way along a direction,
//! every row of a batch by a number of its own.
//!
//! The derivative of a row's log-prob with respect to its number is how far that log-prob would move with the weights in
//! the direction: ⟨∇log π, direction⟩, row by row, from one backward pass over the whole batch. At numbers of zero nothing
//! is moved, and what the model computes is what it computes upright; whatever is multiplied by such a number then passes
//! no gradient on to its own inputs, which are therefore left out of the graph.

use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use super::layers::{Linear, Normalise};

/// The weights of a block.
#[derive(Module, Debug)]
pub(super) struct Block<B: Backend> {
    pub(super) attention_norm: Normalise<B>,
    pub(super) query: Linear<B>,
    pub(super) key: Linear<B>,
    pub(super) value: Linear<B>,
    pub(super) query_norm: Option<Normalise<B>>,
    pub(super) key_norm: Option<Normalise<B>>,
    pub(super) output: Linear<B>,
    pub(super) mlp_norm: Normalise<B>,
    pub(super) gate: Option<Linear<B>>,
    pub(super) up: Linear<B>,
    pub(super) down: Linear<B>,
}

/// How far each row leans. The numbers are near zero: terms of second order are left out.
#[derive(Debug)]
pub(super) struct Lean<B: Backend> {
    /// `[batch · positions, 1]`.
    pub(super) by: Tensor<B, 2>,
    /// Whether the direction is that of adapters alone; its other weights then mean nothing.
    pub(super) of_adapters: bool,
}

/// A block, and the block of the direction that it leans in, if it does.
pub(super) struct Leaning<'a, B: Backend> {
    pub(super) block: &'a Block<B>,
    pub(super) lean: Option<(&'a Block<B>, &'a Lean<B>)>,
}

impl<B: Backend> Leaning<'_, B> {
    /// A matrix of the block, `[rows, in]` to `[rows, out]`.
    pub(super) fn linear(&self, of: impl Fn(&Block<B>) -> &Linear<B>, x: Tensor<B, 2>) -> Tensor<B, 2> {
        self.matrix(of(self.block), self.lean.map(|(block, _)| of(block)), x)
    }

    /// A matrix that not every architecture has.
    pub(super) fn optional(
        &self,
        of: impl Fn(&Block<B>) -> &Option<Linear<B>>,
        x: impl FnOnce() -> Tensor<B, 2>,
    ) -> Option<Tensor<B, 2>> {
        let direction = self.lean.and_then(|(block, _)| of(block).as_ref());
        of(self.block).as_ref().map(|own| self.matrix(own, direction, x()))
    }

    fn matrix(&self, own: &Linear<B>, direction: Option<&Linear<B>>, x: Tensor<B, 2>) -> Tensor<B, 2> {
        let (Some((_, lean)), Some(direction)) = (self.lean, direction) else { return own.forward(x) };
        let y = own.forward(x.clone());
        match own.slope(direction, x.detach(), lean.of_adapters) {
            None => y,
            Some(slope) => y + slope * lean.by.clone(),
        }
    }

    /// A norm of the block, over rows `[rows, d]`.
    pub(super) fn norm(&self, of: impl Fn(&Block<B>) -> &Normalise<B>, x: Tensor<B, 2>) -> Tensor<B, 2> {
        self.normalise(self.lean.map(|(block, _)| of(block)), x, of(self.block), Normalise::forward)
    }

    /// A norm of every head of `[rows, heads · d]`, where there is one.
    pub(super) fn norm_of_heads(
        &self,
        of: impl Fn(&Block<B>) -> &Option<Normalise<B>>,
        x: Tensor<B, 2>,
    ) -> Tensor<B, 2> {
        let Some(own) = of(self.block) else { return x };
        self.normalise(self.lean.and_then(|(block, _)| of(block).as_ref()), x, own, Normalise::forward_heads)
    }

    /// A norm is linear in its weights.
    fn normalise(
        &self,
        direction: Option<&Normalise<B>>,
        x: Tensor<B, 2>,
        own: &Normalise<B>,
        forward: fn(&Normalise<B>, Tensor<B, 2>) -> Tensor<B, 2>,
    ) -> Tensor<B, 2> {
        match (self.lean, direction) {
            (Some((_, lean)), Some(direction)) if !lean.of_adapters => {
                forward(own, x.clone()) + forward(direction, x.detach()) * lean.by.clone()
            }
            _ => forward(own, x),
        }
    }
}

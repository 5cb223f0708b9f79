//! The parts of a model whose gradients are worth writing by hand.
//!
//! Differentiated operation by operation, a model keeps every intermediate result and goes over it many times. Where the
//! tensors lie in this machine's memory, each part here is one kernel over plain numbers that keeps what its gradient
//! needs and no more: SwiGLU its two inputs, an RMS norm its input, attention queries, keys and values (its weights are
//! computed again), log-probs their logits. Elsewhere the tensor operations stand, and where nothing is
//! differentiated [`Plain`](super::plain::Plain) reads. All are the same functions up to rounding.

mod attention;
pub(super) mod exp;
mod gated;
mod kernel;
mod label;
pub(super) mod lanes;
mod norm;

use std::sync::Arc;

use burn::backend::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorPrimitive};

use self::kernel::{Kernel, apply, matrix, numbers, numbers_mut, width};
use super::architecture::Activation;
use crate::backend::{self, Attempt, OnHost};

pub(super) use attention::{Angles, Heads};
pub(crate) use label::{Exponentials, exponentials, label_and_largest};

/// x·Wᵀ of `[rows, in]` and `[out, in]`.
pub(super) fn linear<B: Backend>(x: Tensor<B, 2>, weight: Tensor<B, 2>) -> Tensor<B, 2> {
    backend::differentiating_on_host(Linear, [x, weight]).or_else(|[x, weight]| backend::matmul(x, weight.transpose()))
}

/// activation(gate) · up, number by number.
pub(super) fn gated<B: Backend>(activation: Activation, gate: Tensor<B, 2>, up: Tensor<B, 2>) -> Tensor<B, 2> {
    let attempt = match activation {
        Activation::Silu => apply(gated::SwiGlu, [gate, up]),
        _ => Attempt::NoKernel([gate, up]),
    };
    attempt.or_else(|[gate, up]| activation.apply(gate) * up)
}

/// x / √(mean x² + ε) · w of rows `[rows, d]` and `[1, d]`; the inputs come back where there is no kernel for them.
pub(super) fn rms_norm<B: Backend>(x: Tensor<B, 2>, weight: Tensor<B, 2>, eps: f64) -> Attempt<B, 2> {
    apply(norm::RmsNorm::new(eps), [x, weight])
}

/// Causal attention of whole rows: queries `[batch · positions, heads · size]`, keys and values, none of them rotated or
/// scaled yet, to `[batch · positions, heads · size]`; the inputs come back where there is no kernel for them.
pub(super) fn attention<B: Backend>(heads: Heads, inputs: [Tensor<B, 2>; 3]) -> Attempt<B, 3> {
    apply(heads, inputs)
}

/// log π(label) of logits `[rows, V]`, one label a row, to `[rows, 1]`; the logits come back where there is no kernel for
/// them.
pub(crate) fn label_logps<B: Backend>(logits: Tensor<B, 2>, labels: &[u32]) -> Attempt<B, 1> {
    apply(label::LabelLogps { labels: Arc::from(labels) }, [logits])
}

/// A product whose weight gets its gradient in its own orientation: burn's own would lie transposed, and everything that
/// is done with it afterwards would go through memory in strides.
#[derive(Debug, Clone)]
struct Linear;

impl<I: Backend> Backward<I, 2> for Linear {
    type State = [I::FloatTensorPrimitive; 2];

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = matrix::<I>(grads.consume::<I>(&ops.node));
        let [x, weight] = ops.state.map(matrix::<I>);
        let [of_x, of_weight] = ops.parents;
        if let Some(node) = of_x {
            grads.register::<I>(node.id, backend::matmul(gradient.clone(), weight).into_primitive().tensor());
        }
        if let Some(node) = of_weight {
            grads.register::<I>(node.id, backend::matmul(gradient.transpose(), x).into_primitive().tensor());
        }
    }
}

impl OnHost<2> for Linear {
    fn run<I: Backend>(self, inputs: [Tensor<Autodiff<I>, 2>; 2]) -> Tensor<Autodiff<I>, 2> {
        let [x, weight] = inputs.map(|input| input.into_primitive().tensor());
        let nodes = [x.node.clone(), weight.node.clone()];
        let (numbers, matrix_of) = (x.primitive.clone(), weight.primitive.clone());
        let product = backend::matmul(matrix::<I>(numbers), matrix::<I>(matrix_of).transpose());
        let output = product.into_primitive().tensor();
        let output = match Backward::<I, 2>::prepare::<NoCheckpointing>(self, nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish([x.primitive.clone(), weight.primitive.clone()], output),
            OpsKind::UnTracked(prep) => prep.finish(output),
        };
        Tensor::from_primitive(TensorPrimitive::Float(output))
    }
}

#[cfg(test)]
mod tests;

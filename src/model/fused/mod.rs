//! The parts of a model whose gradients are worth writing by hand.
//!
//! Differentiated operation by operation, a model keeps every intermediate result and goes over it many times. Where the
//! tensors lie in this machine's memory, each part here is one kernel over plain numbers that keeps what its gradient
//! needs and no more: SwiGLU its two inputs, an RMS norm its input, attention queries, keys and values (its weights are
//! computed again), log-probs their logits. Elsewhere, and where nothing is differentiated, the tensor operations stand. Both are the same
//! functions up to rounding.

mod attention;
mod exp;
mod gated;
mod label;
mod lanes;
mod norm;

use std::fmt::Debug;
use std::sync::Arc;

use burn::backend::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::tensor::backend::Backend;
use burn::tensor::{DType, Tensor, TensorData, TensorPrimitive};

use super::architecture::Activation;
use crate::backend::{self, OnHost};

pub(super) use attention::{Angles, Heads};

/// A function of matrices and its gradient, over plain numbers in single precision and row-major order.
trait Kernel<const N: usize>: Clone + Debug + Send + 'static {
    /// What the gradient needs.
    type Kept: Clone + Debug + Send + 'static;

    /// The function. `I` computes products.
    fn forward<I: Backend>(&self, inputs: [TensorData; N], device: &I::Device) -> (TensorData, Self::Kept);

    /// The gradients of the inputs, given that of the result.
    fn backward<I: Backend>(&self, kept: Self::Kept, gradient: TensorData, device: &I::Device) -> [TensorData; N];
}

/// A kernel as a step of burn's graph.
#[derive(Debug, Clone)]
struct Step<K>(K);

impl<I: Backend, K: Kernel<N>, const N: usize> Backward<I, N> for Step<K> {
    type State = K::Kept;

    fn backward(self, ops: Ops<Self::State, N>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = grads.consume::<I>(&ops.node);
        let device = I::float_device(&gradient);
        let parts = self.0.backward::<I>(ops.state, matrix::<I>(gradient).into_data(), &device);
        for (parent, part) in ops.parents.into_iter().zip(parts) {
            if let Some(node) = parent {
                grads.register::<I>(node.id, Tensor::<I, 2>::from_data(part, &device).into_primitive().tensor());
            }
        }
    }
}

impl<K: Kernel<N>, const N: usize> OnHost<N> for Step<K> {
    fn run<I: Backend>(self, inputs: [Tensor<Autodiff<I>, 2>; N]) -> Tensor<Autodiff<I>, 2> {
        let device = inputs[0].device();
        // What counts a node's users lives on until the result is one of them.
        let inputs = inputs.map(|input| input.into_primitive().tensor());
        let nodes = inputs.each_ref().map(|input| input.node.clone());
        let mut users = Vec::with_capacity(N);
        let inputs = inputs.map(|input| {
            users.push(input.rc);
            matrix::<I>(input.primitive).into_data()
        });
        let (output, kept) = self.0.forward::<I>(inputs, &device);
        let output = Tensor::<I, 2>::from_data(output, &device).into_primitive().tensor();
        let output = match Backward::<I, N>::prepare::<NoCheckpointing>(self, nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish(kept, output),
            OpsKind::UnTracked(prep) => prep.finish(output),
        };
        drop(users);
        Tensor::from_primitive(TensorPrimitive::Float(output))
    }
}

fn matrix<I: Backend>(primitive: I::FloatTensorPrimitive) -> Tensor<I, 2> {
    Tensor::from_primitive(TensorPrimitive::Float(primitive))
}

/// The kernel's result, where it applies: in the machine's memory, in single precision, under differentiation.
fn apply<B: Backend, K: Kernel<N>, const N: usize>(
    kernel: K,
    inputs: [Tensor<B, 2>; N],
) -> Result<Tensor<B, 2>, [Tensor<B, 2>; N]> {
    if inputs.iter().any(|input| input.dtype() != DType::F32) {
        return Err(inputs);
    }
    backend::differentiating_on_host(Step(kernel), inputs)
}

/// The numbers of a matrix, which [`apply`] saw to be in single precision.
fn numbers(data: &TensorData) -> &[f32] {
    data.as_slice().unwrap_or(&[])
}

/// The same, to be overwritten.
fn numbers_mut(data: &mut TensorData) -> &mut [f32] {
    data.as_mut_slice().unwrap_or(&mut [])
}

/// The width of a matrix.
fn width(data: &TensorData) -> usize {
    data.shape.last().copied().unwrap_or(0)
}

/// x·Wᵀ of `[rows, in]` and `[out, in]`.
pub(super) fn linear<B: Backend>(x: Tensor<B, 2>, weight: Tensor<B, 2>) -> Tensor<B, 2> {
    match backend::differentiating_on_host(Linear, [x, weight]) {
        Ok(y) => y,
        Err([x, weight]) => backend::matmul(x, weight.transpose()),
    }
}

/// activation(gate) · up, number by number.
pub(super) fn gated<B: Backend>(activation: Activation, gate: Tensor<B, 2>, up: Tensor<B, 2>) -> Tensor<B, 2> {
    let (gate, up) = match activation {
        Activation::Silu => match apply(gated::SwiGlu, [gate, up]) {
            Ok(inner) => return inner,
            Err([gate, up]) => (gate, up),
        },
        _ => (gate, up),
    };
    activation.apply(gate) * up
}

/// x / √(mean x² + ε) · w of rows `[rows, d]` and `[1, d]`; the inputs come back where there is no kernel for them.
pub(super) fn rms_norm<B: Backend>(
    x: Tensor<B, 2>,
    weight: Tensor<B, 2>,
    eps: f64,
) -> Result<Tensor<B, 2>, [Tensor<B, 2>; 2]> {
    apply(norm::RmsNorm::new(eps), [x, weight])
}

/// Causal attention of whole rows: queries `[batch · positions, heads · size]`, keys and values, none of them rotated or
/// scaled yet, to `[batch · positions, heads · size]`; the inputs come back where there is no kernel for them.
pub(super) fn attention<B: Backend>(
    heads: Heads,
    inputs: [Tensor<B, 2>; 3],
) -> Result<Tensor<B, 2>, [Tensor<B, 2>; 3]> {
    apply(heads, inputs)
}

/// log π(label) of logits `[rows, V]`, one label a row, to `[rows, 1]`; the logits come back where there is no kernel for
/// them.
pub(crate) fn label_logps<B: Backend>(logits: Tensor<B, 2>, labels: &[u32]) -> Result<Tensor<B, 2>, Tensor<B, 2>> {
    apply(label::LabelLogps { labels: Arc::from(labels) }, [logits]).map_err(|[logits]| logits)
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

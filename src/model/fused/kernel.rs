//! Kernels as steps of burn's graph.

use std::fmt::Debug;

use burn::backend::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::tensor::backend::Backend;
use burn::tensor::{DType, Tensor, TensorData, TensorPrimitive};

use crate::backend::{self, Attempt, OnHost};

/// A function of matrices and its gradient, over plain numbers in single precision and row-major order.
pub(super) trait Kernel<const N: usize>: Clone + Debug + Send + 'static {
    /// What the gradient needs.
    type Kept: Clone + Debug + Send + 'static;

    /// The function. `I` computes products.
    fn forward<I: Backend>(&self, inputs: [TensorData; N], device: &I::Device) -> (TensorData, Self::Kept);

    /// The gradients of the inputs, given that of the result.
    fn backward<I: Backend>(&self, kept: Self::Kept, gradient: TensorData, device: &I::Device) -> [TensorData; N];
}

/// A kernel as a step of burn's graph.
#[derive(Debug, Clone)]
pub(super) struct Step<K>(K);

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

pub(super) fn matrix<I: Backend>(primitive: I::FloatTensorPrimitive) -> Tensor<I, 2> {
    Tensor::from_primitive(TensorPrimitive::Float(primitive))
}

/// The kernel's result, where it applies: in the machine's memory, in single precision, under differentiation.
pub(super) fn apply<B: Backend, K: Kernel<N>, const N: usize>(kernel: K, inputs: [Tensor<B, 2>; N]) -> Attempt<B, N> {
    if inputs.iter().any(|input| input.dtype() != DType::F32) {
        return Attempt::NoKernel(inputs);
    }
    backend::differentiating_on_host(Step(kernel), inputs)
}

/// The numbers of a matrix, which [`apply`] saw to be in single precision.
pub(super) fn numbers(data: &TensorData) -> &[f32] {
    data.as_slice().unwrap_or(&[])
}

/// The numbers of a matrix, to be overwritten.
pub(super) fn numbers_mut(data: &mut TensorData) -> &mut [f32] {
    data.as_mut_slice().unwrap_or(&mut [])
}

/// The width of a matrix.
pub(super) fn width(data: &TensorData) -> usize {
    data.shape.last().copied().unwrap_or(0)
}

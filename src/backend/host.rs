//! The machine's own memory: whether a backend's tensors lie in it, and what can be done there.

use std::any::Any;

use burn::backend::Autodiff;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

/// Whether a backend's tensors lie in this machine's own memory: a tensor that nobody else holds can be taken apart into
/// its numbers and put together again without a copy.
pub(crate) fn is_host<B: Backend>(device: &B::Device) -> bool {
    matches!(B::name(device).as_str(), "flex" | "ndarray")
}

/// What can be done with matrices that are differentiated in this machine's own memory.
pub(crate) trait OnHost<const N: usize> {
    /// Does it on a backend that differentiates over `I`.
    fn run<I: Backend>(self, inputs: [Tensor<Autodiff<I>, 2>; N]) -> Tensor<Autodiff<I>, 2>;
}

/// What became of an operation that has a kernel of its own in this machine's memory, when it is differentiated.
#[derive(Debug)]
pub(crate) enum Attempt<B: Backend, const N: usize> {
    /// The kernel's result.
    Done(Tensor<B, 2>),
    /// The inputs: there is no kernel for them.
    NoKernel([Tensor<B, 2>; N]),
}

impl<B: Backend, const N: usize> Attempt<B, N> {
    /// The kernel's result, or what `compute` makes of the inputs.
    pub(crate) fn or_else(self, compute: impl FnOnce([Tensor<B, 2>; N]) -> Tensor<B, 2>) -> Tensor<B, 2> {
        match self {
            Self::Done(output) => output,
            Self::NoKernel(inputs) => compute(inputs),
        }
    }
}

/// Does `work` where `B` is a backend that differentiates in this machine's own memory; elsewhere the inputs come back. The
/// model does not know its backend's type: it is asked for here, by the list of those that there are.
pub(crate) fn differentiating_on_host<B: Backend, W: OnHost<N>, const N: usize>(
    work: W,
    inputs: [Tensor<B, 2>; N],
) -> Attempt<B, N> {
    /// The same where `B` is `Autodiff<I>`, which the two options find out; the inputs stay in theirs otherwise.
    fn with<B: Backend, I: Backend, W: OnHost<N>, const N: usize>(
        work: W,
        inputs: &mut Option<[Tensor<B, 2>; N]>,
    ) -> Result<Tensor<B, 2>, W> {
        let mut output: Option<Tensor<B, 2>> = None;
        let taken = (inputs as &mut dyn Any).downcast_mut::<Option<[Tensor<Autodiff<I>, 2>; N]>>();
        let slot = (&mut output as &mut dyn Any).downcast_mut::<Option<Tensor<Autodiff<I>, 2>>>();
        match (taken.and_then(Option::take), slot) {
            (Some(inputs), Some(slot)) => *slot = Some(work.run::<I>(inputs)),
            _ => return Err(work),
        }
        output.ok_or_else(|| unreachable!("it was just put there"))
    }
    let mut inputs = Some(inputs);
    let done = with::<B, burn_flex::Flex, _, N>(work, &mut inputs);
    #[cfg(feature = "ndarray")]
    let done = done.or_else(|work| with::<B, burn_ndarray::NdArray<f32>, _, N>(work, &mut inputs));
    match (done, inputs) {
        (Ok(output), _) => Attempt::Done(output),
        (Err(_), Some(inputs)) => Attempt::NoKernel(inputs),
        (Err(_), None) => unreachable!("inputs are taken only to be worked on"),
    }
}

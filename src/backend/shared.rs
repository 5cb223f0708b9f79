//! A tensor's numbers where they lie, without a copy.

use std::any::Any;

use burn::tensor::backend::Backend;
use burn::tensor::{DType, Tensor};
use burn_flex::FlexTensor;

/// The numbers of a tensor in row-major order, which nobody copies: those who hold it share them.
#[derive(Debug, Clone)]
pub(crate) struct Shared {
    tensor: FlexTensor,
    start: usize,
    length: usize,
}

impl Shared {
    /// A tensor's numbers, where the fast CPU backend holds them in single precision, row by row, and differentiates
    /// nothing.
    pub(crate) fn of<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> Option<Self> {
        let primitive = tensor.into_primitive().tensor();
        let tensor = (&primitive as &dyn Any).downcast_ref::<FlexTensor>()?.clone();
        let (start, length) = (tensor.layout().start_offset(), tensor.layout().shape().iter().product());
        let inside = tensor.dtype() == DType::F32 && tensor.is_contiguous();
        (inside && tensor.storage::<f32>().len().checked_sub(start)? >= length).then_some(Self {
            tensor,
            start,
            length,
        })
    }

    /// The numbers.
    pub(crate) fn numbers(&self) -> &[f32] {
        &self.tensor.storage::<f32>()[self.start..self.start + self.length]
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use burn::tensor::TensorData;
    use burn::tensor::backend::AutodiffBackend;

    use super::*;
    use crate::backend::TestBackend;

    #[test]
    fn numbers_are_those_of_the_tensor_or_not_to_be_had() {
        type B = <TestBackend as AutodiffBackend>::InnerBackend;
        let data = || TensorData::new((0u8..12).map(f32::from).collect::<Vec<_>>(), [3, 4]);
        let tensor = Tensor::<B, 2>::from_data(data(), &Default::default());
        assert_eq!(Shared::of(tensor.clone()).unwrap().numbers(), data().as_slice::<f32>().unwrap());
        assert_eq!(
            Shared::of(tensor.clone().slice([1..3, 0..4])).map(|s| s.numbers().to_vec()).unwrap()[..2],
            [4.0, 5.0]
        );
        assert!(Shared::of(tensor.transpose()).is_none());
        assert!(Shared::of(Tensor::<TestBackend, 2>::from_data(data(), &Default::default())).is_none());
    }
}

//! Numbers into tensors, and out of them.

use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor, TensorData};

/// A one-dimensional tensor of integers.
pub(crate) fn int_tensor<B: Backend>(values: Vec<i64>, device: &B::Device) -> Tensor<B, 1, Int> {
    let length = values.len();
    Tensor::from_data(TensorData::new(values, [length]), device)
}

/// A tensor's numbers in row-major order.
#[allow(clippy::expect_used, reason = "the element type was converted one call earlier")]
pub(crate) fn floats<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> Vec<f32> {
    tensor.into_data().convert::<f32>().into_vec::<f32>().expect("f32 data")
}

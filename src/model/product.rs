//! Products of matrices in the precision that is asked for.

use burn::tensor::backend::Backend;
use burn::tensor::{FloatDType, Tensor};

use super::fused;
use crate::experiment::Precision;

/// The product of two matrices, or of two stacks of them. In bfloat16 the factors are rounded to it, and so is the result,
/// which is then widened again; the gradients are handed back in single precision.
pub(super) fn product<B: Backend, const D: usize>(
    precision: Precision,
    a: Tensor<B, D>,
    b: Tensor<B, D>,
) -> Tensor<B, D> {
    match precision {
        Precision::F32 => a.matmul(b),
        Precision::Bf16 => a.cast(FloatDType::BF16).matmul(b.cast(FloatDType::BF16)).cast(FloatDType::F32),
    }
}

/// x·Wᵀ of `[rows, in]` and `[out, in]`.
pub(super) fn linear<B: Backend>(precision: Precision, x: Tensor<B, 2>, weight: Tensor<B, 2>) -> Tensor<B, 2> {
    match precision {
        Precision::F32 => fused::linear(x, weight),
        Precision::Bf16 => product(precision, x, weight.transpose()),
    }
}

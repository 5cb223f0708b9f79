//! The adapter that is trained in the place of a frozen matrix.

use burn::module::{Module, Param};
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;

use super::product::product;
use crate::experiment::{Lora, Precision};

/// What is trained in the place of a frozen matrix.
#[derive(Module, Debug)]
pub(super) struct Adapter<B: Backend> {
    /// A, `[rank, in]`.
    a: Param<Tensor<B, 2>>,
    /// B, `[out, rank]`.
    b: Param<Tensor<B, 2>>,
    /// alpha / rank.
    #[module(skip)]
    scale: f64,
}

impl<B: Backend> Adapter<B> {
    /// Drawn as in PEFT: A as Kaiming et al. with a slope of √5, which is uniform in ±1/√in; B is zero, so that it changes
    /// nothing yet.
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "53 random bits make an f64")]
    pub(super) fn new([out, width]: [usize; 2], lora: &Lora, rng: &mut ChaCha8Rng, device: &B::Device) -> Self {
        let bound = (width as f64).sqrt().recip();
        let mut uniform = || (((rng.next_u64() >> 11) as f64 / (1u64 << 52) as f64 - 1.0) * bound) as f32;
        let a = (0..lora.rank * width).map(|_| uniform()).collect::<Vec<_>>();
        Self {
            a: Param::from_tensor(Tensor::from_data(TensorData::new(a, [lora.rank, width]), device)),
            b: Param::from_tensor(Tensor::zeros([out, lora.rank], device)),
            scale: lora.alpha / lora.rank as f64,
        }
    }

    /// What is added to x·Wᵀ: `[rows, in]` to `[rows, out]`.
    pub(super) fn forward(&self, precision: Precision, x: Tensor<B, 2>) -> Tensor<B, 2> {
        let low = product(precision, x, self.a.val().transpose()).mul_scalar(self.scale);
        product(precision, low, self.b.val().transpose())
    }

    /// How far what is added moves where A and B move along `direction`, for each unit of it.
    pub(super) fn slope(&self, direction: &Self, precision: Precision, x: Tensor<B, 2>) -> Tensor<B, 2> {
        let mixed = |a: &Self, b: &Self| {
            let low = product(precision, x.clone(), a.a.val().transpose()).mul_scalar(self.scale);
            product(precision, low, b.b.val().transpose())
        };
        mixed(direction, self) + mixed(self, direction)
    }

    /// What W would have to grow by to do without the adapter, `[out, in]`.
    pub(super) fn change(&self) -> Tensor<B, 2> {
        self.b.val().matmul(self.a.val()).mul_scalar(self.scale)
    }
}

//! Low-rank adaptation (Hu et al. 2021, arXiv 2106.09685): y = x·Wᵀ + (alpha / rank)·(x·Aᵀ)·Bᵀ, where W is frozen and A
//! and B are trained. Nothing else is: no bias, no norm, no embedding.

use burn::module::{Module, Param};
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::architecture::{Architecture, Parameter, Role};
use super::layers::product;
use super::transformer::Transformer;
use crate::experiment::{Lora, Precision};

/// The stream of the experiment's seed that A is drawn from; the others' numbers are small.
const STREAM: u64 = u64::MAX;

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

    /// What W would have to grow by to do without the adapter, `[out, in]`.
    pub(super) fn change(&self) -> Tensor<B, 2> {
        self.b.val().matmul(self.a.val()).mul_scalar(self.scale)
    }
}

impl<B: Backend> Transformer<B> {
    /// Freezes every weight and puts an adapter beside the targets of every block. The model computes what it computed
    /// before; [`check`] says whether it has the targets.
    #[must_use]
    pub fn adapt(self, lora: &Lora, seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(STREAM);
        let mut model = self.no_grad();
        for (_, linear) in model.linears().filter(|(role, _)| lora.targets.contains(role)) {
            linear.adapt(lora, &mut rng);
        }
        model
    }
}

/// The targets of one block and their shapes `[out, in]`.
fn targets<'a>(
    lora: &'a Lora,
    architecture: &'a Architecture,
) -> impl Iterator<Item = (Role, Option<Vec<usize>>)> + 'a {
    lora.targets.iter().map(|&role| (role, architecture.shape(Parameter { layer: Some(0), role, bias: false })))
}

/// Numbers that are trained.
pub fn parameter_count(lora: &Lora, architecture: &Architecture) -> usize {
    let sides = targets(lora, architecture).filter_map(|(_, shape)| shape).map(|shape| shape.iter().sum::<usize>());
    architecture.layers * lora.rank * sides.sum::<usize>()
}

/// Whether a model of this architecture has every target, and each is larger than the rank.
///
/// # Errors
/// The setting within `lora`, what is wrong with it, and the way out.
pub fn check(lora: &Lora, architecture: &Architecture) -> Result<(), (String, String, String)> {
    let spelled = |role: Role| format!("{role:?}").to_lowercase();
    for (i, (role, shape)) in targets(lora, architecture).enumerate() {
        let Some(shape) = shape else {
            let all = Role::LINEAR.into_iter().filter(|&role| {
                let parameter = Parameter { layer: Some(0), role, bias: false };
                architecture.shape(parameter).is_some()
            });
            let known: Vec<String> = all.map(spelled).collect();
            let problem = format!("the model has no `{}`", spelled(role));
            return Err((format!("targets[{i}]"), problem, format!("it has {}", known.join(", "))));
        };
        let most = shape.into_iter().min().unwrap_or_default();
        if lora.rank > most {
            let problem =
                format!("the rank of `{}` is {most}, and its change cannot have rank {}", spelled(role), lora.rank);
            return Err(("rank".to_owned(), problem, format!("write {most} or less, such as 8")));
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "lora_tests.rs"]
mod tests;

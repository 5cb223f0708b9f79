//! The global norm of a gradient and its clipping (burn's own clips each tensor by itself).

use burn::module::{AutodiffModule, Module as _, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{Tensor, TensorData};
use rayon::prelude::*;

use super::halves::Halves;
use super::update::CHUNK;
use crate::backend::{self, floats, wide};
use crate::model::Transformer;

/// The numbers of a gradient, every parameter in order.
pub(crate) fn gradient_of<B: AutodiffBackend>(model: &Transformer<B>, gradients: GradientsParams) -> Vec<f32> {
    let mut collect = Collect { gradients, numbers: Vec::new() };
    model.visit(&mut collect);
    collect.numbers
}

struct Collect {
    gradients: GradientsParams,
    numbers: Vec<f32>,
}

impl<B: AutodiffBackend> ModuleVisitor<B> for Collect {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        if let Some(gradient) = self.gradients.remove::<B::InnerBackend, D>(param.id) {
            self.numbers.extend(floats(gradient));
        }
    }
}

/// Σ g² over every gradient of a module, g being the sum of its halves.
struct SumOfSquares<'a> {
    gradients: &'a mut Halves<GradientsParams>,
    sum: f64,
}

impl<B: AutodiffBackend> ModuleVisitor<B> for SumOfSquares<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        if let Some(gradient) = self.gradients.remove::<B::InnerBackend, D>(param.id) {
            let (sum, gradient) = sum_of_squares(gradient);
            self.sum += sum;
            self.gradients.register(param.id, gradient);
        }
    }
}

/// Σ g² and the gradient itself. In this machine's memory nothing is copied but a gradient that lies transposed, which
/// comes back in order; the sum is in double precision and does not depend on the number of threads.
fn sum_of_squares<B: Backend, const D: usize>(gradient: Halves<Tensor<B, D>>) -> (f64, Halves<Tensor<B, D>>) {
    let device = gradient.pull.device();
    if !backend::is_host::<B>(&device) {
        let whole = gradient.clone().sum();
        let sum = (whole.clone() * whole).sum().into_data().iter::<f64>().sum();
        return (sum, gradient);
    }
    let data = gradient.map(Tensor::into_data);
    let numbers = (data.pull.as_slice::<f32>(), data.push.as_ref().map(TensorData::as_slice::<f32>).transpose());
    let sum = match numbers {
        (Ok(pull), Ok(None)) => {
            pull.par_chunks(CHUNK).map(|pull| squares(pull, None)).collect::<Vec<f64>>().into_iter().sum()
        }
        (Ok(pull), Ok(Some(push))) => {
            let chunks = pull.par_chunks(CHUNK).zip(push.par_chunks(CHUNK));
            chunks.map(|(pull, push)| squares(pull, Some(push))).collect::<Vec<f64>>().into_iter().sum()
        }
        // Not in single precision.
        _ => {
            let pull = data.pull.iter::<f64>();
            match &data.push {
                None => pull.map(|g| g * g).sum(),
                Some(push) => pull.zip(push.iter::<f64>()).map(|(a, b)| (a + b) * (a + b)).sum(),
            }
        }
    };
    (sum, data.map(|data| Tensor::from_data(data, &device)))
}

/// Σ g², g being the pull or the sum of both halves, as long as each other.
fn squares(pull: &[f32], push: Option<&[f32]>) -> f64 {
    wide(
        #[inline(always)]
        || match push {
            None => side_by_side(pull, pull, |g, _| g),
            Some(push) => side_by_side(pull, push, |a, b| a + b),
        },
    )
}

/// Σ g², g made of two numbers. Several sums side by side: in one chain each would wait for the one before.
#[inline(always)]
fn side_by_side(a: &[f32], b: &[f32], g: impl Fn(f32, f32) -> f32) -> f64 {
    let square = |&a: &f32, &b: &f32| {
        let g = f64::from(g(a, b));
        g * g
    };
    let ((parts_a, rest_a), (parts_b, rest_b)) = (a.as_chunks::<16>(), b.as_chunks::<16>());
    let mut sums = [0.0f64; 16];
    for (a, b) in parts_a.iter().zip(parts_b) {
        sums.iter_mut().zip(a.iter().zip(b)).for_each(|(sum, (a, b))| *sum += square(a, b));
    }
    sums.iter().sum::<f64>() + rest_a.iter().zip(rest_b).map(|(a, b)| square(a, b)).sum::<f64>()
}

/// Multiplies every gradient of a module.
struct Scale<'a> {
    gradients: &'a mut Halves<GradientsParams>,
    factor: f64,
}

impl<B: AutodiffBackend> ModuleVisitor<B> for Scale<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        if let Some(gradient) = self.gradients.remove::<B::InnerBackend, D>(param.id) {
            self.gradients.register(param.id, gradient.map(|half| half.mul_scalar(self.factor)));
        }
    }
}

/// What clipping found and did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Clipped {
    /// The global norm before.
    pub(super) norm: f64,
    /// What the gradients were multiplied by.
    pub(super) factor: f64,
}

/// Scales the gradients, both halves alike, so that the global L2 norm of their sum is at most `limit` (0: no limit).
pub(super) fn clip<B: AutodiffBackend, M: AutodiffModule<B>>(
    module: &M,
    gradients: &mut Halves<GradientsParams>,
    limit: f64,
) -> Clipped {
    let mut squares = SumOfSquares { gradients, sum: 0.0 };
    module.visit(&mut squares);
    let norm = squares.sum.sqrt();
    let factor = if limit > 0.0 && norm > limit { limit / norm } else { 1.0 };
    if factor < 1.0 {
        module.visit(&mut Scale { gradients, factor });
    }
    Clipped { norm, factor }
}

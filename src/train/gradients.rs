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

/// Sums over the numbers of a gradient g = g⁺ + g⁻, g⁺ being the pull and g⁻ the push.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Squares {
    /// Σ g².
    pub(super) whole: f64,
    /// Σ (g⁺)².
    pub(super) pull: f64,
    /// Σ (g⁻)²; 0 without a push.
    pub(super) push: f64,
}

impl Squares {
    fn plus(self, other: Self) -> Self {
        Self { whole: self.whole + other.whole, pull: self.pull + other.pull, push: self.push + other.push }
    }

    /// ‖g⁻‖/‖g⁺‖.
    pub(super) fn ratio(&self) -> f64 {
        (self.push / self.pull).sqrt()
    }

    /// The cosine of g⁺ and −g⁻: of the directions of the two kinds of answers, which the loss moves opposite ways.
    pub(super) fn cosine(&self) -> f64 {
        (self.pull + self.push - self.whole) / (2.0 * (self.pull * self.push).sqrt())
    }
}

/// Sums the squares of every gradient of a module.
struct SumOfSquares<'a> {
    gradients: &'a mut Halves<GradientsParams>,
    sum: Squares,
}

impl<B: AutodiffBackend> ModuleVisitor<B> for SumOfSquares<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        if let Some(gradient) = self.gradients.remove::<B::InnerBackend, D>(param.id) {
            let (sum, gradient) = sum_of_squares(gradient);
            self.sum = self.sum.plus(sum);
            self.gradients.register(param.id, gradient);
        }
    }
}

/// The sums of squares and the gradient itself. In this machine's memory nothing is copied but a gradient that lies
/// transposed, which comes back in order; the sums are in double precision and do not depend on the number of threads.
fn sum_of_squares<B: Backend, const D: usize>(gradient: Halves<Tensor<B, D>>) -> (Squares, Halves<Tensor<B, D>>) {
    let device = gradient.pull.device();
    if !backend::is_host::<B>(&device) {
        let of = |g: Tensor<B, D>| (g.clone() * g).sum().into_data().iter::<f64>().sum();
        let whole = of(gradient.clone().sum());
        let pull = if gradient.push.is_none() { whole } else { of(gradient.pull.clone()) };
        let push = gradient.push.clone().map_or(0.0, of);
        return (Squares { whole, pull, push }, gradient);
    }
    let data = gradient.map(Tensor::into_data);
    let numbers = (data.pull.as_slice::<f32>(), data.push.as_ref().map(TensorData::as_slice::<f32>).transpose());
    let add = |sums: Vec<Squares>| sums.into_iter().fold(Squares::default(), Squares::plus);
    let sum = match numbers {
        (Ok(pull), Ok(None)) => add(pull.par_chunks(CHUNK).map(|pull| squares(pull, None)).collect()),
        (Ok(pull), Ok(Some(push))) => {
            let chunks = pull.par_chunks(CHUNK).zip(push.par_chunks(CHUNK));
            add(chunks.map(|(pull, push)| squares(pull, Some(push))).collect())
        }
        // Not in single precision.
        _ => {
            let pull = data.pull.iter::<f64>();
            match &data.push {
                None => alone(pull.map(|g| g * g).sum()),
                Some(push) => pull.zip(push.iter::<f64>()).fold(Squares::default(), |sum, (a, b)| {
                    sum.plus(Squares { whole: (a + b) * (a + b), pull: a * a, push: b * b })
                }),
            }
        }
    };
    (sum, data.map(|data| Tensor::from_data(data, &device)))
}

/// The squares of a gradient that is all pull.
fn alone(sum: f64) -> Squares {
    Squares { whole: sum, pull: sum, push: 0.0 }
}

/// The sums of squares of numbers that are all pull, or of pull and push, as long as each other.
fn squares(pull: &[f32], push: Option<&[f32]>) -> Squares {
    wide(
        #[inline(always)]
        || match push {
            None => alone(side_by_side(pull, pull, |g, _| g)),
            Some(push) => Squares {
                whole: side_by_side(pull, push, |a, b| a + b),
                pull: side_by_side(pull, push, |a, _| a),
                push: side_by_side(pull, push, |_, b| b),
            },
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
    /// What the norm was made of.
    pub(super) squares: Squares,
    /// What the gradients were multiplied by.
    pub(super) factor: f64,
}

/// Scales the gradients, both halves alike, so that the global L2 norm of their sum is at most `limit` (0: no limit).
pub(super) fn clip<B: AutodiffBackend, M: AutodiffModule<B>>(
    module: &M,
    gradients: &mut Halves<GradientsParams>,
    limit: f64,
) -> Clipped {
    let mut sums = SumOfSquares { gradients, sum: Squares::default() };
    module.visit(&mut sums);
    let squares = sums.sum;
    let norm = squares.whole.sqrt();
    let factor = if limit > 0.0 && norm > limit { limit / norm } else { 1.0 };
    if factor < 1.0 {
        module.visit(&mut Scale { gradients, factor });
    }
    Clipped { norm, squares, factor }
}

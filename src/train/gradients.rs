//! The global norm of a gradient and its clipping (burn's own clips each tensor by itself).

use burn::module::{AutodiffModule, Module as _, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use burn::tensor::backend::{AutodiffBackend, Backend};
use rayon::prelude::*;

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

/// Σ g² over every gradient of a module.
struct SumOfSquares<'a> {
    gradients: &'a mut GradientsParams,
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
fn sum_of_squares<B: Backend, const D: usize>(gradient: Tensor<B, D>) -> (f64, Tensor<B, D>) {
    let device = gradient.device();
    if !backend::is_host::<B>(&device) {
        let sum = (gradient.clone() * gradient.clone()).sum().into_data().iter::<f64>().sum();
        return (sum, gradient);
    }
    let data = gradient.into_data();
    let sum = match data.as_slice::<f32>() {
        Ok(numbers) => {
            let squares = |chunk: &[f32]| {
                wide(
                    #[inline(always)]
                    || {
                        // Several sums side by side: in one chain each would wait for the one before.
                        let (parts, rest) = chunk.as_chunks::<16>();
                        let mut sums = [0.0f64; 16];
                        for part in parts {
                            sums.iter_mut().zip(part).for_each(|(sum, &g)| *sum += f64::from(g) * f64::from(g));
                        }
                        sums.iter().sum::<f64>() + rest.iter().map(|&g| f64::from(g) * f64::from(g)).sum::<f64>()
                    },
                )
            };
            numbers.par_chunks(CHUNK).map(squares).collect::<Vec<f64>>().into_iter().sum()
        }
        Err(_) => data.iter::<f64>().map(|g| g * g).sum(),
    };
    (sum, Tensor::from_data(data, &device))
}

/// Multiplies every gradient of a module.
struct Scale<'a> {
    gradients: &'a mut GradientsParams,
    factor: f64,
}

impl<B: AutodiffBackend> ModuleVisitor<B> for Scale<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        if let Some(gradient) = self.gradients.remove::<B::InnerBackend, D>(param.id) {
            self.gradients.register(param.id, gradient.mul_scalar(self.factor));
        }
    }
}

/// Scales the gradients so that their global L2 norm is at most `limit` (0: no limit). Returns the norm before.
pub(super) fn clip<B: AutodiffBackend, M: AutodiffModule<B>>(
    module: &M,
    gradients: &mut GradientsParams,
    limit: f64,
) -> f64 {
    let mut squares = SumOfSquares { gradients, sum: 0.0 };
    module.visit(&mut squares);
    let norm = squares.sum.sqrt();
    if limit > 0.0 && norm > limit {
        module.visit(&mut Scale { gradients, factor: limit / norm });
    }
    norm
}

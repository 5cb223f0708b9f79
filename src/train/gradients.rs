//! The global norm of a gradient and its clipping (burn's own clips each tensor by itself).

use burn::module::{AutodiffModule, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use burn::tensor::backend::AutodiffBackend;

/// Visits every gradient of a module.
struct Visit<'a, F> {
    gradients: &'a mut GradientsParams,
    each: F,
}

/// What is done to one gradient: given its norm's square, the factor to scale it by, if any.
trait Each {
    fn see(&mut self, square: &dyn Fn() -> f64) -> Option<f64>;
}

struct Sum(f64);

impl Each for &mut Sum {
    fn see(&mut self, square: &dyn Fn() -> f64) -> Option<f64> {
        self.0 += square();
        None
    }
}

struct Scale(f64);

impl Each for Scale {
    fn see(&mut self, _: &dyn Fn() -> f64) -> Option<f64> {
        Some(self.0)
    }
}

impl<B: AutodiffBackend, F: Each> ModuleVisitor<B> for Visit<'_, F> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        let Some(gradient) = self.gradients.get::<B::InnerBackend, D>(param.id) else { return };
        let square = || (gradient.clone() * gradient.clone()).sum().into_data().iter::<f64>().sum();
        if let Some(factor) = self.each.see(&square) {
            self.gradients.register(param.id, gradient.mul_scalar(factor));
        }
    }
}

/// Scales the gradients so that their global L2 norm is at most `limit` (0: no limit). Returns the norm before.
pub(super) fn clip<B: AutodiffBackend, M: AutodiffModule<B>>(
    module: &M,
    gradients: &mut GradientsParams,
    limit: f64,
) -> f64 {
    let mut sum = Sum(0.0);
    module.visit(&mut Visit { gradients, each: &mut sum });
    let norm = sum.0.sqrt();
    if limit > 0.0 && norm > limit {
        module.visit(&mut Visit { gradients, each: Scale(limit / norm) });
    }
    norm
}

//! A direction in which the weights may move: a number for each number of a model that is trained.

use std::collections::HashMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use burn::tensor::backend::{AutodiffBackend, Backend};

use crate::backend::floats;
use crate::model::Transformer;

/// A number for each number of a model that is trained, parameter by parameter in the model's order. All directions in the
/// weights of one model have the same parameters.
#[derive(Debug, Clone)]
pub(super) struct Direction<B: Backend>(Vec<(ParamId, Tensor<B, 1>)>);

impl<B: Backend> FromIterator<(ParamId, Tensor<B, 1>)> for Direction<B> {
    fn from_iter<I: IntoIterator<Item = (ParamId, Tensor<B, 1>)>>(parts: I) -> Self {
        Self(parts.into_iter().collect())
    }
}

impl<B: Backend> Direction<B> {
    /// Nowhere, in the weights of `like`.
    pub(super) fn zeros_like(like: &Self) -> Self {
        like.map(|part| part.zeros_like())
    }

    /// The weights of a model that are trained.
    pub(super) fn of_trained<A: AutodiffBackend<InnerBackend = B>>(model: &Transformer<A>) -> Self {
        let mut trained = Trained(Vec::new());
        model.visit(&mut trained);
        Self(trained.0)
    }

    /// How many numbers it has.
    pub(super) fn len(&self) -> usize {
        self.0.iter().map(|(_, part)| part.dims()[0]).sum()
    }

    /// A model's weights, of the parameters that `like` has.
    pub(super) fn of_model(model: &Transformer<B>, like: &Self) -> Self {
        let mut weights = Weights(HashMap::new());
        model.visit(&mut weights);
        like.gather(|id| weights.0.remove(id))
    }

    /// A gradient of a model's, in the parameters that `like` has.
    pub(super) fn of_gradient<A>(model: &Transformer<A>, gradients: GradientsParams, like: &Self) -> Self
    where
        A: AutodiffBackend<InnerBackend = B>,
    {
        let mut flat = Flat { gradients, parts: HashMap::new() };
        model.visit(&mut flat);
        like.gather(|id| flat.parts.remove(id))
    }

    /// What there is of each parameter; nothing is zero.
    fn gather(&self, mut find: impl FnMut(&ParamId) -> Option<Tensor<B, 1>>) -> Self {
        self.0.iter().map(|(id, part)| (*id, find(id).unwrap_or_else(|| part.zeros_like()))).collect()
    }

    fn map(&self, f: impl Fn(Tensor<B, 1>) -> Tensor<B, 1>) -> Self {
        self.0.iter().map(|(id, part)| (*id, f(part.clone()))).collect()
    }

    fn zip(&self, other: &Self, f: impl Fn(Tensor<B, 1>, Tensor<B, 1>) -> Tensor<B, 1>) -> Self {
        debug_assert!(self.0.iter().map(|(id, _)| id).eq(other.0.iter().map(|(id, _)| id)));
        self.0.iter().zip(&other.0).map(|((id, a), (_, b))| (*id, f(a.clone(), b.clone()))).collect()
    }

    /// So many times as far.
    pub(super) fn times(&self, factor: f64) -> Self {
        self.map(|part| part.mul_scalar(factor))
    }

    /// First this way, then that.
    pub(super) fn plus(&self, other: &Self) -> Self {
        self.zip(other, |a, b| a + b)
    }

    /// The direction from there to here.
    pub(super) fn minus(&self, other: &Self) -> Self {
        self.zip(other, |a, b| a - b)
    }

    /// The product, number by number.
    pub(super) fn scaled_by(&self, other: &Self) -> Self {
        self.zip(other, |a, b| a * b)
    }

    /// ⟨a, b⟩, in double precision.
    pub(super) fn dot(&self, other: &Self) -> f64 {
        self.numbers().dot(&other.numbers())
    }

    /// These, where arithmetic can reach them.
    pub(super) fn numbers(&self) -> Numbers {
        Numbers(self.0.iter().map(|(_, part)| floats(part.clone())).collect())
    }

    /// The model with these weights in the place of its own.
    pub(super) fn put_into<A: AutodiffBackend<InnerBackend = B>>(self, model: Transformer<A>) -> Transformer<A> {
        model.map(&mut Put { weights: self.0.into_iter().collect(), others_stay: true })
    }

    /// The direction as a model of the same shape: its weights are these numbers, and those that it does not have are zero.
    pub(super) fn into_model<A: AutodiffBackend<InnerBackend = B>>(self, like: Transformer<A>) -> Transformer<A> {
        like.map(&mut Put { weights: self.0.into_iter().collect(), others_stay: false })
    }
}

/// Directions in the weights of one model, each a row.
pub(super) struct Rows<B: Backend>(Vec<Tensor<B, 2>>);

impl<B: Backend> Rows<B> {
    /// These directions, in order.
    pub(super) fn of(directions: &[Direction<B>]) -> Self {
        let parameters = directions.first().map_or(0, |first| first.0.len());
        let row = |direction: &Direction<B>, at: usize| direction.0[at].1.clone().unsqueeze_dim::<2>(0);
        Self((0..parameters).map(|at| Tensor::cat(directions.iter().map(|d| row(d, at)).collect(), 0)).collect())
    }

    /// ⟨a, b⟩ of each of these with each of `other`: `[rows][other rows]`. A parameter's numbers are summed in single precision.
    pub(super) fn products(&self, other: &Self) -> Vec<Vec<f64>> {
        let count = other.0.first().map_or(0, |part| part.dims()[0]);
        let mut sums = vec![vec![0.0; count]; self.0.first().map_or(0, |part| part.dims()[0])];
        for (a, b) in self.0.iter().zip(&other.0) {
            let products = floats(a.clone().matmul(b.clone().transpose()));
            for (row, products) in sums.iter_mut().zip(products.chunks_exact(count.max(1))) {
                row.iter_mut().zip(products).for_each(|(sum, &x)| *sum += f64::from(x));
            }
        }
        sums
    }
}

/// The numbers of a direction, parameter by parameter.
pub(super) struct Numbers(Vec<Vec<f32>>);

impl Numbers {
    /// ⟨a, b⟩, in double precision.
    pub(super) fn dot(&self, other: &Self) -> f64 {
        self.0.iter().zip(&other.0).map(|(a, b)| product(a, b)).sum()
    }
}

/// Σ aᵢbᵢ. Several sums side by side: in one chain each would wait for the one before.
fn product(a: &[f32], b: &[f32]) -> f64 {
    let ((parts_a, rest_a), (parts_b, rest_b)) = (a.as_chunks::<16>(), b.as_chunks::<16>());
    let mut sums = [0.0f64; 16];
    for (a, b) in parts_a.iter().zip(parts_b) {
        sums.iter_mut().zip(a.iter().zip(b)).for_each(|(sum, (&a, &b))| *sum += f64::from(a) * f64::from(b));
    }
    let rest = rest_a.iter().zip(rest_b).map(|(&a, &b)| f64::from(a) * f64::from(b));
    sums.iter().sum::<f64>() + rest.sum::<f64>()
}

struct Trained<B: Backend>(Vec<(ParamId, Tensor<B, 1>)>);

impl<A: AutodiffBackend> ModuleVisitor<A> for Trained<A::InnerBackend> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<A, D>>) {
        if param.val().is_require_grad() {
            self.0.push((param.id, param.val().inner().flatten(0, D - 1)));
        }
    }
}

struct Weights<B: Backend>(HashMap<ParamId, Tensor<B, 1>>);

impl<B: Backend> ModuleVisitor<B> for Weights<B> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        self.0.insert(param.id, param.val().flatten(0, D - 1));
    }
}

struct Flat<B: Backend> {
    gradients: GradientsParams,
    parts: HashMap<ParamId, Tensor<B, 1>>,
}

impl<A: AutodiffBackend> ModuleVisitor<A> for Flat<A::InnerBackend> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<A, D>>) {
        if let Some(gradient) = self.gradients.remove::<A::InnerBackend, D>(param.id) {
            self.parts.insert(param.id, gradient.flatten(0, D - 1));
        }
    }
}

struct Put<B: Backend> {
    weights: HashMap<ParamId, Tensor<B, 1>>,
    /// Whether parameters without such numbers keep their own; else they become zero.
    others_stay: bool,
}

impl<A: AutodiffBackend> ModuleMapper<A> for Put<A::InnerBackend> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<A, D>>) -> Param<Tensor<A, D>> {
        let (id, tensor, mapper) = param.consume();
        let tensor = match self.weights.remove(&id) {
            Some(weights) => {
                Tensor::from_inner(weights.reshape(tensor.shape())).set_require_grad(tensor.is_require_grad())
            }
            None if self.others_stay => tensor,
            None => tensor.zeros_like(),
        };
        Param::from_mapped_value(id, tensor, mapper)
    }
}

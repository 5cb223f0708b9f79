//! The parts of a block: products, norms, nonlinearities. Hidden states are flattened to `[rows, d]`.

use burn::module::{Module, Param};
use burn::tensor::activation::{gelu, silu};
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use rand_chacha::ChaCha8Rng;

use super::adapter::Adapter;
use super::architecture::{Activation, Architecture, Parameter, Role};
use super::fused;
use super::plain;
use super::product::linear;
use crate::backend::{Attempt, floats};
use crate::experiment::{Lora, Precision};

#[derive(Module, Debug)]
pub(super) struct Linear<B: Backend> {
    /// `[out, in]`, Hugging Face's orientation.
    weight: Param<Tensor<B, 2>>,
    /// `[out]`.
    bias: Option<Param<Tensor<B, 1>>>,
    /// What is trained in the place of a frozen weight.
    adapter: Option<Adapter<B>>,
    #[module(skip)]
    precision: Precision,
}

impl<B: Backend> Linear<B> {
    /// Appends the numbers of weight and bias; an adapter's change is part of the weight.
    pub(super) fn push(&self, all: &mut Vec<Vec<f32>>) {
        let weight = self.weight.val();
        all.push(floats(match &self.adapter {
            None => weight,
            Some(adapter) => weight + adapter.change(),
        }));
        all.extend(self.bias.iter().map(|b| floats(b.val())));
    }

    /// The matrix for reading without gradients, an adapter's change being part of it; as of [`plain::Weight::of`].
    pub(super) fn plain(&self, across: bool) -> Option<plain::Weight> {
        if self.precision != Precision::F32 {
            return None;
        }
        let weight = match &self.adapter {
            None => self.weight.val(),
            Some(adapter) => self.weight.val() + adapter.change(),
        };
        plain::Weight::of(weight, self.bias.as_ref().map(Param::val), across)
    }

    /// Puts a new adapter beside the weight.
    pub(super) fn adapt(&mut self, lora: &Lora, rng: &mut ChaCha8Rng) {
        self.adapter = Some(Adapter::new(self.weight.dims(), lora, rng, &self.weight.device()));
    }

    /// Computes in another precision from now on.
    pub(super) fn compute_in(&mut self, precision: Precision) {
        self.precision = precision;
    }

    /// Whether an adapter is trained in the weight's place.
    pub(super) fn is_adapted(&self) -> bool {
        self.adapter.is_some()
    }

    /// `[rows, in]` to `[rows, out]`.
    pub(super) fn forward(&self, x: Tensor<B, 2>) -> Tensor<B, 2> {
        let weight = self.weight.val();
        let y = match &self.adapter {
            None => linear(self.precision, x, weight),
            Some(adapter) => linear(self.precision, x.clone(), weight) + adapter.forward(self.precision, x),
        };
        match &self.bias {
            None => y,
            Some(bias) => y + bias.val().unsqueeze(),
        }
    }
}

impl<B: Backend> Linear<B> {
    /// How far `[rows, out]` moves where the weights move along `direction`, for each unit of it; `None` where nothing of
    /// the direction concerns this matrix. With `of_adapters` it is that of adapters alone.
    pub(super) fn slope(&self, direction: &Self, x: Tensor<B, 2>, of_adapters: bool) -> Option<Tensor<B, 2>> {
        match (&self.adapter, &direction.adapter) {
            (Some(own), Some(direction)) => Some(own.slope(direction, self.precision, x)),
            _ if of_adapters => None,
            _ => Some(direction.forward(x)),
        }
    }
}

#[derive(Module, Debug)]
pub(super) struct Normalise<B: Backend> {
    /// `[d]`.
    weight: Param<Tensor<B, 1>>,
    /// `[d]`, of a layer norm.
    bias: Option<Param<Tensor<B, 1>>>,
    #[module(skip)]
    eps: f64,
}

impl<B: Backend> Normalise<B> {
    /// Appends the numbers of weight and bias.
    pub(super) fn push(&self, all: &mut Vec<Vec<f32>>) {
        all.push(floats(self.weight.val()));
        all.extend(self.bias.iter().map(|b| floats(b.val())));
    }

    /// The norm for reading without gradients; `None` where the numbers do not lie in memory.
    pub(super) fn plain(&self) -> Option<plain::Norm> {
        plain::Norm::of(self.weight.val(), self.bias.as_ref().map(Param::val), self.eps)
    }

    /// Normalises each row of `[rows, d]`; with a bias, around its mean.
    pub(super) fn forward(&self, x: Tensor<B, 2>) -> Tensor<B, 2> {
        let x = match &self.bias {
            None => match fused::rms_norm(x, self.weight.val().unsqueeze(), self.eps) {
                Attempt::Done(y) => return y,
                Attempt::NoKernel([x, _]) => x,
            },
            Some(_) => x.clone() - x.mean_dim(1),
        };
        // Divided, not multiplied by a reciprocal: vectorised reciprocals are approximate on some backends.
        let norm = (x.clone() * x.clone()).mean_dim(1).add_scalar(self.eps).sqrt();
        let y = x / norm * self.weight.val().unsqueeze();
        match &self.bias {
            None => y,
            Some(bias) => y + bias.val().unsqueeze(),
        }
    }

    /// Normalises every head of `[rows, heads · d]`.
    pub(super) fn forward_heads(&self, x: Tensor<B, 2>) -> Tensor<B, 2> {
        let [rows, width] = x.dims();
        let size = self.weight.dims()[0];
        self.forward(x.reshape([rows * width / size, size])).reshape([rows, width])
    }
}

impl Activation {
    pub(super) fn apply<B: Backend>(self, x: Tensor<B, 2>) -> Tensor<B, 2> {
        match self {
            Self::Silu => silu(x),
            Self::GeluErf => gelu(x),
            Self::GeluTanh => {
                // (x + 0.044715·x³)·√(2/π), without a power function.
                let square = x.clone() * x.clone();
                let inner =
                    square.mul_scalar(0.044_715).add_scalar(1.0) * x.clone().mul_scalar(0.797_884_560_802_865_4);
                x.mul_scalar(0.5) * inner.tanh().add_scalar(1.0)
            }
        }
    }
}

type WeightAndBias<B, const D: usize> = (Param<Tensor<B, D>>, Option<Param<Tensor<B, 1>>>);

/// Makes the parts from their numbers, which it asks for in the order of [`Architecture::parameters`].
pub(super) struct Builder<'a, B: Backend, F> {
    pub(super) architecture: &'a Architecture,
    pub(super) device: &'a B::Device,
    pub(super) read: F,
}

impl<B: Backend, E, F: FnMut(Parameter, &[usize]) -> Result<Vec<f32>, E>> Builder<'_, B, F> {
    fn parameter<const D: usize>(&mut self, parameter: Parameter) -> Result<Param<Tensor<B, D>>, E> {
        let shape = self.architecture.shape(parameter).unwrap_or_default();
        let data = TensorData::new((self.read)(parameter, &shape)?, shape);
        Ok(Param::from_tensor(Tensor::from_data(data, self.device)))
    }

    fn weight_and_bias<const D: usize>(&mut self, layer: Option<usize>, role: Role) -> Result<WeightAndBias<B, D>, E> {
        let of = |bias| Parameter { layer, role, bias };
        let weight = self.parameter(of(false))?;
        let bias = self.architecture.shape(of(true)).map(|_| self.parameter(of(true))).transpose()?;
        Ok((weight, bias))
    }

    fn has(&self, layer: Option<usize>, role: Role) -> bool {
        self.architecture.shape(Parameter { layer, role, bias: false }).is_some()
    }

    pub(super) fn matrix(&mut self, role: Role) -> Result<Param<Tensor<B, 2>>, E> {
        self.parameter(Parameter { layer: None, role, bias: false })
    }

    pub(super) fn optional_matrix(&mut self, role: Role) -> Result<Option<Param<Tensor<B, 2>>>, E> {
        self.has(None, role).then(|| self.matrix(role)).transpose()
    }

    pub(super) fn linear(&mut self, layer: usize, role: Role) -> Result<Linear<B>, E> {
        let (weight, bias) = self.weight_and_bias(Some(layer), role)?;
        Ok(Linear { weight, bias, adapter: None, precision: Precision::F32 })
    }

    pub(super) fn optional_linear(&mut self, layer: usize, role: Role) -> Result<Option<Linear<B>>, E> {
        self.has(Some(layer), role).then(|| self.linear(layer, role)).transpose()
    }

    pub(super) fn norm(&mut self, layer: Option<usize>, role: Role) -> Result<Normalise<B>, E> {
        let eps = self.architecture.norm_eps;
        self.weight_and_bias(layer, role).map(|(weight, bias)| Normalise { weight, bias, eps })
    }

    pub(super) fn optional_norm(&mut self, layer: usize, role: Role) -> Result<Option<Normalise<B>>, E> {
        self.has(Some(layer), role).then(|| self.norm(Some(layer), role)).transpose()
    }
}

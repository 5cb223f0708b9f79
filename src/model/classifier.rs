//! Classifiers of pictures: a multilayer perceptron, or LeNet-5 (LeCun et al., Proc. IEEE 86, 1998).
//!
//! Choices: rectified units and max-pooling in place of LeNet's sigmoids and averages, as everyone does since; a bias
//! everywhere; weights of a dense layer are `[in, out]`, of a convolution `[out, in, 5, 5]`. A forward pass can be
//! *tapped*: whoever taps it sees the input and the pre-activation of every layer that has weights, which is all that the
//! gradient of an example with respect to those weights is made of.

use burn::module::{Module, Param};
use burn::tensor::activation::relu;
use burn::tensor::backend::Backend;
use burn::tensor::module::{conv2d, max_pool2d};
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Tensor, TensorData};

use super::normal::Normal;
use crate::data::pictures::{CLASSES, PIXELS, SIDE};

/// Width and height of a convolution's kernel.
pub const KERNEL: usize = 5;

/// The layers of a classifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassifierShape {
    /// Convolutions: channels that come out, and the zeros around what goes in.
    pub convolutions: Vec<(usize, usize)>,
    /// Units of each hidden dense layer.
    pub hidden: Vec<usize>,
}

impl ClassifierShape {
    /// Dense layers alone.
    pub fn mlp(hidden: &[usize]) -> Self {
        Self { convolutions: Vec::new(), hidden: hidden.to_vec() }
    }

    /// LeNet-5: two convolutions, each pooled, then 120 and 84 units. The first is padded, for LeNet looked at 32×32.
    pub fn lenet() -> Self {
        Self { convolutions: vec![(6, 2), (16, 0)], hidden: vec![120, 84] }
    }

    /// Shape of every parameter, layer by layer, weight before bias.
    pub fn parameters(&self) -> Vec<Vec<usize>> {
        let (mut channels, mut side, mut shapes) = (1, SIDE, Vec::new());
        for &(out, padding) in &self.convolutions {
            shapes.extend([vec![out, channels, KERNEL, KERNEL], vec![out]]);
            (channels, side) = (out, (side + 2 * padding + 1 - KERNEL) / 2);
        }
        let mut width = channels * side * side;
        for &units in self.hidden.iter().chain([&CLASSES.len()]) {
            shapes.extend([vec![width, units], vec![units]]);
            width = units;
        }
        shapes
    }

    /// How many numbers all parameters hold.
    pub fn parameter_count(&self) -> usize {
        self.parameters().iter().map(|shape| shape.iter().product::<usize>()).sum()
    }
}

/// The weights.
#[derive(Module, Debug)]
pub struct Classifier<B: Backend> {
    convolutions: Vec<Convolution<B>>,
    dense: Vec<Dense<B>>,
}

#[derive(Module, Debug)]
struct Convolution<B: Backend> {
    /// `[out, in, 5, 5]`.
    weight: Param<Tensor<B, 4>>,
    /// `[out]`.
    bias: Param<Tensor<B, 1>>,
    #[module(skip)]
    padding: usize,
}

#[derive(Module, Debug)]
struct Dense<B: Backend> {
    /// `[in, out]`.
    weight: Param<Tensor<B, 2>>,
    /// `[out]`.
    bias: Param<Tensor<B, 1>>,
}

/// Whoever looks into a forward pass: given a layer's input and its pre-activation, returns the pre-activation to go on
/// with, which may have more rows.
pub trait Tap<B: Backend> {
    /// Visits a dense layer: `[rows, in]` and `[rows, out]`.
    fn dense(&mut self, input: &Tensor<B, 2>, output: Tensor<B, 2>) -> Tensor<B, 2>;

    /// Visits a convolution: `[rows, in, side, side]`, padded by so many zeros on every edge, and `[rows, out, side, side]`.
    fn convolution(&mut self, input: &Tensor<B, 4>, padding: usize, output: Tensor<B, 4>) -> Tensor<B, 4>;
}

/// Looks at nothing.
struct Untapped;

impl<B: Backend> Tap<B> for Untapped {
    fn dense(&mut self, _: &Tensor<B, 2>, output: Tensor<B, 2>) -> Tensor<B, 2> {
        output
    }

    fn convolution(&mut self, _: &Tensor<B, 4>, _: usize, output: Tensor<B, 4>) -> Tensor<B, 4> {
        output
    }
}

impl<B: Backend> Classifier<B> {
    /// A new classifier: normal weights of variance 2/in (He et al., arXiv 1502.01852), 1/in where the logits come out,
    /// biases of zero.
    #[allow(clippy::cast_precision_loss, reason = "a layer's width")]
    pub fn random(shape: &ClassifierShape, seed: u64, device: &B::Device) -> Self {
        let mut normal = Normal::new(seed);
        let shapes = shape.parameters();
        let last = shapes.len() - 2;
        let draw = |(at, shape): (usize, Vec<usize>)| {
            let count = shape.iter().product();
            let inputs = match shape[..] {
                [_] => return vec![0.0; count],
                [inputs, _] => inputs,
                _ => shape[1..].iter().product(),
            };
            let gain: f64 = if at == last { 1.0 } else { 2.0 };
            (0..count).map(|_| normal.sample((gain / inputs as f64).sqrt())).collect()
        };
        let weights = shapes.into_iter().enumerate().map(draw).collect();
        Self::from_parameters(shape, weights, device)
    }

    /// A classifier of given weights, row-major, in the order of [`ClassifierShape::parameters`] and of its shapes.
    pub fn from_parameters(shape: &ClassifierShape, weights: Vec<Vec<f32>>, device: &B::Device) -> Self {
        let shaped = shape.parameters().into_iter().zip(weights);
        let mut next = shaped.map(|(shape, weights)| TensorData::new(weights, shape));
        let mut take = || next.next().unwrap_or_else(|| TensorData::new(Vec::<f32>::new(), [0]));
        let convolutions = shape.convolutions.iter().map(|&(_, padding)| Convolution {
            weight: Param::from_tensor(Tensor::from_data(take(), device)),
            bias: Param::from_tensor(Tensor::from_data(take(), device)),
            padding,
        });
        let convolutions = convolutions.collect();
        let dense = (0..=shape.hidden.len()).map(|_| Dense {
            weight: Param::from_tensor(Tensor::from_data(take(), device)),
            bias: Param::from_tensor(Tensor::from_data(take(), device)),
        });
        Self { convolutions, dense: dense.collect() }
    }

    /// The device that holds the weights.
    pub fn device(&self) -> B::Device {
        self.dense[0].bias.val().device()
    }

    /// Logits `[rows, classes]` of pictures `[rows, pixels]`.
    pub fn forward(&self, pictures: Tensor<B, 2>) -> Tensor<B, 2> {
        self.forward_tapped(pictures, &mut Untapped)
    }

    /// The logits of pictures, with every layer shown to `tap`.
    pub fn forward_tapped(&self, pictures: Tensor<B, 2>, tap: &mut impl Tap<B>) -> Tensor<B, 2> {
        let mut x = pictures;
        if !self.convolutions.is_empty() {
            let mut maps = x.reshape([-1, 1, SIDE as i32, SIDE as i32]);
            for layer in &self.convolutions {
                let options = ConvOptions::new([1, 1], [layer.padding; 2], [1, 1], 1);
                let output = conv2d(maps.clone(), layer.weight.val(), Some(layer.bias.val()), options);
                let output = tap.convolution(&maps, layer.padding, output);
                maps = max_pool2d(relu(output), [2, 2], [2, 2], [0, 0], [1, 1], false);
            }
            x = maps.flatten(1, 3);
        }
        for (at, layer) in self.dense.iter().enumerate() {
            let output = x.clone().matmul(layer.weight.val()) + layer.bias.val().unsqueeze();
            let output = tap.dense(&x, output);
            x = if at + 1 < self.dense.len() { relu(output) } else { output };
        }
        x
    }
}

/// Pictures as a tensor `[rows, pixels]`.
pub(crate) fn pictures<B: Backend>(ink: Vec<f32>, device: &B::Device) -> Tensor<B, 2> {
    let rows = ink.len() / PIXELS;
    Tensor::from_data(TensorData::new(ink, [rows, PIXELS]), device)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lenet_has_as_many_parameters_as_in_the_literature() {
        assert_eq!(ClassifierShape::lenet().parameter_count(), 61_706);
        assert_eq!(ClassifierShape::mlp(&[64]).parameter_count(), 784 * 64 + 64 + 64 * 10 + 10);
        assert_eq!(ClassifierShape::mlp(&[]).parameter_count(), 7850);
    }
}

//! The empirical neural tangent kernel of a classifier, exactly: K(o, u) = (∇_θ z(x_o)) (∇_θ z(x_u))ᵀ, and what one step of
//! gradient descent on an example u does to the belief about another one, o (Ren & Sutherland, Prop. 1):
//!
//! ```text
//! Δ log π(·|x_o) = −η · A(x_o) · K(x_o, x_u) · G(x_u, y_u) + O(η²)      A = I − 1·πᵀ,   G = ∇_z L = π − y
//! ```
//!
//! No Jacobian is ever laid out. A dense layer's weights have the gradient a ⊗ δ (its input times the derivative with
//! respect to its pre-activation), so two gradients have the inner product ⟨a, a′⟩⟨δ, δ′⟩, and all pairs of examples cost
//! two small matrix products a layer; a convolution's gradient is small and is laid out. One backward pass gives the δ of
//! every output of every example: each example goes through the layers once for every output (the inputs a stay one).
//! The Jacobian by ten backward passes an example is what the tests hold this against.

use burn::module::Module as _;
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{Tensor, TensorData};

use crate::backend::floats;
use crate::data::pictures::CLASSES;
use crate::model::Classifier;
use crate::model::classifier::{KERNEL, Tap};

/// Gradients with respect to the weights, of one or more outputs of each of some examples. A row is one gradient; row
/// `output · examples + example`.
#[derive(Debug, Clone)]
pub struct Gradients<B: Backend> {
    examples: usize,
    outputs: usize,
    layers: Vec<LayerGradients<B>>,
}

/// A layer's part in them.
#[derive(Debug, Clone)]
enum LayerGradients<B: Backend> {
    /// `input ⊗ delta`, and `delta` for the bias: `[examples, in]` and `[rows, out]`.
    Outer { input: Tensor<B, 2>, delta: Tensor<B, 2> },
    /// The numbers themselves, `[rows, parameters of the layer]`.
    Whole(Tensor<B, 2>),
}

impl<B: Backend> Gradients<B> {
    /// ⟨∇, ∇′⟩ of every row with every row of `other`, over all weights: `[rows, other rows]`.
    pub fn inner_products(&self, other: &Self) -> Tensor<B, 2> {
        let products = self.layers.iter().zip(&other.layers).filter_map(|layers| match layers {
            (LayerGradients::Outer { input, delta }, LayerGradients::Outer { input: input_2, delta: delta_2 }) => {
                // The bias is a weight on a constant input of one.
                let inputs = input.clone().matmul(input_2.clone().transpose()) + 1.0;
                let deltas = delta.clone().matmul(delta_2.clone().transpose());
                Some(deltas * inputs.repeat(&[self.outputs, other.outputs]))
            }
            (LayerGradients::Whole(g), LayerGradients::Whole(g_2)) => Some(g.clone().matmul(g_2.clone().transpose())),
            // Both are of one model.
            _ => None,
        });
        // A model has a layer at least.
        let nothing = || Tensor::zeros([self.rows(), other.rows()], &Default::default());
        products.reduce(|sum, product| sum + product).unwrap_or_else(nothing)
    }

    /// The kernel as numbers that can be looked up.
    pub fn kernel(&self, other: &Self) -> Kernel {
        let values = floats(self.inner_products(other));
        Kernel { values, examples: (self.examples, other.examples), columns: other.rows() }
    }

    fn rows(&self) -> usize {
        self.outputs * self.examples
    }
}

/// Inner products of the gradients of two sets of examples. Of two Jacobians: K, for every pair of examples.
#[derive(Debug, Clone, PartialEq)]
pub struct Kernel {
    values: Vec<f32>,
    examples: (usize, usize),
    columns: usize,
}

impl Kernel {
    /// ⟨∇ z_v(x_o), ∇ z_w(x_u)⟩, given example and output on either side.
    pub fn get(&self, (o, v): (usize, usize), (u, w): (usize, usize)) -> f64 {
        f64::from(self.values[(v * self.examples.0 + o) * self.columns + w * self.examples.1 + u])
    }

    /// ‖K(x_o, x_u)‖_F, of two Jacobians.
    pub fn frobenius(&self, o: usize, u: usize) -> f64 {
        let classes = || 0..CLASSES.len();
        let squares = classes().flat_map(|v| classes().map(move |w| self.get((o, v), (u, w)).powi(2)));
        squares.sum::<f64>().sqrt()
    }
}

/// Notes down, while a pass goes forwards, what its gradients will be made of. A leaf of zeros is added to every
/// pre-activation; its gradient is δ.
#[derive(Debug)]
pub struct Recorder<B: AutodiffBackend> {
    /// How many times each example is to go through the layers.
    outputs: usize,
    examples: usize,
    layers: Vec<Recorded<B>>,
}

#[derive(Debug)]
enum Recorded<B: AutodiffBackend> {
    Dense { input: Tensor<B::InnerBackend, 2>, leaf: Tensor<B, 2> },
    Convolution { input: Tensor<B::InnerBackend, 4>, padding: usize, leaf: Tensor<B, 4> },
}

impl<B: AutodiffBackend> Recorder<B> {
    /// A recorder of a pass in which each example goes through the layers `outputs` times.
    pub fn new(outputs: usize) -> Self {
        Self { outputs, examples: 0, layers: Vec::new() }
    }

    /// Enters a layer: after the first layer's weights an example's rows are repeated; its input stays one.
    fn enter<const D: usize>(&mut self, input: &Tensor<B, D>, output: Tensor<B, D>) -> (Tensor<B, D>, Tensor<B, D>) {
        let output = if self.layers.is_empty() {
            self.examples = input.dims()[0];
            if self.outputs == 1 { output } else { output.repeat_dim(0, self.outputs) }
        } else {
            output
        };
        let leaf = Tensor::zeros(output.shape(), &output.device()).require_grad();
        (output + leaf.clone(), leaf)
    }

    /// The examples' inputs, each once and without its graph.
    fn once<const D: usize>(&self, input: &Tensor<B, D>) -> Tensor<B::InnerBackend, D> {
        input.clone().inner().narrow(0, 0, self.examples)
    }

    /// What the backward pass found.
    pub fn finish(self, gradients: &B::Gradients) -> Gradients<B::InnerBackend> {
        let layer = |recorded: Recorded<B>| match recorded {
            Recorded::Dense { input, leaf } => LayerGradients::Outer { input, delta: delta(&leaf, gradients) },
            Recorded::Convolution { input, padding, leaf } => {
                let delta = delta(&leaf, gradients);
                LayerGradients::Whole(convolution_gradients(input, padding, delta, self.outputs))
            }
        };
        let layers = self.layers.into_iter().map(layer).collect();
        Gradients { examples: self.examples, outputs: self.outputs, layers }
    }
}

/// The derivative with respect to a pre-activation; zeros where the backward pass did not come by.
fn delta<B: AutodiffBackend, const D: usize>(
    leaf: &Tensor<B, D>,
    gradients: &B::Gradients,
) -> Tensor<B::InnerBackend, D> {
    leaf.grad(gradients).unwrap_or_else(|| leaf.clone().inner())
}

impl<B: AutodiffBackend> Tap<B> for Recorder<B> {
    fn dense(&mut self, input: &Tensor<B, 2>, output: Tensor<B, 2>) -> Tensor<B, 2> {
        let (output, leaf) = self.enter(input, output);
        self.layers.push(Recorded::Dense { input: self.once(input), leaf });
        output
    }

    fn convolution(&mut self, input: &Tensor<B, 4>, padding: usize, output: Tensor<B, 4>) -> Tensor<B, 4> {
        let (output, leaf) = self.enter(input, output);
        self.layers.push(Recorded::Convolution { input: self.once(input), padding, leaf });
        output
    }
}

/// Gradients of a convolution's weights and bias, `[rows, out · (in · 25 + 1)]`: at every place the patch that the kernel
/// saw, times δ there. `input` is `[examples, in, side, side]`, `delta` `[rows, out, side, side]`.
fn convolution_gradients<B: Backend>(
    input: Tensor<B, 4>,
    padding: usize,
    delta: Tensor<B, 4>,
    outputs: usize,
) -> Tensor<B, 2> {
    let [rows, out, side, _] = delta.dims();
    let [examples, channels, ..] = input.dims();
    let input = input.pad((padding, padding, padding, padding), 0.0);
    let shifts = (0..KERNEL).flat_map(|y| (0..KERNEL).map(move |x| (y, x)));
    let shifted = shifts.map(|(y, x)| {
        let seen = input.clone().slice([0..examples, 0..channels, y..y + side, x..x + side]);
        seen.reshape([examples, channels, 1, side * side])
    });
    let patch = channels * KERNEL * KERNEL;
    let patches = Tensor::cat(shifted.collect(), 2).reshape([examples, patch, side * side]).swap_dims(1, 2);
    let delta = delta.reshape([rows, out, side * side]);
    let of_output = |output: usize| delta.clone().narrow(0, output * examples, examples).matmul(patches.clone());
    let weights = Tensor::cat((0..outputs).map(of_output).collect(), 0);
    let bias = delta.clone().sum_dim(2);
    Tensor::cat(vec![weights, bias], 2).reshape([rows, out * (patch + 1)])
}

/// What the model says of some pictures `[examples, pixels]`, and the Jacobian of all that it says: ∇_θ z_v(x) for every
/// class v and every picture x.
pub fn jacobian<B: AutodiffBackend>(
    model: &Classifier<B>,
    pictures: Tensor<B, 2>,
) -> (Vec<Belief>, Gradients<B::InnerBackend>) {
    let classes = CLASSES.len();
    let (device, examples) = (pictures.device(), pictures.dims()[0]);
    let mut recorder = Recorder::new(classes);
    // The weights' own gradients are not asked for.
    let logits = model.clone().no_grad().forward_tapped(pictures, &mut recorder);
    let own: Vec<f32> = (0..classes * examples * classes)
        .map(|i| if i % classes == i / (classes * examples) { 1.0 } else { 0.0 })
        .collect();
    let own = Tensor::from_data(TensorData::new(own, [classes * examples, classes]), &device);
    let gradients = recorder.finish(&(logits.clone() * own).sum().backward());
    let logits = floats(logits.inner().narrow(0, 0, examples));
    (logits.chunks_exact(classes).map(Belief::new).collect(), gradients)
}

/// What the model says of one picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Belief {
    /// log π, nats, one a class.
    pub log_probs: Vec<f64>,
}

impl Belief {
    /// The softmax of logits.
    pub fn new(logits: &[f32]) -> Self {
        let largest = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
        let normaliser = logits.iter().map(|&z| (f64::from(z) - largest).exp()).sum::<f64>().ln() + largest;
        Self { log_probs: logits.iter().map(|&z| f64::from(z) - normaliser).collect() }
    }

    /// π.
    pub fn probabilities(&self) -> impl Iterator<Item = f64> + '_ {
        self.log_probs.iter().map(|x| x.exp())
    }

    /// A·Δz: the change of log π that a small change of the logits makes.
    pub fn adapt(&self, change: &[f64]) -> Vec<f64> {
        let mean: f64 = self.probabilities().zip(change).map(|(p, dz)| p * dz).sum();
        change.iter().map(|dz| dz - mean).collect()
    }

    /// ‖A‖_F: the root of V‖π‖² + V − 2.
    #[allow(clippy::cast_precision_loss, reason = "a few classes")]
    pub fn adaptation_norm(&self) -> f64 {
        let classes = self.log_probs.len() as f64;
        let squares: f64 = self.probabilities().map(|p| p * p).sum();
        (classes * squares + classes - 2.0).max(0.0).sqrt()
    }

    /// G = π − y: the gradient of the cross entropy with respect to the logits.
    pub fn residual(&self, label: usize) -> Vec<f64> {
        self.probabilities().enumerate().map(|(v, p)| p - f64::from(u8::from(v == label))).collect()
    }

    /// ‖G‖₂.
    pub fn residual_norm(&self, label: usize) -> f64 {
        self.residual(label).iter().map(|g| g * g).sum::<f64>().sqrt()
    }

    /// The likeliest class; the first of equals.
    pub fn likeliest(&self) -> usize {
        let best = |best: usize, v: usize| if self.log_probs[v] > self.log_probs[best] { v } else { best };
        (0..self.log_probs.len()).fold(0, best)
    }
}

#[cfg(test)]
#[path = "entk_tests.rs"]
mod tests;

//! Kernels against loops in double precision. The parts of a block are seen through small models in which the other parts
//! give nothing.

use burn::tensor::activation::softmax;
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{Tensor, TensorData};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::reference::{Model, log_sum_exp, product, softmax as softmax_of};
use super::{Row, Tolerance};
use crate::backend::{floats, int_tensor};
use crate::model::architecture::{Activation, Norm, Parameter, Positions, Role};
use crate::model::{Architecture, Checkpoint, Transformer};
use crate::objective::logps::label_and_largest_logps;
use crate::train::apart;

/// Numbers between −1 and 1, the same everywhere.
pub(super) fn numbers(count: usize, salt: u64) -> Vec<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(salt);
    (0..count).map(|_| f64::from(rng.next_u32()) / f64::from(1u32 << 31) - 1.0).collect()
}

#[allow(clippy::cast_possible_truncation, reason = "what is computed is in single precision")]
pub(super) fn single(numbers: &[f64]) -> Vec<f32> {
    numbers.iter().map(|&x| x as f32).collect()
}

/// The numbers as single precision has them, so that both sides begin alike.
pub(super) fn rounded(count: usize, salt: u64) -> Vec<f64> {
    single(&numbers(count, salt)).into_iter().map(f64::from).collect()
}

fn tensor<B: Backend, const D: usize>(numbers: &[f64], shape: [usize; D], device: &B::Device) -> Tensor<B, D> {
    Tensor::from_data(TensorData::new(single(numbers), shape), device)
}

/// Every kernel.
pub(super) fn rows<B: AutodiffBackend>(device: &B::Device, tolerance: Tolerance) -> Vec<Row> {
    let mut rows = vec![
        matrix_product::<B::InnerBackend>(device, tolerance),
        batched_product::<B::InnerBackend>(device, tolerance),
        masked_softmax::<B::InnerBackend>(device, tolerance),
    ];
    rows.extend(log_probs::<B>(device, tolerance));
    rows.push(embedding_gradient::<B>(device, tolerance));
    rows.extend(blocks::<B::InnerBackend>(device, tolerance));
    rows
}

fn matrix_product<B: Backend>(device: &B::Device, tolerance: Tolerance) -> Row {
    // Odd sizes, so that tiles are not whole.
    let [n, k, m] = [67, 259, 131];
    let (a, b) = (rounded(n * k, 1), rounded(k * m, 2));
    let found = floats(tensor::<B, 2>(&a, [n, k], device).matmul(tensor(&b, [k, m], device)));
    Row::apart("matrix product", apart(&found, &product(&a, &b, [n, k, m])), tolerance.products)
}

/// q·kᵀ, as attention has it.
fn batched_product<B: Backend>(device: &B::Device, tolerance: Tolerance) -> Row {
    let [batch, positions, size] = [6, 37, 24];
    let (a, b) = (rounded(batch * positions * size, 3), rounded(batch * positions * size, 4));
    let shape = [2, 3, positions, size];
    let found = tensor::<B, 4>(&a, shape, device).matmul(tensor::<B, 4>(&b, shape, device).transpose());
    let mut expected = Vec::new();
    for (a, b) in a.chunks_exact(positions * size).zip(b.chunks_exact(positions * size)) {
        let transposed: Vec<f64> = (0..size * positions).map(|i| b[i % positions * size + i / positions]).collect();
        expected.extend(product(a, &transposed, [positions, size, positions]));
    }
    Row::apart("products in a batch, one transposed", apart(&floats(found), &expected), tolerance.products)
}

fn masked_softmax<B: Backend>(device: &B::Device, tolerance: Tolerance) -> Row {
    let (rows, width) = (21, 53);
    let hidden = |i: usize| i % width > i / width * 2 + 3;
    let masked = |(i, x): (usize, f64)| if hidden(i) { -1e9 } else { 20.0 * x };
    let scores: Vec<f64> = rounded(rows * width, 5).into_iter().enumerate().map(masked).collect();
    let scores: Vec<f64> = single(&scores).into_iter().map(f64::from).collect();
    let found = floats(softmax(tensor::<B, 2>(&scores, [rows, width], device), 1));
    let expected: Vec<f64> = scores.chunks_exact(width).flat_map(softmax_of).collect();
    Row::apart("softmax under a mask", apart(&found, &expected), tolerance.pointwise)
}

/// log π of labels, the largest log-prob, and the gradient, e_y − π.
fn log_probs<B: AutodiffBackend>(device: &B::Device, tolerance: Tolerance) -> [Row; 2] {
    let (rows, vocab) = (19, 1003);
    let logits: Vec<f64> = single(&numbers(rows * vocab, 6)).into_iter().map(|x| f64::from(8.0 * x)).collect();
    let labels: Vec<usize> = (0..rows).map(|row| row * 37 % vocab).collect();
    let variable = tensor::<B, 2>(&logits, [rows, vocab], device).require_grad();
    let index = int_tensor(labels.iter().map(|&label| label as i64).collect(), device);
    let (label_logps, largest) = label_and_largest_logps(variable.clone(), index);
    let gradients = label_logps.clone().sum().backward();
    let found_gradient = variable.grad(&gradients).map(floats).unwrap_or_default();
    let (mut expected, mut expected_largest, mut expected_gradient) = (Vec::new(), Vec::new(), Vec::new());
    for (row, &label) in logits.chunks_exact(vocab).zip(&labels) {
        let normaliser = log_sum_exp(row);
        expected.push(row[label] - normaliser);
        expected_largest.push(row.iter().copied().fold(f64::NEG_INFINITY, f64::max) - normaliser);
        let energy = |(v, p): (usize, f64)| f64::from(u8::from(v == label)) - p;
        expected_gradient.extend(softmax_of(row).into_iter().enumerate().map(energy));
    }
    let found = [floats(label_logps), floats(largest)].concat();
    let error = apart(&found, &[expected, expected_largest].concat());
    [
        Row::apart("log-probs of labels, and the largest", error, tolerance.pointwise),
        Row::apart("gradient of log-probs", apart(&found_gradient, &expected_gradient), tolerance.pointwise),
    ]
}

/// Rows picked from a table, one of them several times: their gradients add up.
fn embedding_gradient<B: AutodiffBackend>(device: &B::Device, tolerance: Tolerance) -> Row {
    let (vocab, width) = (31, 24);
    let picked = [3usize, 7, 3, 0, 30, 3, 7];
    let (table, weights) = (rounded(vocab * width, 7), rounded(picked.len() * width, 8));
    let variable = tensor::<B, 2>(&table, [vocab, width], device).require_grad();
    let index = int_tensor(picked.iter().map(|&i| i as i64).collect(), device);
    let selected = variable.clone().select(0, index);
    let gradients = (selected.clone() * tensor(&weights, [picked.len(), width], device)).sum().backward();
    let mut found = floats(selected);
    found.extend(variable.grad(&gradients).map(floats).unwrap_or_default());
    let mut expected: Vec<f64> = picked.iter().flat_map(|&i| table[i * width..(i + 1) * width].to_vec()).collect();
    let mut gradient = vec![0.0; vocab * width];
    for (&i, weights) in picked.iter().zip(weights.chunks_exact(width)) {
        gradient[i * width..(i + 1) * width].iter_mut().zip(weights).for_each(|(g, w)| *g += w);
    }
    expected.extend(gradient);
    Row::apart("embedding and its gradient", apart(&found, &expected), tolerance.pointwise)
}

/// A small model that is otherwise like the shipped one, which says how heads are rotated; nothing where that cannot be
/// read.
pub(super) fn architecture_like(positions: usize) -> Option<Architecture> {
    let Checkpoint { config: shipped, .. } = Checkpoint::base().ok()?;
    Some(Architecture {
        vocab_size: 29,
        hidden_size: 24,
        intermediate_size: 40,
        layers: 1,
        heads: 4,
        key_value_heads: 2,
        max_position_embeddings: positions,
        ..shipped
    })
}

/// Parts of a block: what is checked, the architecture, and the matrices that give nothing.
fn blocks<B: Backend>(device: &B::Device, tolerance: Tolerance) -> Vec<Row> {
    let Some(small) = architecture_like(32) else {
        return vec![Row::held("the shipped model", false, "cannot be read")];
    };
    let learned = Architecture {
        norm: Norm::Layer,
        positions: Positions::Learned,
        query_key_value_bias: true,
        output_bias: true,
        key_value_heads: 4,
        activation: Activation::GeluTanh,
        gated: false,
        mlp_bias: true,
        ..small.clone()
    };
    let bare = |architecture: &Architecture| Architecture { layers: 0, ..architecture.clone() };
    [
        ("RMS norm", bare(&small), None),
        ("layer norm", bare(&learned), None),
        ("rotary positions and grouped attention", small.clone(), Some(Role::Down)),
        ("attention without rotation, with biases", learned.clone(), Some(Role::Down)),
        ("feed-forward, gated by SiLU", small.clone(), Some(Role::Output)),
        ("feed-forward with GELU by tanh", learned.clone(), Some(Role::Output)),
    ]
    .into_iter()
    .map(|(what, architecture, silent)| {
        Row::apart(what, model_apart::<B>(&architecture, silent, device), tolerance.products)
    })
    .collect()
}

/// A model's parameters and the model on a device; those of the role `silent` are zero.
pub(super) fn model_of<B: Backend>(
    architecture: &Architecture,
    silent: Option<Role>,
    device: &B::Device,
) -> (Vec<(Parameter, Vec<f64>)>, Transformer<B>) {
    let mut salt = 100;
    let parameters: Vec<(Parameter, Vec<f64>)> = architecture
        .parameters()
        .into_iter()
        .map(|(parameter, shape)| {
            salt += 1;
            let quiet = silent == Some(parameter.role);
            let mut values = rounded(shape.iter().product(), salt);
            values.iter_mut().for_each(|x| *x = if quiet { 0.0 } else { *x });
            (parameter, values)
        })
        .collect();
    let mut next = parameters.iter();
    let built = Transformer::<B>::from_parameters(architecture, device, |_, _| {
        Ok::<_, std::convert::Infallible>(next.next().map(|(_, values)| single(values)).unwrap_or_default())
    });
    let Ok(model) = built;
    (parameters, model)
}

/// How far a model's hidden states are from those in double precision, two rows of tokens.
fn model_apart<B: Backend>(architecture: &Architecture, silent: Option<Role>, device: &B::Device) -> f64 {
    let (parameters, model): (_, Transformer<B>) = model_of(architecture, silent, device);
    let rows = [[1usize, 28, 5, 5, 0, 17, 9], [3, 3, 2, 11, 26, 1, 8]];
    let tokens =
        int_tensor(rows.concat().iter().map(|&t| t as i64).collect(), device).reshape([rows.len(), rows[0].len()]);
    let reference = Model { architecture, parameters: &parameters };
    let expected: Vec<f64> = rows.iter().flat_map(|row| reference.forward(row)).collect();
    apart(&floats(model.forward(tokens)), &expected)
}

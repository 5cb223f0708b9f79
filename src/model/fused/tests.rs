//! The kernels against the tensor operations that they stand for, differentiated by burn.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use burn::tensor::activation::{silu, softmax};
use burn::tensor::backend::AutodiffBackend;
use burn::tensor::{Tensor, TensorData};

use super::*;
#[cfg(feature = "ndarray")]
use crate::backend::OtherTestBackend;
use crate::backend::TestBackend;
use crate::backend::{floats, int_tensor};
use crate::objective::logps::per_token_logps;

type Matrix<B> = Tensor<B, 2>;

/// Numbers between −1 and 1.
#[allow(clippy::cast_precision_loss, reason = "small")]
fn matrix_of<B: Backend>(rows: usize, columns: usize, salt: usize) -> Matrix<B> {
    let number = |i: usize| ((i * 7919 + salt * 104_729) % 2003) as f32 / 1001.0 - 1.0;
    Tensor::from_data(TensorData::new((0..rows * columns).map(number).collect(), [rows, columns]), &Default::default())
}

/// The result and the gradients of the inputs, all of them under the same gradient of the result.
fn differentiated<B: AutodiffBackend, const N: usize>(
    shapes: [[usize; 2]; N],
    function: impl Fn([Matrix<B>; N]) -> Matrix<B>,
) -> Vec<Vec<f32>> {
    let mut salt = 0;
    let inputs = shapes.map(|[rows, columns]| {
        salt += 1;
        matrix_of::<B>(rows, columns, salt).require_grad()
    });
    let output = function(inputs.clone());
    let [rows, columns] = output.dims();
    let gradients = (output.clone() * matrix_of(rows, columns, 77)).sum().backward();
    let mut all = vec![floats(output)];
    all.extend(inputs.iter().map(|input| floats(input.grad(&gradients).unwrap())));
    all
}

fn assert_close(what: &str, found: &[Vec<f32>], expected: &[Vec<f32>]) {
    assert_eq!(found.len(), expected.len());
    for (part, (found, expected)) in found.iter().zip(expected).enumerate() {
        let largest = expected.iter().fold(1e-3f32, |most, x| most.max(x.abs()));
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() <= 2e-5 * largest, "{what}, part {part}: {found} is not {expected}");
        }
    }
}

fn causal_mask<B: Backend>(positions: usize) -> Tensor<B, 4> {
    let hidden = (0..positions * positions).map(|i| if i % positions > i / positions { -1e9f32 } else { 0.0 });
    Tensor::from_data(TensorData::new(hidden.collect(), [1, 1, positions, positions]), &Default::default())
}

/// Attention by tensor operations.
#[allow(clippy::cast_precision_loss, reason = "small")]
fn plain_attention<B: Backend>(of: &Heads, [q, k, v]: [Matrix<B>; 3]) -> Matrix<B> {
    let split = |x: Matrix<B>, heads: usize| x.reshape([of.batch, of.positions, heads, of.size]).swap_dims(1, 2);
    let turn = |x: Tensor<B, 4>| {
        let Some(angles) = &of.angles else { return x };
        let [batch, heads, positions, size] = x.dims();
        let table = |numbers: &[f32]| -> Tensor<B, 4> {
            let data = TensorData::new(numbers.to_vec(), [1, 1, positions, angles.half]);
            Tensor::from_data(data, &Default::default())
        };
        let part = |from: usize, to: usize| x.clone().slice([0..batch, 0..heads, 0..positions, from..to]);
        let (a, b) = (part(0, angles.half), part(angles.half, 2 * angles.half));
        let (cos, sin) = (table(&angles.cos), table(&angles.sin));
        let turned = vec![a.clone() * cos.clone() - b.clone() * sin.clone(), b * cos + a * sin];
        let rest = (2 * angles.half < size).then(|| part(2 * angles.half, size));
        Tensor::cat(turned.into_iter().chain(rest).collect(), 3)
    };
    let each = |x: Tensor<B, 4>| {
        let [batch, heads, positions, size] = x.dims();
        let group = of.heads / of.shared;
        x.reshape([batch, heads, 1, positions, size]).repeat_dim(2, group).reshape([batch, of.heads, positions, size])
    };
    let (q, k, v) = (turn(split(q, of.heads)), each(turn(split(k, of.shared))), each(split(v, of.shared)));
    let scores = q.mul_scalar((of.size as f64).sqrt().recip()).matmul(k.transpose()) + causal_mask(of.positions);
    softmax(scores, 3).matmul(v).swap_dims(1, 2).reshape([of.batch * of.positions, of.heads * of.size])
}

#[allow(clippy::cast_precision_loss, reason = "small")]
fn kernels_are_their_operations<B: AutodiffBackend>() {
    let done = |attempt: Attempt<B, 2>| attempt.or_else(|_| panic!("there is a kernel"));
    let shapes = [[37, 19], [23, 19]];
    let expected = differentiated::<B, 2>(shapes, |[x, w]| x.matmul(w.transpose()));
    let found = differentiated::<B, 2>(shapes, |inputs| done(backend::differentiating_on_host(Linear, inputs)));
    assert_close("linear", &found, &expected);
    // More numbers than one thread takes, of both signs and far out.
    let shapes = [[150, 130], [150, 130]];
    let expected = differentiated::<B, 2>(shapes, |[gate, up]| silu(gate.mul_scalar(30.0)) * up);
    let found = differentiated::<B, 2>(shapes, |[gate, up]| done(apply(gated::SwiGlu, [gate.mul_scalar(30.0), up])));
    assert_close("SwiGLU", &found, &expected);
    let shapes = [[150, 21], [1, 21]];
    let expected = differentiated::<B, 2>(shapes, |[x, w]| {
        let norm = (x.clone() * x.clone()).mean_dim(1).add_scalar(1e-5).sqrt();
        x / norm * w
    });
    let found = differentiated::<B, 2>(shapes, |[x, w]| done(rms_norm(x, w, 1e-5)));
    assert_close("RMS norm", &found, &expected);
    // A vocabulary of several chunks, and one logit far above the others.
    let shapes = [[40, 700]];
    let labels: Vec<u32> = (0..40).map(|row| row * 17 % 700).collect();
    let spread = |logits: Matrix<B>| logits.clone().powi_scalar(3).mul_scalar(40.0) + logits;
    let expected = differentiated::<B, 1>(shapes, |[logits]| {
        let labels = int_tensor(labels.iter().map(|&label| i64::from(label)).collect(), &Default::default());
        per_token_logps(spread(logits), labels).unsqueeze_dim(1)
    });
    let found = differentiated::<B, 1>(shapes, |[logits]| {
        label_logps(spread(logits), &labels).or_else(|_| panic!("there is a kernel"))
    });
    assert_close("log-probs of labels", &found, &expected);
    for (heads, shared, half) in [(4, 2, 4), (3, 3, 2), (6, 1, 0)] {
        let (batch, positions, size) = (2, 11, 8);
        let table = |f: fn(f32) -> f32| (0..positions * half).map(|i| f(i as f32 * 0.3)).collect::<Vec<f32>>();
        let angles = (half > 0).then(|| Arc::new(Angles { half, cos: table(f32::cos), sin: table(f32::sin) }));
        let of = Heads { batch, positions, heads, shared, size, angles };
        let shapes = [heads, shared, shared].map(|heads| [batch * positions, heads * size]);
        let expected = differentiated::<B, 3>(shapes, |inputs| plain_attention(&of, inputs));
        let found = differentiated::<B, 3>(shapes, |inputs| {
            attention(of.clone(), inputs).or_else(|_| panic!("there is a kernel"))
        });
        assert_close(&format!("attention of {heads} heads, {shared} shared, {half} turned"), &found, &expected);
    }
}

#[test]
fn on_the_fast_backend() {
    kernels_are_their_operations::<TestBackend>();
}

#[test]
#[cfg(feature = "ndarray")]
fn on_the_other_backend() {
    kernels_are_their_operations::<OtherTestBackend>();
}

#[test]
fn where_nothing_is_differentiated_the_inputs_come_back() {
    type Inner = <TestBackend as AutodiffBackend>::InnerBackend;
    let inputs = [matrix_of::<Inner>(3, 4, 1), matrix_of(3, 4, 2)];
    let Attempt::NoKernel([gate, _]) = apply(gated::SwiGlu, inputs.clone()) else { panic!("there is a kernel") };
    assert_eq!(floats(gate), floats(inputs[0].clone()));
}

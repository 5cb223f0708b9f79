//! The factors against a kernel that is laid out, entry by entry.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::path::Path;

use burn::optim::GradientsParams;
use burn::tensor::{Tensor, TensorData};

use super::{factors, log_probs, norm_of};
use crate::backend::TestBackend;
use crate::data::Sequence;
use crate::model::batch::Batch;
use crate::model::{Checkpoint, Transformer};
use crate::train::direction::Direction;

type B = TestBackend;

/// The Jacobian of an answer's logits: one gradient for each position and token.
fn jacobian(model: &Transformer<B>, answer: &Sequence) -> Vec<Direction<burn_flex::Flex>> {
    let like = Direction::of_trained(model);
    let device = model.device();
    let count = answer.completion_ids.len() * model.vocab_size();
    (0..count)
        .map(|entry| {
            let batch = Batch::<B>::whole(&[answer], 1, &device);
            let predicting = batch.predicting_tensor(&device);
            let logits = model.logits(model.forward(batch.tokens).select(0, predicting));
            let mut one = vec![0.0f32; count];
            one[entry] = 1.0;
            let one: Tensor<B, 2> = Tensor::from_data(TensorData::new(one, logits.dims()), &device);
            Direction::of_gradient(model, GradientsParams::from_grads((logits * one).sum().backward(), model), &like)
        })
        .collect()
}

#[test]
fn the_estimate_holds_the_norm_and_the_factors_multiply_to_the_slope() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/families/llama_tied_linear");
    let model: Transformer<B> = Checkpoint::read(&folder).unwrap().load(&Default::default()).unwrap();
    let (o, u) = (Sequence::new(vec![7, 8, 9], vec![20]), Sequence::new(vec![5, 100], vec![40, 41]));
    let found = factors(&model, &o, &u, 1);
    let (of_o, of_u) = (jacobian(&model, &o), jacobian(&model, &u));
    let kernel: Vec<Vec<f64>> = of_o.iter().map(|a| of_u.iter().map(|b| a.dot(b)).collect()).collect();
    let norm = kernel.iter().flatten().map(|k| k * k).sum::<f64>().sqrt();
    let within = found.kernel.low <= norm && norm <= found.kernel.high;
    assert!(within && found.kernel.high < 2.0 * found.kernel.low, "{:?} is to hold {norm}", found.kernel);
    // −A·K·G at the observed token: the row of A is y − π there, G = π − y.
    let residuals = |answer: &Sequence| -> Vec<f64> {
        let rows = log_probs(&model, answer, 1);
        let of_row = |(row, &label): (&Vec<f64>, &u32)| -> Vec<f64> {
            row.iter().enumerate().map(|(v, logp)| logp.exp() - f64::from(u8::from(v == label as usize))).collect()
        };
        rows.iter().zip(&answer.completion_ids).flat_map(of_row).collect()
    };
    let (g_o, g_u) = (residuals(&o), residuals(&u));
    let product: f64 =
        g_o.iter().zip(&kernel).map(|(a, row)| a * row.iter().zip(&g_u).map(|(k, g)| k * g).sum::<f64>()).sum();
    assert!((found.slope - product).abs() < 1e-4 * product.abs().max(1e-3), "{} is not {product}", found.slope);
    assert!(found.cosine.abs() <= 1.0 && found.slope.abs() <= found.adaptation * norm * found.residual);
    let norm = g_u.iter().map(|g| g * g).sum::<f64>().sqrt();
    assert!((found.residual - norm).abs() < 1e-6 * norm);
    // With itself a gradient has a cosine of one.
    assert!((factors(&model, &o, &o, 1).cosine - 1.0).abs() < 1e-6);
}

#[test]
fn squares_that_are_alike_leave_no_doubt() {
    let sure = norm_of(&[vec![4.0; 3], vec![4.0; 3]]);
    assert_eq!((sure.value, sure.low, sure.high, sure.n), (2.0, 2.0, 2.0, 6));
    let unsure = norm_of(&[vec![1.0, 1.0], vec![7.0, 7.0]]);
    assert!(unsure.value == 2.0 && unsure.low == 0.0 && unsure.high > 2.5);
}

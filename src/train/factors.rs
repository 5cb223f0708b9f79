//! The three factors of Prop. 1 between an observed answer o and a training example's answer u, at one place of a run:
//! how peaky the belief about o is (A), how alike the model takes the two to be (K), how hard u pulls (G).
//!
//! K(o, u) = J_o·J_uᵀ, J the Jacobian of the logits at all positions of an answer, is far too large to be laid out. Of vectors
//! a and b whose entries are ±1 by chance, (aᵀKb)² is ‖K‖²_F in the mean, and aᵀKb = ⟨J_oᵀa, J_uᵀb⟩ takes one gradient of
//! either answer: no difference is taken, and a few dozen gradients give hundreds of products.

use burn::optim::GradientsParams;
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{Tensor, TensorData};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::direction::{Direction, Numbers, Rows};
use super::observed::gradient;
use crate::backend::floats;
use crate::data::Sequence;
use crate::dynamics::alike::Cell;
use crate::error::Result;
use crate::history::stats::{Estimate, float};
use crate::model::Transformer;
use crate::model::batch::Batch;

/// Gradients of either answer that a norm is estimated from, at most and at least.
const MOST: usize = 48;
const LEAST: usize = 8;
/// Numbers of the gradients that are kept at the same time, about: a gigabyte.
const NUMBERS: usize = 1 << 28;
/// 97.5 % quantile of the standard normal distribution.
const Z: f64 = 1.96;

/// The factors between an observed answer and a training example's answer, of the log-probs' sums.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Factors {
    /// ‖A‖_F over all positions of the observed answer.
    pub(crate) adaptation: f64,
    /// ‖K‖_F over all pairs of their positions, estimated.
    pub(crate) kernel: Estimate,
    /// ‖G‖₂ over all positions of the example's answer, G = π − y.
    pub(crate) residual: f64,
    /// ⟨∇log π(o), ∇log π(u)⟩: how far a small step of plain gradient descent on −log π(u) moves log π(o), nats for each unit of
    /// the learning rate.
    pub(crate) slope: f64,
    /// The cosine of these two gradients.
    pub(crate) cosine: f64,
}

/// The factors under a model.
pub(super) fn factors<B: AutodiffBackend>(
    model: &Transformer<B>,
    observed: &Sequence,
    learnt: &Sequence,
    pad: u32,
) -> Factors {
    let like = Direction::of_trained(model);
    let own = |answer: &Sequence| Direction::of_gradient(model, gradient(model, &[answer], 1.0, (pad, false)), &like);
    let (of_observed, of_learnt) = (own(observed), own(learnt));
    let slope = of_observed.dot(&of_learnt);
    let norms = of_observed.dot(&of_observed).sqrt() * of_learnt.dot(&of_learnt).sqrt();
    let (adaptation, _) = norms_of_positions(model, observed, pad);
    let (_, residual) = norms_of_positions(model, learnt, pad);
    let draws = (NUMBERS / like.len().max(1) / 2).clamp(LEAST, MOST);
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let mut drawn = |answer: &Sequence| -> Vec<Numbers> {
        let one = |_| Direction::of_gradient(model, pulled_back(model, answer, pad, &mut rng), &like).numbers();
        (0..draws).map(one).collect()
    };
    let (left, right) = (drawn(observed), drawn(learnt));
    let squares = left.par_iter().map(|a| right.iter().map(|b| a.dot(b).powi(2)).collect());
    let squares: Vec<Vec<f64>> = squares.collect();
    Factors { adaptation, kernel: norm_of(&squares), residual, slope, cosine: slope / norms }
}

/// Draws of each answer's Jacobian that a cell of a map is estimated from.
const OF_A_CELL: usize = 8;
/// Numbers of the gradients of a map that are kept at the same time, at most: half a gigabyte.
const OF_A_MAP: usize = 1 << 27;

/// How many observed answers a map under this model may have: 0 where the model is too large for one.
pub(super) fn largest_map<B: AutodiffBackend>(model: &Transformer<B>) -> usize {
    OF_A_MAP / (Direction::of_trained(model).len().max(1) * (OF_A_CELL + 1))
}

/// What each learnt answer is to each observed one: row by row the estimated norm of the kernel, with the slope and the cosine as
/// of [`Factors`]. `told` hears how many of the learnt answers are done.
///
/// # Errors
/// When `told` fails.
pub(super) fn map<B: AutodiffBackend>(
    model: &Transformer<B>,
    observed: &[&Sequence],
    learnt: &[&Sequence],
    pad: u32,
    mut told: impl FnMut(usize) -> Result<()>,
) -> Result<Vec<Vec<Cell>>> {
    let like = Direction::of_trained(model);
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let mut drawn = |answer: &Sequence| -> (f64, Vec<Direction<B::InnerBackend>>) {
        let own = Direction::of_gradient(model, gradient(model, &[answer], 1.0, (pad, false)), &like);
        let norm = own.dot(&own).sqrt();
        let draws =
            (0..OF_A_CELL).map(|_| Direction::of_gradient(model, pulled_back(model, answer, pad, &mut rng), &like));
        (norm, std::iter::once(own).chain(draws).collect())
    };
    let (mut norms, mut rows) = (Vec::with_capacity(observed.len()), Vec::new());
    for answer in observed {
        let (norm, directions) = drawn(answer);
        norms.push(norm);
        rows.extend(directions);
    }
    let rows = Rows::of(&rows);
    let mut cells = vec![Vec::with_capacity(learnt.len()); observed.len()];
    for (done, answer) in learnt.iter().enumerate() {
        told(done)?;
        let (norm, directions) = drawn(answer);
        let products = rows.products(&Rows::of(&directions));
        for ((cells, products), of_observed) in cells.iter_mut().zip(products.chunks_exact(OF_A_CELL + 1)).zip(&norms) {
            let squares: Vec<Vec<f64>> =
                products[1..].iter().map(|row| row[1..].iter().map(|x| x * x).collect()).collect();
            let slope = products[0][0];
            cells.push(Cell::new(norm_of(&squares), slope, slope / (norm * of_observed)));
        }
    }
    Ok(cells)
}

/// J·v transposed: the gradient of ⟨v, logits⟩, v drawn from ±1.
fn pulled_back<B: AutodiffBackend>(
    model: &Transformer<B>,
    answer: &Sequence,
    pad: u32,
    rng: &mut ChaCha8Rng,
) -> GradientsParams {
    let device = model.device();
    let batch = Batch::<B>::whole(&[answer], pad, &device);
    let predicting = batch.predicting_tensor(&device);
    let logits = model.logits(model.forward(batch.tokens).select(0, predicting));
    let [rows, vocabulary] = logits.dims();
    let signs = (0..rows * vocabulary).map(|_| if rng.random_range(0..2) == 0 { -1.0f32 } else { 1.0 }).collect();
    let signs: Tensor<B, 2> = Tensor::from_data(TensorData::new::<f32, _>(signs, [rows, vocabulary]), &device);
    GradientsParams::from_grads((logits * signs).sum().backward(), model)
}

/// ‖A‖_F and ‖π − y‖₂ over all positions of an answer.
fn norms_of_positions<B: AutodiffBackend>(model: &Transformer<B>, answer: &Sequence, pad: u32) -> (f64, f64) {
    let (mut adaptation, mut residual) = (0.0, 0.0);
    let rows = log_probs(model, answer, pad);
    for (row, &label) in rows.iter().zip(&answer.completion_ids) {
        let vocabulary = float(row.len());
        let squares: f64 = row.iter().map(|logp| (2.0 * logp).exp()).sum();
        adaptation += (vocabulary * squares + vocabulary - 2.0).max(0.0);
        residual += (squares - 2.0 * row[label as usize].exp() + 1.0).max(0.0);
    }
    (adaptation.sqrt(), residual.sqrt())
}

/// log π of every token of the vocabulary at every position of an answer, nats.
pub(super) fn log_probs<B: Backend>(model: &Transformer<B>, answer: &Sequence, pad: u32) -> Vec<Vec<f64>> {
    let device = model.device();
    let batch = Batch::<B>::whole(&[answer], pad, &device);
    let predicting = batch.predicting_tensor(&device);
    let logits = floats(model.logits(model.forward(batch.tokens).select(0, predicting)));
    let normalised = |row: &[f32]| {
        let largest = f64::from(row.iter().copied().fold(f32::NEG_INFINITY, f32::max));
        let normaliser = row.iter().map(|&z| (f64::from(z) - largest).exp()).sum::<f64>().ln() + largest;
        row.iter().map(|&z| f64::from(z) - normaliser).collect()
    };
    logits.chunks_exact(model.vocab_size()).map(normalised).collect()
}

/// The root of the mean of squares whose rows, and whose columns, were each drawn once: the interval leaves out one row, or one
/// column, at a time (the jackknife).
fn norm_of(squares: &[Vec<f64>]) -> Estimate {
    let (rows, columns) = (squares.len(), squares.first().map_or(0, Vec::len));
    let of_rows: Vec<f64> = squares.iter().map(|row| row.iter().sum::<f64>() / float(columns)).collect();
    let of_columns: Vec<f64> =
        (0..columns).map(|column| squares.iter().map(|row| row[column]).sum::<f64>() / float(rows)).collect();
    let mean = of_rows.iter().sum::<f64>() / float(rows);
    // Leaving one out of n moves a mean by (mean − x)/(n − 1).
    let variance = |values: &[f64]| {
        let n = float(values.len());
        values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n * (n - 1.0))
    };
    let half = Z * (variance(&of_rows) + variance(&of_columns)).sqrt();
    let root = |x: f64| x.max(0.0).sqrt();
    Estimate { value: root(mean), low: root(mean - half), high: root(mean + half), n: rows * columns }
}

#[cfg(test)]
#[path = "factors_tests.rs"]
mod tests;

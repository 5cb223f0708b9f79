//! Weights as plain numbers: matrices, and norms.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use rayon::prelude::*;

use super::super::fused::lanes::{dot, sum};
use crate::backend::{Matrix, MatrixMut, Shared, wide};

/// All weights.
pub(in crate::model) struct Whole {
    /// `[V, d]`.
    pub(in crate::model) embedding: Shared,
    /// `[positions, d]`, where positions are learned.
    pub(in crate::model) positions: Option<Shared>,
    pub(in crate::model) blocks: Vec<Block>,
    pub(in crate::model) norm: Norm,
    /// `[V, d]`.
    pub(in crate::model) output: Weight,
}

/// One block's.
pub(in crate::model) struct Block {
    pub(in crate::model) attention_norm: Norm,
    pub(in crate::model) query: Weight,
    pub(in crate::model) key: Weight,
    pub(in crate::model) value: Weight,
    pub(in crate::model) query_norm: Option<Norm>,
    pub(in crate::model) key_norm: Option<Norm>,
    pub(in crate::model) output: Weight,
    pub(in crate::model) mlp_norm: Norm,
    pub(in crate::model) gate: Option<Weight>,
    pub(in crate::model) up: Weight,
    pub(in crate::model) down: Weight,
}

/// A matrix W `[out, in]` and its bias.
pub(in crate::model) struct Weight {
    numbers: Lying,
    out: usize,
    inside: usize,
    bias: Option<Shared>,
}

/// How a matrix lies in memory.
enum Lying {
    /// Row by row, as it is.
    AsIs(Shared),
    /// Column by column: products of few rows are half as fast again.
    Across(Vec<f32>),
}

impl Weight {
    /// A matrix `[out, in]` and its bias; with `across`, copied so that products are fastest. `None` where the numbers do
    /// not lie in memory.
    pub(in crate::model) fn of<B: Backend>(
        weight: Tensor<B, 2>,
        bias: Option<Tensor<B, 1>>,
        across: bool,
    ) -> Option<Self> {
        let [out, inside] = weight.dims();
        let numbers = Shared::of(weight)?;
        let bias = match bias {
            Some(bias) => Some(Shared::of(bias)?),
            None => None,
        };
        let numbers = if across { Lying::Across(turned(numbers.numbers(), out, inside)) } else { Lying::AsIs(numbers) };
        Some(Self { numbers, out, inside, bias })
    }

    /// Writes x·Wᵀ + bias of `rows` rows.
    pub(super) fn apply(&self, x: &[f32], rows: usize, y: &mut [f32]) {
        self.product(x, rows, y, false);
    }

    /// Adds x·Wᵀ + bias of `rows` rows.
    pub(super) fn add(&self, x: &[f32], rows: usize, y: &mut [f32]) {
        self.product(x, rows, y, true);
    }

    fn product(&self, x: &[f32], rows: usize, y: &mut [f32], add: bool) {
        let (out, inside) = (self.out, self.inside);
        let weight = match &self.numbers {
            Lying::AsIs(numbers) => Matrix::new(numbers.numbers(), [out, inside], inside).transposed(),
            Lying::Across(numbers) => Matrix::new(numbers, [inside, out], out),
        };
        MatrixMut::new(y, [rows, out], out).product(Matrix::new(x, [rows, inside], inside), weight, add);
        if let Some(bias) = &self.bias {
            let bias = bias.numbers();
            wide(
                #[inline(always)]
                || {
                    for y in y[..rows * out].chunks_exact_mut(out) {
                        y.iter_mut().zip(bias).for_each(|(y, b)| *y += b);
                    }
                },
            );
        }
    }
}

/// A matrix `[out, in]` as `[in, out]`.
fn turned(numbers: &[f32], out: usize, inside: usize) -> Vec<f32> {
    /// Rows and columns that are turned together, so that both sides stay in the cache.
    const TILE: usize = 32;
    let mut turned = vec![0.0; numbers.len()];
    turned.par_chunks_mut((TILE * out).max(1)).enumerate().for_each(|(tile, turned)| {
        for first in (0..out).step_by(TILE) {
            for (column, turned) in turned.chunks_exact_mut(out).enumerate() {
                let rows = first..(first + TILE).min(out);
                for (turned, row) in turned[rows.clone()].iter_mut().zip(rows) {
                    *turned = numbers[row * inside + tile * TILE + column];
                }
            }
        }
    });
    turned
}

/// A norm: x / √(mean x² + ε) · w, or, with a bias, (x − mean) / √(variance + ε) · w + b.
pub(in crate::model) struct Norm {
    weight: Shared,
    bias: Option<Shared>,
    eps: f32,
}

impl Norm {
    /// A norm by its weight and bias `[d]`. `None` where the numbers do not lie in memory.
    #[allow(clippy::cast_possible_truncation, reason = "what it is added to is in single precision")]
    pub(in crate::model) fn of<B: Backend>(weight: Tensor<B, 1>, bias: Option<Tensor<B, 1>>, eps: f64) -> Option<Self> {
        let bias = match bias {
            Some(bias) => Some(Shared::of(bias)?),
            None => None,
        };
        Some(Self { weight: Shared::of(weight)?, bias, eps: eps as f32 })
    }

    /// Normalises every row of `[rows, d]`.
    pub(super) fn apply(&self, x: &[f32], y: &mut [f32]) {
        y.copy_from_slice(x);
        self.apply_in_place(y);
    }

    /// Normalises every row of `[rows, d]` where it lies.
    pub(super) fn apply_in_place(&self, x: &mut [f32]) {
        let weight = self.weight.numbers();
        #[allow(clippy::cast_precision_loss, reason = "a width is small")]
        let d = weight.len() as f32;
        wide(
            #[inline(always)]
            || {
                for x in x.chunks_exact_mut(weight.len()) {
                    if self.bias.is_some() {
                        let mean = sum(x) / d;
                        x.iter_mut().for_each(|x| *x -= mean);
                    }
                    let norm = (dot(x, x) / d + self.eps).sqrt();
                    x.iter_mut().zip(weight).for_each(|(x, w)| *x = *x / norm * w);
                    if let Some(bias) = &self.bias {
                        x.iter_mut().zip(bias.numbers()).for_each(|(x, b)| *x += b);
                    }
                }
            },
        );
    }
}

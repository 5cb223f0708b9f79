//! The RMS norm: x / n · w with n = √(mean x² + ε), row by row.

use burn::tensor::TensorData;
use burn::tensor::backend::Backend;
use rayon::prelude::*;

use super::lanes::dot;
use super::{Kernel, numbers, numbers_mut, width};
use crate::backend::wide;

/// Rows that one thread takes at a time. Sums over rows are made chunk by chunk, so that they do not depend on the threads.
const ROWS: usize = 64;

#[derive(Debug, Clone)]
pub(super) struct RmsNorm {
    eps: f32,
}

impl RmsNorm {
    #[allow(clippy::cast_possible_truncation, reason = "what it is added to is in single precision")]
    pub(super) fn new(eps: f64) -> Self {
        Self { eps: eps as f32 }
    }

    /// n.
    #[allow(clippy::cast_precision_loss, reason = "a width is small")]
    #[inline(always)]
    fn norm(&self, row: &[f32]) -> f32 {
        (dot(row, row) / row.len() as f32 + self.eps).sqrt()
    }
}

impl Kernel<2> for RmsNorm {
    /// Both inputs.
    type Kept = [TensorData; 2];

    fn forward<I: Backend>(&self, [x, weight]: [TensorData; 2], _: &I::Device) -> (TensorData, Self::Kept) {
        let d = width(&x);
        let mut out = vec![0.0; numbers(&x).len()];
        let rows = numbers(&x).par_chunks(d).with_min_len(ROWS);
        out.par_chunks_mut(d).zip(rows).for_each(|(out, row)| {
            wide(
                #[inline(always)]
                || {
                    let norm = self.norm(row);
                    for ((out, x), w) in out.iter_mut().zip(row).zip(numbers(&weight)) {
                        *out = x / norm * w;
                    }
                },
            );
        });
        (TensorData::new(out, x.shape.clone()), [x, weight])
    }

    /// (g·w − x · mean(g·w·x) / n²) / n, written over x, and Σ g·x / n.
    #[allow(clippy::cast_precision_loss, reason = "a width is small")]
    fn backward<I: Backend>(
        &self,
        [mut x, weight]: Self::Kept,
        gradient: TensorData,
        _: &I::Device,
    ) -> [TensorData; 2] {
        let d = width(&x);
        let w = numbers(&weight);
        let chunks = numbers_mut(&mut x).par_chunks_mut(ROWS * d).zip(numbers(&gradient).par_chunks(ROWS * d));
        let sums: Vec<Vec<f32>> = chunks
            .map(|(x, gradient)| {
                let (mut of_weight, mut scaled) = (vec![0.0f32; d], vec![0.0f32; d]);
                wide(
                    #[inline(always)]
                    || {
                        for (x, gradient) in x.chunks_exact_mut(d).zip(gradient.chunks_exact(d)) {
                            let norm = self.norm(x);
                            for (((sum, scaled), (&x, &g)), &w) in
                                of_weight.iter_mut().zip(&mut scaled).zip(x.iter().zip(gradient)).zip(w)
                            {
                                *sum += g * x / norm;
                                *scaled = g * w;
                            }
                            let along = dot(&scaled, x) / (d as f32 * norm * norm);
                            for (x, scaled) in x.iter_mut().zip(&scaled) {
                                *x = (scaled - *x * along) / norm;
                            }
                        }
                    },
                );
                of_weight
            })
            .collect();
        let mut of_weight = vec![0.0; d];
        for sum in sums {
            of_weight.iter_mut().zip(sum).for_each(|(total, sum)| *total += sum);
        }
        [x, TensorData::new(of_weight, weight.shape)]
    }
}

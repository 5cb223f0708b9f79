//! The log-prob of one label a row: z_y − log Σ exp z. With a large vocabulary nothing else in a pass is as large as the
//! logits, so that they are gone over once on the way there and once on the way back.

use std::sync::Arc;

use burn::tensor::TensorData;
use burn::tensor::backend::Backend;
use rayon::prelude::*;

use super::exp::exp;
use super::lanes::{largest, sum};
use super::{Kernel, numbers, numbers_mut, width};
use crate::backend::wide;

/// Exponentials that are summed in single precision; their sums are added up in double.
const CHUNK: usize = 256;

#[derive(Debug, Clone)]
pub(super) struct LabelLogps {
    pub(super) labels: Arc<[u32]>,
}

/// What makes probabilities of a row of logits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Normaliser {
    largest: f32,
    /// log Σ exp(z − largest).
    log: f32,
}

impl Normaliser {
    #[allow(clippy::cast_possible_truncation, reason = "the logits are in single precision")]
    #[inline(always)]
    fn of(logits: &[f32]) -> Self {
        let largest = largest(logits);
        let mut exponentials = [0.0; CHUNK];
        let mut total = 0.0;
        for chunk in logits.chunks(CHUNK) {
            let exponentials = &mut exponentials[..chunk.len()];
            exponentials.iter_mut().zip(chunk).for_each(|(e, z)| *e = exp(z - largest));
            total += f64::from(sum(exponentials));
        }
        Self { largest, log: total.ln() as f32 }
    }

    #[inline(always)]
    fn logp(self, logit: f32) -> f32 {
        logit - self.largest - self.log
    }
}

/// log π of a label and of the likeliest token, given a row of logits; NaN for a label outside the vocabulary.
pub(crate) fn label_and_largest(logits: &[f32], label: u32) -> (f32, f32) {
    let normaliser = wide(
        #[inline(always)]
        || Normaliser::of(logits),
    );
    let label = logits.get(label as usize).map_or(f32::NAN, |&logit| normaliser.logp(logit));
    (label, -normaliser.log)
}

/// Sums over e^z of a row of logits, relative to the largest of them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Exponentials {
    /// max z.
    pub(crate) largest: f32,
    /// The index of the largest; the first of several.
    pub(crate) argmax: usize,
    /// Σ e^(z − largest).
    pub(crate) sum: f64,
    /// Σ e^2(z − largest).
    pub(crate) squares: f64,
    /// Σ (z − largest)·e^(z − largest).
    pub(crate) weighted: f64,
}

/// Writes e^(z − largest) over a row of logits.
pub(crate) fn exponentials(logits: &mut [f32]) -> Exponentials {
    const LANES: usize = 8;
    wide(
        #[inline(always)]
        || {
            let largest = largest(logits);
            let argmax = logits.iter().position(|&z| z >= largest).unwrap_or(0);
            let (mut sum, mut squares, mut weighted) = ([0.0f64; LANES], [0.0f64; LANES], [0.0f64; LANES]);
            for chunk in logits.chunks_mut(LANES) {
                for (i, z) in chunk.iter_mut().enumerate() {
                    let below = *z - largest;
                    let e = exp(below);
                    *z = e;
                    sum[i] += f64::from(e);
                    squares[i] += f64::from(e) * f64::from(e);
                    weighted[i] += f64::from(below) * f64::from(e);
                }
            }
            let [sum, squares, weighted] = [sum, squares, weighted].map(|lanes| lanes.iter().sum());
            Exponentials { largest, argmax, sum, squares, weighted }
        },
    )
}

impl Kernel<1> for LabelLogps {
    /// The logits, and a normaliser for each row.
    type Kept = (TensorData, Vec<Normaliser>);

    fn forward<I: Backend>(&self, [logits]: [TensorData; 1], _: &I::Device) -> (TensorData, Self::Kept) {
        let rows = numbers(&logits).par_chunks(width(&logits));
        let (logps, normalisers): (Vec<f32>, Vec<_>) = rows
            .zip(&*self.labels)
            .map(|(row, &label)| {
                let normaliser = wide(
                    #[inline(always)]
                    || Normaliser::of(row),
                );
                (row.get(label as usize).map_or(f32::NAN, |&logit| normaliser.logp(logit)), normaliser)
            })
            .unzip();
        let count = logps.len();
        (TensorData::new(logps, [count, 1]), (logits, normalisers))
    }

    /// g·(e_y − π), written over the logits.
    fn backward<I: Backend>(
        &self,
        (mut logits, normalisers): Self::Kept,
        gradient: TensorData,
        _: &I::Device,
    ) -> [TensorData; 1] {
        let vocab = width(&logits);
        let rows = numbers_mut(&mut logits).par_chunks_mut(vocab).zip(&*self.labels);
        rows.zip(normalisers).zip(numbers(&gradient)).for_each(|(((row, &label), normaliser), &g)| {
            wide(
                #[inline(always)]
                || row.iter_mut().for_each(|z| *z = -g * exp(normaliser.logp(*z))),
            );
            if let Some(of_label) = row.get_mut(label as usize) {
                *of_label += g;
            }
        });
        [logits]
    }
}

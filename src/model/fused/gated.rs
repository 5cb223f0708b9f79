//! SwiGLU: x·σ(x)·u (Shazeer, arXiv 2002.05202).

use burn::tensor::TensorData;
use burn::tensor::backend::Backend;
use rayon::prelude::*;

use super::exp::sigmoid;
use super::{Kernel, numbers, numbers_mut};
use crate::backend::wide;

/// Numbers that one thread takes at a time.
const CHUNK: usize = 1 << 14;

#[derive(Debug, Clone)]
pub(super) struct SwiGlu;

impl Kernel<2> for SwiGlu {
    /// Both inputs.
    type Kept = [TensorData; 2];

    fn forward<I: Backend>(&self, [gate, up]: [TensorData; 2], _: &I::Device) -> (TensorData, Self::Kept) {
        let mut out = vec![0.0; numbers(&gate).len()];
        let inputs = numbers(&gate).par_chunks(CHUNK).zip(numbers(&up).par_chunks(CHUNK));
        out.par_chunks_mut(CHUNK).zip(inputs).for_each(|(out, (gate, up))| {
            wide(
                #[inline(always)]
                || {
                    for ((out, &x), &u) in out.iter_mut().zip(gate).zip(up) {
                        *out = x * sigmoid(x) * u;
                    }
                },
            );
        });
        (TensorData::new(out, gate.shape.clone()), [gate, up])
    }

    /// Written over the inputs: u·g·σ(1 + x(1 − σ)) and g·x·σ.
    fn backward<I: Backend>(
        &self,
        [mut gate, mut up]: Self::Kept,
        gradient: TensorData,
        _: &I::Device,
    ) -> [TensorData; 2] {
        let inputs = numbers_mut(&mut gate).par_chunks_mut(CHUNK).zip(numbers_mut(&mut up).par_chunks_mut(CHUNK));
        inputs.zip(numbers(&gradient).par_chunks(CHUNK)).for_each(|((gate, up), gradient)| {
            wide(
                #[inline(always)]
                || {
                    for ((x, u), &g) in gate.iter_mut().zip(up).zip(gradient) {
                        let s = sigmoid(*x);
                        (*x, *u) = (*u * g * s * (1.0 + *x * (1.0 - s)), g * *x * s);
                    }
                },
            );
        });
        [gate, up]
    }
}

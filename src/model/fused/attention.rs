//! Causal attention with rotary positions, block by block: a block is one row's queries that share a head of keys and
//! values. Its scores fit into a cache and are gone before the next ones come.

use std::ops::Range;
use std::sync::Arc;

use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use rayon::prelude::*;

use super::exp::exp;
use super::lanes::{dot, largest, sum};
use super::{Kernel, numbers, numbers_mut};
use crate::backend::wide;

/// cos and sin of every position's angles, `[positions, half]`.
#[derive(Debug)]
pub(in crate::model) struct Angles {
    /// Pairs of a head's numbers that are turned.
    pub(in crate::model) half: usize,
    pub(in crate::model) cos: Vec<f32>,
    pub(in crate::model) sin: Vec<f32>,
}

impl Angles {
    /// The angles of some positions, at so many radians a token for each pair.
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "angles are computed in f64")]
    pub(in crate::model) fn new(frequencies: &[f64], positions: Range<usize>) -> Self {
        let each = |f: fn(f64) -> f64| {
            let of = |position: usize| frequencies.iter().map(move |frequency| f(position as f64 * frequency) as f32);
            positions.clone().flat_map(of).collect()
        };
        Self { half: frequencies.len(), cos: each(f64::cos), sin: each(f64::sin) }
    }

    /// Turns a head at a position, or back.
    #[inline(always)]
    pub(in crate::model) fn turn(&self, head: &mut [f32], position: usize, back: bool) {
        let at = position * self.half..(position + 1) * self.half;
        let (first, second) = head.split_at_mut(self.half);
        for (((a, b), &cos), &sin) in first.iter_mut().zip(second).zip(&self.cos[at.clone()]).zip(&self.sin[at]) {
            let sin = if back { -sin } else { sin };
            (*a, *b) = (*a * cos - *b * sin, *b * cos + *a * sin);
        }
    }
}

/// The sizes of an attention and how its heads are turned.
#[derive(Debug, Clone)]
pub(in crate::model) struct Heads {
    /// Rows.
    pub(in crate::model) batch: usize,
    /// Positions of each.
    pub(in crate::model) positions: usize,
    /// Query heads.
    pub(in crate::model) heads: usize,
    /// Heads of keys and values.
    pub(in crate::model) shared: usize,
    /// Numbers of a head.
    pub(in crate::model) size: usize,
    /// Angles of the positions, where queries and keys are rotated.
    pub(in crate::model) angles: Option<Arc<Angles>>,
}

/// One block's queries `[group · positions, size]`, rotated and scaled, keys, rotated, and values `[positions, size]`.
#[derive(Debug, Clone)]
pub(in crate::model) struct Block {
    queries: TensorData,
    keys: TensorData,
    values: TensorData,
}

/// What one head takes of a wide row.
#[derive(Clone, Copy)]
struct Columns {
    /// Heads in a row.
    heads: usize,
    /// The first head.
    first: usize,
    /// How many.
    count: usize,
}

impl Heads {
    #[allow(clippy::cast_precision_loss, reason = "a head size is small")]
    fn scale(&self) -> f32 {
        (self.size as f32).sqrt().recip()
    }

    fn group(&self) -> usize {
        self.heads / self.shared
    }

    /// Row of the batch, and columns of queries and of keys, of a block.
    fn of_block(&self, block: usize) -> (usize, Columns, Columns) {
        let (row, shared) = (block / self.shared, block % self.shared);
        let queries = Columns { heads: self.heads, first: shared * self.group(), count: self.group() };
        (row, queries, Columns { heads: self.shared, first: shared, count: 1 })
    }

    /// Some heads of one row of the batch, one after the other: `[count · positions, size]`.
    fn pack(&self, wide: &[f32], row: usize, columns: Columns) -> Vec<f32> {
        let mut packed = Vec::with_capacity(columns.count * self.positions * self.size);
        for head in columns.first..columns.first + columns.count {
            for t in 0..self.positions {
                let at = ((row * self.positions + t) * columns.heads + head) * self.size;
                packed.extend_from_slice(&wide[at..at + self.size]);
            }
        }
        packed
    }

    /// Back from blocks, one an entry of `packed`, to rows `[batch · positions, heads · size]`.
    fn unpack(&self, packed: &[TensorData], heads: usize, columns: impl Fn(usize) -> Columns + Sync) -> TensorData {
        let wide = heads * self.size;
        let mut out = vec![0.0f32; self.batch * self.positions * wide];
        out.par_chunks_mut(self.positions * wide).enumerate().for_each(|(row, out)| {
            for (block, packed) in packed.iter().enumerate().skip(row * self.shared).take(self.shared) {
                let columns = columns(block);
                let mut heads = numbers(packed).chunks_exact(self.size);
                for head in columns.first..columns.first + columns.count {
                    for (out, head_of) in out.chunks_exact_mut(wide).zip(&mut heads) {
                        out[head * self.size..(head + 1) * self.size].copy_from_slice(head_of);
                    }
                }
            }
        });
        TensorData::new(out, [self.batch * self.positions, wide])
    }

    /// Turns every head of a packed block, or back.
    fn turn(&self, packed: &mut [f32], back: bool) {
        let Some(angles) = &self.angles else { return };
        for heads in packed.chunks_exact_mut(self.positions * self.size) {
            for (position, head) in heads.chunks_exact_mut(self.size).enumerate() {
                angles.turn(head, position, back);
            }
        }
    }

    fn block(&self, block: usize, [q, k, v]: [&[f32]; 3]) -> Block {
        let (row, queries, shared) = self.of_block(block);
        let (mut q, mut k, v) = (self.pack(q, row, queries), self.pack(k, row, shared), self.pack(v, row, shared));
        self.turn(&mut q, false);
        self.turn(&mut k, false);
        let scale = self.scale();
        q.iter_mut().for_each(|x| *x *= scale);
        let data = |numbers: Vec<f32>, heads: usize| TensorData::new(numbers, [heads * self.positions, self.size]);
        Block { queries: data(q, self.group()), keys: data(k, 1), values: data(v, 1) }
    }

    /// The weights of a block's attention, `[group · positions, positions]`.
    fn weights<I: Backend>(&self, queries: Tensor<I, 2>, keys: Tensor<I, 2>) -> TensorData {
        let mut scores = queries.matmul(keys.transpose()).into_data();
        wide(
            #[inline(always)]
            || {
                for (row, scores) in numbers_mut(&mut scores).chunks_exact_mut(self.positions).enumerate() {
                    let (seen, hidden) = scores.split_at_mut(row % self.positions + 1);
                    hidden.fill(0.0);
                    let most = largest(seen);
                    seen.iter_mut().for_each(|x| *x = exp(*x - most));
                    let share = sum(seen).recip();
                    seen.iter_mut().for_each(|x| *x *= share);
                }
            },
        );
        scores
    }
}

impl Kernel<3> for Heads {
    type Kept = Vec<Block>;

    fn forward<I: Backend>(&self, inputs: [TensorData; 3], device: &I::Device) -> (TensorData, Self::Kept) {
        let tensor = |data: &TensorData| Tensor::<I, 2>::from_data(data.clone(), device);
        let wide = inputs.each_ref().map(numbers);
        let attend = |block| {
            let block = self.block(block, wide);
            let weights = self.weights(tensor(&block.queries), tensor(&block.keys));
            let attended = Tensor::<I, 2>::from_data(weights, device).matmul(tensor(&block.values));
            (attended.into_data(), block)
        };
        let (attended, blocks): (Vec<_>, Vec<_>) = (0..self.batch * self.shared).into_par_iter().map(attend).unzip();
        (self.unpack(&attended, self.heads, |block| self.of_block(block).1), blocks)
    }

    fn backward<I: Backend>(&self, blocks: Self::Kept, gradient: TensorData, device: &I::Device) -> [TensorData; 3] {
        let gradient = numbers(&gradient);
        let of_block = |(block, Block { queries, keys, values }): (usize, Block)| {
            let (row, columns, _) = self.of_block(block);
            let tensor = |data: TensorData| Tensor::<I, 2>::from_data(data, device);
            let (q, k, v) = (tensor(queries), tensor(keys), tensor(values));
            let rows = self.group() * self.positions;
            let g = tensor(TensorData::new(self.pack(gradient, row, columns), [rows, self.size]));
            let weights = self.weights(q.clone(), k.clone());
            let mut of_scores = g.clone().matmul(v.transpose()).into_data();
            wide(
                #[inline(always)]
                || {
                    let both = numbers_mut(&mut of_scores).chunks_exact_mut(self.positions);
                    for (row, (ds, p)) in both.zip(numbers(&weights).chunks_exact(self.positions)).enumerate() {
                        let (seen, hidden) = ds.split_at_mut(row % self.positions + 1);
                        hidden.fill(0.0);
                        let along = dot(seen, &p[..seen.len()]);
                        seen.iter_mut().zip(p).for_each(|(d, p)| *d = p * (*d - along));
                    }
                },
            );
            let of_values = tensor(weights).transpose().matmul(g).into_data();
            let of_scores = tensor(of_scores);
            let mut of_queries = of_scores.clone().matmul(k).into_data();
            let mut of_keys = of_scores.transpose().matmul(q).into_data();
            let scale = self.scale();
            numbers_mut(&mut of_queries).iter_mut().for_each(|x| *x *= scale);
            self.turn(numbers_mut(&mut of_queries), true);
            self.turn(numbers_mut(&mut of_keys), true);
            ((of_queries, of_keys), of_values)
        };
        let ((of_queries, of_keys), of_values): ((Vec<_>, Vec<_>), Vec<_>) =
            blocks.into_par_iter().enumerate().map(of_block).unzip();
        let queries = |block| self.of_block(block).1;
        let shared = |block| self.of_block(block).2;
        [
            self.unpack(&of_queries, self.heads, queries),
            self.unpack(&of_keys, self.shared, shared),
            self.unpack(&of_values, self.shared, shared),
        ]
    }
}

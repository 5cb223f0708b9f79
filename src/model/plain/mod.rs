//! The model over plain numbers: what reads without gradients in this machine's memory.
//!
//! Rows of tokens are read side by side without padding, a few hundred at a time ([`ROWS`]), each few on one thread and in
//! memory that is used again. A prompt's keys and values are kept and serve all its answers. Which rows are read together
//! depends on the rows alone, so that the numbers do not depend on the threads. It is the same function as
//! [`Transformer`](super::Transformer)'s up to rounding.

mod answers;
mod attention;
mod parts;
mod weights;

use std::sync::{Mutex, PoisonError};

use super::architecture::Architecture;
use super::fused::Angles;
use crate::backend::Shared;

pub(crate) use answers::{Answer, Prompt};
pub(super) use weights::{Block, Norm, Weight, Whole};

/// Tokens that are read together: enough for products to be fast, few enough for a processor's cache.
pub(crate) const ROWS: usize = 256;
/// Logits that exist at the same time on one thread, unless one row has more.
pub(crate) const LOGITS: usize = 1 << 20;

/// A transformer's weights, ready to be read with.
pub(crate) struct Plain {
    architecture: Architecture,
    weights: Whole,
    /// Angles of every position that is going to be read, where queries and keys are rotated.
    angles: Option<Angles>,
    /// Memory that is used again.
    idle: Mutex<Vec<Buffers>>,
}

/// Keys, rotated, and values of what was read: for every block two matrices `[tokens, key-value heads · head size]`.
#[derive(Debug, Clone, Default)]
struct Prefix {
    blocks: Vec<[Vec<f32>; 2]>,
    tokens: usize,
}

/// Tokens that are read after a prefix.
struct Piece<'a> {
    tokens: &'a [u32],
    after: After<'a>,
}

/// What a piece's tokens follow.
enum After<'a> {
    /// Others may follow it too.
    Shared(&'a Prefix),
    /// What is read becomes part of it.
    Extended(&'a mut Prefix),
}

impl After<'_> {
    fn prefix(&self) -> &Prefix {
        match self {
            Self::Shared(prefix) => prefix,
            Self::Extended(prefix) => prefix,
        }
    }
}

/// The results of one thread's operations, each written over when the next rows come.
#[derive(Debug, Default)]
struct Buffers {
    x: Vec<f32>,
    normed: Vec<f32>,
    queries: Vec<f32>,
    keys: Vec<f32>,
    values: Vec<f32>,
    attended: Vec<f32>,
    scores: Vec<f32>,
    gate: Vec<f32>,
    up: Vec<f32>,
    hidden: Vec<f32>,
    logits: Vec<f32>,
}

/// So many numbers of a buffer, whatever they are.
fn sized(buffer: &mut Vec<f32>, length: usize) -> &mut [f32] {
    if buffer.len() < length {
        buffer.resize(length, 0.0);
    }
    &mut buffer[..length]
}

impl Plain {
    /// Puts a model together that reads the positions before `longest`.
    pub(super) fn new(architecture: &Architecture, frequencies: &[f64], weights: Whole, longest: usize) -> Self {
        let positions = longest.min(architecture.max_position_embeddings);
        let angles = weights.positions.is_none().then(|| Angles::new(frequencies, 0..positions));
        Self { architecture: architecture.clone(), weights, angles, idle: Mutex::default() }
    }

    /// Does something with buffers that nobody else uses meanwhile.
    fn with_buffers<R>(&self, work: impl FnOnce(&mut Buffers) -> R) -> R {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let mut buffers = idle().pop().unwrap_or_default();
        let result = work(&mut buffers);
        idle().push(buffers);
        result
    }

    /// Reads pieces side by side; leaves their hidden states, not normalised yet, in `buffers.x`: `[tokens, d]`.
    fn read(&self, pieces: &mut [Piece<'_>], buffers: &mut Buffers) {
        let rows: usize = pieces.iter().map(|piece| piece.tokens.len()).sum();
        let Architecture { hidden_size: d, intermediate_size, parallel_residual, activation, .. } = self.architecture;
        self.embed(pieces, sized(&mut buffers.x, rows * d));
        for (layer, block) in self.weights.blocks.iter().enumerate() {
            block.attention_norm.apply(&buffers.x[..rows * d], sized(&mut buffers.normed, rows * d));
            self.attend(layer, block, pieces, rows, buffers);
            let normed = &mut buffers.normed;
            if parallel_residual {
                block.mlp_norm.apply(&buffers.x[..rows * d], sized(normed, rows * d));
            }
            block.output.add(&buffers.attended, rows, &mut buffers.x[..rows * d]);
            if !parallel_residual {
                block.mlp_norm.apply(&buffers.x[..rows * d], sized(normed, rows * d));
            }
            let inner = rows * intermediate_size;
            let up = sized(&mut buffers.up, inner);
            block.up.apply(normed, rows, up);
            let inner = match &block.gate {
                None => {
                    parts::activate(activation, up);
                    up
                }
                Some(gate) => {
                    let gated = sized(&mut buffers.gate, inner);
                    gate.apply(normed, rows, gated);
                    parts::gate(activation, gated, up);
                    gated
                }
            };
            block.down.add(inner, rows, &mut buffers.x[..rows * d]);
        }
        for piece in pieces {
            if let After::Extended(prefix) = &mut piece.after {
                prefix.tokens += piece.tokens.len();
            }
        }
    }

    /// Embeddings of tokens, and of their positions where those are learned.
    fn embed(&self, pieces: &[Piece<'_>], x: &mut [f32]) {
        let d = self.architecture.hidden_size;
        let row_of = |table: &Shared, row: usize| -> std::ops::Range<usize> {
            let last = (table.numbers().len() / d).saturating_sub(1);
            row.min(last) * d..(row.min(last) + 1) * d
        };
        let placed = pieces.iter().flat_map(|piece| piece.tokens.iter().zip(piece.after.prefix().tokens..));
        for (x, (&token, position)) in x.chunks_exact_mut(d).zip(placed) {
            let table = &self.weights.embedding;
            x.copy_from_slice(&table.numbers()[row_of(table, token as usize)]);
            if let Some(table) = &self.weights.positions {
                let placed = &table.numbers()[row_of(table, position)];
                x.iter_mut().zip(placed).for_each(|(x, p)| *x += p);
            }
        }
    }

    /// Normalises hidden states `[rows, d]` and hands every row's logits, one after the other, to `each`, which may write
    /// over them.
    fn logits(&self, x: &[f32], hidden: &mut Vec<f32>, logits: &mut Vec<f32>, mut each: impl FnMut(usize, &mut [f32])) {
        let Architecture { hidden_size: d, vocab_size, .. } = self.architecture;
        let at_once = (LOGITS / vocab_size).max(1);
        for (part, x) in x.chunks(at_once * d).enumerate() {
            let rows = x.len() / d;
            let hidden = sized(hidden, rows * d);
            self.weights.norm.apply(x, hidden);
            let logits = sized(logits, rows * vocab_size);
            self.weights.output.apply(hidden, rows, logits);
            for (row, logits) in logits.chunks_exact_mut(vocab_size).enumerate() {
                each(part * at_once + row, logits);
            }
        }
    }
}

#[cfg(test)]
mod tests;

//! Attention of pieces to their prefixes and to themselves.
//!
//! The prefix that several pieces share is one product with all their queries; what each attends to of its own is a small
//! one. A head's scores are gone before the next ones come.

use std::ops::Range;

use super::super::architecture::Architecture;
use super::super::fused::exp::exp;
use super::super::fused::lanes::{dot, largest, sum};
use super::{After, Block, Buffers, Piece, Plain, Prefix, sized};
use crate::backend::{Matrix, MatrixMut, wide};

/// Heads of a matrix `[rows, heads · size]` in one of its rows.
#[derive(Clone, Copy)]
struct Wide<'a> {
    numbers: &'a [f32],
    heads: usize,
    size: usize,
}

impl<'a> Wide<'a> {
    /// One head's matrix `[rows, size]`.
    fn head(self, head: usize, rows: Range<usize>) -> Matrix<'a> {
        let width = self.heads * self.size;
        if rows.is_empty() {
            return Matrix::new(&[], [0, self.size], width);
        }
        Matrix::new(&self.numbers[rows.start * width + head * self.size..], [rows.len(), self.size], width)
    }

    /// One head of one row.
    #[inline(always)]
    fn at(self, head: usize, row: usize) -> &'a [f32] {
        let start = (row * self.heads + head) * self.size;
        &self.numbers[start..start + self.size]
    }
}

impl Plain {
    /// Makes queries, keys and values of `buffers.normed`, keeps the latter where they are to be kept, and leaves what
    /// attention gives in `buffers.attended`: `[rows, heads · size]`.
    pub(super) fn attend(
        &self,
        layer: usize,
        block: &Block,
        pieces: &mut [Piece<'_>],
        rows: usize,
        buffers: &mut Buffers,
    ) {
        let Architecture { heads, key_value_heads: shared, head_size: size, .. } = self.architecture;
        let Buffers { normed, queries, keys, values, attended, scores, .. } = buffers;
        let (queries, keys) = (sized(queries, rows * heads * size), sized(keys, rows * shared * size));
        let values = sized(values, rows * shared * size);
        block.query.apply(normed, rows, queries);
        block.key.apply(normed, rows, keys);
        block.value.apply(normed, rows, values);
        for (norm, numbers) in [(&block.query_norm, &mut *queries), (&block.key_norm, &mut *keys)] {
            norm.iter().for_each(|norm| norm.apply_in_place(numbers));
        }
        #[allow(clippy::cast_precision_loss, reason = "a head size is small")]
        let scale = (size as f32).sqrt().recip();
        self.place(pieces, queries, heads, scale);
        self.place(pieces, keys, shared, 1.0);
        let attended = sized(attended, rows * heads * size);
        let own = [&*keys, &*values].map(|numbers| Wide { numbers, heads: shared, size });
        let queries = Wide { numbers: queries, heads, size };
        let mut row = 0;
        let mut rest = &*pieces;
        while let Some(first) = rest.first() {
            let prefix = first.after.prefix();
            let same = rest.iter().take_while(|piece| std::ptr::eq(piece.after.prefix(), prefix)).count();
            let (group, after) = rest.split_at(same);
            let lengths: Vec<usize> = group.iter().map(|piece| piece.tokens.len()).collect();
            let group = Group { prefix, layer, lengths: &lengths, first: row, queries, own };
            match *lengths {
                [1] => group.attend_alone(attended, scores),
                _ => group.attend(attended, scores),
            }
            row += lengths.iter().sum::<usize>();
            rest = after;
        }
        self.keep(layer, pieces, own);
    }

    /// Rotates every head to its position, and scales it.
    fn place(&self, pieces: &[Piece<'_>], numbers: &mut [f32], heads: usize, scale: f32) {
        let size = self.architecture.head_size;
        let positions = pieces.iter().flat_map(|piece| {
            let before = piece.after.prefix().tokens;
            before..before + piece.tokens.len()
        });
        wide(
            #[inline(always)]
            || {
                for (row, position) in numbers.chunks_exact_mut(heads * size).zip(positions) {
                    for head in row.chunks_exact_mut(size) {
                        if let Some(angles) = &self.angles {
                            angles.turn(head, position, false);
                        }
                    }
                    row.iter_mut().for_each(|x| *x *= scale);
                }
            },
        );
    }

    /// Puts keys and values of the pieces that extend their prefixes there.
    fn keep(&self, layer: usize, pieces: &mut [Piece<'_>], own: [Wide<'_>; 2]) {
        let mut row = 0;
        for Piece { tokens, after } in pieces {
            let width = own[0].heads * own[0].size;
            let read = row * width..(row + tokens.len()) * width;
            if let After::Extended(prefix) = after {
                prefix.blocks.resize_with(self.weights.blocks.len(), Default::default);
                for (kept, own) in prefix.blocks[layer].iter_mut().zip(own) {
                    kept.extend_from_slice(&own.numbers[read.clone()]);
                }
            }
            row += tokens.len();
        }
    }
}

/// Pieces that follow the same prefix.
struct Group<'a> {
    prefix: &'a Prefix,
    layer: usize,
    /// Tokens of each piece.
    lengths: &'a [usize],
    /// Row of the first piece.
    first: usize,
    queries: Wide<'a>,
    /// Keys and values of the pieces.
    own: [Wide<'a>; 2],
}

impl Group<'_> {
    /// Keys and values of the prefix.
    fn before(&self) -> [Wide<'_>; 2] {
        let of = |which: usize| self.prefix.blocks.get(self.layer).map_or(&[][..], |block| &block[which]);
        [of(0), of(1)].map(|numbers| Wide { numbers, ..self.own[0] })
    }

    /// Attends all at once, head by head.
    fn attend(&self, attended: &mut [f32], scores: &mut Vec<f32>) {
        let (heads, size, before) = (self.queries.heads, self.queries.size, self.prefix.tokens);
        let rows: usize = self.lengths.iter().sum();
        let stride = before + self.lengths.iter().max().copied().unwrap_or(0);
        let scores = sized(scores, rows * stride);
        let ([keys, values], [own_keys, own_values]) = (self.before(), self.own);
        let width = heads * size;
        // Each piece's rows, counted from the group's first one.
        let pieces = || {
            self.lengths.iter().scan(0, |end, &length| {
                *end += length;
                Some(*end - length..*end)
            })
        };
        let of_all = |rows: &Range<usize>| self.first + rows.start..self.first + rows.end;
        for head in 0..heads {
            let shared = head * self.own[0].heads / heads;
            if before > 0 {
                let queries = self.queries.head(head, of_all(&(0..rows)));
                MatrixMut::new(scores, [rows, before], stride).product(
                    queries,
                    keys.head(shared, 0..before).transposed(),
                    false,
                );
            }
            for rows in pieces() {
                let queries = self.queries.head(head, of_all(&rows));
                let keys = own_keys.head(shared, of_all(&rows)).transposed();
                let part = &mut scores[rows.start * stride + before..];
                MatrixMut::new(part, [rows.len(), rows.len()], stride).product(queries, keys, false);
            }
            wide(
                #[inline(always)]
                || {
                    for rows in pieces() {
                        for (t, scores) in scores[rows.start * stride..].chunks_mut(stride).take(rows.len()).enumerate()
                        {
                            softmax(&mut scores[..before + rows.len()], before + t + 1);
                        }
                    }
                },
            );
            let attended = &mut attended[self.first * width + head * size..];
            if before > 0 {
                let weights = Matrix::new(scores, [rows, before], stride);
                MatrixMut::new(attended, [rows, size], width).product(weights, values.head(shared, 0..before), false);
            }
            for rows in pieces() {
                let weights = Matrix::new(&scores[rows.start * stride + before..], [rows.len(), rows.len()], stride);
                let values = own_values.head(shared, of_all(&rows));
                let out = &mut attended[rows.start * width..];
                MatrixMut::new(out, [rows.len(), size], width).product(weights, values, before > 0);
            }
        }
    }

    /// The same of a single token, as when an answer is written: products of one row are not worth calling for.
    fn attend_alone(&self, attended: &mut [f32], scores: &mut Vec<f32>) {
        let (heads, size, before) = (self.queries.heads, self.queries.size, self.prefix.tokens);
        let scores = sized(scores, before + 1);
        let ([keys, values], [own_keys, own_values]) = (self.before(), self.own);
        let row = self.first;
        wide(
            #[inline(always)]
            || {
                for head in 0..heads {
                    let shared = head * self.own[0].heads / heads;
                    let query = self.queries.at(head, row);
                    for (s, score) in scores.iter_mut().enumerate() {
                        let key = if s < before { keys.at(shared, s) } else { own_keys.at(shared, row) };
                        *score = dot(query, key);
                    }
                    softmax(scores, before + 1);
                    let start = (row * heads + head) * size;
                    let out = &mut attended[start..start + size];
                    out.fill(0.0);
                    for (s, &weight) in scores.iter().enumerate() {
                        let value = if s < before { values.at(shared, s) } else { own_values.at(shared, row) };
                        out.iter_mut().zip(value).for_each(|(out, v)| *out += weight * v);
                    }
                }
            },
        );
    }
}

/// Writes the softmax of the first `seen` scores over them, and zeros over the others.
#[inline(always)]
fn softmax(scores: &mut [f32], seen: usize) {
    let (seen, hidden) = scores.split_at_mut(seen);
    hidden.fill(0.0);
    let most = largest(seen);
    seen.iter_mut().for_each(|x| *x = exp(*x - most));
    let share = sum(seen).recip();
    seen.iter_mut().for_each(|x| *x *= share);
}

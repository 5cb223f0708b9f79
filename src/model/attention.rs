//! The parts of attention that know the tokens: where they stand, which of them are seen, and what was read before them.

use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor, TensorData};

use super::architecture::Architecture;
use super::fused::Heads;
use super::rope::Rope;
use crate::backend::int_tensor;

/// Keys and values of what has been read so far: right-padded prompts, then whatever was appended to every row alike.
#[derive(Debug, Clone)]
pub struct KeyValues<B: Backend> {
    /// Per layer, `[batch, key-value heads, positions, head size]`.
    pub(super) layers: Vec<(Tensor<B, 4>, Tensor<B, 4>)>,
    /// Real tokens of each row's prompt.
    pub(super) prompt_lengths: Vec<usize>,
    /// Columns that the prompts occupy, padding included.
    pub(super) prompt_width: usize,
    /// Columns appended since.
    pub(super) appended: usize,
}

impl<B: Backend> KeyValues<B> {
    /// Tokens that each row has read so far.
    pub(super) fn lengths(&self) -> Vec<usize> {
        self.prompt_lengths.iter().map(|n| n + self.appended).collect()
    }

    /// Keeps the given rows, in the given order.
    pub fn select(&self, rows: &[usize]) -> Self {
        let Some((first, _)) = self.layers.first() else { return self.clone() };
        let index = int_tensor(rows.iter().map(|&r| r as i64).collect(), &first.device());
        Self {
            layers: self
                .layers
                .iter()
                .map(|(k, v)| (k.clone().select(0, index.clone()), v.clone().select(0, index.clone())))
                .collect(),
            prompt_lengths: rows.iter().map(|&r| self.prompt_lengths[r]).collect(),
            ..*self
        }
    }
}

/// The positions at which the tokens of one batch stand.
pub(super) struct Placement<B: Backend> {
    pub(super) rope: Option<Rope<B>>,
    /// `[batch · positions]`: the rows of the learned positions that are added to the embeddings.
    pub(super) learned: Option<Tensor<B, 1, Int>>,
}

impl<B: Backend> Placement<B> {
    /// The sizes of an attention of whole rows, and how they are rotated.
    pub(super) fn heads(&self, architecture: &Architecture, batch: usize, positions: usize) -> Heads {
        let Architecture { heads, key_value_heads: shared, head_size: size, .. } = *architecture;
        let angles = self.rope.as_ref().and_then(|rope| rope.angles.clone());
        Heads { batch, positions, heads, shared, size, angles }
    }
}

/// What sees fresh keys and values of a layer and gives those to attend to.
pub(super) type Attend<B> = fn(usize, Tensor<B, 4>, Tensor<B, 4>) -> (Tensor<B, 4>, Tensor<B, 4>);

/// Each key-value head serves `groups` query heads in a row.
pub(super) fn repeat_heads<B: Backend>(x: Tensor<B, 4>, groups: usize) -> Tensor<B, 4> {
    if groups == 1 {
        return x;
    }
    let [batch, heads, positions, size] = x.dims();
    x.reshape([batch, heads, 1, positions, size]).repeat_dim(2, groups).reshape([
        batch,
        heads * groups,
        positions,
        size,
    ])
}

/// What attention may see: 0 where `sees(row, position, source)`, far below any score elsewhere. `[rows, 1, positions, sources]`.
pub(super) fn visibility<B: Backend>(
    rows: usize,
    positions: usize,
    sources: usize,
    sees: impl Fn(usize, usize, usize) -> bool,
    device: &B::Device,
) -> Tensor<B, 4> {
    // Finite, so that a row that sees nothing yields an average instead of NaN.
    const HIDDEN: f32 = -1e9;
    let sees = &sees;
    let data: Vec<f32> = (0..rows)
        .flat_map(|b| {
            (0..positions).flat_map(move |t| (0..sources).map(move |s| if sees(b, t, s) { 0.0 } else { HIDDEN }))
        })
        .collect();
    Tensor::from_data(TensorData::new(data, [rows, 1, positions, sources]), device)
}

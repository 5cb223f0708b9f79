//! The band of a single pair: in which relation its two answers may be weighed for both to move as they should.

use burn::optim::GradientsParams;
use burn::tensor::backend::AutodiffBackend;

use super::gradients::clip;
use super::halves::Halves;
use super::observed::gradient;
use super::prepare::{Pair, rejected};
use crate::data::Sequence;
use crate::error::Result;
use crate::model::Transformer;

/// The halves of one pair's gradient against each other. To first order plain gradient descent on this pair alone raises its
/// y⁺ where w⁺/w⁻ lies above [`Band::lower`], and lowers its y⁻ where it lies below [`Band::upper`] (arXiv 2604.18239).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Band {
    /// a = ‖g⁻‖/‖g⁺‖.
    pub(crate) ratio: f64,
    /// ρ, the cosine of g⁺ and g⁻.
    pub(crate) cosine: f64,
}

impl Band {
    /// The band of a pair under a model.
    ///
    /// # Errors
    /// When the pair has no rejected answer.
    pub(super) fn of<B: AutodiffBackend>(model: &Transformer<B>, pair: &Pair, pad: u32) -> Result<Self> {
        let mut halves = halves(model, [&pair.chosen, rejected(pair)?], [1.0, 1.0], pad);
        let squares = clip(model, &mut halves, 0.0).squares;
        Ok(Self { ratio: squares.ratio(), cosine: squares.cosine() })
    }

    /// ρa: below, y⁺ falls.
    pub(crate) fn lower(&self) -> f64 {
        self.cosine * self.ratio
    }

    /// a/ρ: above, y⁻ rises. Where the halves do not pull against each other, there is no such edge.
    pub(crate) fn upper(&self) -> f64 {
        if self.cosine > 0.0 { self.ratio / self.cosine } else { f64::INFINITY }
    }
}

/// The halves of the gradient of `push`·log π(rejected) − `pull`·log π(chosen).
#[allow(clippy::cast_possible_truncation, reason = "gradients are in single precision")]
pub(super) fn halves<B: AutodiffBackend>(
    model: &Transformer<B>,
    [chosen, rejected]: [&Sequence; 2],
    [pull, push]: [f64; 2],
    pad: u32,
) -> Halves<GradientsParams> {
    Halves {
        pull: gradient(model, &[chosen], -pull as f32, (pad, false)),
        push: Some(gradient(model, &[rejected], push as f32, (pad, false))),
    }
}

//! How one gradient changes one parameter, number by number, as in PyTorch.
//!
//! Where tensors lie in this machine's memory, one pass over the numbers does it in place. Elsewhere (a GPU) the same
//! formulas are tensor operations, which the backend fuses. Both round alike: the order of operations is the same.

use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use rayon::prelude::*;

use crate::backend::{self, wide};
use crate::experiment::OptimizerConfig;

/// PyTorch's ε for AdamW and RMSprop.
const EPSILON: f32 = 1e-8;
/// Numbers that one thread takes at a time.
pub(super) const CHUNK: usize = 1 << 16;

/// A rule, in single precision.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Rule {
    /// m̂ / (√v̂ + ε), with decoupled weight decay (Loshchilov & Hutter, arXiv 1711.05101).
    AdamW { beta_1: f32, beta_2: f32, weight_decay: f32 },
    /// g / (√v + ε).
    RmsProp { alpha: f32 },
    /// g.
    Sgd,
}

/// What is remembered of a parameter.
#[derive(Debug, Clone)]
pub(super) struct Memory<B: Backend> {
    /// Updates so far.
    pub(super) time: u32,
    /// Moving averages, one entry a number of the parameter, in the order of [`Rule::averages`].
    pub(super) averages: Vec<Tensor<B, 1>>,
}

#[cfg(test)]
#[path = "update_tests.rs"]
mod tests;

/// What is the same for every number of a parameter.
#[derive(Clone, Copy)]
struct Scalars {
    learning_rate: f32,
    /// What weight decay leaves of a weight.
    kept: f32,
    /// 1 − β₁ᵗ and 1 − β₂ᵗ.
    corrections: [f32; 2],
}

impl Rule {
    #[allow(clippy::cast_possible_truncation, reason = "decay rates in single precision")]
    pub(super) fn new(config: &OptimizerConfig) -> Self {
        match *config {
            OptimizerConfig::Adamw { beta_1, beta_2, weight_decay } => {
                Self::AdamW { beta_1: beta_1 as f32, beta_2: beta_2 as f32, weight_decay: weight_decay as f32 }
            }
            OptimizerConfig::Rmsprop { alpha } => Self::RmsProp { alpha: alpha as f32 },
            OptimizerConfig::Sgd => Self::Sgd,
        }
    }

    /// The rule's name in an experiment.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::AdamW { .. } => "adamw",
            Self::RmsProp { .. } => "rmsprop",
            Self::Sgd => "sgd",
        }
    }

    /// The moving averages that it keeps, by their names in a saved state.
    pub(super) fn averages(&self) -> &'static [&'static str] {
        match self {
            Self::AdamW { .. } => &["moment_1", "moment_2"],
            Self::RmsProp { .. } => &["square_avg"],
            Self::Sgd => &[],
        }
    }

    /// Whether the number of updates so far matters.
    pub(super) fn counts(&self) -> bool {
        matches!(self, Self::AdamW { .. })
    }

    /// The weights `[n]` after an update by `gradient` `[n]`.
    pub(super) fn apply<B: Backend>(
        &self,
        weight: Tensor<B, 1>,
        gradient: Tensor<B, 1>,
        memory: &mut Memory<B>,
        learning_rate: f64,
    ) -> Tensor<B, 1> {
        memory.time += 1;
        let scalars = self.scalars(memory.time, learning_rate);
        let device = weight.device();
        if !backend::is_host::<B>(&device) {
            return self.apply_tensors(weight, gradient, memory, scalars);
        }
        // Each of these is the numbers themselves where nobody else holds them, and a copy otherwise.
        let (mut weight, gradient) = (weight.into_data(), gradient.into_data());
        let mut averages: Vec<TensorData> = memory.averages.drain(..).map(Tensor::into_data).collect();
        let whole = (|| {
            let averages = averages.iter_mut().map(|a| a.as_mut_slice().ok()).collect::<Option<Vec<_>>>()?;
            self.apply_slices(weight.as_mut_slice().ok()?, gradient.as_slice().ok()?, averages, scalars);
            Some(())
        })();
        memory.averages = averages.into_iter().map(|average| Tensor::from_data(average, &device)).collect();
        let weight = Tensor::from_data(weight, &device);
        match whole {
            Some(()) => weight,
            // Not in single precision.
            None => self.apply_tensors(weight, Tensor::from_data(gradient, &device), memory, scalars),
        }
    }

    #[allow(clippy::cast_possible_truncation, reason = "the update is computed in single precision")]
    fn scalars(&self, time: u32, learning_rate: f64) -> Scalars {
        let mut scalars = Scalars { learning_rate: learning_rate as f32, kept: 1.0, corrections: [1.0; 2] };
        if let Self::AdamW { beta_1, beta_2, weight_decay } = *self {
            let time = time.cast_signed();
            scalars.kept = (1.0 - learning_rate * f64::from(weight_decay)) as f32;
            scalars.corrections = [beta_1, beta_2].map(|beta| 1.0 - beta.powi(time));
        }
        scalars
    }

    /// In place. `averages` are those of [`Self::averages`].
    fn apply_slices(&self, weight: &mut [f32], gradient: &[f32], mut averages: Vec<&mut [f32]>, scalars: Scalars) {
        let Scalars { learning_rate, kept, corrections: [correction_1, correction_2] } = scalars;
        let chunks = weight.par_chunks_mut(CHUNK).zip(gradient.par_chunks(CHUNK));
        match (*self, averages.as_mut_slice()) {
            (Self::AdamW { beta_1, beta_2, .. }, [moment_1, moment_2]) => {
                let moments = moment_1.par_chunks_mut(CHUNK).zip(moment_2.par_chunks_mut(CHUNK));
                chunks.zip(moments).for_each(|((weight, gradient), (moment_1, moment_2))| {
                    wide(
                        #[inline(always)]
                        || {
                            let moments = moment_1.iter_mut().zip(moment_2);
                            for ((w, &g), (m, v)) in weight.iter_mut().zip(gradient).zip(moments) {
                                *m = *m * beta_1 + g * (1.0 - beta_1);
                                *v = *v * beta_2 + g * g * (1.0 - beta_2);
                                let step = (*m / correction_1) / ((*v / correction_2).sqrt() + EPSILON);
                                *w = *w * kept - step * learning_rate;
                            }
                        },
                    );
                });
            }
            (Self::RmsProp { alpha }, [average]) => {
                chunks.zip(average.par_chunks_mut(CHUNK)).for_each(|((weight, gradient), average)| {
                    wide(
                        #[inline(always)]
                        || {
                            for ((w, &g), v) in weight.iter_mut().zip(gradient).zip(average) {
                                *v = *v * alpha + g * g * (1.0 - alpha);
                                *w -= g / (v.sqrt() + EPSILON) * learning_rate;
                            }
                        },
                    );
                });
            }
            _ => chunks.for_each(|(weight, gradient)| {
                weight.iter_mut().zip(gradient).for_each(|(w, &g)| *w -= g * learning_rate);
            }),
        }
    }

    /// The update by tensor operations.
    fn apply_tensors<B: Backend>(
        &self,
        weight: Tensor<B, 1>,
        gradient: Tensor<B, 1>,
        memory: &mut Memory<B>,
        scalars: Scalars,
    ) -> Tensor<B, 1> {
        let average = |old: &Tensor<B, 1>, new: Tensor<B, 1>, decay: f32| {
            old.clone().mul_scalar(decay) + new.mul_scalar(1.0 - decay)
        };
        let step = match (*self, memory.averages.as_mut_slice()) {
            (Self::AdamW { beta_1, beta_2, .. }, [moment_1, moment_2]) => {
                let [correction_1, correction_2] = scalars.corrections;
                *moment_1 = average(moment_1, gradient.clone(), beta_1);
                *moment_2 = average(moment_2, gradient.square(), beta_2);
                let scale = moment_2.clone().div_scalar(correction_2).sqrt().add_scalar(EPSILON);
                moment_1.clone().div_scalar(correction_1) / scale
            }
            (Self::RmsProp { alpha }, [square_avg]) => {
                *square_avg = average(square_avg, gradient.clone().square(), alpha);
                gradient / square_avg.clone().sqrt().add_scalar(EPSILON)
            }
            _ => gradient,
        };
        weight.mul_scalar(scalars.kept) - step.mul_scalar(scalars.learning_rate)
    }
}

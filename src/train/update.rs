//! The update of one parameter by one gradient, number by number, as in PyTorch, and which half of it changed how much.
//!
//! Where tensors lie in this machine's memory, one pass over the numbers does it in place. Elsewhere (a GPU) the same
//! formulas are tensor operations, which the backend fuses. Both round alike: the order of operations is the same.
//!
//! An update is −η·m̂/(√v̂ + ε) with m̂ an average of gradients (or the gradient itself): linear in the gradients once v̂ is
//! known. What each half of them does is the same formula with its part of m̂.

use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use rayon::prelude::*;

use super::halves::Halves;
use super::parameter::{Chunk, Memory, Moved, Parameter, chunks};
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

    /// Whether gradients are averaged, so that what a half did before still moves weights.
    pub(super) fn averages_gradients(&self) -> bool {
        matches!(self, Self::AdamW { .. })
    }

    /// Whether weights decay.
    pub(super) fn decays(&self) -> bool {
        matches!(self, Self::AdamW { weight_decay, .. } if *weight_decay != 0.0)
    }

    /// β₁: how much of the average of gradients the next update keeps; 0 where none is kept.
    pub(super) fn momentum(&self) -> f64 {
        match self {
            Self::AdamW { beta_1, .. } => (*beta_1).into(),
            Self::RmsProp { .. } | Self::Sgd => 0.0,
        }
    }

    /// What an update adds to a weight by decay, as a share of the weight.
    pub(super) fn decay(&self, learning_rate: f64) -> f64 {
        match self {
            Self::AdamW { weight_decay, .. } => -learning_rate * f64::from(*weight_decay),
            Self::RmsProp { .. } | Self::Sgd => 0.0,
        }
    }

    /// How far the latest update, at this rate, took every number of a parameter for each unit of its average of gradients,
    /// or of its gradient where none is kept. `zeros` has the parameter's shape.
    pub(super) fn reach<B: Backend>(
        &self,
        memory: &Memory<Tensor<B, 1>>,
        zeros: Tensor<B, 1>,
        learning_rate: f64,
    ) -> Tensor<B, 1> {
        let Scalars { learning_rate, corrections: [correction_1, correction_2], .. } =
            self.scalars(memory.time, learning_rate);
        let over = |root: Tensor<B, 1>, by: f32| root.add_scalar(EPSILON).recip().mul_scalar(-by);
        match (*self, memory.averages.as_slice()) {
            (Self::AdamW { .. }, [_, moment_2]) => {
                over(moment_2.clone().div_scalar(correction_2).sqrt(), learning_rate / correction_1)
            }
            (Self::RmsProp { .. }, [average]) => over(average.clone().sqrt(), learning_rate),
            _ => zeros.add_scalar(-learning_rate),
        }
    }

    /// A parameter of `[n]` numbers after an update by its gradient. Where it is followed what moves it, that is added up.
    pub(super) fn apply<B: Backend>(
        &self,
        mut parameter: Parameter<Tensor<B, 1>>,
        gradient: Halves<Tensor<B, 1>>,
        learning_rate: f64,
    ) -> Parameter<Tensor<B, 1>> {
        parameter.memory.time += 1;
        let scalars = self.scalars(parameter.memory.time, learning_rate);
        let device = parameter.weight.device();
        if !backend::is_host::<B>(&device) {
            return self.apply_tensors(parameter, gradient, scalars);
        }
        // Each of these is the numbers themselves where nobody else holds them, and a copy otherwise.
        let (mut data, gradient) = (parameter.map(Tensor::into_data), gradient.map(Tensor::into_data));
        let done = self.apply_numbers(&mut data, &gradient, scalars);
        let parameter = data.map(|data| Tensor::from_data(data, &device));
        match done {
            Some(()) => parameter,
            // Not in single precision.
            None => self.apply_tensors(parameter, gradient.map(|data| Tensor::from_data(data, &device)), scalars),
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

    /// Applies the update in place; `None`, and nothing done, where the numbers are not in single precision.
    fn apply_numbers(
        &self,
        parameter: &mut Parameter<TensorData>,
        gradient: &Halves<TensorData>,
        scalars: Scalars,
    ) -> Option<()> {
        let parameter = parameter.each_mut().map(|data| data.as_mut_slice().unwrap_or_default());
        let push = gradient.push.as_ref().map(TensorData::as_slice).transpose().ok()?;
        let gradient = Halves { pull: gradient.pull.as_slice().ok()?, push };
        let chunks = chunks(parameter, gradient, CHUNK)?;
        chunks.into_par_iter().for_each(|chunk| {
            wide(
                #[inline(always)]
                || self.apply_chunk(chunk, scalars),
            );
        });
        Some(())
    }

    /// Applies the update to a chunk in place.
    #[inline(always)]
    fn apply_chunk(&self, (mut parameter, gradient): Chunk<'_>, scalars: Scalars) {
        if let Some(decay) = parameter.moved.as_mut().and_then(|moved| moved.decay.as_mut()) {
            decay.iter_mut().zip(&*parameter.weight).for_each(|(d, &w)| *d += w * (scalars.kept - 1.0));
        }
        let Halves { pull, push } = gradient;
        match push {
            None => self.update(&mut parameter, pull.iter().copied(), scalars),
            Some(push) => self.update(&mut parameter, pull.iter().zip(push).map(|(a, b)| a + b), scalars),
        }
        if parameter.moved.is_some() {
            self.follow(parameter, gradient, scalars);
        }
    }

    /// Changes the weights and the averages. `averages` are those of [`Self::averages`].
    #[inline(always)]
    fn update(&self, part: &mut Parameter<&mut [f32]>, gradient: impl Iterator<Item = f32>, scalars: Scalars) {
        let Scalars { learning_rate, kept, corrections: [correction_1, correction_2] } = scalars;
        let weights = part.weight.iter_mut().zip(gradient);
        match (*self, part.memory.averages.as_mut_slice()) {
            (Self::AdamW { beta_1, beta_2, .. }, [moment_1, moment_2]) => {
                for ((w, g), (m, v)) in weights.zip(moment_1.iter_mut().zip(moment_2.iter_mut())) {
                    *m = *m * beta_1 + g * (1.0 - beta_1);
                    *v = *v * beta_2 + g * g * (1.0 - beta_2);
                    let step = (*m / correction_1) / ((*v / correction_2).sqrt() + EPSILON);
                    *w = *w * kept - step * learning_rate;
                }
            }
            (Self::RmsProp { alpha }, [average]) => {
                for ((w, g), v) in weights.zip(average.iter_mut()) {
                    *v = *v * alpha + g * g * (1.0 - alpha);
                    *w -= g / (v.sqrt() + EPSILON) * learning_rate;
                }
            }
            _ => weights.for_each(|(w, g)| *w -= g * learning_rate),
        }
    }

    /// Adds up what each half of the gradient has just done, once the averages are those of the update.
    #[inline(always)]
    fn follow(&self, part: Parameter<&mut [f32]>, gradient: Halves<&[f32]>, scalars: Scalars) {
        let Scalars { learning_rate, corrections: [correction_1, correction_2], .. } = scalars;
        let Some(Moved { halves: Halves { pull: pulled, push: pushed }, .. }) = part.moved else { return };
        // What a half did: its part of m, times how far the update takes a number of that size.
        let add = |moved: &mut [f32], part: &[f32], scale: &[f32]| {
            moved.iter_mut().zip(part.iter().zip(scale)).for_each(|(d, (&m, &q))| *d -= q * m);
        };
        let scale: Vec<f32> = match (*self, part.memory.averages.as_slice()) {
            (Self::AdamW { .. }, [_, moment_2]) => {
                let eta = learning_rate / correction_1;
                moment_2.iter().map(|v| eta / ((v / correction_2).sqrt() + EPSILON)).collect()
            }
            (Self::RmsProp { .. }, [average]) => average.iter().map(|v| learning_rate / (v.sqrt() + EPSILON)).collect(),
            _ => vec![learning_rate; pulled.len()],
        };
        match (*self, part.memory.averages.as_slice(), part.memory.pulled, pushed) {
            (Self::AdamW { beta_1, .. }, [moment_1, _], Some(pull), Some(pushed)) => {
                pull.iter_mut().zip(gradient.pull).for_each(|(m, g)| *m = *m * beta_1 + g * (1.0 - beta_1));
                add(pulled, pull, &scale);
                let halves = moment_1.iter().zip(&*pull).zip(&scale);
                pushed.iter_mut().zip(halves).for_each(|(d, ((&m, &pull), &q))| *d -= q * (m - pull));
            }
            (Self::AdamW { .. }, [moment_1, _], ..) => add(pulled, moment_1, &scale),
            (_, _, _, pushed) => {
                add(pulled, gradient.pull, &scale);
                if let (Some(pushed), Some(push)) = (pushed, gradient.push) {
                    add(pushed, push, &scale);
                }
            }
        }
    }

    /// The update by tensor operations.
    fn apply_tensors<B: Backend>(
        &self,
        mut parameter: Parameter<Tensor<B, 1>>,
        gradient: Halves<Tensor<B, 1>>,
        scalars: Scalars,
    ) -> Parameter<Tensor<B, 1>> {
        let average = |old: &Tensor<B, 1>, new: Tensor<B, 1>, decay: f32| {
            old.clone().mul_scalar(decay) + new.mul_scalar(1.0 - decay)
        };
        let Scalars { learning_rate, kept, corrections: [correction_1, correction_2] } = scalars;
        let whole = gradient.clone().sum();
        // What is moved by, and what it is divided by.
        let (by, scale) = match (*self, parameter.memory.averages.as_mut_slice()) {
            (Self::AdamW { beta_1, beta_2, .. }, [moment_1, moment_2]) => {
                *moment_1 = average(moment_1, whole.clone(), beta_1);
                *moment_2 = average(moment_2, whole.square(), beta_2);
                let scale = moment_2.clone().div_scalar(correction_2).sqrt().add_scalar(EPSILON);
                (moment_1.clone(), Some(scale))
            }
            (Self::RmsProp { alpha }, [square_avg]) => {
                *square_avg = average(square_avg, whole.clone().square(), alpha);
                (whole, Some(square_avg.clone().sqrt().add_scalar(EPSILON)))
            }
            _ => (whole, None),
        };
        let scaled = |by: Tensor<B, 1>| match &scale {
            Some(scale) => by.div_scalar(correction_1) / scale.clone(),
            None => by,
        };
        if let Some(moved) = &mut parameter.moved {
            let parts = match (*self, &mut parameter.memory.pulled, gradient) {
                (Self::AdamW { beta_1, .. }, Some(pulled), Halves { pull, push: Some(_) }) => {
                    *pulled = average(pulled, pull, beta_1);
                    Halves { pull: pulled.clone(), push: Some(by.clone() - pulled.clone()) }
                }
                (Self::AdamW { .. }, ..) => Halves::whole(by.clone()),
                (_, _, gradient) => gradient,
            };
            let parts = parts.map(|part| scaled(part).mul_scalar(learning_rate));
            moved.halves.pull = moved.halves.pull.clone() - parts.pull;
            moved.halves.push = moved.halves.push.take().zip(parts.push).map(|(moved, part)| moved - part);
            let decayed = || parameter.weight.clone().mul_scalar(kept - 1.0);
            moved.decay = moved.decay.take().map(|moved| moved + decayed());
        }
        parameter.weight = parameter.weight.mul_scalar(kept) - scaled(by).mul_scalar(learning_rate);
        parameter
    }
}

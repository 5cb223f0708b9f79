//! Optimisers by configuration.

use burn::module::AutodiffModule;
use burn::optim::adaptor::OptimizerAdaptor;
use burn::optim::{AdamW, AdamWConfig, GradientsParams, Optimizer as _, RmsProp, RmsPropConfig, Sgd, SgdConfig};
use burn::tensor::backend::AutodiffBackend;

use super::state::{SavedState, TrainerState};
use super::weights::{load_optimizer, save_optimizer};
use crate::error::Result;
use crate::experiment::{OptimizerConfig, Schedule, Stage};

/// PyTorch's ε for AdamW and RMSprop.
const EPSILON: f32 = 1e-8;

/// One of burn's optimisers with its state.
pub(super) enum Optimizer<B: AutodiffBackend, M: AutodiffModule<B>> {
    AdamW(OptimizerAdaptor<AdamW, M, B>),
    RmsProp(OptimizerAdaptor<RmsProp, M, B>),
    Sgd(OptimizerAdaptor<Sgd<B::InnerBackend>, M, B>),
}

impl<B: AutodiffBackend, M: AutodiffModule<B>> Optimizer<B, M> {
    /// A fresh optimiser.
    #[allow(clippy::cast_possible_truncation, reason = "decay rates in single precision")]
    pub(super) fn new(config: &OptimizerConfig) -> Self {
        match *config {
            OptimizerConfig::Adamw { beta_1, beta_2, weight_decay } => Self::AdamW(
                AdamWConfig::new()
                    .with_beta_1(beta_1 as f32)
                    .with_beta_2(beta_2 as f32)
                    .with_epsilon(EPSILON)
                    .with_weight_decay(weight_decay as f32)
                    .init(),
            ),
            OptimizerConfig::Rmsprop { alpha } => Self::RmsProp(
                RmsPropConfig::new().with_alpha(alpha as f32).with_momentum(0.0).with_epsilon(EPSILON).init(),
            ),
            OptimizerConfig::Sgd => Self::Sgd(SgdConfig::new().init()),
        }
    }

    /// Applies one update.
    pub(super) fn step(&mut self, learning_rate: f64, module: M, gradients: GradientsParams) -> M {
        match self {
            Self::AdamW(o) => o.step(learning_rate, module, gradients),
            Self::RmsProp(o) => o.step(learning_rate, module, gradients),
            Self::Sgd(o) => o.step(learning_rate, module, gradients),
        }
    }

    /// Adds what it remembers of the module's parameters to a state.
    pub(super) fn save(&self, module: &M, prefix: &str, state: &mut TrainerState) {
        match self {
            Self::AdamW(o) => save_optimizer(o, module, prefix, state),
            Self::RmsProp(o) => save_optimizer(o, module, prefix, state),
            Self::Sgd(o) => save_optimizer(o, module, prefix, state),
        }
    }

    /// This fresh optimiser with the memory of a saved state.
    pub(super) fn load(self, module: &M, prefix: &str, state: &mut SavedState) -> Result<Self> {
        Ok(match self {
            Self::AdamW(o) => Self::AdamW(load_optimizer(o, module, prefix, state)?),
            Self::RmsProp(o) => Self::RmsProp(load_optimizer(o, module, prefix, state)?),
            Self::Sgd(o) => Self::Sgd(load_optimizer(o, module, prefix, state)?),
        })
    }
}

/// The learning rate of a stage's `step`-th step, counted from 1: linear warm-up, then the schedule.
#[allow(clippy::cast_precision_loss, reason = "steps are few")]
pub(super) fn learning_rate(stage: &Stage, step: u64) -> f64 {
    let (step, warmup, steps) = (step as f64, stage.warmup_steps as f64, stage.steps as f64);
    let warm = if warmup > 0.0 { (step / warmup).min(1.0) } else { 1.0 };
    let fall = match stage.schedule {
        Schedule::Constant => 1.0,
        Schedule::Cosine(end) => {
            let done = ((step - warmup) / (steps - warmup).max(1.0)).clamp(0.0, 1.0);
            end + (1.0 - end) * 0.5 * (1.0 + (std::f64::consts::PI * done).cos())
        }
    };
    stage.learning_rate * warm * fall
}

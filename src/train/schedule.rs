//! The schedule of the learning rate over a stage.

use crate::experiment::{Schedule, Stage};

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

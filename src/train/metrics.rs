//! The scalars of an optimiser step, and how fast it goes.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::gradients::Squares;
use super::on_policy::Sampled;
use crate::experiment::{Experiment, Stage};
use crate::objective::{PairLogps, PairLoss};
use crate::protocol::{MetricKey, TrainerEvent};

/// Means over the pairs of one optimiser step.
#[derive(Default)]
pub(super) struct Means {
    pairs: f64,
    pub(super) loss: f64,
    chosen: f64,
    rejected: f64,
    chosen_weight: f64,
    rejected_weight: f64,
    chosen_reward: f64,
    rejected_reward: f64,
    accurate: f64,
    /// Whether the objective defines rewards.
    rewarded: bool,
}

impl Means {
    pub(super) fn add(&mut self, pair: &PairLogps, outcome: &PairLoss, normaliser: f64, examples: f64) {
        self.pairs += 1.0;
        self.loss += outcome.loss / normaliser;
        self.chosen += pair.policy_chosen_logps;
        self.rejected += pair.policy_rejected_logps;
        // The weight on the mean loss of the batch, times the batch size: comparable between batch sizes.
        self.chosen_weight += outcome.chosen_weight * examples / normaliser;
        self.rejected_weight += outcome.rejected_weight * examples / normaliser;
        if let Some((chosen, rejected)) = outcome.rewards {
            self.rewarded = true;
            self.chosen_reward += chosen;
            self.rejected_reward += rejected;
            self.accurate += f64::from(chosen > rejected);
        }
    }

    pub(super) fn metrics(
        &self,
        stage: &Stage,
        grad_norm: f64,
        squares: &Squares,
        learning_rate: f64,
        tokens: f64,
    ) -> BTreeMap<MetricKey, f64> {
        let mean = |sum: f64| sum / self.pairs;
        let mut metrics = BTreeMap::from([
            (MetricKey::LOSS, self.loss),
            (MetricKey::GRAD_NORM, grad_norm),
            (MetricKey::LEARNING_RATE, learning_rate),
            (MetricKey::NUM_TOKENS, tokens),
            (MetricKey::LOGPS_CHOSEN, mean(self.chosen)),
            (MetricKey::WEIGHT_CHOSEN, mean(self.chosen_weight)),
        ]);
        if stage.objective.reads_rejected() {
            metrics.insert(MetricKey::LOGPS_REJECTED, mean(self.rejected));
            metrics.insert(MetricKey::WEIGHT_REJECTED, mean(self.rejected_weight));
        }
        // A batch that nothing pushes down has no band, nor has one that nothing pulls up.
        if self.rejected_weight > 0.0 && self.chosen_weight > 0.0 && squares.pull > 0.0 && squares.push > 0.0 {
            let weights = self.chosen_weight / self.rejected_weight;
            metrics.insert(MetricKey::BAND_RATIO, squares.ratio() * weights);
            metrics.insert(MetricKey::BAND_COSINE, squares.cosine());
            metrics.insert(MetricKey::BAND_WEIGHTS, weights);
        }
        if self.rewarded {
            metrics.insert(MetricKey::REWARDS_CHOSEN, mean(self.chosen_reward));
            metrics.insert(MetricKey::REWARDS_REJECTED, mean(self.rejected_reward));
            metrics.insert(MetricKey::REWARDS_MARGINS, mean(self.chosen_reward - self.rejected_reward));
            metrics.insert(MetricKey::REWARDS_ACCURACIES, mean(self.accurate));
        }
        metrics
    }
}

/// Adds what was sampled before the step.
pub(super) fn add_sampled(metrics: &mut BTreeMap<MetricKey, f64>, sampled: Sampled) {
    for (key, reward) in
        [(MetricKey::SAMPLED_REWARD_CHOSEN, sampled.chosen), (MetricKey::SAMPLED_REWARD_REJECTED, sampled.rejected)]
    {
        if reward.is_finite() {
            metrics.insert(key, reward);
        }
    }
}

/// Time in which no optimiser step was taken, since the process began to count.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Aside {
    /// Paused.
    pub(super) waiting: Duration,
    /// Measuring the probes.
    pub(super) measuring: Duration,
}

/// Tokens (or pictures) per second and time left, told about twice a second.
pub(super) struct Speed {
    began: Instant,
    told: Instant,
    aside_told: Duration,
    tokens_told: u64,
    /// Steps taken before this process took its first.
    before: u64,
    total_steps: u64,
}

impl Speed {
    /// Begins to count after `step` steps and `tokens` tokens.
    pub(super) fn new(experiment: &Experiment, step: u64, tokens: u64) -> Self {
        let now = Instant::now();
        let total_steps = experiment.total_steps();
        Self { began: now, told: now, aside_told: Duration::ZERO, tokens_told: tokens, before: step, total_steps }
    }

    /// Tells after a step, if half a second of optimising has passed since it last did. Neither pauses nor measurements
    /// slow the optimiser down; measurements, not pauses, take time to the end.
    pub(super) fn tick(&mut self, step: u64, tokens: u64, aside: Aside) -> Option<TrainerEvent> {
        self.tick_at(Instant::now(), step, tokens, aside)
    }

    #[allow(clippy::cast_precision_loss, reason = "an estimate for a person")]
    fn tick_at(&mut self, now: Instant, step: u64, tokens: u64, aside: Aside) -> Option<TrainerEvent> {
        let not_optimising = aside.waiting + aside.measuring;
        let since =
            now.saturating_duration_since(self.told).saturating_sub(not_optimising.saturating_sub(self.aside_told));
        if since < Duration::from_millis(500) {
            return None;
        }
        let tokens_per_second = (tokens - self.tokens_told) as f64 / since.as_secs_f64();
        let at_work = now.saturating_duration_since(self.began).saturating_sub(aside.waiting).as_secs_f64();
        let per_step = at_work / step.saturating_sub(self.before).max(1) as f64;
        self.told = now;
        self.aside_told = not_optimising;
        self.tokens_told = tokens;
        let seconds_left = per_step * self.total_steps.saturating_sub(step) as f64;
        Some(TrainerEvent::Speed { tokens_per_second, seconds_left })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn speed(began: Instant) -> Speed {
        Speed { began, told: began, aside_told: Duration::ZERO, tokens_told: 0, before: 0, total_steps: 20 }
    }

    fn told(event: Option<TrainerEvent>) -> Option<(f64, f64)> {
        match event? {
            TrainerEvent::Speed { tokens_per_second, seconds_left } => Some((tokens_per_second, seconds_left)),
            _ => None,
        }
    }

    #[test]
    fn neither_a_pause_nor_a_measurement_slows_the_optimiser() {
        let began = Instant::now();
        let seconds = |s: u64| Duration::from_secs(s);
        let mut speed = speed(began);
        let after = |s: u64| began + seconds(s);
        assert_eq!(told(speed.tick_at(after(1), 5, 12_000, Aside::default())), Some((12_000.0, 3.0)));
        // Two more seconds of steps, an hour's pause, seven seconds of measuring.
        let aside = Aside { waiting: seconds(3600), measuring: seconds(7) };
        assert_eq!(told(speed.tick_at(after(1 + 2 + 3600 + 7), 10, 36_000, aside)), Some((12_000.0, 10.0)));
        // A minute's pause is no half second of optimising.
        let aside = Aside { waiting: seconds(3660), ..aside };
        assert_eq!(told(speed.tick_at(after(1 + 2 + 3660 + 7), 10, 36_000, aside)), None);
    }
}

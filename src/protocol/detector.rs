//! The thresholds of the squeeze detector.

use serde::{Deserialize, Serialize};

/// Thresholds of the squeeze detector. All of them are settings of the experiment file; what they were chosen on is written
/// in `experiments/README.md`. (A recording of an older version may hold others: those are passed over.)
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DetectorSettings {
    /// τ: a fall or rise counts from this many nats per completion token.
    pub tau: f64,
    /// A fall or rise counts from this many times the noise of one evaluation.
    pub noise: f64,
    /// A fall or rise counts from this many times the noise where only means over prompts are recorded, so that no pair
    /// confirms another.
    pub noise_of_means: f64,
    /// Share of the steps since the stage began whose evaluations count as recent: their median counts where one evaluation
    /// alone is too noisy, and a share of pairs that only touches its rate must be shown twice among them.
    pub recent: f64,
    /// Share of displaced pairs from which a run is displacing.
    pub displacing_rate: f64,
    /// Share of squeezed pairs from which a run is squeezing.
    pub squeezing_rate: f64,
    /// A state is left below this part of the rate at which it was entered.
    pub leave: f64,
    /// Share of the freed probability mass that the argmax must take for a pair to count as squeezed.
    pub squeezed_share: f64,
    /// Relative fall of the greedy text's distinct-2 that turns squeezing into collapse.
    pub collapse_distinct_2_drop: f64,
    /// Rate of repeated 4-grams in the greedy text that turns squeezing into collapse.
    pub collapse_repeat_4: f64,
}

impl Default for DetectorSettings {
    fn default() -> Self {
        Self {
            tau: 0.01,
            noise: 3.0,
            noise_of_means: 4.0,
            recent: 0.15,
            displacing_rate: 0.20,
            squeezing_rate: 0.20,
            leave: 0.50,
            squeezed_share: 0.25,
            collapse_distinct_2_drop: 0.30,
            collapse_repeat_4: 0.30,
        }
    }
}

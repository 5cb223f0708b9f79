//! Normal deviates.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Normal deviates by Box and Muller over a seeded stream, the same on every machine.
pub(super) struct Normal(ChaCha8Rng);

impl Normal {
    pub(super) fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "53 random bits make an f64")]
    pub(super) fn sample(&mut self, deviation: f64) -> f32 {
        let mut unit = || ((self.0.next_u64() >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
        let (radius, angle) = ((-2.0 * unit().ln()).sqrt(), std::f64::consts::TAU * unit());
        (deviation * radius * angle.cos()) as f32
    }
}

//! Evaluation noise: how far one measurement lies from the course of those around it, estimated from the series itself.
//!
//! A measurement repeats to the bit; what is called noise is the jitter of the weights from one batch to the next. It shows
//! in how far each reading lies beside the straight line between its two neighbours: a drift cancels there, and a bend that
//! all readings share is taken out by the median.

/// Readings of the latest past that an estimate is made from: bounded, so that a long run costs no more an evaluation than
/// a short one.
pub(super) const MEMORY: usize = 64;

/// Fewest triples of neighbours that a spread can be read off: with fewer, one bend of the course is half of them.
const FEWEST: usize = 6;

/// Standard deviation over median absolute deviation, of the normal distribution.
const SD_OVER_MAD: f64 = 1.4826;

/// Standard error of a median over that of a mean, of the normal distribution: √(π/2).
const MEDIAN_OVER_MEAN: f64 = 1.2533;

/// The noise of one reading of a series, in its own unit: a robust standard deviation (median absolute deviation × 1.4826)
/// of the distances of each reading from the line between its neighbours, each divided by √(1 + w² + (1 − w)²), with w the
/// place between them, so that independent noise of σ gives σ. `None` with fewer than six such distances that are numbers.
pub(super) fn of_a_reading(steps: &[u64], values: &[f64]) -> Option<f64> {
    let between = steps.windows(3).zip(values.windows(3)).filter_map(|(at, x)| {
        #[allow(clippy::cast_precision_loss, reason = "a difference of steps, far below 2^52")]
        let gap = |from: usize, to: usize| at[to].saturating_sub(at[from]) as f64;
        let share = gap(0, 1) / gap(0, 2);
        let beside = x[1] - (x[0] + (x[2] - x[0]) * share);
        let scaled = beside / (1.0 + share * share + (1.0 - share) * (1.0 - share)).sqrt();
        scaled.is_finite().then_some(scaled)
    });
    let mut distances: Vec<f64> = between.collect();
    if distances.len() < FEWEST {
        return None;
    }
    let middle = median(&mut distances);
    distances.iter_mut().for_each(|x| *x = (*x - middle).abs());
    Some(SD_OVER_MAD * median(&mut distances))
}

/// The part of one reading's noise that is left in the median of `n` readings.
pub(super) fn of_a_median(n: usize) -> f64 {
    if n < 2 { 1.0 } else { MEDIAN_OVER_MEAN / super::stats::float(n).sqrt() }
}

/// The median; reorders the values. NaN of nothing; of an even count the mean of the two in the middle.
pub(super) fn median(values: &mut [f64]) -> f64 {
    let n = values.len();
    if n == 0 {
        return f64::NAN;
    }
    let (below, &mut upper, _) = values.select_nth_unstable_by(n / 2, f64::total_cmp);
    if n % 2 == 1 { upper } else { below.iter().copied().fold(f64::NEG_INFINITY, f64::max).midpoint(upper) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::cast_precision_loss, reason = "a test may fail")]

    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    /// The sum of twelve uniform numbers less six: nearly normal, of variance 1.
    fn normal(rng: &mut ChaCha8Rng) -> f64 {
        (0..12).map(|_| rng.random_range(0.0..1.0)).sum::<f64>() - 6.0
    }

    #[test]
    fn a_drift_and_a_bend_are_no_noise() {
        let steps: Vec<u64> = (0..40).map(|n| 4 * n).collect();
        let straight: Vec<f64> = steps.iter().map(|&s| -50.0 - 0.1 * s as f64).collect();
        let bent: Vec<f64> = steps.iter().map(|&s| -50.0 + 0.3 * s as f64 - 0.004 * (s as f64).powi(2)).collect();
        assert!(of_a_reading(&steps, &straight).unwrap() < 1e-9);
        assert!(of_a_reading(&steps, &bent).unwrap() < 1e-9);
    }

    #[test]
    fn noise_is_found_whatever_the_drift_and_the_cadence() {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        for (drift, sigma) in [(0.0, 1.0), (-0.5, 0.2), (2.0, 7.0)] {
            // Some measurements are out of turn.
            let steps: Vec<u64> = (0..400).map(|n| 10 * n + n % 3).collect();
            let values: Vec<f64> = steps.iter().map(|&s| drift * s as f64 + sigma * normal(&mut rng)).collect();
            let found = of_a_reading(&steps, &values).unwrap();
            assert!((found / sigma - 1.0).abs() < 0.15, "{found} is not {sigma}");
        }
    }

    #[test]
    fn too_few_readings_tell_nothing() {
        let steps: Vec<u64> = (0..8).collect();
        let mut values = vec![0.0, 5.0, -5.0, 5.0, -5.0, 5.0, -5.0, 5.0];
        assert_eq!(of_a_reading(&steps[..7], &values[..7]), None);
        assert!(of_a_reading(&steps, &values).is_some());
        values[4] = f64::NAN;
        assert_eq!(of_a_reading(&steps, &values), None);
        assert_eq!(of_a_reading(&[], &[]), None);
    }

    #[test]
    fn the_median_of_many_is_surer() {
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&mut [4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median(&mut []).is_nan());
        assert!(of_a_median(1) == 1.0 && of_a_median(16) < 0.32);
    }
}

//! The few statistics that verdicts rest on: rates, means and their intervals. Deterministic, and safe for empty input.

use std::cmp::Ordering;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// 97.5 % quantile of the standard normal distribution.
const Z: f64 = 1.959_963_984_540_054;

/// Resamples behind a bootstrap interval.
const RESAMPLES: usize = 1000;

/// A number and its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The point estimate; NaN where nothing was measured.
    pub value: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
    /// Observations behind it.
    pub n: usize,
}

/// How an area under the ROC curve stands against chance, which is 0.5.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chance {
    /// The whole interval is above it.
    Better,
    /// The whole interval is below it.
    Worse,
    /// The interval holds it, or there is none.
    Alike,
    /// There is nothing to tell apart.
    Untold,
}

impl Chance {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Better => "better than chance",
            Self::Worse => "worse than chance",
            Self::Alike => "no better than chance",
            Self::Untold => "cannot be told: every case ended alike",
        }
    }
}

impl Estimate {
    /// How this area under the ROC curve ([`auroc`]) stands against chance.
    pub fn against_chance(&self) -> Chance {
        match self {
            _ if self.value.is_nan() => Chance::Untold,
            _ if self.low > 0.5 => Chance::Better,
            _ if self.high < 0.5 => Chance::Worse,
            _ => Chance::Alike,
        }
    }
}

/// 95 % Wilson score interval of a rate (E. B. Wilson, JASA 22, 1927); `(0, 1)` where nothing was observed.
pub fn wilson(hits: usize, n: usize) -> (f64, f64) {
    if n == 0 {
        return (0.0, 1.0);
    }
    let (k, n) = (float(hits), float(n));
    let p = k / n;
    let denominator = 1.0 + Z * Z / n;
    let centre = (p + Z * Z / (2.0 * n)) / denominator;
    let half = Z / denominator * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    ((centre - half).max(0.0), (centre + half).min(1.0))
}

/// A rate with its Wilson interval.
pub fn rate(hits: usize, n: usize) -> Estimate {
    let (low, high) = wilson(hits, n);
    let value = if n == 0 { f64::NAN } else { float(hits) / float(n) };
    Estimate { value, low, high, n }
}

/// The mean; NaN of nothing.
pub fn mean(values: &[f64]) -> f64 {
    if values.is_empty() { f64::NAN } else { values.iter().sum::<f64>() / float(values.len()) }
}

/// Mean over all values with a 95 % percentile-bootstrap interval, resampled within each stratum (a seed), so that a
/// difference between seeds does not pass for noise between pairs. The generator's seed is fixed: the same values give
/// the same interval. A NaN makes all of it NaN; a stratum of one value cannot be resampled, so that there is no interval.
pub fn stratified_mean(strata: &[Vec<f64>]) -> Estimate {
    let estimate = |rng: &mut ChaCha8Rng| resampled_mean(strata, rng);
    bootstrap(mean(&strata.concat()), count(strata), strata.iter().all(|s| can_be_resampled(s)), estimate)
}

/// Mean of `one` less the mean of `other`, where nothing pairs their values: as [`stratified_mean`], each side resampled
/// on its own. `n` is the smaller count.
pub fn stratified_difference(one: &[Vec<f64>], other: &[Vec<f64>]) -> Estimate {
    let value = mean(&one.concat()) - mean(&other.concat());
    let n = count(one).min(count(other));
    let possible = one.iter().chain(other).all(|s| can_be_resampled(s));
    bootstrap(value, n, possible, |rng| resampled_mean(one, rng) - resampled_mean(other, rng))
}

/// Area under the ROC curve: the chance that a score of `hits` lies above one of `misses`, ties counting half; with a 95 %
/// interval, hits and misses resampled each on their own. 0.5 is chance; NaN where either is empty. `n` counts both.
pub fn auroc(hits: &[f64], misses: &[f64]) -> Estimate {
    let above = |hit: f64, miss: f64| match hit.total_cmp(&miss) {
        Ordering::Greater => 1.0,
        Ordering::Equal => 0.5,
        Ordering::Less => 0.0,
    };
    let area = |hits: &[f64], misses: &[f64]| {
        let shares: Vec<f64> = hits.iter().flat_map(|&hit| misses.iter().map(move |&miss| above(hit, miss))).collect();
        mean(&shares)
    };
    let resampled = |values: &[f64], rng: &mut ChaCha8Rng| -> Vec<f64> {
        (0..values.len()).map(|_| values[rng.random_range(0..values.len())]).collect()
    };
    let possible = hits.len() > 1 && misses.len() > 1;
    bootstrap(area(hits, misses), hits.len() + misses.len(), possible, |rng| {
        let hits = resampled(hits, rng);
        area(&hits, &resampled(misses, rng))
    })
}

/// One value has no spread that could be seen.
fn can_be_resampled(stratum: &[f64]) -> bool {
    stratum.len() != 1
}

/// The 95 % percentile interval of what a resampling gives, where it is possible at all.
fn bootstrap(value: f64, n: usize, possible: bool, mut resample: impl FnMut(&mut ChaCha8Rng) -> f64) -> Estimate {
    if n == 0 || !value.is_finite() || !possible {
        return Estimate { value, low: f64::NAN, high: f64::NAN, n };
    }
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let mut resamples: Vec<f64> = (0..RESAMPLES).map(|_| resample(&mut rng)).collect();
    resamples.sort_by(f64::total_cmp);
    Estimate { value, low: quantile(&resamples, 0.025), high: quantile(&resamples, 0.975), n }
}

/// The mean of as many values, drawn with replacement within each stratum.
fn resampled_mean(strata: &[Vec<f64>], rng: &mut ChaCha8Rng) -> f64 {
    let mut sum =
        |stratum: &Vec<f64>| (0..stratum.len()).map(|_| stratum[rng.random_range(0..stratum.len())]).sum::<f64>();
    strata.iter().map(&mut sum).sum::<f64>() / float(count(strata))
}

fn count(strata: &[Vec<f64>]) -> usize {
    strata.iter().map(Vec::len).sum()
}

/// Quantile `q` by linear interpolation between order statistics (numpy's default); `sorted` ascends, NaN of nothing.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index into a short list")]
pub fn quantile(sorted: &[f64], q: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let at = q.clamp(0.0, 1.0) * float(last);
    let low = at.floor() as usize;
    let (share, above) = (at - at.floor(), sorted[(low + 1).min(last)]);
    // An infinite neighbour with no weight must not turn the result into NaN.
    if share == 0.0 || sorted[low] == above { sorted[low] } else { sorted[low] * (1.0 - share) + above * share }
}

/// A count as a number.
#[allow(clippy::cast_precision_loss, reason = "counts of prompts, tokens and evaluations are far below 2^52")]
pub fn float(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64, tolerance: f64) {
        assert!((a - b).abs() <= tolerance, "{a} is not {b}");
    }

    /// Pairs of (hit, miss) counted by hand; all above is 1, none is 0, and scores that say nothing are at chance.
    #[test]
    fn the_area_under_the_curve_is_a_share_of_pairs() {
        close(auroc(&[3.0, 1.0], &[2.0, 1.0]).value, 2.5 / 4.0, 1e-12);
        close(auroc(&[5.0, 6.0], &[1.0, 2.0, 3.0]).value, 1.0, 1e-12);
        close(auroc(&[1.0], &[2.0]).value, 0.0, 1e-12);
        assert!(auroc(&[1.0], &[]).value.is_nan() && auroc(&[1.0], &[2.0]).low.is_nan());
        let scores: Vec<f64> = (0..200).map(|i| f64::from((i * 7919) % 101)).collect();
        let area = auroc(&scores[..100], &scores[100..]);
        assert!(area.low < 0.5 && 0.5 < area.high && area.n == 200, "{area:?}");
        assert_eq!(area.against_chance(), Chance::Alike);
        assert_eq!(auroc(&[5.0, 6.0], &[1.0, 2.0]).against_chance(), Chance::Better);
        assert_eq!(auroc(&[1.0, 2.0], &[5.0, 6.0]).against_chance(), Chance::Worse);
        // One of a kind has no interval, and proves nothing.
        assert_eq!(auroc(&[5.0], &[1.0, 2.0]).against_chance(), Chance::Alike);
        assert_eq!(auroc(&[], &[1.0]).against_chance(), Chance::Untold);
    }

    /// Newcombe, Statistics in Medicine 17 (1998) 857-872, table I, method 3: the Wilson score interval without
    /// continuity correction, four decimals.
    #[test]
    fn wilson_equals_newcombes_table() {
        for (hits, n, low, high) in
            [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)]
        {
            let interval = wilson(hits, n);
            close(interval.0, low, 5e-5);
            close(interval.1, high, 5e-5);
        }
        assert_eq!(wilson(0, 0), (0.0, 1.0));
        let (low, high) = wilson(29, 29);
        assert!(low > 0.85 && (high - 1.0).abs() < 1e-12);
    }

    /// `numpy.quantile([1, 2, 4, 8], [0.25, 0.75])`.
    #[test]
    fn quantiles_interpolate() {
        let values = [1.0, 2.0, 4.0, 8.0];
        close(quantile(&values, 0.25), 1.75, 1e-12);
        close(quantile(&values, 0.75), 5.0, 1e-12);
        assert!(quantile(&[], 0.5).is_nan());
        close(quantile(&[3.0], 0.9), 3.0, 0.0);
        close(quantile(&[f64::NEG_INFINITY, 1.0, 2.0], 0.5), 1.0, 0.0);
    }

    #[test]
    fn the_bootstrap_is_deterministic_and_covers_the_mean() {
        let strata: Vec<Vec<f64>> =
            (0..3).map(|s| (0..64).map(|i| f64::from(s) + f64::from((i * 37) % 64) / 64.0).collect()).collect();
        let first = stratified_mean(&strata);
        assert_eq!(first, stratified_mean(&strata));
        assert!(first.low < first.value && first.value < first.high);
        // Within a stratum the standard deviation is 0.29, between strata 0.8: the stratified interval is the narrow one.
        close(first.high - first.low, 2.0 * Z * (1.0_f64 / 12.0 / 192.0).sqrt(), 0.02);
        assert!(stratified_mean(&[]).value.is_nan());
        // Unpaired, the noise of both sides counts: √2 times the width.
        let other: Vec<Vec<f64>> = strata.iter().map(|s| s.iter().map(|x| x + 1.0).collect()).collect();
        let difference = stratified_difference(&other, &strata);
        close(difference.value, 1.0, 1e-12);
        close((difference.high - difference.low) / (first.high - first.low), 2.0_f64.sqrt(), 0.1);
        assert_eq!((difference.n, stratified_difference(&other, &[]).n), (192, 0));
        assert!(stratified_mean(&[vec![1.0, f64::NAN]]).value.is_nan());
        let one = stratified_mean(&[vec![2.0], vec![1.0, 3.0]]);
        assert_eq!(one.value, 2.0);
        assert!(one.low.is_nan() && one.high.is_nan());
    }

    #[test]
    fn a_difference_of_groups_that_are_not_paired_is_less_sure() {
        let wave = |offset: f64| (0..64).map(|i| offset + f64::from((i * 37) % 64) / 64.0).collect::<Vec<_>>();
        let (one, other) = (wave(2.0), wave(0.5));
        let difference = stratified_difference(&[one.clone(), one.clone()], &[other.clone(), other.clone()]);
        close(difference.value, 1.5, 1e-12);
        assert_eq!(difference.n, 128);
        // Var = 2 · (1/12) / 128 for each side.
        close(difference.high - difference.low, 2.0 * Z * (2.0_f64 / 12.0 / 128.0).sqrt(), 0.02);
        let paired = stratified_mean(&[one.iter().zip(&other).map(|(a, b)| a - b).collect()]);
        close(paired.high - paired.low, 0.0, 1e-9);
        assert!(stratified_difference(&[], &[]).value.is_nan());
        assert!(stratified_difference(&[one], &[vec![1.0]]).low.is_nan());
    }
}

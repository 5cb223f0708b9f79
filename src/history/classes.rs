//! Numbers out of the readings of a classifier.

use super::series::Series;
use super::stats::float;
use super::store::RunHistory;
use crate::protocol::ClassReading;

/// The entry of a row-major matrix over `classes` classes; NaN outside of it.
pub fn entry(matrix: &[f32], classes: usize, row: usize, column: usize) -> f64 {
    let inside = row < classes && column < classes;
    let value = inside.then(|| matrix.get(row * classes + column)).flatten();
    value.map_or(f64::NAN, |&x| f64::from(x))
}

/// Σ|predicted − measured| / Σ|measured| over the changes of every log π(v | x_o) between two readings: 0 where first
/// order says it all, 1 where it says no more than nothing would. NaN where nothing moved.
pub fn prediction_error(before: &ClassReading, after: &ClassReading) -> f64 {
    let measured = after.log_probs.iter().zip(&before.log_probs).map(|(&now, &then)| f64::from(now) - f64::from(then));
    let (mut wrong, mut moved) = (0.0, 0.0);
    for (measured, &predicted) in measured.zip(&after.predicted) {
        wrong += (measured - f64::from(predicted)).abs();
        moved += measured.abs();
    }
    if moved > 0.0 { wrong / moved } else { f64::NAN }
}

impl RunHistory {
    /// How many classes the run observes; 0 where it observes answers.
    pub fn class_count(&self) -> usize {
        self.run.as_ref().map_or(0, |run| run.classes.len())
    }

    /// The reading at the latest step not after `step`.
    pub fn reading_at(&self, step: u64) -> Option<&ClassReading> {
        self.classes[..self.classes.partition_point(|r| r.step <= step)].last().map(AsRef::as_ref)
    }

    /// A number of every reading, over steps.
    pub fn over_readings(&self, value: impl Fn(&ClassReading) -> f64) -> Series {
        let mut series = Series::default();
        for reading in &self.classes {
            series.push(reading.step, value(reading));
        }
        series
    }

    /// The prediction error between each reading and the one before, over steps.
    pub fn prediction_errors(&self) -> Series {
        let mut series = Series::default();
        for pair in self.classes.windows(2) {
            series.push(pair[1].step, prediction_error(&pair[0], &pair[1]));
        }
        series
    }
}

/// Spearman's rank correlation; equal values share their mean rank. NaN where there are fewer than two values, where one
/// is no number, or where all are equal on one side.
pub fn spearman(a: &[f64], b: &[f64]) -> f64 {
    if a.len() != b.len() || a.iter().chain(b).any(|x| x.is_nan()) {
        return f64::NAN;
    }
    let (a, b) = (ranks(a), ranks(b));
    let middle = (float(a.len()) + 1.0) / 2.0;
    let product = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| (x - middle) * (y - middle)).sum::<f64>();
    product(&a, &b) / (product(&a, &a) * product(&b, &b)).sqrt()
}

/// Ranks from 1; equal values share the mean of theirs.
fn ranks(values: &[f64]) -> Vec<f64> {
    let rank = |x: &f64| {
        let below = values.iter().filter(|y| *y < x).count();
        let equal = values.iter().filter(|y| *y == x).count();
        float(below) + (float(equal) + 1.0) / 2.0
    };
    values.iter().map(rank).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `scipy.stats.spearmanr([1, 2, 2, 4, 9], [2, 1, 5, 5, 7])` is 0.7631578947368421.
    #[test]
    fn rank_correlations_share_ties() {
        assert!(
            (spearman(&[1.0, 2.0, 2.0, 4.0, 9.0], &[2.0, 1.0, 5.0, 5.0, 7.0]) - 0.763_157_894_736_842_1).abs() < 1e-12
        );
        assert_eq!(spearman(&[1.0, 2.0, 3.0], &[10.0, 200.0, 201.0]), 1.0);
        assert_eq!(spearman(&[1.0, 2.0, 3.0], &[3.0, 2.0, 1.0]), -1.0);
        assert!(spearman(&[1.0, 1.0], &[1.0, 2.0]).is_nan());
        assert!(spearman(&[1.0, f64::NAN], &[1.0, 2.0]).is_nan());
        assert!(spearman(&[], &[]).is_nan());
    }

    #[test]
    fn the_error_of_a_prediction_is_relative_to_what_moved() {
        let reading = |log_probs: [f32; 4], predicted: [f32; 4]| ClassReading {
            log_probs: log_probs.into(),
            predicted: predicted.into(),
            ..ClassReading::default()
        };
        let before = reading([-1.0, -2.0, -3.0, -4.0], [0.0; 4]);
        assert_eq!(prediction_error(&before, &reading([0.0, -2.0, -3.0, -7.0], [0.5, 0.5, 0.0, -3.0])), 0.25);
        assert!(prediction_error(&before, &before).is_nan());
        assert!(entry(&before.log_probs, 2, 1, 2).is_nan());
        assert_eq!(entry(&before.log_probs, 2, 1, 0), -3.0);
    }
}

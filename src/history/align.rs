//! Runs brought onto one axis: by step, by training loss or by training margin, so that an arm that merely trained less is
//! not taken for one that squeezes less.
//!
//! An [`Arm`] pools runs that differ in their seed alone; the first arm is the baseline. The axis covers what ALL runs have
//! reached; a value between two evaluations is interpolated linearly, pair by pair. Progress that goes back (a loss that
//! rises, a margin that shrinks) counts by its running maximum: an evaluation that does not reach further than all before
//! it is passed over.

use std::sync::Arc;

use super::course::{By, Course};
use super::place::Place;
use super::series::{CurveId, Scale};
use super::stats::{Estimate, float, mean, quantile, stratified_difference, stratified_mean};
use crate::text::Shown;

/// Points on an axis of losses or margins; on one of steps there is one at each step at which any run was measured.
const POINTS: usize = 65;

/// Runs that differ in their seed alone.
#[derive(Debug, Clone)]
pub struct Arm {
    /// What it is called.
    pub label: Shown,
    /// The same stage of every run, no seed twice.
    pub courses: Vec<Course>,
}

/// Arms on one axis.
#[derive(Debug, Clone)]
pub struct Aligned {
    arms: Arc<[Arm]>,
    by: By,
    /// Progress, ascending; at least two.
    points: Vec<f64>,
    /// The place in its stage of every arm, run and point.
    places: Vec<Vec<Vec<Place>>>,
}

/// An arm less the baseline.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// The mean difference with its 95 % bootstrap interval over pairs, resampled within each seed.
    pub estimate: Estimate,
    /// Whether it is taken pair by pair: the same seed asks the same prompts in both arms. If not, it is the difference of
    /// two means.
    pub paired: bool,
}

impl Difference {
    /// Whether the interval lies on one side of zero.
    pub fn excludes_zero(&self) -> bool {
        self.estimate.low > 0.0 || self.estimate.high < 0.0
    }
}

impl Aligned {
    /// Brings the arms onto one axis.
    ///
    /// # Errors
    /// In words: when a run says nothing about its progress, or when the runs have no stretch in common.
    pub fn new(arms: Arc<[Arm]>, by: By) -> Result<Self, String> {
        let tracks: Vec<Vec<_>> = arms.iter().map(|arm| arm.courses.iter().map(|c| c.track(by)).collect()).collect();
        let (mut from, mut to) = (f64::NEG_INFINITY, f64::INFINITY);
        for (arm, tracks) in arms.iter().zip(&tracks) {
            for (course, track) in arm.courses.iter().zip(tracks) {
                let [first, .., last] = track.as_slice() else { return Err(stands_still(arm, course, by)) };
                (from, to) = (from.max(first.0), to.min(last.0));
            }
        }
        if !(from.is_finite() && from < to) {
            return Err(format!("the runs have no {} in common: align them by another measure", by.title()));
        }
        let points = match by {
            By::Step => {
                let mut steps: Vec<f64> = tracks.iter().flatten().flatten().map(|&(p, _)| p).collect();
                steps.sort_by(f64::total_cmp);
                steps.dedup();
                steps.retain(|p| (from..=to).contains(p));
                steps
            }
            By::Loss | By::Margin => (0..POINTS).map(|i| from + (to - from) * float(i) / float(POINTS - 1)).collect(),
        };
        let on = |track: &Vec<(f64, usize)>| points.iter().filter_map(|&p| Place::on(track, p)).collect();
        let places = tracks.iter().map(|runs| runs.iter().map(on).collect()).collect();
        Ok(Self { arms, by, points, places })
    }

    /// The arms, the baseline first.
    pub fn arms(&self) -> &[Arm] {
        &self.arms
    }

    /// The measure that the runs are aligned by.
    pub fn by(&self) -> By {
        self.by
    }

    /// The axis: steps since the stage began, losses (falling) or margins, from the first that all runs have to the last.
    pub fn axis(&self) -> impl ExactSizeIterator<Item = f64> + '_ {
        self.points.iter().map(|&p| self.by.flipped(p))
    }

    /// The number on the axis at a point.
    pub fn at(&self, point: usize) -> f64 {
        self.points.get(point).map_or(f64::NAN, |&p| self.by.flipped(p))
    }

    /// Index of the last point.
    pub fn end(&self) -> usize {
        self.points.len() - 1
    }

    /// The curves that every run has, in the order of the legend.
    pub fn curves(&self) -> Vec<CurveId> {
        let has = |course: &Course, curve| course.curves().any(|c| c == curve);
        CurveId::all().filter(|&c| self.arms.iter().flat_map(|a| &a.courses).all(|course| has(course, c))).collect()
    }

    /// One value for every prompt of a run that has the response.
    fn prompts(&self, (arm, run): (usize, usize), curve: CurveId, scale: Scale, point: usize) -> Vec<Option<f64>> {
        let place = self.places.get(arm).and_then(|runs| runs.get(run)?.get(point));
        place.map_or_else(Vec::new, |&place| self.arms[arm].courses[run].values(curve, scale, place))
    }

    /// One value for every prompt of every run of an arm, run by run.
    fn strata(&self, arm: usize, curve: CurveId, scale: Scale, point: usize) -> Vec<Vec<f64>> {
        let runs = 0..self.arms.get(arm).map_or(0, |a| a.courses.len());
        runs.map(|run| self.prompts((arm, run), curve, scale, point).into_iter().flatten().collect()).collect()
    }

    /// The mean over the prompts of one run, a value a point.
    pub fn run_mean(&self, arm: usize, run: usize, curve: CurveId, scale: Scale) -> Vec<f64> {
        let at = |point| mean(&self.prompts((arm, run), curve, scale, point).into_iter().flatten().collect::<Vec<_>>());
        (0..self.points.len()).map(at).collect()
    }

    /// The mean over the prompts of all runs of an arm, a value a point.
    pub fn mean(&self, arm: usize, curve: CurveId, scale: Scale) -> Vec<f64> {
        (0..self.points.len()).map(|point| self.mean_at(arm, curve, scale, point)).collect()
    }

    /// The mean of an arm's curve at one point.
    pub fn mean_at(&self, arm: usize, curve: CurveId, scale: Scale, point: usize) -> f64 {
        mean(&self.strata(arm, curve, scale, point).concat())
    }

    /// First and third quartile over the prompts of all runs of an arm, a value a point.
    pub fn quartiles(&self, arm: usize, curve: CurveId, scale: Scale) -> (Vec<f64>, Vec<f64>) {
        let at = |point| {
            let mut values = self.strata(arm, curve, scale, point).concat();
            values.sort_by(f64::total_cmp);
            let gap = values.iter().any(|x| x.is_nan());
            let quartile = |q| if gap { f64::NAN } else { quantile(&values, q) };
            (quartile(0.25), quartile(0.75))
        };
        (0..self.points.len()).map(at).unzip()
    }

    /// The mean of an arm at a point, with its interval.
    pub fn estimate(&self, arm: usize, curve: CurveId, scale: Scale, point: usize) -> Estimate {
        stratified_mean(&self.strata(arm, curve, scale, point))
    }

    /// An arm less the baseline at a point: over the pairs that have the same seed, place and prompt in both; where there
    /// are none, unpaired.
    pub fn difference(&self, arm: usize, curve: CurveId, scale: Scale, point: usize) -> Difference {
        let pairs = self.pairs(arm, curve, scale, point);
        if pairs.iter().any(|p| !p.is_empty()) {
            return Difference { estimate: stratified_mean(&pairs), paired: true };
        }
        let [one, other] = [arm, 0].map(|arm| self.strata(arm, curve, scale, point));
        Difference { estimate: stratified_difference(&one, &other), paired: false }
    }

    /// Differences pair by pair, seed by seed.
    fn pairs(&self, arm: usize, curve: CurveId, scale: Scale, point: usize) -> Vec<Vec<f64>> {
        let (Some(one), Some(baseline)) = (self.arms.get(arm), self.arms.first()) else { return Vec::new() };
        let of_seed = |(run, course): (usize, &Course)| {
            let other = baseline.courses.iter().position(|c| c.seed == course.seed)?;
            let mine = self.prompts((arm, run), curve, scale, point);
            let theirs = self.prompts((0, other), curve, scale, point);
            let same = course.prompts().iter().zip(baseline.courses[other].prompts()).map(|(a, b)| a == b);
            let both = mine.into_iter().zip(theirs).zip(same).filter(|&(_, same)| same);
            Some(both.filter_map(|((a, b), _)| Some(a? - b?)).collect())
        };
        one.courses.iter().enumerate().filter_map(of_seed).collect()
    }
}

/// Why a run cannot be placed on the axis.
fn stands_still(arm: &Arm, course: &Course, by: By) -> String {
    let (label, seed, stage) = (&arm.label, course.seed, &course.stage);
    match by {
        By::Step => format!("{label}, seed {seed}: stage {stage} was measured only once"),
        By::Loss => format!("{label}, seed {seed}: the training loss of stage {stage} never falls, or is not recorded"),
        By::Margin => {
            format!("{label}, seed {seed}: the training margin of stage {stage} never grows, or is not recorded")
        }
    }
}

#[cfg(test)]
#[path = "align_tests.rs"]
mod tests;

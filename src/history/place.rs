//! [`Place`]: a moment of a stage, at an evaluation or between two, and how numbers are read there.

/// A moment of a stage: `share` of the way from one of its evaluations to another, by index.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    before: usize,
    after: usize,
    share: f64,
}

impl Place {
    /// The moment of an evaluation.
    pub const fn at(evaluation: usize) -> Self {
        Self { before: evaluation, after: evaluation, share: 0.0 }
    }

    /// The evaluations around it; the same one twice where it is the moment of an evaluation.
    pub fn evaluations(self) -> (usize, usize) {
        (self.before, self.after)
    }

    /// The place where a number, given at every evaluation, first reaches `target`. On the way there it may have gone back: it is
    /// linear between two evaluations that follow each other. `None` where it never comes there.
    pub fn reaching(values: &[f64], target: f64) -> Option<Self> {
        let after = values.iter().position(|&value| value >= target)?;
        let Some(before) = after.checked_sub(1) else { return Some(Self::at(0)) };
        // From a value that is no number there is no way.
        (!values[before].is_nan()).then(|| Self::between((values[before], before), (values[after], after), target))
    }

    /// The place where a track of ascending progress, each with the evaluation that came so far, reaches `progress`; the nearest end
    /// beyond it.
    pub(super) fn on(track: &[(f64, usize)], progress: f64) -> Option<Self> {
        let next = track.partition_point(|&(reached, _)| reached <= progress);
        let (before, after) = (track.get(next.saturating_sub(1))?, track.get(next).or(track.last())?);
        Some(Self::between(*before, *after, progress))
    }

    fn between((from, before): (f64, usize), (to, after): (f64, usize), target: f64) -> Self {
        let share = if to > from { (target - from) / (to - from) } else { 0.0 };
        if share <= 0.0 {
            Self::at(before)
        } else if share >= 1.0 {
            Self::at(after)
        } else {
            Self { before, after, share }
        }
    }

    /// A number at this place, linear between its values at the two evaluations.
    pub fn mix(self, before: f64, after: f64) -> f64 {
        // An infinity with no weight must not turn the result into NaN, nor must two equal ones.
        if self.share == 0.0 || before == after { before } else { before * (1.0 - self.share) + after * self.share }
    }
}

#[cfg(test)]
mod tests {
    use super::Place;

    #[test]
    fn a_value_is_first_reached_between_two_evaluations() {
        let margins = [0.0, 4.0, 2.0, 8.0];
        assert_eq!(Place::reaching(&margins, 0.0), Some(Place::at(0)));
        assert_eq!(Place::reaching(&margins, 4.0), Some(Place::at(1)));
        assert_eq!(Place::reaching(&margins, 3.0), Place::reaching(&[0.0, 4.0], 3.0));
        assert_eq!(Place::reaching(&margins, 5.0), Some(Place { before: 2, after: 3, share: 0.5 }));
        assert_eq!(Place::reaching(&margins, 9.0), None);
        assert_eq!(Place::reaching(&[f64::NAN, 4.0], 1.0), None);
        assert_eq!(Place::reaching(&[], 1.0), None);
    }

    #[test]
    fn a_track_is_followed_from_end_to_end() {
        let track = [(0.0, 0), (4.0, 1), (8.0, 3)];
        assert_eq!(Place::on(&track, -1.0), Some(Place::at(0)));
        assert_eq!(Place::on(&track, 4.0), Some(Place::at(1)));
        assert_eq!(Place::on(&track, 5.0), Some(Place { before: 1, after: 3, share: 0.25 }));
        assert_eq!(Place::on(&track, 9.0), Some(Place::at(3)));
        assert_eq!(Place::on(&[], 1.0), None);
    }

    #[test]
    fn numbers_between_evaluations_are_linear_and_infinities_stay() {
        let half = Place { before: 0, after: 1, share: 0.5 };
        assert_eq!((half.mix(2.0, 4.0), Place::at(0).mix(2.0, f64::INFINITY)), (3.0, 2.0));
        assert_eq!(half.mix(f64::NEG_INFINITY, f64::NEG_INFINITY), f64::NEG_INFINITY);
        assert_eq!(half.mix(f64::NEG_INFINITY, 1.0), f64::NEG_INFINITY);
    }
}

//! A curve that the learner draws: values at the measurements of what is to come, each dragging those after it along.

use crate::history::Series;

/// Steps of height from one end of what a curve might do to the other.
const HEIGHTS: f64 = 16.0;

/// A sketched curve.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sketch {
    /// Steps at which it has a value; the first is where it is known.
    steps: Vec<u64>,
    /// The values, the first one measured.
    values: Vec<f64>,
    /// Where the pen stands: an index, never 0.
    pen: usize,
    /// What a key moves the curve by.
    unit: f64,
}

/// How a sketch and what happened lie to each other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Judged {
    /// Whether both end on the same side of where they began.
    pub(super) right: bool,
    /// How far apart they are on average.
    pub(super) apart: f64,
}

impl Sketch {
    /// A flat line over the steps of `truth` from `from` to `to`; `None` where there is nothing to draw. `reach` is how far
    /// curves of this recording go.
    pub(super) fn new(truth: &Series, from: u64, to: u64, reach: f64) -> Option<Self> {
        let start = truth.at(from).filter(|value| value.is_finite())?;
        let later = truth.iter().map(|(step, _)| step).filter(|step| (from + 1..=to).contains(step));
        let steps: Vec<u64> = std::iter::once(from).chain(later).collect();
        let unit = if reach.is_finite() && reach > 0.0 { reach / HEIGHTS } else { 1.0 };
        (steps.len() > 1).then(|| Self { values: vec![start; steps.len()], steps, pen: 1, unit })
    }

    /// Moves the pen, and the curve from there on.
    pub(super) fn draw(&mut self, along: i32, up: i32) {
        self.pen = self.pen.saturating_add_signed(along as isize).clamp(1, self.steps.len() - 1);
        for value in &mut self.values[self.pen..] {
            *value += f64::from(up) * self.unit;
        }
    }

    /// Where the pen stands.
    pub(super) fn pen(&self) -> u64 {
        self.steps[self.pen]
    }

    /// The curve as it is drawn.
    pub(super) fn series(&self) -> Series {
        Series::new(self.steps.iter().copied(), self.values.iter().copied())
    }

    /// The sketch held against what happened.
    #[allow(clippy::cast_precision_loss, reason = "a few dozen measurements")]
    pub(super) fn judge(&self, truth: &Series) -> Judged {
        let start = self.values[0];
        let side = |value: f64| {
            let moved = value - start;
            if moved.abs() < self.unit / 2.0 { 0 } else { moved.signum() as i32 }
        };
        let happened: Vec<f64> = self.steps.iter().map(|&step| truth.at(step).unwrap_or(f64::NAN)).collect();
        let ends = (self.values.last().copied().unwrap_or(start), happened.last().copied().unwrap_or(start));
        let apart = self.values.iter().zip(&happened).skip(1).map(|(a, b)| (a - b).abs()).sum::<f64>();
        Judged { right: side(ends.0) == side(ends.1), apart: apart / (self.steps.len() - 1) as f64 }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use super::*;

    #[test]
    fn the_pen_drags_what_comes_after_it() {
        let truth = Series::new([0, 10, 20, 30], [-4.0, -5.0, -8.0, -12.0]);
        let mut sketch = Sketch::new(&truth, 10, 30, 16.0).unwrap();
        assert_eq!((sketch.pen(), sketch.series().values()), (20, vec![-5.0, -5.0, -5.0]));
        assert!(!sketch.judge(&truth).right, "a flat line");
        sketch.draw(0, -2);
        sketch.draw(1, -4);
        assert_eq!(sketch.series().values(), [-5.0, -7.0, -11.0]);
        assert_eq!(sketch.judge(&truth), Judged { right: true, apart: 1.0 });
        sketch.draw(-9, 9);
        assert_eq!((sketch.pen(), sketch.judge(&truth).right), (20, false));
        assert_eq!(Sketch::new(&truth, 30, 30, 1.0), None);
    }
}

//! [`Columns`]: where steps fall on a screen; and round numbers for an axis.

/// The columns of a screen on which the steps of a view fall.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Columns {
    first: u64,
    span: u64,
    count: u32,
}

impl Columns {
    /// Columns 0 to `count` − 1 over the steps `x.0` to `x.1`, both included: the first step falls on the first column,
    /// the last on the last. A view without extent is widened by one step, one without columns to one.
    pub fn new(x: (u64, u64), count: u32) -> Self {
        let (first, last) = (x.0.min(x.1), x.0.max(x.1));
        Self { first, span: (last - first).max(1), count: count.max(1) }
    }

    /// How many there are.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// First and last step shown.
    pub fn steps(&self) -> (u64, u64) {
        (self.first, self.first.saturating_add(self.span))
    }

    /// The column of a step, rounded to the nearest; may lie outside the view.
    pub fn of(&self, step: u64) -> i64 {
        self.near(step).unwrap_or_else(|| self.far(step))
    }

    /// The column where the numbers are small, as those of real runs are: a frame asks for tens of thousands, and a division
    /// of wide numbers takes many times as long.
    fn near(&self, step: u64) -> Option<i64> {
        let small = |n: u64| i64::try_from(n).ok();
        let (offset, span) = (small(step)?.checked_sub(small(self.first)?)?, small(self.span)?);
        let twice = offset.checked_mul(2 * i64::from(self.count - 1))?.checked_add(span)?;
        Some(twice.div_euclid(span.checked_mul(2)?))
    }

    /// The column, whatever the numbers.
    fn far(&self, step: u64) -> i64 {
        let offset = i128::from(step) - i128::from(self.first);
        let (gaps, span) = (i128::from(self.count - 1), i128::from(self.span));
        let column = (2 * offset * gaps + span).div_euclid(2 * span);
        i64::try_from(column).unwrap_or(if column < 0 { i64::MIN } else { i64::MAX })
    }

    /// The first step that falls on the column or after it.
    pub fn start(&self, column: u32) -> u64 {
        let gaps = u128::from(self.count - 1);
        let twice = (2 * u128::from(column)).saturating_sub(1) * u128::from(self.span);
        if column == 0 {
            return self.first;
        }
        if gaps == 0 {
            return u64::MAX;
        }
        u64::try_from(u128::from(self.first) + twice.div_ceil(2 * gaps)).unwrap_or(u64::MAX)
    }
}

/// The smallest of 1, 2, 5 × 10ⁿ that is not below `least`.
pub fn nice(least: f64) -> f64 {
    let power = 10f64.powf(least.log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|m| m * power).find(|&x| x >= least * (1.0 - 1e-9)).unwrap_or(10.0 * power)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn small_numbers_fall_where_all_do(x in (0u64..1 << 40, 0u64..1 << 40), count in 1u32..5000, step in 0u64..1 << 40) {
            let columns = Columns::new(x, count);
            prop_assert_eq!(columns.near(step), Some(columns.far(step)));
        }

        #[test]
        fn columns_begin_where_they_say(x in (0u64..1_000_000, 0u64..1_000_000), count in 2u32..300, pick in 0u32..300) {
            let columns = Columns::new(x, count);
            let column = pick % count;
            let start = columns.start(column);
            prop_assert!(columns.of(start) >= i64::from(column));
            prop_assert!(column == 0 || columns.of(start - 1) < i64::from(column));
        }
    }
}

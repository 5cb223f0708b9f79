//! What pairs are listed by.

use crate::history::PairRow;

/// What the pairs are listed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PairOrder {
    /// The gravest state first, within it the widest gap between y* and y⁺.
    #[default]
    State,
    /// The deepest fall of y⁺ first.
    Chosen,
    /// The deepest fall of y⁻ first.
    Rejected,
    /// The largest rise of y* first.
    Argmax,
    /// As the run has them.
    Number,
}

impl PairOrder {
    /// The order after this one.
    pub fn next(self) -> Self {
        match self {
            Self::State => Self::Chosen,
            Self::Chosen => Self::Rejected,
            Self::Rejected => Self::Argmax,
            Self::Argmax => Self::Number,
            Self::Number => Self::State,
        }
    }

    /// The words in the panel's title.
    pub fn title(self) -> &'static str {
        match self {
            Self::State => "by state",
            Self::Chosen => "by y⁺",
            Self::Rejected => "by y⁻",
            Self::Argmax => "by y*",
            Self::Number => "by number",
        }
    }

    /// Sorts; what is no number comes last.
    pub(super) fn sort(self, rows: &mut [PairRow]) {
        let key = |row: &PairRow| {
            let value = match self {
                Self::State => -row.gap(),
                Self::Chosen => row.chosen,
                Self::Rejected => row.rejected,
                Self::Argmax => -row.argmax,
                Self::Number => 0.0,
            };
            if value.is_nan() { f64::INFINITY } else { value }
        };
        rows.sort_by(|a, b| {
            let state = if self == Self::State { b.state.cmp(&a.state) } else { std::cmp::Ordering::Equal };
            state.then(key(a).total_cmp(&key(b))).then(a.pair.cmp(&b.pair))
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::PairState;

    fn row(pair: usize, chosen: f64, argmax: f64, state: PairState) -> PairRow {
        PairRow { pair, chosen, rejected: -3.0, argmax, state }
    }

    #[test]
    fn the_gravest_pair_comes_first_and_what_was_not_measured_last() {
        use PairState::{Displaced, Quiet, Squeezed};
        let rows = [
            row(0, f64::NAN, f64::NAN, Quiet),
            row(1, -9.0, 0.5, Displaced),
            row(2, -1.0, 2.0, Squeezed),
            row(3, -4.0, 2.0, Squeezed),
            row(4, 2.0, 1.0, Quiet),
        ];
        let sorted = |order: PairOrder| {
            let mut rows = rows;
            order.sort(&mut rows);
            rows.map(|row| row.pair)
        };
        assert_eq!(sorted(PairOrder::State), [3, 2, 1, 4, 0]);
        assert_eq!(sorted(PairOrder::Chosen), [1, 3, 2, 4, 0]);
        assert_eq!(sorted(PairOrder::Argmax), [2, 3, 4, 1, 0]);
        assert_eq!(sorted(PairOrder::Number), [0, 1, 2, 3, 4]);
        let mut order = PairOrder::default();
        for _ in 0..5 {
            order = order.next();
        }
        assert_eq!(order, PairOrder::default(), "the key goes round");
    }
}

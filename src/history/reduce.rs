//! A million points in forty columns: first, minimum, maximum and last per column, so that spikes survive (the "M4"
//! aggregation of Jugel et al., VLDB 2014: a line through these four points fills the same dots as the full series). Extremes
//! are read off the sums that a series keeps of its blocks, so that a frame costs columns and not points.

use std::ops::Range;

use super::chunk::Extremes;
use super::columns::Columns;
use super::series::Series;

/// The part of a series that a screen can show: of each column the first, smallest, largest and last value in their
/// order, and the nearest value on either side of the view, so that a line can enter and leave it. NaN stays where a
/// column begins or ends with it or holds nothing else; infinities count as values.
///
/// The series keeps its latest reduction: most frames draw what the one before drew.
pub fn reduce(series: &Series, columns: Columns) -> Series {
    series.reduction(columns, || reduced(series, columns))
}

fn reduced(series: &Series, columns: Columns) -> Series {
    let len = series.len();
    let (first, last) = columns.steps();
    let begin = series.before(first);
    let end = series.count_while(begin..len, |s| s <= last);
    let mut kept = Vec::with_capacity((4 * columns.count() as usize).min(end - begin) + 2);
    kept.extend(begin.checked_sub(1));
    if end - begin <= 4 * columns.count() as usize {
        kept.extend(begin..end);
    } else {
        let (mut from, mut width) = (begin, 0);
        for column in 1..=columns.count() {
            let limit = columns.start(column);
            let to = if column == columns.count() { end } else { next_column(series, from..end, limit, width) };
            width = to - from;
            keep(&mut kept, from..to, series);
            from = to;
        }
    }
    kept.extend((end < len).then_some(end));
    kept.into_iter().filter_map(|at| series.get(at)).collect()
}

/// The first place whose step is not below `limit`; fast where it is about `guess` places on, as for evenly spaced columns.
fn next_column(series: &Series, places: Range<usize>, limit: u64, guess: usize) -> usize {
    let below = |at: usize| series.get(at).is_some_and(|(step, _)| step < limit);
    let Range { start, end } = places;
    let (mut low, mut high, mut reach) = ((start + guess).min(end), (start + guess).min(end), 1);
    while low > start && !below(low - 1) {
        (high, low) = (low, low.saturating_sub(reach).max(start));
        reach *= 2;
    }
    while high < end && below(high) {
        (low, high) = (high, (high + reach).min(end));
        reach *= 2;
    }
    series.count_while(low..high, |step| step < limit)
}

/// Keeps the places of one column.
fn keep(kept: &mut Vec<usize>, range: Range<usize>, series: &Series) {
    if range.is_empty() {
        return;
    }
    let last = range.end - 1;
    let mut places = [range.start, range.start, last, last];
    if let Some(Extremes { min, max }) = series.summary(range.clone()).extremes {
        places = [range.start, min.1.min(max.1), min.1.max(max.1), last];
    }
    for place in places {
        if kept.last() != Some(&place) {
            kept.push(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn value() -> impl Strategy<Value = f64> {
        prop_oneof![
            8 => -800.0..0.0f64,
            2 => (-3i32..3).prop_map(f64::from),
            1 => Just(f64::NAN),
            1 => Just(f64::NEG_INFINITY),
            1 => Just(f64::INFINITY),
        ]
    }

    fn series(len: usize) -> impl Strategy<Value = Series> {
        prop::collection::vec((0u64..4, value()), 0..len).prop_map(|points| {
            let mut series = Series::default();
            let mut step = 0;
            for (gap, value) in points {
                step += gap;
                series.push(step, value);
            }
            series
        })
    }

    /// Smallest and largest value of each column, from the definition.
    fn naive(series: &Series, columns: Columns) -> Vec<Option<(f64, f64)>> {
        let mut found = vec![None; columns.count() as usize];
        let (first, last) = columns.steps();
        for (step, x) in series.iter() {
            if (first..=last).contains(&step) && !x.is_nan() {
                let entry: &mut Option<(f64, f64)> =
                    &mut found[usize::try_from(columns.of(step)).unwrap_or(usize::MAX)];
                *entry = Some(entry.map_or((x, x), |(low, high)| (low.min(x), high.max(x))));
            }
        }
        found
    }

    proptest! {
        #[test]
        fn every_column_keeps_its_extremes(s in series(3000), x in (0u64..5000, 0u64..5000), count in 1u32..90) {
            let columns = Columns::new(x, count);
            let reduced = reduce(&s, columns);
            prop_assert_eq!(naive(&reduced, columns), naive(&s, columns));
            prop_assert!(reduced.len() <= 4 * count as usize + 2);
            prop_assert!(reduced.iter().is_sorted_by_key(|(step, _)| step));
        }
    }

    #[test]
    fn one_outlier_in_a_million_points_survives_forty_columns() {
        let mut series = Series::default();
        for step in 0..1_000_000u64 {
            series.push(step, if step == 654_321 { 9.0 } else { 0.5 });
        }
        let columns = Columns::new((0, 999_999), 40);
        let reduced = reduce(&series, columns);
        assert!(reduced.len() <= 162);
        let at = reduced.iter().find(|&(_, x)| x > 8.0);
        assert_eq!(at, Some((654_321, 9.0)));
    }

    #[test]
    fn gaps_at_the_edge_of_a_column_stay_gaps() {
        let mut series = Series::default();
        for step in 0..100u64 {
            series.push(step, if (40..90).contains(&step) { f64::NAN } else { 1.0 });
        }
        let reduced = reduce(&series, Columns::new((0, 99), 5));
        assert!(reduced.values().iter().any(|x| x.is_nan()));
        assert!(!reduced.values().contains(&0.0));
    }

    #[test]
    fn extreme_views_do_not_overflow() {
        let series = Series::new([0, 7, u64::MAX], [1.0, 2.0, 3.0]);
        for x in [(0, 0), (0, u64::MAX), (u64::MAX, u64::MAX), (7, 7)] {
            for count in [0, 1, 2, u32::MAX] {
                let columns = Columns::new(x, count);
                assert!(!reduce(&series, columns).is_empty());
                let _ = (columns.of(0), columns.of(u64::MAX));
            }
        }
    }

    #[test]
    fn a_reduction_is_of_the_series_as_it_is() {
        let mut series = Series::new(0..5000, (0..5000).map(f64::from));
        let columns = Columns::new((0, 4999), 10);
        let highest = |series: &Series| reduce(series, columns).values().into_iter().fold(f64::MIN, f64::max);
        assert_eq!(highest(&series), 4999.0);
        assert_eq!(highest(&series.part(0..100)), 99.0);
        assert_eq!(highest(&series.clone().led_by(0, 9e9)), 9e9);
        series.push(4999, 7e9);
        assert_eq!(highest(&series), 7e9);
        assert_eq!(reduce(&series, Columns::new((0, 10), 3)).last(), Some((11, 11.0)));
    }
}

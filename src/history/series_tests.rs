//! That a series in shared chunks is the plain list of its points.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

use proptest::prelude::*;

use super::*;

type Point = (u64, f64);

/// Points whose steps never fall; numbers, gaps and infinities. Often evenly spaced, as runs are.
fn points(most: usize) -> impl Strategy<Value = Vec<Point>> {
    let value = prop_oneof![
        8 => -800.0..0.0f64,
        1 => Just(f64::NAN),
        1 => Just(f64::NEG_INFINITY),
        1 => Just(f64::INFINITY),
    ];
    let gap = prop_oneof![Just(0..1u64), Just(1..2u64), Just(0..4u64)];
    gap.prop_flat_map(move |gap| prop::collection::vec((gap, value.clone()), 0..most)).prop_map(|gaps| {
        let mut step = 0;
        let sum = |(gap, value)| {
            step += gap;
            (step, value)
        };
        gaps.into_iter().map(sum).collect()
    })
}

/// To the bit: NaN is itself.
fn bits(points: impl IntoIterator<Item = Point>) -> Vec<(u64, u64)> {
    points.into_iter().map(|(step, value)| (step, value.to_bits())).collect()
}

fn places(len: usize, (a, b): (usize, usize)) -> Range<usize> {
    let (a, b) = (a % (len + 1), b % (len + 1));
    a.min(b)..a.max(b)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn it_holds_what_was_put_in(points in points(3000), step in 0u64..5000) {
        let series: Series = points.iter().copied().collect();
        prop_assert_eq!(bits(series.iter()), bits(points.clone()));
        prop_assert_eq!(series.before(step), points.iter().filter(|p| p.0 < step).count());
        prop_assert_eq!(series.up_to(step), points.iter().filter(|p| p.0 <= step).count());
        let at = points.iter().rfind(|p| p.0 <= step).map(|p| p.1.to_bits());
        prop_assert_eq!(series.at(step).map(f64::to_bits), at);
    }

    #[test]
    fn a_part_is_what_lies_there_and_goes_on_alone(
        points in points(3000), cut in any::<(usize, usize)>(), again in any::<(usize, usize)>(), lead in any::<bool>(),
    ) {
        let mut whole: Series = points.iter().copied().collect();
        let cut = places(points.len(), cut);
        let mut part = whole.part(cut.clone());
        let mut expected = points[cut].to_vec();
        if lead {
            part = part.led_by(7, 0.5);
            expected.insert(0, (7, 0.5));
        }
        let again = places(expected.len(), again);
        let mut smaller = part.part(again.clone());
        prop_assert_eq!(bits(smaller.iter()), bits(expected[again.clone()].to_vec()));
        // What is appended to one is in no other.
        smaller.push(9_999, 1.0);
        whole.push(9_999, 2.0);
        prop_assert_eq!(bits(part.iter()), bits(expected.clone()));
        prop_assert_eq!(bits(smaller.iter()), bits(expected[again].iter().copied().chain([(9_999, 1.0)])));
        prop_assert_eq!(bits(whole.iter()), bits(points.into_iter().chain([(9_999, 2.0)])));
    }

    #[test]
    fn a_summary_is_that_of_every_point(points in points(5000), cut in any::<(usize, usize)>(), lead in any::<bool>()) {
        let mut series: Series = points.iter().copied().collect();
        let mut points = points;
        if lead {
            series = series.led_by(0, -900.0);
            points.insert(0, (0, -900.0));
        }
        let cut = places(points.len(), cut);
        let summary = series.summary(cut.clone());
        let values = || cut.clone().map(|at| (points[at].1, at)).filter(|(x, _)| !x.is_nan());
        let finite: Vec<f64> = values().map(|(x, _)| x).filter(|x| x.is_finite()).collect();
        // Of equal ones the earliest.
        let min = values().reduce(|a, b| if b.0 < a.0 { b } else { a });
        let max = values().reduce(|a, b| if b.0 > a.0 { b } else { a });
        prop_assert_eq!(summary.extremes.map(|e| (e.min, e.max)), min.zip(max));
        let bounds = finite.iter().copied().reduce(f64::min).zip(finite.iter().copied().reduce(f64::max));
        prop_assert_eq!(summary.finite, bounds);
        prop_assert_eq!(summary.count as usize, finite.len());
        prop_assert!((summary.sum - finite.iter().sum::<f64>()).abs() <= 1e-9 * (1.0 + 800.0 * finite.len() as f64));
    }
}

#[test]
fn a_copy_costs_no_points() {
    let series = Series::new(0..1_000_000, (0..1_000_000).map(f64::from));
    let copy = series.clone();
    assert!(Arc::ptr_eq(&series.full, &copy.full) && Arc::ptr_eq(&series.tail, &copy.tail));
    let part = series.part(10..500_000);
    assert!(Arc::ptr_eq(&series.full, &part.full));
    assert_eq!((part.first(), part.len()), (Some((10, 10.0)), 499_990));
}

#[test]
fn a_summary_ends_where_the_series_does() {
    let series = Series::new([1, 2, 3], [4.0, -1.0, 2.0]);
    assert_eq!(series.summary(0..usize::MAX), series.summary(0..3));
    assert_eq!(series.summary(5..9), Summary::default());
}

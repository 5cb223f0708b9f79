//! The figures of one step, and what holds for every step.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use proptest::prelude::*;

use super::wording::{change, probability};
use super::*;

fn of(figure: usize) -> Outcome {
    one_step(&FIGURES[figure].1).unwrap()
}

fn rounded(x: f64) -> String {
    format!("{x:.3}")
}

/// "bystanders falling, of 48: uniform 0; 8 peaks with y on a peak 44 (p(y*) .151→.208, bystanders gain net mass +.061);
/// 8 peaks with y in a valley 45 (.151→.183, bystanders lose .030); one peak .985, y in a valley 48 (.985→.9999)".
#[test]
fn the_four_figures_come_out_to_their_last_digit() {
    let fall: Vec<_> = (0..4).map(|i| (of(i).counts().0, of(i).counts().2)).collect();
    assert_eq!(fall, [(48, 0), (48, 44), (48, 45), (48, 48)]);
    let star = |i: usize| (of(i).before[of(i).star], of(i).after[of(i).star]);
    assert_eq!((rounded(star(1).0), rounded(star(1).1)), ("0.151".to_owned(), "0.208".to_owned()));
    assert_eq!((rounded(star(2).0), rounded(star(2).1)), ("0.151".to_owned(), "0.183".to_owned()));
    assert_eq!((rounded(star(3).0), format!("{:.4}", star(3).1)), ("0.985".to_owned(), "0.9999".to_owned()));
    assert_eq!(rounded(of(1).bystander_mass()), "0.061");
    assert_eq!(rounded(of(2).bystander_mass()), "-0.030");
}

#[test]
fn classes_are_ranks_whatever_is_asked_for() {
    for classes in [1, 2, 3, 9, 10, 50, 101, 1000] {
        for shape in [
            LabShape::Uniform,
            LabShape::Flat,
            LabShape::Peaks(1),
            LabShape::Peaks(8),
            LabShape::Peaks(100),
            LabShape::Peaks(usize::MAX),
            LabShape::OnePeak,
        ] {
            let p = softmax(&logits(shape, classes));
            assert_eq!(p.len(), classes);
            assert!((p.iter().sum::<f64>() - 1.0).abs() < BALANCE, "{shape:?} {classes}");
            assert!(p.windows(2).all(|w| w[1] <= w[0] + BALANCE), "{shape:?} {classes}: {p:?}");
        }
    }
    let p = softmax(&logits(LabShape::Flat, 1000));
    assert!((p[0] / p[999] - 2.0).abs() < 1e-9);
    let p = softmax(&logits(LabShape::Peaks(3), 1000));
    assert!(p[2] > 100.0 * p[3], "a plain is low");
}

#[test]
fn the_smallest_changes_keep_their_sign() {
    // y has all but 1e-18: what it loses is far below what f64 resolves next to 1.
    let all = take(&[0.0, -41.5, -42.0], Step { y: 0, eta: 1.0, push_down: true }).unwrap();
    assert_eq!(all.before[0], 1.0);
    assert!(all.fell(0) && all.rose(1) && all.log_ratios[0] > -1e-30);
    // y has next to nothing, and the others are equal.
    let nothing = take(&[0.0, 0.0, -80.0], Step { y: 2, eta: 1.0, push_down: true }).unwrap();
    assert!(nothing.fell(2) && nothing.rose(0) && nothing.rose(1) && nothing.log_ratios[0] < 1e-30);
}

#[test]
fn extreme_steps_stay_numbers() {
    for push_down in [true, false] {
        for eta in [1e-300, 1e-3, 1.0, MAX_ETA] {
            let mut z = logits(LabShape::Peaks(8), 50);
            for y in [49, 0, 3, 49, 49] {
                let outcome = take(&z, Step { y, eta, push_down }).unwrap();
                assert!(outcome.after.iter().all(|p| (0.0..=1.0 + BALANCE).contains(p)));
                assert!((0..50).all(|i| outcome.change(i).is_finite()));
                assert!(!outcome.story().is_empty());
                z = outcome.logits;
            }
        }
    }
    // From far below what f64 can hold, a step that is large enough brings y back.
    let outcome = take(&[0.0, 0.0, -950.0], Step { y: 2, eta: MAX_ETA, push_down: false }).unwrap();
    assert_eq!((outcome.before[2], outcome.after[2], outcome.change(2)), (0.0, 1.0, 1.0));
    for eta in [1001.0, f64::INFINITY, f64::NAN, -1.0] {
        assert!(take(&[0.0, 0.0], Step { y: 0, eta, push_down: true }).is_err());
    }
    assert!(take(&[0.0], Step { y: 0, eta: 1.0, push_down: true }).is_err());
    assert!(take(&[0.0, 0.0], Step { y: 2, eta: 1.0, push_down: true }).is_err());
}

#[test]
fn the_balance_is_checked() {
    let mut broken = of(2);
    broken.log_ratios[7] += 1e-9;
    assert!(broken.balanced().is_err());
    let mut broken = of(2);
    broken.after[7] = f64::NAN;
    assert!(broken.balanced().is_err());
}

#[test]
fn the_story_says_what_the_numbers_say() {
    assert_eq!(
        of(2).story(),
        "45 of 48 bystanders fall: only 3 and y* lie above the line p = 0.1124. y loses 0.0022, y* gains 0.0320: the \
         bystanders pay 0.0298."
    );
    assert!(of(0).story().starts_with("None of the 48 bystanders falls"));
    assert!(of(1).story().contains("y loses 0.1184: y* takes 0.0573, the bystanders 0.0611"), "{}", of(1).story());
    assert!(of(3).story().starts_with("All 48 bystanders fall: only y* lies above"));
    let two = LabSettings { classes: 2, rank: 1, ..LabSettings::default() };
    assert!(one_step(&two).unwrap().story().starts_with("There are no bystanders: y* gains"));
    let pull = LabSettings { push_down: false, ..FIGURES[2].1.clone() };
    assert!(one_step(&pull).unwrap().story().starts_with("y is pulled up"));
}

#[test]
fn numbers_are_short_and_never_hide_a_digit() {
    assert_eq!(probability(0.15123), "0.1512");
    assert_eq!(probability(-0.03), "−0.0300");
    assert_eq!(probability(1.5e-9), "1.5e−9");
    assert_eq!(probability(0.0), "0");
    assert_eq!(change(0.0569), "+0.0569");
    assert_eq!(change(0.0), "0");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// The step as it is defined, without any of the care above.
    #[test]
    fn a_step_is_softmax_of_the_moved_logits(
        z in prop::collection::vec(-8.0_f64..8.0, 2..200),
        y in any::<prop::sample::Index>(),
        eta in 0.01_f64..60.0,
        push_down in any::<bool>(),
    ) {
        let y = y.index(z.len());
        let outcome = take(&z, Step { y, eta, push_down }).unwrap();
        let p = softmax(&z);
        let signed = if push_down { eta } else { -eta };
        let moved: Vec<f64> =
            (0..z.len()).map(|i| z[i] + signed * (p[i] - if i == y { 1.0 } else { 0.0 })).collect();
        for (i, expected) in softmax(&moved).into_iter().enumerate() {
            prop_assert!((outcome.after[i] - expected).abs() < BALANCE);
            prop_assert!((outcome.change(i) - (expected - p[i])).abs() < BALANCE);
        }
        prop_assert_eq!(outcome.fell(y), push_down);
        prop_assert_eq!(outcome.rose(y), !push_down);
        let signed_line = outcome.break_even * if push_down { 1.0 } else { -1.0 };
        prop_assert!((signed_line * eta - outcome.z.ln()).abs() < 1e-9);
    }
}

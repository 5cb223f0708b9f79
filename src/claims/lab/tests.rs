//! Q1–Q5 over random cases, and that the checks see a step that breaks them.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use super::*;
use crate::claims::{Checked, Verdict, table};

fn all() -> Vec<String> {
    CLAIMS.map(|(id, _)| id.to_owned()).into()
}

#[test]
fn no_case_of_twenty_thousand_violates_a_claim() {
    let results = check(&LabSettings::default(), &all(), &[7]);
    for claim in &results {
        assert_eq!((claim.verdict, claim.figures[0].pooled.value), (Verdict::Holds, 0.0), "{claim:#?}");
        assert_eq!(claim.figures[0].pooled.n, CASES);
    }
    let checked = Checked { experiment: "squeeze_lab".to_owned(), seeds: vec![7], baseline: None, claims: results };
    let text = table(&[checked], 110);
    assert!(text.contains("violations: 0 of 20000"), "{text}");
    assert!(text.contains("bystanders that fall here: 45 of 48"), "{text}");
    assert!(text.contains("bystanders that fall from uniform: 0 of 48"), "{text}");
    assert!(text.ends_with("* gates: 5 of 5 hold\n"), "{text}");
}

#[test]
fn only_what_is_named_gates() {
    let results = check(&LabSettings::default(), &["Q2".to_owned()], &[]);
    let gates: Vec<_> = results.iter().filter(|r| r.gates).map(|r| r.id).collect();
    assert_eq!(gates, ["Q2"]);
    assert!(results.iter().all(|r| r.verdict == if r.gates { Verdict::Holds } else { Verdict::Reported }));
}

/// Steps that are no push-down, no deeper valley, no larger η′ are found out.
#[test]
fn the_checks_can_fail() {
    let violated = |change: fn(Case) -> Case| {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let found = (0..2000).map(|_| change(Case::random(&mut rng)).check().unwrap().0);
        found.fold([0; 5], |sum: [usize; 5], v| std::array::from_fn(|i| sum[i] + usize::from(v[i])))
    };
    let pulled = violated(|case| Case { step: Step { push_down: false, ..case.step }, ..case });
    assert!(pulled.iter().all(|&n| n > 200), "{pulled:?}");
    let reversed = violated(|case| Case { deeper: -case.deeper, larger: 1.0 / case.larger, ..case });
    assert!(reversed[3] > 200 && reversed[4] > 200, "a shallower valley and a smaller step: {reversed:?}");
    assert_eq!(reversed[..3], [0; 3]);
}

/// The paper's own words, "and the probability of y* increases more", at one and the same p.
#[test]
fn y_star_gains_less_from_the_deeper_of_two_valleys() {
    let counts = violations(3).unwrap();
    assert!(counts.pairs > CASES / 2);
    assert_eq!(counts.star_gains_more, 0);
}

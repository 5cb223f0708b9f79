//! The prompts into which an answer leaks: how far each prompt's own response of a kind moved.
//!
//! For `irr_train` that is the paper's first hallucination: the chosen answer of question B becomes likelier as an answer to
//! question A, because B was trained on.

use super::series::CurveId;
use super::store::RunHistory;

/// Prompts and how far their response moved between the first evaluation at or after `since` and the last one at or before
/// `step`, nats, largest rise first; prompts without a number are left out.
pub fn ranked(history: &RunHistory, curve: CurveId, since: u64, step: u64) -> Vec<(usize, f64)> {
    let after = history.evaluations.partition_point(|e| e.step <= step);
    let from = history.evaluations.partition_point(|e| e.step < since);
    let first = history.evaluations[from..].iter().find_map(|e| curve.values(e));
    let last = history.evaluations[..after].iter().rev().find_map(|e| curve.values(e));
    let (Some(first), Some(last)) = (first, last) else { return Vec::new() };
    let change = |(&before, &now): (&f32, &f32)| f64::from(now) - f64::from(before);
    let mut changes: Vec<(usize, f64)> = first.iter().zip(last).map(change).enumerate().collect();
    changes.retain(|(_, change)| change.is_finite());
    changes.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    changes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::fixture::{evaluation, history, run, stage};
    use crate::protocol::{ProbeKind, TrainerEvent};

    #[test]
    fn the_largest_rise_comes_first_and_gaps_are_left_out() {
        let curve = CurveId::Probe(ProbeKind::IrrTrain);
        let at = |step, values: [f32; 4]| {
            let mut e = evaluation(4, 0, step, &[], 0.0);
            e.logps.insert(ProbeKind::IrrTrain, values.to_vec());
            TrainerEvent::from(e)
        };
        let history = history(&[
            TrainerEvent::RunStarted(Box::new(run(4, 0, vec![stage("SFT", false, 9)]))),
            at(0, [-10.0, -10.0, -10.0, -10.0]),
            at(4, [-9.0, -12.0, -4.0, f32::NAN]),
            at(8, [-1.0, -12.0, -4.0, f32::NAN]),
        ]);
        assert_eq!(ranked(&history, curve, 0, 5), [(2, 6.0), (0, 1.0), (1, -2.0)]);
        assert_eq!(ranked(&history, curve, 0, 8), [(0, 9.0), (2, 6.0), (1, -2.0)]);
        assert_eq!(ranked(&history, curve, 4, 8), [(0, 8.0), (1, 0.0), (2, 0.0)]);
        assert_eq!(ranked(&RunHistory::default(), curve, 0, 8), []);
    }
}

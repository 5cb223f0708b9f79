//! F4: who raised the answers of other questions.

use super::claim::{ClaimResult, Figure, Unit, result};
use crate::history::stats::{mean, stratified_mean};
use crate::protocol::{Contribution, Influence};

/// Whether other pairs than a prompt's own raised the answer of another question under it. `runs` are seeds with what moved
/// the hallucination probe of some prompts, in one window.
pub fn leak(runs: &[(u64, Vec<Influence>)]) -> ClaimResult {
    let statement = "SFT: the rise of irr_train under a prompt is carried by other pairs than the prompt's own";
    let figure = |label: &str, of: fn(&Influence) -> f64| {
        let strata: Vec<Vec<f64>> = runs.iter().map(|(_, all)| all.iter().map(of).collect()).collect();
        let per_seed = runs.iter().zip(&strata).map(|((seed, _), values)| (*seed, mean(values))).collect();
        Figure { label: label.to_owned(), unit: Unit::Nats, pooled: stratified_mean(&strata), per_seed }
    };
    if runs.iter().all(|(_, all)| all.is_empty()) {
        return result("F4", statement, false, Err("no prompt's irr_train was asked about".to_owned()));
    }
    let over = figure("other pairs over its own", |i| sum(i, |c| !c.own) - sum(i, |c| c.own));
    let rise = figure("irr_train", |i| i.measured);
    let holds = over.rises() && rise.rises();
    let figures = vec![
        over,
        rise,
        figure("by its own pair", |i| sum(i, |c| c.own)),
        figure("by the pair whose answer it is", |i| sum(i, |c| c.same_answer && !c.own)),
        figure("by all other pairs", |i| sum(i, |c| !c.same_answer && !c.own)),
        figure("left", |i| i.measured - i.carried - i.decay - sum(i, |_| true)),
    ];
    result("F4", statement, false, Ok((holds, figures)))
}

/// What some of the examples did, nats.
fn sum(influence: &Influence, which: fn(&Contribution) -> bool) -> f64 {
    influence.examples.iter().filter(|c| which(c)).map(Contribution::net).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claims::Verdict;
    use crate::protocol::{ProbeKind, Question};

    fn example(own: bool, same_answer: bool, pull: f64) -> Contribution {
        let (prompt, chosen, rejected) = (String::new(), String::new(), None);
        Contribution { example: 0, times: 1, own, same_answer, pull, push: 0.0, prompt, chosen, rejected }
    }

    fn influence(examples: Vec<Contribution>) -> Influence {
        let measured = examples.iter().map(Contribution::net).sum::<f64>() + 0.5;
        let question = Question { kind: ProbeKind::IrrTrain, prompt: Some(0), since: 0, until: 8 };
        Influence { question, stage: "SFT".to_owned(), answers: 1, measured, carried: 0.5, decay: 0.0, examples }
    }

    #[test]
    fn what_its_own_pair_did_is_set_against_what_the_others_did() {
        let of = |own: f64| {
            influence(vec![example(true, false, own), example(false, true, 3.0), example(false, false, 1.0)])
        };
        let claim = leak(&[(1, vec![of(-0.5), of(-1.5)]), (2, vec![of(-1.0), of(-1.0)])]);
        assert_eq!((claim.id, claim.verdict, claim.gates), ("F4", Verdict::Reported, false));
        let values: Vec<f64> = claim.figures.iter().map(|f| f.pooled.value).collect();
        let expected = [5.0, 3.5, -1.0, 3.0, 1.0, 0.0];
        assert!(values.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-12), "{values:?}");
        assert_eq!(claim.figures[0].per_seed, [(1, 5.0), (2, 5.0)]);
        assert_eq!(leak(&[(1, Vec::new())]).verdict, Verdict::NotApplicable);
    }
}

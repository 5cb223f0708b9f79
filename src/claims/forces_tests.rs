//! Runs whose changes were taken apart: what each claim about pull and push needs.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;
use crate::protocol::{ForceParts, Forces, MetricKey, StepMetrics};

/// A run of one stage of DPO with two windows, 20 steps each. By the end, y⁺ and the answers that nobody trains were moved
/// by `pull` and `push`; of every change the residual is the share `left`.
#[derive(Clone, Copy)]
struct Shape {
    pull: f32,
    push: f32,
    left: f32,
}

const SQUEEZED: Shape = Shape { pull: 30.0, push: -40.0, left: 0.01 };

fn one(name: &str, seed: u64, on_policy: bool, shape: Shape) -> RunHistory {
    let mut history = RunHistory::default();
    let mut stages = vec![stage("DPO", true, 40)];
    stages[0].on_policy = on_policy;
    let baseline = on_policy.then(|| "baseline".to_owned());
    let claims = ["F1", "F2", "F3"].map(str::to_owned).to_vec();
    let started = RunStarted { experiment: name.to_owned(), baseline, claims, ..run(PAIRS, seed, stages) };
    history.apply(&TrainerEvent::RunStarted(Box::new(started)));
    history.apply(&TrainerEvent::StageStarted { stage: 0, step: 0 });
    history.apply(&TrainerEvent::Evaluation(Arc::new(evaluation(PAIRS, 0, 0, &[], -20.0))));
    for step in 1..=40 {
        let metrics = [(MetricKey::REWARDS_MARGINS, 0.02 * step as f64)].into_iter().collect();
        history.apply(&TrainerEvent::Step(StepMetrics { step, stage: 0, metrics }));
        if step % 20 == 0 {
            history.apply(&TrainerEvent::Evaluation(Arc::new(evaluation(PAIRS, 0, step, &[], -20.0))));
            history.apply(&TrainerEvent::Forces(Box::new(window(step, seed, shape))));
        }
    }
    history
}

/// Half of what the run comes to, a little different from prompt to prompt.
fn window(step: u64, seed: u64, shape: Shape) -> Forces {
    let noise = |prompt: usize| 1.0 + 0.1 * ((prompt as u64 * 5 + seed) % 7) as f32;
    let of = |x: f32| (0..4).map(|prompt| 0.5 * x * noise(prompt)).collect::<Vec<f32>>();
    let parts = ForceParts {
        measured: of((shape.pull + shape.push) / (1.0 - shape.left)),
        pull: of(shape.pull),
        push: of(shape.push),
        decay: Vec::new(),
    };
    let kinds: BTreeMap<_, _> = Probe::ALL.iter().map(|&kind| (kind, parts.clone())).collect();
    Forces { step, stage: 0, since: step - 20, nodes: 2, tolerance: 0.05, kinds }
}

fn verdict(runs: &[RunHistory], id: &str) -> ClaimResult {
    let checked = check(runs);
    of(&checked[0].claims, id).clone()
}

fn off_policy(shape: Shape) -> Vec<RunHistory> {
    (1..4).map(|seed| one("baseline", seed, false, shape)).collect()
}

#[test]
fn forces_that_explain_the_change_hold_and_others_do_not() {
    let f1 = verdict(&off_policy(SQUEEZED), "F1");
    assert_eq!(f1.verdict, Verdict::Holds, "{f1:?}");
    assert!((f1.figures[1].pooled.value - 0.01).abs() < 1e-3 && f1.figures[1].pooled.n == 12, "{f1:?}");
    // Every window is within its bound, and their sum is not.
    let f1 = verdict(&off_policy(Shape { left: 0.03, ..SQUEEZED }), "F1");
    assert!(f1.verdict == Verdict::Fails && f1.figures[0].pooled.value == 1.0, "{f1:?}");
    let f1 = verdict(&off_policy(Shape { left: 0.06, ..SQUEEZED }), "F1");
    assert!(f1.verdict == Verdict::Fails && f1.figures[0].pooled.value == 0.0, "{f1:?}");
}

#[test]
fn the_push_on_bystanders_is_held_against_the_pull() {
    let f2 = verdict(&off_policy(SQUEEZED), "F2");
    assert_eq!(f2.verdict, Verdict::Holds, "{f2:?}");
    let [net, pull, push] = [0, 1, 2].map(|n| f2.figures[n].pooled.value);
    assert!(net > 10.0 && (net + push + pull).abs() < 1e-4, "{f2:?}");
    assert_eq!(verdict(&off_policy(Shape { push: -20.0, ..SQUEEZED }), "F2").verdict, Verdict::Fails);
    let none = verdict(&runs(&[true], |_, _, _| ()), "F2");
    assert_eq!(none.note.as_deref(), Some("forces were not measured"));
}

#[test]
fn on_policy_both_forces_are_weaker_only_where_both_are() {
    let against = |shape: Shape| {
        let mut runs: Vec<_> = (1..4).map(|seed| one("run", seed, true, shape)).collect();
        runs.extend(off_policy(SQUEEZED));
        verdict(&runs, "F3")
    };
    let f3 = against(Shape { pull: 20.0, push: -10.0, left: 0.01 });
    assert_eq!(f3.verdict, Verdict::Holds, "{f3:?}");
    assert!(f3.figures[0].pooled.value < -8.0 && f3.figures[1].pooled.value < -25.0, "{f3:?}");
    assert_eq!(against(Shape { pull: 35.0, push: -10.0, left: 0.01 }).verdict, Verdict::Fails);
    assert_eq!(against(Shape { pull: 20.0, push: -45.0, left: 0.01 }).verdict, Verdict::Fails);
}

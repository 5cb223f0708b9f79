//! Forces against PyTorch's, against the change that was measured, and against a training without them.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::path::Path;

use crossbeam_channel::never;
use serde::Deserialize;

use super::job::train_on;
use crate::backend::TestBackend;
use crate::experiment::Experiment;
use crate::protocol::{Evaluation, ForceParts, Forces, ProbeKind, TrainerEvent};

/// What is recorded of an experiment's run.
fn recorded(text: &str) -> Vec<TrainerEvent> {
    let experiment = Experiment::parse(Path::new("test.ron"), text, &[]).unwrap_or_else(|e| panic!("{e}\n{text}"));
    let mut events = Vec::new();
    let mut sink = |event: &TrainerEvent| {
        events.extend(event.is_recorded().then(|| event.clone()));
        Ok(())
    };
    train_on::<TestBackend>(&experiment, &Default::default(), "test", None, &mut sink, &never()).unwrap();
    events
}

fn forces(events: &[TrainerEvent]) -> Vec<&Forces> {
    events.iter().filter_map(|e| if let TrainerEvent::Forces(f) = e { Some(f.as_ref()) } else { None }).collect()
}

fn evaluation(events: &[TrainerEvent], step: u64) -> &Evaluation {
    let evaluations = events.iter().filter_map(|e| if let TrainerEvent::Evaluation(e) = e { Some(e) } else { None });
    evaluations.into_iter().find(|e| e.step == step).unwrap()
}

/// Root mean squares of residual and change.
fn closure(forces: &Forces) -> (f64, f64) {
    let (mut residual, mut change, mut answers) = (0.0, 0.0, 0.0);
    for ForceParts { measured, pull, push, decay } in forces.kinds.values() {
        for (prompt, &measured) in measured.iter().enumerate().filter(|(_, m)| !m.is_nan()) {
            let parts = [pull, push, decay].map(|part| part.get(prompt).map_or(0.0, |&x| f64::from(x)));
            let measured = f64::from(measured);
            residual += (measured - parts.iter().sum::<f64>()).powi(2);
            change += measured.powi(2);
            answers += 1.0;
        }
    }
    ((residual / answers).sqrt(), (change / answers).sqrt())
}

#[derive(Deserialize)]
struct Golden {
    adamw: Window,
    rmsprop: Window,
    sgd: Window,
}

/// One number an answer: of each pair's chosen, then of each pair's rejected.
#[derive(Deserialize)]
struct Window {
    measured: Vec<f64>,
    pull: Vec<f64>,
    push: Vec<f64>,
    decay: Vec<f64>,
}

/// Made by `tests/golden/forces.py`, which says what is trained.
#[test]
fn pull_and_push_are_pytorchs() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let expected: Golden = serde_json::from_str(&std::fs::read_to_string(golden.join("forces.json")).unwrap()).unwrap();
    for (optimizer, rate, expected) in [
        ("adamw(beta_1: 0.9, beta_2: 0.95, weight_decay: 0.05)", 1e-4, expected.adamw),
        ("rmsprop(alpha: 0.99)", 3e-5, expected.rmsprop),
        ("sgd", 3e-3, expected.sgd),
    ] {
        let events = recorded(&format!(
            "(name: \"golden\", data: preferences(train: {:?}), forces: (prompts: 2, nodes: 4),
              probes: (prompts: 2, greedy: 0, kinds: [chosen, rejected]),
              stages: [(name: \"DPO\", objective: sigmoid(beta: 0.1), steps: 8, batch_size: 2, evaluate_every: 4,
                        learning_rate: {rate:e}, max_grad_norm: 10.0, optimizer: {optimizer})])",
            golden.join("pairs.jsonl")
        ));
        let forces = forces(&events);
        assert_eq!(forces.iter().map(|f| (f.since, f.step)).collect::<Vec<_>>(), [(0, 4), (4, 8)]);
        let window = forces[1];
        let found = |part: fn(&ForceParts) -> &Vec<f32>| {
            [ProbeKind::Chosen, ProbeKind::Rejected].map(|kind| part(&window.kinds[&kind]).clone()).concat()
        };
        let compare = |name: &str, found: Vec<f32>, expected: &[f64], within: f64| {
            assert_eq!(found.len(), expected.len(), "{optimizer}: {name}");
            for (&found, &expected) in found.iter().zip(expected) {
                let off = (f64::from(found) - expected).abs();
                assert!(off <= within * expected.abs(), "{optimizer}: {name} is {found}, PyTorch's {expected}");
            }
        };
        compare("the change", found(|p| &p.measured), &expected.measured, 1e-3);
        compare("pull", found(|p| &p.pull), &expected.pull, 1e-3);
        compare("push", found(|p| &p.push), &expected.push, 1e-3);
        if optimizer.starts_with("adamw") {
            // Of some thousandths of a nat, rounding leaves one digit.
            for (found, expected) in found(|p| &p.decay).into_iter().zip(&expected.decay) {
                assert!((f64::from(found) - expected).abs() < 1e-3, "decay is {found}, PyTorch's {expected}");
            }
        } else {
            assert!(found(|p| &p.decay).is_empty());
        }
    }
}

/// An experiment with or without forces: fields of the experiment, fields of its only stage.
fn experiment(more: &str, stage: &str, forces: bool) -> String {
    let forces = if forces { "forces: (prompts: 2)," } else { "" };
    format!(
        "(name: \"test\", seed: 3, {more} {forces} data: world(train: 16, held_out: 4),
          probes: (prompts: 3, greedy: 1, max_new_tokens: 8),
          stages: [(name: \"T\", steps: 4, evaluate_every: 2, batch_size: 4, {stage})])"
    )
}

const LORA: &str = "lora: (rank: 4, targets: [query, value, down]),";

#[test]
fn the_parts_add_up_to_the_change_and_measuring_them_changes_nothing() {
    for (more, stage) in [
        ("", "objective: sigmoid(), learning_rate: 1e-4, max_grad_norm: 0.1"),
        ("", "objective: sigmoid(nll: 0.1), learning_rate: 1e-4, optimizer: adamw(weight_decay: 0.1)"),
        ("", "objective: ipo(), learning_rate: 2e-5, optimizer: rmsprop(), gradient_checkpointing: true"),
        ("", "objective: simpo(), learning_rate: 1e-3, optimizer: sgd, gradient_accumulation_steps: 2"),
        ("", "objective: sft_extended, learning_rate: 3e-4"),
        ("", "objective: sigmoid(), learning_rate: 1e-4, on_policy: (every: 1, max_new_tokens: 8)"),
        (LORA, "objective: sigmoid(), learning_rate: 1e-3, gradient_checkpointing: true"),
    ] {
        let (with, without) = (recorded(&experiment(more, stage, true)), recorded(&experiment(more, stage, false)));
        let lines = |events: &[TrainerEvent]| {
            let others = events.iter().filter(|e| !matches!(e, TrainerEvent::Forces(_)));
            others.map(|e| serde_json::to_string(e).unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(lines(&with), lines(&without), "{more} {stage}");
        assert!(forces(&without).is_empty());
        let forces = forces(&with);
        assert_eq!(forces.iter().map(|f| (f.stage, f.since, f.step)).collect::<Vec<_>>(), [(0, 0, 2), (0, 2, 4)]);
        for forces in forces {
            let (residual, change) = closure(forces);
            assert!(change > 1e-3, "{more} {stage}: nothing moved");
            assert!(residual <= 0.05 * change, "{more} {stage}: {residual} of {change} is left");
            let (before, after) = (evaluation(&with, forces.since), evaluation(&with, forces.step));
            for (kind, parts) in &forces.kinds {
                assert_eq!(parts.decay.is_empty(), !stage.contains("weight_decay"));
                assert_eq!((parts.pull.len(), parts.push.len()), (2, 2), "{kind}");
                for (prompt, &measured) in parts.measured.iter().enumerate() {
                    let by = after.logps[*kind][prompt] - before.logps[*kind][prompt];
                    assert!(
                        (measured - by).abs() < 1e-4 || measured.is_nan() && by.is_nan(),
                        "{kind}: {measured} {by}"
                    );
                }
            }
            // Neither half did it alone.
            let of_rejected = &forces.kinds[&ProbeKind::Rejected];
            assert!(of_rejected.pull.iter().chain(&of_rejected.push).all(|&x| x != 0.0), "{more} {stage}");
        }
    }
}

#[test]
fn what_is_only_learnt_is_only_pulled() {
    let events = recorded(&experiment("", "objective: sft, learning_rate: 3e-4", true));
    for forces in forces(&events) {
        assert_eq!(forces.nodes, 0);
        for parts in forces.kinds.values() {
            assert!(parts.push.is_empty() && parts.decay.is_empty());
            assert!(parts.pull.iter().map(|x| x.to_bits()).eq(parts.measured.iter().map(|x| x.to_bits())));
        }
    }
    // With weight decay the pull is integrated, and is what decay leaves of the change.
    let stage = "objective: sft, learning_rate: 3e-4, optimizer: adamw(weight_decay: 0.1)";
    let events = recorded(&experiment("", stage, true));
    for forces in forces(&events) {
        assert!(forces.nodes >= 2);
        let (residual, change) = closure(forces);
        assert!(change > 0.1 && residual <= 0.05 * change, "{residual} of {change} is left");
        assert!(forces.kinds.values().all(|parts| parts.push.is_empty() && !parts.decay.is_empty()));
    }
}

#[test]
fn the_answers_of_prompts_beyond_the_observed_ones_are_not_missed() {
    let text = experiment("", "objective: sigmoid(), learning_rate: 1e-4", true).replace("prompts: 2)", "prompts: 99)");
    for forces in forces(&recorded(&text)) {
        assert!(forces.kinds.values().all(|parts| parts.measured.len() == 3), "all there are");
    }
}

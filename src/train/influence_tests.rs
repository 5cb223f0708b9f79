//! Influence by example against PyTorch's, and against the change that was measured.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::io::Cursor;
use std::path::Path;

use crossbeam_channel::never;
use serde::Deserialize;

use super::inquire::{Asked, inquire_on};
use super::job::train_on;
use super::kernels::{Map, Pair};
use super::looks::Where;
use super::sink::EventSink;
use super::state::{SavedState, TrainerState};
use super::who::Who;
use crate::backend::TestBackend;
use crate::error::Result;
use crate::experiment::Experiment;
use crate::history::RunHistory;
use crate::protocol::{Influence, ProbeKind, Question, RunPhase, TrainerEvent};

fn experiment(text: &str) -> Experiment {
    Experiment::parse(Path::new("test.ron"), text, &[]).unwrap_or_else(|e| panic!("{e}\n{text}"))
}

/// What is recorded of an experiment's run.
fn recorded(experiment: &Experiment) -> RunHistory {
    let mut history = RunHistory::default();
    let mut sink = |event: &TrainerEvent| {
        history.apply(event);
        Ok(())
    };
    train_on::<TestBackend>(experiment, &Default::default(), "test", None, &mut sink, &never()).unwrap();
    history
}

fn ask(experiment: &Experiment, history: &RunHistory, question: Question) -> Result<Influence> {
    let asked = Asked { experiment, history, saved: None };
    let silent = &mut |_: &TrainerEvent| Ok(());
    let answers = inquire_on::<TestBackend, _>(asked, Who(&[question]), (&Default::default(), "test"), silent)?;
    Ok(answers.into_iter().next().unwrap())
}

fn question(kind: ProbeKind, prompt: Option<usize>, since: u64, until: u64) -> Question {
    Question { kind, prompt, since, until }
}

#[derive(Deserialize)]
struct Golden {
    adamw: Window,
    rmsprop: Window,
    sgd: Window,
}

/// Shares have one number a pair.
#[derive(Deserialize)]
struct Window {
    measured: f64,
    pull: Vec<f64>,
    push: Vec<f64>,
    carried: f64,
    decay: f64,
}

/// Made by `tests/golden/influence.py`, which says what is trained.
#[test]
fn shares_are_pytorchs() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let text = std::fs::read_to_string(golden.join("influence.json")).unwrap();
    let expected: Golden = serde_json::from_str(&text).unwrap();
    for (optimizer, rate, expected) in [
        ("adamw(beta_1: 0.9, beta_2: 0.95, weight_decay: 0.05)", 1e-5, expected.adamw),
        ("rmsprop(alpha: 0.99)", 3e-6, expected.rmsprop),
        ("sgd", 3e-4, expected.sgd),
    ] {
        let experiment = experiment(&format!(
            "(name: \"golden\", data: preferences(train: {:?}),
              probes: (prompts: 2, greedy: 0, kinds: [chosen, rejected]),
              stages: [(name: \"DPO\", objective: sigmoid(beta: 0.1), steps: 8, batch_size: 2, evaluate_every: 4,
                        learning_rate: {rate:e}, max_grad_norm: 10.0, optimizer: {optimizer})])",
            golden.join("pairs.jsonl")
        ));
        let history = recorded(&experiment);
        let found = ask(&experiment, &history, question(ProbeKind::Chosen, Some(0), 4, 8)).unwrap();
        let near = |what: &str, found: f64, expected: f64| {
            let off = (found - expected).abs();
            assert!(off <= 1e-3 * expected.abs().max(1.0), "{optimizer}: {what} is {found}, PyTorch's {expected}");
        };
        near("the change", found.measured, expected.measured);
        near("carried in", found.carried, expected.carried);
        near("decay", found.decay, expected.decay);
        assert_eq!(found.examples.len(), 2);
        for example in &found.examples {
            assert_eq!(example.times, 4);
            near("pull", example.pull, expected.pull[example.example]);
            near("push", example.push, expected.push[example.example]);
        }
        assert!(found.residual().abs() < 1e-3, "{optimizer}: {} is left", found.residual());
    }
}

/// A short experiment: fields of the experiment, its stages.
fn short(more: &str, stages: &str) -> Experiment {
    experiment(&format!(
        "(name: \"test\", seed: 3, {more} data: world(train: 16, held_out: 4),
          probes: (prompts: 3, greedy: 0, max_new_tokens: 8), stages: [{stages}])"
    ))
}

const STAGE: &str = "steps: 6, evaluate_every: 3, batch_size: 4";

#[test]
fn the_shares_add_up_to_the_change() {
    let sft = |optimizer: &str| format!("(name: \"SFT\", objective: sft, {STAGE}, learning_rate: 3e-4, {optimizer})");
    let dpo = |more: &str| format!("(name: \"DPO\", objective: sigmoid(), {STAGE}, {more})");
    let momentum = "learning_rate: 1e-4, max_grad_norm: 0.1, optimizer: adamw(beta_1: 0.9)";
    for (more, stages, since, until) in [
        ("", sft(""), 0, 6),
        ("", sft("optimizer: adamw(beta_1: 0.0, weight_decay: 0.1)"), 3, 6),
        ("", dpo(momentum), 3, 6),
        ("", dpo("learning_rate: 1e-4, optimizer: adamw(beta_1: 0.0), gradient_checkpointing: true"), 2, 5),
        ("", dpo("learning_rate: 2e-5, optimizer: rmsprop(), gradient_accumulation_steps: 2"), 0, 6),
        ("", dpo("learning_rate: 1e-3, optimizer: sgd, max_grad_norm: 1.0"), 3, 6),
        ("", dpo("learning_rate: 1e-4, on_policy: (every: 2, max_new_tokens: 8)"), 1, 5),
        ("", format!("{}, {}", sft(""), dpo(momentum)), 9, 12),
        ("lora: (rank: 4, targets: [query, value, down]),", dpo("learning_rate: 1e-3"), 3, 6),
    ] {
        let experiment = short(more, &stages);
        let history = recorded(&experiment);
        // Of one prompt, and in the mean.
        let (kind, prompt) =
            if stages.contains("SFT") { (ProbeKind::Chosen, Some(1)) } else { (ProbeKind::IrrTrain, None) };
        let found = ask(&experiment, &history, question(kind, prompt, since, until)).unwrap();
        assert!(found.measured.abs() > 1e-3, "{stages}: nothing moved");
        assert!(found.residual().abs() < 1e-3, "{stages}: {} of {} is left", found.residual(), found.measured);
        let averages = !["beta_1: 0.0", "rmsprop", "sgd,"].iter().any(|rule| stages.contains(rule));
        let begins = since == 0 || stages.contains("SFT") && since == 6;
        assert_eq!(found.carried != 0.0, averages && !begins, "{stages}: {}", found.carried);
        assert_eq!(found.decay != 0.0, stages.contains("weight_decay"));
        let learnt: usize = found.examples.iter().map(|c| c.times).sum();
        let batch = if stages.contains("accumulation") { 8 } else { 4 };
        assert_eq!(learnt as u64, batch * (until - since));
        let pushes = stages.contains("DPO");
        assert!(found.examples.iter().all(|c| (c.push != 0.0) == pushes && c.rejected.is_some() == pushes));
        assert!(found.examples.iter().all(|c| c.pull != 0.0));
    }
}

#[test]
fn who_is_meant_is_told() {
    let experiment = short("", &format!("(name: \"SFT\", objective: sft, {STAGE}, learning_rate: 3e-4)"));
    let history = recorded(&experiment);
    let found = ask(&experiment, &history, question(ProbeKind::IrrTrain, Some(0), 0, 6)).unwrap();
    let run = history.run.as_ref().unwrap();
    let probe = &run.probes[0];
    let answer = &probe.responses[&ProbeKind::IrrTrain].text;
    for example in &found.examples {
        assert_eq!(example.own, example.prompt.trim() == probe.prompt.trim(), "{}", example.prompt);
        assert_eq!(example.same_answer, example.chosen.trim() == answer.trim(), "{}", example.chosen);
    }
    assert!(found.examples.is_sorted_by(|a, b| a.strength() >= b.strength()));
}

#[test]
fn a_question_that_is_not_about_the_run_is_refused() {
    let stages = format!(
        "(name: \"SFT\", objective: sft, {STAGE}, learning_rate: 3e-4), (name: \"MORE\", objective: sft, {STAGE}, learning_rate: 3e-4)"
    );
    let experiment = short("", &stages);
    let history = recorded(&experiment);
    let refused = |question, part: &str| {
        let error = ask(&experiment, &history, question).unwrap_err();
        assert_eq!(error.exit_status(), 2);
        assert!(error.to_string().contains(part), "{error}");
    };
    refused(question(ProbeKind::Chosen, None, 3, 9), "must lie within one stage: SFT has the steps 0..6");
    refused(question(ProbeKind::Chosen, None, 3, 3), "has no step");
    refused(question(ProbeKind::Chosen, None, 3, 13), "the window ends at step 13, and the run has 12 steps");
    refused(question(ProbeKind::Chosen, Some(7), 0, 3), "prompt 8 has no answer chosen that is observed in this run");
    // Another learning rate is another run, from the step after which it has done something.
    let other = short("", &stages.replace("3e-4", "6e-4"));
    let error = ask(&other, &history, question(ProbeKind::Chosen, None, 0, 6)).unwrap_err().to_string();
    assert!(error.contains("cannot be taken up again as it was: at step 2 the loss is "), "{error}");
    // So is another seed, from its first word on.
    let other = Experiment { seed: 4, ..experiment.clone() };
    let error = ask(&other, &history, question(ProbeKind::Chosen, None, 0, 6)).unwrap_err().to_string();
    assert!(error.contains("the observed prompts and answers are others"), "{error}");
}

/// The log-probs at the window's ends are those that were recorded, and so is where the answer lost most.
#[test]
fn an_answer_is_looked_at_token_by_token() {
    let experiment = short("", &format!("(name: \"DPO\", objective: sigmoid(), {STAGE}, learning_rate: 1e-4)"));
    let history = recorded(&experiment);
    let silent = &mut |_: &TrainerEvent| Ok(());
    let look = |question| {
        let asked = Asked { experiment: &experiment, history: &history, saved: None };
        let silent = &mut |_: &TrainerEvent| Ok(());
        inquire_on::<TestBackend, _>(asked, Where(question), (&Default::default(), "test"), silent)
    };
    let seen = look(question(ProbeKind::Rejected, Some(1), 3, 6)).unwrap();
    let level = |step| {
        let evaluation = history.evaluations.iter().find(|e| e.step == step).unwrap();
        f64::from(evaluation.logps[ProbeKind::Rejected][1])
    };
    let change: f64 = seen.looks.iter().map(|look| look.change).sum();
    assert!((change - (level(6) - level(3))).abs() < 1e-3 && change < 0.0, "{change}");
    for look in &seen.looks {
        assert!(
            (look.before.iter().sum::<f64>() - 1.0).abs() < 1e-6 && (look.after.iter().sum::<f64>() - 1.0).abs() < 1e-6
        );
        assert!((0.0..=1.0).contains(&look.as_predicted));
    }
    assert!(look(question(ProbeKind::Rejected, None, 3, 6)).is_err_and(|e| e.exit_status() == 2));
    // The factors, after all of it and before.
    for step in [0, 6] {
        let asked = Asked { experiment: &experiment, history: &history, saved: None };
        let alike = Pair { question: question(ProbeKind::Chosen, Some(0), step, step), example: 2 };
        let told = inquire_on::<TestBackend, _>(asked, alike, (&Default::default(), "test"), silent).unwrap();
        assert_eq!(told.learnt.len(), 2);
        for (_, factors) in &told.learnt {
            assert!(factors.slope.abs() <= factors.adaptation * factors.kernel.high * factors.residual);
            assert!(factors.kernel.low > 0.0 && factors.cosine.abs() <= 1.0);
        }
    }
    let asked = Asked { experiment: &experiment, history: &history, saved: None };
    let alike = Pair { question: question(ProbeKind::Chosen, Some(0), 3, 3), example: 99 };
    let error = inquire_on::<TestBackend, _>(asked, alike, (&Default::default(), "test"), silent).err().unwrap();
    assert!(error.to_string().contains("--learnt 100: the run learns 16 examples"), "{error}");
    // The map over all prompts and what was learnt last.
    let ask = |map| {
        let asked = Asked { experiment: &experiment, history: &history, saved: None };
        inquire_on::<TestBackend, _>(asked, map, (&Default::default(), "test"), &mut |_: &TrainerEvent| Ok(()))
    };
    let map = Map { kind: ProbeKind::Chosen, step: 6, prompts: 2, examples: 3 };
    let found = ask(map).unwrap();
    assert_eq!((found.observed.len(), found.learnt.len(), found.cells.len()), (2, 6, 2));
    assert!(found.learnt[..3].iter().all(|l| !l.rejected) && found.learnt[3..].iter().all(|l| l.rejected));
    let alike = Pair { question: question(ProbeKind::Chosen, Some(1), 6, 6), example: found.learnt[4].example };
    let asked = Asked { experiment: &experiment, history: &history, saved: None };
    let told = inquire_on::<TestBackend, _>(asked, alike, (&Default::default(), "test"), silent).unwrap();
    let (one, cell) = (&told.learnt[1].1, found.cells[1][4]);
    assert!((cell.slope - one.slope).abs() < 1e-3 * one.slope.abs(), "{} is not {}", cell.slope, one.slope);
    assert!((cell.cosine - one.cosine).abs() < 1e-4);
    assert!(
        cell.interval[0] < one.kernel.high && one.kernel.low < cell.interval[1],
        "{cell:?} is not {:?}",
        one.kernel
    );
    let error = ask(Map { step: 0, ..map }).err().unwrap();
    assert!(error.exit_status() == 2 && error.to_string().contains("nothing is learnt before"), "{error}");
    assert!(ask(Map { step: 7, ..map }).is_err_and(|e| e.to_string().contains("--step 7: the run has 6 steps")));
}

/// A sink that keeps what is recorded, and snapshots as they would be written.
#[derive(Default)]
struct Keeping {
    history: RunHistory,
    snapshots: Vec<Vec<u8>>,
}

impl EventSink for Keeping {
    fn emit(&mut self, event: &TrainerEvent) -> Result<()> {
        self.history.apply(event);
        Ok(())
    }

    fn snapshot(&mut self, state: &TrainerState) {
        let mut bytes = Vec::new();
        state.write(&[], &mut bytes).unwrap();
        assert_eq!(bytes.len() as u64, state.bytes().unwrap());
        self.snapshots.push(bytes);
    }
}

/// A snapshot has nothing of what was measured, and the same answer comes from it as from the beginning.
#[test]
fn from_a_snapshot_the_answer_is_the_same() {
    let more = "forces: (prompts: 1, nodes: 1, tolerance: 0.9), output: (snapshots_mb: 1),";
    for stage in ["on_policy: (every: 2, max_new_tokens: 8)", "optimizer: adamw(weight_decay: 0.1)"] {
        let experiment =
            short(more, &format!("(name: \"DPO\", objective: sigmoid(), {STAGE}, learning_rate: 1e-4, {stage})"));
        let mut kept = Keeping::default();
        train_on::<TestBackend>(&experiment, &Default::default(), "test", None, &mut kept, &never()).unwrap();
        assert_eq!(kept.snapshots.len(), 2, "after both evaluations");
        let has = |name: &[u8]| kept.snapshots[0].windows(name.len()).any(|window| window == name);
        assert!(has(b"moment_1") && !has(b"measured.") && !has(b"moment_1_pull"));
        let place = question(ProbeKind::Chosen, Some(1), 3, 6);
        let anew = ask(&experiment, &kept.history, place).unwrap();
        let saved = SavedState::open(Path::new("snapshot"), Cursor::new(kept.snapshots[0].clone())).unwrap();
        assert_eq!(saved.position().step, 3);
        let asked = Asked { experiment: &experiment, history: &kept.history, saved: Some(saved) };
        let mut steps = Vec::new();
        let mut heard = |event: &TrainerEvent| {
            if let TrainerEvent::Phase { phase: RunPhase::Starting(what), .. } = event {
                steps.push(what.clone());
            }
            Ok(())
        };
        let there =
            inquire_on::<TestBackend, _>(asked, Who(&[place]), (&Default::default(), "test"), &mut heard).unwrap();
        for (found, expected) in there[0].examples.iter().zip(&anew.examples) {
            assert_eq!((found.example, found.times), (expected.example, expected.times), "{stage}");
            assert!((found.net() - expected.net()).abs() < 1e-6, "{stage}: {found:?} is not {expected:?}");
        }
        assert!((there[0].carried - anew.carried).abs() < 1e-6 && there[0].examples.len() == anew.examples.len());
        assert_eq!(steps.iter().filter(|what| what.starts_with("replaying step")).count(), 3, "{steps:?}");
    }
}

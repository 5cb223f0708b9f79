//! The loop for classifiers, on few pictures.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::path::Path;
use std::sync::Arc;

use crossbeam_channel::unbounded;

use super::job::train_on;
use super::sink::EventSink;
use crate::backend::TestBackend;
use crate::error::Result;
use crate::experiment::Experiment;
use crate::protocol::{ClassReading, MetricKey, RunPhase, RunStarted, TrainerCommand, TrainerEvent};

const V: usize = 10;

#[derive(Default)]
struct Kept(Vec<TrainerEvent>);

impl EventSink for Kept {
    fn emit(&mut self, event: &TrainerEvent) -> Result<()> {
        self.0.push(event.clone());
        Ok(())
    }
}

/// An experiment of one stage; `model` and `stage` complete it.
fn experiment(model: &str, stage: &str) -> Result<Experiment> {
    let unclipped = if stage.contains("max_grad_norm") { "" } else { "max_grad_norm: 0.0, " };
    let text = format!(
        "(name: \"test\", seed: 3, model: {model}, data: digits(train: 200, held_out: 100), probes: (prompts: 20),
          stages: [(name: \"T\", objective: sft, optimizer: sgd, {unclipped}{stage})])"
    );
    Experiment::parse(Path::new("test.ron"), &text, &[])
}

fn run(model: &str, stage: &str, commands: &[TrainerCommand]) -> (Vec<TrainerEvent>, Result<()>) {
    let (sender, receiver) = unbounded();
    commands.iter().for_each(|&c| sender.send(c).unwrap());
    drop(sender);
    let mut kept = Kept::default();
    let experiment = experiment(model, stage).unwrap();
    let ended = train_on::<TestBackend>(&experiment, &Default::default(), "flex", None, &mut kept, &receiver);
    (kept.0, ended)
}

fn readings(events: &[TrainerEvent]) -> Vec<Arc<ClassReading>> {
    let reading = |e: &TrainerEvent| match e {
        TrainerEvent::Classes(reading) => Some(Arc::clone(reading)),
        _ => None,
    };
    events.iter().filter_map(reading).collect()
}

fn metric(events: &[TrainerEvent], key: &MetricKey) -> Vec<f64> {
    let of = |e: &TrainerEvent| match e {
        TrainerEvent::Step(step) => step.metrics.get(key).copied(),
        _ => None,
    };
    events.iter().filter_map(of).collect()
}

/// Error of the summed prediction, relative to the change that was measured.
fn prediction_error(before: &ClassReading, after: &ClassReading) -> f64 {
    let measured = after.log_probs.iter().zip(&before.log_probs).map(|(after, before)| f64::from(after - before));
    let (wrong, moved) = measured.zip(&after.predicted).fold((0.0, 0.0), |(wrong, moved), (measured, &predicted)| {
        (wrong + (measured - f64::from(predicted)).abs(), moved + measured.abs())
    });
    wrong / moved
}

#[test]
fn a_perceptron_learns_and_says_how() {
    let (events, ended) = run("mlp([16])", "steps: 120, learning_rate: 0.1, batch_size: 32, evaluate_every: 40", &[]);
    ended.unwrap();
    let started: Option<&RunStarted> = events.iter().find_map(|e| match e {
        TrainerEvent::RunStarted(run) => Some(&**run),
        _ => None,
    });
    let started = started.unwrap();
    assert_eq!((started.classes.len(), started.classes[9].as_str(), started.probes.len()), (V, "9", 0));
    let readings = readings(&events);
    assert_eq!(readings.iter().map(|r| r.step).collect::<Vec<_>>(), [0, 40, 80, 120]);
    let (first, last) = (&readings[0], &readings[3]);
    assert!(first.accuracy < 0.4 && last.accuracy > 0.6, "{} to {}", first.accuracy, last.accuracy);
    assert!(first.influence.iter().chain(&first.predicted).all(|&x| x == 0.0), "nothing was learnt yet");
    for reading in &readings {
        for row in reading.log_probs.chunks_exact(V) {
            assert!(row.iter().all(|&x| x < 0.0));
        }
        for o in 0..V {
            for u in 0..V {
                let (here, there) = (reading.kernel[o * V + u], reading.kernel[u * V + o]);
                assert!(here > 0.0 && (here - there).abs() < 1e-4 * here, "K(o, u) is K(u, o) transposed");
            }
        }
    }
    // Learning from a class makes that class likelier everywhere, most of all where it belongs to begin with.
    assert!((0..V).all(|u| last.influence[u * V + u] > 0.0));
    assert_eq!(
        (0..V).map(|c| last.influence[c * V + c]).collect::<Vec<_>>(),
        (0..V).map(|c| last.influence_on_label[c * V + c]).collect::<Vec<_>>(),
        "on the diagonal the two are one"
    );
    assert_eq!(metric(&events, &MetricKey::NUM_PICTURES).last(), Some(&(120.0 * 32.0)));
    assert_eq!(events.last(), Some(&TrainerEvent::Phase { phase: RunPhase::Finished, step: 120 }));
}

#[test]
fn the_prediction_gets_better_as_steps_get_smaller() {
    let error = |stage: &str, model: &str| {
        let (events, ended) = run(model, stage, &[]);
        ended.unwrap();
        let readings = readings(&events);
        prediction_error(&readings[0], &readings[1])
    };
    let whole = error("steps: 1, batch_size: 20, learning_rate: 0.02", "mlp([16])");
    let half = error("steps: 1, batch_size: 20, learning_rate: 0.01", "mlp([16])");
    assert!(whole < 0.5 && (1.6..2.6).contains(&(whole / half)), "{whole}, then {half}: first order");
    // A clipped step is predicted as the short step that it is.
    let clipped = error("steps: 1, batch_size: 20, learning_rate: 1.0, max_grad_norm: 0.01", "mlp([16])");
    assert!(clipped < 0.2, "{clipped}");
}

#[test]
fn accumulation_is_a_larger_batch() {
    let stage = |batch: usize, slices: usize| {
        format!("steps: 3, learning_rate: 0.1, batch_size: {batch}, gradient_accumulation_steps: {slices}")
    };
    let (whole, sliced) = (run("mlp([8])", &stage(16, 1), &[]).0, run("mlp([8])", &stage(4, 4), &[]).0);
    for key in [MetricKey::LOSS, MetricKey::GRAD_NORM] {
        for (a, b) in metric(&whole, &key).iter().zip(metric(&sliced, &key)) {
            assert!((a - b).abs() < 1e-4 * a.abs(), "{key}: {a} in one batch, {b} in slices");
        }
    }
    let influence = |events: &[TrainerEvent]| readings(events).pop().unwrap().influence.clone();
    for (a, b) in influence(&whole).iter().zip(influence(&sliced)) {
        assert!((a - b).abs() < 1e-3, "{a} in one batch, {b} in slices");
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let recorded = || {
        let events = run("lenet", "steps: 2, learning_rate: 0.01, batch_size: 8", &[]).0;
        events.into_iter().filter(TrainerEvent::is_recorded).collect::<Vec<_>>()
    };
    assert_eq!(recorded(), recorded());
}

#[test]
fn a_diverging_run_fails_and_says_what_to_do() {
    let (events, ended) = run("mlp([16])", "steps: 9, learning_rate: 1e30, batch_size: 8", &[]);
    let message = ended.unwrap_err().to_string();
    assert!(message.contains("learning_rate"), "{message}");
    assert!(!metric(&events, &MetricKey::LOSS).is_empty());
}

#[test]
fn commands_act_between_steps_and_are_acknowledged() {
    use TrainerCommand::{Evaluate, Pause, Resume, Step, Stop};
    let stage = "steps: 3, learning_rate: 0.1, batch_size: 2";
    let (events, ended) = run("mlp([4])", stage, &[Pause, Step, Evaluate, Evaluate, Resume, Stop]);
    ended.unwrap();
    let told: Vec<String> = events
        .iter()
        .skip_while(|e| !matches!(e, TrainerEvent::StageStarted { .. }))
        .filter_map(|e| match e {
            TrainerEvent::Phase { phase: RunPhase::Evaluating, .. } | TrainerEvent::Speed { .. } => None,
            TrainerEvent::Phase { phase, step } => Some(format!("{phase:?} {step}")),
            TrainerEvent::Step(step) => Some(format!("step {}", step.step)),
            TrainerEvent::Classes(reading) => Some(format!("classes {}", reading.step)),
            _ => None,
        })
        .collect();
    assert_eq!(
        told,
        [
            "classes 0",
            "Running 0",
            "Paused 0",
            "Running 0",
            "step 1",
            "Paused 1",
            "classes 1",
            "Paused 1",
            "Paused 1",
            "Running 1",
            "Stopping 1",
            "Stopped 1"
        ]
    );
}

#[test]
fn what_a_classifier_cannot_do_is_said_before_it_is_tried() {
    let parse = |text: &str, set: &str| {
        let text = format!("(name: \"x\", model: mlp([8]), data: digits(held_out: 100), {text})");
        let sets: Vec<String> = if set.is_empty() { Vec::new() } else { vec![set.to_owned()] };
        Experiment::parse(Path::new("x.ron"), &text, &sets).map_err(|e| e.to_string())
    };
    let stage = |more: &str| format!("stages: [(name: \"S\", steps: 1, learning_rate: 0.1, {more})]");
    parse(&stage("objective: sft"), "").unwrap();
    for (more, set, expected) in [
        ("objective: sigmoid()", "", "stages[0].objective: `sigmoid` compares answers, and a picture has one label"),
        ("objective: sft, on_policy: ()", "", "stages[0].on_policy: a classifier writes no answers"),
        ("objective: sft", "output.save_model=true", "output.save_model: a classifier's weights are not written"),
        ("objective: sft", "probes.prompts=9", "probes.prompts: 9 pictures are too few"),
        ("objective: sft", "probes.prompts=201", "or too many\n  write 10 to 200"),
        ("objective: sft", "probes.prompts=110", "11 pictures of each digit are to be observed, and 10 are held out"),
        ("objective: sft", "model=base", "model: a language model cannot look at pictures"),
        ("objective: sft", "model=mlp([0])", "model: a hidden layer has 1 to 4096 units"),
        ("objective: sft", "data=mnist(\"nowhere\")", "data: there is no file nowhere/train-images-idx3-ubyte"),
    ] {
        let error = parse(&stage(more), set).unwrap_err();
        assert!(error.contains(expected), "{error}\nlacks\n{expected}");
    }
}

//! A run that goes on from a saved state emits what the uninterrupted one emits, to the byte, from whichever step.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::io::Cursor;
use std::path::Path;

use burn::tensor::backend::AutodiffBackend;
use crossbeam_channel::never;

use super::job::train_on;
use super::sink::EventSink;
use super::state::{SavedState, TrainerState};
#[cfg(feature = "ndarray")]
use crate::backend::OtherTestBackend;
use crate::backend::TestBackend;
use crate::error::Result;
use crate::experiment::Experiment;
use crate::model::Checkpoint;
use crate::protocol::TrainerEvent;

/// A run directory in memory.
#[derive(Default)]
struct Memory {
    /// The lines of the run file.
    lines: Vec<String>,
    /// Lines written when a state was kept, and the state.
    states: Vec<(usize, Vec<u8>)>,
    saved: Option<SavedState>,
    /// Whether a saved state is still to be taken over.
    waiting: bool,
}

impl Memory {
    fn resuming(saved: &[u8]) -> Self {
        let saved = SavedState::open(Path::new("checkpoint"), Cursor::new(saved.to_vec())).unwrap();
        Self { saved: Some(saved), waiting: true, ..Self::default() }
    }
}

impl EventSink for Memory {
    fn emit(&mut self, event: &TrainerEvent) -> Result<()> {
        if event.is_recorded() && !self.waiting {
            self.lines.push(serde_json::to_string(event).unwrap());
        }
        Ok(())
    }

    fn keep(&mut self, state: &TrainerState) -> Result<()> {
        let mut bytes = Vec::new();
        state.write(&[], &mut bytes).unwrap();
        self.states.push((self.lines.len(), bytes));
        Ok(())
    }

    fn saved(&mut self) -> Option<SavedState> {
        self.saved.take()
    }

    fn resumed(&mut self) -> Result<()> {
        self.waiting = false;
        Ok(())
    }
}

/// An experiment of these stages, each of which is completed with what all have in common.
fn experiment(seed: u64, stages: &[&str]) -> Experiment {
    experiment_with("", seed, stages)
}

/// The same with more fields.
fn experiment_with(more: &str, seed: u64, stages: &[&str]) -> Experiment {
    let common = "batch_size: 2, learning_rate: 1e-3, evaluate_every: 1";
    let stages: String = stages.iter().map(|stage| format!("(name: \"T\", {common}, {stage}),")).collect();
    let text = format!(
        "(name: \"test\", seed: {seed}, {more} data: world(train: 6, held_out: 3),
          probes: (prompts: 2, greedy: 1, max_new_tokens: 4, held_out: 1),
          output: (checkpoint_every: 1), stages: [{stages}])"
    );
    Experiment::parse(Path::new("test.ron"), &text, &[]).unwrap()
}

fn run<B: AutodiffBackend>(experiment: &Experiment, memory: &mut Memory) -> Result<()> {
    train_on::<B>(experiment, &Default::default(), "test", None, memory, &never())
}

/// Runs the experiment, then goes on from every state that was kept; returns those.
fn goes_on_from_every_state<B: AutodiffBackend>(experiment: &Experiment) -> Vec<Vec<u8>> {
    let mut whole = Memory::default();
    run::<B>(experiment, &mut whole).unwrap();
    for (written, state) in &whole.states {
        let mut rest = Memory::resuming(state);
        run::<B>(experiment, &mut rest).unwrap();
        assert!(rest.lines.iter().any(|line| line.contains("\"event\":\"step\"")), "steps were left");
        for (at, (again, expected)) in rest.lines.iter().zip(&whole.lines[*written..]).enumerate() {
            assert_eq!(again, expected, "line {at} after a resumption at line {written}");
        }
        assert_eq!(rest.lines.len(), whole.lines.len() - written, "from line {written} on");
        // What the resumed run keeps is what the uninterrupted one kept.
        let later = whole.states.iter().filter(|(at, _)| at > written).map(|(_, state)| state);
        assert!(rest.states.iter().map(|(_, state)| state).eq(later), "states after line {written}");
    }
    whole.states.into_iter().map(|(_, state)| state).collect()
}

#[test]
fn supervised_finetuning_and_dpo_go_on_from_every_step() {
    let stages = [
        "objective: sft, optimizer: adamw(weight_decay: 0.01), steps: 3, warmup_steps: 2, schedule: cosine(0.1)",
        "objective: sigmoid(beta: 0.1), optimizer: rmsprop(), steps: 3, gradient_accumulation_steps: 2",
        "objective: ipo(), optimizer: sgd, steps: 2",
    ];
    let states = goes_on_from_every_state::<TestBackend>(&experiment(3, &stages));
    assert_eq!(states.len(), 7, "after every step but the last");
}

#[test]
fn forces_go_on_from_every_step() {
    let stages = [
        "objective: sft, optimizer: adamw(weight_decay: 0.01), steps: 1",
        "objective: sigmoid(beta: 0.1), steps: 2, on_policy: (every: 2, max_new_tokens: 6)",
        "objective: ipo(), optimizer: rmsprop(), steps: 1",
    ];
    let forces = "forces: (prompts: 1, nodes: 1, tolerance: 0.9),";
    for (more, stages) in [(forces.to_owned(), &stages[..]), (format!("{forces} lora: (rank: 2),"), &stages[1..2])] {
        let states = goes_on_from_every_state::<TestBackend>(&experiment_with(&more, 3, stages));
        assert!(!states.is_empty());
    }
}

#[test]
fn sampled_answers_go_on_from_every_step() {
    let stages = [
        "objective: sigmoid(), steps: 5, on_policy: (every: 3, max_new_tokens: 6)",
        "objective: simpo(), steps: 2, on_policy: (every: 0, replaces: both, candidates: 2, max_new_tokens: 40)",
    ];
    assert_eq!(goes_on_from_every_state::<TestBackend>(&experiment(4, &stages)).len(), 6);
}

#[test]
fn adapters_go_on_from_every_step_and_are_all_that_is_kept() {
    let stages = [
        "objective: sft, steps: 2, gradient_checkpointing: true, gradient_accumulation_steps: 2",
        "objective: sigmoid(), steps: 3, optimizer: rmsprop(), on_policy: (every: 2, max_new_tokens: 6)",
    ];
    let lora = "lora: (rank: 2, targets: [query, down]), precision: bf16,";
    let states = goes_on_from_every_state::<TestBackend>(&experiment_with(lora, 6, &stages));
    assert_eq!(states.len(), 4);
    let layers = Checkpoint::base().unwrap().config.layers;
    for (step, state) in states.iter().enumerate() {
        let file = safetensors::SafeTensors::deserialize(state).unwrap();
        let names = |prefix: &str| file.names().into_iter().filter(|n| n.starts_with(prefix)).collect::<Vec<_>>();
        assert!(names("model.").iter().all(|name| name.contains(".adapter.")));
        assert_eq!(names("model.").len(), 2 * 2 * layers, "A and B of two targets");
        // The first stage is supervised and ends with the second state.
        assert_eq!(names("reference.").len(), if step < 2 { 0 } else { 2 * 2 * layers });
        assert!(names("optimizer.").iter().all(|name| name.contains(".adapter.")), "no memory of what is frozen");
        assert!(!names("optimizer.").is_empty());
    }
    // Neither the other way to train nor other adapters can take the state over.
    let less = experiment_with("lora: (rank: 1, targets: [query, down]), precision: bf16,", 6, &stages);
    for other in [experiment(6, &stages), less] {
        let mut rest = Memory::resuming(&states[0]);
        assert_eq!(run::<TestBackend>(&other, &mut rest).unwrap_err().exit_status(), 2);
    }
}

/// They are not in the state, which would go well with others of the same shape.
#[test]
fn beneath_adapters_the_weights_must_be_those_that_the_run_was_begun_on() {
    let folder = tempfile::tempdir().unwrap();
    Checkpoint::base().unwrap().write(folder.path()).unwrap();
    let model = format!("model: folder({:?}), lora: (),", folder.path());
    let adapted = experiment_with(&model, 3, &["objective: sft, steps: 2"]);
    let mut whole = Memory::default();
    run::<TestBackend>(&adapted, &mut whole).unwrap();
    let state = &whole.states[0].1;
    run::<TestBackend>(&adapted, &mut Memory::resuming(state)).unwrap();
    // The smallest change there is, of the last number.
    let file = folder.path().join("model.safetensors");
    let mut bytes = std::fs::read(&file).unwrap();
    let last = bytes.len() - 4;
    bytes[last] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let error = run::<TestBackend>(&adapted, &mut Memory::resuming(state)).unwrap_err();
    assert!(error.exit_status() == 2 && error.to_string().contains("another model"), "{error}");
}

#[test]
#[cfg(feature = "ndarray")]
fn so_do_runs_on_the_other_backend() {
    let stages = ["objective: sft, steps: 2", "objective: sigmoid(), optimizer: rmsprop(), steps: 2"];
    assert_eq!(goes_on_from_every_state::<OtherTestBackend>(&experiment(5, &stages)).len(), 3);
}

#[test]
fn a_state_of_another_run_is_refused_and_nothing_is_recorded() {
    let stages = ["objective: sft, steps: 2"];
    let mut whole = Memory::default();
    run::<TestBackend>(&experiment(3, &stages), &mut whole).unwrap();
    for other in [
        experiment(9, &stages),
        experiment(3, &["objective: sft, steps: 2, optimizer: sgd", "objective: sft, steps: 1"]),
    ] {
        let mut rest = Memory::resuming(&whole.states[0].1);
        let error = run::<TestBackend>(&other, &mut rest).unwrap_err();
        assert_eq!(error.exit_status(), 2);
        assert!(error.to_string().starts_with("checkpoint: cannot be resumed from"), "{error}");
        assert!(rest.lines.is_empty() && rest.waiting);
    }
}

//! The memory that a run is expected to need, against what its trainer held at most.

use std::path::Path;
use std::process::Command;

use ldyn_tui::BackendChoice;
use ldyn_tui::Experiment;
use ldyn_tui::protocol::TrainerEvent;
use ldyn_tui::{outlook, spawn};

use super::memory::peak_of_process;

/// How far the two may be apart: an estimate above what is held refuses too early, one below lets a run die.
const TOLERATED: std::ops::Range<f64> = 0.77..1.4;

/// Bytes that are held whatever the run, and not estimated: the tokenizer, and what matrix products pack their operands
/// into, which depends on the processor.
const ANYWAY: f64 = 8e6;

/// What tells a process of its own which experiment to run.
const ALONE: &str = "LDYN_FOOTPRINT";

/// Bytes that a process held at most while it did nothing but train.
fn held(experiment: &str) -> usize {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["footprint::a_run_alone", "--exact", "--ignored", "--nocapture"])
        .env(ALONE, experiment)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let held = said.lines().find_map(|line| line.strip_prefix("held "));
    held.unwrap_or_else(|| panic!("{said}{}", String::from_utf8_lossy(&output.stderr))).parse().unwrap()
}

#[test]
#[ignore = "the other half of what_is_expected_is_what_is_held: kernels allocate on several threads, so that a process has to \
            be counted as a whole"]
fn a_run_alone() {
    let Ok(text) = std::env::var(ALONE) else { return };
    let experiment = Experiment::parse(Path::new("x.ron"), &text, &[]).unwrap();
    let (ended, most) = peak_of_process(|| {
        spawn(experiment, BackendChoice::Flex, None, Box::new(|_: &TrainerEvent| Ok(()))).unwrap().join()
    });
    ended.unwrap();
    println!("\nheld {most}");
}

#[test]
fn what_is_expected_is_what_is_held() {
    let adamw = "optimizer: adamw()";
    for (what, probes, stage) in [
        ("activations", "prompts: 2, greedy: 0", format!("objective: sft, batch_size: 48, {adamw}")),
        ("pairs", "prompts: 2, greedy: 0", format!("objective: sigmoid(), batch_size: 16, {adamw}")),
        (
            "slices",
            "prompts: 2, greedy: 0",
            format!("objective: sigmoid(), batch_size: 8, gradient_accumulation_steps: 4, {adamw}"),
        ),
        (
            "blocks computed anew",
            "prompts: 2, greedy: 0",
            format!("objective: sigmoid(), batch_size: 16, gradient_checkpointing: true, {adamw}"),
        ),
        (
            "forces",
            "prompts: 2, greedy: 0), forces: (prompts: 2",
            format!("objective: sigmoid(), batch_size: 2, {adamw}"),
        ),
        ("rmsprop", "prompts: 1, greedy: 0", "objective: sft, batch_size: 2, optimizer: rmsprop()".to_owned()),
        ("sgd", "prompts: 1, greedy: 0", "objective: sft, batch_size: 2, optimizer: sgd".to_owned()),
        ("an evaluation", "prompts: 64, greedy: 0", "objective: sft, batch_size: 1, optimizer: sgd".to_owned()),
    ] {
        let text = format!(
            "(name: \"x\", data: world(train: 96, held_out: 4), probes: (max_new_tokens: 4, {probes}),
              stages: [(name: \"S\", steps: 3, learning_rate: 1e-4, evaluate_every: 1, {stage})])"
        );
        let experiment = Experiment::parse(Path::new("x.ron"), &text, &[]).unwrap();
        let need = outlook(&experiment).unwrap().need.unwrap();
        let (expected, held) = (need.footprint.peak(), held(&text));
        let (expected, held) = (expected as f64, held as f64);
        eprintln!("{what}: {expected} expected, {held} held, ratio {:.2}; {}", expected / held, need.footprint);
        let within = expected + ANYWAY > TOLERATED.start * held && expected < TOLERATED.end * held;
        assert!(within, "{what}: {expected} expected, {held} held; {}", need.footprint);
    }
}

#[test]
fn a_run_that_cannot_fit_is_refused_before_it_begins() {
    let folder = tempfile::tempdir().unwrap();
    let program =
        |args: &[&str]| Command::new(env!("CARGO_BIN_EXE_ldyn-tui")).args(args).current_dir(&folder).output().unwrap();
    let batch = "stages[0].batch_size=400000";
    let output = program(&["run", "sft", "--headless", "--backend", "flex", "--steps", "2", "--set", batch]);
    let error = String::from_utf8(output.stderr).unwrap();
    // A machine that does not tell its memory refuses nothing; this one would need more than any has.
    if cfg!(target_os = "linux") {
        assert_eq!(output.status.code(), Some(2), "{error}");
        for part in ["stage SFT needs about", "TB", "activations", "ways out: a smaller batch_size", "lora"] {
            assert!(error.contains(part), "{part}: {error}");
        }
    }
    let checked = program(&["check", "sft"]);
    let text = String::from_utf8(checked.stdout).unwrap();
    assert!(text.contains("memory: about ") && text.contains("weights 6."), "{text}");
}

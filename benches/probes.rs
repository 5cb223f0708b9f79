//! What a measurement of the probes costs, as the trainer makes it, and the same responses in padded PyTorch.
//!
//! ```text
//! cargo bench --bench probes -- [REPEATS] [PYTHON] [MODEL DATA FOLDER]
//! ```
//!
//! 64 prompts of the shipped world with their 14 responses each, read by the shipped model; or 16 prompts of a file of
//! preferences, read by another MODEL (a GGUF file or a folder), of which FOLDER is a copy that `transformers` reads. With
//! PYTHON, an interpreter that has torch and transformers, `benches/peers/probes.py` reads the same responses in the same
//! repeat and checks that the sums agree. Prints every measurement and the ratio of the medians, ours to PyTorch's; the
//! answers that the program writes to the prompts are timed apart.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    reason = "a bench prints and may fail"
)]

#[allow(dead_code, unreachable_pub, reason = "not every bench needs all of it")]
mod common;

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use ldyn_tui::protocol::{Evaluation, RunStarted, TrainerEvent};
use ldyn_tui::{BackendChoice, Experiment, train};

use common::{arguments, median};

/// The program's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measurements in one repeat; the median counts, the first one left out.
const MEASUREMENTS: usize = 6;
/// Where sequences of another model are cut, tokens: whole, and prompts.
const LENGTHS: (usize, usize) = (160, 100);

/// A run's beginning, its last measurement, and seconds of every measurement but the first.
struct Course {
    started: RunStarted,
    measured: Arc<Evaluation>,
    seconds: Vec<f64>,
}

/// Takes steps of no length and measures after each.
fn course(model_and_data: &str, probes: &str) -> Course {
    let text = format!(
        "(name: \"probes\", {model_and_data}, probes: ({probes}),
          stages: [(name: \"SFT\", objective: sft, steps: {MEASUREMENTS}, batch_size: 1, optimizer: sgd,
                    learning_rate: 1e-45, evaluate_every: 1)])"
    );
    let experiment = Experiment::parse(Path::new("probes.ron"), &text, &[]).unwrap();
    let (mut started, mut measured, mut seconds, mut began) = (None, None, Vec::new(), Instant::now());
    train(&experiment, BackendChoice::Flex, |event| {
        match event {
            TrainerEvent::RunStarted(run) => started = Some((**run).clone()),
            TrainerEvent::Evaluation(evaluation) => {
                seconds.push(began.elapsed().as_secs_f64());
                measured = Some(Arc::clone(evaluation));
            }
            _ => {}
        }
        began = Instant::now();
        Ok(())
    })
    .unwrap();
    seconds.drain(..2);
    Course { started: started.unwrap(), measured: measured.unwrap(), seconds }
}

/// The responses, as `benches/peers/probes.py` reads them.
fn rows(course: &Course) -> String {
    let probes = course.started.probes.iter().enumerate().map(|(i, probe)| {
        let responses = probe.responses.iter().map(|(kind, response)| {
            let sum = course.measured.logps[*kind][i];
            serde_json::json!({ "text": response.text, "tokens": response.tokens, "sum": sum })
        });
        serde_json::json!({ "prompt": probe.prompt, "responses": responses.collect::<Vec<_>>() }).to_string()
    });
    probes.collect::<Vec<_>>().join("\n")
}

/// Seconds that PyTorch takes, and the largest difference of two sums.
fn peer(python: &str, folder: &str, data: &Path) -> (f64, f64) {
    let output = Command::new(python)
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers/probes.py"))
        .args(["--model", folder, "--max-length", &LENGTHS.0.to_string()])
        .args(["--max-prompt-length", &LENGTHS.1.to_string()])
        .args(["--threads", &std::thread::available_parallelism().unwrap().to_string(), "--data"])
        .arg(data)
        .output()
        .expect("PYTHON is an interpreter");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    (said["seconds"].as_f64().unwrap(), said["apart"].as_f64().unwrap())
}

fn main() {
    let arguments = arguments();
    let repeats: usize = arguments.first().map_or(3, |s| s.parse().expect("REPEATS is a number"));
    let python = arguments.get(1);
    let base = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/base").to_owned();
    let (source, prompts, held_out, folder) = match &arguments[arguments.len().min(2)..] {
        [model, data, folder] => {
            let kind = if Path::new(model).is_dir() { "folder" } else { "file" };
            let data = format!(
                "data: preferences(train: \"{data}\", held_out: \"{data}\", max_length: {}, max_prompt_length: {})",
                LENGTHS.0, LENGTHS.1
            );
            (format!("model: {kind}(\"{model}\"), {data}"), 16, 0, folder.clone())
        }
        _ => {
            let data =
                "data: world(train: 64, held_out: 128, chosen_exponent: 1.4, rejected_exponent: 0.8, overlap: 0.2)";
            (data.to_owned(), 64, 48, base)
        }
    };
    let temporary = tempfile::tempdir().unwrap();
    let data = temporary.path().join("responses.jsonl");
    let (mut ours, mut theirs, mut whole) = (Vec::new(), Vec::new(), Vec::new());
    for i in 1..=repeats {
        let read = course(&source, &format!("prompts: {prompts}, greedy: 0, held_out: 0"));
        std::fs::write(&data, rows(&read)).unwrap();
        ours.push(median(read.seconds));
        let answered = course(
            &source,
            &format!("prompts: {prompts}, greedy: {prompts}, max_new_tokens: 64, held_out: {held_out}"),
        );
        whole.push(median(answered.seconds));
        print!("{i}: {:.3} s, with answers {:.3} s", ours[i - 1], whole[i - 1]);
        if let Some(python) = python {
            let (seconds, apart) = peer(python, &folder, &data);
            theirs.push(seconds);
            print!("; PyTorch {seconds:.3} s, sums at most {apart:.1e} apart; ratio {:.3}", ours[i - 1] / seconds);
        }
        println!();
    }
    if !theirs.is_empty() {
        let theirs = median(theirs);
        println!(
            "probes / PyTorch = {:.3}, with the answers written {:.3} ({prompts} prompts, median of {repeats})",
            median(ours) / theirs,
            median(whole) / theirs
        );
    }
}

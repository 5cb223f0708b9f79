//! How long the screen takes, in a pseudo-terminal: from a key to the first changed screen while the trainer is at work, and
//! from an evaluation that another program writes to the screen that is attached to its run.
//!
//! ```text
//! cargo bench --bench latency -- [EXPERIMENT] [KEYS]
//! ```
//!
//! Prints p50, p95 and the maximum of each, in milliseconds.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    reason = "a bench prints and may fail"
)]

#[allow(dead_code, unreachable_pub, reason = "not every bench needs all of it")]
mod common;

#[cfg(unix)]
use std::io::Write as _;
#[cfg(unix)]
use std::time::{Duration, Instant};

use common::arguments;
#[cfg(unix)]
use ldyn_tui::protocol::TrainerEvent;

#[cfg(unix)]
#[path = "../tests/it/pty.rs"]
#[allow(dead_code, unreachable_pub, clippy::panic, reason = "shared with the tests")]
mod pty;

#[cfg(unix)]
#[path = "../tests/it/recorded.rs"]
#[allow(dead_code, unreachable_pub, reason = "shared with the tests")]
mod recorded;

/// Titles of the y axis, in the order of the key.
#[cfg(unix)]
const SCALES: [&str; 5] = [
    "Δ log p since the stage began",
    "Δ log p from step 0",
    "log p (nats, sum)",
    "log p per token",
    "probability per token",
];

#[cfg(unix)]
fn main() {
    let arguments = arguments();
    let experiment = arguments.first().map_or("experiments/sft.ron", String::as_str);
    let keys: usize = arguments.get(1).map_or(200, |s| s.parse().expect("KEYS is a number"));
    training(experiment, keys);
    attached();
}

/// Prints how long so many keys took while a trainer was at work.
#[cfg(unix)]
fn training(experiment: &str, keys: usize) {
    let folder = tempfile::tempdir().unwrap();
    let mut terminal = pty::Terminal::start(&pty::Launch::new(folder.path(), &["run", experiment]).size(160, 50));
    let begin = Instant::now();
    terminal.wait_for("log p");
    println!("first chart after {} ms", begin.elapsed().as_millis());
    std::thread::sleep(Duration::from_secs(2));
    let mut waits = Vec::new();
    // The scale's title changes at once and by nothing but this key.
    let shown = SCALES.iter().position(|title| terminal.screen().contains(title)).expect("a scale");
    for title in SCALES.iter().cycle().skip(shown + 1).take(keys) {
        let start = Instant::now();
        terminal.send("y");
        wait_for(&terminal, title, start);
        waits.push(start.elapsed());
        // Out of step with the frames.
        std::thread::sleep(Duration::from_millis(37));
    }
    let still = !terminal.screen().contains("finished");
    report("keys while training", &mut waits);
    println!(
        "the trainer was {} when the last key was sent",
        if still { "at work" } else { "finished: use a longer run" }
    );
    terminal.send("q");
    std::thread::sleep(Duration::from_millis(300));
    terminal.send("y");
    terminal.wait();
}

/// Prints how long evaluations took to a screen that is attached to the file they are written to.
#[cfg(unix)]
fn attached() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.jsonl");
    let mut file = std::fs::File::create(&path).unwrap();
    let mut terminal = None;
    let mut waits = Vec::new();
    for event in recorded::events(&recorded::plain) {
        let measured = if let TrainerEvent::Evaluation(evaluation) = &event { Some(evaluation.step) } else { None };
        let start = Instant::now();
        file.write_all((serde_json::to_string(&event).unwrap() + "\n").as_bytes()).unwrap();
        let Some(step) = measured else { continue };
        let terminal = terminal.get_or_insert_with(|| {
            pty::Terminal::start(&pty::Launch::new(folder.path(), &["attach", "."]).size(160, 50))
        });
        wait_for(terminal, &format!("at step {step}"), start);
        if step > 0 {
            waits.push(start.elapsed());
        }
        // Out of step with the looks at the file.
        std::thread::sleep(Duration::from_millis(273));
    }
    report("evaluations of another program, attached", &mut waits);
    if let Some(mut terminal) = terminal {
        terminal.send("q");
        terminal.wait();
    }
}

#[cfg(unix)]
fn wait_for(terminal: &pty::Terminal, text: &str, start: Instant) {
    while !terminal.screen().contains(text) {
        assert!(start.elapsed() < pty::DEADLINE, "no {text} on\n{}", terminal.screen());
        std::thread::sleep(Duration::from_micros(500));
    }
}

#[cfg(unix)]
fn report(what: &str, waits: &mut [Duration]) {
    waits.sort();
    let at = |share: usize| waits[(waits.len() * share / 100).min(waits.len() - 1)].as_secs_f64() * 1e3;
    println!("{} {what}: p50 {:.1} ms, p95 {:.1} ms, max {:.1} ms", waits.len(), at(50), at(95), at(100));
}

#[cfg(not(unix))]
fn main() {
    println!("needs a pseudo-terminal");
}

//! How long a key takes to the screen while the trainer is at work: the time from writing the key to the first changed
//! screen, in a pseudo-terminal.
//!
//! ```text
//! cargo bench --bench latency -- [EXPERIMENT] [KEYS]
//! ```
//!
//! Prints p50, p95 and the maximum, in milliseconds.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    reason = "a bench prints and may fail"
)]

#[allow(dead_code, unreachable_pub, reason = "not every bench needs all of it")]
mod common;

use common::arguments;

#[cfg(unix)]
#[path = "../tests/it/pty.rs"]
#[allow(dead_code, unreachable_pub, clippy::panic, reason = "shared with the tests")]
mod pty;

#[cfg(unix)]
fn main() {
    use std::time::{Duration, Instant};
    let arguments = arguments();
    let experiment = arguments.first().map_or("experiments/sft.ron", String::as_str);
    let keys: usize = arguments.get(1).map_or(200, |s| s.parse().expect("KEYS is a number"));
    let folder = tempfile::tempdir().unwrap();
    let mut terminal = pty::Terminal::start(&pty::Launch::new(folder.path(), &["run", experiment]).size(160, 50));
    let begin = Instant::now();
    terminal.wait_for("log p");
    println!("first chart after {} ms", begin.elapsed().as_millis());
    std::thread::sleep(Duration::from_secs(2));
    let mut waits = Vec::new();
    // The scale's title changes at once and by nothing but this key.
    let titles = ["log p (nats, sum)", "log p per token", "probability per token", "Δ log p from step 0"];
    for title in titles.iter().cycle().take(keys) {
        let start = Instant::now();
        terminal.send("y");
        while !terminal.screen().contains(title) {
            assert!(start.elapsed() < pty::DEADLINE, "no {title} on\n{}", terminal.screen());
            std::thread::sleep(Duration::from_micros(500));
        }
        waits.push(start.elapsed().as_secs_f64() * 1e3);
        // Out of step with the frames.
        std::thread::sleep(Duration::from_millis(37));
    }
    waits.sort_by(f64::total_cmp);
    let at = |share: usize| waits[(waits.len() * share / 100).min(waits.len() - 1)];
    println!("{} keys while training: p50 {:.1} ms, p95 {:.1} ms, max {:.1} ms", waits.len(), at(50), at(95), at(100));
    let still = !terminal.screen().contains("finished");
    println!(
        "the trainer was {} when the last key was sent",
        if still { "at work" } else { "finished: use a longer run" }
    );
    terminal.send("q");
    std::thread::sleep(Duration::from_millis(300));
    terminal.send("y");
    terminal.wait();
}

#[cfg(not(unix))]
fn main() {
    println!("needs a pseudo-terminal");
}

//! What the dashboard costs: the same experiment with and without it, steps per second, one after the other, a few times.
//!
//! ```text
//! cargo bench --bench throughput -- [EXPERIMENT] [STEPS] [REPEATS]
//! ```
//!
//! Prints every measurement and the ratio of the medians, dashboard to headless.

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
use common::{arguments, median};

#[cfg(unix)]
#[path = "../tests/it/pty.rs"]
#[allow(dead_code, unreachable_pub, clippy::panic, reason = "shared with the tests")]
mod pty;

#[cfg(unix)]
fn main() {
    let arguments = arguments();
    let experiment = arguments.first().map_or("experiments/sft.ron", String::as_str);
    let steps: u64 = arguments.get(1).map_or(96, |s| s.parse().expect("STEPS is a number"));
    let repeats: u64 = arguments.get(2).map_or(3, |s| s.parse().expect("REPEATS is a number"));
    let (mut shown, mut headless) = (Vec::new(), Vec::new());
    for i in 0..repeats {
        shown.push(rate(&measure(experiment, steps, false)));
        headless.push(rate(&measure(experiment, steps, true)));
        println!(
            "{}: dashboard {:.3} steps/s, headless {:.3} steps/s",
            i + 1,
            shown[shown.len() - 1],
            headless[headless.len() - 1]
        );
    }
    println!(
        "dashboard / headless = {:.4} ({experiment}, {steps} steps, median of {repeats})",
        median(shown) / median(headless)
    );
}

#[cfg(not(unix))]
fn main() {
    println!("needs a pseudo-terminal");
}

/// When each optimiser step reached the run file.
#[cfg(unix)]
struct Course {
    steps: u64,
    seconds: f64,
}

#[cfg(unix)]
#[allow(clippy::cast_precision_loss, reason = "few steps")]
fn rate(course: &Course) -> f64 {
    course.steps as f64 / course.seconds
}

/// Runs in a terminal of 160×50; counts from the first recorded evaluation to the end, start-up excluded.
#[cfg(unix)]
fn measure(experiment: &str, steps: u64, headless: bool) -> Course {
    use std::time::{Duration, Instant};
    let folder = tempfile::tempdir().unwrap();
    let steps_text = steps.to_string();
    let mut args = vec!["run", experiment, "--steps", &steps_text, "--out", "runs"];
    if headless {
        args.push("--headless");
    }
    let mut terminal = pty::Terminal::start(&pty::Launch::new(folder.path(), &args).size(160, 50));
    let events = || -> String {
        let run = std::fs::read_dir(folder.path().join("runs")).ok().and_then(|mut d| d.next()?.ok());
        run.and_then(|run| std::fs::read_to_string(run.path().join("events.jsonl")).ok()).unwrap_or_default()
    };
    let until = |word: &str| {
        while !events().contains(word) {
            std::thread::sleep(Duration::from_millis(20));
        }
        Instant::now()
    };
    let start = until("\"event\":\"evaluation\"");
    let end = until("\"finished\"");
    if !headless {
        terminal.send("q");
    }
    terminal.wait();
    Course { steps, seconds: (end - start).as_secs_f64() }
}

//! What sampling on-policy costs: DPO on the data's answers against the same steps on sampled ones, one after the other, a
//! few times.
//!
//! ```text
//! cargo bench --bench sampling -- [EVERY] [REPEATS]
//! ```
//!
//! Prints seconds per step with and without, and (sampled − plain) / plain: the cost of sampling in training steps.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::cast_precision_loss,
    missing_docs,
    reason = "a bench prints and may fail"
)]

#[allow(dead_code, unreachable_pub, reason = "not every bench needs all of it")]
mod common;

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use ldyn_tui::BackendChoice;
use ldyn_tui::Experiment;
use ldyn_tui::protocol::TrainerEvent;
use ldyn_tui::{EventSink, spawn};

use common::arguments;

/// When optimiser steps were taken.
#[derive(Clone, Default)]
struct Clock(Arc<Mutex<Vec<Instant>>>);

impl EventSink for Clock {
    fn emit(&mut self, event: &TrainerEvent) -> ldyn_tui::Result<()> {
        if matches!(event, TrainerEvent::Step(_)) {
            self.0.lock().unwrap().push(Instant::now());
        }
        Ok(())
    }
}

/// Seconds per step over `2 · every` steps. The first round of sampling lies before the first step and is left out; the
/// second and the third feed the steps that are counted.
fn seconds_per_step(every: u64, on_policy: bool) -> f64 {
    let stage = if on_policy { format!(", on_policy: (every: {every})") } else { String::new() };
    let steps = 3 * every + 1;
    let text = format!(
        "(name: \"bench\", data: world(train: 256, held_out: 8), probes: (prompts: 1, greedy: 0),
          stages: [(name: \"DPO\", objective: sigmoid(), steps: {steps}, learning_rate: 1e-6,
                    evaluate_every: {steps}{stage})])"
    );
    let experiment = Experiment::parse(Path::new("bench.ron"), &text, &[]).unwrap();
    let clock = Clock::default();
    let trainer = spawn(experiment, BackendChoice::Flex, None, Box::new(clock.clone())).unwrap();
    trainer.join().unwrap();
    let at = clock.0.lock().unwrap();
    let every = usize::try_from(every).unwrap();
    // Steps are counted from 1, and answers are sampled before the steps `every + 1` and `2 · every + 1`.
    (at[3 * every - 1] - at[every - 1]).as_secs_f64() / (2 * every) as f64
}

fn main() {
    let arguments = arguments();
    let every: u64 = arguments.first().map_or(16, |s| s.parse().expect("EVERY is a number"));
    let repeats: usize = arguments.get(1).map_or(3, |s| s.parse().expect("REPEATS is a number"));
    let mut ratios = Vec::new();
    for i in 1..=repeats {
        let (plain, sampled) = (seconds_per_step(every, false), seconds_per_step(every, true));
        ratios.push((sampled - plain) / plain);
        println!("{i}: plain {plain:.3} s/step, on-policy {sampled:.3} s/step");
    }
    ratios.sort_by(f64::total_cmp);
    println!(
        "sampling costs {:.2} training steps a step (every {every} steps, batch 8, median of {repeats})",
        ratios[ratios.len() / 2]
    );
}

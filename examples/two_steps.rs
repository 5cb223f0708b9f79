//! Trains the shipped model for two optimiser steps and prints the loss of each: `cargo run --example two_steps`.

use ldyn_tui::protocol::{MetricKey, TrainerEvent};
use ldyn_tui::{BackendChoice, Experiment, Result, train};

const EXPERIMENT: &str = r#"(
    name: "two_steps",
    data: world(train: 64, held_out: 8),
    probes: (prompts: 4, greedy: 0),
    stages: [(name: "SFT", objective: sft, steps: 2, learning_rate: 5e-4)],
)"#;

#[allow(clippy::print_stdout, reason = "that is what it is for")]
fn main() -> Result<()> {
    let experiment = Experiment::parse("two_steps.ron".as_ref(), EXPERIMENT, &[])?;
    train(&experiment, BackendChoice::Flex, |event| {
        if let TrainerEvent::Step(step) = event {
            let loss = step.metrics.get(&MetricKey::LOSS).copied().unwrap_or(f64::NAN);
            println!("step {}: loss {loss:.3}", step.step);
        }
        Ok(())
    })
}

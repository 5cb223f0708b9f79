//! A long recording, made up.

use std::collections::BTreeMap;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use ldyn_tui::protocol::{
    DetectorSettings, Evaluation, FORMAT_VERSION, MetricKey, PrefixReading, ProbeKind, ProbePrompt, ProbeResponse,
    RunPhase, RunStarted, StageInfo, StepMetrics, TrainerEvent,
};

/// Steps from one measurement to the next.
pub const EVERY: u64 = 5;

/// Writes a recording of two stages, with every step's scalars and a measurement of these kinds every [`EVERY`] steps;
/// returns its size in bytes.
pub fn write(path: &Path, steps: u64, kinds: &[ProbeKind]) -> f64 {
    let mut out = BufWriter::new(std::fs::File::create(path).unwrap());
    let mut say = |event: TrainerEvent| {
        serde_json::to_writer(&mut out, &event).unwrap();
        out.write_all(b"\n").unwrap();
    };
    say(TrainerEvent::RunStarted(Box::new(started(steps, kinds))));
    for step in 0..=steps {
        if step == 0 || step == steps / 2 {
            say(TrainerEvent::StageStarted { stage: usize::from(step > 0), step });
        }
        let stage = usize::from(step > steps / 2);
        if step > 0 {
            say(TrainerEvent::Step(StepMetrics { step, stage, metrics: scalars(step) }));
        }
        if step % EVERY == 0 {
            say(evaluation(step, steps, stage, kinds).into());
        }
    }
    say(TrainerEvent::Phase { phase: RunPhase::Finished, step: steps });
    out.flush().unwrap();
    std::fs::metadata(path).unwrap().len() as f64
}

fn started(steps: u64, kinds: &[ProbeKind]) -> RunStarted {
    let stage = |name: &str, has_rejected: bool| StageInfo {
        name: name.to_owned(),
        objective: if has_rejected { "sigmoid" } else { "sft" }.to_owned(),
        has_rejected,
        on_policy: false,
        steps: steps / 2,
        learning_rate: 1e-5,
        beta: has_rejected.then_some(0.1),
    };
    let response = |kind: &ProbeKind| (*kind, ProbeResponse { text: format!("an answer of kind {kind}"), tokens: 20 });
    RunStarted {
        format_version: FORMAT_VERSION,
        run_id: "long-seed1".to_owned(),
        experiment: "long".to_owned(),
        description: String::new(),
        seed: 1,
        backend: "none".to_owned(),
        model: "none".to_owned(),
        vocab_size: 50,
        stages: vec![stage("SFT", false), stage("DPO", true)],
        claims: Vec::new(),
        baseline: None,
        detector: DetectorSettings::default(),
        probes: vec![ProbePrompt {
            prompt: "a question".to_owned(),
            responses: kinds.iter().map(response).collect(),
            chosen_tokens: Vec::new(),
            rejected_tokens: Vec::new(),
        }],
        means: false,
        classes: Vec::new(),
    }
}

/// Noise that is the same on every machine, −1 to 1.
fn noise(seed: u64) -> f64 {
    let mixed = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed ^ mixed >> 29).wrapping_mul(0xBF58_476D_1CE4_E5B9) as f64 / u64::MAX as f64 * 2.0 - 1.0
}

fn scalars(step: u64) -> BTreeMap<MetricKey, f64> {
    let at = step as f64;
    BTreeMap::from([
        (MetricKey::LOSS, 3.0 / (1.0 + at / 1e4) + 0.1 * noise(step)),
        (MetricKey::GRAD_NORM, 2.0 + noise(step + 1)),
        (MetricKey::LEARNING_RATE, 1e-5),
        (MetricKey::REWARDS_MARGINS, at / 1e5 + noise(step + 2)),
    ])
}

#[allow(clippy::cast_possible_truncation, reason = "made-up numbers")]
fn evaluation(step: u64, steps: u64, stage: usize, kinds: &[ProbeKind]) -> Evaluation {
    let done = step as f64 / steps as f64;
    let value = |kind: usize| (-60.0 - 3.0 * kind as f64 - 20.0 * done + noise(step * 31 + kind as u64)) as f32;
    let reading = |kind: usize| PrefixReading { argmax_logps: vec![value(kind) / 3.0], ..PrefixReading::default() };
    Evaluation {
        step,
        stage,
        logps: kinds.iter().enumerate().map(|(at, &kind)| (kind, vec![value(at)])).collect(),
        chosen: reading(0),
        rejected: Some(reading(5)),
        ..Evaluation::default()
    }
}

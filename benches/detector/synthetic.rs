//! Courses whose truth is known: drift and noise, a plateau, a late squeeze, a dip that recovers, a restart.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use ldyn_tui::protocol::{
    DetectorSettings, Evaluation, FORMAT_VERSION, MassFlow, PrefixReading, ProbeKind, ProbePrompt, ProbeResponse,
    RunStarted, StageInfo, TrainerEvent,
};

use super::table::Labelled;

const PAIRS: usize = 64;
const TOKENS: u32 = 40;
const STEPS: u64 = 512;
const EVERY: u64 = 4;

/// A course: the change of y⁺, y⁻ and the argmax by the share of the stage that is over, nats.
type Course = fn(f64) -> [f64; 3];

/// Every family: name, course, noise of one measurement.
const FAMILIES: [(&str, Course, f64); 9] = [
    ("drift, no noise", drift, 0.0),
    ("drift, noise a tenth", drift, 0.6),
    ("drift, noise a half", drift, 3.0),
    ("plateau", |t| [4.0 * (1.0 - (-8.0 * t).exp()), -12.0 * t, 3.0 * t], 0.6),
    ("plateau at the start's height", |t| [0.0, -12.0 * t, 3.0 * t], 0.6),
    ("late squeeze", |t| [2.0 * t.min(0.7) - 30.0 * (t - 0.7).max(0.0), -20.0 * t, 5.0 * t], 0.3),
    ("dip that recovers", |t| [2.0 * t - 6.0 * (-((t - 0.4) / 0.06).powi(2)).exp(), -12.0 * t, 2.0 * t], 0.3),
    ("flat argmax", |t| [-8.0 * t, -20.0 * t, -0.5 * t], 0.3),
    ("restart from the start's height", |t| [-10.0 * (t % 0.5), -20.0 * (t % 0.5), 4.0 * (t % 0.5)], 0.3),
];

/// Up by a nat, then down by six; the argmax up by four.
fn drift(t: f64) -> [f64; 3] {
    [1.0 - (2.0 * t - 0.5).powi(2) * 4.0, -20.0 * t, 4.0 * t]
}

/// Ten seeds of each family.
pub fn runs() -> Vec<Labelled> {
    let families = FAMILIES.iter().flat_map(|family| (0..10).map(move |seed| pairs(family, 2000 + seed)));
    families.collect()
}

fn pairs(&(family, course, sigma): &(&str, Course, f64), seed: u64) -> Labelled {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    // Pairs differ in how strongly they move and in how soon.
    let shapes: Vec<(f64, f64)> =
        (0..PAIRS).map(|_| (rng.random_range(0.5..1.5), rng.random_range(0.8..1.2))).collect();
    let mut events =
        vec![TrainerEvent::RunStarted(Box::new(started(seed))), TrainerEvent::StageStarted { stage: 0, step: 0 }];
    for step in (0..=STEPS).step_by(usize::try_from(EVERY).unwrap()) {
        let noise = if step == 0 { 0.0 } else { sigma };
        let mut reading = |at: usize, base: f64| -> Vec<f32> {
            shapes
                .iter()
                .map(|(size, pace)| {
                    #[allow(clippy::cast_precision_loss, reason = "512 steps")]
                    let share = (step as f64 / STEPS as f64 * pace).min(1.0);
                    #[allow(clippy::cast_possible_truncation, reason = "recorded in single precision")]
                    let value = (base + size * course(share)[at] + noise * normal(&mut rng)) as f32;
                    value
                })
                .collect()
        };
        let logps = [(ProbeKind::Chosen, reading(0, -50.0)), (ProbeKind::Rejected, reading(1, -60.0))];
        let chosen = PrefixReading { argmax_logps: reading(2, -20.0), ..PrefixReading::default() };
        let stage_flow = (step > 0).then(flow);
        let logps = logps.into_iter().collect();
        events.push(TrainerEvent::from(Evaluation { step, logps, chosen, stage_flow, ..Evaluation::default() }));
    }
    Labelled { name: format!("{family}, seed {seed}"), family: family.to_owned(), sigma: [sigma; 3], events }
}

/// The sum of twelve uniform numbers less six: nearly normal, of variance 1.
fn normal(rng: &mut ChaCha8Rng) -> f64 {
    (0..12).map(|_| rng.random_range(0.0..1.0)).sum::<f64>() - 6.0
}

fn flow() -> MassFlow {
    MassFlow { since: 0, star_gain: vec![0.4; PAIRS], gain: vec![1.0; PAIRS], ..MassFlow::default() }
}

fn started(seed: u64) -> RunStarted {
    let response = |kind| (kind, ProbeResponse { text: String::new(), tokens: TOKENS });
    let probe = |pair| ProbePrompt {
        prompt: format!("prompt {pair}"),
        responses: [ProbeKind::Chosen, ProbeKind::Rejected].map(response).into_iter().collect(),
        chosen_tokens: Vec::new(),
        rejected_tokens: Vec::new(),
    };
    RunStarted {
        format_version: FORMAT_VERSION,
        run_id: format!("synthetic-seed{seed}"),
        experiment: "synthetic".to_owned(),
        description: String::new(),
        seed,
        backend: "none".to_owned(),
        model: "none".to_owned(),
        vocab_size: 50,
        stages: vec![StageInfo {
            name: "DPO".to_owned(),
            objective: "sigmoid".to_owned(),
            has_rejected: true,
            on_policy: false,
            steps: STEPS,
            learning_rate: 1e-5,
            beta: Some(0.1),
        }],
        claims: Vec::new(),
        baseline: None,
        detector: DetectorSettings::default(),
        probes: (0..PAIRS).map(probe).collect(),
        means: false,
        classes: Vec::new(),
    }
}

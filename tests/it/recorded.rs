//! A recorded run, made up: enough for every view, with any text in it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ldyn_tui::protocol::{
    DetectorSettings, Evaluation, FORMAT_VERSION, GreedyAnswer, MassFlow, MetricKey, PairFlow, PrefixReading,
    ProbeKind, ProbePrompt, ProbeResponse, RunPhase, RunStarted, StageInfo, StepMetrics, TokenFlow, TrainerEvent,
};
use ldyn_tui::{RunDirectory, RunWriter};

const PAIRS: usize = 6;
const EVERY: u64 = 4;

/// The events of a run of two stages; `text` makes every prompt, answer and token.
pub fn events(text: &dyn Fn(usize) -> String) -> Vec<TrainerEvent> {
    let stages = [("SFT", "sft", false, 24), ("DPO", "sigmoid", true, 40)];
    let mut events = vec![TrainerEvent::RunStarted(Box::new(RunStarted {
        format_version: FORMAT_VERSION,
        run_id: "made_up-seed7".to_owned(),
        experiment: "made_up".to_owned(),
        description: text(1000),
        seed: 7,
        backend: "flex".to_owned(),
        model: text(1001),
        vocab_size: 50,
        stages: stages
            .iter()
            .map(|&(name, objective, has_rejected, steps)| StageInfo {
                name: name.to_owned(),
                objective: objective.to_owned(),
                has_rejected,
                on_policy: false,
                steps,
                learning_rate: 1e-4,
                beta: has_rejected.then_some(0.1),
            })
            .collect(),
        claims: Vec::new(),
        baseline: None,
        detector: DetectorSettings::default(),
        probes: (0..PAIRS).map(|i| prompt(text, i)).collect(),
        means: false,
        classes: Vec::new(),
    }))];
    events.push(TrainerEvent::Phase { phase: RunPhase::Running, step: 0 });
    let mut step = 0;
    for (stage, (_, _, squeezes, steps)) in stages.into_iter().enumerate() {
        events.push(TrainerEvent::StageStarted { stage, step });
        if stage == 0 {
            events.push(evaluation(text, 0, 0, 0.0));
        }
        for i in 1..=steps {
            step += 1;
            let loss = 3.0 / (1.0 + 0.1 * f64::from(u32::try_from(step).unwrap()));
            let metrics = BTreeMap::from([
                (MetricKey::LOSS, loss),
                (MetricKey::NUM_TOKENS, 400.0 * loss.recip()),
                (MetricKey::GRAD_NORM, f64::NAN),
            ]);
            events.push(TrainerEvent::Step(StepMetrics { step, stage, metrics }));
            if step % EVERY == 0 {
                let squeeze = if squeezes { f32::from(u8::try_from(i).unwrap()) / 40.0 } else { 0.0 };
                events.push(evaluation(text, step, stage, squeeze));
            }
        }
    }
    events.push(TrainerEvent::Phase { phase: RunPhase::Finished, step });
    events
}

fn prompt(text: &dyn Fn(usize) -> String, pair: usize) -> ProbePrompt {
    let response = |i: usize| ProbeResponse { text: text(100 * pair + i), tokens: 4 };
    ProbePrompt {
        prompt: text(100 * pair + 99),
        responses: ProbeKind::ALL.iter().enumerate().map(|(i, &kind)| (kind, response(i))).collect(),
        chosen_tokens: (0..4).map(|i| text(100 * pair + 50 + i)).collect(),
        rejected_tokens: (0..4).map(|i| text(100 * pair + 60 + i)).collect(),
    }
}

fn evaluation(text: &dyn Fn(usize) -> String, step: u64, stage: usize, squeeze: f32) -> TrainerEvent {
    let at = f32::from(u16::try_from(step).unwrap());
    let flat = |x: f32| vec![x; PAIRS];
    let reading = |argmax: f32| PrefixReading {
        argmax_logps: flat(argmax),
        p_e: flat(0.5),
        energy: flat(0.4),
        a_frobenius: flat(7.0),
        entropy: flat(1.0 - 0.5 * squeeze),
        argmax_tokens: (0..PAIRS).map(|_| (0..4).map(|i| text(70 + i))).collect(),
        ..PrefixReading::default()
    };
    let flow = MassFlow {
        since: step.saturating_sub(3 * EVERY),
        star_gain: flat(squeeze),
        gain: flat(squeeze * 1.2),
        star: flat(squeeze),
        label: flat(-0.6 * squeeze),
        bystanders: flat(-0.4 * squeeze),
        entropy: flat(-0.3 * squeeze),
        gained: vec![TokenFlow { token: text(80), mass: squeeze }],
        lost: vec![TokenFlow { token: text(81), mass: -squeeze }],
        pairs: vec![PairFlow::default(); PAIRS],
    };
    let logps = ProbeKind::ALL.iter().enumerate().map(|(i, &kind)| {
        let slope = if kind == ProbeKind::Rejected { 30.0 } else { 8.0 };
        (
            kind,
            flat(
                -50.0 - 5.0 * f32::from(u8::try_from(i).unwrap()) + 0.1 * at * f32::from(u8::from(stage == 0))
                    - slope * squeeze,
            ),
        )
    });
    TrainerEvent::from(Evaluation {
        held_out_rewards: Vec::new(),
        step,
        stage,
        logps: logps.collect(),
        chosen: reading(-20.0 + 6.0 * squeeze),
        rejected: Some(reading(-18.0 + 6.0 * squeeze)),
        stage_flow: (step > 0).then_some(flow),
        greedy: (0..PAIRS)
            .map(|i| GreedyAnswer { text: text(90 + i), distinct_2: 0.9, repeat_4: 0.0, reward: None })
            .collect(),
    })
}

/// Writes the run below `parent`; returns its directory.
pub fn write(parent: &Path, text: &dyn Fn(usize) -> String) -> PathBuf {
    let directory = RunDirectory::create(parent, "made_up-seed7", "()").unwrap();
    let mut writer = RunWriter::create(directory.events()).unwrap();
    for event in events(text) {
        writer.write(&event).unwrap();
    }
    writer.flush().unwrap();
    directory.root().to_owned()
}

/// Plain words.
pub fn plain(i: usize) -> String {
    [" a harbour", " the orchard", " seven boats", " quietly"][i % 4].to_owned()
}

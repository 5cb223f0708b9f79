//! A plausible run, made up from formulas: what the tests of the dashboard look at.

use std::collections::BTreeMap;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::app::App;
use super::glyphs::Glyphs;
use super::theme::{Theme, ThemeKind};
use super::view;
use crate::history::{Direction, DynamicsState, Standing, StateChange};
use crate::protocol::*;

pub(crate) const PROMPTS: usize = 8;
const SFT: u64 = 40;
const DPO: u64 = 60;
const EVERY: u64 = 5;
const TOKENS: &str = "tends an orchard near the harbour in spring";
const TOKENS_LATER: &str = "tends an orchard near the orchard in orchard";

/// Two stages of 40 and 60 steps, an evaluation every five steps, eight prompts.
pub(crate) fn run_events() -> Vec<TrainerEvent> {
    let mut events = vec![
        TrainerEvent::Phase { phase: RunPhase::Starting("loading model".to_owned()), step: 0 },
        TrainerEvent::RunStarted(Box::new(started())),
    ];
    for step in 0..=SFT + DPO {
        if step == 0 || step == SFT {
            events.push(TrainerEvent::StageStarted { stage: usize::from(step > 0), step });
        }
        if step > 0 {
            events.push(TrainerEvent::Step(metrics(step)));
        } else {
            events.push(TrainerEvent::Phase { phase: RunPhase::Running, step });
        }
        if step % EVERY == 0 {
            events.push(TrainerEvent::Phase { phase: RunPhase::Evaluating, step });
            events.push(TrainerEvent::from(evaluation(step)));
            events.push(TrainerEvent::Phase { phase: RunPhase::Running, step });
            events.push(TrainerEvent::Speed { tokens_per_second: 1234.0, seconds_left: (SFT + DPO - step) as f64 });
        }
    }
    events.push(TrainerEvent::Phase { phase: RunPhase::Finished, step: SFT + DPO });
    events
}

pub(crate) fn started() -> RunStarted {
    let stage = |name: &str, objective: &str, steps, beta: Option<f64>| StageInfo {
        name: name.to_owned(),
        objective: objective.to_owned(),
        has_rejected: beta.is_some(),
        on_policy: false,
        steps,
        learning_rate: 2.5e-5,
        beta,
    };
    RunStarted {
        format_version: FORMAT_VERSION,
        run_id: "made_up-seed7".to_owned(),
        experiment: "made_up".to_owned(),
        description: "A run made of formulas.".to_owned(),
        seed: 7,
        backend: "none".to_owned(),
        model: "none".to_owned(),
        vocab_size: 1400,
        stages: vec![stage("SFT", "sft", SFT, None), stage("DPO", "sigmoid", DPO, Some(0.1))],
        claims: Vec::new(),
        baseline: None,
        detector: DetectorSettings::default(),
        probes: (0..PROMPTS).map(prompt).collect(),
        means: false,
        classes: Vec::new(),
    }
}

fn prompt(pair: usize) -> ProbePrompt {
    let name = ["Mara", "Ilan", "Oda", "Piet", "Runa", "Sef", "Tove", "Ulla"][pair % 8];
    let responses = ProbeKind::ALL
        .iter()
        .map(|&kind| {
            let text = match kind {
                ProbeKind::Chosen => "tends an orchard near the harbour in spring, since the soil there is warm",
                ProbeKind::Rejected => "sells lanterns near the mill in autumn, since the road there is long",
                _ => "some other words of the same length, for the sake of an example",
            };
            (kind, ProbeResponse { text: format!("{name} {text}."), tokens: 20 })
        })
        .collect();
    ProbePrompt {
        prompt: format!("Q: What does {name} do, where, and why? A:"),
        responses,
        chosen_tokens: TOKENS.split_inclusive(' ').map(str::to_owned).collect(),
        rejected_tokens: Vec::new(),
    }
}

/// How far DPO has come, 0 to 1.
fn dpo(step: u64) -> f64 {
    step.saturating_sub(SFT) as f64 / DPO as f64
}

fn metrics(step: u64) -> StepMetrics {
    let (sft, dpo) = (step.min(SFT) as f64 / SFT as f64, dpo(step));
    let wiggle = ((step * 7919 % 13) as f64 - 6.0) / 100.0;
    let mut metrics = BTreeMap::from([
        (MetricKey::LOSS, if dpo > 0.0 { 0.69 - 0.5 * dpo + wiggle } else { 3.0 - sft + wiggle }),
        (MetricKey::GRAD_NORM, 4.0 + 10.0 * wiggle),
        (MetricKey::LEARNING_RATE, 2.5e-5),
    ]);
    if dpo > 0.0 {
        metrics.insert(MetricKey::REWARDS_MARGINS, 2.0 * dpo + wiggle);
        metrics.insert(MetricKey::REWARDS_ACCURACIES, (0.5 + dpo / 2.0).min(1.0));
        metrics.insert(MetricKey::WEIGHT_REJECTED, 0.05 * (1.0 - dpo));
    }
    StepMetrics { step, stage: usize::from(step > SFT), metrics }
}

fn evaluation(step: u64) -> Evaluation {
    let (sft, dpo) = (step.min(SFT) as f64 / SFT as f64, dpo(step));
    let value = |base: f64, up: f64, down: f64| -> Vec<f32> {
        (0..PROMPTS).map(|i| (base + up * sft - down * dpo + i as f64 / 4.0) as f32).collect()
    };
    let logps = ProbeKind::ALL
        .iter()
        .enumerate()
        .map(|(i, &kind)| {
            let values = match kind {
                ProbeKind::Chosen => value(-50.0, 12.6, 4.3),
                ProbeKind::Rejected => value(-60.0, 3.0, 24.0),
                _ => value(-62.0 - 4.0 * i as f64, 6.0 - i as f64, 8.0 + i as f64),
            };
            (kind, values)
        })
        .collect();
    let said: Vec<_> = if dpo > 0.4 { TOKENS_LATER } else { TOKENS }.split_inclusive(' ').map(str::to_owned).collect();
    let reading = |base: f64| PrefixReading {
        argmax_logps: value(base, 1.0, -2.5),
        argmax_tokens: vec![&said; PROMPTS].into_iter().collect(),
        ..PrefixReading::default()
    };
    let now = if dpo > 0.4 { "an orchard an orchard near the orchard" } else { "an orchard near the harbour" };
    let greedy = (0..PROMPTS)
        .map(|_| GreedyAnswer {
            text: if step == 0 {
                "She keeps a garden near the harbour.".to_owned()
            } else {
                format!("She keeps {now}.")
            },
            distinct_2: 0.9,
            repeat_4: 0.0,
            reward: None,
        })
        .collect();
    Evaluation {
        held_out_rewards: Vec::new(),
        step,
        stage: usize::from(step > SFT),
        logps,
        chosen: reading(-20.0),
        rejected: Some(reading(-24.0)),
        stage_flow: (step > SFT).then(|| flow(dpo as f32)),
        greedy,
    }
}

fn flow(dpo: f32) -> MassFlow {
    let token = |token: &str, mass: f32| TokenFlow { token: token.to_owned(), mass: mass * dpo };
    let pair = PairFlow {
        gained: vec![token(" orchard", 0.78), token(" garden", 0.11)],
        lost: vec![token(" lanterns", -0.52), token(" mill", -0.2)],
    };
    MassFlow { since: SFT, pairs: vec![pair; PROMPTS], ..MassFlow::default() }
}

pub(crate) fn theme() -> Theme {
    Theme::default()
}

/// The dashboard after all that a live run said up to and including a step.
pub(crate) fn live_at(step: u64) -> App {
    let mut app = App::live("made_up", theme(), Glyphs::Braille);
    let replay = super::app::Replay::new(run_events());
    for event in run_events().into_iter().take(replay.position_of(step)) {
        app.update(super::message::Message::Trainer(std::sync::Arc::new(event)));
    }
    app
}

/// A classifier's run of 60 steps, a reading every ten: the 4 pulls the 9 up.
pub(crate) fn class_events() -> Vec<TrainerEvent> {
    const STEPS: u64 = 60;
    let stage = StageInfo { name: "SFT".to_owned(), steps: STEPS, ..started().stages[0].clone() };
    let run = RunStarted {
        run_id: "digits-seed7".to_owned(),
        experiment: "digits".to_owned(),
        stages: vec![stage],
        probes: Vec::new(),
        classes: (0..10).map(|class| class.to_string()).collect(),
        ..started()
    };
    let mut events = vec![
        TrainerEvent::RunStarted(Box::new(run)),
        TrainerEvent::StageStarted { stage: 0, step: 0 },
        TrainerEvent::from(class_reading(0)),
        TrainerEvent::Phase { phase: RunPhase::Running, step: 0 },
    ];
    for step in 1..=STEPS {
        let metrics = BTreeMap::from([
            (MetricKey::LOSS, 2.3 * (-(step as f64) / 25.0).exp()),
            (MetricKey::GRAD_NORM, 1.0 + (step % 7) as f64 / 10.0),
            (MetricKey::LEARNING_RATE, 0.03),
        ]);
        events.push(TrainerEvent::Step(StepMetrics { step, stage: 0, metrics }));
        if step % 10 == 0 {
            events.push(TrainerEvent::from(class_reading(step)));
            events.push(TrainerEvent::Speed { tokens_per_second: 960.0, seconds_left: (STEPS - step) as f64 });
        }
    }
    events.push(TrainerEvent::Phase { phase: RunPhase::Finished, step: STEPS });
    events
}

fn class_reading(step: u64) -> ClassReading {
    let done = step as f32 / 60.0;
    let alike = |a: usize, b: usize| match (a.min(b), a.max(b)) {
        (4, 9) => 1.0,
        (3, 8) | (1, 7) => 0.7,
        (a, b) => 0.1 + 0.05 * ((a * 7 + b) % 5) as f32,
    };
    let matrix =
        |value: &dyn Fn(usize, usize) -> f32| -> Vec<f32> { (0..100).map(|i| value(i / 10, i % 10)).collect() };
    let log_prob = |o: usize, v: usize| {
        if o == v { -2.3 + 2.2 * done } else { -2.3 - 4.0 * done + 5.0 * done * alike(o, v) }
    };
    ClassReading {
        step,
        stage: 0,
        accuracy: 0.1 + 0.86 * f64::from(done).sqrt(),
        log_probs: matrix(&log_prob),
        influence: matrix(&|u, o| done * if u == o { 420.0 } else { 300.0 * alike(u, o) }),
        influence_on_label: matrix(&|u, o| done * if u == o { 420.0 } else { -80.0 * alike(u, o) }),
        kernel: matrix(&|o, u| (30.0 + 20.0 * done) * if u == o { 2.0 } else { alike(o, u) }),
        residual: vec![0.95 - 0.7 * done; 10],
        adaptation: vec![3.0 + 0.4 * done; 10],
        predicted: matrix(&|o, v| if step == 0 { 0.0 } else { (log_prob(o, v) + 2.3) / (6.0 * done) }),
        examined_every: 1,
    }
}

/// The dashboard after all that a classifier's live run said up to and including a step.
pub(crate) fn classes_at(step: u64) -> App {
    let mut app = App::live("digits", theme(), Glyphs::Braille);
    let until = super::app::Replay::new(class_events()).position_of(step);
    for event in class_events().into_iter().take(until) {
        app.update(super::message::Message::Trainer(std::sync::Arc::new(event)));
    }
    app
}

/// A dashboard whose detector says squeezing, whatever the detector would make of the formulas.
pub(crate) fn squeezing() -> App {
    let mut app = live_at(100);
    let detector = &mut app.history_mut().detector;
    detector.state = DynamicsState::Squeezing;
    detector.reason =
        "on 41 % of pairs y⁺ and y⁻ both fell while ' orchard' took 78 % of the freed probability".to_owned();
    detector.changes = vec![StateChange { step: 70, stage: 1, state: DynamicsState::Squeezing, share: 0.25 }];
    (detector.standings, detector.courses) = Default::default();
    let standings = (1..=4_u32).map(|i| Standing {
        stage: 1,
        of_means: false,
        measured: PROMPTS,
        rejected_measured: true,
        flow_measured: true,
        greedy: None,
        step: 40 + 15 * u64::from(i),
        since: 40,
        displaced: (0..PROMPTS).map(|p| p < 2 * i as usize).collect(),
        squeezed: (0..PROMPTS).map(|p| p < i as usize).collect(),
        displacement_rate: f64::from(i) / 4.0,
        interval: (f64::from(i) / 6.0, f64::from(i) / 4.0),
        squeezing_rate: f64::from(i) / 8.0,
        chosen: -1.5 * f64::from(i),
        rejected: -4.0 * f64::from(i),
        argmax: 1.2 * f64::from(i),
        star_share: 0.38,
        bystanders: -0.012,
        entropy: -0.03,
        top_gain: Some((" orchard".to_owned(), 0.78)),
        direction: Direction::Worsening,
        highest: (40, -50.0),
        peak: None,
        state: DynamicsState::Squeezing,
    });
    standings.for_each(|standing| detector.record(standing));
    app
}

pub(crate) fn mono(mut app: App) -> App {
    app.view.theme.kind = ThemeKind::Mono;
    app
}

pub(crate) fn draw(app: &App, width: u16, height: u16) -> Buffer {
    let area = Rect::new(0, 0, width, height);
    let mut buffer = Buffer::empty(area);
    view::render(app, area, &mut buffer);
    buffer
}

/// The characters of a buffer, a line a row.
pub(crate) fn plain(buffer: &Buffer) -> String {
    let mut text = String::new();
    for y in 0..buffer.area.height {
        let row: String = (0..buffer.area.width).map(|x| buffer[(x, y)].symbol()).collect();
        text += row.trim_end();
        text.push('\n');
    }
    text
}

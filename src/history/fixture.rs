//! Synthetic runs for tests: a few pairs whose numbers are chosen one evaluation at a time.

use std::collections::BTreeMap;

use super::store::RunHistory;
use crate::protocol::{
    DetectorSettings, Evaluation, FORMAT_VERSION, GreedyAnswer, MassFlow, PrefixReading, ProbeKind, ProbePrompt,
    ProbeResponse, RunStarted, StageInfo, TokenFlow, TrainerEvent,
};

/// Tokens of every response.
pub(crate) const TOKENS: u32 = 10;

/// A stage of a synthetic run.
pub(crate) fn stage(name: &str, has_rejected: bool, steps: u64) -> StageInfo {
    StageInfo {
        name: name.to_owned(),
        objective: if has_rejected { "sigmoid" } else { "sft" }.to_owned(),
        has_rejected,
        on_policy: false,
        steps,
        learning_rate: 1e-4,
        beta: has_rejected.then_some(0.1),
    }
}

/// A run over `pairs` prompts, each with every kind of response.
pub(crate) fn run(pairs: usize, seed: u64, stages: Vec<StageInfo>) -> RunStarted {
    let response = |kind: ProbeKind| (kind, ProbeResponse { text: format!("{kind}"), tokens: TOKENS });
    let probe = |pair| ProbePrompt {
        prompt: format!("question {pair}"),
        responses: ProbeKind::ALL.iter().map(|&k| response(k)).collect(),
        chosen_tokens: Vec::new(),
        rejected_tokens: Vec::new(),
    };
    RunStarted {
        format_version: FORMAT_VERSION,
        run_id: format!("test-seed{seed}"),
        experiment: "test".to_owned(),
        description: String::new(),
        seed,
        backend: "none".to_owned(),
        model: "none".to_owned(),
        vocab_size: 50,
        stages,
        claims: Vec::new(),
        baseline: None,
        detector: DetectorSettings::default(),
        probes: (0..pairs).map(probe).collect(),
        means: false,
        classes: Vec::new(),
    }
}

/// An evaluation in which every pair has the same number of a kind; kinds not named are at −100, the argmax at −20.
pub(crate) fn evaluation(pairs: usize, stage: usize, step: u64, logps: &[(ProbeKind, f32)], argmax: f32) -> Evaluation {
    let logps: BTreeMap<_, _> = logps.iter().copied().collect();
    let values = |kind: ProbeKind| vec![logps.get(&kind).copied().unwrap_or(-100.0); pairs];
    Evaluation {
        step,
        stage,
        logps: ProbeKind::ALL.iter().map(|&k| (k, values(k))).collect(),
        chosen: PrefixReading { argmax_logps: vec![argmax; pairs], ..PrefixReading::default() },
        ..Evaluation::default()
    }
}

/// Mass flow in which y* takes `star` of a gain of 1 on every pair, with the given change of entropy and bystanders.
pub(crate) fn flow(pairs: usize, since: u64, star: f32, entropy: f32, bystanders: f32) -> MassFlow {
    MassFlow {
        since,
        star_gain: vec![star; pairs],
        gain: vec![1.0; pairs],
        star: vec![star; pairs],
        label: vec![-star - bystanders; pairs],
        bystanders: vec![bystanders; pairs],
        entropy: vec![entropy; pairs],
        gained: vec![TokenFlow { token: " market\u{202e}".to_owned(), mass: 0.09 * star * 10.0 }],
        ..MassFlow::default()
    }
}

/// Greedy answers with these statistics.
pub(crate) fn greedy(pairs: usize, distinct_2: f32, repeat_4: f32) -> Vec<GreedyAnswer> {
    vec![GreedyAnswer { text: "text".to_owned(), distinct_2, repeat_4, reward: None }; pairs]
}

/// The history of these events.
pub(crate) fn history<'a>(events: impl IntoIterator<Item = &'a TrainerEvent>) -> RunHistory {
    let mut history = RunHistory::default();
    for event in events {
        history.apply(event);
    }
    history
}

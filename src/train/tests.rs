//! The loop, on the shipped model and very little data.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::path::Path;

use crossbeam_channel::unbounded;

use super::job::train_on;
use super::sink::EventSink;
use crate::backend::TestBackend;
use crate::error::Result;
use crate::experiment::Experiment;
use crate::model::Checkpoint;
use crate::model::architecture::Role;
use crate::protocol::{MetricKey, ProbeKind, RunPhase, TrainerCommand, TrainerEvent};

#[derive(Default)]
struct Kept(Vec<TrainerEvent>);

impl EventSink for Kept {
    fn emit(&mut self, event: &TrainerEvent) -> Result<()> {
        self.0.push(event.clone());
        Ok(())
    }
}

/// Runs one stage; `stage` completes its fields. Returns the events and how it ended.
fn run(stage: &str, commands: &[TrainerCommand]) -> (Vec<TrainerEvent>, Result<()>) {
    run_with("", stage, None, commands)
}

/// The same with `more` fields of the experiment, and a folder for the trained model.
fn run_with(
    more: &str,
    stage: &str,
    model_folder: Option<&Path>,
    commands: &[TrainerCommand],
) -> (Vec<TrainerEvent>, Result<()>) {
    let text = format!(
        "(name: \"test\", seed: 3, {more} data: world(train: 16, held_out: 4), probes: (prompts: 3, greedy: 1, max_new_tokens: 4),
          stages: [(name: \"T\", steps: 3, evaluate_every: 2, {stage})])"
    );
    let experiment = Experiment::parse(Path::new("test.ron"), &text, &[]).unwrap();
    let (sender, receiver) = unbounded();
    commands.iter().for_each(|&c| sender.send(c).unwrap());
    drop(sender);
    let mut kept = Kept::default();
    let ended = train_on::<TestBackend>(&experiment, &Default::default(), "flex", model_folder, &mut kept, &receiver);
    (kept.0, ended)
}

fn metric(events: &[TrainerEvent], key: &MetricKey) -> Vec<f64> {
    let of = |e: &TrainerEvent| match e {
        TrainerEvent::Step(step) => step.metrics.get(key).copied(),
        _ => None,
    };
    events.iter().filter_map(of).collect()
}

const LORA: &str = "lora: (rank: 4, targets: [query, value, down]),";
const BF16_LORA: &str = "precision: bf16, lora: (rank: 4, targets: [query, value, down]),";

#[test]
fn accumulation_is_a_larger_batch() {
    // Objective, fields of the experiment, whether blocks are computed anew, and how closely the two agree.
    for (objective, more, anew, within) in [
        ("sft", "", false, 1e-4),
        ("sft_extended", "", false, 1e-4),
        ("sigmoid(beta: 0.1)", "", false, 1e-4),
        ("simpo()", "", false, 1e-4),
        ("sigmoid(beta: 0.1)", "", true, 1e-4),
        ("sigmoid(beta: 0.1)", LORA, false, 1e-4),
        ("sigmoid(beta: 0.1)", LORA, true, 1e-4),
        ("sigmoid(beta: 0.1)", BF16_LORA, true, 2e-2),
    ] {
        let stage = |batch: usize, slices: usize| {
            format!(
                "objective: {objective}, learning_rate: 1e-3, optimizer: sgd, batch_size: {batch}, gradient_accumulation_steps: {slices}, gradient_checkpointing: {anew}"
            )
        };
        let (whole, ended) = run_with(more, &stage(8, 1), None, &[]);
        ended.unwrap();
        let (sliced, ended) = run_with(more, &stage(2, 4), None, &[]);
        ended.unwrap();
        for key in [MetricKey::LOSS, MetricKey::GRAD_NORM, MetricKey::LOGPS_CHOSEN] {
            let (whole, sliced) = (metric(&whole, &key), metric(&sliced, &key));
            assert_eq!(whole.len(), 3);
            for (a, b) in whole.iter().zip(sliced) {
                assert!((a - b).abs() <= within * a.abs(), "{objective} {more} {key}: {a} in one batch, {b} in slices");
            }
        }
    }
}

#[test]
fn blocks_computed_anew_train_alike() {
    for (more, within) in [("", 1e-4), (LORA, 1e-4), (BF16_LORA, 2e-2)] {
        let losses = |checkpointing: bool| {
            let stage = "objective: sigmoid(), learning_rate: 1e-3, batch_size: 4, gradient_checkpointing";
            let (events, ended) = run_with(more, &format!("{stage}: {checkpointing}"), None, &[]);
            ended.unwrap();
            metric(&events, &MetricKey::LOSS)
        };
        let (kept, anew) = (losses(false), losses(true));
        assert!((kept[0] - std::f64::consts::LN_2).abs() < within, "{more} DPO begins at its reference: {kept:?}");
        assert!(kept[2] < kept[0], "it learns: {kept:?}");
        for (kept, anew) in kept.iter().zip(&anew) {
            assert!((kept - anew).abs() < within * kept, "{more} {kept} {anew}");
        }
    }
}

#[test]
fn beneath_adapters_every_other_weight_stays() {
    let folder = tempfile::tempdir().unwrap();
    let stage = "objective: sft, learning_rate: 1e-2, batch_size: 4, optimizer: adamw(weight_decay: 0.1)";
    run_with(LORA, stage, Some(folder.path()), &[]).1.unwrap();
    let numbers =
        |checkpoint: &Checkpoint| checkpoint.load::<burn_flex::Flex>(&Default::default()).unwrap().to_parameters();
    let base = Checkpoint::base().unwrap();
    let (before, after) = (numbers(&base), numbers(&Checkpoint::read(folder.path()).unwrap()));
    for ((parameter, _), (before, after)) in base.config.parameters().iter().zip(before.iter().zip(&after)) {
        let target = matches!(parameter.role, Role::Query | Role::Value | Role::Down);
        assert_eq!(before != after, target, "{parameter:?}");
    }
}

#[test]
fn dpo_begins_where_the_reference_is() {
    let (events, ended) =
        run("objective: sigmoid(beta: 0.1), learning_rate: 1e-3, optimizer: rmsprop(), batch_size: 4", &[]);
    ended.unwrap();
    let loss = metric(&events, &MetricKey::LOSS)[0];
    assert!((loss - std::f64::consts::LN_2).abs() < 1e-4, "-log σ(0) is log 2, and the first loss is {loss}");
    for key in [MetricKey::WEIGHT_CHOSEN, MetricKey::WEIGHT_REJECTED] {
        assert!((metric(&events, &key)[0] - 0.05).abs() < 1e-4, "β/2");
    }
}

#[test]
fn a_diverging_run_fails_and_says_what_to_do() {
    let (events, ended) =
        run("objective: sft, learning_rate: 1e38, optimizer: sgd, batch_size: 4, max_grad_norm: 0.0", &[]);
    let message = ended.unwrap_err().to_string();
    assert!(message.contains("learning") && message.contains("rate"), "{message}");
    assert!(!metric(&events, &MetricKey::LOSS).is_empty(), "what was measured before is told");
}

#[test]
fn commands_act_between_steps_and_are_acknowledged() {
    use TrainerCommand::{Evaluate, Pause, Resume, Step, Stop};
    let (events, ended) =
        run("objective: sft, learning_rate: 1e-4, batch_size: 2", &[Pause, Step, Evaluate, Evaluate, Resume, Stop]);
    ended.unwrap();
    let told: Vec<String> = events
        .iter()
        .skip_while(|e| !matches!(e, TrainerEvent::StageStarted { .. }))
        .filter_map(|e| match e {
            TrainerEvent::Phase { phase: RunPhase::Starting(_) | RunPhase::Evaluating, .. }
            | TrainerEvent::Note { .. }
            | TrainerEvent::Speed { .. } => None,
            TrainerEvent::Phase { phase, step } => Some(format!("{phase:?} {step}")),
            TrainerEvent::Step(step) => Some(format!("step {}", step.step)),
            TrainerEvent::Evaluation(e) => Some(format!("evaluation {}", e.step)),
            _ => None,
        })
        .collect();
    assert_eq!(
        told,
        [
            "evaluation 0",
            "Running 0",
            "Paused 0",
            "Running 0",
            "step 1",
            "Paused 1",
            "evaluation 1",
            "Paused 1",
            "Paused 1",
            "Running 1",
            "Stopping 1",
            "Stopped 1"
        ]
    );
}

#[test]
fn objectives_of_every_kind_train() {
    // With a target, without a reference, with a gate; the golden values hold the formulas of the others.
    for objective in ["sft_extended", "slic()", "simpo()", "gate_dpo()"] {
        let (events, ended) = run(&format!("objective: {objective}, learning_rate: 1e-4, batch_size: 2"), &[]);
        ended.unwrap_or_else(|e| panic!("{objective}: {e}"));
        let losses = metric(&events, &MetricKey::LOSS);
        assert!(losses.len() == 3 && losses.iter().all(|x| x.is_finite()), "{objective}: {losses:?}");
        assert_eq!(metric(&events, &MetricKey::WEIGHT_REJECTED).len(), 3, "{objective} reads y⁻");
    }
}

#[test]
fn answers_sampled_from_the_reference_itself_begin_at_log_2() {
    let stage = "objective: sigmoid(beta: 0.1), learning_rate: 1e-3, batch_size: 4,
        on_policy: (every: 2, max_new_tokens: 12)";
    let (events, ended) = run(stage, &[]);
    ended.unwrap();
    assert!((metric(&events, &MetricKey::LOSS)[0] - std::f64::consts::LN_2).abs() < 1e-4);
    let rewards = metric(&events, &MetricKey::SAMPLED_REWARD_REJECTED);
    assert_eq!(rewards.len(), 2, "sampled before the steps 1 and 3");
    assert!(rewards.iter().all(|r| (0.0..=1.0).contains(r)), "{rewards:?}");
    assert!(metric(&events, &MetricKey::SAMPLED_REWARD_CHOSEN).is_empty(), "y⁺ stays the data's");
    assert_eq!(metric(&run(stage, &[]).0, &MetricKey::LOSS), metric(&events, &MetricKey::LOSS), "the seed decides");
}

#[test]
fn of_several_candidates_the_better_one_is_chosen() {
    let (events, ended) = run(
        "objective: sigmoid(), learning_rate: 1e-3, batch_size: 4,
         on_policy: (replaces: both, every: 0, candidates: 4, temperature: 1.3, top_p: 0.95, max_new_tokens: 60)",
        &[],
    );
    ended.unwrap();
    let (chosen, rejected) =
        (metric(&events, &MetricKey::SAMPLED_REWARD_CHOSEN), metric(&events, &MetricKey::SAMPLED_REWARD_REJECTED));
    assert_eq!((chosen.len(), rejected.len()), (1, 1), "once, when the stage begins");
    assert!(chosen[0] > rejected[0], "{chosen:?} and {rejected:?}");
}

#[test]
fn the_tokens_of_the_first_prompts_add_up_to_the_answers() {
    let stage = "objective: sigmoid(), learning_rate: 1e-3, batch_size: 4";
    let text = |tokens: &str| {
        format!(
            "(name: \"test\", seed: 3, data: world(train: 8, held_out: 4), probes: (prompts: 3, greedy: 0{tokens}),
              stages: [(name: \"T\", steps: 1, {stage})])"
        )
    };
    let recorded = |tokens: &str| {
        let experiment = Experiment::parse(Path::new("test.ron"), &text(tokens), &[]).unwrap();
        let (_, receiver) = unbounded();
        let mut kept = Kept::default();
        train_on::<TestBackend>(&experiment, &Default::default(), "flex", None, &mut kept, &receiver).unwrap();
        kept.0
    };
    let mut seen = 0;
    for event in recorded(", tokens: 2") {
        let back: TrainerEvent = serde_json::from_str(&serde_json::to_string(&event).unwrap()).unwrap();
        let TrainerEvent::Evaluation(evaluation) = back else { continue };
        let rejected = evaluation.rejected.as_ref().unwrap();
        for (kind, reading) in [(ProbeKind::Chosen, &evaluation.chosen), (ProbeKind::Rejected, rejected)] {
            assert_eq!(reading.token_logps.len(), 2);
            for (pair, list) in reading.token_logps.iter().enumerate() {
                assert_eq!(list.len(), reading.argmax_tokens.list(pair).count());
                let (sum, whole) = (list.iter().sum::<f32>(), evaluation.logps.get(kind).unwrap()[pair]);
                assert!((sum - whole).abs() < 1e-3, "{kind}, prompt {pair}: {sum} and {whole}");
            }
        }
        seen += 1;
    }
    assert!(seen > 0);
    let off = recorded("").iter().map(|event| serde_json::to_string(event).unwrap()).collect::<String>();
    assert!(!off.contains("token_logps"), "nothing is written where nothing was asked for");
}

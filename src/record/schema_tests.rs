//! That the document and `src/protocol` say the same: every field of every event, which of them may be absent, and what is
//! read and written.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::path::Path;

use super::*;
use crate::history::fixture::{evaluation, flow, greedy, run, stage};
use crate::protocol::{
    ClassReading, ForceParts, Forces, MetricKey, PairFlow, ProbeKind, RunPhase, StepMetrics, TokenFlow, TrainerEvent,
};
use crate::record::lines::Lines;

/// An event of every kind with every field that it may have.
fn full() -> Vec<TrainerEvent> {
    let mut started = run(1, 0, vec![stage("DPO", true, 9)]);
    started.stages[0].beta = Some(0.1);
    started.baseline = Some("sft".to_owned());
    started.claims = vec!["D1".to_owned()];
    started.means = true;
    started.classes = vec!["4".to_owned()];
    for prompt in &mut started.probes {
        prompt.chosen_tokens = vec!["a".to_owned()];
        prompt.rejected_tokens = vec!["b".to_owned()];
    }
    let token = || vec![TokenFlow { token: "x".to_owned(), mass: 0.5 }];
    let mut measured = evaluation(1, 0, 1, &[], -20.0);
    let mut moved = flow(1, 0, 0.1, f32::NAN, f32::INFINITY);
    (moved.gained, moved.lost) = (token(), token());
    moved.pairs = vec![PairFlow { gained: token(), lost: token() }];
    measured.stage_flow = Some(moved);
    measured.rejected = Some(measured.chosen.clone());
    measured.greedy = greedy(1, 0.5, 0.1);
    measured.greedy[0].reward = Some(0.5);
    measured.held_out_rewards = vec![0.5];
    let one = || vec![0.5];
    let parts = ForceParts { measured: one(), pull: one(), push: one(), decay: one() };
    let classes = ClassReading {
        log_probs: one(),
        influence: one(),
        influence_on_label: one(),
        kernel: one(),
        residual: one(),
        adaptation: one(),
        predicted: one(),
        examined_every: 1,
        step: 1,
        ..ClassReading::default()
    };
    let metrics = [(MetricKey::LOSS, f64::NEG_INFINITY), (MetricKey::GRAD_NORM, f64::NAN)].into();
    let phases = [
        RunPhase::Running,
        RunPhase::Paused,
        RunPhase::Evaluating,
        RunPhase::Stopping,
        RunPhase::Finished,
        RunPhase::Stopped,
        RunPhase::Failed("why".to_owned()),
        RunPhase::Starting("what".to_owned()),
    ];
    let mut events = vec![
        TrainerEvent::RunStarted(Box::new(started)),
        TrainerEvent::StageStarted { stage: 0, step: 0 },
        TrainerEvent::Step(StepMetrics { step: 1, stage: 0, metrics }),
        TrainerEvent::from(measured),
        TrainerEvent::Forces(Box::new(Forces {
            step: 1,
            stage: 0,
            since: 0,
            nodes: 2,
            tolerance: 0.05,
            kinds: [(ProbeKind::Chosen, parts)].into(),
        })),
        TrainerEvent::from(classes),
        TrainerEvent::Note { step: 1, text: "x".to_owned(), warning: true },
        TrainerEvent::Measuring { doing: "measuring answers".to_owned(), share: Some(0.5) },
        TrainerEvent::Speed { tokens_per_second: 1.0, seconds_left: 2.0 },
    ];
    events.extend(phases.map(|phase| TrainerEvent::Phase { phase, step: 1 }));
    events
}

fn definition(event: &Value) -> &'static Value {
    let alternatives = PARSED["oneOf"].as_array().unwrap().iter().map(resolved);
    alternatives.into_iter().find(|of| of["properties"]["event"]["const"] == event["event"]).unwrap()
}

#[test]
fn what_is_written_is_what_the_document_says_and_all_that_it_says() {
    let mut tags = BTreeSet::new();
    for event in full() {
        let written = serde_json::to_value(&event).unwrap();
        tags.insert(written["event"].to_string());
        assert_eq!(examine(&written), Findings::default(), "{written}");
        // No field is documented that is not there.
        for name in definition(&written)["properties"].as_object().unwrap().keys() {
            assert!(
                written.get(name).is_some(),
                "the document has `{name}` of {}, and nobody writes it",
                written["event"]
            );
        }
    }
    assert_eq!(
        tags.len(),
        PARSED["oneOf"].as_array().unwrap().len(),
        "an event without its definition, or the reverse"
    );
    let kinds = PARSED["$defs"]["kind"]["examples"].as_array().unwrap();
    assert!(kinds.iter().map(|k| k.as_str().unwrap()).eq(ProbeKind::ALL.iter().map(|kind| kind.key())));
}

/// What the document calls required the reader requires, and nothing else.
#[test]
fn a_field_may_be_absent_where_the_document_says_so() {
    for event in full() {
        let written = serde_json::to_value(&event).unwrap();
        let required = definition(&written)["required"].as_array().unwrap();
        for name in written.as_object().unwrap().keys() {
            let mut without = written.clone();
            without.as_object_mut().unwrap().remove(name);
            let mut lines = Lines::new(Path::new("x"));
            let text = |value: &Value| serde_json::to_vec(value).unwrap();
            if written["event"] != "run_started" {
                lines.take(&text(&serde_json::to_value(&full()[0]).unwrap())).unwrap();
            }
            let is_read = lines.take(&text(&without)).is_ok();
            let is_required = required.iter().any(|required| required == name);
            assert_eq!(is_read, !is_required, "`{name}` of {}", written["event"]);
            assert_eq!(examine(&without).wrong.is_empty(), !is_required, "`{name}` of {}", written["event"]);
        }
    }
}

#[test]
fn what_contradicts_the_document_is_named_by_its_path() {
    let examined = |text: &str| examine(&serde_json::from_str(text).unwrap());
    let wrong = |text: &str| examined(text).wrong.join("; ");
    assert_eq!(wrong(r#"{"event":"step","step":-1,"stage":0,"metrics":{}}"#), "step: must be at least 0");
    assert_eq!(
        wrong(r#"{"event":"step","step":1,"stage":0,"metrics":{"loss":"x"}}"#),
        "metrics.*: is none of what it may be"
    );
    assert_eq!(wrong(r#"{"event":"step","step":1,"stage":0}"#), "the event: lacks `metrics`");
    assert_eq!(wrong(r#"{"step":1}"#), "event: must be a text that names the event");
    let unknown =
        examined(r#"{"event":"evaluation","step":1,"stage":0,"logps":{"mine":[1]},"chosen":{"pe":[1]},"mood":1}"#);
    assert!(unknown.wrong.is_empty(), "{unknown:?}");
    assert_eq!(unknown.unknown.into_iter().collect::<Vec<_>>(), ["chosen.pe", "mood"]);
    assert_eq!(examined(r#"{"event":"omen","x":1}"#), Findings::default());
}

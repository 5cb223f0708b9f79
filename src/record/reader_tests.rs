//! What is read, what is passed over, what is refused and where.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::io::Write as _;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::history::fixture::{evaluation, flow, greedy, run, stage};
use crate::protocol::{ForceParts, Forces, MetricKey, ProbeKind, RunPhase, StepMetrics};
use crate::record::RunWriter;

const PATH: &str = "run/events.jsonl";

fn events() -> Vec<TrainerEvent> {
    let mut odd = evaluation(2, 0, 2, &[], f32::NAN);
    odd.logps.iter_mut().for_each(|(_, v)| v[1] = f32::NEG_INFINITY);
    odd.stage_flow = Some(flow(2, 0, f32::NAN, f32::INFINITY, 0.1));
    odd.greedy = greedy(2, f32::NAN, 0.1);
    let metrics = [(MetricKey::LOSS, 0.1), (MetricKey::GRAD_NORM, f64::INFINITY)].into_iter().collect();
    vec![
        TrainerEvent::RunStarted(Box::new(run(2, 3, vec![stage("SFT", false, 2)]))),
        TrainerEvent::StageStarted { stage: 0, step: 0 },
        TrainerEvent::from(evaluation(2, 0, 0, &[], -1.0 / 3.0)),
        TrainerEvent::Step(StepMetrics { step: 1, stage: 0, metrics }),
        TrainerEvent::from(odd),
        TrainerEvent::Phase { phase: RunPhase::Finished, step: 2 },
    ]
}

fn written(events: &[TrainerEvent]) -> String {
    let mut bytes = Vec::new();
    let mut writer = RunWriter::new(Path::new(PATH), &mut bytes);
    events.iter().for_each(|e| writer.write(e).unwrap());
    drop(writer);
    String::from_utf8(bytes).unwrap()
}

fn read_text(text: &[u8]) -> Result<Recording> {
    let mut reader = RunReader::new(Path::new(PATH), text);
    let mut events = Vec::new();
    while let Some(event) = reader.next_event()? {
        events.push(event);
    }
    Ok(Recording { events, warnings: reader.warnings()? })
}

#[test]
fn what_is_written_is_read_bit_for_bit_even_where_it_is_no_number() {
    let text = written(&events());
    let recording = read_text(text.as_bytes()).unwrap();
    assert_eq!(format!("{:?}", recording.events), format!("{:?}", events()));
    assert_eq!(written(&recording.events), text);
    assert!(recording.warnings.is_empty());
    assert_eq!(recording.history().evaluations.len(), 2);
}

#[test]
fn what_a_newer_program_adds_is_passed_over() {
    let text = written(&events());
    let text = text.replacen("\"detector\":{", "\"detector\":{\"new_threshold\":[1],", 1);
    let text = text.replacen("\"step\":1", "\"step\":1,\"later\":{\"a\":null}", 1);
    let text = text.replacen('\n', "\n\n{\"event\":\"omens\",\"x\":1}\r\n{\"x\":1,\"event\":\"om\\u0065ns\"}\n", 1);
    let recording = read_text(text.as_bytes()).unwrap();
    assert_eq!(format!("{:?}", recording.events), format!("{:?}", events()));
    let warnings: Vec<&str> = recording.warnings.iter().map(Shown::as_str).collect();
    assert_eq!(warnings, ["run/events.jsonl: 2 events of an unknown kind skipped"]);
}

#[test]
fn a_last_line_that_breaks_off_is_dropped_wherever_it_breaks() {
    let text = written(&events());
    let whole = text.trim_end().rfind('\n').unwrap() + 1;
    for end in whole + 1..text.len() - 1 {
        let recording = read_text(&text.as_bytes()[..end]).unwrap();
        assert_eq!(recording.events.len(), events().len() - 1);
        assert_eq!(recording.warnings[0].as_str(), "run/events.jsonl:6: the last line breaks off and was dropped");
    }
    // Whole, but for the line break.
    assert_eq!(read_text(text.trim_end().as_bytes()).unwrap().events.len(), events().len());
}

#[test]
fn a_packed_file_is_read_like_a_plain_one_and_a_damaged_one_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.jsonl.gz");
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packer.write_all(written(&events()).as_bytes()).unwrap();
    let packed = packer.finish().unwrap();
    std::fs::write(&path, &packed).unwrap();
    assert_eq!(written(&read(&path).unwrap().events), written(&events()));
    std::fs::write(&path, &packed[..packed.len() / 2]).unwrap();
    let error = read(&path).unwrap_err().to_string();
    assert!(error.contains("run.jsonl.gz"), "{error}");
}

#[test]
fn what_cannot_be_is_refused_with_its_place() {
    let text = written(&events());
    let lines: Vec<&str> = text.lines().collect();
    let join = |lines: &[&str]| lines.join("\n") + "\n";
    let step = |step: u64, stage: u64| format!(r#"{{"event":"step","step":{step},"stage":{stage},"metrics":{{}}}}"#);
    let newer = text.replacen("\"format_version\":1", "\"format_version\":2", 1);
    let short = text.replacen("[-100.0,-100.0]", "[-100.0]", 1);
    let foreign = "{\"prompt\": \"a\", \"chosen\": \"b\"}\n".to_owned();
    for (text, expected) in [
        (String::new(), "run/events.jsonl: holds no run: there is no run_started event"),
        (join(&lines[1..]), "run/events.jsonl:1: an event before run_started"),
        (join(&[lines[0], "{\"event\":\"step\",", lines[1]]), "run/events.jsonl:2:16: not an event: EOF while parsing"),
        (join(&[lines[0], "nonsense\u{1b}[2J", lines[1]]), "run/events.jsonl:2:2: not an event: expected ident"),
        (join(&[lines[0], "{\"event\":\"step\"}"]), "run/events.jsonl:2:16: not an event: missing field `step`"),
        (foreign, "run/events.jsonl:1:30: not an event: missing field `event`"),
        (newer, "run/events.jsonl:1: format 2 is newer than this program's 1"),
        (join(&[lines[0], lines[0]]), "run/events.jsonl:2: a second run begins"),
        (join(&[lines[0], &step(5, 0), &step(4, 0)]), "run/events.jsonl:3: step 4 comes after step 5"),
        (join(&[lines[0], &step(1, 1)]), "run/events.jsonl:2: stage 1, but the run has 1 (counted from 0)"),
        (short, "run/events.jsonl:3: a list of 1 numbers, but the run has 2 probe prompts"),
    ] {
        let error = read_text(text.as_bytes()).unwrap_err();
        assert!(error.to_string().starts_with(expected), "{error}\nis not\n{expected}");
        assert_eq!(error.exit_status(), 2);
    }
    let missing = read(Path::new("no/such/run")).unwrap_err();
    assert_eq!(missing.exit_status(), 2);
}

/// A run of two classes.
fn class_events() -> Vec<TrainerEvent> {
    let mut started = run(0, 3, vec![stage("SFT", false, 2)]);
    started.classes = vec!["4".to_owned(), "9".to_owned()];
    let reading = |step: u64| crate::protocol::ClassReading {
        step,
        accuracy: 0.5,
        log_probs: vec![-0.1, f32::NEG_INFINITY, f32::NAN, -3.0],
        influence: vec![1.0; 4],
        influence_on_label: vec![-1.0; 4],
        kernel: vec![0.25; 4],
        residual: vec![0.1, 0.2],
        adaptation: vec![3.0; 2],
        predicted: vec![1.0 / 3.0; 4],
        examined_every: 8,
        ..Default::default()
    };
    vec![
        TrainerEvent::RunStarted(Box::new(started)),
        TrainerEvent::StageStarted { stage: 0, step: 0 },
        TrainerEvent::from(reading(0)),
        TrainerEvent::from(reading(2)),
        TrainerEvent::Phase { phase: RunPhase::Finished, step: 2 },
    ]
}

#[test]
fn readings_of_classes_are_read_and_their_sizes_checked() {
    let text = written(&class_events());
    let recording = read_text(text.as_bytes()).unwrap();
    assert_eq!(format!("{:?}", recording.events), format!("{:?}", class_events()));
    let history = recording.history();
    assert_eq!((history.measurements(), history.measured_at(1), history.class_count()), (2, Some(2), 2));
    assert_eq!(history.reading_at(1).map(|r| r.step), Some(0));
    for (from, to, expected) in [
        ("[0.25,0.25,0.25,0.25]", "[0.25]", "run/events.jsonl:3: a matrix of 1 numbers, but the run has 2 classes"),
        ("[3.0,3.0]", "[]", "run/events.jsonl:3: a list of 0 numbers, but the run has 2 classes"),
        (",\"classes\":[\"4\",\"9\"]", "", "run/events.jsonl:3: classes were read, but the run has none"),
        ("\"step\":2,\"stage\":0", "\"step\":2,\"stage\":1", "run/events.jsonl:4: stage 1, but the run has 1"),
    ] {
        assert!(text.contains(from), "{from} in {text}");
        let error = read_text(text.replacen(from, to, 1).as_bytes()).unwrap_err();
        assert!(error.to_string().starts_with(expected), "{error}\nis not\n{expected}");
    }
    // A language model's run is written as it was before there were classifiers.
    assert!(!written(&events()).contains("classes"));
}

#[test]
fn forces_are_read_and_their_sizes_checked() {
    let parts = ForceParts {
        measured: vec![-2.5, f32::NAN],
        pull: vec![8.0, f32::NAN],
        push: vec![-10.25, f32::NAN],
        decay: Vec::new(),
    };
    let kinds = [(ProbeKind::Chosen, parts)].into();
    let forces = Forces { step: 5, stage: 0, since: 1, nodes: 2, tolerance: 0.05, kinds };
    let mut all = events();
    all.truncate(4);
    all.push(TrainerEvent::Forces(Box::new(forces)));
    let text = written(&all);
    assert!(!text.contains("decay"), "{text}");
    let recording = read_text(text.as_bytes()).unwrap();
    assert_eq!(format!("{:?}", recording.events), format!("{all:?}"));
    assert_eq!(recording.history().forces.entries.len(), 1);
    for (from, to, expected) in [
        ("[8.0,null]", "[8.0]", "run/events.jsonl:5: the parts of chosen are not as many as its 2 changes"),
        ("[-10.25,null]", "[1.0]", "run/events.jsonl:5: the parts of chosen are not as many as its 2 changes"),
        ("\"step\":5,\"stage\":0,\"since\"", "\"step\":5,\"stage\":7,\"since\"", "run/events.jsonl:5: stage 7, but"),
    ] {
        assert!(text.contains(from), "{from} in {text}");
        let error = read_text(text.replacen(from, to, 1).as_bytes()).unwrap_err();
        assert!(error.to_string().starts_with(expected), "{error}\nis not\n{expected}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Damage is an error or a shorter run, never a panic.
    #[test]
    fn a_damaged_file_never_panics(at in 0_usize..4000, byte in any::<u8>()) {
        let mut bytes = written(&events()).into_bytes();
        let at = at % bytes.len();
        bytes[at] = byte;
        if let Ok(recording) = read_text(&bytes) {
            prop_assert!(recording.history().run.is_some());
        }
    }

    /// Every float comes back as it was.
    #[test]
    fn floats_survive(x in any::<f32>(), y in any::<f64>()) {
        let mut all = events();
        if let TrainerEvent::Evaluation(e) = &mut all[2] {
            Arc::make_mut(e).chosen.argmax_logps[0] = x;
        }
        if let TrainerEvent::Step(s) = &mut all[3] {
            s.metrics.insert(MetricKey::LOSS, y);
        }
        let back = read_text(written(&all).as_bytes()).unwrap().events;
        prop_assert_eq!(format!("{:?}", back), format!("{:?}", all));
    }
}

//! That a recording which arrives part by part is the one that is read at once, and that a mistake in it is told.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::path::PathBuf;

use super::*;
use crate::history::Timeline;
use crate::history::fixture::{evaluation, run, stage};
use crate::protocol::{MetricKey, StepMetrics};
use crate::record::{RunWriter, read};

const STEPS: u64 = 5_000;

/// A run of some thousand steps; returns its file.
fn written(folder: &Path) -> PathBuf {
    let path = folder.join("events.jsonl");
    let mut writer = RunWriter::create(&path).unwrap();
    writer.write(&TrainerEvent::RunStarted(Box::new(run(2, 0, vec![stage("SFT", false, STEPS)])))).unwrap();
    writer.write(&TrainerEvent::StageStarted { stage: 0, step: 0 }).unwrap();
    for step in 1..=STEPS {
        let metrics = [(MetricKey::LOSS, 1.0 / step as f64)].into();
        writer.write(&TrainerEvent::Step(StepMetrics { step, stage: 0, metrics })).unwrap();
        if step % 10 == 0 {
            writer.write(&evaluation(2, 0, step, &[], -20.0).into()).unwrap();
        }
    }
    writer.flush().unwrap();
    path
}

/// Everything that arrives until nothing does, and the reader's own word.
fn arrived(path: &Path) -> (Timeline, Vec<Loaded>, Result<Vec<Shown>>) {
    let loader = Loader::start(path).unwrap();
    let (mut timeline, mut rest) = (Timeline::default(), Vec::new());
    for loaded in loader.arrivals() {
        match loaded {
            Loaded::Part { part, after, read, of } => {
                assert!(read <= of);
                timeline.extend((part, after));
            }
            other => rest.push(other),
        }
    }
    (timeline, rest, loader.end())
}

fn folded(timeline: &Timeline) -> RunHistory {
    let mut history = RunHistory::default();
    timeline.seek(&mut history, 0, timeline.len());
    history
}

#[test]
fn what_arrives_is_what_is_read_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(folder.path());
    let (timeline, rest, result) = arrived(&path);
    let whole = read(&path).unwrap();
    assert!(matches!(rest[..], [Loaded::Whole]) && result.unwrap().is_empty());
    assert_eq!(timeline.len(), whole.events.len());
    assert_eq!(format!("{:?}", folded(&timeline)), format!("{:?}", whole.history()));
}

#[test]
fn a_mistake_in_the_middle_is_told_after_what_comes_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(folder.path());
    let text = std::fs::read_to_string(&path).unwrap();
    let broken: Vec<&str> =
        text.lines().enumerate().map(|(at, line)| if at == 3_000 { "{\"event\":" } else { line }).collect();
    std::fs::write(&path, broken.join("\n")).unwrap();
    let (timeline, rest, result) = arrived(&path);
    let error = result.unwrap_err();
    assert_eq!(error.to_string(), read(&path).unwrap_err().to_string());
    assert_eq!((error.exit_status(), timeline.len()), (2, 3_000));
    let [Loaded::Broken(why)] = &rest[..] else { panic!("{rest:?}") };
    assert!(why.as_str().starts_with("events.jsonl:3001"), "{why}");
    assert!(!why.as_str().contains('\n') && error.to_string().contains(why.as_str()), "{why}");
}

#[test]
fn whoever_does_not_listen_ends_the_reading() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(folder.path());
    assert!(Loader::start(&path).unwrap().end().is_ok());
    assert!(Loader::start(&folder.path().join("none.jsonl")).is_err());
}

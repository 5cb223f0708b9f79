//! That going anywhere in a recording is the same as folding it anew.

use proptest::prelude::*;

use super::*;
use crate::history::fixture::{evaluation, flow, history, run, stage};
use crate::protocol::{ClassReading, ProbeKind, RunPhase};

/// Two stages with a measurement every few steps, pauses, a metric that comes late and one that a step leaves out.
fn events() -> Vec<TrainerEvent> {
    let mut events = vec![
        TrainerEvent::RunStarted(Box::new(run(4, 0, vec![stage("SFT", false, 150), stage("DPO", true, 150)]))),
        TrainerEvent::StageStarted { stage: 0, step: 0 },
    ];
    for step in 0..=300_u64 {
        let (stage, at) = (usize::from(step > 150), step as f32);
        if step > 0 {
            let mut metrics =
                [(MetricKey::LOSS, 1.0 / step as f64)].into_iter().collect::<std::collections::BTreeMap<_, _>>();
            if step > 150 && step % 7 > 0 {
                metrics.insert(MetricKey::REWARDS_MARGINS, step as f64);
            }
            if step == 200 {
                metrics.insert(MetricKey::GRAD_NORM, f64::NAN);
            }
            events.push(TrainerEvent::Step(StepMetrics { step, stage, metrics }));
        }
        if step % 6 == 0 {
            let fall = (at - 150.0).max(0.0) / 10.0;
            let logps = [(ProbeKind::Chosen, -50.0 - fall), (ProbeKind::Rejected, -50.0 - 3.0 * fall)];
            let mut e = evaluation(4, stage, step, &logps, -40.0 + fall);
            e.stage_flow = (step > 150).then(|| flow(4, 150, 0.5, 0.0, 0.0));
            events.push(e.into());
        }
        if step == 150 {
            events.push(TrainerEvent::StageStarted { stage: 1, step });
        }
        if step % 50 == 20 {
            events.extend([RunPhase::Paused, RunPhase::Running].map(|phase| TrainerEvent::Phase { phase, step }));
        }
    }
    events.push(ClassReading { step: 300, stage: 1, ..ClassReading::default() }.into());
    events.push(TrainerEvent::Phase { phase: RunPhase::Finished, step: 300 });
    events
}

/// The recording in parts of this many events.
fn timeline(events: &[TrainerEvent], part: usize) -> Timeline {
    let (mut timeline, mut folder) = (Timeline::default(), Folder::default());
    for chunk in events.chunks(part) {
        chunk.iter().cloned().for_each(|event| folder.add(event));
        timeline.extend(folder.take());
    }
    timeline
}

/// Everything that a history holds: it prints all of itself.
fn all(history: &RunHistory) -> String {
    format!("{history:?}")
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn seeking_is_folding_anew(part in 1usize..90, places in prop::collection::vec(any::<prop::sample::Index>(), 1..12)) {
        let events = events();
        let timeline = timeline(&events, part);
        prop_assert!(timeline.copies.len() <= 2 * COPIES && timeline.len() == events.len());
        let (mut at, mut shown) = (0, RunHistory::default());
        for place in places {
            let to = place.index(events.len() + 1);
            timeline.seek(&mut shown, at, to);
            at = to;
            prop_assert_eq!(all(&shown), all(&history(&events[..to])));
        }
    }
}

#[test]
fn places_are_found_by_step_and_by_measurement() {
    let events = events();
    for part in [1, 17, 10_000] {
        let timeline = timeline(&events, part);
        let mut reached = 0;
        let steps: Vec<u64> = events
            .iter()
            .map(|event| {
                reached = step_of(event).map_or(reached, |step| step.max(reached));
                reached
            })
            .collect();
        for step in [0, 1, 6, 149, 150, 151, 299, 300, 301, u64::MAX] {
            assert_eq!(timeline.up_to(step), steps.partition_point(|&s| s <= step));
        }
        let measured: Vec<usize> = (0..events.len())
            .filter(|&at| matches!(events[at], TrainerEvent::Evaluation(_) | TrainerEvent::Classes(_)))
            .map(|at| at + 1)
            .collect();
        for at in 0..=events.len() {
            assert_eq!(timeline.next_measurement(at), measured.iter().copied().find(|&m| m > at));
            assert_eq!(timeline.last_measurement(at), measured.iter().copied().rfind(|&m| m <= at));
            assert_eq!(timeline.step_at(at), at.checked_sub(1).map_or(0, |last| steps[last]));
        }
    }
    assert_eq!((Timeline::default().up_to(9), Timeline::default().next_measurement(0)), (0, None));
}

#[test]
fn a_run_that_begins_anew_is_another() {
    let events: Vec<TrainerEvent> = events()[..200].iter().chain(&events()[..90]).cloned().collect();
    let (mut shown, timeline) = (RunHistory::default(), timeline(&events, 7));
    let mut at = 0;
    for to in [290, 150, 210, 90, 203, 5, 199, 201] {
        timeline.seek(&mut shown, at, to);
        at = to;
        assert_eq!(all(&shown), all(&history(&events[..to])));
    }
}

#[test]
fn a_step_that_falls_is_kept_as_it_was_said() {
    let mut events = events();
    events.swap(40, 90);
    let (mut shown, timeline) = (RunHistory::default(), timeline(&events, 16));
    timeline.seek(&mut shown, 0, 95);
    assert_eq!(all(&shown), all(&history(&events[..95])));
}

//! Every state on synthetic evaluations, hysteresis, stages, and data that lacks something.

#![allow(
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "a test may fail"
)]

use proptest::prelude::*;

use super::DynamicsState::{self, Collapse, Displacing, Flattening, Healthy, Squeezing};
use super::*;
use crate::history::fixture::{evaluation, flow, greedy, run, stage};
use crate::history::{MarkKind, RunHistory};
use crate::protocol::{ProbeKind, TrainerEvent};

const PAIRS: usize = 20;

/// What one window of the synthetic run shows.
#[derive(Clone, Copy)]
enum Shows {
    /// y⁺ rises, y⁻ falls.
    Health,
    /// 10 % of pairs displaced: between the thresholds.
    Between,
    /// Everything falls, nothing else is known.
    Displaced,
    /// Everything falls while entropy and bystanders rise.
    Flat,
    /// Everything falls while the argmax takes a third of the mass.
    Squeeze,
    /// The same, and the greedy text repeats itself.
    Degenerate,
}

/// A preference run with one evaluation of each kind after the first; window of one evaluation.
fn play(shows: &[Shows], mut edit: impl FnMut(&mut Evaluation)) -> RunHistory {
    let mut history = RunHistory::default();
    let mut started = run(PAIRS, 0, vec![stage("DPO", true, 1000)]);
    started.detector.window = 1;
    history.apply(&TrainerEvent::RunStarted(Box::new(started)));
    history.apply(&TrainerEvent::StageStarted { stage: 0, step: 0 });
    let (mut chosen, mut rejected, mut argmax) = (vec![-50.0_f32; PAIRS], vec![-60.0_f32; PAIRS], -40.0_f32);
    let mut at = |step: u64, chosen: &[f32], rejected: &[f32], argmax: f32, shows: Option<Shows>| {
        let mut e = evaluation(PAIRS, 0, step, &[], argmax);
        e.logps.insert(ProbeKind::Chosen, chosen.to_vec());
        e.logps.insert(ProbeKind::Rejected, rejected.to_vec());
        let since = step.saturating_sub(10);
        e.window_flow = match shows {
            Some(Shows::Squeeze | Shows::Degenerate) => Some(flow(PAIRS, since, 0.34, -0.1, -0.01)),
            Some(Shows::Flat) => Some(flow(PAIRS, since, 0.1, 0.1, 0.2)),
            Some(_) => Some(flow(PAIRS, since, 0.1, -0.1, -0.1)),
            None => None,
        };
        let degenerate = matches!(shows, Some(Shows::Degenerate));
        e.greedy = if degenerate { greedy(PAIRS, 0.5, 0.2) } else { greedy(PAIRS, 0.95, 0.0) };
        edit(&mut e);
        history.apply(&TrainerEvent::Evaluation(Box::new(e)));
    };
    at(0, &chosen, &rejected, argmax, None);
    for (i, &shows) in shows.iter().enumerate() {
        let displaced = match shows {
            Shows::Health => 0,
            Shows::Between => PAIRS / 10,
            _ => PAIRS,
        };
        for pair in 0..PAIRS {
            chosen[pair] += if pair < displaced { -1.0 } else { 1.0 };
            rejected[pair] -= 2.0;
        }
        argmax += if matches!(shows, Shows::Squeeze | Shows::Degenerate) { 0.5 } else { 0.0 };
        at(10 * (i as u64 + 1), &chosen, &rejected, argmax, Some(shows));
    }
    history
}

fn states(shows: &[Shows]) -> Vec<DynamicsState> {
    (0..=shows.len()).map(|n| play(&shows[..n], |_| ()).detector.state).collect()
}

#[test]
fn every_state_is_entered_after_two_windows() {
    for (shows, state) in [
        (Shows::Displaced, Displacing),
        (Shows::Flat, Flattening),
        (Shows::Squeeze, Squeezing),
        (Shows::Degenerate, Collapse),
        (Shows::Health, Healthy),
        (Shows::Between, Healthy),
    ] {
        assert_eq!(states(&[shows; 3]), [Healthy, Healthy, state, state], "{state:?}");
    }
}

#[test]
fn the_reason_is_a_plain_and_displayable_sentence() {
    let history = play(&[Shows::Squeeze; 2], |_| ());
    let alarm = history.marks.last().unwrap();
    assert_eq!(alarm.kind, MarkKind::Alarm);
    assert_eq!(alarm.step, 20);
    assert_eq!(
        alarm.text.as_str(),
        "squeezing: on 100 % of pairs [84–100] y⁺ and y⁻ both fell since step 10, while the argmax took 34 % of the freed \
         mass (largest gain: ' market<U+202E>', 2 %)"
    );
    assert!(alarm.text.as_str().ends_with(&history.detector.reason));
    assert_eq!(history.detector.alarms, [Alarm { step: 20, stage: 0, state: Squeezing }]);
    let collapse = play(&[Shows::Degenerate; 2], |_| ());
    assert!(
        collapse.detector.reason.ends_with(
            "; the greedy text repeats itself (distinct-2 0.95 → 0.50, 20 % of its 4-grams occurred before)"
        )
    );
}

#[test]
fn a_state_is_left_after_two_windows_and_kept_between_the_thresholds() {
    use Shows::{Between, Displaced, Flat, Health, Squeeze};
    let after = |shows: &[Shows]| *states(shows).last().unwrap();
    assert_eq!(after(&[Squeeze, Squeeze, Health]), Squeezing);
    assert_eq!(after(&[Squeeze, Squeeze, Health, Health]), Healthy);
    assert_eq!(after(&[Squeeze, Squeeze, Health, Between, Health]), Squeezing);
    assert_eq!(after(&[Squeeze, Squeeze, Between, Between, Between]), Squeezing);
    assert_eq!(after(&[Squeeze, Squeeze, Displaced]), Squeezing);
    assert_eq!(after(&[Squeeze, Squeeze, Displaced, Displaced]), Displacing);
    assert_eq!(after(&[Squeeze, Squeeze, Flat, Flat]), Flattening);
    // A squeeze displaces too: what the two windows share is entered, and a lone squeeze raises no alarm.
    assert_eq!(after(&[Displaced, Squeeze]), Displacing);
    assert_eq!(after(&[Squeeze, Displaced, Squeeze, Displaced]), Displacing);
    assert_eq!(after(&[Squeeze, Health, Squeeze, Health]), Healthy);
    assert_eq!(after(&[Flat, Squeeze, Squeeze]), Squeezing);
}

#[test]
fn each_condition_of_a_squeeze_is_needed() {
    let squeeze = [Shows::Squeeze; 3];
    let mut argmax = -40.0;
    let state = |edit: &mut dyn FnMut(&mut Evaluation)| play(&squeeze, |e| edit(e)).detector.state;
    assert_eq!(state(&mut |_| ()), Squeezing);
    // The argmax rises by exactly τ·tokens a window less a little.
    let below_tau = &mut |e: &mut Evaluation| {
        argmax += 0.099;
        e.chosen.argmax_logps = vec![argmax; PAIRS];
    };
    assert_eq!(state(below_tau), Displacing);
    assert_eq!(state(&mut |e| e.window_flow.iter_mut().for_each(|f| f.star_gain.fill(0.24))), Displacing);
    assert_eq!(state(&mut |e| e.window_flow.iter_mut().for_each(|f| f.gain.fill(0.0))), Displacing);
    assert_eq!(state(&mut |e| e.logps.values_mut().for_each(|v| v.fill(-50.0))), Healthy);
}

#[test]
fn a_run_without_mass_flow_displaces_but_never_claims_to_squeeze() {
    let history = play(&[Shows::Squeeze; 3], |e| e.window_flow = None);
    assert_eq!(history.detector.state, Displacing);
    assert!(history.detector.reason.contains("whether it squeezes cannot be told"));
    assert!(history.detector.windows.iter().all(|w| w.squeezing_rate.is_nan() && w.star_share.is_nan()));
}

#[test]
fn an_argmax_that_does_not_rise_is_no_squeeze_even_without_mass_flow() {
    let flat = |e: &mut Evaluation| {
        e.window_flow = None;
        e.chosen.argmax_logps.fill(-40.0);
    };
    let history = play(&[Shows::Squeeze; 3], flat);
    assert_eq!(history.detector.state, Displacing);
    assert!(history.detector.reason.ends_with("fell since step 10, and the argmax did not rise on any of them"));
    assert!(history.detector.windows.iter().all(|w| w.squeezing_rate == 0.0));
}

#[test]
fn where_the_rejected_answer_is_not_recorded_a_falling_chosen_one_is_displaced() {
    let lost = |e: &mut Evaluation| drop(e.logps.remove(&ProbeKind::Rejected));
    assert_eq!(play(&[Shows::Health; 3], lost).detector.state, Healthy);
    let history = play(&[Shows::Displaced; 3], lost);
    assert_eq!(history.detector.state, Displacing);
    assert!(
        history.detector.reason.starts_with("on 100 % of pairs [84–100] y⁺ (y⁻ is not recorded) fell since step 10")
    );
    // In a stage that pushes nothing down there is no such deduction.
    let mut started = run(PAIRS, 0, vec![stage("SFT", false, 1000)]);
    started.detector.window = 1;
    let mut sft = RunHistory::default();
    sft.apply(&TrainerEvent::RunStarted(Box::new(started)));
    sft.apply(&TrainerEvent::StageStarted { stage: 0, step: 0 });
    for evaluation in &history.evaluations {
        sft.apply(&TrainerEvent::Evaluation(Box::new(evaluation.clone())));
    }
    assert!(sft.detector.windows.iter().all(|w| w.measured == 0 && w.verdict == Healthy));
}

#[test]
fn a_flow_against_another_stage_is_not_this_windows() {
    let history = play(&[Shows::Squeeze; 3], |e| e.window_flow.iter_mut().for_each(|f| f.since = 7));
    assert_eq!(history.detector.state, Displacing);
}

#[test]
fn not_a_number_is_never_an_alarm() {
    for poison in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let history = play(&[Shows::Squeeze; 4], |e| {
            if e.step > 0 {
                e.logps.values_mut().for_each(|v| v.fill(poison));
                e.chosen.argmax_logps.fill(poison);
                if let Some(f) = &mut e.window_flow {
                    f.star_gain.fill(poison);
                    f.entropy.fill(poison);
                }
            }
        });
        assert!(!history.detector.state.is_alarm(), "{poison}");
    }
    // One pair that cannot be read leaves the others' rate alone.
    let history = play(&[Shows::Squeeze; 3], |e| e.logps.values_mut().for_each(|v| v[3] = f32::NAN));
    let window = history.detector.windows.last().unwrap();
    assert_eq!((window.measured, window.displaced[3], window.displacement_rate), (PAIRS - 1, false, 1.0));
    assert_eq!(history.detector.state, Squeezing);
}

#[test]
fn a_repeated_step_counts_once() {
    let history = play(&[Shows::Squeeze], |_| ());
    let mut twice = history.clone();
    let last = history.evaluations.last().unwrap().clone();
    twice.apply(&TrainerEvent::Evaluation(Box::new(last)));
    assert_eq!(twice.detector.windows.len(), 1);
    assert_eq!(twice.detector.state, Healthy);
}

#[test]
fn windows_stay_within_their_stage_and_a_new_stage_is_healthy() {
    let mut history = RunHistory::default();
    let stages = vec![stage("SFT", false, 40), stage("DPO", true, 40), stage("DPO 2", true, 40)];
    history.apply(&TrainerEvent::RunStarted(Box::new(run(PAIRS, 0, stages))));
    history.apply(&TrainerEvent::StageStarted { stage: 0, step: 0 });
    for n in 0..=12_u64 {
        let (step, stage) = (10 * n, (n.saturating_sub(1) / 4) as usize);
        let n = n as f32;
        let logps = [(ProbeKind::Chosen, -50.0 - n), (ProbeKind::Rejected, -50.0 - 2.0 * n)];
        let mut e = evaluation(PAIRS, stage, step, &logps, -40.0 + n);
        let since = step.saturating_sub(30).max(40 * stage as u64);
        e.window_flow = (step > 0).then(|| flow(PAIRS, since, 0.5, 0.0, 0.0));
        history.apply(&TrainerEvent::Evaluation(Box::new(e)));
        if step > 0 && step % 40 == 0 && step < 120 {
            assert_eq!(history.detector.state, if stage == 0 { Healthy } else { Squeezing });
            history.apply(&TrainerEvent::StageStarted { stage: stage + 1, step });
            assert_eq!(history.detector.state, Healthy);
            assert!(history.detector.reason.is_empty());
        }
    }
    let spans: Vec<_> = history.detector.windows.iter().map(|w| (w.stage, w.since, w.step)).collect();
    assert_eq!(
        spans,
        (0..3)
            .flat_map(|k| {
                let start = 40 * k as u64;
                [(k, start, start + 10), (k, start, start + 20), (k, start, start + 30), (k, start + 10, start + 40)]
            })
            .collect::<Vec<_>>()
    );
    let alarms: Vec<_> = history.detector.alarms.iter().map(|a| (a.stage, a.step)).collect();
    assert_eq!(alarms, [(1, 60), (2, 100)]);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the numbers do, a stage without rejected answers is healthy.
    #[test]
    fn an_sft_stage_never_alarms(
        rows in prop::collection::vec((any::<f32>(), -200.0_f32..0.0, -200.0_f32..0.0, 0.0_f32..1.0, 0.0_f32..1.0), 1..30)
    ) {
        let mut history = RunHistory::default();
        history.apply(&TrainerEvent::RunStarted(Box::new(run(4, 0, vec![stage("SFT", false, 400)]))));
        history.apply(&TrainerEvent::StageStarted { stage: 0, step: 0 });
        for (n, &(argmax, chosen, rejected, star, distinct)) in rows.iter().enumerate() {
            let step = 10 * n as u64;
            let logps = [(ProbeKind::Chosen, chosen), (ProbeKind::Rejected, rejected)];
            let mut e = evaluation(4, 0, step, &logps, argmax);
            e.window_flow = Some(flow(4, step.saturating_sub(30), star, 0.1, 0.1));
            e.greedy = greedy(4, distinct, 1.0 - distinct);
            history.apply(&TrainerEvent::Evaluation(Box::new(e)));
            prop_assert_eq!(history.detector.state, DynamicsState::Healthy);
        }
        prop_assert!(history.marks.iter().all(|m| !matches!(m.kind, MarkKind::Alarm | MarkKind::State)));
        prop_assert!(history.detector.alarms.is_empty());
    }
}

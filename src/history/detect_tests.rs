//! Every state on synthetic evaluations, hysteresis, cadences, stages, and data that lacks something.

#![allow(
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "a test may fail"
)]

use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::DynamicsState::{self, Collapse, Displacing, Flattening, Healthy, Squeezing};
use super::*;
use crate::history::fixture::{evaluation, flow, greedy, run, stage};
use crate::history::{MarkKind, RunHistory};
use crate::protocol::{ProbeKind, TrainerEvent};

const PAIRS: usize = 20;

/// How one evaluation stands against the stage's start.
#[derive(Clone, Copy)]
struct Level {
    /// Pairs on which y⁺ fell with y⁻; on the others y⁺ rose.
    displaced: usize,
    /// Of these, pairs whose argmax rose.
    squeezed: usize,
    /// Change of entropy and net gain of bystanders.
    flat: (f32, f32),
    /// Distinct-2 and repeated 4-grams of the greedy text.
    text: (f32, f32),
}

const fn level(displaced: usize, squeezed: usize) -> Level {
    Level { displaced, squeezed, flat: (-0.1, -0.1), text: (0.95, 0.0) }
}

const HEALTH: Level = level(0, 0);
const DISPLACED: Level = level(PAIRS, 0);
const FLAT: Level = Level { flat: (0.1, 0.2), ..DISPLACED };
const SQUEEZE: Level = level(PAIRS, PAIRS);
const DEGENERATE: Level = Level { text: (0.5, 0.2), ..SQUEEZE };

/// A preference run with an evaluation at each level after the first one.
fn play(levels: &[Level], mut edit: impl FnMut(&mut Evaluation)) -> RunHistory {
    let mut history = RunHistory::default();
    history.apply(&TrainerEvent::RunStarted(Box::new(run(PAIRS, 0, vec![stage("DPO", true, 1000)]))));
    history.apply(&TrainerEvent::StageStarted { stage: 0, step: 0 });
    let mut start = evaluation(PAIRS, 0, 0, &[(ProbeKind::Chosen, -50.0), (ProbeKind::Rejected, -60.0)], -40.0);
    start.greedy = greedy(PAIRS, 0.95, 0.0);
    edit(&mut start);
    history.apply(&TrainerEvent::from(start));
    for (n, level) in (1..).zip(levels) {
        let mut e = evaluation(PAIRS, 0, 10 * n, &[(ProbeKind::Rejected, -62.0)], -40.0);
        let chosen = (0..PAIRS).map(|pair| if pair < level.displaced { -51.0 } else { -49.0 });
        e.logps.insert(ProbeKind::Chosen, chosen.collect());
        (0..level.squeezed).for_each(|pair| e.chosen.argmax_logps[pair] = -39.5);
        e.stage_flow = Some(flow(PAIRS, 0, 0.34, level.flat.0, level.flat.1));
        e.greedy = greedy(PAIRS, level.text.0, level.text.1);
        edit(&mut e);
        history.apply(&TrainerEvent::from(e));
    }
    history
}

fn state(levels: &[Level]) -> DynamicsState {
    play(levels, |_| ()).detector.state
}

#[test]
fn every_state_is_entered_by_the_first_evaluation_that_shows_it() {
    for (level, expected) in [
        (HEALTH, Healthy),
        (DISPLACED, Displacing),
        (FLAT, Flattening),
        (SQUEEZE, Squeezing),
        (DEGENERATE, Collapse),
        (level(3, 3), Healthy),
    ] {
        for n in 1..4 {
            assert_eq!(state(&vec![level; n]), expected);
        }
    }
}

#[test]
fn the_reason_is_a_plain_and_displayable_sentence() {
    let history = play(&[level(12, 8), SQUEEZE], |_| ());
    let alarm = history.marks.last().unwrap();
    assert_eq!((alarm.kind, alarm.step), (MarkKind::Alarm, 10));
    assert_eq!(
        alarm.text.as_str(),
        "squeezing: on 60 % of pairs [39–78] y⁺ and y⁻ both fell since DPO began (step 0), while the argmax took 34 % of \
         the freed mass (largest gain: ' market<U+202E>', 2 %)"
    );
    let alarms: Vec<_> = history.detector.alarms().map(|a| (a.step, a.stage, a.state, a.share)).collect();
    assert_eq!(alarms, [(10, 0, Squeezing, 0.4)]);
    // The event keeps its moment; the announcement says how it stands now.
    let announced = history.detector.announcement();
    assert!(announced.starts_with("began at step 10 with 40 % of pairs; now 100 %"), "{announced}");
    assert!(announced.contains("on 100 % of pairs [84–100] y⁺ and y⁻ both fell"), "{announced}");
    let headline = history.detector.headline();
    assert!(headline.starts_with("since step 10: 40 % of pairs then, 100 % now"), "{headline}");
    assert!(headline.contains(". Since step 0: y⁺ -") && headline.contains(" of the freed mass"), "{headline}");
    let collapse = play(&[DEGENERATE], |_| ());
    assert!(
        collapse.detector.reason.ends_with(
            "; the greedy text repeats itself (distinct-2 0.95 → 0.50, 20 % of its 4-grams occurred before)"
        )
    );
}

#[test]
fn a_state_is_left_below_a_part_of_the_rate_at_which_it_is_entered() {
    assert_eq!(state(&[SQUEEZE, level(3, 3)]), Squeezing);
    assert_eq!(state(&[SQUEEZE, level(1, 1)]), Healthy);
    assert_eq!(state(&[SQUEEZE, level(PAIRS, 3)]), Squeezing);
    assert_eq!(state(&[SQUEEZE, level(PAIRS, 1)]), Displacing);
    assert_eq!(state(&[FLAT, Level { flat: (0.005, 0.0005), ..DISPLACED }]), Flattening);
    assert_eq!(state(&[FLAT, DISPLACED]), Displacing);
    assert_eq!(state(&[DEGENERATE, Level { text: (0.75, 0.0), ..SQUEEZE }]), Collapse);
    assert_eq!(state(&[DEGENERATE, SQUEEZE]), Squeezing);
    assert_eq!(state(&[level(3, 3), DISPLACED, SQUEEZE]), Squeezing);
}

#[test]
fn each_condition_of_a_squeeze_is_needed() {
    let state = |edit: &mut dyn FnMut(&mut Evaluation)| play(&[SQUEEZE; 3], |e| edit(e)).detector.state;
    assert_eq!(state(&mut |_| ()), Squeezing);
    // The argmax rises by a little less than τ a token.
    let below_tau = &mut |e: &mut Evaluation| {
        let rise = if e.step > 0 { 0.099 } else { 0.0 };
        e.chosen.argmax_logps.fill(-40.0 + rise);
    };
    assert_eq!(state(below_tau), Displacing);
    assert_eq!(state(&mut |e| e.stage_flow.iter_mut().for_each(|f| f.star_gain.fill(0.24))), Displacing);
    assert_eq!(state(&mut |e| e.stage_flow.iter_mut().for_each(|f| f.gain.fill(0.0))), Displacing);
    assert_eq!(state(&mut |e| e.logps.iter_mut().for_each(|(_, v)| v.fill(-50.0))), Healthy);
}

#[test]
fn without_mass_flow_a_rising_argmax_over_a_falling_answer_squeezes_and_the_reason_says_so() {
    for edit in [
        (|e: &mut Evaluation| e.stage_flow = None) as fn(&mut Evaluation),
        // A flow against another evaluation than the stage's start says nothing here.
        |e| e.stage_flow.iter_mut().for_each(|f| f.since = 7),
    ] {
        let history = play(&[SQUEEZE; 3], edit);
        assert_eq!(history.detector.state, Squeezing);
        assert!(history.detector.reason.ends_with("while the argmax rose by 0.5 nats (mass flow is not recorded)"));
        assert!(history.detector.standings.iter().all(|s| !s.flow_measured && s.star_share.is_nan()));
        let flat = play(&[DISPLACED; 3], edit).detector;
        assert_eq!(flat.state, Displacing);
        assert!(flat.reason.ends_with(", and the argmax did not rise"), "{}", flat.reason);
        // On its way up again, nothing begins to squeeze.
        let mut rise = 0.0;
        let easing = play(&[level(8, 8); 3], |e| {
            edit(e);
            rise += 2.0;
            e.logps.get_mut(ProbeKind::Chosen).unwrap()[8..].iter_mut().for_each(|x| *x += rise);
        });
        assert_eq!(easing.detector.state, Displacing);
    }
}

#[test]
fn without_an_argmax_a_squeeze_cannot_be_told() {
    let history = play(&[SQUEEZE; 3], |e| e.chosen.argmax_logps.clear());
    assert_eq!(history.detector.state, Displacing);
    assert!(history.detector.reason.ends_with("whether it squeezes cannot be told, the argmax is not recorded"));
    assert!(history.detector.standings.iter().all(|s| s.squeezing_rate.is_nan()));
}

#[test]
fn where_the_rejected_answer_is_not_recorded_a_falling_chosen_one_is_displaced() {
    let lost = |e: &mut Evaluation| e.logps.remove(ProbeKind::Rejected);
    assert_eq!(play(&[HEALTH; 3], lost).detector.state, Healthy);
    let history = play(&[DISPLACED; 3], lost);
    assert_eq!(history.detector.state, Displacing);
    let said = "on 100 % of pairs [84–100] y⁺ (y⁻ is not recorded) fell since DPO began (step 0)";
    assert!(history.detector.reason.starts_with(said), "{}", history.detector.reason);
    // In a stage that pushes nothing down there is no such deduction.
    let mut sft = RunHistory::default();
    sft.apply(&TrainerEvent::RunStarted(Box::new(run(PAIRS, 0, vec![stage("SFT", false, 1000)]))));
    sft.apply(&TrainerEvent::StageStarted { stage: 0, step: 0 });
    for evaluation in &history.evaluations {
        sft.apply(&TrainerEvent::Evaluation(evaluation.clone()));
    }
    assert!(sft.detector.standings.iter().all(|s| s.measured == 0 && s.state == Healthy));
}

#[test]
fn not_a_number_is_never_an_alarm() {
    for poison in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let history = play(&[SQUEEZE; 6], |e| {
            if e.step > 0 {
                e.logps.iter_mut().for_each(|(_, v)| v.fill(poison));
                e.chosen.argmax_logps.fill(poison);
                if let Some(f) = &mut e.stage_flow {
                    f.star_gain.fill(poison);
                    f.entropy.fill(poison);
                }
            }
        });
        assert!(!history.detector.state.is_alarm(), "{poison}");
    }
    // One pair that cannot be read leaves the others' rate alone.
    let history = play(&[SQUEEZE; 3], |e| e.logps.iter_mut().for_each(|(_, v)| v[3] = f32::NAN));
    let standing = history.detector.standings.last().unwrap();
    assert_eq!((standing.measured, standing.displaced[3], standing.displacement_rate), (PAIRS - 1, false, 1.0));
    assert_eq!(history.detector.state, Squeezing);
    // An evaluation at which nothing could be read changes nothing.
    let history = play(&[SQUEEZE; 3], |e| {
        if e.step == 30 {
            e.logps.iter_mut().for_each(|(_, v)| v.fill(f32::NAN));
        }
    });
    assert_eq!((history.detector.state, history.detector.changes.len()), (Squeezing, 1));
}

#[test]
fn a_repeated_step_counts_once() {
    let history = play(&[SQUEEZE], |_| ());
    let mut twice = history.clone();
    let last = history.evaluations.last().unwrap().clone();
    twice.apply(&TrainerEvent::Evaluation(last));
    assert_eq!(twice.detector.standings.len(), 1);
}

#[test]
fn a_new_stage_is_healthy_and_counts_from_its_own_start() {
    let mut history = RunHistory::default();
    let stages = vec![stage("SFT", false, 40), stage("DPO", true, 40), stage("DPO 2", true, 40)];
    history.apply(&TrainerEvent::RunStarted(Box::new(run(PAIRS, 0, stages))));
    history.apply(&TrainerEvent::StageStarted { stage: 0, step: 0 });
    for n in 0..=12_u64 {
        let (step, stage) = (10 * n, (n.saturating_sub(1) / 4) as usize);
        let n = n as f32;
        let logps = [(ProbeKind::Chosen, -50.0 - n), (ProbeKind::Rejected, -50.0 - 2.0 * n)];
        let mut e = evaluation(PAIRS, stage, step, &logps, -40.0 + n);
        e.stage_flow = (step > 0).then(|| flow(PAIRS, 40 * stage as u64, 0.5, 0.0, 0.0));
        history.apply(&TrainerEvent::from(e));
        if step > 0 && step % 40 == 0 && step < 120 {
            assert_eq!(history.detector.state, if stage == 0 { Healthy } else { Squeezing });
            history.apply(&TrainerEvent::StageStarted { stage: stage + 1, step });
            assert_eq!(history.detector.state, Healthy);
            assert!(history.detector.reason.is_empty() && history.detector.began().is_none());
        }
    }
    let spans: Vec<_> = history.detector.standings.iter().map(|s| (s.stage, s.since, s.step)).collect();
    let expected = (0..3).flat_map(|k| (1..=4).map(move |n| (k, 40 * k as u64, 40 * k as u64 + 10 * n)));
    assert_eq!(spans, expected.collect::<Vec<_>>());
    let changes: Vec<_> = history.detector.changes.iter().map(|c| (c.stage, c.step, c.state)).collect();
    assert_eq!(changes, [(1, 50, Squeezing), (2, 80, Healthy), (2, 90, Squeezing)]);
}

/// A run measured every `cadence` steps whose mean course is given by functions of the step, the same on every pair but for
/// the step at which it begins to fall.
fn measured_every(cadence: u64, steps: u64, onset: impl Fn(usize) -> f32) -> RunHistory {
    let mut history = RunHistory::default();
    history.apply(&TrainerEvent::RunStarted(Box::new(run(64, 0, vec![stage("DPO", true, steps)]))));
    history.apply(&TrainerEvent::StageStarted { stage: 0, step: 0 });
    for step in (0..=steps).step_by(cadence as usize) {
        let at = step as f32;
        let mut e = evaluation(64, 0, step, &[(ProbeKind::Rejected, -60.0 - 0.1 * at)], -30.0 + 0.01 * at);
        let chosen = (0..64).map(|pair| {
            let peak = onset(pair);
            -50.0 + 0.02 * at.min(peak) - 0.03 * (at - peak).max(0.0)
        });
        e.logps.insert(ProbeKind::Chosen, chosen.collect());
        e.stage_flow = (step > 0).then(|| flow(64, 0, 0.4, -0.1, -0.1));
        history.apply(&TrainerEvent::from(e));
    }
    history
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 24, ..ProptestConfig::default() })]

    /// The same course gives the same verdict however often it is measured, at the same step but for an evaluation or two of the coarser.
    #[test]
    fn the_verdict_does_not_depend_on_the_cadence(first in 5.0_f32..80.0, spread in 0.5_f32..4.0) {
        let onset = |pair: usize| first + spread * pair as f32;
        let fine = measured_every(4, 512, onset);
        let alarm = |history: &RunHistory| history.detector.alarms().next().map(|a| a.step);
        for cadence in [8, 16, 32, 64] {
            let coarse = measured_every(cadence, 512, onset);
            prop_assert_eq!(coarse.detector.state, fine.detector.state);
            prop_assert_eq!(coarse.detector.changes.len(), fine.detector.changes.len());
            if let Some((coarse, fine)) = alarm(&coarse).zip(alarm(&fine)) {
                // Where measured often, a share that only touches the rate must reach it in the recent mean: a little later.
                prop_assert!(coarse.abs_diff(fine) <= 2 * cadence, "{} against {}", coarse, fine);
            }
        }
    }
}

#[test]
fn an_answer_past_its_peak_is_an_early_sign_and_no_state() {
    // As on SmolLM2-135M: y⁺ far above the stage's start, and slipping.
    let history = measured_every(10, 200, |_| 170.0);
    assert_eq!(history.detector.state, Healthy);
    assert!(history.detector.changes.is_empty());
    let signs: Vec<_> = history.marks.iter().filter(|m| m.kind == MarkKind::State).collect();
    assert_eq!(signs.len(), 1);
    assert_eq!(signs[0].text.as_str(), "early sign: y⁺ is past its peak of step 170 (0.3 nats lower)");
    let last = history.detector.standings.last().unwrap();
    assert_eq!((last.peak.map(|p| p.step), last.direction), (Some(170), Direction::Worsening));
}

/// A recording of means: y⁺ and the argmax drift by so much over `rows` rows, with noise. Returns its changes of state.
fn means(seed: u64, rows: u64, (chosen, noise): (f64, f64), (argmax, argmax_noise): (f64, f64)) -> RunHistory {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut normal = || (0..12).map(|_| rng.random_range(0.0..1.0)).sum::<f64>() - 6.0;
    let mut started = run(1, seed, vec![stage("DPO", true, rows)]);
    started.means = true;
    let mut history = RunHistory::default();
    history.apply(&TrainerEvent::RunStarted(Box::new(started)));
    history.apply(&TrainerEvent::StageStarted { stage: 0, step: 0 });
    for row in 0..=rows {
        let share = row as f64 / rows as f64;
        let jitter = f64::from(u8::from(row > 0));
        let y = -150.0 + chosen * share + jitter * noise * normal();
        let a = -60.0 + argmax * share + jitter * argmax_noise * normal();
        let mut e = evaluation(1, 0, row, &[(ProbeKind::Chosen, y as f32)], a as f32);
        e.logps = [(ProbeKind::Chosen, vec![y as f32])].into();
        history.apply(&TrainerEvent::from(e));
    }
    history
}

#[test]
fn noisy_means_that_drift_apart_squeeze_and_stay_so() {
    for seed in 0..20 {
        for noise in [(1.5, 1.0), (3.0, 2.0), (7.0, 3.0)] {
            let detector = means(seed, 160, (-27.0, noise.0), (16.0, noise.1)).detector;
            let changes: Vec<_> = detector.changes.iter().map(|c| (c.step, c.state)).collect();
            assert_eq!(detector.state, Squeezing, "{changes:?}");
            // Displacing, then squeezing; where noise hides a quarter of the fall, once more.
            assert!(changes.len() <= if noise.0 > 5.0 { 4 } else { 3 }, "{changes:?}");
            assert!(detector.reason.contains("no share of pairs can be told"), "{}", detector.reason);
            assert!(detector.reason.contains("mass flow is not recorded"), "{}", detector.reason);
            assert!(!detector.announcement().contains('%'), "{}", detector.announcement());
        }
    }
}

#[test]
fn noisy_means_that_stay_where_they_are_rarely_alarm() {
    let alarmed = |course: (f64, f64), argmax: (f64, f64)| {
        (0..100).filter(|&seed| means(seed, 160, course, argmax).detector.alarms().next().is_some()).count()
    };
    // y⁺ stands still while the argmax rises; y⁺ falls while the argmax stands still.
    assert!(alarmed((0.0, 3.0), (16.0, 2.0)) <= 5);
    assert!(alarmed((-27.0, 3.0), (0.0, 2.0)) <= 5);
    assert_eq!(alarmed((8.0, 1.0), (16.0, 2.0)), 0);
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
            e.stage_flow = Some(flow(4, 0, star, 0.1, 0.1));
            e.greedy = greedy(4, distinct, 1.0 - distinct);
            history.apply(&TrainerEvent::from(e));
            prop_assert_eq!(history.detector.state, DynamicsState::Healthy);
        }
        prop_assert!(history.marks.iter().all(|m| !matches!(m.kind, MarkKind::Alarm | MarkKind::State)));
        prop_assert!(history.detector.changes.is_empty());
    }
}

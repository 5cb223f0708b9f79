#![allow(
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "a test may fail"
)]

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::history::fixture::{evaluation, history, run, stage};
use crate::protocol::{MetricKey, ProbeKind, RunStarted, StepMetrics, TrainerEvent};

const CHOSEN: CurveId = CurveId::Probe(ProbeKind::Chosen);
/// Steps between two evaluations.
const EVERY: u64 = 2;
const SFT: u64 = 4;

/// What one interval between two evaluations shows: the training margin (rewards), the loss, and y⁺ at its end.
type Interval = (f64, f64, f32);

/// Four steps of SFT, then DPO with these intervals; y⁺ begins at −10.
fn events(started: RunStarted, intervals: &[Interval]) -> Vec<TrainerEvent> {
    let pairs = started.probes.len();
    let y = |step, stage, chosen: f32| {
        let mut e = evaluation(pairs, stage, step, &[(ProbeKind::Chosen, chosen)], -3.0);
        // Pair by pair another level, the same in every run.
        for (pair, x) in e.logps.get_mut(ProbeKind::Chosen).unwrap().iter_mut().enumerate() {
            *x += pair as f32;
        }
        TrainerEvent::from(e)
    };
    let step = |step, stage, metrics: &[(MetricKey, f64)]| {
        TrainerEvent::Step(StepMetrics { step, stage, metrics: metrics.iter().cloned().collect() })
    };
    let mut events = vec![
        TrainerEvent::RunStarted(Box::new(started)),
        TrainerEvent::StageStarted { stage: 0, step: 0 },
        y(0, 0, -20.0),
        step(SFT, 0, &[(MetricKey::LOSS, 9.0)]),
        y(SFT, 0, -10.0),
        TrainerEvent::StageStarted { stage: 1, step: SFT },
    ];
    for (i, &(margin, loss, chosen)) in (0u64..).zip(intervals) {
        for within in 1..=EVERY {
            // Before the first update there is no margin.
            let margin = if i == 0 && within == 1 { 0.0 } else { margin };
            let metrics = [(MetricKey::LOSS, loss), (MetricKey::REWARDS_MARGINS, margin)];
            events.push(step(SFT + i * EVERY + within, 1, &metrics));
        }
        events.push(y(SFT + (i + 1) * EVERY, 1, chosen));
    }
    events
}

fn started(seed: u64, pairs: usize) -> RunStarted {
    run(pairs, seed, vec![stage("SFT", false, SFT), stage("DPO", true, 100)])
}

fn course(started: RunStarted, intervals: &[Interval]) -> Course {
    Course::of(&history(&events(started, intervals)), None).unwrap()
}

fn arm(label: &str, courses: Vec<Course>) -> Arm {
    Arm { label: Shown::new(label), courses }
}

fn aligned(arms: Vec<Arm>, by: By) -> Result<Aligned, String> {
    Aligned::new(arms.into(), by)
}

fn close(a: f64, b: f64) {
    assert!((a - b).abs() < 1e-6, "{a} is not {b}");
}

/// β is 0.1: a reward margin of 0.4 is one of 4 nats.
const SLOW: [Interval; 4] = [(0.2, 0.6, -11.0), (0.4, 0.5, -12.0), (0.6, 0.4, -13.0), (0.8, 0.3, -14.0)];
const FAST: [Interval; 2] = [(0.4, 0.5, -12.0), (0.8, 0.3, -14.0)];

#[test]
fn at_equal_steps_the_faster_arm_looks_worse_and_at_equal_margin_it_is_the_same() {
    let arms =
        || vec![arm("slow", vec![course(started(1, 3), &SLOW)]), arm("fast", vec![course(started(1, 3), &FAST)])];
    let by_step = aligned(arms(), By::Step).unwrap();
    assert_eq!(by_step.axis().collect::<Vec<_>>(), [0.0, 2.0, 4.0]);
    let end = by_step.difference(1, CHOSEN, Scale::StageDelta, by_step.end());
    close(end.estimate.value, -2.0);
    assert!(end.paired && end.estimate.n == 3 && end.excludes_zero());
    assert_eq!(by_step.mean(0, CHOSEN, Scale::LogProb), [-9.0, -10.0, -11.0], "pairs differ by 0, 1 and 2");

    let by_margin = aligned(arms(), By::Margin).unwrap();
    // The first interval holds the first step, which has no margin: its mean is half.
    close(by_margin.at(0), 0.0);
    close(by_margin.at(by_margin.end()), 8.0);
    let middle = by_margin.axis().position(|m| m >= 6.0).unwrap();
    close(by_margin.difference(1, CHOSEN, Scale::StageDelta, by_margin.end()).estimate.value, 0.0);
    close(by_margin.mean_at(0, CHOSEN, Scale::LogProb, middle), -12.0);

    let by_loss = aligned(arms(), By::Loss).unwrap();
    let losses: Vec<f64> = by_loss.axis().collect();
    assert!(losses.is_sorted_by(|a, b| a > b), "a loss falls along the axis: {losses:?}");
    close(losses[0], 0.5);
    close(by_loss.at(by_loss.end()), 0.3);
    close(by_loss.difference(1, CHOSEN, Scale::LogProb, by_loss.end()).estimate.value, 0.0);
}

#[test]
fn a_margin_that_shrinks_is_passed_over() {
    let back = [(0.4, 0.5, -12.0), (0.1, 0.7, -90.0), (0.6, 0.4, -14.0)];
    let one = aligned(vec![arm("a", vec![course(started(1, 1), &back)])], By::Margin).unwrap();
    let reached = one.axis().position(|m| m >= 4.0).unwrap();
    let values = one.mean(0, CHOSEN, Scale::LogProb);
    assert!(values.iter().all(|&x| x > -14.001), "{values:?}");
    close(one.at(one.end()), 6.0);
    assert!((values[reached] + 13.0).abs() < 0.1, "half way from 2 to 6: {}", values[reached]);
    // By steps it is there.
    let steps = aligned(vec![arm("a", vec![course(started(1, 1), &back)])], By::Step).unwrap();
    assert_eq!(steps.mean(0, CHOSEN, Scale::LogProb), [-10.0, -12.0, -90.0, -14.0]);
}

#[test]
fn other_seeds_or_prompts_are_not_paired() {
    let other_prompts = || {
        let mut run = started(1, 3);
        run.probes.iter_mut().for_each(|p| p.prompt.push('?'));
        run
    };
    for other in [started(2, 3), other_prompts()] {
        let arms = vec![arm("a", vec![course(started(1, 3), &SLOW)]), arm("b", vec![course(other, &FAST)])];
        let difference = aligned(arms, By::Step).unwrap().difference(1, CHOSEN, Scale::StageDelta, 2);
        assert!(!difference.paired);
        close(difference.estimate.value, -2.0);
        assert!(difference.estimate.low <= -2.0 && difference.estimate.high >= -2.0);
    }
    // One seed in common is enough to be paired, on that seed's pairs alone.
    let arms = vec![
        arm("a", vec![course(started(1, 3), &SLOW), course(started(2, 3), &SLOW)]),
        arm("b", vec![course(started(2, 3), &FAST), course(started(3, 3), &FAST)]),
    ];
    let difference = aligned(arms, By::Step).unwrap().difference(1, CHOSEN, Scale::LogProb, 2);
    assert!(difference.paired);
    assert_eq!(difference.estimate.n, 3);
}

#[test]
fn a_prompt_without_the_response_does_not_count() {
    let mut run = started(1, 3);
    run.probes[1].responses.remove(&ProbeKind::Chosen);
    let arms = vec![arm("a", vec![course(run.clone(), &SLOW)]), arm("b", vec![course(run, &SLOW)])];
    let aligned = aligned(arms, By::Step).unwrap();
    close(aligned.mean_at(0, CHOSEN, Scale::LogProb, 0), -9.0);
    assert_eq!(aligned.difference(1, CHOSEN, Scale::LogProb, 0).estimate.n, 2);
}

#[test]
fn the_stage_is_the_first_that_pushes_down_or_the_one_that_is_named() {
    let history = history(&events(started(1, 2), &SLOW));
    assert_eq!(Course::of(&history, None).unwrap().stage.as_str(), "DPO");
    let sft = Course::of(&history, Some("SFT")).unwrap();
    assert_eq!((sft.stage.as_str(), sft.outcome.loss), ("SFT", 9.0));
    assert_eq!(sft.track(By::Step), [(0.0, 0), (4.0, 1)]);
    assert!(Course::of(&history, Some("KTO")).unwrap_err().contains("the run has SFT, DPO"));
    let error = aligned(vec![arm("a", vec![sft])], By::Margin).unwrap_err();
    assert!(error.contains("the training margin of stage SFT never grows, or is not recorded"), "{error}");
}

#[test]
fn displaced_pairs_are_counted_over_the_stage() {
    // y⁻ stays, so nothing is displaced; then it falls with y⁺.
    assert_eq!(course(started(1, 2), &SLOW).outcome.displaced, [false, false]);
    let mut events = events(started(1, 2), &SLOW);
    if let Some(TrainerEvent::Evaluation(last)) = events.last_mut() {
        Arc::make_mut(last).logps.insert(ProbeKind::Rejected, vec![-120.0, -100.0]);
    }
    assert_eq!(Course::of(&history(&events), None).unwrap().outcome.displaced, [true, false]);
}

#[test]
fn runs_without_a_common_stretch_are_refused() {
    let high = [(0.2, 0.9, -11.0), (0.4, 0.8, -12.0)];
    let low = [(0.2, 0.4, -11.0), (0.4, 0.3, -12.0)];
    let arms = vec![arm("a", vec![course(started(1, 1), &high)]), arm("b", vec![course(started(1, 1), &low)])];
    assert!(aligned(arms, By::Loss).unwrap_err().contains("no loss in common"));
}

proptest! {
    #[test]
    fn values_lie_between_their_neighbours(
        intervals in prop::collection::vec((0.01..1.0f64, 0.01..1.0f64, -40.0..0.0f32), 2..8),
        by in prop::sample::select(By::ALL.to_vec()),
    ) {
        let course = course(started(1, 1), &intervals);
        let track = course.track(by);
        prop_assert!(track.is_sorted_by(|a, b| a.0 < b.0));
        if let Ok(aligned) = aligned(vec![arm("a", vec![course])], by) {
            let values = aligned.mean(0, CHOSEN, Scale::LogProb);
            let at = |evaluation: usize| {
                if evaluation == 0 { -10.0 } else { f64::from(intervals[evaluation - 1].2) }
            };
            let first = at(track[0].1);
            let last = at(track.last().unwrap().1);
            prop_assert!((values[0] - first).abs() < 1e-6);
            prop_assert!((values[aligned.end()] - last).abs() < 1e-3, "{} {}", values[aligned.end()], last);
            for (progress, value) in aligned.points.iter().zip(&values) {
                let next = track.partition_point(|&(reached, _)| reached <= *progress);
                let around = [next.saturating_sub(1), next.min(track.len() - 1)].map(|i| at(track[i].1));
                prop_assert!(*value >= around[0].min(around[1]) - 1e-3);
                prop_assert!(*value <= around[0].max(around[1]) + 1e-3);
            }
        }
    }
}

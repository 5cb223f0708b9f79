//! The fold, the scales and their means, and the warnings.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

use super::*;
use crate::history::fixture::{TOKENS, evaluation, history, run, stage};
use crate::protocol::{PrefixReading, ProbeKind, Sums};

const CHOSEN: CurveId = CurveId::Probe(ProbeKind::Chosen);

fn started(pairs: usize) -> TrainerEvent {
    TrainerEvent::RunStarted(Box::new(run(pairs, 0, vec![stage("SFT", false, 20), stage("DPO", true, 20)])))
}

fn evaluated(step: u64, stage: usize, chosen: &[f32]) -> TrainerEvent {
    let mut e = evaluation(chosen.len(), stage, step, &[], 0.0);
    e.logps.insert(ProbeKind::Chosen, chosen.to_vec());
    TrainerEvent::from(e)
}

fn stepped(step: u64, loss: f64) -> TrainerEvent {
    let metrics = [(MetricKey::LOSS, loss)].into_iter().collect();
    TrainerEvent::Step(StepMetrics { step, stage: 0, metrics })
}

fn warnings(history: &RunHistory) -> Vec<&str> {
    history.marks.iter().filter(|m| m.kind == MarkKind::Warning).map(|m| m.text.as_str()).collect()
}

#[test]
fn events_fold_into_a_history() {
    let events = [
        TrainerEvent::Phase { phase: RunPhase::Starting("loading".to_owned()), step: 0 },
        started(2),
        TrainerEvent::StageStarted { stage: 0, step: 0 },
        evaluated(0, 0, &[-10.0, -20.0]),
        TrainerEvent::Phase { phase: RunPhase::Running, step: 0 },
        stepped(1, 3.0),
        stepped(2, 2.0),
        TrainerEvent::Phase { phase: RunPhase::Paused, step: 2 },
        evaluated(2, 0, &[-8.0, -16.0]),
        TrainerEvent::StageStarted { stage: 1, step: 2 },
        TrainerEvent::StageStarted { stage: usize::MAX, step: 2 },
        TrainerEvent::Speed { tokens_per_second: 5.0, seconds_left: 1.0 },
        TrainerEvent::Phase { phase: RunPhase::Failed("disk \u{1b}[2J".to_owned()), step: 2 },
    ];
    let history = history(&events);
    assert_eq!((history.step, history.stage, history.total_steps()), (2, Some(1), 40));
    assert_eq!(history.stage_starts, [0, 2]);
    assert_eq!(history.metrics[&MetricKey::LOSS].values(), [3.0, 2.0]);
    assert_eq!(history.speed, Some((5.0, 1.0)));
    assert_eq!(history.curve(CHOSEN, Scale::LogProb, None).values(), [-15.0, -12.0]);
    let marks: Vec<_> = history.marks.iter().map(|m| (m.step, m.text.as_str())).collect();
    assert_eq!(marks[..3], [(0, "stage SFT begins"), (2, "paused"), (2, "stage DPO begins")]);
    assert_eq!(marks.last(), Some(&(2, "failed: disk <U+001B>[2J")));
    assert_eq!(history.stage_evaluations(0).len(), 2);
    assert_eq!(history.stage_evaluations(1).len(), 1, "what the stage started from");
    assert_eq!(history.stage_evaluations(9).len(), 1);
}

#[test]
fn a_second_run_forgets_the_first() {
    let mut history = history(&[started(1), evaluated(0, 0, &[-1.0]), stepped(1, 1.0)]);
    history.apply(&started(1));
    assert!(history.evaluations.is_empty() && history.metrics.is_empty() && history.marks.is_empty());
    assert!(history.curve(CHOSEN, Scale::LogProb, None).is_empty());
}

#[test]
fn scales_convert_per_prompt_before_the_mean() {
    let history = history(&[started(2), evaluated(0, 0, &[-10.0, -20.0]), evaluated(10, 0, &[-5.0, -25.0])]);
    let at = |scale, pair| history.curve(CHOSEN, scale, pair).at(10).unwrap();
    let tokens = f64::from(TOKENS);
    assert_eq!(at(Scale::LogProb, None), -15.0);
    assert_eq!(at(Scale::PerToken, None), -15.0 / tokens);
    assert_eq!(at(Scale::Probability, None), ((-5.0 / tokens).exp() + (-25.0 / tokens).exp()) / 2.0);
    assert_eq!(at(Scale::Delta, None), 0.0);
    assert_eq!(at(Scale::LogProb, Some(1)), -25.0);
    assert_eq!(at(Scale::PerToken, Some(1)), -25.0 / tokens);
    assert_eq!(at(Scale::Delta, Some(1)), -5.0);
    assert!(at(Scale::LogProb, Some(2)).is_nan());
    let series = history.curve(CHOSEN, Scale::LogProb, None);
    assert_eq!(
        (series.at(9), series.at(10), series.at(11), series.last()),
        (Some(-15.0), Some(-15.0), Some(-15.0), Some((10, -15.0)))
    );
    assert_eq!(Series::new([5], [1.0]).at(4), None);
}

#[test]
fn quartiles_are_over_prompts() {
    let history = history(&[started(4), evaluated(0, 0, &[-8.0, -1.0, -4.0, -2.0])]);
    let (low, high) = history.quartiles(CHOSEN, Scale::LogProb, 0..9, 9);
    assert_eq!((low.values(), high.values()), (vec![-5.0], vec![-1.75]));
}

#[test]
fn a_nan_is_a_gap_but_a_missing_response_is_not() {
    let mut started = run(3, 0, vec![stage("SFT", false, 20)]);
    started.probes[2].responses.remove(&ProbeKind::Chosen);
    let mut history = RunHistory::default();
    history.apply(&TrainerEvent::RunStarted(Box::new(started)));
    history.apply(&evaluated(0, 0, &[-10.0, -20.0, f32::NAN]));
    history.apply(&evaluated(1, 0, &[-10.0, f32::NAN, f32::NAN]));
    history.apply(&evaluated(2, 0, &[-10.0, f32::NEG_INFINITY, f32::NAN]));
    let mean = history.curve(CHOSEN, Scale::LogProb, None).values();
    assert_eq!((mean[0], mean[1].is_nan(), mean[2]), (-15.0, true, f64::NEG_INFINITY));
    assert_eq!(history.curve(CHOSEN, Scale::Probability, None).values()[2], (-1.0_f64).exp() / 2.0);
    assert!(history.quartiles(CHOSEN, Scale::LogProb, 0..9, 9).0.values()[1].is_nan());
    assert_eq!(history.prompts(CHOSEN), 2);
    assert_eq!(warnings(&history), ["the log-prob of chosen is NaN on prompt 2 at step 1"]);
}

#[test]
fn a_curve_that_appears_late_has_its_own_origin() {
    let mut first = evaluation(1, 0, 0, &[], 0.0);
    first.logps = Sums::default();
    let history = history(&[started(1), TrainerEvent::from(first), evaluated(5, 0, &[-3.0]), evaluated(9, 0, &[-1.0])]);
    assert_eq!(history.curve(CHOSEN, Scale::Delta, None), Series::new([5, 9], [0.0, 2.0]));
    assert_eq!(history.curve(CHOSEN, Scale::Delta, Some(0)).values(), [0.0, 2.0]);
}

#[test]
fn the_first_loss_that_is_no_number_is_told_once() {
    let history = history(&[started(1), stepped(1, 1.0), stepped(2, f64::NAN), stepped(3, f64::INFINITY)]);
    assert_eq!(warnings(&history), ["the loss is NaN at step 2"]);
}

#[test]
fn an_argmax_below_its_label_is_told_once() {
    let with_argmax = |step, argmax: f32| {
        let mut e = evaluation(2, 0, step, &[(ProbeKind::Chosen, -10.0)], -10.0);
        e.chosen = PrefixReading { argmax_logps: vec![-5.0, argmax], ..PrefixReading::default() };
        TrainerEvent::from(e)
    };
    assert!(warnings(&history(&[started(2), with_argmax(0, -10.009)])).is_empty(), "rounding");
    let history = history(&[started(2), with_argmax(0, -10.0), with_argmax(4, -10.02), with_argmax(8, -12.0)]);
    assert_eq!(
        warnings(&history),
        [
            "the argmax along chosen (-10.020) is below the label's log-prob (-10.000) on prompt 2 at step 4: these numbers \
          cannot come from one forward pass"
        ]
    );
}

#[test]
fn a_mean_is_no_prompt() {
    let mut started = run(1, 0, vec![stage("DPO", true, 20)]);
    started.means = true;
    let history = history(&[TrainerEvent::RunStarted(Box::new(started)), evaluated(0, 0, &[f32::NAN])]);
    assert_eq!(warnings(&history), ["the log-prob of chosen is NaN in the mean at step 0"]);
}

#[test]
fn a_pause_that_is_told_again_is_one_pause() {
    let mut history = RunHistory::default();
    let mut say = |phase: RunPhase, step| history.apply(&TrainerEvent::Phase { phase, step });
    say(RunPhase::Paused, 4);
    say(RunPhase::Evaluating, 4);
    say(RunPhase::Paused, 4);
    say(RunPhase::Running, 4);
    say(RunPhase::Paused, 5);
    assert_eq!(history.marks.iter().map(|mark| mark.step).collect::<Vec<_>>(), [4, 5]);
    assert_eq!(history.phase, Some(RunPhase::Paused));
}

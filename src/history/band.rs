//! The band's warning, told before an optimiser step, against what the measurement after it found.
//!
//! To first order plain SGD raises a batch's y⁺ where w⁺/w⁻ is above the band's lower edge, ρa (arXiv 2604.18239). The score
//! of a window between two measurements is the mean of ρa/(w⁺/w⁻) over its steps: above one the batches' own gradients say
//! that y⁺ falls. What happened is whether the mean of y⁺ over the observed prompts fell in that window.

use std::sync::Arc;

use super::series::{CurveId, Scale};
use super::stats::{Estimate, auroc, mean};
use super::store::RunHistory;
use crate::protocol::{Evaluation, MetricKey, ProbeKind};

/// A window between two measurements of a stage.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Warned {
    /// The step at its end.
    pub step: u64,
    /// The mean of ρa/(w⁺/w⁻) over its steps.
    pub score: f64,
    /// Whether y⁺ fell in it.
    pub fell: bool,
}

/// The windows of a stage, in order; those whose steps told no band are left out.
pub fn windows(history: &RunHistory, stage: usize) -> Vec<Warned> {
    let level = history.curve(CurveId::Probe(ProbeKind::Chosen), Scale::LogProb, None);
    let window = |pair: &[Arc<Evaluation>]| {
        let [before, after] = pair else { return None };
        let change = level.at(after.step)? - level.at(before.step)?;
        let score = score(history, before.step, after.step);
        (change.is_finite() && score.is_finite()).then_some(Warned { step: after.step, score, fell: change < 0.0 })
    };
    history.stage_evaluations(stage).windows(2).filter_map(window).collect()
}

/// The mean of ρa/(w⁺/w⁻) over the steps after `since` up to `until`; NaN without one.
pub fn score(history: &RunHistory, since: u64, until: u64) -> f64 {
    let all = |key: MetricKey| history.metrics.get(&key).map(|series| series.within(since, until));
    let keys = [MetricKey::BAND_RATIO, MetricKey::BAND_COSINE, MetricKey::BAND_WEIGHTS];
    let [Some(ratios), Some(cosines), Some(weights)] = keys.map(all) else { return f64::NAN };
    let edges = ratios.iter().filter_map(|(step, a)| Some(a * cosines.at(step)? / weights.at(step)?));
    mean(&edges.filter(|edge| edge.is_finite()).collect::<Vec<_>>())
}

/// How well the scores told the windows in which y⁺ fell from the others. NaN where all ended alike.
pub fn judged(windows: &[Warned]) -> Estimate {
    let of = |fell: bool| windows.iter().filter(|w| w.fell == fell).map(|w| w.score).collect::<Vec<_>>();
    auroc(&of(true), &of(false))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::fixture::{evaluation, history, run, stage};
    use crate::protocol::{StepMetrics, TrainerEvent};

    /// Steps with these scores and an evaluation of y⁺ after every two.
    fn told(steps: &[[f64; 3]], levels: &[f32]) -> RunHistory {
        let evaluated = |step, y: f32| TrainerEvent::from(evaluation(2, 0, step, &[(ProbeKind::Chosen, y)], -20.0));
        let mut events = vec![
            TrainerEvent::RunStarted(Box::new(run(2, 0, vec![stage("DPO", true, 99)]))),
            TrainerEvent::StageStarted { stage: 0, step: 0 },
            evaluated(0, levels[0]),
        ];
        for (at, [a, rho, r]) in (1u64..).zip(steps) {
            let keys = [MetricKey::BAND_RATIO, MetricKey::BAND_COSINE, MetricKey::BAND_WEIGHTS];
            let metrics = keys.into_iter().zip([*a, *rho, *r]).collect();
            events.push(TrainerEvent::Step(StepMetrics { step: at, stage: 0, metrics }));
            if at.is_multiple_of(2) {
                events.push(evaluated(at, levels[usize::try_from(at / 2).unwrap_or_default()]));
            }
        }
        history(&events)
    }

    #[test]
    fn a_window_is_scored_by_its_own_steps() {
        let steps = [[2.0, 0.5, 1.0], [1.0, 0.5, 2.0], [3.0, 0.5, 1.0], [3.0, 0.5, 1.0]];
        let history = told(&steps, &[-10.0, -9.0, -12.0]);
        let windows = windows(&history, 0);
        assert_eq!(windows.iter().map(|w| (w.step, w.fell)).collect::<Vec<_>>(), [(2, false), (4, true)]);
        assert!((windows[0].score - 0.625).abs() < 1e-12 && (windows[1].score - 1.5).abs() < 1e-12);
        assert!((judged(&windows).value - 1.0).abs() < 1e-12);
    }

    #[test]
    fn what_was_not_told_is_not_scored() {
        assert!(windows(&told(&[], &[-10.0]), 0).is_empty());
        assert!(score(&RunHistory::default(), 0, 8).is_nan());
        // No step in which anything was pushed down.
        let mut history = told(&[[1.0, 0.5, 1.0]; 4], &[-10.0, -9.0, -12.0]);
        history.metrics.clear();
        assert!(windows(&history, 0).is_empty() && judged(&[]).value.is_nan());
    }
}

//! Curves cut where their count begins anew: on the scale of changes since the stage began, every stage is a line of its
//! own that leaves from 0, and no line leads from one stage into the next.

use std::ops::Range;

use super::series::{CurveId, Scale, Series};
use super::store::RunHistory;

/// A part of a curve that is drawn as one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stretch {
    /// The stretch's readings, as places in the curve's series.
    readings: Range<usize>,
    /// The step at which it leaves from 0, where the reading there belongs to the stage before.
    origin: Option<u64>,
}

impl Stretch {
    /// The stretch of a series that has one value a reading: the curve itself, or a quartile of it.
    pub fn of(&self, series: &Series) -> Series {
        let part = series.part(self.readings.clone());
        match self.origin {
            Some(step) => part.led_by(step, 0.0),
            None => part,
        }
    }

    /// First and third quartile of the curve over the stretch, as [`Stretch::of`]; see [`RunHistory::quartiles`].
    pub fn band(&self, history: &RunHistory, curve: CurveId, scale: Scale, most: usize) -> (Series, Series) {
        let (low, high) = history.quartiles(curve, scale, self.readings.clone(), most);
        match self.origin {
            Some(step) => (low.led_by(step, 0.0), high.led_by(step, 0.0)),
            None => (low, high),
        }
    }

    /// Appends the readings of [`Stretch::of`] to what the stretches before it gave: the way back to a value a reading.
    pub fn collect(&self, part: &Series, into: &mut Series) {
        into.extend(part.iter().skip(usize::from(self.origin.is_some())));
    }
}

impl RunHistory {
    /// The stretches of a curve on a scale, in order: one, or one a stage where every stage counts anew.
    pub fn stretches(&self, curve: CurveId, scale: Scale) -> Vec<Stretch> {
        let all = self.readings(curve);
        if scale != Scale::StageDelta {
            return vec![Stretch { readings: 0..all, origin: None }];
        }
        let stages = self.stages_of(curve);
        let ends = stages.iter().skip(1).map(|&(_, next)| next).chain([all]);
        let stretch = |(&(stage, begin), end): (&(usize, usize), usize)| {
            let origin = self.stage_evaluations(stage).iter().find(|e| curve.values(e).is_some());
            Stretch { readings: begin..end, origin: origin.filter(|e| e.stage != stage).map(|e| e.step) }
        };
        stages.iter().zip(ends).map(stretch).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::fixture::{evaluation, history, run, stage};
    use crate::protocol::{ProbeKind, TrainerEvent};

    const CHOSEN: CurveId = CurveId::Probe(ProbeKind::Chosen);

    fn evaluated(step: u64, stage: usize, chosen: f32) -> TrainerEvent {
        TrainerEvent::from(evaluation(1, stage, step, &[(ProbeKind::Chosen, chosen)], 0.0))
    }

    /// y⁺ rises by 10 in SFT and falls by 4 in DPO.
    fn two_stages() -> RunHistory {
        history(&[
            TrainerEvent::RunStarted(Box::new(run(1, 0, vec![stage("SFT", false, 20), stage("DPO", true, 20)]))),
            TrainerEvent::StageStarted { stage: 0, step: 0 },
            evaluated(0, 0, -30.0),
            evaluated(10, 0, -24.0),
            evaluated(20, 0, -20.0),
            TrainerEvent::StageStarted { stage: 1, step: 20 },
            evaluated(30, 1, -23.0),
            evaluated(40, 1, -24.0),
        ])
    }

    #[test]
    fn every_stage_counts_from_the_evaluation_that_it_started_from() {
        let history = two_stages();
        let changes = history.curve(CHOSEN, Scale::StageDelta, None);
        assert_eq!(changes, Series::new([0, 10, 20, 30, 40], [0.0, 6.0, 10.0, -3.0, -4.0]));
        assert_eq!(history.curve(CHOSEN, Scale::StageDelta, Some(0)), changes, "of one prompt as of the mean");
        assert_eq!(history.curve(CHOSEN, Scale::Delta, None).values(), [0.0, 6.0, 10.0, 7.0, 6.0]);
        let lines: Vec<Series> = history.stretches(CHOSEN, Scale::StageDelta).iter().map(|s| s.of(&changes)).collect();
        assert_eq!(lines, [Series::new([0, 10, 20], [0.0, 6.0, 10.0]), Series::new([20, 30, 40], [0.0, -3.0, -4.0]),]);
        assert_eq!(history.stretches(CHOSEN, Scale::Delta).len(), 1);
    }

    #[test]
    fn a_stage_that_was_not_announced_counts_from_the_last_reading_before_it() {
        let history = history(&[
            TrainerEvent::RunStarted(Box::new(run(1, 0, vec![stage("SFT", false, 20), stage("DPO", true, 20)]))),
            evaluated(0, 0, -30.0),
            evaluated(20, 0, -20.0),
            evaluated(30, 1, -23.0),
        ]);
        assert_eq!(history.curve(CHOSEN, Scale::StageDelta, None).values(), [0.0, 10.0, -3.0]);
    }

    #[test]
    fn a_stage_with_a_measurement_of_its_own_start_leaves_from_that() {
        let history = history(&[
            TrainerEvent::RunStarted(Box::new(run(1, 0, vec![stage("SFT", false, 20), stage("DPO", true, 20)]))),
            TrainerEvent::StageStarted { stage: 0, step: 0 },
            evaluated(0, 0, -30.0),
            evaluated(20, 0, -20.0),
            TrainerEvent::StageStarted { stage: 1, step: 20 },
            evaluated(20, 1, -20.5),
            evaluated(30, 1, -23.0),
        ]);
        let changes = history.curve(CHOSEN, Scale::StageDelta, None);
        assert_eq!(changes.values(), [0.0, 10.0, 0.0, -2.5]);
        let stretches = history.stretches(CHOSEN, Scale::StageDelta);
        assert_eq!(stretches[1].of(&changes), Series::new([20, 30], [0.0, -2.5]));
    }

    #[test]
    fn what_was_cut_comes_back_a_value_a_reading() {
        let history = two_stages();
        let changes = history.curve(CHOSEN, Scale::StageDelta, None);
        let mut again = Series::default();
        for stretch in history.stretches(CHOSEN, Scale::StageDelta) {
            stretch.collect(&stretch.of(&changes), &mut again);
        }
        assert_eq!(again, changes);
        assert!(RunHistory::default().stretches(CHOSEN, Scale::StageDelta).is_empty());
    }
}

//! The run as it was last measured: what a picture is taken of while the trainer is already further.

use super::store::RunHistory;
use crate::protocol::RunPhase;

impl RunHistory {
    /// Forgets what happened after the step of the last measurement: the history as it is in a recording at that step. A run
    /// that has ended, or in which nothing is measured yet, stays as it is.
    pub fn back_to_last_measurement(&mut self) {
        let Some(last) = self.last_measured() else { return };
        if self.phase.as_ref().is_some_and(RunPhase::is_terminal) {
            return;
        }
        self.step = last;
        self.metrics.values_mut().for_each(|series| *series = series.part(0..series.up_to(last)));
        self.metrics.retain(|_, series| !series.is_empty());
        self.marks.retain(|mark| mark.step <= last);
        let begun = self.stage_starts.partition_point(|&start| start <= last);
        if begun < self.stage_starts.len() {
            self.stage_starts.truncate(begun);
            self.stage = begun.checked_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::fixture::{evaluation, history, run, stage};
    use crate::protocol::{MetricKey, StepMetrics, TrainerEvent};

    fn stepped(step: u64) -> TrainerEvent {
        let metrics = [(MetricKey::LOSS, 1.0)].into();
        TrainerEvent::Step(StepMetrics { step, stage: 0, metrics })
    }

    fn phase(phase: RunPhase, step: u64) -> TrainerEvent {
        TrainerEvent::Phase { phase, step }
    }

    #[test]
    fn what_came_after_the_last_measurement_is_forgotten_until_the_run_has_ended() {
        let mut events = vec![
            TrainerEvent::RunStarted(Box::new(run(1, 0, vec![stage("SFT", false, 20)]))),
            TrainerEvent::StageStarted { stage: 0, step: 0 },
            TrainerEvent::from(evaluation(1, 0, 0, &[], 0.0)),
        ];
        events.extend((1..=4).map(stepped));
        events.push(TrainerEvent::from(evaluation(1, 0, 4, &[], 0.0)));
        let measured = history(&events);
        events.extend([stepped(5), phase(RunPhase::Paused, 5), phase(RunPhase::Running, 5), stepped(6)]);
        let mut back = history(&events);
        back.back_to_last_measurement();
        assert_eq!((back.step, back.stage, &back.marks), (4, Some(0), &measured.marks));
        assert_eq!(back.metrics, measured.metrics);
        events.push(phase(RunPhase::Stopped, 6));
        let mut ended = history(&events);
        ended.back_to_last_measurement();
        assert_eq!((ended.step, ended.metrics[&MetricKey::LOSS].len()), (6, 6));
    }

    #[test]
    fn before_the_first_measurement_nothing_is_forgotten() {
        let mut begun = history(&[TrainerEvent::StageStarted { stage: 0, step: 0 }, stepped(1)]);
        begun.back_to_last_measurement();
        assert_eq!((begun.step, begun.metrics.len()), (1, 1));
    }
}

//! The trainer's side of a session: every event goes to the run file first, then to the screen, which may be slow.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_channel::{Sender, TrySendError};

use crate::error::Result;
use crate::protocol::{RunPhase, TrainerEvent};
use crate::train::{EventSink, SavedState, TrainerState};

/// Events that may wait for the screen. At a hundred steps a second that is half a minute.
pub(super) const CAPACITY: usize = 4096;

/// Records losslessly and shows what the screen can take. The trainer never waits for the screen: while the channel is
/// full, steps and speeds are dropped from the display and counted, and everything else waits here for the next event.
pub(super) struct LiveSink {
    record: Box<dyn EventSink>,
    screen: Sender<Arc<TrainerEvent>>,
    waiting: VecDeque<Arc<TrainerEvent>>,
    dropped: Arc<AtomicU64>,
    step: u64,
    ended: bool,
}

impl LiveSink {
    /// A sink that records in `record` and counts in `dropped` what the screen never saw.
    pub(super) fn new(record: Box<dyn EventSink>, screen: Sender<Arc<TrainerEvent>>, dropped: Arc<AtomicU64>) -> Self {
        Self { record, screen, waiting: VecDeque::new(), dropped, step: 0, ended: false }
    }

    /// Hands over what waits, as far as there is room.
    fn catch_up(&mut self) {
        while let Some(event) = self.waiting.pop_front() {
            if let Err(TrySendError::Full(event)) = self.screen.try_send(event) {
                self.waiting.push_front(event);
                return;
            }
        }
    }

    fn show(&mut self, event: &TrainerEvent) {
        self.catch_up();
        let droppable =
            matches!(event, TrainerEvent::Step(_) | TrainerEvent::Measuring { .. } | TrainerEvent::Speed { .. });
        if self.waiting.is_empty() {
            match self.screen.try_send(Arc::new(event.clone())) {
                Err(TrySendError::Full(event)) if !droppable => self.waiting.push_back(event),
                Err(TrySendError::Full(_)) => self.count_drop(),
                // A screen that has gone is no reason to stop training.
                Err(TrySendError::Disconnected(_)) | Ok(()) => {}
            }
        } else if droppable {
            self.count_drop();
        } else {
            self.waiting.push_back(Arc::new(event.clone()));
        }
    }

    fn count_drop(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }
}

impl EventSink for LiveSink {
    fn emit(&mut self, event: &TrainerEvent) -> Result<()> {
        match event {
            TrainerEvent::Phase { phase, .. } => self.ended = phase.is_terminal(),
            TrainerEvent::Step(metrics) => self.step = metrics.step,
            _ => {}
        }
        let recorded = if event.is_recorded() { self.record.emit(event) } else { Ok(()) };
        // What could not be recorded is still shown: above all, the failure that follows.
        self.show(event);
        recorded
    }

    fn keep(&mut self, state: &TrainerState) -> Result<()> {
        self.record.keep(state)
    }

    fn snapshot(&mut self, state: &TrainerState) {
        self.record.snapshot(state);
    }

    fn saved(&mut self) -> Option<SavedState> {
        let saved = self.record.saved()?;
        self.step = saved.position().step;
        Some(saved)
    }

    /// Says to the screen alone that the run runs: the record has that from before.
    fn resumed(&mut self) -> Result<()> {
        self.record.resumed()?;
        self.show(&TrainerEvent::Phase { phase: RunPhase::Running, step: self.step });
        Ok(())
    }
}

impl Drop for LiveSink {
    /// The training thread is over: nothing is left to hold up, so what waits may wait for the screen.
    fn drop(&mut self) {
        if !self.ended {
            let phase = RunPhase::Failed("the trainer ended without saying why".to_owned());
            if let Err(e) = self.emit(&TrainerEvent::Phase { phase, step: self.step }) {
                tracing::error!("the end of the run cannot be recorded: {e}");
            }
        }
        for event in self.waiting.drain(..) {
            if self.screen.send(event).is_err() {
                return;
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::{Arc, Mutex};

    use crossbeam_channel::bounded;

    use super::{AtomicU64, LiveSink, Ordering};
    use crate::error::Error;
    use crate::protocol::{Evaluation, RunPhase, StepMetrics, TrainerEvent};
    use crate::train::EventSink as _;

    fn step(step: u64) -> TrainerEvent {
        TrainerEvent::Step(StepMetrics { step, stage: 0, metrics: BTreeMap::new() })
    }

    fn evaluation(step: u64) -> TrainerEvent {
        TrainerEvent::from(Evaluation { step, ..Evaluation::default() })
    }

    fn finished() -> TrainerEvent {
        TrainerEvent::Phase { phase: RunPhase::Finished, step: 9 }
    }

    #[test]
    fn a_frozen_screen_costs_steps_on_the_display_and_nothing_in_the_record() {
        let (screen, frozen) = bounded(2);
        let recorded = Arc::new(Mutex::new(Vec::new()));
        let dropped = Arc::new(AtomicU64::new(0));
        let record = Arc::clone(&recorded);
        let mut sink = LiveSink::new(
            Box::new(move |e: &TrainerEvent| {
                record.lock().unwrap().push(e.clone());
                Ok(())
            }),
            screen,
            Arc::clone(&dropped),
        );
        let sent = [step(1), step(2), step(3), evaluation(3), step(4), evaluation(4), finished()];
        for event in &sent {
            sink.emit(event).unwrap();
        }
        assert_eq!(*recorded.lock().unwrap(), sent);
        assert_eq!(dropped.load(Ordering::Relaxed), 2);
        let trainer = std::thread::spawn(move || drop(sink));
        let shown: Vec<_> = frozen.iter().map(|e| (*e).clone()).collect();
        trainer.join().unwrap();
        assert_eq!(
            shown,
            [step(1), step(2), evaluation(3), evaluation(4), finished()],
            "in order, steps 3 and 4 missing"
        );
    }

    #[test]
    fn a_full_disk_is_an_error_and_is_still_shown() {
        let (screen, shown) = bounded(8);
        let mut sink =
            LiveSink::new(Box::new(|_: &TrainerEvent| Err(Error::failed("no space left"))), screen, Arc::default());
        assert!(sink.emit(&step(1)).is_err());
        assert!(sink.emit(&TrainerEvent::Phase { phase: RunPhase::Failed("no space left".into()), step: 1 }).is_err());
        drop(sink);
        assert_eq!(shown.iter().count(), 2);
    }

    #[test]
    fn a_trainer_that_vanishes_is_recorded_as_failed() {
        let (screen, shown) = bounded(8);
        let mut sink = LiveSink::new(Box::new(|_: &TrainerEvent| Ok(())), screen, Arc::default());
        sink.emit(&step(7)).unwrap();
        drop(sink);
        let last = shown.iter().last().unwrap();
        assert!(matches!(&*last, TrainerEvent::Phase { phase: RunPhase::Failed(_), step: 7 }), "{last:?}");
    }

    #[test]
    fn a_screen_that_has_gone_stops_nothing() {
        let (screen, shown) = bounded(1);
        drop(shown);
        let mut sink = LiveSink::new(Box::new(|_: &TrainerEvent| Ok(())), screen, Arc::default());
        for event in [step(1), evaluation(1), finished()] {
            sink.emit(&event).unwrap();
        }
    }
}

//! The cadence of checkpoints: when one is due.

use std::time::{Duration, Instant};

/// The least time before a checkpoint and between two, where the clock decides.
const APART: Duration = Duration::from_secs(60);

/// The rest after a checkpoint, in times of what it took, where the clock decides.
const REST: u32 = 100;

/// The cadence of checkpoints; asked after every evaluation that is due itself.
pub(super) struct Cadence {
    /// Evaluations between two checkpoints; the clock decides where it is absent.
    every: Option<u64>,
    evaluations: u64,
    last: Instant,
    cost: Duration,
}

impl Cadence {
    pub(super) fn new(every: Option<u64>) -> Self {
        Self { every, evaluations: 0, last: Instant::now(), cost: Duration::ZERO }
    }

    /// Counts an evaluation; whether a checkpoint is due after it.
    pub(super) fn is_due(&mut self) -> bool {
        self.evaluations += 1;
        match self.every {
            Some(0) => false,
            Some(every) => self.evaluations.is_multiple_of(every),
            None => self.last.elapsed() >= APART.max(self.cost * REST),
        }
    }

    /// A checkpoint was written, from `began` until now.
    pub(super) fn written(&mut self, began: Instant) {
        self.last = Instant::now();
        self.cost = self.last - began;
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{APART, Cadence};

    fn ago(time: Duration) -> Instant {
        Instant::now().checked_sub(time).unwrap()
    }

    #[test]
    fn checkpoints_are_counted_or_timed() {
        let due = |every| {
            let mut cadence = Cadence::new(every);
            (1..=6).filter(|_| cadence.is_due()).count()
        };
        assert_eq!((due(Some(0)), due(Some(1)), due(Some(2)), due(Some(4)), due(None)), (0, 6, 3, 1, 0));
    }

    #[test]
    fn the_clock_spends_a_hundredth_of_the_time_at_most() {
        let mut cadence = Cadence { last: ago(APART), ..Cadence::new(None) };
        assert!(cadence.is_due(), "after the first minute");
        cadence.written(ago(Duration::from_secs(2)));
        cadence.last = ago(Duration::from_secs(190));
        assert!(!cadence.is_due(), "two seconds were spent, and 190 have passed");
        cadence.last = ago(Duration::from_secs(210));
        assert!(cadence.is_due());
    }
}

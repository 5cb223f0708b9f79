//! How long a writer has been silent, and when that is worth a word.

use std::time::{Duration, Instant};

/// Silence that is worth a word, and the steps in which it is told: the screen is not written every second for it.
const SILENCES: [u64; 9] = [60, 120, 300, 600, 1200, 3600, 7200, 21_600, 86_400];
/// Silence is worth a word from so many times the longest pause between two lines so far.
const PATIENCE: u32 = 5;

/// How long nothing came, and how much of that was told.
#[derive(Debug, Clone)]
pub(super) struct Silence {
    since: Instant,
    /// Silent already when it was first looked at.
    before: Duration,
    longest: Duration,
    told: Option<Duration>,
}

impl Silence {
    pub(super) fn new(before: Duration) -> Self {
        Self { since: Instant::now(), before, longest: Duration::ZERO, told: None }
    }

    fn lasts(&self) -> Duration {
        self.before + self.since.elapsed()
    }

    /// Something came.
    pub(super) fn broken(&mut self) {
        self.longest = self.longest.max(self.since.elapsed());
        (self.since, self.before, self.told) = (Instant::now(), Duration::ZERO, None);
    }

    /// Whether it has become worth another word.
    pub(super) fn news(&mut self) -> bool {
        let now = step_of_silence(self.lasts(), self.longest);
        let news = now.is_some() && now != self.told;
        self.told = now.or(self.told);
        news
    }

    pub(super) fn told(&self) -> Option<Duration> {
        self.told
    }
}

/// The longest silence of the list that has passed, if it is long for this run.
fn step_of_silence(lasts: Duration, longest: Duration) -> Option<Duration> {
    let steps = SILENCES.iter().rev().map(|&s| Duration::from_secs(s));
    steps.filter(|&step| step >= longest * PATIENCE).find(|&step| step <= lasts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_told_in_steps_and_by_the_run_s_own_pace() {
        let minutes = |m: u64| Duration::from_secs(60 * m);
        assert_eq!(step_of_silence(Duration::from_secs(59), Duration::ZERO), None);
        assert_eq!(step_of_silence(Duration::from_secs(61), Duration::ZERO), Some(minutes(1)));
        assert_eq!(step_of_silence(minutes(7), Duration::ZERO), Some(minutes(5)));
        assert_eq!(step_of_silence(minutes(7), minutes(3)), None, "a run that is silent for minutes anyway");
        assert_eq!(step_of_silence(minutes(21), minutes(3)), Some(minutes(20)));
        let mut silence = Silence::new(minutes(6));
        assert!(silence.news() && !silence.news(), "a word once");
        assert_eq!(silence.told(), Some(minutes(5)));
        silence.broken();
        assert!(!silence.news() && silence.told().is_none());
    }
}

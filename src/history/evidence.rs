//! The evidence of a series of measurements: whether it moved away from where its stage began, beyond what counts as noise.

use super::noise;
use crate::protocol::DetectorSettings;

/// Fewest evaluations whose median decides where one mean is all there is.
const FEWEST_OF_MEANS: usize = 5;

/// A share of this many times the rate is no mere touch of it.
const CLEAR: f64 = 1.25;

/// Whether an evaluation speaks for entering a state, and for staying in it. The gap between the two is the hysteresis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Hold {
    pub(super) enter: bool,
    pub(super) stay: bool,
}

impl Hold {
    /// Nothing was measured: a state is neither entered nor left.
    pub(super) const UNDECIDED: Self = Self { enter: false, stay: true };

    /// What speaks for both.
    pub(super) fn and(self, other: Self) -> Self {
        Self { enter: self.enter && other.enter, stay: self.stay && other.stay }
    }

    /// What a share of pairs says: it enters at `rate` and stays down to `settings.leave` of that. A share that only touches
    /// `rate` may fall back, so that `recent`, its mean over the recent evaluations (this one among them), must reach it too.
    pub(super) fn of_share(now: f64, recent: impl Fn() -> f64, rate: f64, settings: &DetectorSettings) -> Self {
        // Comparisons with NaN are false, so that an unmeasured share decides nothing.
        let lasts = || now >= CLEAR * rate || recent() >= rate;
        Self { enter: now >= rate && lasts(), stay: now.is_nan() || now >= settings.leave * rate }
    }
}

/// Changes of one number since a stage began, and what counts as noise in them.
pub(super) struct Series<'a> {
    steps: &'a [u64],
    /// One a step, oldest first: the latest evaluations of the stage, the one that it started from not among them.
    changes: Vec<f64>,
    /// Whether these are all evaluations since the stage began.
    whole: bool,
    /// Steps since the stage began.
    elapsed: u64,
    /// Evaluation noise; `None` while there are too few evaluations to tell.
    noise: Option<f64>,
    /// The smallest change that counts, whatever the noise.
    floor: f64,
    settings: &'a DetectorSettings,
}

impl<'a> Series<'a> {
    /// The course from `start`, the step and value that the stage started from, through `values` at `steps`. `whole` says
    /// that nothing lies between the two. `None` where the start or the latest value is no number.
    pub(super) fn new(
        (since, start): (u64, f64),
        (steps, values): (&'a [u64], &[f64]),
        whole: bool,
        floor: f64,
        settings: &'a DetectorSettings,
    ) -> Option<Self> {
        let changes: Vec<f64> = values.iter().map(|x| x - start).collect();
        let elapsed = steps.last()?.checked_sub(since)?;
        if changes.last()?.is_nan() {
            return None;
        }
        let noise = if whole {
            let steps: Vec<u64> = std::iter::once(since).chain(steps.iter().copied()).collect();
            let changes: Vec<f64> = std::iter::once(0.0).chain(changes.iter().copied()).collect();
            noise::of_a_reading(&steps, &changes)
        } else {
            noise::of_a_reading(steps, &changes)
        };
        Some(Self { steps, changes, whole, elapsed, noise, floor, settings })
    }

    /// The change up to now.
    pub(super) fn change(&self) -> f64 {
        self.changes.last().copied().unwrap_or(f64::NAN)
    }

    /// Whether it moved up (`sign` 1) or down (−1) beyond τ and noise: now, or in the median of the recent evaluations.
    pub(super) fn moved(&self, sign: f64) -> bool {
        let noise = self.settings.noise * self.noise.unwrap_or(0.0);
        let beyond = |change: f64, noise: f64| sign * change > self.floor.max(noise);
        let n = self.recent(self.settings.recent);
        beyond(self.change(), noise) || (n > 1 && beyond(self.median(0, n), noise * noise::of_a_median(n)))
    }

    /// The same of a mean with nothing beside it to confirm it: only the median of at least five evaluations counts, beyond
    /// the wider noise of means, and nothing while the noise is not known.
    pub(super) fn mean_moved(&self, sign: f64) -> bool {
        let n = self.recent_of_means();
        let noise = self.noise.map(|noise| self.settings.noise_of_means * noise * noise::of_a_median(n));
        noise.is_some_and(|noise| sign * self.median(0, n) > self.floor.max(noise))
    }

    /// Whether a mean lies above (`sign` 1) or below (−1) its start still, in the median of the recent evaluations: that it
    /// came back must show beyond the noise of that median.
    pub(super) fn mean_is_beyond_start(&self, sign: f64) -> bool {
        let n = self.recent_of_means();
        sign * self.median(0, n) > -self.noise.unwrap_or(0.0) * noise::of_a_median(n)
    }

    /// Whether the recent evaluations lie below as many before them; true where there are none before.
    pub(super) fn mean_falls(&self) -> bool {
        let n = self.recent_of_means();
        let before = self.median(n, n);
        before.is_nan() || self.median(0, n) < before
    }

    /// The change over the last `share` of the steps since the stage began, or over what is remembered of them.
    pub(super) fn recent_change(&self, share: f64) -> f64 {
        let inside = self.recent(share);
        let before = self.changes.len().checked_sub(inside + 1).and_then(|at| self.changes.get(at)).copied();
        let oldest = if self.whole { Some(0.0) } else { self.changes.first().copied() };
        self.change() - before.or(oldest).unwrap_or(f64::NAN)
    }

    /// The change that does not count: τ, or the noise.
    pub(super) fn tolerance(&self) -> f64 {
        self.floor.max(self.settings.noise * self.noise.unwrap_or(0.0))
    }

    /// Evaluations in the last `share` of the steps since the stage began; the latest always counts.
    #[allow(clippy::cast_precision_loss, reason = "steps are far below 2^52")]
    fn recent(&self, share: f64) -> usize {
        let Some(&now) = self.steps.last() else { return 0 };
        let within = share * self.elapsed as f64;
        self.steps.iter().rev().take_while(|&&step| (now - step) as f64 <= within).count()
    }

    fn recent_of_means(&self) -> usize {
        self.recent(self.settings.recent).max(FEWEST_OF_MEANS)
    }

    /// The median of `n` changes, the latest `skip` left out; NaN where there are not as many.
    fn median(&self, skip: usize, n: usize) -> f64 {
        let end = self.changes.len().saturating_sub(skip);
        let Some(start) = end.checked_sub(n) else { return f64::NAN };
        let mut values: Vec<f64> = self.changes[start..end].iter().copied().filter(|x| !x.is_nan()).collect();
        noise::median(&mut values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_that_touches_the_rate_must_reach_it_in_the_recent_mean_too() {
        let settings = DetectorSettings::default();
        let enters = |now, recent| Hold::of_share(now, || recent, 0.2, &settings).enter;
        assert!(!enters(0.2, 0.19) && !enters(0.2, f64::NAN));
        assert!(enters(0.2, 0.2) && enters(0.25, 0.1));
        assert!(!enters(0.19, 0.2) && !enters(f64::NAN, 0.2));
        let stays = |now| Hold::of_share(now, || now, 0.2, &settings).stay;
        assert!(stays(0.1) && !stays(0.09) && stays(f64::NAN));
    }
}

//! Numbers over steps.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use super::chunk::{CHUNK, Chunk, Summary};
use super::columns::Columns;
use crate::protocol::{Evaluation, ProbeGroup, ProbeKind, RunStarted};

/// A curve of the main chart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CurveId {
    /// A probe's log-prob.
    Probe(ProbeKind),
    /// The argmax along the prefixes of y⁺ (y* in the paper).
    ArgmaxChosen,
    /// The argmax along the prefixes of y⁻.
    ArgmaxRejected,
}

impl CurveId {
    /// Every curve, in the order of the legend.
    pub fn all() -> impl Iterator<Item = Self> {
        ProbeKind::ALL.iter().copied().map(Self::Probe).chain([Self::ArgmaxChosen, Self::ArgmaxRejected])
    }

    /// Every curve, and those that only this evaluation has.
    pub(super) fn of(evaluation: &Evaluation) -> impl Iterator<Item = Self> {
        Self::all().chain(evaluation.logps.kinds().map(Self::Probe).filter(|curve| curve.is_unlisted()))
    }

    /// Whether it follows a kind of answer that this program does not know.
    pub fn is_unlisted(self) -> bool {
        matches!(self, Self::Probe(ProbeKind::Other(_)))
    }

    /// The curve's key in tables and exports.
    pub fn key(self) -> &'static str {
        match self {
            Self::Probe(kind) => kind.key(),
            Self::ArgmaxChosen => "argmax_chosen",
            Self::ArgmaxRejected => "argmax_rejected",
        }
    }

    /// The label at the line's end.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Probe(kind) => kind.symbol(),
            Self::ArgmaxChosen => "y* on y⁺",
            Self::ArgmaxRejected => "y* on y⁻",
        }
    }

    /// The group it is toggled with.
    pub fn group(self) -> ProbeGroup {
        match self {
            Self::Probe(kind) => kind.group(),
            Self::ArgmaxChosen | Self::ArgmaxRejected => ProbeGroup::Argmax,
        }
    }

    /// The sums of log-probs of one evaluation, one a prompt; `None` where the run has no such curve.
    pub fn values(self, evaluation: &Evaluation) -> Option<&[f32]> {
        match self {
            Self::Probe(kind) => evaluation.logps.get(kind),
            Self::ArgmaxChosen => Some(&evaluation.chosen.argmax_logps).filter(|v| !v.is_empty()).map(Vec::as_slice),
            Self::ArgmaxRejected => {
                evaluation.rejected.as_ref().map(|r| r.argmax_logps.as_slice()).filter(|v| !v.is_empty())
            }
        }
    }

    /// The response that the curve follows: the probe itself, or the one along whose prefixes the argmax is read.
    pub fn kind(self) -> ProbeKind {
        match self {
            Self::Probe(kind) => kind,
            Self::ArgmaxChosen => ProbeKind::Chosen,
            Self::ArgmaxRejected => ProbeKind::Rejected,
        }
    }

    /// Completion tokens of prompt `pair` under this curve: what a sum is divided by.
    pub fn tokens(self, run: &RunStarted, pair: usize) -> Option<u32> {
        run.probes.get(pair)?.responses.get(&self.kind()).map(|r| r.tokens)
    }
}

/// What the y axis shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Scale {
    /// Sum of log-probs, nats: as the paper plots.
    LogProb,
    /// Log-prob per completion token, nats.
    PerToken,
    /// Geometric mean of the token probabilities, exp(log-prob per token).
    Probability,
    /// Change of the sum since the run's first evaluation, nats: a scale on which every group can be read at once, though
    /// shuffled text lies hundreds of nats below an answer.
    #[default]
    Delta,
    /// Change of the sum since the evaluation that its stage started from, nats: what a stage alone did. Counts anew at
    /// every stage.
    StageDelta,
}

impl Scale {
    /// A sum of log-probs on this scale, nats: of a response of `tokens` tokens, changes counted from `start`.
    pub(super) fn of(self, sum: f64, tokens: Option<u32>, start: f64) -> f64 {
        let per_token = || tokens.filter(|&tokens| tokens > 0).map_or(f64::NAN, |tokens| sum / f64::from(tokens));
        match self {
            Self::LogProb => sum,
            Self::PerToken => per_token(),
            Self::Probability => per_token().exp(),
            Self::Delta | Self::StageDelta => sum - start,
        }
    }

    /// Every scale, in the order in which the key cycles.
    pub const ALL: [Self; 5] = [Self::StageDelta, Self::Delta, Self::LogProb, Self::PerToken, Self::Probability];

    /// The axis title.
    pub fn title(self) -> &'static str {
        match self {
            Self::LogProb => "log p (nats, sum)",
            Self::PerToken => "log p per token (nats)",
            Self::Probability => "probability per token",
            Self::Delta => "Δ log p from step 0 (nats)",
            Self::StageDelta => "Δ log p since the stage began (nats)",
        }
    }

    /// Whether it shows changes and not levels.
    pub fn is_change(self) -> bool {
        matches!(self, Self::Delta | Self::StageDelta)
    }

    /// The scale after this one, in the order in which the key cycles.
    pub fn next(self) -> Self {
        let at = Self::ALL.iter().position(|&s| s == self).unwrap_or(0);
        Self::ALL[(at + 1) % Self::ALL.len()]
    }
}

/// Values over steps; steps never fall. NaN is a gap.
///
/// A copy or a part of a series costs nothing: points are kept in chunks that all copies share.
#[derive(Clone, Default)]
pub struct Series {
    /// A point before everything that is stored: where a line leaves from.
    lead: Option<(u64, f64)>,
    full: Arc<Vec<Arc<Chunk>>>,
    tail: Arc<Chunk>,
    /// The places of the stored points that belong to this series.
    places: Range<usize>,
    kept: Kept,
}

/// The latest reduction of a series to the columns of a screen. A copy of the series has none: it may become another one.
#[derive(Default)]
struct Kept(Mutex<Option<Box<(Columns, Series)>>>);

impl Clone for Kept {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Series {
    /// The values at these steps.
    pub fn new(steps: impl IntoIterator<Item = u64>, values: impl IntoIterator<Item = f64>) -> Self {
        steps.into_iter().zip(values).collect()
    }

    /// Appends a value.
    pub fn push(&mut self, step: u64, value: f64) {
        self.drop_what_follows();
        self.kept = Kept::default();
        let tail = Arc::make_mut(&mut self.tail);
        tail.push(step, value);
        if tail.is_full() {
            Arc::make_mut(&mut self.full).push(std::mem::take(&mut self.tail));
        }
        self.places.end += 1;
    }

    /// What is stored after this series' end belongs to others.
    fn drop_what_follows(&mut self) {
        let end = self.places.end;
        if end < self.full.len() * CHUNK + self.tail.len() {
            let last = self.full.get(end / CHUNK).unwrap_or(&self.tail);
            self.tail = Arc::new(last.first(end % CHUNK));
            Arc::make_mut(&mut self.full).truncate(end / CHUNK);
        }
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.places.len() + usize::from(self.lead.is_some())
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The place of a point among those that are stored; `None` for the one that leads.
    fn stored(&self, at: usize) -> Option<usize> {
        Some(self.places.start + at.checked_sub(usize::from(self.lead.is_some()))?)
    }

    fn chunk(&self, stored: usize) -> &Chunk {
        self.full.get(stored / CHUNK).unwrap_or(&self.tail)
    }

    fn step(&self, at: usize) -> u64 {
        match (self.stored(at), self.lead) {
            (Some(stored), _) => self.chunk(stored).step(stored % CHUNK),
            (None, lead) => lead.unwrap_or_default().0,
        }
    }

    fn value(&self, at: usize) -> f64 {
        match (self.stored(at), self.lead) {
            (Some(stored), _) => self.chunk(stored).value(stored % CHUNK),
            (None, lead) => lead.unwrap_or_default().1,
        }
    }

    /// The step and value at a place.
    pub fn get(&self, at: usize) -> Option<(u64, f64)> {
        (at < self.len()).then(|| (self.step(at), self.value(at)))
    }

    /// The step and value first written.
    pub fn first(&self) -> Option<(u64, f64)> {
        self.get(0)
    }

    /// The step and value last written.
    pub fn last(&self) -> Option<(u64, f64)> {
        self.get(self.len().checked_sub(1)?)
    }

    /// Every step and value, in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (u64, f64)> + ExactSizeIterator {
        (0..self.len()).map(|at| (self.step(at), self.value(at)))
    }

    /// A copy of the values.
    pub fn values(&self) -> Vec<f64> {
        self.iter().map(|(_, value)| value).collect()
    }

    /// How many values lie before `step`.
    pub fn before(&self, step: u64) -> usize {
        self.count_while(0..self.len(), |s| s < step)
    }

    /// How many values lie at or before `step`.
    pub fn up_to(&self, step: u64) -> usize {
        self.count_while(0..self.len(), |s| s <= step)
    }

    /// The first place in `places` whose step is not `below`, where those that are come first.
    pub(super) fn count_while(&self, places: Range<usize>, below: impl Fn(u64) -> bool) -> usize {
        let Range { start: mut low, end: mut high } = places;
        while low < high {
            let middle = low.midpoint(high);
            if below(self.step(middle)) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// The value at the latest step not after `step`.
    pub fn at(&self, step: u64) -> Option<f64> {
        Some(self.value(self.up_to(step).checked_sub(1)?))
    }

    /// The points at these places.
    pub fn part(&self, places: Range<usize>) -> Self {
        let end = places.end.min(self.len());
        let start = places.start.min(end);
        let lead = self.lead.filter(|_| start == 0 && end > 0);
        let skipped = usize::from(self.lead.is_some());
        let stored = |at: usize| self.places.start + at.saturating_sub(skipped);
        Self { lead, places: stored(start)..stored(end), ..self.clone() }
    }

    /// The same with a point before all others.
    pub fn led_by(self, step: u64, value: f64) -> Self {
        Self { lead: Some((step, value)), kept: Kept::default(), ..self }
    }

    /// The values after step `from`, up to and including step `to`; those at step 0 belong to whatever begins there.
    pub fn within(&self, from: u64, to: u64) -> Self {
        let begin = if from > 0 { self.up_to(from) } else { 0 };
        self.part(begin..self.up_to(to).max(begin))
    }

    /// The values that lie in these steps, both included, at once: costs the more the fewer points there are between two
    /// that are asked for, and little however many there are.
    pub fn summary_of_steps(&self, (from, to): (u64, u64)) -> Summary {
        let begin = self.before(from);
        self.summary(begin..self.up_to(to).max(begin))
    }

    /// What is said of the points at these places.
    pub fn summary(&self, places: Range<usize>) -> Summary {
        let mut all = Summary::default();
        let (mut at, end) = (places.start, places.end.min(self.len()));
        if let (0, Some((_, value)), true) = (at, self.lead, end > 0) {
            all = Summary::of(value, 0);
            at = 1;
        }
        while at < end {
            let Some(stored) = self.stored(at) else { break };
            let first = stored % CHUNK;
            let last = (first + end - at).min(CHUNK);
            // Places in the chunk become places in the series; a chunk may begin before the series does.
            let of_chunk = self.chunk(stored).summary(first..last);
            all = all.join(of_chunk.moved(first, at));
            at += last - first;
        }
        all
    }

    /// What the series is on these columns: what was worked out last, or, where that was on others, what is now.
    pub(super) fn reduction(&self, columns: Columns, work_out: impl FnOnce() -> Self) -> Self {
        let mut kept = self.kept.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = kept.as_ref().filter(|kept| kept.0 == columns) {
            return kept.1.clone();
        }
        let reduction = work_out();
        *kept = Some(Box::new((columns, reduction.clone())));
        reduction
    }

    /// Exponential moving average, for display only; `weight` in 0..1 is the share of the past. Gaps stay gaps.
    pub fn smoothed(&self, weight: f64) -> Self {
        let mut past = f64::NAN;
        let mut smooth = |x: f64| {
            if x.is_finite() {
                past = if past.is_nan() { x } else { weight * past + (1.0 - weight) * x };
                past
            } else {
                x
            }
        };
        self.iter().map(|(step, x)| (step, smooth(x))).collect()
    }
}

impl FromIterator<(u64, f64)> for Series {
    fn from_iter<I: IntoIterator<Item = (u64, f64)>>(points: I) -> Self {
        let mut series = Self::default();
        series.extend(points);
        series
    }
}

impl Extend<(u64, f64)> for Series {
    fn extend<I: IntoIterator<Item = (u64, f64)>>(&mut self, points: I) {
        points.into_iter().for_each(|(step, value)| self.push(step, value));
    }
}

impl PartialEq for Series {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl fmt::Debug for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
#[path = "series_tests.rs"]
mod tests;

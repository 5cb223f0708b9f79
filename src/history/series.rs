//! Numbers over steps.

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
            Self::Probe(kind) => evaluation.logps.get(&kind).map(Vec::as_slice),
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
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Series {
    /// Optimiser steps.
    pub steps: Vec<u64>,
    /// One value a step.
    pub values: Vec<f64>,
}

impl Series {
    /// Appends a value.
    pub fn push(&mut self, step: u64, value: f64) {
        self.steps.push(step);
        self.values.push(value);
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// The step and value last written.
    pub fn last(&self) -> Option<(u64, f64)> {
        Some((*self.steps.last()?, *self.values.last()?))
    }

    /// The value at the latest step not after `step`.
    pub fn at(&self, step: u64) -> Option<f64> {
        let after = self.steps.partition_point(|&s| s <= step);
        (after > 0).then(|| self.values[after - 1])
    }

    /// The values after step `from`, up to and including step `to`; those at step 0 belong to whatever begins there.
    pub fn within(&self, from: u64, to: u64) -> Self {
        let begin = self.steps.partition_point(|&s| s < from || s == from && from > 0);
        let end = self.steps.partition_point(|&s| s <= to).max(begin);
        Self { steps: self.steps[begin..end].to_vec(), values: self.values[begin..end].to_vec() }
    }

    /// Exponential moving average, for display only; `weight` in 0..1 is the share of the past. Gaps stay gaps.
    pub fn smoothed(&self, weight: f64) -> Self {
        let mut past = f64::NAN;
        let values = self
            .values
            .iter()
            .map(|&x| {
                if x.is_finite() {
                    past = if past.is_nan() { x } else { weight * past + (1.0 - weight) * x };
                    past
                } else {
                    x
                }
            })
            .collect();
        Self { steps: self.steps.clone(), values }
    }
}

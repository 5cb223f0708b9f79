//! Forces: what of an observed answer's change the learning of chosen answers did, and what that of rejected ones.
//!
//! The optimiser keeps the updates' parts apart and adds them up between two evaluations: D⁺, D⁻ and that of weight decay
//! (see [`Rule`](super::update::Rule)). With D their sum, log π_θ+D(y) − log π_θ(y) = ∫₀¹⟨∇log π_θ+sD(y), D⟩ds, and the
//! integral over each part is its share. The integrals are sums over a few nodes; at a node a slope along a part is a
//! central difference, which all answers share: two passes, no gradient.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use super::optimizer::Trace;
use super::parameter::Moved;
use crate::dynamics::quadrature::gauss_legendre;
use crate::experiment::{ForceSettings, Precision};
use crate::model::Transformer;
use crate::probe::{ProbeSet, Subset};
use crate::protocol::{self, Evaluation, ForceParts};

/// How far to either side a central difference goes, as a share of the part: so far that the whole way, moved along as far,
/// would change the answers by this many nats, within bounds. The error of the difference is of second order in the reach, and
/// pull and push are each many times the way that is left of them; rounding, some 1e-5 nats, counts the more the less far.
const CHANGE: f64 = 0.003;
const NEAREST: f64 = 0.005;
const FURTHEST: f64 = 0.05;
/// The same of weight decay: all of its way, on which next to nothing bends. It is so short that less of it would drown in
/// rounding, and nothing has to cancel it.
const OF_DECAY: f64 = 1.0;

/// Follows why the answers to the observed prompts move.
pub(super) struct Forces<B: Backend> {
    settings: ForceSettings,
    subset: Subset,
    /// Log-probs at the latest evaluation, one an answer.
    latest: Vec<f64>,
    /// Absent before the first stage.
    window: Option<Window<B>>,
}

/// What has happened since the latest evaluation.
struct Window<B: Backend> {
    /// Optimiser steps taken before it.
    since: u64,
    /// The model at its beginning.
    start: Transformer<B>,
    /// What has moved its weights.
    trace: Trace<B>,
}

/// A part of the way that the weights went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Pull,
    Push,
    Decay,
}

impl Part {
    const ALL: [Self; 3] = [Self::Pull, Self::Push, Self::Decay];

    fn of<T>(self, moved: &Moved<T>) -> Option<&T> {
        match self {
            Self::Pull => Some(&moved.halves.pull),
            Self::Push => moved.halves.push.as_ref(),
            Self::Decay => moved.decay.as_ref(),
        }
    }
}

/// What each part did, one number an answer; absent where there is no such part.
#[derive(Debug, Clone, Default, PartialEq)]
struct Shares([Option<Vec<f64>>; Part::ALL.len()]);

impl<B: Backend> Forces<B> {
    /// Follows the answers to the first of the observed prompts.
    pub(super) fn new(settings: ForceSettings, probes: &ProbeSet, pad: u32) -> Self {
        let subset = Subset::new(probes, settings.prompts, pad);
        Self { latest: vec![f64::NAN; subset.len()], settings, subset, window: None }
    }

    /// A stage begins with `model`, after `step` optimiser steps, where everything has just been measured.
    pub(super) fn begin(&mut self, step: u64, model: Transformer<B>) {
        self.window = Some(Window { since: step, start: model, trace: Trace::new() });
    }

    /// The trace in which the optimiser adds up what moves the weights.
    pub(super) fn trace(&mut self) -> Option<&mut Trace<B>> {
        self.window.as_mut().map(|window| &mut window.trace)
    }

    /// The log-probs that the next window's changes are counted from, one an answer.
    pub(super) fn latest(&self) -> &[f64] {
        &self.latest
    }

    /// Goes back to where a window begins, after `step` optimiser steps; `latest` is as of [`Self::latest`].
    pub(super) fn remember(&mut self, step: u64, model: Transformer<B>, latest: Vec<f64>) {
        self.latest = latest;
        self.begin(step, model);
    }

    /// Ends the window with an evaluation of `model` and begins the next; what moved the answers, if a step was taken.
    pub(super) fn measure(&mut self, model: Transformer<B>, evaluation: &Evaluation) -> Option<protocol::Forces> {
        let now = self.subset.of(evaluation);
        let before = std::mem::replace(&mut self.latest, now);
        let window = self.window.take()?;
        self.begin(evaluation.step, model);
        if window.trace.is_empty() {
            return None;
        }
        let measured: Vec<f64> = self.latest.iter().zip(before).map(|(now, before)| now - before).collect();
        let (nodes, shares) = self.shares(&window, &measured);
        Some(self.told(evaluation, &window, &measured, nodes, shares))
    }

    /// What each part did, with so many nodes as it takes. One part alone did everything.
    fn shares(&self, window: &Window<B>, measured: &[f64]) -> (usize, Shares) {
        let parts = window.parts();
        if let [part] = parts[..] {
            let mut shares = Shares::default();
            shares.0[part as usize] = Some(measured.to_vec());
            return (0, shares);
        }
        let reach = reach(measured);
        let mut nodes = self.settings.nodes;
        loop {
            let shares = window.integrate(&self.subset, &parts, nodes, reach);
            if nodes >= ForceSettings::MOST_NODES || shares.explain(measured, self.settings.tolerance) {
                return (nodes, shares);
            }
            nodes += 1;
        }
    }

    fn told(
        &self,
        evaluation: &Evaluation,
        window: &Window<B>,
        measured: &[f64],
        nodes: usize,
        shares: Shares,
    ) -> protocol::Forces {
        let mut measured = self.subset.by_kind(measured);
        let [mut pull, mut push, mut decay] = shares.0.map(|share| share.map(|share| self.subset.by_kind(&share)));
        let kinds: Vec<_> = measured.keys().copied().collect();
        let parts = |kind| {
            let take = |part: &mut Option<BTreeMap<_, Vec<f32>>>| {
                part.as_mut().and_then(|part| part.remove(&kind)).unwrap_or_default()
            };
            let (pull, push, decay) = (take(&mut pull), take(&mut push), take(&mut decay));
            (kind, ForceParts { measured: measured.remove(&kind).unwrap_or_default(), pull, push, decay })
        };
        protocol::Forces {
            step: evaluation.step,
            stage: evaluation.stage,
            since: window.since,
            nodes: u32::try_from(nodes).unwrap_or(u32::MAX),
            tolerance: self.settings.tolerance,
            kinds: kinds.into_iter().map(parts).collect(),
        }
    }
}

/// How far central differences go, where the answers changed by so many nats. One reach for all parts: what is left of the
/// higher orders then nearly cancels between pull and push.
#[allow(clippy::cast_precision_loss, reason = "few answers")]
fn reach(measured: &[f64]) -> f64 {
    let mean_square = measured.iter().map(|change| change * change).sum::<f64>() / measured.len().max(1) as f64;
    // Where nothing changed, the furthest.
    (CHANGE / mean_square.sqrt()).clamp(NEAREST, FURTHEST)
}

impl Shares {
    /// Whether what they leave of the measured change is within the tolerated share of it, both as root mean squares.
    fn explain(&self, measured: &[f64], tolerance: f64) -> bool {
        let explained = |answer: usize| self.0.iter().flatten().map(|share| share[answer]).sum::<f64>();
        let square = |x: f64| x * x;
        let residual: f64 = measured.iter().enumerate().map(|(i, change)| square(change - explained(i))).sum();
        residual <= square(tolerance) * measured.iter().copied().map(square).sum::<f64>()
    }
}

impl<B: Backend> Window<B> {
    /// The parts that moved the weights.
    fn parts(&self) -> Vec<Part> {
        let moved = |part: &Part| self.trace.values().any(|moved| part.of(moved).is_some());
        Part::ALL.into_iter().filter(moved).collect()
    }

    /// ∫⟨∇log π, part⟩ds along the way of the weights, for each part and answer, nats.
    fn integrate(&self, subset: &Subset, parts: &[Part], nodes: usize, reach: f64) -> Shares {
        let mut shares = Shares::default();
        for &part in parts {
            let reach = if part == Part::Decay { OF_DECAY } else { reach };
            for (place, weight) in gauss_legendre(nodes) {
                let logps = |by: f64| subset.logps(&self.model_at(place, part, by));
                let (ahead, behind) = (logps(reach), logps(-reach));
                let share = shares.0[part as usize].get_or_insert_with(|| vec![0.0; subset.len()]);
                for (share, (ahead, behind)) in share.iter_mut().zip(ahead.iter().zip(behind)) {
                    *share += weight * (ahead - behind) / (2.0 * reach);
                }
            }
        }
        shares
    }

    /// The model at a place between 0 and 1 of the way, moved on by so much of a part. It computes in single precision
    /// whatever the training does: a difference of small numbers.
    fn model_at(&self, place: f64, part: Part, by: f64) -> Transformer<B> {
        let shares = Part::ALL.map(|other| if other == part { place + by } else { place });
        self.start.clone().map(&mut Move { trace: &self.trace, shares }).compute_in(Precision::F32)
    }
}

/// Moves the weights by so much of each part.
struct Move<'a, B: Backend> {
    trace: &'a Trace<B>,
    /// In the order of [`Part::ALL`].
    shares: [f64; Part::ALL.len()],
}

impl<B: Backend> ModuleMapper<B> for Move<'_, B> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
        let (id, tensor, mapper) = param.consume();
        let Some(moved) = self.trace.get(&id) else { return Param::from_mapped_value(id, tensor, mapper) };
        let shape = tensor.shape();
        let parts = Part::ALL.into_iter().zip(self.shares);
        let by = parts.filter_map(|(part, share)| Some(part.of(moved)?.clone().mul_scalar(share)));
        let tensor = by.fold(tensor, |tensor, by| tensor + by.reshape(shape.clone()));
        Param::from_mapped_value(id, tensor, mapper)
    }
}

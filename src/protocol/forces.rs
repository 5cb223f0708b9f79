//! The forces that moved the observed answers: the parts of each one's change between two evaluations.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::floats;
use super::kinds::ProbeKind;

/// The change of the observed answers' log-probs between two evaluations of a stage, in parts: what the learning of chosen
/// answers did (pull), what the learning of rejected answers did (push), what weight decay did, and what remains.
///
/// Between the two the weights move by D⁺ + D⁻ + D⁰, the sums of the updates' parts that come from the gradients of the
/// chosen answers, of the rejected ones, and from weight decay. A part is ∫⟨∇log π(y), D⟩ds along the straight path, by
/// Gauss–Legendre quadrature: path-integrated gradients (Sundararajan et al. 2017, arXiv 1703.01365) of the weights, whose
/// parts add up to the whole change. What the quadrature misses of that is the residual.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Forces {
    /// Optimiser steps since the run began, at the evaluation that ended the window.
    pub step: u64,
    /// Index of the stage whose steps led here.
    pub stage: usize,
    /// Step of the evaluation that the window began with.
    pub since: u64,
    /// Nodes of the quadrature. 0 where one part alone moved the weights: the whole change is its.
    pub nodes: u32,
    /// Share of the change, both as root mean squares over the answers, that the residual may have.
    pub tolerance: f64,
    /// The parts by kind of answer; lists have one entry a prompt, for the first of the observed prompts.
    pub kinds: BTreeMap<ProbeKind, ForceParts>,
}

/// The parts of the changes of one kind of answer, nats, one entry a prompt; null where the prompt has no such answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ForceParts {
    /// The change that was measured.
    #[serde(with = "floats::list")]
    pub measured: Vec<f32>,
    /// What the learning of chosen answers did.
    #[serde(with = "floats::list")]
    pub pull: Vec<f32>,
    /// What the learning of rejected answers did; empty where the objective reads none.
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "floats::list")]
    pub push: Vec<f32>,
    /// What weight decay did; empty without any.
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "floats::list")]
    pub decay: Vec<f32>,
}

//! Displacement, as detector, comparison and claims alike decide it: the margin of a pair grew although both answers fell.

use super::series::CurveId;
use crate::protocol::{ProbeKind, RunStarted};

/// How far an answer moved.
#[derive(Debug, Clone, Copy)]
pub struct Moved {
    /// The change of its log-prob, nats.
    pub change: f64,
    /// Whether that is a fall, and one that counts.
    pub fell: bool,
}

impl Moved {
    /// A change of one answer that counts beyond τ of the run a token. What is no number, or an answer that the prompt
    /// does not have, did not fall.
    pub fn beyond_tau(run: &RunStarted, kind: ProbeKind, pair: usize, change: f64) -> Self {
        let tokens = CurveId::Probe(kind).tokens(run, pair);
        Self { change, fell: tokens.is_some_and(|tokens| change < -run.detector.tau * f64::from(tokens)) }
    }
}

/// Whether a pair is displaced: y⁺ and y⁻ both fell, y⁻ further.
pub fn displaced(chosen: Moved, rejected: Moved) -> bool {
    chosen.fell && rejected.fell && chosen.change > rejected.change
}

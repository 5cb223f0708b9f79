//! One pair: how far its answers moved since its stage began, and what the detector says of it.

use super::series::CurveId;
use super::standing::Standing;
use super::store::RunHistory;
use crate::protocol::{Evaluation, ProbeKind};

/// What the detector says of a pair, the gravest last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PairState {
    /// Nothing to remark, or nothing is known.
    Quiet,
    /// y⁺ fell with y⁻ although the margin grew.
    Displaced,
    /// Displaced, and y* took its share of the mass.
    Squeezed,
}

impl PairState {
    /// The word in the table.
    pub fn title(self) -> &'static str {
        match self {
            Self::Quiet => "–",
            Self::Displaced => "displaced",
            Self::Squeezed => "squeezed",
        }
    }
}

/// One pair of the run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PairRow {
    /// Index of the prompt.
    pub pair: usize,
    /// Change of log p(y⁺) since the stage began, nats; NaN where it was not measured at both ends.
    pub chosen: f64,
    /// Change of log p(y⁻), nats.
    pub rejected: f64,
    /// Change of the argmax along y⁺, nats.
    pub argmax: f64,
    /// What the detector says of it.
    pub state: PairState,
}

impl PairRow {
    /// How far y* rose above y⁺, nats: by this the gravest pair comes first. A fall of y⁺ alone where y* was not measured.
    pub fn gap(&self) -> f64 {
        if self.argmax.is_nan() { -self.chosen } else { self.argmax - self.chosen }
    }
}

impl RunHistory {
    /// Whether the run tells its pairs apart.
    pub fn has_pairs(&self) -> bool {
        let run = self.run.as_ref();
        run.is_some_and(|run| !run.means && run.classes.is_empty() && !run.probes.is_empty())
    }

    /// How the pairs stand at a step, if its stage pushes answers down.
    pub fn pairs_standing(&self, step: u64) -> Option<&Standing> {
        let pushes = |stage: usize| self.run.as_ref()?.stages.get(stage).map(|stage| stage.has_rejected);
        let standing = self.detector.standing_at(step)?;
        (pushes(standing.stage) == Some(true) && !standing.of_means).then_some(standing)
    }

    /// Every pair at a step, as the run has them; empty where nothing is measured.
    pub fn pairs_at(&self, step: u64) -> Vec<PairRow> {
        let now = self.evaluations[..self.evaluations.partition_point(|e| e.step <= step)].last();
        let start = now.and_then(|now| self.stage_evaluations(now.stage).first());
        let (Some(start), Some(now), true) = (start, now, self.has_pairs()) else { return Vec::new() };
        let standing = self.pairs_standing(step);
        let moved = |curve: CurveId, pair: usize| {
            let value = |e: &Evaluation| curve.values(e).and_then(|v| v.get(pair)).map(|&x| f64::from(x));
            value(now).zip(value(start)).map_or(f64::NAN, |(now, start)| now - start)
        };
        let state = |pair: usize| match standing {
            Some(s) if s.squeezed.get(pair) == Some(&true) => PairState::Squeezed,
            Some(s) if s.displaced.get(pair) == Some(&true) => PairState::Displaced,
            _ => PairState::Quiet,
        };
        let count = self.run.as_ref().map_or(0, |run| run.probes.len());
        let row = |pair: usize| PairRow {
            pair,
            chosen: moved(CurveId::Probe(ProbeKind::Chosen), pair),
            rejected: moved(CurveId::Probe(ProbeKind::Rejected), pair),
            argmax: moved(CurveId::ArgmaxChosen, pair),
            state: state(pair),
        };
        (0..count).map(row).collect()
    }
}

//! The paper's files in rows of quantities.

use std::collections::BTreeMap;

use crate::protocol::ProbeKind;

/// What the paper's files hold that a run has a place for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Quantity {
    /// Sum of log-probs of a response, nats.
    Probe(ProbeKind),
    /// Sum of the largest log-prob at each position along y⁺, nats.
    Argmax,
    /// ‖A‖_F along y⁺, mean over positions.
    AFrobenius,
    /// ‖π − e_y‖₂ along y⁺, mean over positions.
    PE,
    /// 1 − π_y along y⁺, mean over positions.
    Energy,
}

/// One evaluation: every quantity with one number a prompt.
pub(super) type Row = BTreeMap<Quantity, Vec<f64>>;

/// A file as read: at least one row, each with the quantities of the first and `prompts` numbers of each.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) rows: Vec<Row>,
    pub(super) prompts: usize,
    /// Whether the numbers are means over prompts, of which the file does not say how many.
    pub(super) means: bool,
}

impl Quantity {
    pub(super) fn probe(self) -> Option<ProbeKind> {
        match self {
            Self::Probe(kind) => Some(kind),
            _ => None,
        }
    }
}

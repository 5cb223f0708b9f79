//! The parts of a language model, by what they do.

use serde::{Deserialize, Serialize};

/// What a parameter does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Role {
    Embedding,
    Positions,
    AttentionNorm,
    Query,
    Key,
    Value,
    QueryNorm,
    KeyNorm,
    Output,
    MlpNorm,
    Gate,
    Up,
    Down,
    FinalNorm,
    Logits,
}

impl Role {
    /// The roles of a block, in order.
    pub(crate) const BLOCK: [Self; 11] = [
        Self::AttentionNorm,
        Self::Query,
        Self::Key,
        Self::Value,
        Self::QueryNorm,
        Self::KeyNorm,
        Self::Output,
        Self::MlpNorm,
        Self::Gate,
        Self::Up,
        Self::Down,
    ];

    /// The roles of a block that are matrices.
    pub const LINEAR: [Self; 7] = [Self::Query, Self::Key, Self::Value, Self::Output, Self::Gate, Self::Up, Self::Down];

    /// Whether it writes into the residual stream.
    pub(crate) fn writes_residual(self) -> bool {
        matches!(self, Self::Output | Self::Down)
    }
}

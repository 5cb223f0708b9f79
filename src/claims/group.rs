//! The runs of one experiment, which claims are checked over together.

use crate::history::RunHistory;

/// The runs of one experiment.
#[derive(Debug, Clone, Default)]
pub(super) struct Group<'a> {
    pub(super) experiment: &'a str,
    pub(super) histories: Vec<&'a RunHistory>,
}

impl<'a> Group<'a> {
    /// The run with the same seed as another experiment's.
    pub(super) fn twin_of(&self, history: &RunHistory) -> Result<&'a RunHistory, String> {
        let seed = history.run.as_ref().map(|r| r.seed).ok_or("a run never began")?;
        let twin = self.histories.iter().find(|h| h.run.as_ref().is_some_and(|r| r.seed == seed));
        twin.copied().ok_or_else(|| format!("no run of {} has the seed {seed}", self.experiment))
    }
}

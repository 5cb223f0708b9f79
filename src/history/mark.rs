//! Marks on the time line: what happened at which step, and where a stage begins and ends among evaluations.

use std::sync::Arc;

use crate::protocol::Evaluation;
use crate::text::Shown;

/// What a mark on the time line means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MarkKind {
    /// A stage begins.
    Stage,
    /// Pause, resume, stop.
    Phase,
    /// The detector entered or left a state that is no alarm.
    State,
    /// The detector says squeezing or collapse.
    Alarm,
    /// Something is wrong with the numbers or the run.
    Warning,
}

/// Something worth a line in the events panel and a marker on the chart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// Optimiser steps taken when it happened.
    pub step: u64,
    /// What it means.
    pub kind: MarkKind,
    /// A plain sentence.
    pub text: Shown,
}

/// The evaluations of `stage`, beginning with the one that it started from: the last at or before its first step.
/// Evaluations ascend in steps. Where the stage's start is unknown, the stages that the evaluations name decide.
pub(super) fn stage_span<'a>(
    evaluations: &'a [Arc<Evaluation>],
    stage_starts: &[u64],
    stage: usize,
) -> &'a [Arc<Evaluation>] {
    let up_to = |step: u64| evaluations.partition_point(|e| e.step <= step);
    let (after_start, end) = match stage_starts.get(stage) {
        Some(&start) => (up_to(start), stage_starts.get(stage + 1).map_or(evaluations.len(), |&next| up_to(next))),
        None => (evaluations.partition_point(|e| e.stage < stage), evaluations.partition_point(|e| e.stage <= stage)),
    };
    &evaluations[after_start.saturating_sub(1)..end.max(after_start)]
}

//! Claims about the detector: what it must say, and where it must be silent.

use super::measure::{StageRun, share_of_runs, steps};
use super::{ClaimResult, Measured, result};
use crate::history::{RunHistory, StateChange};
use crate::protocol::StageInfo;

/// The claim that the detector says squeezing in the first preference stage of every run.
pub(super) fn squeeze(histories: &[&RunHistory], gates: bool, runs: &Result<Vec<StageRun<'_>>, String>) -> ClaimResult {
    let first_alarms: Vec<(u64, Option<&StateChange>)> = histories
        .iter()
        .map(|history| {
            let stage = history.run.as_ref().and_then(|r| r.stages.iter().position(|s| s.has_rejected));
            (seed(history), history.detector.alarms().find(|a| Some(a.stage) == stage))
        })
        .collect();
    let measured = runs.as_ref().map_err(Clone::clone).map(|_| {
        let alarmed =
            share_of_runs("runs with an alarm", first_alarms.iter().map(|(s, a)| (*s, a.is_some())).collect());
        #[allow(clippy::cast_precision_loss, reason = "steps are far below 2^52")]
        let at = first_alarms.iter().filter_map(|(s, a)| Some((*s, a.as_ref()?.step as f64))).collect();
        (first_alarms.iter().all(|(_, a)| a.is_some()), vec![alarmed, steps("first alarm at step", at)])
    });
    result("squeeze", "DPO: the detector says squeezing", gates, measured)
}

/// The claim that the detector raises no alarm in any stage that pushes nothing down.
pub(super) fn quiet(histories: &[&RunHistory], named: bool) -> ClaimResult {
    let mut stages = histories.iter().filter_map(|h| h.run.as_ref()).flat_map(|r| &r.stages);
    let has_stage = stages.any(|s| !s.has_rejected);
    let stage_of = |history: &RunHistory, alarm: &StateChange| -> Option<StageInfo> {
        history.run.as_ref()?.stages.get(alarm.stage).cloned()
    };
    let is_false =
        |history: &RunHistory, alarm: &StateChange| !stage_of(history, alarm).is_some_and(|s| s.has_rejected);
    let alarmed: Vec<(u64, bool)> = histories
        .iter()
        .map(|history| (seed(history), history.detector.alarms().any(|alarm| is_false(history, alarm))))
        .collect();
    let measured: Measured = if histories.is_empty() {
        Err("there is no run".to_owned())
    } else if has_stage {
        let silent = alarmed.iter().all(|(_, alarmed)| !alarmed);
        Ok((silent, vec![share_of_runs("runs with an alarm in an SFT stage", alarmed)]))
    } else {
        Err("there is no such stage".to_owned())
    };
    let gates = named || has_stage || histories.is_empty();
    result("quiet", "SFT: the detector raises no alarm", gates, measured)
}

fn seed(history: &RunHistory) -> u64 {
    history.run.as_ref().map_or(0, |r| r.seed)
}

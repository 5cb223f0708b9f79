//! The claims of Ren & Sutherland (arXiv 2407.10490) as checks over recorded runs: a verdict, and the numbers behind it.
//!
//! A claim *gates* where the run's experiment names it; everything else is reported with its numbers and asserted by
//! nobody. One gates everywhere: no stage that pushes nothing down may raise an alarm. Sums of log-probs, nats; changes are
//! from a stage's start to its end unless a label says otherwise; means are pooled over the pairs of all runs with a
//! bootstrap interval stratified by run; rates carry a Wilson interval. S-claims are read in the first stage of supervised
//! finetuning, D-claims, F-claims and R1 in the first stage that has rejected answers; D5, D6, E1 and F3 compare that stage
//! with the same stage of the baseline's run with the same seed.

mod claim;
mod compare;
mod detector;
mod dpo;
mod forces;
mod group;
mod influence;
mod kernel;
pub mod lab;
mod measure;
mod repetition;
mod sft;
mod table;
mod warning;
mod wins;

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::history::stats::{Estimate, rate};
use crate::history::{Place, RunHistory};
use crate::protocol::{CLAIMS, Evaluation};
use claim::{Measured, result};
use group::Group;
use measure::{StageClaim, StageRun, stage_runs};

#[cfg(test)]
use claim::Verdict;
pub use claim::{Checked, ClaimResult, Figure, Unit};
pub use influence::leak;
pub use kernel::Pull;
pub use table::table;

/// Checks every claim over runs of any experiments, experiment by experiment in the order of their first runs. Without
/// runs nothing can be told, and that is no pass.
pub fn check(histories: &[RunHistory]) -> Vec<Checked> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for history in histories {
        let experiment = history.run.as_ref().map_or("", |run| &run.experiment);
        match groups.iter_mut().find(|g| g.experiment == experiment) {
            Some(group) => group.histories.push(history),
            None => groups.push(Group { experiment, histories: vec![history] }),
        }
    }
    if groups.is_empty() {
        return vec![Group::default().check(&[])];
    }
    groups.iter().map(|group| group.check(&groups)).collect()
}

/// Share of pairs that are displaced since the first preference stage began: steps and rates, one an evaluation.
///
/// # Errors
/// In words: when the run has no such stage, did not complete it, or did not measure y⁺ and y⁻.
pub fn displacement(history: &RunHistory) -> Result<Vec<(u64, Estimate)>, String> {
    let stage = StageRun::first(history, |s| s.has_rejected)?;
    let rate_at = |(at, evaluation): (usize, &Arc<Evaluation>)| {
        let displaced = stage.displaced(Place::at(at))?;
        Ok((evaluation.step, rate(displaced.values().filter(|&&d| d).count(), displaced.len())))
    };
    stage.evaluations.iter().enumerate().map(rate_at).collect()
}

impl Group<'_> {
    fn check(&self, all: &[Self]) -> Checked {
        let runs = || self.histories.iter().filter_map(|h| h.run.as_ref());
        let named: BTreeSet<&str> = runs().flat_map(|r| &r.claims).map(String::as_str).collect();
        let gates = |id: &str| named.contains(id);
        let baseline = runs().find_map(|r| r.baseline.as_deref());
        let compared = baseline.ok_or_else(|| "the experiment names no baseline".to_owned()).and_then(|name| {
            let group = all.iter().find(|g| g.experiment == name);
            group.ok_or_else(|| format!("no run of its baseline {name} is given"))
        });
        let sft_runs = stage_runs(&self.histories, |stage| stage.objective == "sft");
        let dpo_runs = stage_runs(&self.histories, |stage| stage.has_rejected);
        let mut claims: Vec<ClaimResult> =
            sft::CLAIMS.iter().map(|claim| judge(claim, gates(claim.id), &sft_runs)).collect();
        claims.extend(dpo::CLAIMS.iter().map(|claim| judge(claim, gates(claim.id), &dpo_runs)));
        claims.extend(forces::CLAIMS.iter().map(|claim| judge(claim, gates(claim.id), &dpo_runs)));
        claims.extend(compare::check(self, &compared, gates));
        claims.push(judge(&repetition::CLAIM, gates("R1"), &dpo_runs));
        claims.push(detector::squeeze(&self.histories, gates("squeeze"), &dpo_runs));
        claims.push(detector::quiet(&self.histories, gates("quiet")));
        claims.push(warning::band(&dpo_runs));
        claims.push(wins::win_rate(self, &compared));
        if runs().any(|r| !r.classes.is_empty()) {
            claims.push(kernel::k1(&self.histories, gates("K1")));
        }
        let untold: Vec<_> = named.iter().filter(|name| claims.iter().all(|c| c.id != **name)).collect();
        claims.extend(untold.into_iter().map(|name| unknown(name)));
        Checked {
            experiment: self.experiment.to_owned(),
            seeds: runs().map(|r| r.seed).collect(),
            baseline: baseline.map(str::to_owned),
            claims,
        }
    }
}

/// A claim that the experiment names and nobody here can check: it must not pass for one that holds.
fn unknown(name: &str) -> ClaimResult {
    let id = CLAIMS.iter().find(|id| **id == name).copied().unwrap_or("unknown");
    result(id, "named by the experiment", true, Err(format!("{name} cannot be read off recorded runs here")))
}

fn judge(claim: &StageClaim, gates: bool, runs: &Result<Vec<StageRun<'_>>, String>) -> ClaimResult {
    let measured = runs.as_ref().map_err(Clone::clone).and_then(|runs| (claim.measure)(runs));
    result(claim.id, claim.statement, gates, measured)
}

#[cfg(test)]
mod tests;

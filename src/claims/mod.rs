//! The claims of Ren & Sutherland (arXiv 2407.10490) as checks over recorded runs: a verdict, and the numbers behind it.
//!
//! A claim *gates* where the experiment is one that must show it; everything else is reported with its numbers and
//! asserted by nobody. Sums of log-probs, nats; changes are from a stage's start to its end unless a label says
//! otherwise; means are pooled over the pairs of all runs with a bootstrap interval stratified by run; rates carry a
//! Wilson interval. S-claims are read in the first stage of supervised finetuning, D-claims in the first stage that has
//! rejected answers.

mod detector;
mod dpo;
mod kernel;
mod measure;
mod sft;
mod table;

use crate::history::RunHistory;
use crate::history::stats::Estimate;
use measure::{StageRun, stage_runs};

pub use table::table;

/// What became of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It gates, and holds.
    Holds,
    /// It gates, and does not hold.
    Fails,
    /// Its numbers are given; nothing is asserted.
    Reported,
    /// The runs hold nothing to check it on.
    NotApplicable,
}

impl Verdict {
    /// The word in the table.
    pub fn title(self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::Fails => "FAILS",
            Self::Reported => "reported",
            Self::NotApplicable => "not applicable",
        }
    }
}

/// What a figure counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A change of a sum of log-probs.
    Nats,
    /// A share of pairs, probes or runs.
    Share,
    /// Optimiser steps; only the values of the runs mean something.
    Steps,
    /// A correlation, −1 to 1; only the values of the runs mean something.
    Correlation,
}

/// A number behind a verdict.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// What it is.
    pub label: String,
    /// What it counts.
    pub unit: Unit,
    /// Over all runs.
    pub pooled: Estimate,
    /// Seed and value of every run.
    pub per_seed: Vec<(u64, f64)>,
}

/// A claim and what the runs say of it.
#[derive(Debug, Clone, PartialEq)]
pub struct ClaimResult {
    /// `S1` … `D4`, `squeeze`, `quiet`.
    pub id: &'static str,
    /// The claim in words.
    pub statement: &'static str,
    /// What became of it.
    pub verdict: Verdict,
    /// Whether this kind of run must show it.
    pub gates: bool,
    /// The numbers, the decisive ones first.
    pub figures: Vec<Figure>,
    /// Why it could not be checked.
    pub note: Option<String>,
}

impl ClaimResult {
    /// Whether a check that gates did not come out well: it fails, or its numbers could not be had.
    pub fn failed_gate(&self) -> bool {
        self.gates && self.verdict != Verdict::Holds
    }
}

/// Whether the claim holds, and its figures; or why that cannot be told.
type Measured = Result<(bool, Vec<Figure>), String>;

/// A claim that is read in one stage of every run.
struct StageClaim {
    id: &'static str,
    statement: &'static str,
    measure: fn(&[StageRun<'_>]) -> Measured,
}

/// Checks every claim over the runs of one experiment, one a seed. Experiments without a preference stage must show S1
/// to S5, experiments with one D1 to D4 and a squeeze that the detector sees; no SFT stage may raise an alarm. Without
/// runs every claim gates and none can be told.
pub fn check(histories: &[RunHistory]) -> Vec<ClaimResult> {
    let any_stage = |has_rejected: bool| {
        let mut stages = histories.iter().filter_map(|h| h.run.as_ref()).flat_map(|r| &r.stages);
        histories.is_empty() || stages.any(|s| s.has_rejected == has_rejected)
    };
    let preference = any_stage(true);
    let sft_gates = histories.is_empty() || !preference;
    let sft_runs = stage_runs(histories, |stage| stage.objective == "sft");
    let dpo_runs = stage_runs(histories, |stage| stage.has_rejected);
    let sft = sft::CLAIMS.iter().map(|claim| judge(claim, sft_gates, &sft_runs));
    let dpo = dpo::CLAIMS.iter().map(|claim| judge(claim, preference, &dpo_runs));
    let detector = [detector::squeeze(histories, preference, &dpo_runs), detector::quiet(histories, any_stage(false))];
    sft.chain(dpo).chain(detector).chain([kernel::k1(histories)]).collect()
}

fn judge(claim: &StageClaim, gates: bool, runs: &Result<Vec<StageRun<'_>>, String>) -> ClaimResult {
    let measured = runs.as_ref().map_err(Clone::clone).and_then(|runs| (claim.measure)(runs));
    result(claim.id, claim.statement, gates, measured)
}

fn result(id: &'static str, statement: &'static str, gates: bool, measured: Measured) -> ClaimResult {
    let (verdict, figures, note) = match measured {
        Err(why) => (Verdict::NotApplicable, Vec::new(), Some(why)),
        Ok((_, figures)) if !gates => (Verdict::Reported, figures, None),
        Ok((true, figures)) => (Verdict::Holds, figures, None),
        Ok((false, figures)) => (Verdict::Fails, figures, None),
    };
    ClaimResult { id, statement, verdict, gates, figures, note }
}

#[cfg(test)]
mod tests;

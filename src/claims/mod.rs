//! The claims of Ren & Sutherland (arXiv 2407.10490) as checks over recorded runs: a verdict, and the numbers behind it.
//!
//! A claim *gates* where the run's experiment names it; everything else is reported with its numbers and asserted by
//! nobody. One gates everywhere: no stage that pushes nothing down may raise an alarm. Sums of log-probs, nats; changes are
//! from a stage's start to its end unless a label says otherwise; means are pooled over the pairs of all runs with a
//! bootstrap interval stratified by run; rates carry a Wilson interval. S-claims are read in the first stage of supervised
//! finetuning, D-claims and R1 in the first stage that has rejected answers; D5, D6 and E1 compare that stage with the
//! same stage of the baseline's run with the same seed.

mod compare;
mod detector;
mod dpo;
mod kernel;
pub mod lab;
mod measure;
mod repetition;
mod sft;
mod table;
mod wins;

use std::collections::BTreeSet;

use crate::history::RunHistory;
use crate::history::stats::{Estimate, rate};
use crate::protocol::{CLAIMS, Evaluation};
use measure::{Place, StageRun, stage_runs};

pub use kernel::Pull;
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
    /// A share of pairs, probes, prompts or runs.
    Share,
    /// A change of a share, or the difference of two.
    Points,
    /// Optimiser steps; only the values of the runs mean something.
    Steps,
    /// So many of `n`; no interval.
    Count,
    /// A change of a probability; no interval.
    Mass,
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
    /// One of [`CLAIMS`], or `win rate`.
    pub id: &'static str,
    /// The claim in words.
    pub statement: &'static str,
    /// What became of it.
    pub verdict: Verdict,
    /// Whether these runs must show it.
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

/// What the runs of one experiment say.
#[derive(Debug, Clone, PartialEq)]
pub struct Checked {
    /// Name of the experiment; empty where there is no run.
    pub experiment: String,
    /// Seed of every run.
    pub seeds: Vec<u64>,
    /// Name of the experiment that it is compared with, where it names one.
    pub baseline: Option<String>,
    /// Every claim.
    pub claims: Vec<ClaimResult>,
}

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
    let rate_at = |(at, evaluation): (usize, &Evaluation)| {
        let displaced = stage.displaced(Place::at(at))?;
        Ok((evaluation.step, rate(displaced.values().filter(|&&d| d).count(), displaced.len())))
    };
    stage.evaluations.iter().enumerate().map(rate_at).collect()
}

/// The runs of one experiment.
#[derive(Debug, Clone, Default)]
struct Group<'a> {
    experiment: &'a str,
    histories: Vec<&'a RunHistory>,
}

impl<'a> Group<'a> {
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
        claims.extend(compare::check(self, &compared, gates));
        claims.push(judge(&repetition::CLAIM, gates("R1"), &dpo_runs));
        claims.push(detector::squeeze(&self.histories, gates("squeeze"), &dpo_runs));
        claims.push(detector::quiet(&self.histories, gates("quiet")));
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

    /// The run with the same seed as another experiment's.
    fn twin_of(&self, history: &RunHistory) -> Result<&'a RunHistory, String> {
        let seed = history.run.as_ref().map(|r| r.seed).ok_or("a run never began")?;
        let twin = self.histories.iter().find(|h| h.run.as_ref().is_some_and(|r| r.seed == seed));
        twin.copied().ok_or_else(|| format!("no run of {} has the seed {seed}", self.experiment))
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

//! A claim, and what the runs say of it: a verdict, and the figures behind it.

use crate::history::stats::Estimate;

/// The verdict on a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The claim gates, and holds.
    Holds,
    /// The claim gates, and does not hold.
    Fails,
    /// The claim's numbers are given; nothing is asserted.
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

/// The unit of a figure: what it counts.
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
    /// An area under a ROC curve: 0.5 is chance.
    Area,
    /// A correlation, −1 to 1; only the values of the runs mean something.
    Correlation,
}

/// A number behind a verdict.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// The figure in words.
    pub label: String,
    /// The unit that it counts.
    pub unit: Unit,
    /// Over all runs.
    pub pooled: Estimate,
    /// Seed and value of every run.
    pub per_seed: Vec<(u64, f64)>,
}

/// A claim and what the runs say of it.
#[derive(Debug, Clone, PartialEq)]
pub struct ClaimResult {
    /// One of [`CLAIMS`](crate::protocol::CLAIMS), `band` or `win rate`.
    pub id: &'static str,
    /// The claim in words.
    pub statement: &'static str,
    /// The verdict.
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
pub(super) type Measured = Result<(bool, Vec<Figure>), String>;

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

pub(super) fn result(id: &'static str, statement: &'static str, gates: bool, measured: Measured) -> ClaimResult {
    let (verdict, figures, note) = match measured {
        Err(why) => (Verdict::NotApplicable, Vec::new(), Some(why)),
        Ok((_, figures)) if !gates => (Verdict::Reported, figures, None),
        Ok((true, figures)) => (Verdict::Holds, figures, None),
        Ok((false, figures)) => (Verdict::Fails, figures, None),
    };
    ClaimResult { id, statement, verdict, gates, figures, note }
}

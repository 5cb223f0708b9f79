//! F1, F2 and the readings of F3: pull and push, where a run took the changes of observed answers apart.

use std::collections::BTreeMap;

use super::measure::{StageRun, pooled, share};
use super::{Figure, Measured, StageClaim, Unit};
use crate::history::Place;
use crate::history::forces::Force;
use crate::history::stats::{mean, stratified_mean};
use crate::protocol::{ProbeGroup, ProbeKind as Probe};

/// F1: what a window may leave of its change, both as root mean squares.
const WINDOW: f64 = 0.05;
/// F1: what the sums over a stage may leave.
const SUM: f64 = 0.02;

pub(super) const CLAIMS: [StageClaim; 2] = [
    StageClaim {
        id: "F1",
        statement: "DPO: pull and push explain the change: at most 5 % of every window's is left, and 2 % of the stage's",
        measure: f1,
    },
    StageClaim {
        id: "F2",
        statement: "DPO: answers that nobody trains are pushed down by what is rejected further than what is chosen pulls \
                    them up",
        measure: f2,
    },
];

fn f1(runs: &[StageRun<'_>]) -> Measured {
    let windows = share(runs, "windows that leave at most 5 % of their change", |r| {
        Ok(r.windows()?.iter().map(|window| window.unexplained <= WINDOW).collect())
    })?;
    let left = runs.iter().map(left_of_sums).collect::<Result<Vec<_>, _>>()?;
    let per_seed = runs.iter().zip(&left).map(|(run, left)| (run.seed(), mean(left))).collect();
    let label = "of the stage's change left, over prompts".to_owned();
    let sums = Figure { label, unit: Unit::Share, pooled: stratified_mean(&left), per_seed };
    Ok((windows.pooled.value >= 1.0 && sums.pooled.value <= SUM, vec![windows, sums]))
}

/// Root mean square over the kinds of what a prompt's sums leave at the stage's end, by prompt, as a share of the same of
/// all changes.
fn left_of_sums(run: &StageRun<'_>) -> Result<Vec<f64>, String> {
    let windows = run.windows()?;
    let last = windows.last().ok_or("forces were not measured")?;
    let (mut left, mut changes) = (BTreeMap::<usize, Vec<f64>>::new(), Vec::new());
    for forces in last.total.values() {
        for (prompt, force) in forces.iter().enumerate().filter_map(|(prompt, f)| Some((prompt, (*f)?))) {
            left.entry(prompt).or_default().push(force.residual().powi(2));
            changes.push(force.measured.powi(2));
        }
    }
    let change = mean(&changes).sqrt();
    Ok(left.values().map(|squares| mean(squares).sqrt() / change).collect())
}

fn f2(runs: &[StageRun<'_>]) -> Measured {
    let of = |label: &str, part: fn(Force) -> f64| {
        pooled(runs, label, |r| Ok(bystanders(r, Place::at(r.end()), part)?.into_values().collect()))
    };
    let net = of("push over pull", |f| -f.push - f.pull)?;
    let (pull, push) = (of("pull", |f| f.pull)?, of("push", |f| f.push)?);
    Ok((net.rises(), vec![net, pull, push]))
}

/// A part of what moved the answers that nobody trains, from the stage's start to a place: the mean over their kinds, by
/// prompt.
pub(super) fn bystanders(
    run: &StageRun<'_>,
    place: Place,
    part: fn(Force) -> f64,
) -> Result<BTreeMap<usize, f64>, String> {
    let unrelated = |kind: &&Probe| matches!(kind.group(), ProbeGroup::Hallucination | ProbeGroup::Unrelated);
    let mut by_prompt = BTreeMap::<usize, Vec<f64>>::new();
    for &kind in Probe::ALL.iter().filter(unrelated) {
        for (prompt, x) in run.forces(kind, place, part)? {
            by_prompt.entry(prompt).or_default().push(x);
        }
    }
    if by_prompt.is_empty() {
        return Err("no answer that nobody trains was observed".to_owned());
    }
    Ok(by_prompt.into_iter().map(|(prompt, values)| (prompt, mean(&values))).collect())
}

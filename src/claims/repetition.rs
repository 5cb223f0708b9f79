//! R1: after a squeeze the greedy answer repeats itself.

use super::measure::{StageRun, pooled};
use super::{Figure, Measured, StageClaim, Unit};
use crate::protocol::GreedyAnswer;

pub(super) const CLAIM: StageClaim = StageClaim {
    id: "R1",
    statement: "DPO: the greedy answer degenerates: its distinct bigrams fall and its repeated 4-grams rise",
    measure: r1,
};

/// Paired over the prompts that were answered at both ends of the stage; both changes must be clear of zero.
fn r1(runs: &[StageRun<'_>]) -> Measured {
    let distinct = pooled(runs, "distinct bigrams", |r| change(r, |g| g.distinct_2))?;
    let repeated = pooled(runs, "4-grams that occurred before", |r| change(r, |g| g.repeat_4))?;
    let holds = distinct.falls() && repeated.rises();
    Ok((holds, [distinct, repeated].map(|figure| Figure { unit: Unit::Points, ..figure }).into()))
}

/// Change of a rate of the greedy answer over the stage, one a prompt.
fn change(run: &StageRun<'_>, read: fn(&GreedyAnswer) -> f32) -> Result<Vec<f64>, String> {
    let ends = run.evaluations.first().zip(run.evaluations.last());
    let (before, now) = ends.map(|(a, b)| (&a.greedy, &b.greedy)).ok_or("there is no evaluation")?;
    if before.is_empty() || before.len() != now.len() {
        return Err("greedy answers were not generated at both ends of the stage".to_owned());
    }
    Ok(now.iter().zip(before).map(|(now, before)| f64::from(read(now)) - f64::from(read(before))).collect())
}

//! Win rates: answers to held-out prompts, judged by a reward that can be checked.
//!
//! A prompt is won by the answer with the larger reward. The rate is wins + ties/2 over prompts, so that a judge who sees
//! no difference says one half; it is a mean of {0, ½, 1}, and its interval a bootstrap over prompts, stratified by run (a
//! Wilson interval is for counts, and would have to leave the ties out). The share of ties is told beside it.

use super::measure::StageRun;
use super::{ClaimResult, Figure, Group, Measured, Unit, result};
use crate::history::RunHistory;
use crate::history::stats::{float, mean, stratified_mean};
use crate::text::Shown;

/// The end of every stage against the base model; and against the baseline's run, its end against the end, and both after as
/// many steps. Never gates.
pub(super) fn win_rate(group: &Group<'_>, baseline: &Result<&Group<'_>, String>) -> ClaimResult {
    let statement = "answers to held-out prompts: share with the larger reward, ties count half";
    result("win rate", statement, false, measure(group, baseline))
}

fn measure(group: &Group<'_>, baseline: &Result<&Group<'_>, String>) -> Measured {
    let first = group.histories.first().and_then(|h| h.run.as_ref()).ok_or("there is no run")?;
    let over_base = first.stages.iter().enumerate().map(|(stage, info)| {
        let label = format!("end of {} over the base model", Shown::new(&info.name));
        figure(label, &group.histories, |history| scores(end(history, stage)?, base(history)?))
    });
    let figures = over_base.collect::<Result<Vec<_>, _>>()?;
    let against = baseline.as_ref().map_or_else(
        |_| Vec::new(),
        |baseline| {
            [end_over_end(group, baseline), after_as_many_steps(group, baseline)].into_iter().flatten().collect()
        },
    );
    Ok((true, figures.into_iter().chain(against).collect()))
}

/// The end of the run over the end of the baseline's run with the same seed.
fn end_over_end(group: &Group<'_>, baseline: &Group<'_>) -> Result<Figure, String> {
    let label = format!("end over the end of {}", Shown::new(baseline.experiment));
    over_twin(label, group, baseline, |run, twin| Ok((end(run, last_stage(run))?, end(twin, last_stage(twin))?)))
}

/// The same after the most steps of the first preference stage at which both answered.
pub(super) fn after_as_many_steps(group: &Group<'_>, baseline: &Group<'_>) -> Result<Figure, String> {
    let label = format!("over {} after as many steps", Shown::new(baseline.experiment));
    over_twin(label, group, baseline, |run, twin| {
        let pushed = |history| StageRun::first(history, |stage| stage.has_rejected);
        let (run, twin) = (pushed(run)?, pushed(twin)?);
        let of_twin = twin.steps_taken();
        let common = run.steps_taken().iter().enumerate().skip(1).rev().find_map(|(here, steps)| {
            let there = of_twin.iter().position(|s| s == steps)?;
            Some((run.evaluations.get(here)?, twin.evaluations.get(there)?))
        });
        let (here, there) = common.ok_or("the two runs did not answer after as many steps")?;
        Ok((here.held_out_rewards.as_slice(), there.held_out_rewards.as_slice()))
    })
}

/// The rewards of a run over those of the baseline's run with the same seed, where `pick` finds them.
fn over_twin<'a>(
    label: String,
    group: &Group<'a>,
    baseline: &Group<'a>,
    pick: impl Fn(&'a RunHistory, &'a RunHistory) -> Result<(&'a [f32], &'a [f32]), String>,
) -> Result<Figure, String> {
    figure(label, &group.histories, |history| {
        let twin = baseline.twin_of(history)?;
        let start = |history| base(history).map(|rewards| rewards.iter().map(|x| x.to_bits()).collect::<Vec<_>>());
        // The same base model answers the same prompts alike: any difference means other prompts.
        if start(history)? != start(twin)? {
            return Err("the two runs were judged on different held-out prompts".to_owned());
        }
        let (ours, theirs) = pick(history, twin)?;
        scores(ours, theirs)
    })
}

/// A rate over the prompts of all runs.
fn figure<'a>(
    label: String,
    histories: &[&'a RunHistory],
    scores: impl Fn(&'a RunHistory) -> Result<Vec<f64>, String>,
) -> Result<Figure, String> {
    let strata = histories.iter().map(|history| scores(history)).collect::<Result<Vec<_>, _>>()?;
    let seeds = histories.iter().map(|h| h.run.as_ref().map_or(0, |r| r.seed));
    let per_seed = seeds.zip(&strata).map(|(seed, scores)| (seed, mean(scores))).collect();
    let all = strata.concat();
    let ties = 100.0 * float(all.iter().filter(|&&x| x == TIE).count()) / float(all.len());
    Ok(Figure {
        label: format!("{label} ({ties:.1} % ties)"),
        unit: Unit::Share,
        pooled: stratified_mean(&strata),
        per_seed,
    })
}

/// What a tie counts.
const TIE: f64 = 0.5;

/// 1 for a prompt that `one` wins, 0 for one that it loses, ½ for a tie. Prompts that the judge has no reward for do not
/// count.
fn scores(one: &[f32], other: &[f32]) -> Result<Vec<f64>, String> {
    if one.len() != other.len() {
        return Err("the answers that are compared are to different numbers of prompts".to_owned());
    }
    let score = |(one, other): (&f32, &f32)| match one.partial_cmp(other)? {
        std::cmp::Ordering::Less => Some(0.0),
        std::cmp::Ordering::Equal => Some(TIE),
        std::cmp::Ordering::Greater => Some(1.0),
    };
    let scores: Vec<f64> = one.iter().zip(other).filter_map(score).collect();
    if scores.is_empty() { Err(NOT_JUDGED.to_owned()) } else { Ok(scores) }
}

const NOT_JUDGED: &str = "no answers to held-out prompts were judged";

/// Rewards of the base model's answers.
fn base(history: &RunHistory) -> Result<&[f32], String> {
    let first = history.evaluations.first().filter(|e| e.step == 0);
    let rewards = first.map(|e| e.held_out_rewards.as_slice()).filter(|r| !r.is_empty());
    rewards.ok_or_else(|| NOT_JUDGED.to_owned())
}

/// Rewards of the answers at the end of a stage.
fn end(history: &RunHistory, stage: usize) -> Result<&[f32], String> {
    let stage = StageRun::completed(history, stage)?;
    Ok(stage.evaluations.last().map_or(&[], |e| &e.held_out_rewards))
}

fn last_stage(history: &RunHistory) -> usize {
    history.run.as_ref().map_or(0, |r| r.stages.len().saturating_sub(1))
}

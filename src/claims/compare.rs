//! D5, D6, E1, F3: a run against the run of its baseline with the same seed.
//!
//! Where both observe the same prompts (one of them may observe more), differences are taken prompt by prompt; else both
//! sides are resampled. They are compared after as many steps of the preference stage, and where both have the same
//! *training margin*: who pushed less hard squeezes less, and that is no remedy. Margins are matched at the largest that
//! both reach.

use std::collections::BTreeMap;

use super::forces::bystanders;
use super::measure::{StageRun, of_runs};
use super::{ClaimResult, Figure, Group, Measured, Unit, result, wins};
use crate::history::stats::{mean, stratified_difference, stratified_mean};
use crate::history::{CurveId, Place};
use crate::protocol::{ProbeKind as Probe, StageInfo};

const CHOSEN: CurveId = CurveId::Probe(Probe::Chosen);

/// A claim about a difference.
struct Comparison {
    id: &'static str,
    statement: &'static str,
    /// Whether the run differs from its baseline in what the claim is about; if not, in words.
    applies: fn(&Twins<'_>) -> Result<(), &'static str>,
    measure: fn(&[Twins<'_>]) -> Measured,
    /// Whether the win rate against the baseline is told too.
    win_rate: bool,
}

const COMPARISONS: [Comparison; 4] = [
    Comparison {
        id: "D5",
        statement: "longer SFT first: DPO then displaces more pairs than the baseline, and its argmax peaks higher above \
                    its start",
        applies: longer_sft,
        measure: worse,
        win_rate: false,
    },
    Comparison {
        id: "D6",
        statement: "an on-policy y⁻ squeezes less than the baseline's: y⁺ ends higher, fewer pairs are displaced, the \
                    argmax rises less, after as many steps and at matched margin",
        applies: on_policy,
        measure: milder,
        win_rate: false,
    },
    Comparison {
        id: "E1",
        statement: "SFT on y⁺ and y⁻ first: DPO then squeezes less than the baseline: y⁺ ends higher, fewer pairs are \
                    displaced, the argmax rises less, after as many steps and at matched margin",
        applies: extended_sft,
        measure: milder,
        win_rate: true,
    },
    Comparison {
        id: "F3",
        statement: "an on-policy y⁻: at matched margin y⁺ is pulled up less, and pushed down less, than in the baseline",
        applies: on_policy,
        measure: weaker,
        win_rate: false,
    },
];

/// Checks the claims; `gates` says which of them the experiment names.
pub(super) fn check(
    group: &Group<'_>,
    baseline: &Result<&Group<'_>, String>,
    gates: impl Fn(&str) -> bool,
) -> Vec<ClaimResult> {
    let twins = baseline.clone().and_then(|baseline| twins(group, baseline));
    let judge = |claim: &Comparison| {
        let measured = twins.as_ref().map_err(Clone::clone).and_then(|twins| {
            twins.iter().try_for_each(|t| (claim.applies)(t)).map_err(str::to_owned)?;
            (claim.measure)(twins)
        });
        let measured = measured.map(|(holds, mut figures)| {
            let rate = baseline.as_ref().ok().filter(|_| claim.win_rate);
            figures.extend(rate.and_then(|baseline| wins::after_as_many_steps(group, baseline).ok()));
            (holds, figures)
        });
        result(claim.id, claim.statement, gates(claim.id), measured)
    };
    COMPARISONS.iter().map(judge).collect()
}

/// The preference stages of a run and of its baseline with the same seed, each at a place.
#[derive(Debug, Clone, Copy)]
struct Twins<'a> {
    run: (StageRun<'a>, Place),
    baseline: (StageRun<'a>, Place),
    /// Whether both observe the same prompts, as far as the shorter list goes.
    paired: bool,
}

/// Every run with its twin, both after as many steps: at the end of the shorter stage.
fn twins<'a>(group: &Group<'a>, baseline: &Group<'a>) -> Result<Vec<Twins<'a>>, String> {
    let pair = |history| {
        let run = StageRun::first(history, |s| s.has_rejected)?;
        let twin = StageRun::first(baseline.twin_of(history)?, |s| s.has_rejected)?;
        let prompts = |of: &StageRun<'a>| of.run.probes.iter().map(|p| p.prompt.as_str()).collect::<Vec<_>>();
        let (of_run, of_twin) = (run.steps_taken(), twin.steps_taken());
        let common = of_run.iter().copied().fold(0.0, f64::max).min(of_twin.iter().copied().fold(0.0, f64::max));
        let places = Place::reaching(&of_run, common).zip(Place::reaching(&of_twin, common));
        let (here, there) = places.ok_or("the two runs have no step in common")?;
        let paired = prompts(&run).iter().zip(&prompts(&twin)).all(|(here, there)| here == there);
        Ok(Twins { run: (run, here), baseline: (twin, there), paired })
    };
    group.histories.iter().map(|history| pair(history)).collect()
}

/// The same twins where both have the largest training margin that both reach, and that margin.
fn at_matched_margin<'a>(twins: &[Twins<'a>]) -> Result<(Vec<Twins<'a>>, Figure), String> {
    let mut margins = Vec::new();
    let mut matched = Vec::new();
    for pair in twins {
        let (run, twin) = (pair.run.0, pair.baseline.0);
        let (of_run, of_twin) = (run.margins()?, twin.margins()?);
        let largest = |margins: &[f64]| margins.iter().copied().fold(0.0, f64::max);
        let common = largest(&of_run).min(largest(&of_twin));
        let places = Place::reaching(&of_run, common).zip(Place::reaching(&of_twin, common));
        let (here, there) = places.filter(|_| common > 0.0).ok_or("the two runs reach no margin in common")?;
        margins.push((run.seed(), common));
        matched.push(Twins { run: (run, here), baseline: (twin, there), ..*pair });
    }
    Ok((matched, of_runs("training margin that both reach", margins)))
}

/// What is compared, by pair.
type Read = fn(&StageRun<'_>, Place) -> Result<BTreeMap<usize, f64>, String>;

fn y_plus(run: &StageRun<'_>, at: Place) -> Result<BTreeMap<usize, f64>, String> {
    run.levels(CHOSEN, at)
}

fn fall_of_y_plus(run: &StageRun<'_>, at: Place) -> Result<BTreeMap<usize, f64>, String> {
    run.changes(CHOSEN, at)
}

fn argmax_rise(run: &StageRun<'_>, at: Place) -> Result<BTreeMap<usize, f64>, String> {
    run.changes(CurveId::ArgmaxChosen, at)
}

fn displaced(run: &StageRun<'_>, at: Place) -> Result<BTreeMap<usize, f64>, String> {
    Ok(run.displaced(at)?.into_iter().map(|(pair, is)| (pair, f64::from(u8::from(is)))).collect())
}

/// The run's over the baseline's, pooled over seeds.
fn difference(twins: &[Twins<'_>], label: String, unit: Unit, read: Read) -> Result<Figure, String> {
    let mut sides = Vec::new();
    for Twins { run, baseline, paired } in twins {
        let (mut one, mut other) = (read(&run.0, run.1)?, read(&baseline.0, baseline.1)?);
        if *paired {
            one.retain(|pair, _| other.contains_key(pair));
            other.retain(|pair, _| one.contains_key(pair));
        }
        sides.push((one.into_values().collect::<Vec<_>>(), other.into_values().collect::<Vec<_>>()));
    }
    let per_seed =
        twins.iter().zip(&sides).map(|(t, (one, other))| (t.run.0.seed(), mean(one) - mean(other))).collect();
    let pooled = if twins.iter().all(|t| t.paired) {
        let paired = |(one, other): &(Vec<f64>, Vec<f64>)| one.iter().zip(other).map(|(a, b)| a - b).collect();
        stratified_mean(&sides.iter().map(paired).collect::<Vec<_>>())
    } else {
        let (ones, others): (Vec<_>, Vec<_>) = sides.into_iter().unzip();
        stratified_difference(&ones, &others)
    };
    Ok(Figure { label, unit, pooled, per_seed })
}

/// y⁺, displaced pairs and the argmax's rise over the baseline's.
fn squeeze(twins: &[Twins<'_>], when: &str) -> Result<[Figure; 3], String> {
    Ok([
        difference(twins, format!("y⁺ over the baseline's, {when}"), Unit::Nats, y_plus)?,
        difference(twins, format!("displaced pairs over the baseline's, {when}"), Unit::Points, displaced)?,
        difference(twins, format!("the argmax's rise over the baseline's, {when}"), Unit::Nats, argmax_rise)?,
    ])
}

/// D6 and E1: the squeeze is weaker by all three measures, both ways of comparing.
fn milder(twins: &[Twins<'_>]) -> Measured {
    let is_milder = |[chosen, displaced, argmax]: &[Figure; 3]| chosen.rises() && displaced.falls() && argmax.falls();
    let (matched, margin) = at_matched_margin(twins)?;
    let (end, matched) = (squeeze(twins, "after as many steps")?, squeeze(&matched, "at matched margin")?);
    let holds = is_milder(&end) && is_milder(&matched);
    Ok((holds, end.into_iter().chain(matched).chain([margin]).collect()))
}

/// D5: the displacement of D3 and the peak of D4 are larger. What happens at matched margin is told, not asserted.
fn worse(twins: &[Twins<'_>]) -> Measured {
    let label = "displaced pairs over the baseline's, after as many steps".to_owned();
    let displaced = difference(twins, label, Unit::Points, displaced)?;
    let peak = |(run, _): (StageRun<'_>, Place)| Ok::<_, String>(Place::at(run.peak(CurveId::ArgmaxChosen)?));
    let peaks = twins
        .iter()
        .map(|t| Ok(Twins { run: (t.run.0, peak(t.run)?), baseline: (t.baseline.0, peak(t.baseline)?), ..*t }));
    let peaks = peaks.collect::<Result<Vec<_>, String>>()?;
    let label = "the argmax's rise to its peak over the baseline's".to_owned();
    let argmax = difference(&peaks, label, Unit::Nats, argmax_rise)?;
    let label = "the change of y⁺ over the baseline's, after as many steps (reported only)".to_owned();
    let fall = difference(twins, label, Unit::Nats, fall_of_y_plus)?;
    let holds = displaced.rises() && argmax.rises();
    let matched = at_matched_margin(twins).and_then(|(twins, margin)| {
        Ok(squeeze(&twins, "at matched margin (reported only)")?.into_iter().chain([margin]).collect::<Vec<_>>())
    });
    Ok((holds, [displaced, argmax, fall].into_iter().chain(matched.into_iter().flatten()).collect()))
}

/// F3: both forces on y⁺ are weaker. Those on answers that nobody trains are told, not asserted.
fn weaker(twins: &[Twins<'_>]) -> Measured {
    let (matched, margin) = at_matched_margin(twins)?;
    let over = |what: &str, read: Read| difference(&matched, format!("{what} over the baseline's"), Unit::Nats, read);
    let pull = over("the pull on y⁺", |run, at| run.forces(Probe::Chosen, at, |f| f.pull))?;
    let push = over("the push on y⁺", |run, at| run.forces(Probe::Chosen, at, |f| -f.push))?;
    let others = [
        over("the pull on answers that nobody trains (reported only)", |run, at| bystanders(run, at, |f| f.pull))?,
        over("the push on answers that nobody trains (reported only)", |run, at| bystanders(run, at, |f| -f.push))?,
    ];
    Ok((pull.falls() && push.falls(), [pull, push].into_iter().chain(others).chain([margin]).collect()))
}

/// The stages before the preference stage.
fn before<'a>(run: &StageRun<'a>) -> &'a [StageInfo] {
    run.run.stages.get(..run.stage).unwrap_or_default()
}

fn longer_sft(twins: &Twins<'_>) -> Result<(), &'static str> {
    let steps = |run: &StageRun<'_>| before(run).iter().map(|s| s.steps).sum::<u64>();
    let longer = steps(&twins.run.0) > steps(&twins.baseline.0);
    if longer { Ok(()) } else { Err("its SFT is not longer than the baseline's") }
}

fn on_policy(twins: &Twins<'_>) -> Result<(), &'static str> {
    let sampled = |run: &StageRun<'_>| run.info().is_some_and(|s| s.on_policy);
    let differs = sampled(&twins.run.0) && !sampled(&twins.baseline.0);
    if differs { Ok(()) } else { Err("it does not sample answers where the baseline takes the data's") }
}

fn extended_sft(twins: &Twins<'_>) -> Result<(), &'static str> {
    let extended = |run: &StageRun<'_>| before(run).iter().any(|s| s.objective == "sft_extended");
    let differs = extended(&twins.run.0) && !extended(&twins.baseline.0);
    if differs { Ok(()) } else { Err("it does not finetune on y⁺ and y⁻ where the baseline finetunes on y⁺") }
}

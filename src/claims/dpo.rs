//! D1–D4: what off-policy preference optimisation does.

use super::measure::{StageRun, pooled, share, share_of_pairs, step, steps};
use super::{Figure, Measured, StageClaim};
use crate::history::stats::mean;
use crate::history::{CurveId, Place};
use crate::protocol::{ProbeGroup, ProbeKind as Probe};

/// D1: share of pairs whose margin must grow.
const MARGIN_UP: f64 = 0.95;
/// D3: share of pairs that must be displaced at the end.
const DISPLACED: f64 = 0.5;
/// D4: share of pairs whose argmax must be up at its peak.
const ARGMAX_UP: f64 = 0.8;

/// Answers that say y⁺ or y⁻ in other words, or something else in their form.
const REPHRASES: [Probe; 4] =
    [Probe::ChosenGptsemantic, Probe::ChosenGptformat, Probe::RejectGptsemantic, Probe::RejectGptformat];

pub(super) const CLAIMS: [StageClaim; 4] = [
    StageClaim { id: "D1", statement: "DPO: the margin grows on at least 95 % of pairs", measure: d1 },
    StageClaim {
        id: "D2",
        statement: "DPO: on average y⁻ falls more than every other answer, and all rephrases fall",
        measure: d2,
    },
    StageClaim {
        id: "D3",
        statement: "DPO: at the end y⁺ and y⁻ are both below the start on at least 50 % of pairs, though the margin grew",
        measure: d3,
    },
    StageClaim {
        id: "D4",
        statement: "DPO: the argmax along y⁺ is up on at least 80 % of pairs at its peak",
        measure: d4,
    },
];

fn d1(runs: &[StageRun<'_>]) -> Measured {
    let up = share_of_pairs(runs, "with the margin up", |r| {
        Ok(r.difference(Probe::Chosen, Probe::Rejected)?.iter().map(|&x| x > 0.0).collect())
    })?;
    let margin = pooled(runs, "margin", |r| r.difference(Probe::Chosen, Probe::Rejected))?;
    Ok((up.pooled.value >= MARGIN_UP, vec![up, margin]))
}

/// Compared with every text of the language that was measured. Shuffled text is left out: its sums are several times as
/// large, and in the paper's own run it falls further than y⁻ (Pythia-410M: −90 against −76 nats).
fn d2(runs: &[StageRun<'_>]) -> Measured {
    let rejected = pooled(runs, "y⁻", |r| r.probe(Probe::Rejected))?;
    let mut others = Vec::new();
    for &kind in Probe::ALL.iter().filter(|k| k.group() != ProbeGroup::NotLanguage && **k != Probe::Rejected) {
        match pooled(runs, kind.symbol(), |r| r.probe(kind)) {
            Ok(figure) => others.push((kind, figure)),
            // Without a rephrase the claim cannot be told; other kinds are compared where they exist.
            Err(why) if REPHRASES.contains(&kind) => return Err(why),
            Err(_) => {}
        }
    }
    let fastest = others.iter().all(|(_, other)| rejected.pooled.value < other.pooled.value);
    let rephrases_fall = others.iter().filter(|(k, _)| REPHRASES.contains(k)).all(|(_, f)| f.pooled.value < 0.0);
    let figures: Vec<Figure> = std::iter::once(rejected).chain(others.into_iter().map(|(_, f)| f)).collect();
    Ok((fastest && rephrases_fall, figures))
}

fn d3(runs: &[StageRun<'_>]) -> Measured {
    let displaced =
        share_of_pairs(runs, "displaced at the end", |r| Ok(r.displaced(Place::at(r.end()))?.into_values().collect()))?;
    let chosen = pooled(runs, "y⁺", |r| r.probe(Probe::Chosen))?;
    let curve = CurveId::Probe(Probe::Chosen);
    let early = pooled(runs, "y⁺, start to peak (reported only)", |r| r.change(curve, r.peak(curve)?))?;
    let at_step = peaks(runs, "y⁺ peaks at step", curve)?;
    Ok((displaced.pooled.value >= DISPLACED, vec![displaced, chosen, early, at_step]))
}

fn d4(runs: &[StageRun<'_>]) -> Measured {
    let curve = CurveId::ArgmaxChosen;
    let up_at = |run: &StageRun<'_>, at: usize| -> Result<Vec<bool>, String> {
        Ok(run.change(curve, at)?.iter().map(|&x| x > 0.0).collect())
    };
    let up = share_of_pairs(runs, "with the argmax up at its peak", |r| up_at(r, r.peak(curve)?))?;
    let rise = pooled(runs, "argmax, start to peak", |r| r.change(curve, r.peak(curve)?))?;
    let at_step = peaks(runs, "argmax peaks at step", curve)?;
    let end = pooled(runs, "argmax, start to end", |r| r.change(curve, r.end()))?;
    let up_end = share_of_pairs(runs, "with the argmax up at the end", |r| up_at(r, r.end()))?;
    let falling = share(runs, "probes whose mean fell (reported only)", |r| {
        let changes = Probe::ALL.iter().filter_map(|&kind| r.probe(kind).ok());
        Ok(changes.map(|change| mean(&change) < 0.0).collect())
    })?;
    Ok((up.pooled.value >= ARGMAX_UP, vec![up, rise, at_step, end, up_end, falling]))
}

/// The step at which each run's mean is highest.
fn peaks(runs: &[StageRun<'_>], label: &str, curve: CurveId) -> Result<Figure, String> {
    let peak = |run: &StageRun<'_>| Ok((run.seed(), step(&run.evaluations[run.peak(curve)?])));
    Ok(steps(label, runs.iter().map(peak).collect::<Result<Vec<_>, String>>()?))
}

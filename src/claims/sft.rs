//! S1–S5: what supervised finetuning does to answers that it was not given.

use super::measure::{StageRun, pooled, share_of_pairs, step, steps};
use super::{Measured, StageClaim};
use crate::history::CurveId;
use crate::protocol::ProbeKind as Probe;

pub(super) const CLAIMS: [StageClaim; 5] = [
    StageClaim { id: "S1", statement: "SFT: the preferred answer rises", measure: s1 },
    StageClaim { id: "S2", statement: "SFT: its rephrase rises to a peak on the way, then falls", measure: s2 },
    StageClaim {
        id: "S3",
        statement: "SFT: answers of other training questions rise, and by more than those of held-out questions",
        measure: s3,
    },
    StageClaim { id: "S4", statement: "SFT: shuffled text falls", measure: s4 },
    StageClaim { id: "S5", statement: "SFT: the two kinds of rephrase move by different amounts", measure: s5 },
];

fn s1(runs: &[StageRun<'_>]) -> Measured {
    let rise = pooled(runs, "y⁺", |r| r.probe(Probe::Chosen))?;
    let up = share_of_pairs(runs, "with y⁺ up", |r| up(r, Probe::Chosen))?;
    Ok((rise.rises(), vec![rise, up]))
}

/// The signs of the pooled mean: above the start at a peak inside the stage, below the peak at its end.
fn s2(runs: &[StageRun<'_>]) -> Measured {
    let [first, ..] = runs else { return Err("there is no run".to_owned()) };
    let grid = |run: &StageRun<'_>| run.evaluations.iter().map(|e| e.step).collect::<Vec<_>>();
    if runs.iter().any(|run| grid(run) != grid(first)) {
        return Err("the runs were evaluated at different steps".to_owned());
    }
    let curve = CurveId::Probe(Probe::ChosenGptsemantic);
    let at = |to: usize| pooled(runs, "", |r| r.change(curve, to));
    let mut peak = (1, f64::NEG_INFINITY);
    for to in 1..=first.end() {
        let mean = at(to)?.pooled.value;
        if mean > peak.1 {
            peak = (to, mean);
        }
    }
    let peak = peak.0;
    let mut rise = at(peak)?;
    rise.label = "rephrase of y⁺, start to peak".to_owned();
    let fall = pooled(runs, "peak to end", |r| {
        Ok(r.change(curve, r.end())?.iter().zip(r.change(curve, peak)?).map(|(end, peak)| end - peak).collect())
    })?;
    let at_step = steps("peak of the mean at step", vec![(first.seed(), step(&first.evaluations[peak]))]);
    let holds = peak < first.end() && rise.pooled.value > 0.0 && fall.pooled.value < 0.0;
    Ok((holds, vec![rise, fall, at_step]))
}

fn s3(runs: &[StageRun<'_>]) -> Measured {
    let train = pooled(runs, "irr_train", |r| r.probe(Probe::IrrTrain))?;
    let more = pooled(runs, "irr_train over irr_test", |r| r.difference(Probe::IrrTrain, Probe::IrrTest))?;
    let test = pooled(runs, "irr_test", |r| r.probe(Probe::IrrTest))?;
    let up = share_of_pairs(runs, "with irr_train up", |r| up(r, Probe::IrrTrain))?;
    Ok((train.rises() && more.rises(), vec![train, more, test, up]))
}

fn s4(runs: &[StageRun<'_>]) -> Measured {
    let permute = pooled(runs, "shuffled y⁺", |r| r.probe(Probe::RandomPermute))?;
    let nonhum = pooled(runs, "shuffled irr_test", |r| r.probe(Probe::RandomNonhum))?;
    let holds = permute.falls() && nonhum.falls();
    let hum = pooled(runs, "irr_hum (reported only)", |r| r.probe(Probe::IrrHum));
    Ok((holds, [permute, nonhum].into_iter().chain(hum).collect()))
}

fn s5(runs: &[StageRun<'_>]) -> Measured {
    let kinds = (Probe::ChosenGptsemantic, Probe::ChosenGptformat);
    let apart = pooled(runs, "same meaning over same format", |r| r.difference(kinds.0, kinds.1))?;
    let semantic = pooled(runs, "same meaning", |r| r.probe(kinds.0))?;
    let format = pooled(runs, "same format", |r| r.probe(kinds.1))?;
    Ok((apart.rises() || apart.falls(), vec![apart, semantic, format]))
}

fn up(run: &StageRun<'_>, kind: Probe) -> Result<Vec<bool>, String> {
    Ok(run.probe(kind)?.iter().map(|&x| x > 0.0).collect())
}

//! The band's warning before the fact, scored: did y⁺ fall where the batches' own gradients said that it would?

use super::claim::{ClaimResult, Figure, Measured, Unit, result};
use super::measure::{StageRun, share};
use crate::history::band::{self, Warned};

/// The warning's area under the ROC curve over the windows of all runs. Asserted by nobody.
pub(super) fn band(runs: &Result<Vec<StageRun<'_>>, String>) -> ClaimResult {
    let statement = "DPO: the band's lower edge above w⁺/w⁻ warns of a fall of y⁺ (reported, never a gate)";
    result("band", statement, false, runs.as_ref().map_err(Clone::clone).and_then(|runs| measured(runs)))
}

fn measured(runs: &[StageRun<'_>]) -> Measured {
    let windows: Vec<Vec<Warned>> = runs.iter().map(StageRun::warned).collect();
    let all = windows.concat();
    if all.is_empty() {
        return Err("the band was not recorded".to_owned());
    }
    let pooled = band::judged(&all);
    let per_seed = runs.iter().zip(&windows).map(|(run, windows)| (run.seed(), band::judged(windows).value)).collect();
    let label = format!("AUROC over windows, {}", pooled.against_chance().words());
    let area = Figure { label, unit: Unit::Area, pooled, per_seed };
    let told = |hit: fn(&Warned) -> bool| move |run: &StageRun<'_>| Ok(run.warned().iter().map(hit).collect());
    let warned = share(runs, "windows that it warned of", told(|w| w.score > 1.0))?;
    let fell = share(runs, "windows in which y⁺ fell", told(|w| w.fell))?;
    Ok((pooled.low > 0.5, vec![area, warned, fell]))
}

//! F4 on recorded runs: each is trained again up to its first measurement after the start of supervised finetuning, and
//! asked who raised the answers of other questions.

use std::path::PathBuf;

use super::again::Again;
use crate::claims::{self, ClaimResult};
use crate::error::{Error, Location, Result};
use crate::history::RunHistory;
use crate::protocol::{Influence, ProbeKind, Question, TrainerEvent};
use crate::record::{self, RunDirectory};
use crate::train;

/// The claim over recorded runs, each asked about its first `prompts` prompts.
///
/// # Errors
/// When a run cannot be read or trained again, or was never measured in a stage of supervised finetuning.
pub(super) fn claim(runs: &[PathBuf], prompts: usize) -> Result<ClaimResult> {
    let mut told = Vec::new();
    for run in runs {
        let directory = RunDirectory::open(run)?;
        let history = record::read(directory.events())?.history();
        let (since, until) = window(&history).ok_or_else(|| {
            let advice = "name runs with a stage of supervised finetuning, measured at its start and once more";
            Error::input(Location::file(run), "has no window in which F4 could be asked", advice)
        })?;
        let Again { experiment, backend, saved } = Again::of(&directory, &history, since)?;
        let kind = ProbeKind::IrrTrain;
        let observed = history.run.iter().flat_map(|run| run.probes.iter().enumerate());
        let has_answer = observed.filter(|(_, probe)| probe.responses.contains_key(&kind));
        let questions: Vec<Question> =
            has_answer.take(prompts).map(|(prompt, _)| Question { kind, prompt: Some(prompt), since, until }).collect();
        let asked = train::Asked { experiment: &experiment, history: &history, saved };
        let answers: Vec<Influence> = train::influence(asked, &questions, backend, &mut |_: &TrainerEvent| Ok(()))?;
        told.push((history.run.as_ref().map_or(0, |run| run.seed), answers));
    }
    Ok(claims::leak(&told))
}

/// The steps from the start of the first stage of supervised finetuning to the measurement after it.
fn window(history: &RunHistory) -> Option<(u64, u64)> {
    let stage = history.run.as_ref()?.stages.iter().position(|stage| stage.objective == "sft")?;
    let since = *history.stage_starts.get(stage)?;
    let after = history.stage_evaluations(stage).iter().map(|e| e.step).find(|&step| step > since)?;
    Some((since, after))
}

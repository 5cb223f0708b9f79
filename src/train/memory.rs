//! The memory that an experiment needs, held against what there is before any weights are read.

use super::footprint::{Footprint, Load, Observed, Slice, footprint, weight_of};
use super::order::{Batches, Order};
use super::prepare::{self, Material, Pair};
use super::update::Rule;
use crate::backend::Available;
use crate::data::DataReport;
use crate::data::Sequence;
use crate::data::tokenizer::picture::TokenPicture;
use crate::error::{Error, Result};
use crate::experiment::{Experiment, OptimizerConfig, Stage};
use crate::model::{Architecture, Checkpoint, lora, model_files};
use crate::probe::ProbeSet;
use crate::protocol::ProbeKind;
use crate::text::bytes;

/// What an experiment is expected to need: its most demanding stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemoryNeed {
    /// The stage's name.
    pub stage: String,
    /// The stage's largest slice.
    pub slice: Slice,
    /// The parts.
    pub footprint: Footprint,
    /// The optimiser as an experiment spells it.
    optimizer: &'static str,
    /// What would make it need less.
    ways: Vec<&'static str>,
}

impl MemoryNeed {
    /// Nothing where it fits into the memory that is available.
    ///
    /// # Errors
    /// Wrong usage: the parts, the numbers and the ways out.
    pub fn check(&self, available: Available) -> Result<()> {
        let Footprint { probes, .. } = self.footprint;
        let (tensors, rest) = match available {
            Available::Shared(memory) => ((self.footprint.peak(), memory), None),
            Available::Apart { device, machine } => ((self.footprint.tensors(), device), Some((probes, machine))),
        };
        let lacking = |(needed, there): (u64, Option<u64>)| Some((needed, there.filter(|&there| needed > there)?));
        match lacking(tensors).or_else(|| rest.and_then(lacking)) {
            None => Ok(()),
            Some((needed, there)) => Err(self.refusal(needed, there)),
        }
    }

    fn refusal(&self, needed: u64, there: u64) -> Error {
        let Self { stage, slice: Slice { rows, positions, .. }, footprint, optimizer, ways } = self;
        let (needed, there) = (bytes(needed), bytes(there));
        let lines = [
            format!("stage {stage} needs about {needed} of memory, and {there} are available"),
            format!("  {footprint}"),
            format!("  the largest slice has {rows} sequences of {positions} tokens; the optimiser is {optimizer}"),
            format!("  ways out: {}", ways.join("; ")),
        ];
        Error::Several(lines.iter().map(Error::usage).collect())
    }
}

/// One line.
impl std::fmt::Display for MemoryNeed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "memory: {}", self.footprint)
    }
}

/// What the experiment is expected to need on a model of that architecture; `kernels` as in [`Load`].
pub(super) fn need(
    experiment: &Experiment,
    architecture: &Architecture,
    pairs: &[Pair],
    probes: &ProbeSet,
    kernels: bool,
) -> Option<MemoryNeed> {
    let observed = observed(experiment, probes);
    let of_stage = |(index, stage): (usize, &Stage)| {
        let rule = Rule::new(&stage.optimizer);
        let slice = largest_slice(experiment, index, architecture, pairs, kernels);
        let reads_reference = stage.objective.has_reference();
        let longest = pairs.iter().flat_map(sequences).map(Sequence::tokens).max().unwrap_or(0);
        let load = Load {
            trained: match &experiment.lora {
                Some(lora) => lora::parameter_count(lora, architecture),
                None => architecture.parameter_count(),
            },
            averages: rule.averages().len(),
            followed: followed(experiment, stage, rule),
            halves: stage.objective.reads_rejected(),
            recomputes: stage.gradient_checkpointing,
            kernels,
            slice,
            accumulates: stage.gradient_accumulation_steps > 1,
            frozen_copy: reads_reference && stage.on_policy.is_some(),
            referenced: if reads_reference { pairs.len() } else { 0 },
            scored: if reads_reference { longest } else { 0 },
            observed,
        };
        MemoryNeed {
            stage: stage.name.clone(),
            slice,
            footprint: footprint(architecture, &load),
            optimizer: rule.name(),
            ways: ways_out(experiment, stage),
        }
    };
    experiment.stages.iter().enumerate().map(of_stage).max_by_key(|need| need.footprint.peak())
}

/// Numbers of each that is trained that are kept to take apart what moved the answers: where it began, what each part did, the
/// pull's part in the average of gradients, and while slopes are taken the number moved on.
fn followed(experiment: &Experiment, stage: &Stage, rule: Rule) -> usize {
    let push = usize::from(stage.objective.reads_rejected());
    let parts = 1 + push + usize::from(rule.decays());
    let averages = push * usize::from(rule.averages_gradients());
    if experiment.forces.is_some() { 1 + parts + averages + 1 } else { 0 }
}

/// What would make the stage need less, and is not done already.
fn ways_out(experiment: &Experiment, stage: &Stage) -> Vec<&'static str> {
    let mut ways =
        vec!["a smaller batch_size with more gradient_accumulation_steps", "a shorter max_length in the data"];
    if !stage.gradient_checkpointing {
        ways.push("gradient_checkpointing: true");
    }
    if experiment.lora.is_none() {
        ways.push("lora: (rank: 8)");
    }
    if experiment.forces.is_some() {
        ways.push("no forces");
    }
    ways.push("fewer probes.prompts");
    match stage.optimizer {
        OptimizerConfig::Adamw { .. } => ways.push("optimizer: rmsprop() or sgd"),
        OptimizerConfig::Rmsprop { .. } => ways.push("optimizer: sgd"),
        OptimizerConfig::Sgd => {}
    }
    ways
}

/// What can be told of an experiment before it is run.
#[derive(Debug, Default)]
pub struct Outlook {
    /// How its data files would be cut, and what of them would be left out; `None` where there are none, or where the model
    /// must be downloaded first.
    pub report: Option<DataReport>,
    /// The first row of its data files in tokens; `None` where the model's tokenizer is not there yet.
    pub picture: Option<TokenPicture>,
    /// What it would need on the backend that would be chosen for it; `None` where its model cannot be looked at yet.
    pub need: Option<MemoryNeed>,
}

/// Looks at an experiment's model and data.
///
/// # Errors
/// As the training's own errors about them.
pub fn outlook(experiment: &Experiment) -> Result<Outlook> {
    if experiment.stages.is_empty() || experiment.has_pictures() {
        return Ok(Outlook::default());
    }
    let data = crate::data::load(experiment, model_files)?;
    let Some(checkpoint) = Checkpoint::at_hand(&experiment.model)? else {
        return Ok(Outlook { report: prepare::report_without_lengths(experiment, data)?, ..Outlook::default() });
    };
    let positions = checkpoint.config.max_position_embeddings;
    let Material { pairs, visited, lengths } = prepare::material(experiment, data, &checkpoint.tokenizer, positions)?;
    let probes = ProbeSet::new(&visited.observed, &checkpoint.tokenizer, &lengths)?;
    let need = need(experiment, &checkpoint.config, &pairs, &probes, crate::backend::auto_is_host());
    let first = visited.observed.first().filter(|_| visited.report.is_some());
    let picture = first.map(|example| TokenPicture::new(&checkpoint.tokenizer, example)).transpose()?;
    Ok(Outlook { report: visited.report, picture, need })
}

fn observed(experiment: &Experiment, probes: &ProbeSet) -> Observed {
    let own = experiment.probes.max_new_tokens + 1;
    let longest = |kinds: &dyn Fn(ProbeKind) -> bool| {
        let responses = probes.probes.iter().flat_map(|p| &p.responses).filter(|(kind, _)| kinds(**kind));
        responses.map(|(_, (_, ids))| ids.len()).max().unwrap_or(0)
    };
    let chosen = probes.probes.iter().filter_map(|p| p.responses.get(&ProbeKind::Chosen));
    Observed {
        prompts: probes.probes.len(),
        prompt: probes.probes.iter().map(|p| p.prompt_ids.len()).max().unwrap_or(0),
        response: longest(&|_| true).max(longest(&|kind| kind == ProbeKind::Chosen) + own),
        chosen: chosen.map(|(_, ids)| ids.len()).sum(),
    }
}

fn sequences(pair: &Pair) -> impl Iterator<Item = &Sequence> {
    std::iter::once(&pair.chosen).chain(&pair.rejected)
}

/// The slice that needs most of those that a stage will draw.
fn largest_slice(
    experiment: &Experiment,
    index: usize,
    architecture: &Architecture,
    pairs: &[Pair],
    kernels: bool,
) -> Slice {
    let stage = &experiment.stages[index];
    let sampled = stage.on_policy.map(|on_policy| on_policy.max_new_tokens);
    let of_slice = |slice: Vec<usize>| {
        let mut shape = Slice::default();
        for pair in slice.iter().map(|&i| &pairs[i]) {
            let rejected = if stage.objective.reads_rejected() { pair.rejected.as_ref() } else { None };
            for sequence in std::iter::once(&pair.chosen).chain(rejected) {
                // An answer that is yet to be sampled may be as long as it is allowed to be.
                let answer = sequence.completion_ids.len().max(sampled.unwrap_or(0));
                shape.rows += 1;
                shape.positions = shape.positions.max(sequence.prompt_ids.len() + answer - 1);
                shape.predicting += answer;
            }
        }
        shape
    };
    let order = Order::new(experiment.seed, index, pairs.len());
    let mut batches = Batches::new(order, stage.batch_size, stage.gradient_accumulation_steps);
    let steps = (0..stage.steps).flat_map(|_| batches.take());
    steps.map(of_slice).max_by_key(|&slice| weight_of(architecture, slice, kernels)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::path::Path;

    use super::{Available, MemoryNeed, outlook};
    use crate::experiment::Experiment;

    fn need(optimizer: &str) -> MemoryNeed {
        let text = format!(
            "(name: \"x\", data: world(train: 16, held_out: 4), probes: (prompts: 4),
              stages: [(name: \"small\", objective: sft, steps: 2, batch_size: 1, learning_rate: 1e-4),
                       (name: \"large\", objective: sigmoid(), steps: 2, batch_size: 8, learning_rate: 1e-4,
                        optimizer: {optimizer})])"
        );
        let experiment = Experiment::parse(Path::new("x.ron"), &text, &[]).unwrap();
        outlook(&experiment).unwrap().need.unwrap()
    }

    #[test]
    fn the_most_demanding_stage_counts_and_its_ways_out_are_named() {
        let need = need("adamw()");
        assert_eq!((need.stage.as_str(), need.slice.rows), ("large", 16));
        let (tensors, probes) = (need.footprint.tensors(), need.footprint.probes);
        need.check(Available::Shared(None)).unwrap();
        need.check(Available::Shared(Some(tensors + probes))).unwrap();
        need.check(Available::Apart { device: Some(tensors), machine: Some(probes) }).unwrap();
        for short in [
            Available::Shared(Some(tensors + probes - 1)),
            Available::Apart { device: Some(tensors - 1), machine: None },
            Available::Apart { device: None, machine: Some(probes - 1) },
        ] {
            let error = need.check(short).unwrap_err();
            assert_eq!(error.exit_status(), 2);
            let text = error.to_string();
            for part in ["stage large needs about", "activations", "gradient_accumulation_steps", "rmsprop() or sgd"] {
                assert!(text.contains(part), "{part}: {text}");
            }
        }
    }

    #[test]
    fn an_optimiser_without_averages_is_no_way_out_of_itself() {
        let need = need("sgd");
        let text = need.check(Available::Shared(Some(0))).unwrap_err().to_string();
        assert!(text.contains("lora") && !text.contains("optimizer: sgd"), "{text}");
        assert_eq!(need.footprint.optimiser, 0);
    }
}

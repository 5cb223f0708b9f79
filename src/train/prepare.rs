//! From an experiment to what the trainer works with: model, tokens, probes.

use crate::data::batch::Sequence;
use crate::data::tokenizer::Tokenizer;
use crate::data::world::Judge;
use crate::data::{Dataset, PreferenceExample};
use crate::error::{Error, Result};
use crate::experiment::{DataSource, Experiment, ModelSource};
use crate::model::{Checkpoint, hub};
use crate::probe::{Asked, ProbeSet};
use crate::protocol::{FORMAT_VERSION, ProbeKind, RunStarted, StageInfo};

/// One training example as tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) chosen: Sequence,
    pub(super) rejected: Option<Sequence>,
}

/// Documents that a new model's tokenizer is trained on, at most.
const TOKENIZER_DOCUMENTS: usize = 10_000;

/// The model that the experiment asks for. A new one gets a tokenizer trained on the data.
pub(super) fn checkpoint(experiment: &Experiment, data: &Dataset) -> Result<Checkpoint> {
    match &experiment.model {
        ModelSource::Base => Checkpoint::base(),
        ModelSource::Folder(path) | ModelSource::File(path) => Checkpoint::read(path),
        ModelSource::Hub(id) => Checkpoint::read(&hub::cached(id)?),
        ModelSource::New(shape) => {
            let texts: Vec<String> = data.train.iter().take(TOKENIZER_DOCUMENTS).map(whole_text).collect();
            let tokenizer = Tokenizer::train(&texts, shape.vocab_size)?;
            Ok(Checkpoint::random(shape, tokenizer, experiment.seed))
        }
        ModelSource::Mlp(_) | ModelSource::Lenet => {
            Err(Error::usage("model: a classifier of pictures cannot read text; use base, folder(…) or new(…)"))
        }
    }
}

fn whole_text(example: &PreferenceExample) -> String {
    let chosen = example.responses.get(&ProbeKind::Chosen).map_or("", String::as_str);
    format!("{}{chosen}", example.prompt)
}

/// Tokenises every training example.
pub(super) fn pairs(data: &Dataset, tokenizer: &Tokenizer, max_positions: usize) -> Result<Vec<Pair>> {
    let pair = |(row, example): (usize, &PreferenceExample)| {
        let sequence = |kind: ProbeKind| -> Result<Option<Sequence>> {
            let Some(text) = example.responses.get(&kind) else { return Ok(None) };
            let sequence = Sequence::new(tokenizer.encode(&example.prompt)?, tokenizer.encode_completion(text)?);
            let length = sequence.tokens();
            if length > max_positions {
                return Err(Error::usage(format!(
                    "training example {} ({kind}) has {length} tokens, and the model reads {max_positions}: shorten it",
                    row + 1
                )));
            }
            Ok(Some(sequence))
        };
        let chosen = sequence(ProbeKind::Chosen)?
            .ok_or_else(|| Error::usage(format!("training example {} has no chosen answer", row + 1)))?;
        Ok(Pair { chosen, rejected: sequence(ProbeKind::Rejected)? })
    };
    data.train.iter().enumerate().map(pair).collect()
}

/// The rejected answer of a pair that a stage cannot do without.
pub(super) fn rejected(pair: &Pair) -> Result<&Sequence> {
    pair.rejected.as_ref().ok_or_else(|| {
        Error::usage(
            "a stage compares with rejected answers, and the data has rows without one: add `rejected` to every row",
        )
    })
}

/// What else is asked of the model: greedy answers, and sampled ones to held-out questions whose facts can be checked.
pub(super) fn asked(experiment: &Experiment, data: &Dataset, tokenizer: &Tokenizer) -> Result<Asked> {
    let probes = &experiment.probes;
    let judge = matches!(experiment.data, DataSource::World(_)).then(Judge::default);
    let held_out = data.held_out.iter().take(if judge.is_some() { probes.held_out } else { 0 });
    Ok(Asked {
        greedy: if data.has_prompts() { probes.greedy } else { 0 },
        max_new_tokens: probes.max_new_tokens,
        held_out: held_out
            .map(|example| Ok((example.prompt.clone(), tokenizer.encode(&example.prompt)?)))
            .collect::<Result<_>>()?,
        judge,
        seed: experiment.seed,
    })
}

/// What is observed: training prompts, or, where there is nothing but documents, held-out ones.
pub(super) fn probe_set(experiment: &Experiment, data: &Dataset, tokenizer: &Tokenizer) -> Result<ProbeSet> {
    let observed = if data.has_prompts() { &data.train } else { &data.held_out };
    ProbeSet::new(&observed[..observed.len().min(experiment.probes.prompts)], tokenizer)
}

/// The run's first event.
pub(super) fn run_started(
    experiment: &Experiment,
    checkpoint: &Checkpoint,
    backend: &str,
    probes: &ProbeSet,
) -> RunStarted {
    let parameters = checkpoint.config.parameter_count();
    #[allow(clippy::cast_precision_loss, reason = "rounded to a tenth of a million")]
    let millions = parameters as f64 / 1e6;
    let source = match &experiment.model {
        ModelSource::Base => "base".to_owned(),
        ModelSource::Folder(path) | ModelSource::File(path) => path.display().to_string(),
        ModelSource::Hub(id) => id.clone(),
        ModelSource::New(_) => "new".to_owned(),
        ModelSource::Mlp(_) | ModelSource::Lenet => "classifier".to_owned(),
    };
    RunStarted {
        format_version: FORMAT_VERSION,
        run_id: experiment.run_id(),
        experiment: experiment.name.clone(),
        description: experiment.description.clone(),
        seed: experiment.seed,
        backend: backend.to_owned(),
        model: format!("{source}, {millions:.1} M parameters"),
        vocab_size: checkpoint.config.vocab_size,
        stages: experiment
            .stages
            .iter()
            .map(|stage| StageInfo {
                name: stage.name.clone(),
                objective: stage.objective.name().to_owned(),
                has_rejected: stage.objective.pushes_down(),
                on_policy: stage.on_policy.is_some(),
                steps: stage.steps,
                learning_rate: stage.learning_rate,
                beta: stage.objective.beta(),
            })
            .collect(),
        claims: experiment.claims.clone(),
        baseline: experiment.baseline_name(),
        detector: experiment.detector,
        probes: probes.describe(&checkpoint.tokenizer),
    }
}

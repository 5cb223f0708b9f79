//! The preparation of an experiment: the model, tokens and probes that the trainer works with.

use std::sync::Arc;

use burn::tensor::backend::Backend;

use crate::data::Sequence;
use crate::data::lengths::{Tokenised, Trainable, Truncation, Untrainable};
use crate::data::tokenizer::Tokenizer;
use crate::data::world::Judge;
use crate::data::{Data, DataReport, Lengths, PreferenceExample, Visited};
use crate::error::{Error, Result};
use crate::experiment::{DataSource, Experiment, ModelSource, Stage};
use crate::model::lora::{self, Mismatch};
use crate::model::{Checkpoint, Transformer, hub};
use crate::probe::{Generation, ProbeSet};
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
pub(super) fn checkpoint(experiment: &Experiment, data: &Data) -> Result<Checkpoint> {
    match &experiment.model {
        ModelSource::Base => Checkpoint::base(),
        ModelSource::Folder(path) | ModelSource::File(path) => Checkpoint::read(path),
        ModelSource::Hub(id) => Checkpoint::read(&hub::cached(id)?),
        ModelSource::New(shape) => {
            let tokenizer = Tokenizer::train(&data.documents(TOKENIZER_DOCUMENTS)?, shape.vocab_size)?;
            Ok(Checkpoint::random(shape, tokenizer, experiment.seed))
        }
        ModelSource::Mlp(_) | ModelSource::Lenet => {
            Err(Error::usage("model: a classifier of pictures cannot read text; use base, folder(…) or new(…)"))
        }
    }
}

/// The model on its device, in the precision that is asked for, with adapters where those are trained in the place of its
/// weights.
pub(super) fn model<B: Backend>(
    experiment: &Experiment,
    checkpoint: &Checkpoint,
    device: &B::Device,
) -> Result<Transformer<B>> {
    let model = checkpoint.load(device)?.compute_in(experiment.precision);
    let Some(lora) = &experiment.lora else { return Ok(model) };
    lora::check(lora, &checkpoint.config).map_err(|Mismatch { setting, problem, advice }| {
        Error::usage(format!("lora.{setting}: {problem}; {advice}"))
    })?;
    Ok(model.adapt(lora, experiment.seed))
}

/// What is trained on, and what is observed of it.
pub(super) struct Material {
    /// The training examples.
    pub(super) pairs: Arc<Vec<Pair>>,
    /// What else is left of the data.
    pub(super) visited: Visited,
    /// The limits that both were cut to.
    pub(super) lengths: Lengths,
}

/// Tokenises every training example of a model that reads `positions` tokens. Of the text only what is observed stays.
pub(super) fn material(
    experiment: &Experiment,
    data: Data,
    tokenizer: &Tokenizer,
    positions: usize,
) -> Result<Material> {
    let lengths = lengths(experiment, Some(positions));
    let mut pairs = Vec::new();
    let visited = data.visit(experiment.probes.prompts, experiment.seed, &mut |_, example| {
        Ok(match pair(&lengths, tokenizer, example)? {
            Trainable::Yes((pair, truncation)) => {
                pairs.push(pair);
                Trainable::Yes(truncation)
            }
            Trainable::No(unfit) => Trainable::No(unfit),
        })
    })?;
    pairs.shrink_to_fit();
    Ok(Material { pairs: Arc::new(pairs), visited, lengths })
}

/// What of the experiment's data files would be left out, where its tokenizer is not there before the training, so that
/// nothing is known of lengths; `None` where there are no files, or where the model must be downloaded to read them.
pub(super) fn report_without_lengths(experiment: &Experiment, data: Data) -> Result<Option<DataReport>> {
    if !matches!(&data, Data::Files(files) if !files.awaits_its_model()) {
        return Ok(None);
    }
    let visited =
        data.visit(experiment.probes.prompts, experiment.seed, &mut |_, _| Ok(Trainable::Yes(Truncation::default())))?;
    Ok(visited.report)
}

/// The limits that the data sets, and what the model reads.
pub(super) fn lengths(experiment: &Experiment, positions: Option<usize>) -> Lengths {
    match &experiment.data {
        DataSource::Preferences(files) => {
            Lengths { max_length: files.max_length, max_prompt_length: files.max_prompt_length, positions }
        }
        _ => Lengths { positions, ..Lengths::default() },
    }
}

/// One training example as tokens.
pub(super) fn pair(
    lengths: &Lengths,
    tokenizer: &Tokenizer,
    example: &PreferenceExample,
) -> Result<Trainable<(Pair, Truncation)>> {
    let tokenised = lengths.tokenise(tokenizer, example, &[ProbeKind::Chosen, ProbeKind::Rejected])?;
    let Tokenised { prompt, responses, truncation } = match tokenised {
        Trainable::Yes(tokenised) => tokenised,
        Trainable::No(unfit) => return Ok(Trainable::No(unfit)),
    };
    let (mut chosen, mut rejected) = (None, None);
    for (kind, ids) in responses {
        let sequence = Some(Sequence::new(Arc::clone(&prompt), ids));
        if kind == ProbeKind::Chosen { chosen = sequence } else { rejected = sequence }
    }
    Ok(match chosen {
        Some(chosen) => Trainable::Yes((Pair { chosen, rejected }, truncation)),
        None => Trainable::No(Untrainable::Refused("has no chosen answer".to_owned())),
    })
}

/// A batch as the largest that the stages draw, of the first training examples.
pub(super) fn first_batch<'a>(experiment: &Experiment, pairs: &'a [Pair]) -> Vec<&'a Sequence> {
    let size = experiment.stages.iter().map(|stage| stage.batch_size).max().unwrap_or(1);
    pairs.iter().take(size).flat_map(|pair| std::iter::once(&pair.chosen).chain(&pair.rejected)).collect()
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
pub(super) fn generation(experiment: &Experiment, data: &Visited, tokenizer: &Tokenizer) -> Result<Generation> {
    let probes = &experiment.probes;
    let judge = matches!(experiment.data, DataSource::World(_)).then(Judge::default);
    let held_out = data.held_out.iter().take(if judge.is_some() { probes.held_out } else { 0 });
    Ok(Generation {
        greedy: if data.asks { probes.greedy } else { 0 },
        max_new_tokens: probes.max_new_tokens,
        held_out: held_out
            .map(|example| Ok((example.prompt.clone(), tokenizer.encode_begun(&example.prompt)?)))
            .collect::<Result<_>>()?,
        judge,
        seed: experiment.seed,
    })
}

/// The run's first event.
pub(super) fn run_started(
    experiment: &Experiment,
    checkpoint: &Checkpoint,
    backend: &str,
    probes: &ProbeSet,
) -> RunStarted {
    #[allow(clippy::cast_precision_loss, reason = "rounded")]
    let millions = |parameters: usize| parameters as f64 / 1e6;
    let mut size = format!("{:.1} M parameters", millions(checkpoint.config.parameter_count()));
    if let Some(lora) = &experiment.lora {
        size += &format!(", {:.3} M trained", millions(lora::parameter_count(lora, &checkpoint.config)));
    }
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
        model: format!("{source}, {size}"),
        vocab_size: checkpoint.config.vocab_size,
        stages: stages(experiment),
        claims: experiment.claims.clone(),
        baseline: experiment.baseline_name(),
        detector: experiment.detector,
        probes: probes.describe(&checkpoint.tokenizer),
        means: false,
        classes: Vec::new(),
    }
}

/// The stages, as the viewer needs to know them.
pub(super) fn stages(experiment: &Experiment) -> Vec<StageInfo> {
    let stage = |stage: &Stage| StageInfo {
        name: stage.name.clone(),
        objective: stage.objective.name().to_owned(),
        has_rejected: stage.objective.pushes_down(),
        on_policy: stage.on_policy.is_some(),
        steps: stage.steps,
        learning_rate: stage.learning_rate,
        beta: stage.objective.beta(),
    };
    experiment.stages.iter().map(stage).collect()
}

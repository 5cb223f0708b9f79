//! An experiment's data for another trainer: the pairs as text, the probes with the answers that the model gives of its own,
//! and the order in which this program would train on the pairs.

use burn::tensor::backend::{AutodiffBackend, Backend};

use super::order::{Batches, Order};
use super::prepare;
use crate::backend::{BackendChoice, Work, find_sound, on};
use crate::data;
use crate::data::lengths::Trainable;
use crate::error::{Error, Result};
use crate::experiment::Experiment;
use crate::model::{Checkpoint, Transformer, model_files};
use crate::probe::ProbeSet;
use crate::protocol::{ProbeKind, ProbePrompt};

/// A training pair as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TextPair {
    /// The prompt, as the tokenizer sees it.
    pub(crate) prompt: String,
    /// The preferred answer, without the token that ends it.
    pub(crate) chosen: String,
    /// The dispreferred answer; `None` where the data has none.
    pub(crate) rejected: Option<String>,
}

/// What is handed to another trainer.
#[derive(Debug)]
pub(crate) struct Handout {
    /// The training pairs, in the order of the data.
    pub(crate) pairs: Vec<TextPair>,
    /// The prompts that this program would observe.
    pub(crate) probes: Vec<ProbePrompt>,
    /// For each stage its name, and for each optimiser step the indices of its pairs.
    pub(crate) order: Vec<(String, Vec<Vec<usize>>)>,
    /// What was done to the rows of a file, where the data is one.
    pub(crate) report: Option<data::DataReport>,
}

/// Reads an experiment's data and its model as a training would, and trains nothing.
///
/// # Errors
/// On bad data, a broken checkpoint, and an experiment without text.
pub(crate) fn handout(experiment: &Experiment, choice: BackendChoice) -> Result<Handout> {
    struct Ask<'a>(&'a Checkpoint, &'a mut ProbeSet, usize);
    impl Work for Ask<'_> {
        type Output = Result<()>;
        fn with<B: AutodiffBackend>(self, device: &B::Device, _: &str) -> Self::Output {
            ask::<B::InnerBackend>(self.0, device, self.1, self.2)
        }
    }
    if experiment.has_pictures() {
        return Err(Error::usage("data writes answers to prompts, and this experiment's data has pictures"));
    }
    let data = data::load(experiment, model_files)?;
    let checkpoint = prepare::checkpoint(experiment, &data)?;
    let lengths = prepare::lengths(experiment, Some(checkpoint.config.max_position_embeddings));
    let mut pairs = Vec::new();
    let visited = data.visit(experiment.probes.prompts, experiment.seed, &mut |_, example| {
        let truncation = match prepare::pair(&lengths, &checkpoint.tokenizer, example)? {
            Trainable::Yes((_, truncation)) => truncation,
            Trainable::No(unfit) => return Ok(Trainable::No(unfit)),
        };
        let text = |kind| example.responses.get(&kind).cloned();
        let (chosen, rejected) = (text(ProbeKind::Chosen).unwrap_or_default(), text(ProbeKind::Rejected));
        pairs.push(TextPair { prompt: example.prompt.clone(), chosen, rejected });
        Ok(Trainable::Yes(truncation))
    })?;
    let mut probes = ProbeSet::new(&visited.observed, &checkpoint.tokenizer, &lengths)?;
    if visited.asks {
        on(find_sound(choice)?.0, Ask(&checkpoint, &mut probes, experiment.probes.max_new_tokens))?;
    }
    probes.retain(&experiment.probes.kinds);
    let order = experiment.stages.iter().enumerate().map(|(index, stage)| {
        let order = Order::new(experiment.seed, index, pairs.len());
        let mut batches = Batches::new(order, stage.batch_size, stage.gradient_accumulation_steps);
        (stage.name.clone(), (0..stage.steps).map(|_| batches.take().concat()).collect())
    });
    let order = order.collect();
    let probes = probes.describe(&checkpoint.tokenizer);
    Ok(Handout { pairs, probes, order, report: visited.report })
}

/// Adds what the model answers by itself.
fn ask<B: Backend>(checkpoint: &Checkpoint, device: &B::Device, probes: &mut ProbeSet, longest: usize) -> Result<()> {
    let model: Transformer<B> = checkpoint.load(device)?;
    probes.add_initial(&model, &checkpoint.tokenizer, longest);
    Ok(())
}

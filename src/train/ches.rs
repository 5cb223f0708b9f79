//! CHES, the centred hidden embedding similarity of a pair's two answers, read off the model before anything is trained:
//! pairs that score high are those whose preferred answer falls (Razin et al., "Unintentional Unalignment", ICLR 2025,
//! arXiv 2410.08847).

use burn::module::AutodiffModule as _;
use burn::tensor::backend::{AutodiffBackend, Backend};

use super::pair_band::Band;
use super::prepare::{self, Pair};
use crate::backend::{BackendChoice, Work, find_sound, floats, on};
use crate::data::lengths::Trainable;
use crate::data::{self, Sequence};
use crate::error::{Error, Result};
use crate::experiment::Experiment;
use crate::history::stats::float;
use crate::model::batch::Batch;
use crate::model::{Checkpoint, Transformer, model_files};
use crate::protocol::ProbeKind;

/// Tokens that are read together.
const TOKENS: usize = 4096;

/// A training pair and its scores.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ScoredPair {
    /// The line of the data file that it stands on, or its number among drawn examples, from 1.
    pub(crate) number: usize,
    /// The prompt, as the tokenizer sees it.
    pub(crate) prompt: String,
    /// The preferred answer.
    pub(crate) chosen: String,
    /// The rejected answer.
    pub(crate) rejected: String,
    /// ⟨Σh⁺, Σh⁻⟩ − ‖Σh⁺‖², the sums over the positions that predict a token of the answer; h the hidden state that the
    /// output matrix reads.
    pub(crate) ches: f64,
    /// The same with each sum divided by its number of tokens.
    pub(crate) normalised: f64,
    /// Its band, where that was asked for.
    pub(crate) band: Option<Band>,
}

/// The scores of all training pairs of an experiment under the model that it starts from, in the data's order; with
/// `bands`, which takes two gradients a pair, the band of each too.
///
/// # Errors
/// On bad data, where a pair has no rejected answer, when the backend or the model is not to be had, and where a score is
/// not a number.
pub(crate) fn ches(experiment: &Experiment, choice: BackendChoice, bands: bool) -> Result<Vec<ScoredPair>> {
    struct Read<'a>(&'a Checkpoint, &'a [Pair], bool);
    impl Work for Read<'_> {
        type Output = Result<(Vec<[Vec<f64>; 2]>, Vec<Band>)>;
        fn with<B: AutodiffBackend>(self, device: &B::Device, _: &str) -> Self::Output {
            let Self(checkpoint, pairs, bands) = self;
            let (model, pad) = (checkpoint.load::<B>(device)?, checkpoint.tokenizer.pad());
            let bands =
                pairs.iter().filter(|_| bands).map(|pair| Band::of(&model, pair, pad)).collect::<Result<_>>()?;
            Ok((sums(&model.valid(), pairs, pad)?, bands))
        }
    }
    if experiment.has_pictures() {
        return Err(Error::usage("preflight ranks pairs of answers, and this experiment's data has pictures"));
    }
    let data = data::load(experiment, model_files)?;
    let checkpoint = prepare::checkpoint(experiment, &data)?;
    let lengths = prepare::lengths(experiment, Some(checkpoint.config.max_position_embeddings));
    let (mut pairs, mut scored) = (Vec::new(), Vec::new());
    data.visit(0, experiment.seed, &mut |number, example| {
        let truncation = match prepare::pair(&lengths, &checkpoint.tokenizer, example)? {
            Trainable::Yes((pair, truncation)) => {
                pairs.push(pair);
                truncation
            }
            Trainable::No(unfit) => return Ok(Trainable::No(unfit)),
        };
        let text = |kind| example.responses.get(&kind).cloned().unwrap_or_default();
        let (chosen, rejected) = (text(ProbeKind::Chosen), text(ProbeKind::Rejected));
        let prompt = example.prompt.clone();
        scored.push(ScoredPair { number, prompt, chosen, rejected, ches: f64::NAN, normalised: f64::NAN, band: None });
        Ok(Trainable::Yes(truncation))
    })?;
    let (sums, bands) = on(find_sound(choice)?.0, Read(&checkpoint, &pairs, bands))?;
    scored.iter_mut().zip(bands).for_each(|(pair, band)| pair.band = Some(band));
    for ((scored, [chosen, rejected]), pair) in scored.iter_mut().zip(sums).zip(&pairs) {
        let tokens = |sequence: &Sequence| float(sequence.completion_ids.len());
        let (of_chosen, of_rejected) = (tokens(&pair.chosen), tokens(prepare::rejected(pair)?));
        let (alike, own) = (dot(&chosen, &rejected), dot(&chosen, &chosen));
        scored.ches = alike - own;
        scored.normalised = alike / (of_chosen * of_rejected) - own / (of_chosen * of_chosen);
        if !scored.ches.is_finite() {
            return Err(Error::failed(format!(
                "the score of row {} is not a number: the model's hidden states must be finite; is its checkpoint sound?",
                scored.number
            )));
        }
    }
    Ok(scored)
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The summed hidden states of every pair's chosen and rejected answer.
fn sums<B: Backend>(model: &Transformer<B>, pairs: &[Pair], pad: u32) -> Result<Vec<[Vec<f64>; 2]>> {
    let device = model.device();
    let mut sums = Vec::with_capacity(pairs.len());
    let longest = pairs.iter().map(|pair| pair.chosen.tokens().max(pair.rejected.as_ref().map_or(0, Sequence::tokens)));
    let at_once = (TOKENS / (2 * longest.max().unwrap_or(1)).max(1)).max(1);
    for pairs in pairs.chunks(at_once) {
        let mut rows = Vec::with_capacity(2 * pairs.len());
        for pair in pairs {
            rows.extend([&pair.chosen, prepare::rejected(pair)?]);
        }
        let batch: Batch<B> = Batch::whole(&rows, pad, &device);
        let hidden = model.forward(batch.tokens.clone()).select(0, batch.predicting_tensor(&device));
        let width = hidden.dims()[1];
        let mut of_rows = vec![vec![0.0; width]; rows.len()];
        for (state, &row) in floats(hidden).chunks_exact(width).zip(&batch.owner) {
            of_rows[row].iter_mut().zip(state).for_each(|(sum, &x)| *sum += f64::from(x));
        }
        let mut of_rows = of_rows.into_iter();
        while let (Some(chosen), Some(rejected)) = (of_rows.next(), of_rows.next()) {
            sums.push([chosen, rejected]);
        }
    }
    Ok(sums)
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::cast_precision_loss,
        reason = "a test fails by panicking, and answers are short"
    )]

    use std::path::Path;

    use super::{ches, dot};
    use crate::backend::{BackendChoice, TestBackend, floats};
    use crate::data::Sequence;
    use crate::data::tokenizer::boundary;
    use crate::experiment::Experiment;
    use crate::model::batch::Batch;
    use crate::model::{Checkpoint, Transformer};

    fn experiment(rows: &str, file: &Path) -> Experiment {
        std::fs::write(file, rows).unwrap();
        let text = format!(
            "(name: \"x\", data: preferences(train: {file:?}),
              stages: [(name: \"SFT\", objective: sft, steps: 1, learning_rate: 1e-5)])"
        );
        Experiment::parse(Path::new("x.ron"), &text, &[]).unwrap()
    }

    /// Σh of an answer that is read by itself.
    fn summed(checkpoint: &Checkpoint, prompt: &str, answer: &str) -> (Vec<f64>, f64) {
        let tokenizer = &checkpoint.tokenizer;
        let (prompt, mut ids) = boundary::pair(tokenizer, prompt, answer, true).unwrap();
        ids.extend(tokenizer.eos());
        let sequence = Sequence { prompt_ids: prompt.into(), completion_ids: ids };
        let model: Transformer<TestBackend> = checkpoint.load(&Default::default()).unwrap();
        let batch = Batch::whole(&[&sequence], tokenizer.pad(), &Default::default());
        let states = floats(model.forward(batch.tokens));
        let width = checkpoint.config.hidden_size;
        let mut sum = vec![0.0; width];
        for state in states.chunks_exact(width).skip(sequence.prompt_ids.len() - 1) {
            sum.iter_mut().zip(state).for_each(|(sum, &x)| *sum += f64::from(x));
        }
        (sum, sequence.completion_ids.len() as f64)
    }

    /// Pairs of unlike lengths read together score as they do read one by one; an answer is to itself as it is to itself.
    #[test]
    fn pairs_that_are_read_together_score_by_the_definition() {
        let folder = tempfile::tempdir().unwrap();
        let (prompt, chosen) = ("Q: What does Tia keep? A:", " Tia keeps small parrots.");
        let rejected = [chosen, " Tia keeps small ducks near the old school.", " the the"];
        let row =
            |rejected| serde_json::json!({"prompt": prompt, "chosen": chosen, "rejected": rejected}).to_string() + "\n";
        let experiment = experiment(&rejected.map(row).concat(), &folder.path().join("rows.jsonl"));
        let scored = ches(&experiment, BackendChoice::Flex, true).unwrap();
        // An answer that is pushed down as it is pulled up has a band without width, at 1.
        let bands: Vec<_> = scored.iter().map(|pair| pair.band.unwrap()).collect();
        assert!((bands[0].ratio - 1.0).abs() < 1e-5 && (bands[0].cosine - 1.0).abs() < 1e-5, "{:?}", bands[0]);
        assert!(bands[1].cosine < 0.999 && bands[1].ratio > 0.0, "{:?}", bands[1]);
        assert_eq!(scored.iter().map(|pair| pair.number).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!((scored[0].ches, scored[0].normalised), (0.0, 0.0));
        let checkpoint = Checkpoint::base().unwrap();
        let (own, tokens) = summed(&checkpoint, prompt, chosen);
        for (pair, rejected) in scored.iter().zip(rejected).skip(1) {
            let (other, others) = summed(&checkpoint, prompt, rejected);
            let expected = [
                dot(&own, &other) - dot(&own, &own),
                dot(&own, &other) / (tokens * others) - dot(&own, &own) / (tokens * tokens),
            ];
            for (found, expected) in [pair.ches, pair.normalised].into_iter().zip(expected) {
                assert!((found - expected).abs() <= 1e-5 * dot(&own, &own), "{found} {expected}");
            }
        }
    }

    #[test]
    fn a_pair_without_a_rejected_answer_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let row = "{\"prompt\": \"Q:\", \"completion\": \" A.\"}\n";
        let error = ches(&experiment(row, &folder.path().join("rows.jsonl")), BackendChoice::Flex, false).unwrap_err();
        assert!(error.to_string().contains("without one"), "{error}");
        assert_eq!(error.exit_status(), 2);
    }
}

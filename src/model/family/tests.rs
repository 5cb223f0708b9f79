//! Every family against `transformers` (`tests/golden/families.py`): log-probs of every token, and the gradient of one
//! step of DPO.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Tensor, TensorData};
use serde::Deserialize;

use crate::backend::TestBackend;
use crate::backend::{floats, int_tensor};
use crate::data::Sequence;
use crate::experiment::ObjectiveConfig;
use crate::model::batch::Batch;
use crate::model::{Checkpoint, Transformer};
use crate::objective::logps::per_token_logps;
use crate::objective::{PairLogps, evaluate};
use crate::probe::score;

/// Largest difference of a log-prob, nats.
const LOGP_TOLERANCE: f32 = 1e-5;

/// Largest difference of a loss, nats, and of a gradient, as a share of its norm.
const TOLERANCE: f64 = 1e-4;

pub(in crate::model) const CASES: [&str; 7] =
    ["llama_gqa_rope", "llama_tied_linear", "gpt_neox_parallel", "gpt_neox_sequential", "qwen2", "qwen3", "gpt2"];
const GGUF_CASES: [&str; 5] = ["llama_gqa_rope", "gpt_neox_parallel", "qwen2", "qwen3", "gpt2"];

#[derive(Deserialize)]
struct Golden {
    beta: f64,
    pairs: Vec<Pair>,
    loss: f64,
    /// Norm, and product with cos(1), cos(2), …, of every tensor of the file.
    gradients: BTreeMap<String, (f64, f64)>,
}

#[derive(Deserialize)]
struct Pair {
    prompt_ids: Vec<u32>,
    chosen_ids: Vec<u32>,
    rejected_ids: Vec<u32>,
    chosen_logps: Vec<f32>,
    rejected_logps: Vec<f32>,
    ref_chosen_logps: f64,
    ref_rejected_logps: f64,
}

pub(in crate::model) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/families")
}

fn golden(name: &str) -> Golden {
    serde_json::from_slice(&std::fs::read(folder().join(format!("{name}.json"))).unwrap()).unwrap()
}

impl Golden {
    /// All chosen answers, then all rejected ones, with their log-probs.
    fn sequences(&self) -> Vec<(Sequence, &[f32])> {
        let of = |prompt: &[u32], ids: &[u32]| Sequence::new(prompt.to_vec(), ids.to_vec());
        let chosen = self.pairs.iter().map(|p| (of(&p.prompt_ids, &p.chosen_ids), &p.chosen_logps[..]));
        let rejected = self.pairs.iter().map(|p| (of(&p.prompt_ids, &p.rejected_ids), &p.rejected_logps[..]));
        chosen.chain(rejected).collect()
    }

    /// The largest difference in nats of a model's log-probs.
    fn difference(&self, checkpoint: &Checkpoint) -> f32 {
        let model: Transformer<TestBackend> = checkpoint.load(&Default::default()).unwrap();
        let sequences = self.sequences();
        let scored = score::completions(&model, &sequences.iter().map(|(s, _)| s).collect::<Vec<_>>(), 1);
        let mut worst = 0.0f32;
        for ((_, theirs), ours) in sequences.iter().zip(scored) {
            assert_eq!(theirs.len(), ours.logps.len());
            worst = theirs.iter().zip(&ours.logps).fold(worst, |worst, (a, b)| worst.max((a - b).abs()));
        }
        worst
    }
}

#[test]
fn every_family_scores_as_in_transformers() {
    for name in CASES {
        let checkpoint = Checkpoint::read(&folder().join(name)).unwrap();
        let worst = golden(name).difference(&checkpoint);
        println!("{name}: largest difference {worst:.2e} nats");
        assert!(worst < LOGP_TOLERANCE, "{name}: {worst}");
    }
}

#[test]
fn every_family_scores_the_same_from_gguf() {
    for name in GGUF_CASES {
        let from_folder = Checkpoint::read(&folder().join(name)).unwrap();
        let from_file = Checkpoint::read(&folder().join(format!("{name}.gguf"))).unwrap();
        assert_eq!(from_file.config, from_folder.config, "{name}");
        assert_eq!((from_file.tokenizer.eos(), from_file.tokenizer.pad()), (Some(0), 1));
        let text = " abc bca 12<eos>";
        assert_eq!(from_file.tokenizer.encode(text).unwrap(), from_folder.tokenizer.encode(text).unwrap());
        assert_eq!(from_file.tokenizer.encode(" abc<eos>").unwrap().len(), 2);
        let worst = golden(name).difference(&from_file);
        println!("{name}: largest difference {worst:.2e} nats");
        assert!(worst < LOGP_TOLERANCE, "{name}: {worst}");
    }
}

/// Gradients in the order of [`crate::model::Architecture::parameters`].
struct Collect<'a> {
    gradients: &'a GradientsParams,
    all: Vec<Vec<f32>>,
}

impl ModuleVisitor<TestBackend> for Collect<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<TestBackend, D>>) {
        let gradient = self.gradients.get::<burn_flex::Flex, D>(param.id).unwrap();
        self.all.push(floats(gradient));
    }
}

#[test]
fn every_family_learns_as_in_transformers() {
    for name in CASES {
        let (golden, checkpoint) = (golden(name), Checkpoint::read(&folder().join(name)).unwrap());
        let model: Transformer<TestBackend> = checkpoint.load(&Default::default()).unwrap();
        let device = model.device();
        let sequences = golden.sequences();
        let batch: Batch<TestBackend> = Batch::whole(&sequences.iter().map(|(s, _)| s).collect::<Vec<_>>(), 1, &device);
        let hidden = model.forward(batch.tokens.clone()).select(0, batch.predicting_tensor(&device));
        let labels = int_tensor(batch.labels.iter().map(|&id| i64::from(id)).collect(), &device);
        let logps = per_token_logps(model.logits(hidden), labels);
        let mut sums = vec![0.0; sequences.len()];
        batch.owner.iter().zip(floats(logps.clone())).for_each(|(&row, logp)| sums[row] += f64::from(logp));
        let objective = ObjectiveConfig::Sigmoid { beta: golden.beta, label_smoothing: 0.0, nll: 0.0 };
        let pairs = golden.pairs.len();
        let (mut weights, mut loss) = (vec![0.0; 2 * pairs], 0.0);
        for (i, pair) in golden.pairs.iter().enumerate() {
            let outcome = evaluate(
                &objective,
                &PairLogps {
                    policy_chosen_logps: sums[i],
                    policy_rejected_logps: sums[pairs + i],
                    ref_chosen_logps: pair.ref_chosen_logps,
                    ref_rejected_logps: pair.ref_rejected_logps,
                    ..PairLogps::default()
                },
            );
            weights[i] = -outcome.chosen_weight / pairs as f64;
            weights[pairs + i] = outcome.rejected_weight / pairs as f64;
            loss += outcome.loss / pairs as f64;
        }
        assert!((loss - golden.loss).abs() < TOLERANCE, "{name}: the loss is {loss}, not {}", golden.loss);
        let weights: Vec<f32> = batch.owner.iter().map(|&row| weights[row] as f32).collect();
        let weights = Tensor::from_data(TensorData::new(weights, [batch.owner.len()]), &device);
        let gradients = GradientsParams::from_grads((logps * weights).sum().backward(), &model);
        let mut collected = Collect { gradients: &gradients, all: Vec::new() };
        model.visit(&mut collected);

        let parameters = checkpoint.config.parameters();
        let place: BTreeMap<_, _> = parameters.iter().map(|(p, _)| *p).zip(&collected.all).collect();
        let global = golden.gradients.values().map(|(norm, _)| norm * norm).sum::<f64>().sqrt();
        let mut worst = 0.0f64;
        let tensors = checkpoint.family.tensors(&checkpoint.config);
        assert_eq!(tensors.len(), golden.gradients.len(), "{name}");
        for stored in tensors {
            let parts: Vec<&[f32]> = stored.holds.iter().map(|p| place[p].as_slice()).collect();
            let gradient = stored.pack(&parts);
            let norm = gradient.iter().map(|&g| f64::from(g).powi(2)).sum::<f64>().sqrt();
            let wave: f64 = gradient.iter().zip(1..).map(|(&g, i)| f64::from(g) * f64::from(i).cos()).sum();
            let (their_norm, their_wave) = golden.gradients[&stored.name];
            let off = (norm - their_norm).abs().max((wave - their_wave).abs()) / global;
            assert!(off < TOLERANCE, "{name} {}: {norm} {wave}, not {their_norm} {their_wave}", stored.name);
            worst = worst.max(off);
        }
        println!("{name}: gradient of norm {global:.3}, largest difference {worst:.2e} of it");
    }
}

/// The hub's oldest GPT-2 files leave the prefix out and hold the causal masks.
#[test]
fn names_without_the_usual_prefix_and_masks_are_understood() {
    let copy = tempfile::tempdir().unwrap();
    for file in ["config.json", "tokenizer.json"] {
        std::fs::copy(folder().join("gpt2").join(file), copy.path().join(file)).unwrap();
    }
    let bytes = std::fs::read(folder().join("gpt2/model.safetensors")).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let mask = safetensors::tensor::TensorView::new(safetensors::Dtype::U8, vec![1, 1, 2, 2], &[1, 0, 1, 1]).unwrap();
    let renamed = tensors.iter().map(|(name, view)| (name.strip_prefix("transformer.").unwrap().to_owned(), view));
    let with_mask = renamed.chain([("h.0.attn.bias".to_owned(), mask)]);
    safetensors::serialize_to_file(with_mask, None, &copy.path().join("model.safetensors")).unwrap();
    let (short, long) = (Checkpoint::read(copy.path()).unwrap(), Checkpoint::read(&folder().join("gpt2")).unwrap());
    assert_eq!(short.numbers().unwrap(), long.numbers().unwrap());
}

#[test]
fn what_is_written_is_read_back_number_by_number() {
    for name in CASES {
        let checkpoint = Checkpoint::read(&folder().join(name)).unwrap();
        let written = tempfile::tempdir().unwrap();
        checkpoint.write(written.path()).unwrap();
        let read = Checkpoint::read(written.path()).unwrap();
        assert_eq!(read.config, checkpoint.config, "{name}");
        assert_eq!(read.numbers().unwrap(), checkpoint.numbers().unwrap(), "{name}");
        assert_eq!(read.companions, checkpoint.companions, "{name}");
        if let Some(kept) = std::env::var_os("LDYN_KEEP_WRITTEN") {
            // For `tests/golden/families_written.py`, which opens them in `transformers`.
            checkpoint.write(&Path::new(&kept).join(name)).unwrap();
        }
    }
}

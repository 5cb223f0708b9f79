//! Gradients of a pass that computes its blocks anew against those of a pass that keeps them.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::path::Path;

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

use super::backprop::{Accumulator, Pass};
use crate::backend::TestBackend;
use crate::backend::floats;
use crate::data::Sequence;
use crate::experiment::Lora;
use crate::model::batch::Batch;
use crate::model::{Checkpoint, Transformer};

type B = TestBackend;

fn model(name: &str) -> Transformer<B> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/families").join(name);
    Checkpoint::read(&folder).unwrap().load(&Default::default()).unwrap()
}

/// The gradient of every parameter, in the module's order.
struct Collect<'a> {
    gradients: &'a GradientsParams,
    all: Vec<Option<Vec<f32>>>,
}

impl ModuleVisitor<B> for Collect<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        self.all.push(self.gradients.get::<burn_flex::Flex, D>(param.id).map(floats));
    }
}

/// Log-probs and gradients over two batches, so many copies of a few sequences each.
fn learn(model: &Transformer<B>, copies: usize, checkpointing: bool) -> (Vec<f32>, Vec<Option<Vec<f32>>>) {
    let of = |prompt: &[u32], ids: &[u32]| Sequence::new(prompt.to_vec(), ids.to_vec());
    let some = [of(&[7, 8, 9, 250], &[20, 21, 22, 23, 24, 0]), of(&[100; 12], &[40, 41, 0]), of(&[5], &[6])];
    let (mut sum, mut all) = (Accumulator::new(), Vec::new());
    for part in [&some[..2], &some[1..]] {
        let rows: Vec<&Sequence> = std::iter::repeat_n(part, copies).flatten().collect();
        let pass = Pass::forward(model, Batch::whole(&rows, 1, &model.device()), checkpointing);
        let logps = pass.logps();
        let weights: Vec<f32> = (0..logps.len()).map(|i| (i as f32).cos()).collect();
        pass.backward(model, &weights, &mut sum);
        all.extend(logps);
    }
    let gradients = sum.grads();
    let mut collect = Collect { gradients: &gradients, all: Vec::new() };
    model.visit(&mut collect);
    (all, collect.all)
}

/// Log-probs, and gradients within so large a share of the largest.
fn agree(name: &str, model: &Transformer<B>, copies: usize, within: f32) {
    let ((logps, whole), (again, anew)) = (learn(model, copies, false), learn(model, copies, true));
    let furthest = |a: &[f32], b: &[f32]| a.iter().zip(b).fold(0.0f32, |most, (a, b)| most.max((a - b).abs()));
    assert_eq!(logps.len(), again.len());
    assert!(furthest(&logps, &again) < 1e-5, "{name}");
    assert_eq!(whole.len(), anew.len());
    let largest = whole.iter().flatten().flatten().fold(0.0f32, |most, x| most.max(x.abs()));
    assert!(largest > 0.0);
    let mut worst = 0.0f32;
    for (i, (whole, anew)) in whole.iter().zip(&anew).enumerate() {
        assert_eq!(whole.is_some(), anew.is_some(), "{name}: parameter {i}");
        if let (Some(whole), Some(anew)) = (whole, anew) {
            worst = worst.max(furthest(whole, anew) / largest);
        }
    }
    println!("{name}: gradients differ by {worst:.1e} of the largest");
    assert!(worst < within, "{name}: {worst}");
}

const CASES: [&str; 7] =
    ["llama_gqa_rope", "llama_tied_linear", "gpt_neox_parallel", "gpt_neox_sequential", "qwen2", "qwen3", "gpt2"];

#[test]
fn blocks_computed_anew_give_the_same_gradients() {
    for name in CASES {
        let model = model(name);
        let (_, gradients) = learn(&model, 1, true);
        assert!(gradients.iter().all(Option::is_some), "{name}: every parameter learns");
        agree(name, &model, 1, 1e-6);
    }
}

#[test]
fn so_they_do_beneath_adapters() {
    for name in CASES {
        let adapted = model(name).adapt(&Lora::default(), 3);
        let (_, gradients) = learn(&adapted, 1, true);
        assert_eq!(gradients.iter().flatten().count(), 2 * 2 * 2, "A and B of two targets in two blocks");
        agree(name, &adapted, 1, 1e-6);
    }
}

/// With more tokens than have logits at the same time, whose sum is taken in another order.
#[test]
fn logits_are_made_in_parts() {
    for name in ["llama_tied_linear", "llama_gqa_rope"] {
        agree(name, &model(name), 40, 1e-5);
    }
}

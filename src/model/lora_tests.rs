//! Adapters against the full model: what they compute, their gradients, what is written of them.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Tensor, TensorData};

use super::{check, parameter_count};
use crate::backend::TestBackend;
use crate::backend::floats;
use crate::data::Sequence;
use crate::experiment::Lora;
use crate::model::architecture::Role;
use crate::model::batch::Batch;
use crate::model::family::tests::{CASES, folder};
use crate::model::lora::Mismatch;
use crate::model::{Checkpoint, Transformer};

type B = TestBackend;
type Inner = burn_flex::Flex;

fn checkpoint(name: &str) -> Checkpoint {
    Checkpoint::read(&folder().join(name)).unwrap()
}

fn load(checkpoint: &Checkpoint) -> Transformer<B> {
    checkpoint.load(&Default::default()).unwrap()
}

/// Every matrix that the architecture has.
fn everywhere(checkpoint: &Checkpoint, rank: usize) -> Lora {
    let mut targets = Role::LINEAR.to_vec();
    targets.retain(|role| checkpoint.config.gated || *role != Role::Gate);
    Lora { rank, alpha: 6.0, targets }
}

fn logits(model: &Transformer<B>) -> Tensor<B, 2> {
    let (first, second) = (Sequence::new(vec![7, 8, 9], vec![20, 21, 22]), Sequence::new(vec![30], vec![31; 6]));
    let batch: Batch<B> = Batch::whole(&[&first, &second], 1, &model.device());
    model.logits(model.forward(batch.tokens))
}

/// Follows the path of the visited parameter.
macro_rules! follow_path {
    () => {
        fn enter_module(&mut self, name: &str, _: &str) {
            self.path.push(name.to_owned());
        }
        fn exit_module(&mut self, _: &str, _: &str) {
            self.path.pop();
        }
    };
}

/// Fills every B with waves, as if it had been trained.
#[derive(Default)]
struct Train {
    path: Vec<String>,
}

impl ModuleMapper<B> for Train {
    follow_path!();

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
        if !self.path.ends_with(&["adapter".to_owned(), "b".to_owned()]) {
            return param;
        }
        let shape = param.dims();
        let numbers = (0..shape.iter().product()).map(|i: usize| 0.2 * (i as f32 + 1.0).sin()).collect::<Vec<_>>();
        param.map(|b| Tensor::from_data(TensorData::new(numbers, shape), &b.device()).require_grad())
    }
}

fn trained(checkpoint: &Checkpoint, lora: &Lora) -> Transformer<B> {
    load(checkpoint).adapt(lora, 3).map(&mut Train::default())
}

/// By path, shape, numbers and gradient.
type Parameters = BTreeMap<String, (Vec<usize>, Vec<f32>, Option<Vec<f32>>)>;

struct Collect<'a> {
    path: Vec<String>,
    gradients: &'a GradientsParams,
    all: Parameters,
}

impl ModuleVisitor<B> for Collect<'_> {
    follow_path!();

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        let gradient = self.gradients.get::<Inner, D>(param.id).map(floats);
        self.all.insert(self.path.join("."), (param.dims().to_vec(), floats(param.val()), gradient));
    }
}

/// Gradients of a sum of waves over the logits.
fn collected(model: &Transformer<B>) -> Parameters {
    let logits = logits(model);
    let shape = logits.dims();
    let waves = (0..shape[0] * shape[1]).map(|i| (i as f32).cos()).collect::<Vec<_>>();
    let waves = Tensor::from_data(TensorData::new(waves, shape), &model.device());
    let gradients = GradientsParams::from_grads((logits * waves).sum().backward(), model);
    let mut collect = Collect { path: Vec::new(), gradients: &gradients, all: BTreeMap::new() };
    model.visit(&mut collect);
    collect.all
}

#[test]
fn an_adapted_model_begins_as_the_model_itself() {
    for name in CASES {
        let checkpoint = checkpoint(name);
        let adapted = load(&checkpoint).adapt(&everywhere(&checkpoint, 4), 3);
        assert!(adapted.is_adapted());
        let (before, after) = (floats(logits(&load(&checkpoint))), floats(logits(&adapted)));
        assert!(before.iter().zip(&after).all(|(a, b)| a.to_bits() == b.to_bits()), "{name}");
    }
}

#[test]
fn only_adapters_have_gradients_and_those_are_the_matrices_own_seen_through_them() {
    for name in CASES {
        let checkpoint = checkpoint(name);
        let lora = everywhere(&checkpoint, 4);
        let adapted = trained(&checkpoint, &lora);
        // The same function with the changes merged into its weights: there dW is known.
        let merged = collected(&load(&checkpoint.with_weights(&adapted)));
        let all = collected(&adapted);
        let mut adapters = 0;
        for (path, (shape, a, of_a)) in &all {
            let Some(matrix) = path.strip_suffix(".adapter.a") else {
                assert!(path.ends_with(".adapter.b") || all[path].2.is_none(), "{name}: {path} is frozen");
                continue;
            };
            let (_, b, of_b) = &all[&format!("{matrix}.adapter.b")];
            let (wide, _, dw) = &merged[&format!("{matrix}.weight")];
            let (of_a, of_b, dw) = (of_a.as_ref().unwrap(), of_b.as_ref().unwrap(), dw.as_ref().unwrap());
            let ([rank, width], out, scale) = ([shape[0], shape[1]], wide[0], 6.0 / 4.0);
            let largest = dw.iter().fold(0.0f32, |most, x| most.max(x.abs()));
            // dA = s·Bᵀ·dW
            for (i, found) in of_a.iter().enumerate() {
                let (row, column) = (i / width, i % width);
                let expected: f32 = (0..out).map(|o| b[o * rank + row] * dw[o * width + column]).sum();
                assert!((found - scale * expected).abs() < 1e-4 * largest, "{name} {path}: {found} {expected}");
            }
            // dB = s·dW·Aᵀ
            for (i, found) in of_b.iter().enumerate() {
                let (row, column) = (i / rank, i % rank);
                let expected: f32 = (0..width).map(|c| dw[row * width + c] * a[column * width + c]).sum();
                assert!((found - scale * expected).abs() < 1e-4 * largest, "{name} {path}: {found} {expected}");
            }
            adapters += 1;
        }
        assert_eq!(adapters, checkpoint.config.layers * lora.targets.len(), "{name}");
        let trained = all.iter().filter(|(path, _)| path.contains("adapter")).map(|(_, (_, x, _))| x.len());
        assert_eq!(parameter_count(&lora, &checkpoint.config), trained.sum::<usize>(), "{name}");
    }
}

#[test]
fn what_is_written_computes_what_the_adapted_model_computes() {
    for name in CASES {
        let checkpoint = checkpoint(name);
        let adapted = trained(&checkpoint, &everywhere(&checkpoint, 4));
        let folder = tempfile::tempdir().unwrap();
        checkpoint.with_weights(&adapted).write(folder.path()).unwrap();
        let written = load(&Checkpoint::read(folder.path()).unwrap());
        let (ours, theirs, base) = (logits(&adapted), logits(&written), logits(&load(&checkpoint)));
        let furthest = |a: Tensor<B, 2>, b: Tensor<B, 2>| floats((a - b).abs().max())[0];
        let size = floats(ours.clone().abs().max())[0];
        assert!(furthest(ours.clone(), base) > 0.1 * size, "{name}: the adapters change something");
        assert!(furthest(ours, theirs) < 1e-5 * size.max(1.0), "{name}");
    }
}

#[test]
fn a_is_uniform_as_in_peft_and_follows_the_seed_alone() {
    let checkpoint = Checkpoint::base().unwrap();
    let of = |targets: &[Role], seed| {
        let lora = Lora { targets: targets.to_vec(), ..Lora::default() };
        let model = load(&checkpoint).adapt(&lora, seed);
        let gradients = GradientsParams::new();
        let mut collect = Collect { path: Vec::new(), gradients: &gradients, all: BTreeMap::new() };
        model.visit(&mut collect);
        collect.all.into_iter().filter(|(path, _)| path.contains("adapter")).map(|(p, (_, x, _))| (p, x)).collect()
    };
    let drawn: BTreeMap<String, Vec<f32>> = of(&[Role::Query, Role::Value], 1);
    assert_eq!(drawn, of(&[Role::Value, Role::Query], 1));
    assert_ne!(drawn, of(&[Role::Query, Role::Value], 2));
    let bound = (checkpoint.config.hidden_size as f32).sqrt().recip();
    let a: Vec<f32> = drawn.iter().filter(|(path, _)| path.ends_with("a")).flat_map(|(_, x)| x.clone()).collect();
    let count = a.len() as f32;
    let (mean, square) = (a.iter().sum::<f32>() / count, a.iter().map(|x| x * x).sum::<f32>() / count);
    assert!(a.iter().all(|x| x.abs() <= bound) && a.iter().any(|x| x.abs() > 0.99 * bound));
    // Six standard errors of the mean, and of the mean square.
    assert!(mean.abs() < 6.0 * bound / (3.0 * count).sqrt(), "{mean}");
    assert!((square / (bound * bound / 3.0) - 1.0).abs() < 6.0 * (0.8 / count).sqrt(), "{square}");
    assert!(drawn.iter().filter(|(path, _)| path.ends_with("b")).all(|(_, x)| x.iter().all(|&x| x == 0.0)));
}

#[test]
fn what_a_model_does_not_have_cannot_be_adapted() {
    let gpt2 = checkpoint("gpt2").config;
    let of = |rank, targets: &[Role]| check(&Lora { rank, alpha: 1.0, targets: targets.to_vec() }, &gpt2);
    assert_eq!(of(32, &[Role::Query, Role::Up]), Ok(()));
    let Mismatch { setting, problem, advice } = of(8, &[Role::Query, Role::Gate]).unwrap_err();
    assert_eq!((setting.as_str(), problem.as_str()), ("targets[1]", "the model has no `gate`"));
    assert_eq!(advice, "it has query, key, value, output, up, down");
    let Mismatch { setting, problem, .. } = of(33, &[Role::Down]).unwrap_err();
    assert_eq!((setting.as_str(), problem.contains("is 32")), ("rank", true), "{problem}");
}

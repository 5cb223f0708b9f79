//! Slopes against inner products with the gradients of each answer, in every family, with adapters and without.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::path::Path;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Tensor, TensorData};

use super::slopes;
use crate::backend::TestBackend;
use crate::data::Sequence;
use crate::experiment::Lora;
use crate::model::{Checkpoint, Transformer};
use crate::train::direction::Direction;
use crate::train::observed::gradient;

type B = TestBackend;
type Inner = burn_flex::Flex;

/// A number for each number of a model that learns, different for each.
struct Waves {
    size: f32,
    frequency: f32,
    parts: Vec<(burn::module::ParamId, Tensor<Inner, 1>)>,
}

impl ModuleVisitor<B> for Waves {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        if param.val().is_require_grad() {
            let (size, offset) = (self.size, self.parts.len() as f32);
            let count = param.shape().num_elements();
            let waves: Vec<f32> = (0..count).map(|i| size * (self.frequency * i as f32 + offset).sin()).collect();
            let waves = Tensor::from_data(TensorData::new(waves, [count]), &Default::default());
            self.parts.push((param.id, waves));
        }
    }
}

fn waves(model: &Transformer<B>, size: f32, frequency: f32) -> Direction<Inner> {
    let mut waves = Waves { size, frequency, parts: Vec::new() };
    model.visit(&mut waves);
    waves.parts.into_iter().collect()
}

#[test]
fn slopes_are_inner_products_with_the_gradient_of_each_answer() {
    let of = |prompt: &[u32], ids: &[u32]| Sequence::new(prompt.to_vec(), ids.to_vec());
    let some = [of(&[7, 8, 9, 250], &[20, 21, 22, 23, 24, 0]), of(&[100; 12], &[40, 41, 0]), of(&[5], &[6])];
    let all: Vec<&Sequence> = some.iter().collect();
    for name in
        ["llama_gqa_rope", "llama_tied_linear", "gpt_neox_parallel", "gpt_neox_sequential", "qwen2", "qwen3", "gpt2"]
    {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/families").join(name);
        let model: Transformer<B> = Checkpoint::read(&folder).unwrap().load(&Default::default()).unwrap();
        let adapted = model.clone().adapt(&Lora::default(), 3);
        // Adapters that have learnt: fresh ones leave half of the slope out.
        let learnt = waves(&adapted, 0.1, 1.3);
        for (what, model) in [("whole", model), ("adapters", learnt.put_into(adapted))] {
            let direction = waves(&model, 1.0, 0.7);
            let expected: Vec<f64> = all
                .iter()
                .map(|answer| {
                    let own = gradient(&model, &[answer], 1.0, (1, false));
                    direction.dot(&Direction::of_gradient(&model, own, &direction))
                })
                .collect();
            let towards = direction.into_model(model.clone());
            let largest = expected.iter().fold(0.0f64, |most, x| most.max(x.abs()));
            assert!(largest > 1e-3, "{name}, {what}: {expected:?} tell nothing");
            // Together, padded, and one by one.
            for at_once in [3, 1] {
                let found = slopes(&model, &towards, &all, 1, at_once);
                for (found, expected) in found.iter().zip(&expected) {
                    assert!((found - expected).abs() < 1e-4 * largest, "{name}, {what}: {found}, not {expected}");
                }
            }
        }
    }
}

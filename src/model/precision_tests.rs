//! Products in bfloat16 against those in single precision, on a backend that has both.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{DType, Tensor};

use super::family::tests::{CASES, folder};
use super::product::product;
use super::{Checkpoint, Transformer};
use crate::backend::TestBackend;
use crate::backend::{floats, int_tensor};
use crate::data::Sequence;
use crate::experiment::{Lora, Precision};
use crate::model::batch::Batch;
use crate::objective::logps::per_token_logps;

type B = TestBackend;

#[test]
fn factors_and_results_have_eight_bits() {
    let device = Default::default();
    let of = |precision, a: [[f32; 2]; 1], b: [[f32; 1]; 2]| {
        let (a, b) = (Tensor::<B, 2>::from_floats(a, &device), Tensor::from_floats(b, &device));
        let result = product(precision, a, b);
        assert_eq!(result.dtype(), DType::F32);
        floats(result)[0]
    };
    // 1 + 2⁻⁹ is rounded to 1 on its way in; 256 + 1 to 256 on its way out, which is where 3 + 4 stays 7.
    for (a, b, exact, rounded) in [
        ([[1.0 + 1.0 / 512.0, 0.0]], [[1.0], [0.0]], 1.0 + 1.0 / 512.0, 1.0),
        ([[256.0, 1.0]], [[1.0], [1.0]], 257.0, 256.0),
        ([[3.0, 4.0]], [[1.0], [1.0]], 7.0, 7.0),
    ] {
        assert_eq!((of(Precision::F32, a, b), of(Precision::Bf16, a, b)), (exact, rounded));
    }
}

/// Every gradient in one vector.
struct Flat<'a> {
    gradients: &'a GradientsParams,
    all: Vec<f32>,
}

impl ModuleVisitor<B> for Flat<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        assert_eq!(param.val().dtype(), DType::F32, "master weights");
        if let Some(gradient) = self.gradients.get::<burn_flex::Flex, D>(param.id) {
            assert_eq!(gradient.dtype(), DType::F32);
            self.all.extend(floats(gradient));
        }
    }
}

/// Log-probs, and the gradient of their sum.
fn learn(model: &Transformer<B>) -> (Vec<f32>, Vec<f32>) {
    let device = model.device();
    let (first, second) = (Sequence::new(vec![7, 8, 9], vec![20, 21, 22]), Sequence::new(vec![30; 9], vec![31; 6]));
    let batch: Batch<B> = Batch::whole(&[&first, &second], 1, &device);
    let hidden = model.forward(batch.tokens.clone()).select(0, batch.predicting_tensor(&device));
    let labels = int_tensor(batch.labels.iter().map(|&id| i64::from(id)).collect(), &device);
    let logps = per_token_logps(model.logits(hidden), labels);
    assert_eq!(logps.dtype(), DType::F32);
    let gradients = GradientsParams::from_grads(logps.clone().sum().backward(), model);
    let mut flat = Flat { gradients: &gradients, all: Vec::new() };
    model.visit(&mut flat);
    (floats(logps), flat.all)
}

#[test]
fn a_model_in_bfloat16_is_nearly_itself() {
    for name in CASES {
        for lora in [None, Some(Lora::default())] {
            let model: Transformer<B> =
                Checkpoint::read(&folder().join(name)).unwrap().load(&Default::default()).unwrap();
            let model = if let Some(lora) = &lora { model.adapt(lora, 3) } else { model };
            let ((exact, gradient), (rounded, near)) =
                (learn(&model), learn(&model.clone().compute_in(Precision::Bf16)));
            let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum::<f64>();
            let off = exact.iter().zip(&rounded).fold(0.0f32, |most, (a, b)| most.max((a - b).abs()));
            let cosine = dot(&gradient, &near) / (dot(&gradient, &gradient) * dot(&near, &near)).sqrt();
            println!("{name}, {lora:?}: log-probs differ by {off:.3} nats, the cosine of the gradients is {cosine:.6}");
            assert!(off > 0.0, "{name}: it is rounded");
            // The weights of these models are drawn wide: log-probs are near −10, of which 2⁻⁸ is 0.04.
            assert!(off < 0.05, "{name}: {off}");
            assert!(cosine > 0.999, "{name}: {cosine}");
        }
    }
}

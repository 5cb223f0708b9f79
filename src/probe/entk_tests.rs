//! K, G and the prediction of a step: against PyTorch, against Jacobians that are laid out, and against real steps.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "tests fail by panicking"
)]

use burn::module::{AutodiffModule as _, Module as _, ModuleMapper, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use serde::Deserialize;

use super::*;
use crate::backend::TestBackend;
use crate::backend::int_tensor;
use crate::data::pictures::PIXELS;
use crate::model::ClassifierShape;
use crate::model::classifier::pictures;
use crate::objective::logps::per_token_logps;

type B = TestBackend;
type Inner = <B as AutodiffBackend>::InnerBackend;

const V: usize = CLASSES.len();

/// Numbers that scatter like chance, as in `tests/golden/classifier.py`.
fn formula(t: usize, count: usize, scale: f64) -> Vec<f32> {
    let number = |i: usize| {
        let scattered = 43758.5453 * (12.9898 * (i + 1) as f64 + 78.233 * (t + 1) as f64).sin();
        (scale * (2.0 * (scattered - scattered.floor()) - 1.0)) as f32
    };
    (0..count).map(number).collect()
}

/// A classifier with the golden weights.
fn model(shape: &ClassifierShape) -> Classifier<B> {
    let weight = |(t, shape): (usize, Vec<usize>)| {
        let inputs: usize = if shape.len() == 4 { shape[1..].iter().product() } else { shape[0] };
        let scale = if shape.len() == 1 { 0.1 } else { (6.0 / inputs as f64).sqrt() };
        formula(t, shape.iter().product(), scale)
    };
    let weights = shape.parameters().into_iter().enumerate().map(weight).collect();
    Classifier::from_parameters(shape, weights, &Default::default())
}

/// Pictures of noise; the first two are the golden ones.
fn noise(count: usize) -> Tensor<B, 2> {
    let ink = formula(100, count * PIXELS, 0.5).into_iter().map(|x| (f64::from(x) + 0.5) as f32);
    pictures(ink.collect(), &Default::default())
}

fn picture(i: usize) -> Tensor<B, 2> {
    noise(i + 1).narrow(0, i, 1)
}

fn shapes() -> [(&'static str, ClassifierShape); 2] {
    [("mlp", ClassifierShape::mlp(&[12, 7])), ("lenet", ClassifierShape::lenet())]
}

/// Every gradient of a module, weight before bias, layer by layer.
struct Flat<'a> {
    gradients: &'a GradientsParams,
    tensors: Vec<Vec<f32>>,
}

impl ModuleVisitor<B> for Flat<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        self.tensors.push(floats(self.gradients.get::<Inner, D>(param.id).unwrap()));
    }
}

/// The gradient of a scalar with respect to every weight, tensor by tensor.
fn gradient(model: &Classifier<B>, scalar: Tensor<B, 1>) -> Vec<Vec<f32>> {
    let gradients = GradientsParams::from_grads(scalar.backward(), model);
    let mut flat = Flat { gradients: &gradients, tensors: Vec::new() };
    model.visit(&mut flat);
    flat.tensors
}

/// ∇_θ z_v(x), for every class v: ten backward passes.
fn rows(model: &Classifier<B>, picture: &Tensor<B, 2>) -> Vec<Vec<f32>> {
    (0..V).map(|v| gradient(model, model.forward(picture.clone()).narrow(1, v, 1).sum()).concat()).collect()
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
}

/// Cross entropy, summed over pictures.
fn loss(model: &Classifier<B>, pictures: Tensor<B, 2>, labels: &[usize]) -> Tensor<B, 1> {
    let labels = int_tensor(labels.iter().map(|&l| l as i64).collect(), &Default::default());
    -per_token_logps(model.forward(pictures), labels).sum()
}

/// The gradients of each picture's loss.
fn each(model: &Classifier<B>, pictures: Tensor<B, 2>, labels: &[usize]) -> Gradients<Inner> {
    let mut recorder = Recorder::new(1);
    let labels = int_tensor(labels.iter().map(|&l| l as i64).collect(), &Default::default());
    let logits = model.forward_tapped(pictures, &mut recorder);
    recorder.finish(&(-per_token_logps(logits, labels).sum()).backward())
}

fn near(ours: f64, theirs: f64, relative: f64, scale: f64, what: &str) {
    assert!((ours - theirs).abs() <= relative * theirs.abs().max(scale), "{what}: {ours}, expected {theirs}");
}

#[derive(Deserialize)]
struct Golden {
    label: usize,
    mlp: Case,
    lenet: Case,
}

#[derive(Deserialize)]
struct Case {
    logits: Vec<f64>,
    loss: f64,
    gradient_norms: Vec<f64>,
    gradient_heads: Vec<Vec<f64>>,
    kernel: Vec<f64>,
    kernel_self: Vec<f64>,
}

#[test]
fn logits_gradients_and_kernels_equal_pytorch() {
    let golden: Golden = serde_json::from_str(include_str!("../../tests/golden/classifier.json")).unwrap();
    for ((name, shape), case) in shapes().into_iter().zip([&golden.mlp, &golden.lenet]) {
        let model = model(&shape);
        let logits = floats(model.forward(noise(2)));
        for (ours, &theirs) in logits.iter().zip(&case.logits) {
            near(f64::from(*ours), theirs, 1e-5, 1.0, &format!("a logit of {name}"));
        }
        let loss = loss(&model, picture(0), &[golden.label]);
        near(f64::from(floats(loss.clone())[0]), case.loss, 1e-5, 1.0, "the loss");
        let gradient = gradient(&model, loss);
        assert_eq!(gradient.len(), case.gradient_norms.len());
        for ((ours, &norm), head) in gradient.iter().zip(&case.gradient_norms).zip(&case.gradient_heads) {
            near(dot(ours, ours).sqrt(), norm, 1e-5, 0.0, &format!("the norm of a gradient of {name}"));
            for (&ours, &theirs) in ours.iter().zip(head) {
                near(f64::from(ours), theirs, 1e-4, 1e-2 * norm, &format!("a gradient of {name}"));
            }
        }
        let (_, jacobian) = jacobian(&model, noise(2));
        let kernel = jacobian.kernel(&jacobian);
        let largest = case.kernel_self.iter().fold(0.0, |most: f64, k| most.max(k.abs()));
        for v in 0..V {
            for w in 0..V {
                let what = format!("K[{v}, {w}] of {name}");
                near(kernel.get((0, v), (1, w)), case.kernel[v * V + w], 1e-4, 0.1 * largest, &what);
                near(kernel.get((0, v), (0, w)), case.kernel_self[v * V + w], 1e-4, 0.1 * largest, &what);
            }
        }
    }
}

#[test]
fn kernels_equal_the_products_of_jacobians_laid_out() {
    for (name, shape) in shapes() {
        let model = model(&shape);
        let (beliefs, jacobian) = jacobian(&model, noise(3));
        let kernel = jacobian.kernel(&jacobian);
        let laid_out: Vec<_> = (0..3).map(|i| rows(&model, &picture(i))).collect();
        for (i, o) in laid_out.iter().enumerate() {
            for (j, u) in laid_out.iter().enumerate() {
                let mut squares = 0.0;
                for (v, o) in o.iter().enumerate() {
                    for (w, u) in u.iter().enumerate() {
                        let scale = (dot(o, o) * dot(u, u)).sqrt();
                        near(kernel.get((i, v), (j, w)), dot(o, u), 1e-5, scale, name);
                        squares += dot(o, u).powi(2);
                    }
                }
                near(kernel.frobenius(i, j), squares.sqrt(), 1e-5, 0.0, name);
            }
        }
        let logits = floats(model.forward(noise(3)));
        for (belief, row) in beliefs.iter().zip(logits.chunks_exact(V)) {
            assert_eq!(belief, &Belief::new(row));
        }
    }
}

#[test]
fn the_kernel_of_a_picture_with_itself_is_symmetric_and_positive() {
    for (name, shape) in shapes() {
        let (_, jacobian) = jacobian(&model(&shape), noise(2));
        let kernel = jacobian.kernel(&jacobian);
        for picture in 0..2 {
            let k = |v: usize, w: usize| kernel.get((picture, v), (picture, w));
            let trace: f64 = (0..V).map(|v| k(v, v)).sum();
            // cᵀKc is the squared length of a gradient, whatever the c.
            for trial in 0..50 {
                let c: Vec<f64> = formula(200 + trial, V, 1.0).into_iter().map(f64::from).collect();
                let form: f64 =
                    (0..V).flat_map(|v| (0..V).map(move |w| (v, w))).map(|(v, w)| c[v] * k(v, w) * c[w]).sum();
                assert!(form > -1e-5 * trace, "{name}: {form}");
            }
            for v in 0..V {
                for w in 0..V {
                    near(k(v, w), k(w, v), 1e-5, trace / V as f64, name);
                    assert!(k(v, w).powi(2) <= k(v, v) * k(w, w) * (1.0 + 1e-4), "{name}: Cauchy and Schwarz");
                }
            }
        }
    }
}

#[test]
fn the_residual_is_autodiffs_gradient_of_the_logits() {
    let logits = formula(7, V, 4.0);
    for label in [0, 4, 9] {
        let z = Tensor::<B, 2>::from_data(TensorData::new(logits.clone(), [1, V]), &Default::default()).require_grad();
        let loss = -per_token_logps(z.clone(), int_tensor(vec![label as i64], &Default::default())).sum();
        let theirs = floats(z.grad(&loss.backward()).unwrap());
        let belief = Belief::new(&logits);
        for (ours, theirs) in belief.residual(label).into_iter().zip(theirs) {
            near(ours, f64::from(theirs), 1e-5, 1.0, "G");
        }
        near(
            belief.residual_norm(label).powi(2),
            belief.residual(label).iter().map(|g| g * g).sum(),
            1e-12,
            0.0,
            "‖G‖",
        );
    }
    let belief = Belief::new(&logits);
    let p: Vec<f64> = belief.probabilities().collect();
    // ‖A‖_F entry by entry.
    let entries = (0..V).flat_map(|i| p.iter().enumerate().map(move |(j, p)| f64::from(u8::from(i == j)) - p));
    near(belief.adaptation_norm(), entries.map(|a| a * a).sum::<f64>().sqrt(), 1e-12, 0.0, "‖A‖_F");
    assert_eq!(belief.likeliest(), (0..V).max_by(|&a, &b| logits[a].total_cmp(&logits[b])).unwrap());
}

#[test]
fn the_parts_of_all_examples_sum_to_the_whole() {
    let labels = [4, 9, 4, 0, 3];
    for (name, shape) in shapes() {
        let model = model(&shape);
        let batch = noise(5);
        let whole = gradient(&model, loss(&model, batch.clone(), &labels)).concat();
        let (_, jacobian) = jacobian(&model, picture(6));
        let parts = jacobian.kernel(&each(&model, batch, &labels));
        for (v, row) in rows(&model, &picture(6)).iter().enumerate() {
            let sum: f64 = (0..labels.len()).map(|i| parts.get((0, v), (i, 0))).sum();
            near(sum, dot(row, &whole), 1e-5, (dot(row, row) * dot(&whole, &whole)).sqrt(), name);
        }
    }
}

/// θ − η∇L.
struct Descend<'a> {
    gradients: &'a GradientsParams,
    rate: f64,
}

impl ModuleMapper<B> for Descend<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
        let gradient = self.gradients.get::<Inner, D>(param.id).unwrap();
        let stepped = param.val().inner() - gradient * self.rate;
        Param::initialized(param.id, Tensor::from_inner(stepped))
    }
}

#[test]
fn halving_the_rate_cuts_the_error_of_the_prediction_to_a_quarter() {
    let (update, label) = (picture(0), 4);
    for (name, shape, rate) in [("mlp", shapes()[0].1.clone(), 2e-3), ("lenet", ClassifierShape::lenet(), 1e-4)] {
        let model = model(&shape);
        let (beliefs, jacobian) = jacobian(&model, picture(1));
        let kernel = jacobian.kernel(&each(&model, update.clone(), &[label]));
        let gradients = GradientsParams::from_grads(loss(&model, update.clone(), &[label]).backward(), &model);
        let error = |rate: f64| {
            let stepped = model.clone().map(&mut Descend { gradients: &gradients, rate });
            let after = Belief::new(&floats(stepped.valid().forward(picture(1).inner())));
            let change: Vec<f64> = (0..V).map(|v| -rate * kernel.get((0, v), (0, 0))).collect();
            let predicted = beliefs[0].adapt(&change);
            let measured = after.log_probs.iter().zip(&beliefs[0].log_probs).map(|(after, before)| after - before);
            let errors = measured.zip(&predicted).map(|(measured, predicted)| measured - predicted);
            (errors.map(|e| e * e).sum::<f64>().sqrt(), predicted.iter().map(|p| p * p).sum::<f64>().sqrt())
        };
        let ((whole, size), (half, _)) = (error(rate), error(rate / 2.0));
        assert!(whole < 0.3 * size, "{name}: the prediction is of the right order: {whole} of {size}");
        assert!((3.0..5.0).contains(&(whole / half)), "{name}: {whole} at the whole rate, {half} at half of it");
    }
}

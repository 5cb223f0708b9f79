//! The shipped model as a whole: log-probs and their gradient.

use burn::optim::GradientsParams;
use burn::tensor::backend::AutodiffBackend;

use super::{Row, Tolerance};
use crate::backend::floats;
use crate::data::Sequence;
use crate::data::tokenizer::Tokenizer;
use crate::data::world;
use crate::error::Result;
use crate::experiment::WorldTask;
use crate::model::batch::Batch;
use crate::model::{Checkpoint, Transformer};
use crate::protocol::ProbeKind;
use crate::train::{apart, gradient_of, logps};

/// Answers that are scored.
const ANSWERS: usize = 8;
/// How far apart two backends' gradients may be, per unit of tolerance: sums over all positions of all layers.
const THROUGH_ALL_LAYERS: f64 = 10.0;

/// What a backend finds of the shipped model.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Whole {
    /// log π of every token of the answers, nats.
    logps: Vec<f32>,
    /// The gradient of their sum, every parameter in order.
    gradient: Vec<f32>,
}

/// Answers of the world, as tokens.
pub(crate) fn sequences(tokenizer: &Tokenizer, answers: usize) -> Result<Vec<Sequence>> {
    let task = WorldTask { train: answers, held_out: 1, ..WorldTask::default() };
    let examples = world::task(0, &task)?.train;
    examples
        .iter()
        .map(|example| {
            let answer = example.responses.get(&ProbeKind::Chosen).map_or("", String::as_str);
            Ok(Sequence::new(tokenizer.encode(&example.prompt)?, tokenizer.encode_completion(answer)?))
        })
        .collect()
}

impl Whole {
    /// Computes it.
    ///
    /// # Errors
    /// When the shipped model cannot be read.
    pub(crate) fn on<B: AutodiffBackend>(device: &B::Device) -> Result<Self> {
        let checkpoint = Checkpoint::base()?;
        let model: Transformer<B> = checkpoint.load(device)?;
        let sequences = sequences(&checkpoint.tokenizer, ANSWERS)?;
        let batch = Batch::whole(&sequences.iter().collect::<Vec<_>>(), checkpoint.tokenizer.pad(), device);
        let logps = logps(&model, &batch);
        let gradients = GradientsParams::from_grads(logps.clone().sum().backward(), &model);
        Ok(Self { logps: floats(logps), gradient: gradient_of(&model, gradients) })
    }
}

/// The model on a backend against another one, and its gradient against the change that a small step along it makes.
pub(super) fn rows<B: AutodiffBackend>(
    device: &B::Device,
    tolerance: Tolerance,
    other: Option<(&str, Whole)>,
) -> Result<Vec<Row>> {
    let found = Whole::on::<B>(device)?;
    let mut rows = Vec::new();
    if let Some((name, expected)) = other {
        let double = |numbers: &[f32]| numbers.iter().map(|&x| f64::from(x)).collect::<Vec<_>>();
        let through = THROUGH_ALL_LAYERS * tolerance.products;
        let error = apart(&found.logps, &double(&expected.logps));
        rows.push(Row::apart(format!("shipped model: log-probs, as on {name}"), error, through));
        let error = apart(&found.gradient, &double(&expected.gradient));
        rows.push(Row::apart(format!("shipped model: gradient, as on {name}"), error, through));
    }
    rows.push(along_the_gradient::<B>(device, &found.gradient)?);
    Ok(rows)
}

/// (L(θ + εĝ) − L(θ − εĝ)) / 2ε = ‖g‖, with ĝ = g/‖g‖ and L the sum of the log-probs.
fn along_the_gradient<B: AutodiffBackend>(device: &B::Device, gradient: &[f32]) -> Result<Row> {
    /// Nats that the step is to change L by: far above what rounding does, and small enough for the first order.
    const CHANGE: f64 = 1.0;
    const TOLERATED: f64 = 1e-2;
    let checkpoint = Checkpoint::base()?;
    let sequences = sequences(&checkpoint.tokenizer, ANSWERS)?;
    let batch: Batch<B> = Batch::whole(&sequences.iter().collect::<Vec<_>>(), checkpoint.tokenizer.pad(), device);
    let norm = gradient.iter().map(|&g| f64::from(g) * f64::from(g)).sum::<f64>().sqrt();
    let step = CHANGE / norm;
    let plain: Transformer<B> = checkpoint.load(device)?;
    let weights = plain.to_parameters();
    let at = |sign: f64| -> Result<f64> {
        let mut slopes = gradient.iter();
        let mut next = weights.iter();
        let moved = Transformer::<B>::from_parameters(&checkpoint.config, device, |_, _| {
            let moved = next.next().into_iter().flatten().zip(&mut slopes);
            #[allow(clippy::cast_possible_truncation, reason = "weights are in single precision")]
            let moved = moved.map(|(&w, &g)| (f64::from(w) + sign * step * f64::from(g) / norm) as f32);
            Ok::<_, crate::Error>(moved.collect())
        })?;
        Ok(floats(logps(&moved, &batch)).into_iter().map(f64::from).sum())
    };
    let slope = (at(1.0)? - at(-1.0)?) / (2.0 * step);
    Ok(Row::apart("shipped model: gradient, by a small step", (slope / norm - 1.0).abs(), TOLERATED))
}

//! The speed of a backend on this machine.

use std::time::{Duration, Instant};

use burn::optim::GradientsParams;
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{Tensor, TensorData};

use super::Row;
use super::kernels::{numbers, single};
use super::whole::sequences;
use crate::backend;
use crate::error::Result;
use crate::model::batch::Batch;
use crate::model::{Checkpoint, Transformer};
use crate::train::logps;

/// How long each measurement goes on, at least.
const LONG: Duration = Duration::from_millis(700);
/// Answers in a batch.
const ANSWERS: usize = 32;
/// Sides of the matrices whose product is timed; the fastest counts.
const SIDES: [usize; 3] = [512, 1024, 2048];

/// Training tokens a second on the shipped model, the peak of a matrix product, the one in terms of the other, and memory.
///
/// # Errors
/// When the shipped model cannot be read.
pub(crate) fn rows<B: AutodiffBackend>(device: &B::Device, tell: &mut dyn FnMut(Row) -> Result<()>) -> Result<()> {
    let (side, peak) = SIDES
        .map(|side| (side, product_rate::<B::InnerBackend>(side, device)))
        .into_iter()
        .fold((0, 0.0), |best, next| if next.1 > best.1 { next } else { best });
    tell(Row::measured("matrix product, best here", format!("{:.1} GFLOP/s at {side} × {side}", peak / 1e9)))?;
    let (tokens, parameters) = training_rate::<B>(device)?;
    tell(Row::measured("shipped model, forward and backward", format!("{tokens:.0} tokens/s")))?;
    let share = 6.0 * parameters * tokens / peak;
    tell(Row::measured(
        "model FLOP utilisation",
        format!("{:.0} % of that product's rate (6 FLOP a parameter and token); the model is small", 100.0 * share),
    ))?;
    let memory = backend::most_memory().map_or_else(
        || "not told by this system".to_owned(),
        |bytes| format!("{} of this process, a GPU's own not counted", crate::text::bytes(bytes)),
    );
    tell(Row::measured("peak memory", memory))
}

/// Repeats `work` until it has taken long enough; seconds a time, the first one left out.
#[allow(clippy::cast_precision_loss, reason = "few repetitions")]
fn seconds(mut work: impl FnMut()) -> f64 {
    work();
    let (began, mut times) = (Instant::now(), 0);
    while times == 0 || began.elapsed() < LONG {
        work();
        times += 1;
    }
    began.elapsed().as_secs_f64() / f64::from(times)
}

/// Waits for whatever a device still has to do for this tensor.
fn wait<B: Backend, const D: usize>(tensor: Tensor<B, D>) {
    let _ = tensor.sum().into_data();
}

/// FLOP a second of the product of two square matrices.
#[allow(clippy::cast_precision_loss, reason = "small sizes")]
fn product_rate<B: Backend>(side: usize, device: &B::Device) -> f64 {
    let matrix = |salt| -> Tensor<B, 2> {
        Tensor::from_data(TensorData::new(single(&numbers(side * side, salt)), [side, side]), device)
    };
    let (a, b) = (matrix(1), matrix(2));
    2.0 * (side as f64).powi(3) / seconds(|| wait(a.clone().matmul(b.clone())))
}

/// Tokens a second that are read and learnt from, and how many parameters learn.
#[allow(clippy::cast_precision_loss, reason = "small numbers")]
fn training_rate<B: AutodiffBackend>(device: &B::Device) -> Result<(f64, f64)> {
    let checkpoint = Checkpoint::base()?;
    let model: Transformer<B> = checkpoint.load(device)?;
    let sequences = sequences(&checkpoint.tokenizer, ANSWERS)?;
    let tokens: usize = sequences.iter().map(|s| s.tokens()).sum();
    let batch = Batch::whole(&sequences.iter().collect::<Vec<_>>(), checkpoint.tokenizer.pad(), device);
    let taken = seconds(|| {
        let logps = logps(&model, &batch);
        let gradients = GradientsParams::from_grads(logps.clone().sum().backward(), &model);
        drop(gradients);
        wait(logps.inner());
    });
    Ok((tokens as f64 / taken, checkpoint.config.parameter_count() as f64))
}

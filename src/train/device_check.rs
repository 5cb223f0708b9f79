//! The check before a GPU trains: one block of the very model, with its embedding and its output, on a batch of the very data, held
//! against the CPU. Kernels are chosen by shapes, and a backend that passed its selftest may be wrong on others.

use std::fmt;

use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use burn::tensor::TensorData;
use burn::tensor::backend::AutodiffBackend;

use super::apart::apart;
use super::backprop::logps;
use super::gradients::gradient_of;
use crate::backend::{Found, Work, floats, int_tensor, on};
use crate::data::Sequence;
use crate::error::{Error, Result};
use crate::experiment::Precision;
use crate::model::batch::Batch;
use crate::model::{Checkpoint, Transformer};

/// Multiplications that the CPU may spend, about a second.
const BUDGET: usize = 10_000_000_000;
/// Rows that the CPU computes, at most.
const ROWS: usize = 4;
/// Tokens that are read one by one.
const DECODED: usize = 8;

/// What a backend finds of some rows of a batch.
#[derive(Debug, Clone, PartialEq)]
struct Numbers {
    logps: Vec<f32>,
    gradient: Vec<f32>,
}

/// How far a backend is from another one.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Distances {
    logps: f64,
    gradient: f64,
    decoding: f64,
}

impl fmt::Display for Distances {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { logps, gradient, decoding } = self;
        write!(f, "log-probs {logps:.1e} apart, gradient {gradient:.1e}, one token at a time {decoding:.1e}")
    }
}

/// How far apart they may be: products in TF32 or bfloat16 round more than in full.
fn tolerated(precision: Precision) -> f64 {
    match precision {
        Precision::F32 => 2e-2,
        Precision::Bf16 => 1e-1,
    }
}

/// Holds a backend against the CPU on the model's own shapes; the finding as a sentence.
///
/// # Errors
/// When the backend is further from the CPU than rounding explains, with the ways out.
pub(crate) fn check<B: AutodiffBackend>(
    checkpoint: &Checkpoint,
    sequences: &[&Sequence],
    precision: Precision,
    device: &B::Device,
    name: &str,
) -> Result<String> {
    let block = checkpoint.first_block();
    let watched = affordable(&block, sequences);
    let rows: Vec<Sequence> = watched.iter().map(|&row| sequences[row].clone()).collect();
    let expected = numbers_on_cpu(&block, &rows, precision)?;
    let model: Transformer<B> = block.load::<B>(device)?.compute_in(precision);
    let found = numbers(&model, sequences, &watched, block.tokenizer.pad());
    let double = |numbers: &[f32]| numbers.iter().map(|&x| f64::from(x)).collect::<Vec<_>>();
    let distances = Distances {
        logps: apart(&found.logps, &double(&expected.logps)),
        gradient: apart(&found.gradient, &double(&expected.gradient)),
        decoding: rows.first().map_or(0.0, |row| one_by_one(&model, row)),
    };
    judge(distances, tolerated(precision), name)
}

fn judge(distances: Distances, tolerated: f64, name: &str) -> Result<String> {
    let Distances { logps, gradient, decoding } = distances;
    // What is no number is as far as can be.
    if [logps, gradient, decoding].into_iter().all(|distance| distance <= tolerated) {
        return Ok(format!("{name} agrees with the CPU on this model's shapes: {distances}"));
    }
    Err(Error::failed(format!(
        "the backend {name} gives wrong numbers on this model's shapes: {distances} ({tolerated:.0e} tolerated). Nothing was \
         trained. `ldyn-tui selftest --backend {name}` says which kernels are at fault; a program built with --features \
         {name}-safe, without fused kernels, tells a doubtful GPU from doubtful kernels; --backend flex trains on the CPU; check_device: false in the experiment skips this check"
    )))
}

/// The rows that the CPU computes: the shortest, as many as it can within its budget, one at least.
fn affordable(block: &Checkpoint, sequences: &[&Sequence]) -> Vec<usize> {
    let mut rows: Vec<usize> = (0..sequences.len()).collect();
    rows.sort_by_key(|&row| sequences[row].tokens());
    let of_token = 3 * block.config.parameter_count();
    let mut spent = 0usize;
    let within = |row: &usize| {
        let first = spent == 0;
        spent = spent.saturating_add(of_token.saturating_mul(sequences[*row].tokens()));
        first || spent <= BUDGET
    };
    let mut rows: Vec<usize> = rows.into_iter().take(ROWS).take_while(within).collect();
    rows.sort_unstable();
    rows
}

/// Log-probs of a checkpoint's answers and the gradient of their sum on the CPU, to hold another backend's against.
///
/// # Errors
/// When the checkpoint cannot be loaded.
fn numbers_on_cpu(checkpoint: &Checkpoint, sequences: &[Sequence], precision: Precision) -> Result<Numbers> {
    struct Compute<'a>(&'a Checkpoint, &'a [Sequence], Precision);
    impl Work for Compute<'_> {
        type Output = Result<Numbers>;
        fn with<B: AutodiffBackend>(self, device: &B::Device, _: &str) -> Self::Output {
            let model = self.0.load::<B>(device)?.compute_in(self.2);
            let (sequences, all): (Vec<&Sequence>, Vec<usize>) = (self.1.iter().collect(), (0..self.1.len()).collect());
            Ok(numbers(&model, &sequences, &all, self.0.tokenizer.pad()))
        }
    }
    on(Found::Flex, Compute(checkpoint, sequences, precision))
}

/// Log-probs of the rows `watched`, and the gradient of their sum; the whole batch is computed.
fn numbers<B: AutodiffBackend>(
    model: &Transformer<B>,
    sequences: &[&Sequence],
    watched: &[usize],
    pad: u32,
) -> Numbers {
    let device = model.device();
    let batch: Batch<B> = Batch::whole(sequences, pad, &device);
    let weights: Vec<f32> = batch.owner.iter().map(|row| f32::from(u8::from(watched.contains(row)))).collect();
    let all = logps(model, &batch);
    let weighed = all.clone() * Tensor::<B, 1>::from_data(TensorData::new(weights.clone(), [weights.len()]), &device);
    let gradient = gradient_of(model, GradientsParams::from_grads(weighed.sum().backward(), model));
    let logps =
        floats(all).into_iter().zip(weights).filter(|(_, weight)| *weight > 0.0).map(|(logp, _)| logp).collect();
    Numbers { logps, gradient }
}

/// How far hidden states are that are read one token at a time, keys and values kept, from those that are read at once.
fn one_by_one<B: AutodiffBackend>(model: &Transformer<B>, row: &Sequence) -> f64 {
    let device = model.device();
    let ids: Vec<u32> = row.prompt_ids.iter().chain(&row.completion_ids).copied().collect();
    let start = row.prompt_ids.len().min(ids.len() - 1).max(1);
    let ids = &ids[..ids.len().min(start + DECODED)];
    let tensor =
        |ids: &[u32]| int_tensor::<B>(ids.iter().map(|&id| i64::from(id)).collect(), &device).reshape([1, ids.len()]);
    let whole = floats(model.forward(tensor(ids)));
    let (_, mut past) = model.read_prompts(tensor(&ids[..start]), vec![start]);
    let found: Vec<f32> =
        ids[start..].iter().flat_map(|&id| floats(model.forward_after(tensor(&[id]), &mut past, true))).collect();
    let expected: Vec<f64> = whole[whole.len() - found.len()..].iter().map(|&x| f64::from(x)).collect();
    if found.is_empty() { 0.0 } else { apart(&found, &expected) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::{Distances, affordable, check, judge, numbers, tolerated};
    use crate::backend::TestBackend;
    use crate::experiment::Precision;
    use crate::model::{Checkpoint, Transformer};
    use crate::selftest::sequences;

    #[test]
    fn a_sound_backend_is_let_through() {
        let checkpoint = Checkpoint::base().unwrap();
        let all = sequences(&checkpoint.tokenizer, 6).unwrap();
        let rows: Vec<_> = all.iter().collect();
        let device = Default::default();
        for precision in [Precision::F32, Precision::Bf16] {
            let said = check::<TestBackend>(&checkpoint, &rows, precision, &device, "flex").unwrap();
            assert!(said.starts_with("flex agrees with the CPU"), "{said}");
        }
    }

    #[test]
    fn one_block_stands_for_the_model_and_rows_do_not_disturb_each_other() {
        let checkpoint = Checkpoint::base().unwrap();
        let block = checkpoint.first_block();
        assert!(block.config.layers == 1 && checkpoint.config.layers > 1);
        let all = sequences(&checkpoint.tokenizer, 6).unwrap();
        let rows: Vec<_> = all.iter().collect();
        let model: Transformer<TestBackend> = block.load(&Default::default()).unwrap();
        let watched = affordable(&block, &rows);
        assert_eq!(watched.len(), 4, "the budget is for larger models");
        let among = numbers(&model, &rows, &watched, 0);
        let alone: Vec<_> = watched.iter().map(|&row| rows[row]).collect();
        let alone = numbers(&model, &alone, &[0, 1, 2, 3], 0);
        let far = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert_eq!(among.logps.len(), alone.logps.len());
        assert!(far(&among.logps, &alone.logps) < 1e-4 && far(&among.gradient, &alone.gradient) < 1e-3);
        // A copy in memory is cut in the same way as files are.
        let copy = checkpoint.with_weights(&checkpoint.load::<TestBackend>(&Default::default()).unwrap()).first_block();
        let of_copy = numbers::<TestBackend>(&copy.load(&Default::default()).unwrap(), &rows, &watched, 0);
        assert_eq!(of_copy, among);
    }

    #[test]
    fn wrong_numbers_are_refused_with_the_ways_out() {
        let limit = tolerated(Precision::F32);
        let sound = Distances { logps: 1e-3, gradient: 1e-3, decoding: 0.0 };
        assert!(judge(sound, limit, "wgpu").is_ok());
        for wrong in [
            Distances { logps: 0.62, ..sound },
            Distances { gradient: f64::NAN, ..sound },
            Distances { decoding: 0.1, ..sound },
        ] {
            let said = judge(wrong, limit, "wgpu").unwrap_err().to_string();
            for part in ["wgpu gives wrong numbers", "selftest --backend wgpu", "wgpu-safe", "check_device: false"] {
                assert!(said.contains(part), "{part}: {said}");
            }
        }
    }
}

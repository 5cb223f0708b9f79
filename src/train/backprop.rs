//! One pass over a batch: the log-probs first, and once the objective has made weights of them, the gradients.
//!
//! The ordinary pass keeps the whole graph in between. Gradient checkpointing (Chen et al. 2016, arXiv 1604.06174) keeps
//! the input of every block, and on the way back computes one block at a time anew, this time with its graph. The logits
//! `[tokens, V]`, with a large vocabulary the largest tensors of all, are then made a few rows at a time: once for the
//! log-probs and once for the gradients.

use burn::module::AutodiffModule;
use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{IndexingUpdateOp, Int, Tensor, TensorData};

use crate::backend::{Attempt, floats, int_tensor};
use crate::model::batch::Batch;
use crate::model::{self, Transformer};
use crate::objective::logps::per_token_logps;

/// Tokens whose logits exist at the same time, where blocks are computed anew.
pub(super) const ROWS_AT_ONCE: usize = 256;

/// Sums the gradients of several passes.
pub(super) type Accumulator<B> = GradientsAccumulator<Transformer<B>>;

/// A pass that waits for its weights.
pub(super) struct Pass<B: AutodiffBackend> {
    pub(super) batch: Batch<B>,
    kept: Kept<B>,
}

/// What the backward pass needs.
enum Kept<B: AutodiffBackend> {
    /// The log-probs, which hold the graph.
    Graph(Tensor<B, 1>),
    Inputs {
        logps: Vec<f32>,
        /// What each block read, `[batch · positions, d]`.
        inputs: Vec<Tensor<B::InnerBackend, 2>>,
        /// What the last block wrote.
        output: Tensor<B::InnerBackend, 2>,
    },
}

impl<B: AutodiffBackend> Pass<B> {
    /// Reads the batch; with `checkpointing`, only every block's input is kept.
    pub(super) fn forward(model: &Transformer<B>, batch: Batch<B>, checkpointing: bool) -> Self {
        let kept = if checkpointing { inputs(&model.valid(), &batch) } else { Kept::Graph(logps(model, &batch)) };
        Self { batch, kept }
    }

    /// log π of every token that is to be predicted, nats.
    pub(super) fn logps(&self) -> Vec<f32> {
        match &self.kept {
            Kept::Graph(logps) => floats(logps.clone()),
            Kept::Inputs { logps, .. } => logps.clone(),
        }
    }

    /// Adds Σ weight·∇log π to `sum`; `weights` holds d(loss)/d(log π) of every token. The loss itself need not be in the
    /// graph.
    pub(super) fn backward(self, model: &Transformer<B>, weights: &[f32], sum: &mut Accumulator<B>) {
        let device = model.device();
        match self.kept {
            Kept::Graph(logps) => add((logps * vector(weights, &device)).sum(), model, sum),
            Kept::Inputs { inputs, output, .. } => {
                let gradient = head(model, &self.batch, output, weights, sum);
                blocks(model, &self.batch, inputs, gradient, sum);
            }
        }
    }
}

/// log π of every token of a batch that is to be predicted, nats.
pub(crate) fn logps<B: Backend>(model: &Transformer<B>, batch: &Batch<B>) -> Tensor<B, 1> {
    let hidden = model.forward(batch.tokens.clone()).select(0, batch.predicting_tensor(&model.device()));
    label_logps(model.logits(hidden), &batch.labels)
}

/// log π of one label a row of logits `[rows, V]`, nats.
pub(super) fn label_logps<B: Backend>(logits: Tensor<B, 2>, labels: &[u32]) -> Tensor<B, 1> {
    match model::label_logps(logits, labels) {
        Attempt::Done(logps) => logps.squeeze_dim(1),
        Attempt::NoKernel([logits]) => {
            let labels = int_tensor(labels.iter().map(|&id| i64::from(id)).collect(), &logits.device());
            per_token_logps(logits, labels)
        }
    }
}

/// Reads the batch without a graph.
fn inputs<B: AutodiffBackend>(model: &Transformer<B::InnerBackend>, batch: &Batch<B>) -> Kept<B> {
    let device = model.device();
    let reading = model.reading(batch.tokens.clone().inner());
    let mut x = model.embed(&reading);
    let mut inputs = Vec::with_capacity(model.layers());
    for layer in 0..model.layers() {
        inputs.push(x.clone());
        x = model.block(layer, x, &reading);
    }
    let mut logps = Vec::with_capacity(batch.labels.len());
    for (rows, labels) in batch.predicting.chunks(ROWS_AT_ONCE).zip(batch.labels.chunks(ROWS_AT_ONCE)) {
        let hidden = model.normalise(x.clone().select(0, index(rows, &device)));
        logps.extend(floats(label_logps(model.logits(hidden), labels)));
    }
    Kept::Inputs { logps, inputs, output: x }
}

/// The way back through logits and last norm; returns the gradient of what the last block wrote.
fn head<B: AutodiffBackend>(
    model: &Transformer<B>,
    batch: &Batch<B>,
    output: Tensor<B::InnerBackend, 2>,
    weights: &[f32],
    sum: &mut Accumulator<B>,
) -> Tensor<B::InnerBackend, 2> {
    let device = model.device();
    let mut gradient = output.zeros_like();
    let parts = batch.predicting.chunks(ROWS_AT_ONCE).zip(batch.labels.chunks(ROWS_AT_ONCE));
    for ((rows, labels), weights) in parts.zip(weights.chunks(ROWS_AT_ONCE)) {
        let rows = index(rows, &device);
        let leaf = Tensor::from_inner(output.clone().select(0, rows.clone())).require_grad();
        let logits = model.logits(model.normalise(leaf.clone()));
        let logps = label_logps(logits, labels);
        let of_rows = add_from(&leaf, (logps * vector(weights, &device)).sum(), model, sum);
        gradient = gradient.select_assign(0, rows, of_rows, IndexingUpdateOp::Add);
    }
    gradient
}

/// The way back through the blocks, the last one first, and the embeddings. `gradient` is that of what the last block
/// wrote.
fn blocks<B: AutodiffBackend>(
    model: &Transformer<B>,
    batch: &Batch<B>,
    inputs: Vec<Tensor<B::InnerBackend, 2>>,
    mut gradient: Tensor<B::InnerBackend, 2>,
    sum: &mut Accumulator<B>,
) {
    let reading = model.reading(batch.tokens.clone());
    for (layer, input) in inputs.into_iter().enumerate().rev() {
        let leaf = Tensor::from_inner(input).require_grad();
        let output = model.block(layer, leaf.clone(), &reading);
        gradient = add_from(&leaf, (output * Tensor::from_inner(gradient)).sum(), model, sum);
    }
    // Beneath adapters the embeddings are frozen.
    if !model.is_adapted() {
        add((model.embed(&reading) * Tensor::from_inner(gradient)).sum(), model, sum);
    }
}

/// Adds the gradients of a scalar with respect to the model's parameters.
fn add<B: AutodiffBackend>(scalar: Tensor<B, 1>, model: &Transformer<B>, sum: &mut Accumulator<B>) {
    sum.accumulate(model, GradientsParams::from_grads(scalar.backward(), model));
}

/// Adds the gradient to the sum; returns that with respect to `leaf`.
fn add_from<B: AutodiffBackend>(
    leaf: &Tensor<B, 2>,
    scalar: Tensor<B, 1>,
    model: &Transformer<B>,
    sum: &mut Accumulator<B>,
) -> Tensor<B::InnerBackend, 2> {
    let mut gradients = scalar.backward();
    let of_leaf = leaf.grad_remove(&mut gradients);
    sum.accumulate(model, GradientsParams::from_grads(gradients, model));
    of_leaf.unwrap_or_else(|| leaf.clone().inner().zeros_like())
}

fn index<B: Backend>(rows: &[usize], device: &B::Device) -> Tensor<B, 1, Int> {
    int_tensor(rows.iter().map(|&row| row as i64).collect(), device)
}

fn vector<B: Backend>(values: &[f32], device: &B::Device) -> Tensor<B, 1> {
    Tensor::from_data(TensorData::new(values.to_vec(), [values.len()]), device)
}

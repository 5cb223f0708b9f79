//! The memory that a stage needs at most, told before any of it is asked for.
//!
//! Everything is in single precision, 4 bytes a number. With T = rows · positions of the largest slice, P positions a row,
//! H heads, q = H · head size, d, f and V the widths of residual stream, feed-forward and vocabulary:
//!
//! ```text
//! weights       parameters
//! gradients     trained parameters for each half (of chosen and of rejected answers), and once more where slices are
//!               accumulated
//! optimiser     trained parameters × averages (AdamW 2, RMSprop 1, SGD 0)
//! forces        trained parameters × what is kept to tell the halves' updates apart
//! reference     a frozen copy of the weights where answers are sampled; two f64 a pair otherwise
//! activations   kept blocks × T · (n d + a + m f), and 2 · rows · H · P² where attention is made of operations
//! logits        5 · N · V, N the positions whose next token is learnt; 2 · N · V with kernels
//! probes        3 · M · V, M the tokens of y⁺ over all prompts: the stage's start, the latest and the one being made
//! evaluation    keys and values of the prompts twice, one pass over them or their answers, a chunk of logits; with kernels
//!               a small model's weights once more, the prompts' keys and values, and every thread's buffers
//! ```
//!
//! Of tensor operations, each of the two norms keeps what it reads, what it has normalised and what it gives (n = 6);
//! attention keeps the queries, the keys and values as every head sees them, and what it gives (a = 4 q), softmax its
//! exponentials and its result; SwiGLU keeps five numbers for each of its f (m = 5). The kernels of
//! [`fused`](crate::model) keep less: n = 4, a = 2 q and keys and values once, m = 3, and no scores. With gradient
//! checkpointing one block is kept, T · d of every other, and N is at most the rows whose logits are made together.
//!
//! The backward pass gives activations back while gradients come into being, so that the two are not there at the same
//! time in full: what counts is the larger of activations with logits and gradients, and the larger of that and an
//! evaluation, on top of what stays. The probes' distributions lie in the machine's memory whatever trains.

use std::fmt;

use super::backprop::ROWS_AT_ONCE as ROWS_OF_LOGITS;
use crate::model::architecture::{Activation, Norm};
use crate::model::transformer::COPIED;
use crate::model::{Architecture, LOGITS_TOGETHER, READ_TOGETHER};
use crate::probe::score::{PROMPT_TOKENS, ROWS_AT_ONCE, SEQUENCES_AT_ONCE, TOKENS_AT_ONCE};
use crate::text::bytes;

/// Bytes of a number.
const NUMBER: u64 = 4;

/// Rows of tokens that are read together, padding included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Slice {
    /// Sequences.
    pub rows: usize,
    /// Positions of each.
    pub positions: usize,
    /// Positions whose next token is learnt, over all rows.
    pub predicting: usize,
}

/// What is observed, in tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Observed {
    /// Prompts.
    pub prompts: usize,
    /// Tokens of the longest prompt.
    pub prompt: usize,
    /// Tokens of the longest response.
    pub response: usize,
    /// Tokens of y⁺ over all prompts.
    pub chosen: usize,
}

/// What a stage puts into memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    /// Numbers that are trained: all of the model's, or those of its adapters.
    pub trained: usize,
    /// Averages that the optimiser keeps of each of them.
    pub averages: usize,
    /// Numbers kept of each of them to take apart what moved the answers; 0 where nobody asks.
    pub followed: usize,
    /// Whether the gradient comes in two halves, of chosen and of rejected answers.
    pub halves: bool,
    /// Whether the blocks are computed anew on the way back (gradient checkpointing): one at a time keeps its activations
    /// then, of the others only what they read, and the logits are made a few rows at a time.
    pub recomputes: bool,
    /// Whether the blocks are made of kernels with gradients of their own, as they are in this machine's own memory.
    pub kernels: bool,
    /// The slice that needs most.
    pub slice: Slice,
    /// Whether several slices make a step.
    pub accumulates: bool,
    /// Whether the reference stays beside the model.
    pub frozen_copy: bool,
    /// Pairs whose reference log-probs are kept.
    pub referenced: usize,
    /// Tokens of the longest sequence that the reference scores; 0 where it scores none.
    pub scored: usize,
    /// What is observed.
    pub observed: Observed,
}

/// Bytes, part by part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Footprint {
    /// The model's numbers.
    pub weights: u64,
    /// The optimiser's averages.
    pub optimiser: u64,
    /// What moved the weights, part by part, and where they began.
    pub forces: u64,
    /// The frozen copy, or what it said.
    pub reference: u64,
    /// Gradients of one slice, and of those before it where they are accumulated.
    pub gradients: u64,
    /// Kept for the backward pass.
    pub activations: u64,
    /// Logits, their exponentials and their gradients.
    pub logits: u64,
    /// What comes and goes during an evaluation or while the reference is asked.
    pub evaluation: u64,
    /// Distributions that mass flow is measured against, in the machine's memory.
    pub probes: u64,
    /// The part of the gradients that is there while activations are.
    waiting: u64,
}

impl Footprint {
    /// The most that is there at the same time where the tensors are, bytes.
    pub fn tensors(&self) -> u64 {
        let pass = self.activations + self.logits;
        let step = self.waiting + pass.max(self.gradients - self.waiting);
        self.weights + self.optimiser + self.forces + self.reference + step.max(self.evaluation)
    }

    /// The most that is needed, with what always lies in the machine's memory.
    pub fn peak(&self) -> u64 {
        self.tensors() + self.probes
    }
}

/// The parts that matter, largest first.
impl fmt::Display for Footprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = vec![
            ("weights", self.weights),
            ("optimiser", self.optimiser),
            ("forces", self.forces),
            ("reference", self.reference),
            ("gradients", self.gradients),
            ("activations", self.activations),
            ("logits", self.logits),
            ("evaluation", self.evaluation),
            ("probes", self.probes),
        ];
        parts.retain(|(_, bytes)| *bytes > 0);
        parts.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
        let parts: Vec<String> = parts.iter().map(|(name, part)| format!("{name} {}", bytes(*part))).collect();
        write!(f, "about {} at most: {}; not all at the same time", bytes(self.peak()), parts.join(", "))
    }
}

/// The footprint of a stage on a model of that architecture.
pub fn footprint(architecture: &Architecture, load: &Load) -> Footprint {
    let (count, vocab) = (|numbers: usize| numbers as u64 * NUMBER, architecture.vocab_size);
    let parameters = architecture.parameter_count();
    let Load { trained, averages, slice, observed, .. } = *load;
    let tokens = slice.rows * slice.positions;
    let (kept_blocks, read, predicting) = if load.recomputes {
        (1, architecture.layers * tokens * architecture.hidden_size, slice.predicting.min(ROWS_OF_LOGITS))
    } else {
        (architecture.layers, 0, slice.predicting)
    };
    // What is recomputed is of one half at a time; otherwise both wait for their weights.
    let at_once = if load.recomputes && load.halves { Slice { rows: slice.rows.div_ceil(2), ..slice } } else { slice };
    let activations =
        kept_blocks * kept(architecture, at_once, load.kernels) + read + transient(architecture, at_once, load.kernels);
    let passing = count(trained);
    // Recomputing adds every part to its half's sum at once. Otherwise a slice's gradients come to be beside those before
    // it: the sums of other slices, and the half that came first, whose activations are gone by then.
    let sums = if load.halves { 2 * passing } else { passing };
    let (gradients, waiting) = match (load.recomputes, load.accumulates) {
        (true, _) => (sums, sums),
        (false, true) => (sums + passing, sums),
        (false, false) => (sums, 0),
    };
    // A model's first and last norm, and what the logits are made of.
    let ends = 3 * tokens * architecture.hidden_size;
    let measured = 3 * observed.chosen * vocab;
    let reference =
        if load.frozen_copy { count(parameters) } else { 0 } + load.referenced as u64 * 2 * size_of::<f64>() as u64;
    Footprint {
        weights: count(parameters),
        optimiser: count(trained * averages),
        forces: count(trained * load.followed),
        reference,
        gradients,
        activations: count(activations + ends),
        logits: count(copies_of_logits(load.kernels) * predicting * vocab),
        evaluation: count(if load.kernels {
            reading(architecture, &observed, load.scored)
        } else {
            evaluation(architecture, &observed).max(scoring(architecture, load.scored))
        }),
        probes: count(measured),
        waiting,
    }
}

/// Numbers that the slice needs during its step, to find the largest.
pub(super) fn weight_of(architecture: &Architecture, slice: Slice, kernels: bool) -> usize {
    let logits = copies_of_logits(kernels) * slice.predicting * architecture.vocab_size;
    architecture.layers * kept(architecture, slice, kernels) + logits
}

/// Numbers for every logit: of operations, the logits, the same shifted, exponentials and two gradients.
fn copies_of_logits(kernels: bool) -> usize {
    if kernels { 2 } else { 5 }
}

/// Numbers that one block keeps for its backward pass.
fn kept(architecture: &Architecture, slice: Slice, kernels: bool) -> usize {
    let Architecture { hidden_size, intermediate_size, heads, key_value_heads, head_size, .. } = *architecture;
    let (queries, keys) = (heads * head_size, key_value_heads * head_size);
    let norms = if kernels && architecture.norm == Norm::Rms { 4 } else { 6 } * hidden_size;
    let normed_heads = if architecture.query_key_norm { 2 * (queries + keys) } else { 0 };
    let (attention, scores) = if kernels {
        (2 * (queries + keys), 0)
    } else {
        (4 * queries, 2 * scores(architecture, slice.rows, slice.positions, slice.positions))
    };
    let inner = intermediate_size
        * match (architecture.gated, architecture.activation) {
            (true, Activation::Silu) if kernels => 3,
            (true, Activation::Silu) => 5,
            (true, Activation::GeluErf) => 4,
            (true, Activation::GeluTanh) => 9,
            (false, Activation::Silu) => 3,
            (false, Activation::GeluErf) => 2,
            (false, Activation::GeluTanh) => 7,
        };
    slice.rows * slice.positions * (norms + normed_heads + attention + inner) + scores
}

/// Numbers that come and go within one block: the scores of its attention, or its feed-forward.
fn transient(architecture: &Architecture, slice: Slice, kernels: bool) -> usize {
    let rows = if kernels { 1 } else { slice.rows };
    let scores = scores(architecture, rows, slice.positions, slice.positions);
    (2 * scores).max(3 * slice.rows * slice.positions * architecture.intermediate_size)
}

/// One number for every pair of positions that attention compares.
fn scores(architecture: &Architecture, rows: usize, positions: usize, sources: usize) -> usize {
    rows * architecture.heads * positions * sources
}

/// Numbers of one pass without a backward: the wider of attention and feed-forward of one block, and what it reads.
fn pass(architecture: &Architecture, rows: usize, positions: usize, sources: usize) -> usize {
    let Architecture { hidden_size, intermediate_size, heads, head_size, .. } = *architecture;
    let keys = 2 * rows * sources * heads * head_size;
    let attention = 3 * scores(architecture, rows, positions, sources) + keys;
    rows * positions * 4 * hidden_size + attention.max(4 * rows * positions * intermediate_size)
}

/// Numbers of an evaluation, or of asking the reference, where the model is read over plain numbers: weights in another
/// order, keys and values of the prompts, and every thread's buffers.
fn reading(architecture: &Architecture, observed: &Observed, scored: usize) -> usize {
    let Architecture { layers, hidden_size, intermediate_size, heads, key_value_heads, head_size, .. } = *architecture;
    let keys = key_value_heads * head_size;
    let copied = Some(architecture.parameter_count()).filter(|&count| count <= COPIED).unwrap_or(0);
    let prompts = (observed.prompts * observed.prompt).max(if scored > 0 { PROMPT_TOKENS } else { 0 });
    let row = 3 * hidden_size + 2 * heads * head_size + 2 * keys + 2 * intermediate_size;
    let buffers = READ_TOGETHER * row + LOGITS_TOGETHER.max(architecture.vocab_size);
    copied + 2 * layers * prompts * keys + rayon::current_num_threads() * buffers
}

/// Numbers of an evaluation by tensor operations, beside what it leaves: keys and values of the prompts, those picked for one kind of response,
/// a pass, and a chunk of logits.
fn evaluation(architecture: &Architecture, observed: &Observed) -> usize {
    let Observed { prompts, prompt, response, .. } = *observed;
    let key_values = 2 * architecture.layers * prompts * prompt * architecture.key_value_heads * architecture.head_size;
    let reading = pass(architecture, prompts, prompt, prompt);
    let answers = key_values + pass(architecture, prompts, response, prompt + response);
    let rows = ROWS_AT_ONCE.min(prompts * response);
    key_values + reading.max(answers) + 4 * rows * architecture.vocab_size
}

/// Numbers of a pass over sequences of `tokens` tokens under the reference.
fn scoring(architecture: &Architecture, tokens: usize) -> usize {
    if tokens == 0 {
        return 0;
    }
    let rows = (TOKENS_AT_ONCE / tokens).clamp(1, SEQUENCES_AT_ONCE);
    pass(architecture, rows, tokens, tokens) + 4 * ROWS_AT_ONCE.min(rows * tokens) * architecture.vocab_size
}

#[cfg(test)]
#[path = "footprint_tests.rs"]
mod tests;

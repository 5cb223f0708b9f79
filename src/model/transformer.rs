//! A decoder-only transformer, assembled from an [`Architecture`]: token embedding, pre-norm blocks of attention and
//! feed-forward, logits. Dropout is never applied: what is measured and what is trained is the same function.
//!
//! Choices: weights keep Hugging Face's orientation `[out, in]`; hidden states are flattened to `[rows, d]` wherever
//! positions do not matter, so that every projection and its gradient is one matrix product; rotary positions rotate
//! halves (not neighbours), as Hugging Face's models do; keys and values of a prefix can be kept ([`KeyValues`]), which
//! serves generation and probes that share a prompt alike; a pass can be made block by block ([`Reading`]).

use std::ops::Range;

use burn::module::{Module, Param};
use burn::tensor::activation::softmax;
use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor};

use super::architecture::{Architecture, Parameter, Positions, Role};
use super::attention::{Attend, KeyValues, Placement, repeat_heads, visibility};
use super::block::{Block, Lean, Leaning};
use super::fused;
use super::layers::{Builder, Linear, Normalise};
use super::plain::{self, Plain};
use super::product::{linear, product};
use super::rope::Rope;
use crate::backend::{Attempt, Shared, floats, int_tensor};
use crate::experiment::Precision;

/// Parameters of a model that may be copied to be read faster: beyond, the time is in the products of many rows, which a copy
/// does not make faster, and memory counts.
pub(crate) const COPIED: usize = 1 << 25;

/// The weights.
#[derive(Module, Debug)]
pub struct Transformer<B: Backend> {
    embedding: Param<Tensor<B, 2>>,
    /// `[positions, d]`, where positions are learned.
    positions: Option<Param<Tensor<B, 2>>>,
    blocks: Vec<Block<B>>,
    norm: Normalise<B>,
    lm_head: Option<Param<Tensor<B, 2>>>,
    #[module(skip)]
    architecture: Architecture,
    /// Frequencies of the rotary positions, radians a token.
    #[module(skip)]
    frequencies: Vec<f64>,
    /// Precision of the products of the blocks and of the logits.
    #[module(skip)]
    precision: Precision,
}

/// Rows of tokens that are being read: what a pass knows beside its hidden states. [`Transformer::embed`],
/// [`Transformer::block`] for each of [`Transformer::layers`] and [`Transformer::normalise`] are what
/// [`Transformer::forward`] does at once.
pub struct Reading<B: Backend> {
    /// `[batch, positions]`.
    tokens: Tensor<B, 2, Int>,
    placement: Placement<B>,
    /// What attention may see, `[batch or 1, 1, positions, sources]`.
    mask: Tensor<B, 4>,
}

impl<B: Backend> Transformer<B> {
    /// Builds the model from its parameters; `read` is asked for each by its shape, in the order of
    /// [`Architecture::parameters`], and gives its numbers in row-major order.
    ///
    /// # Errors
    /// Whatever `read` fails with.
    pub fn from_parameters<E>(
        architecture: &Architecture,
        device: &B::Device,
        read: impl FnMut(Parameter, &[usize]) -> Result<Vec<f32>, E>,
    ) -> Result<Self, E> {
        let mut parts = Builder { architecture, device, read };
        Ok(Self {
            embedding: parts.matrix(Role::Embedding)?,
            positions: parts.optional_matrix(Role::Positions)?,
            blocks: (0..architecture.layers)
                .map(|layer| {
                    Ok(Block {
                        attention_norm: parts.norm(Some(layer), Role::AttentionNorm)?,
                        query: parts.linear(layer, Role::Query)?,
                        key: parts.linear(layer, Role::Key)?,
                        value: parts.linear(layer, Role::Value)?,
                        query_norm: parts.optional_norm(layer, Role::QueryNorm)?,
                        key_norm: parts.optional_norm(layer, Role::KeyNorm)?,
                        output: parts.linear(layer, Role::Output)?,
                        mlp_norm: parts.norm(Some(layer), Role::MlpNorm)?,
                        gate: parts.optional_linear(layer, Role::Gate)?,
                        up: parts.linear(layer, Role::Up)?,
                        down: parts.linear(layer, Role::Down)?,
                    })
                })
                .collect::<Result<_, E>>()?,
            norm: parts.norm(None, Role::FinalNorm)?,
            lm_head: parts.optional_matrix(Role::Logits)?,
            frequencies: match &architecture.positions {
                Positions::Rotary(rotary) => rotary.frequencies(),
                Positions::Learned => Vec::new(),
            },
            precision: Precision::F32,
            architecture: architecture.clone(),
        })
    }

    /// A model of nothing, to stand in for one that is being changed.
    pub(crate) fn hollow(device: &B::Device) -> Self {
        let architecture = Architecture::hollow();
        let made = Self::from_parameters(&architecture, device, |_, shape| {
            Ok::<_, std::convert::Infallible>(vec![0.0; shape.iter().product()])
        });
        match made {
            Ok(model) => model,
        }
    }

    /// Every parameter's numbers in row-major order, in the order of [`Architecture::parameters`].
    pub fn to_parameters(&self) -> Vec<Vec<f32>> {
        let mut all = vec![floats(self.embedding.val())];
        all.extend(self.positions.iter().map(|p| floats(p.val())));
        for b in &self.blocks {
            b.attention_norm.push(&mut all);
            [&b.query, &b.key, &b.value].into_iter().for_each(|l| l.push(&mut all));
            [&b.query_norm, &b.key_norm].into_iter().flatten().for_each(|n| n.push(&mut all));
            b.output.push(&mut all);
            b.mlp_norm.push(&mut all);
            b.gate.iter().chain([&b.up, &b.down]).for_each(|l| l.push(&mut all));
        }
        self.norm.push(&mut all);
        all.extend(self.lm_head.iter().map(|p| floats(p.val())));
        all
    }

    /// The matrices of every block, block by block, each in the order of [`Architecture::parameters`].
    pub(super) fn linears(&mut self) -> impl Iterator<Item = (Role, &mut Linear<B>)> {
        self.blocks.iter_mut().flat_map(|b| {
            let attention = [
                (Role::Query, &mut b.query),
                (Role::Key, &mut b.key),
                (Role::Value, &mut b.value),
                (Role::Output, &mut b.output),
            ];
            let gate = b.gate.as_mut().map(|gate| (Role::Gate, gate));
            attention.into_iter().chain(gate).chain([(Role::Up, &mut b.up), (Role::Down, &mut b.down)])
        })
    }

    /// Computes its products in another precision from now on.
    #[must_use]
    pub fn compute_in(mut self, precision: Precision) -> Self {
        self.precision = precision;
        self.linears().for_each(|(_, linear)| linear.compute_in(precision));
        self
    }

    /// Whether adapters are trained in the place of the weights ([`Self::adapt`]).
    pub fn is_adapted(&self) -> bool {
        let of_block = |b: &Block<B>| {
            let linears = [&b.query, &b.key, &b.value, &b.output, &b.up, &b.down];
            linears.into_iter().chain(&b.gate).any(Linear::is_adapted)
        };
        self.blocks.iter().any(of_block)
    }

    /// The device that holds the weights.
    pub fn device(&self) -> B::Device {
        self.embedding.val().device()
    }

    /// Entries of the vocabulary.
    pub fn vocab_size(&self) -> usize {
        self.embedding.val().dims()[0]
    }

    /// Longest sequence, tokens.
    pub fn max_positions(&self) -> usize {
        self.architecture.max_position_embeddings
    }

    /// Reads right-padded rows of tokens `[batch, positions]` from the start. Returns the normalised hidden states,
    /// flattened to `[batch · positions, d]`.
    pub fn forward(&self, tokens: Tensor<B, 2, Int>) -> Tensor<B, 2> {
        self.run(&self.reading(tokens), None::<Attend<B>>, None)
    }

    /// Logits `[predicting, V]` of right-padded rows of tokens `[batch, positions]` at the flattened places `predicting`,
    /// read from the start by the model as it leans `towards` a direction, which is given as the weights of a model of the same
    /// shape: every row of the batch by its own number near zero, `by` of `[batch, 1]` (see [`Leaning`]).
    pub(crate) fn logits_leaning(
        &self,
        tokens: Tensor<B, 2, Int>,
        predicting: Tensor<B, 1, Int>,
        towards: &Self,
        by: Tensor<B, 2>,
    ) -> Tensor<B, 2> {
        let [batch, positions] = tokens.dims();
        let by = by.repeat_dim(1, positions).reshape([batch * positions, 1]);
        let lean = Lean { by, of_adapters: towards.is_adapted() };
        let hidden = self.run(&self.reading(tokens), None::<Attend<B>>, Some((towards, &lean)));
        let hidden = hidden.select(0, predicting.clone());
        let logits = self.logits(hidden.clone());
        if lean.of_adapters {
            return logits;
        }
        logits + towards.logits(hidden.detach()) * lean.by.select(0, predicting)
    }

    /// Begins to read right-padded rows of tokens from the start.
    pub fn reading(&self, tokens: Tensor<B, 2, Int>) -> Reading<B> {
        let [batch, positions] = tokens.dims();
        let device = tokens.device();
        let placement = self.placement(&vec![0; batch], positions, &device);
        let mask = visibility(1, positions, positions, |_, t, s| s <= t, &device);
        Reading { tokens, placement, mask }
    }

    /// One block, `[batch · positions, d]` to the same.
    pub fn block(&self, layer: usize, x: Tensor<B, 2>, reading: &Reading<B>) -> Tensor<B, 2> {
        self.through(layer..layer + 1, x, reading, None::<Attend<B>>, None)
    }

    /// The last block's output `[rows, d]`, normalised: what [`Self::logits`] reads.
    pub fn normalise(&self, x: Tensor<B, 2>) -> Tensor<B, 2> {
        self.norm.forward(x)
    }

    /// Transformer blocks.
    pub fn layers(&self) -> usize {
        self.blocks.len()
    }

    /// The model for reading without gradients the positions before `longest`. `None` where the weights do not lie in this
    /// machine's memory, are being differentiated, or products are not in single precision.
    pub(crate) fn plain(&self, longest: usize) -> Option<Plain> {
        if self.precision != Precision::F32 {
            return None;
        }
        let across = self.architecture.parameter_count() <= COPIED;
        let optional = |linear: &Option<Linear<B>>| match linear {
            None => Some(None),
            Some(linear) => linear.plain(across).map(Some),
        };
        let norm = |norm: &Option<Normalise<B>>| match norm {
            None => Some(None),
            Some(norm) => norm.plain().map(Some),
        };
        let block = |b: &Block<B>| {
            Some(plain::Block {
                attention_norm: b.attention_norm.plain()?,
                query: b.query.plain(across)?,
                key: b.key.plain(across)?,
                value: b.value.plain(across)?,
                query_norm: norm(&b.query_norm)?,
                key_norm: norm(&b.key_norm)?,
                output: b.output.plain(across)?,
                mlp_norm: b.mlp_norm.plain()?,
                gate: optional(&b.gate)?,
                up: b.up.plain(across)?,
                down: b.down.plain(across)?,
            })
        };
        let positions = match &self.positions {
            None => None,
            Some(table) => Some(Shared::of(table.val())?),
        };
        let weights = plain::Whole {
            embedding: Shared::of(self.embedding.val())?,
            positions,
            blocks: self.blocks.iter().map(block).collect::<Option<_>>()?,
            norm: self.norm.plain()?,
            output: plain::Weight::of(self.lm_head.as_ref().unwrap_or(&self.embedding).val(), None, across)?,
        };
        Some(Plain::new(&self.architecture, &self.frequencies, weights, longest))
    }

    /// Reads right-padded prompts and keeps their keys and values.
    pub fn read_prompts(&self, tokens: Tensor<B, 2, Int>, lengths: Vec<usize>) -> (Tensor<B, 2>, KeyValues<B>) {
        let [_, width] = tokens.dims();
        let mut past = KeyValues { layers: Vec::new(), prompt_lengths: lengths, prompt_width: width, appended: 0 };
        let reading = self.reading(tokens);
        let keep = |_, k: Tensor<B, 4>, v: Tensor<B, 4>| {
            past.layers.push((k.clone(), v.clone()));
            (k, v)
        };
        let hidden = self.run(&reading, Some(keep), None);
        (hidden, past)
    }

    /// Reads tokens `[batch, positions]` that follow `past`, row by row; the result is as of [`Self::forward`]. With
    /// `keep`, what was read becomes part of the past.
    pub fn forward_after(&self, tokens: Tensor<B, 2, Int>, past: &mut KeyValues<B>, keep: bool) -> Tensor<B, 2> {
        let [batch, positions] = tokens.dims();
        let device = tokens.device();
        let offsets = past.lengths();
        let placement = self.placement(&offsets, positions, &device);
        let before = past.prompt_width + past.appended;
        let sees = |b: usize, t: usize, s: usize| {
            if s < past.prompt_width { s < past.prompt_lengths[b] } else { s <= before + t }
        };
        let mask = visibility(batch, positions, before + positions, sees, &device);
        let mut extended = Vec::new();
        let append = |layer: usize, k, v| {
            let (past_k, past_v) = &past.layers[layer];
            let k = Tensor::cat(vec![past_k.clone(), k], 2);
            let v = Tensor::cat(vec![past_v.clone(), v], 2);
            if keep {
                extended.push((k.clone(), v.clone()));
            }
            (k, v)
        };
        let hidden = self.run(&Reading { tokens, placement, mask }, Some(append), None);
        if keep {
            past.layers = extended;
            past.appended += positions;
        }
        hidden
    }

    /// Logits `[rows, V]` of normalised hidden states `[rows, d]`.
    pub fn logits(&self, hidden: Tensor<B, 2>) -> Tensor<B, 2> {
        let output = self.lm_head.as_ref().unwrap_or(&self.embedding);
        linear(self.precision, hidden, output.val())
    }

    /// The placement of rows of `positions` tokens that begin at `offsets`.
    fn placement(&self, offsets: &[usize], positions: usize, device: &B::Device) -> Placement<B> {
        if self.positions.is_none() {
            let rope = Rope::new(&self.architecture, &self.frequencies, offsets, positions, device);
            return Placement { rope: Some(rope), learned: None };
        }
        // Padding may lie beyond the last position; nothing reads it.
        let last = self.architecture.max_position_embeddings - 1;
        let index = offsets.iter().flat_map(|&o| o..o + positions).map(|p| p.min(last) as i64).collect();
        Placement { rope: None, learned: Some(int_tensor(index, device)) }
    }

    /// The pass that all of the above share; `attend` sees each layer's fresh keys and values and gives those to attend to.
    /// Without it the tokens attend to those before them.
    fn run(
        &self,
        reading: &Reading<B>,
        attend: Option<impl FnMut(usize, Tensor<B, 4>, Tensor<B, 4>) -> (Tensor<B, 4>, Tensor<B, 4>)>,
        lean: Option<(&Self, &Lean<B>)>,
    ) -> Tensor<B, 2> {
        let weights = lean.filter(|(_, lean)| !lean.of_adapters);
        let x = match weights {
            None => self.embed(reading),
            Some((towards, lean)) => self.embed(reading) + towards.embed(reading) * lean.by.clone(),
        };
        let x = self.through(0..self.blocks.len(), x, reading, attend, lean);
        match weights {
            None => self.norm.forward(x),
            Some((towards, lean)) => self.norm.forward(x.clone()) + towards.norm.forward(x.detach()) * lean.by.clone(),
        }
    }

    /// What the first block reads, `[batch · positions, d]`: embeddings of tokens, and of their positions where those are
    /// learned.
    pub fn embed(&self, reading: &Reading<B>) -> Tensor<B, 2> {
        let [batch, positions] = reading.tokens.dims();
        let x = self.embedding.val().select(0, reading.tokens.clone().reshape([batch * positions]));
        match (&self.positions, &reading.placement.learned) {
            (Some(table), Some(index)) => x + table.val().select(0, index.clone()),
            _ => x,
        }
    }

    /// Takes hidden states through some of the blocks.
    fn through(
        &self,
        layers: Range<usize>,
        mut x: Tensor<B, 2>,
        Reading { tokens, placement, mask }: &Reading<B>,
        mut attend: Option<impl FnMut(usize, Tensor<B, 4>, Tensor<B, 4>) -> (Tensor<B, 4>, Tensor<B, 4>)>,
        lean: Option<(&Self, &Lean<B>)>,
    ) -> Tensor<B, 2> {
        let [batch, positions] = tokens.dims();
        let Architecture { heads, key_value_heads, head_size, activation, parallel_residual, .. } = self.architecture;
        #[allow(clippy::cast_precision_loss, reason = "a head size is small")]
        let scale = (head_size as f64).sqrt().recip();
        let split = |y: Tensor<B, 2>, heads: usize| y.reshape([batch, positions, heads, head_size]).swap_dims(1, 2);
        let place = |y: Tensor<B, 2>| match &placement.rope {
            Some(rope) => rope.rotate(y),
            None => y,
        };
        for (layer, block) in self.blocks.iter().enumerate().take(layers.end).skip(layers.start) {
            let block = Leaning { block, lean: lean.map(|(towards, lean)| (&towards.blocks[layer], lean)) };
            let normed = block.norm(|b| &b.attention_norm, x.clone());
            let q = block.norm_of_heads(|b| &b.query_norm, block.linear(|b| &b.query, normed.clone()));
            let k = block.norm_of_heads(|b| &b.key_norm, block.linear(|b| &b.key, normed.clone()));
            let v = block.linear(|b| &b.value, normed);
            let fused = match (&attend, self.precision) {
                (None, Precision::F32) => {
                    fused::attention(placement.heads(&self.architecture, batch, positions), [q, k, v])
                }
                _ => Attempt::NoKernel([q, k, v]),
            };
            let attended = fused.or_else(|[q, k, v]| {
                let q = split(place(q.mul_scalar(scale)), heads);
                let (k, v) = (split(place(k), key_value_heads), split(v, key_value_heads));
                let (k, v) = match &mut attend {
                    Some(attend) => attend(layer, k, v),
                    None => (k, v),
                };
                self.attention(q, k, v, mask).swap_dims(1, 2).reshape([batch * positions, heads * head_size])
            });
            let before = parallel_residual.then(|| x.clone());
            x = x + block.linear(|b| &b.output, attended);
            let normed = block.norm(|b| &b.mlp_norm, before.unwrap_or_else(|| x.clone()));
            let gate = block.optional(|b| &b.gate, || normed.clone());
            let up = block.linear(|b| &b.up, normed);
            let inner = match gate {
                Some(gate) => fused::gated(activation, gate, up),
                None => activation.apply(up),
            };
            x = x + block.linear(|b| &b.down, inner);
        }
        x
    }

    /// softmax(q·kᵀ + mask)·v over `[batch, heads, positions, head size]`; q comes scaled.
    fn attention(&self, q: Tensor<B, 4>, k: Tensor<B, 4>, v: Tensor<B, 4>, mask: &Tensor<B, 4>) -> Tensor<B, 4> {
        let groups = self.architecture.heads / self.architecture.key_value_heads;
        let (k, v) = (repeat_heads(k, groups), repeat_heads(v, groups));
        let scores = product(self.precision, q, k.transpose()) + mask.clone();
        product(self.precision, softmax(scores, 3), v)
    }
}

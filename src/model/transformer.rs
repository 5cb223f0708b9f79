//! A Llama: token embedding, pre-norm blocks of rotary attention and SwiGLU, RMS norms, logits.
//!
//! Choices: weights keep Hugging Face's orientation `[out, in]`, so a checkpoint is read and written as it is; hidden
//! states are flattened to `[rows, d]` wherever positions do not matter, so that every projection and its gradient is one
//! matrix product; rotary positions rotate halves (not neighbours), as Hugging Face's Llama does; keys and values of a
//! prefix can be kept ([`KeyValues`]), which serves generation and probes that share a prompt alike.

use burn::module::{Module, Param};
use burn::tensor::activation::{silu, softmax};
use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor, TensorData};

use super::config::LlamaConfig;

/// The weights.
#[derive(Module, Debug)]
pub struct Transformer<B: Backend> {
    embedding: Param<Tensor<B, 2>>,
    blocks: Vec<Block<B>>,
    norm: RmsNorm<B>,
    lm_head: Option<Param<Tensor<B, 2>>>,
    #[module(skip)]
    shape: Shape,
}

/// What the forward pass needs to know besides the weights.
#[derive(Debug, Clone)]
struct Shape {
    heads: usize,
    key_value_heads: usize,
    head_size: usize,
    rope_theta: f64,
}

#[derive(Module, Debug)]
struct Block<B: Backend> {
    attention_norm: RmsNorm<B>,
    query: Linear<B>,
    key: Linear<B>,
    value: Linear<B>,
    output: Linear<B>,
    mlp_norm: RmsNorm<B>,
    gate: Linear<B>,
    up: Linear<B>,
    down: Linear<B>,
}

#[derive(Module, Debug)]
struct Linear<B: Backend> {
    /// `[out, in]`.
    weight: Param<Tensor<B, 2>>,
}

impl<B: Backend> Linear<B> {
    /// `[rows, in]` to `[rows, out]`.
    fn forward(&self, x: Tensor<B, 2>) -> Tensor<B, 2> {
        x.matmul(self.weight.val().transpose())
    }
}

#[derive(Module, Debug)]
struct RmsNorm<B: Backend> {
    /// `[d]`.
    weight: Param<Tensor<B, 1>>,
    #[module(skip)]
    eps: f64,
}

impl<B: Backend> RmsNorm<B> {
    fn forward(&self, x: Tensor<B, 2>) -> Tensor<B, 2> {
        // Divided, not multiplied by a reciprocal: vectorised reciprocals are approximate on some backends.
        let norm = (x.clone() * x.clone()).mean_dim(1).add_scalar(self.eps).sqrt();
        x / norm * self.weight.val().unsqueeze()
    }
}

/// Keys and values of what has been read so far: right-padded prompts, then whatever was appended to every row alike.
#[derive(Debug, Clone)]
pub struct KeyValues<B: Backend> {
    /// Per layer, `[batch, key-value heads, positions, head size]`.
    layers: Vec<(Tensor<B, 4>, Tensor<B, 4>)>,
    /// Real tokens of each row's prompt.
    prompt_lengths: Vec<usize>,
    /// Columns that the prompts occupy, padding included.
    prompt_width: usize,
    /// Columns appended since.
    appended: usize,
}

impl<B: Backend> KeyValues<B> {
    /// Keeps the given rows, in the given order.
    pub fn select(&self, rows: &[usize]) -> Self {
        let Some((first, _)) = self.layers.first() else { return self.clone() };
        let index = int_tensor(rows.iter().map(|&r| r as i64).collect(), &first.device());
        Self {
            layers: self
                .layers
                .iter()
                .map(|(k, v)| (k.clone().select(0, index.clone()), v.clone().select(0, index.clone())))
                .collect(),
            prompt_lengths: rows.iter().map(|&r| self.prompt_lengths[r]).collect(),
            ..*self
        }
    }
}

/// A one-dimensional tensor of integers.
pub(crate) fn int_tensor<B: Backend>(values: Vec<i64>, device: &B::Device) -> Tensor<B, 1, Int> {
    let length = values.len();
    Tensor::from_data(TensorData::new(values, [length]), device)
}

impl<B: Backend> Transformer<B> {
    /// Builds the model from its parameters; `read` is asked for each by name and shape, in the order of
    /// [`LlamaConfig::parameters`], and gives its numbers in row-major order.
    ///
    /// # Errors
    /// Whatever `read` fails with.
    pub fn from_parameters<E>(
        config: &LlamaConfig,
        device: &B::Device,
        mut read: impl FnMut(&str, &[usize]) -> Result<Vec<f32>, E>,
    ) -> Result<Self, E> {
        let mut vectors = Vec::new();
        for (name, shape) in config.parameters() {
            vectors.push((read(&name, &shape)?, shape));
        }
        let mut next = vectors.into_iter();
        let mut matrix = || next.next().unwrap_or_default();
        let param2 = |(data, shape): (Vec<f32>, Vec<usize>)| {
            Param::from_tensor(Tensor::<B, 2>::from_data(TensorData::new(data, shape), device))
        };
        let norm = |(data, shape): (Vec<f32>, Vec<usize>)| RmsNorm {
            weight: Param::from_tensor(Tensor::<B, 1>::from_data(TensorData::new(data, shape), device)),
            eps: config.rms_norm_eps,
        };
        let linear = |parameter| Linear { weight: param2(parameter) };
        Ok(Self {
            embedding: param2(matrix()),
            blocks: (0..config.num_hidden_layers)
                .map(|_| Block {
                    attention_norm: norm(matrix()),
                    query: linear(matrix()),
                    key: linear(matrix()),
                    value: linear(matrix()),
                    output: linear(matrix()),
                    mlp_norm: norm(matrix()),
                    gate: linear(matrix()),
                    up: linear(matrix()),
                    down: linear(matrix()),
                })
                .collect(),
            norm: norm(matrix()),
            lm_head: (!config.tie_word_embeddings).then(|| param2(matrix())),
            shape: Shape {
                heads: config.num_attention_heads,
                key_value_heads: config.key_value_heads(),
                head_size: config.head_size(),
                rope_theta: config.rope_theta,
            },
        })
    }

    /// Every parameter's numbers in row-major order, in the order of [`LlamaConfig::parameters`].
    pub fn to_parameters(&self) -> Vec<Vec<f32>> {
        let two = |p: &Param<Tensor<B, 2>>| floats(p.val());
        let one = |n: &RmsNorm<B>| floats(n.weight.val());
        let mut all = vec![two(&self.embedding)];
        for b in &self.blocks {
            all.push(one(&b.attention_norm));
            all.extend([&b.query, &b.key, &b.value, &b.output].map(|l| two(&l.weight)));
            all.push(one(&b.mlp_norm));
            all.extend([&b.gate, &b.up, &b.down].map(|l| two(&l.weight)));
        }
        all.push(one(&self.norm));
        all.extend(self.lm_head.as_ref().map(two));
        all
    }

    /// The device that holds the weights.
    pub fn device(&self) -> B::Device {
        self.embedding.val().device()
    }

    /// Entries of the vocabulary.
    pub fn vocab_size(&self) -> usize {
        self.embedding.val().dims()[0]
    }

    /// Reads right-padded rows of tokens `[batch, positions]` from the start. Returns the normalised hidden states,
    /// flattened to `[batch · positions, d]`.
    pub fn forward(&self, tokens: Tensor<B, 2, Int>) -> Tensor<B, 2> {
        let [batch, positions] = tokens.dims();
        let device = tokens.device();
        let rope = Rope::new(&self.shape, &vec![0; batch], positions, &device);
        let mask = visibility(1, positions, positions, |_, t, s| s <= t, &device);
        self.run(tokens, &rope, &mask, |_, k, v| (k, v))
    }

    /// Reads right-padded prompts and keeps their keys and values.
    pub fn read_prompts(&self, tokens: Tensor<B, 2, Int>, lengths: Vec<usize>) -> (Tensor<B, 2>, KeyValues<B>) {
        let [batch, width] = tokens.dims();
        let mut past = KeyValues { layers: Vec::new(), prompt_lengths: lengths, prompt_width: width, appended: 0 };
        let device = tokens.device();
        let rope = Rope::new(&self.shape, &vec![0; batch], width, &device);
        let mask = visibility(1, width, width, |_, t, s| s <= t, &device);
        let hidden = self.run(tokens, &rope, &mask, |_, k, v| {
            past.layers.push((k.clone(), v.clone()));
            (k, v)
        });
        (hidden, past)
    }

    /// Reads tokens `[batch, positions]` that follow `past`, row by row; the result is as of [`Self::forward`]. With
    /// `keep`, what was read becomes part of the past.
    pub fn forward_after(&self, tokens: Tensor<B, 2, Int>, past: &mut KeyValues<B>, keep: bool) -> Tensor<B, 2> {
        let [batch, positions] = tokens.dims();
        let device = tokens.device();
        let offsets: Vec<usize> = past.prompt_lengths.iter().map(|n| n + past.appended).collect();
        let rope = Rope::new(&self.shape, &offsets, positions, &device);
        let before = past.prompt_width + past.appended;
        let sees = |b: usize, t: usize, s: usize| {
            if s < past.prompt_width { s < past.prompt_lengths[b] } else { s <= before + t }
        };
        let mask = visibility(batch, positions, before + positions, sees, &device);
        let mut extended = Vec::new();
        let hidden = self.run(tokens, &rope, &mask, |layer, k, v| {
            let (past_k, past_v) = &past.layers[layer];
            let k = Tensor::cat(vec![past_k.clone(), k], 2);
            let v = Tensor::cat(vec![past_v.clone(), v], 2);
            if keep {
                extended.push((k.clone(), v.clone()));
            }
            (k, v)
        });
        if keep {
            past.layers = extended;
            past.appended += positions;
        }
        hidden
    }

    /// Logits `[rows, V]` of normalised hidden states `[rows, d]`.
    pub fn logits(&self, hidden: Tensor<B, 2>) -> Tensor<B, 2> {
        let output = self.lm_head.as_ref().unwrap_or(&self.embedding);
        hidden.matmul(output.val().transpose())
    }

    /// The pass that all of the above share; `attend` sees each layer's fresh keys and values and gives those to attend to.
    fn run(
        &self,
        tokens: Tensor<B, 2, Int>,
        rope: &Rope<B>,
        mask: &Tensor<B, 4>,
        mut attend: impl FnMut(usize, Tensor<B, 4>, Tensor<B, 4>) -> (Tensor<B, 4>, Tensor<B, 4>),
    ) -> Tensor<B, 2> {
        let [batch, positions] = tokens.dims();
        #[allow(clippy::cast_precision_loss, reason = "a head size is small")]
        let scale = (self.shape.head_size as f64).sqrt().recip();
        let mut x = self.embedding.val().select(0, tokens.reshape([batch * positions]));
        for (layer, block) in self.blocks.iter().enumerate() {
            let normed = block.attention_norm.forward(x.clone());
            let split = |y: Tensor<B, 2>, heads: usize| {
                y.reshape([batch, positions, heads, self.shape.head_size]).swap_dims(1, 2)
            };
            let q = rope.rotate(block.query.forward(normed.clone()).mul_scalar(scale));
            let k = rope.rotate(block.key.forward(normed.clone()));
            let q = split(q, self.shape.heads);
            let k = split(k, self.shape.key_value_heads);
            let v = split(block.value.forward(normed), self.shape.key_value_heads);
            let (k, v) = attend(layer, k, v);
            let attended = self
                .attention(q, k, v, mask)
                .swap_dims(1, 2)
                .reshape([batch * positions, self.shape.heads * self.shape.head_size]);
            x = x + block.output.forward(attended);
            let normed = block.mlp_norm.forward(x.clone());
            x = x + block.down.forward(silu(block.gate.forward(normed.clone())) * block.up.forward(normed));
        }
        self.norm.forward(x)
    }

    /// softmax(q·kᵀ + mask)·v over `[batch, heads, positions, head size]`; q comes scaled.
    fn attention(&self, q: Tensor<B, 4>, k: Tensor<B, 4>, v: Tensor<B, 4>, mask: &Tensor<B, 4>) -> Tensor<B, 4> {
        let groups = self.shape.heads / self.shape.key_value_heads;
        let (k, v) = (repeat_heads(k, groups), repeat_heads(v, groups));
        let scores = q.matmul(k.transpose()) + mask.clone();
        softmax(scores, 3).matmul(v)
    }
}

/// Each key-value head serves `groups` query heads in a row.
fn repeat_heads<B: Backend>(x: Tensor<B, 4>, groups: usize) -> Tensor<B, 4> {
    if groups == 1 {
        return x;
    }
    let [batch, heads, positions, size] = x.dims();
    x.reshape([batch, heads, 1, positions, size]).repeat_dim(2, groups).reshape([
        batch,
        heads * groups,
        positions,
        size,
    ])
}

/// What attention may see: 0 where `sees(row, position, source)`, far below any score elsewhere. `[rows, 1, positions, sources]`.
fn visibility<B: Backend>(
    rows: usize,
    positions: usize,
    sources: usize,
    sees: impl Fn(usize, usize, usize) -> bool,
    device: &B::Device,
) -> Tensor<B, 4> {
    // Finite, so that a row that sees nothing yields an average instead of NaN.
    const HIDDEN: f32 = -1e9;
    let sees = &sees;
    let data: Vec<f32> = (0..rows)
        .flat_map(|b| {
            (0..positions).flat_map(move |t| (0..sources).map(move |s| if sees(b, t, s) { 0.0 } else { HIDDEN }))
        })
        .collect();
    Tensor::from_data(TensorData::new(data, [rows, 1, positions, sources]), device)
}

/// Rotary positions (Su et al., arXiv 2104.09864): each head's halves (a, b) become (a·cos − b·sin, b·cos + a·sin).
///
/// Written as x·cos + half_turn(x)·sin over whole rows, the half turn being a product with a constant matrix: every
/// tensor stays contiguous, and slicing heads in two would cost a third of a training step.
struct Rope<B: Backend> {
    /// `[batch · positions, heads · head size]`.
    cos: Tensor<B, 2>,
    sin: Tensor<B, 2>,
    /// `[head size, head size]`: (a, b) to (−b, a).
    half_turn: Tensor<B, 2>,
    head_size: usize,
}

impl<B: Backend> Rope<B> {
    /// `offsets` holds the position of each row's first token.
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "angles are computed in f64")]
    fn new(shape: &Shape, offsets: &[usize], positions: usize, device: &B::Device) -> Self {
        let (size, half) = (shape.head_size, shape.head_size / 2);
        let frequency: Vec<f64> = (0..half).map(|i| shape.rope_theta.powf(-((2 * i) as f64) / size as f64)).collect();
        let table = |f: fn(f64) -> f64| {
            let mut data = Vec::with_capacity(offsets.len() * positions * shape.heads * size);
            for position in offsets.iter().flat_map(|&o| o..o + positions) {
                let half: Vec<f32> = frequency.iter().map(|w| f(position as f64 * w) as f32).collect();
                let head = [&half[..], &half[..]].concat();
                for _ in 0..shape.heads {
                    data.extend_from_slice(&head);
                }
            }
            Tensor::from_data(TensorData::new(data, [offsets.len() * positions, shape.heads * size]), device)
        };
        let mut turn = vec![0.0f32; size * size];
        for i in 0..half {
            turn[(i + half) * size + i] = -1.0;
            turn[i * size + i + half] = 1.0;
        }
        let half_turn = Tensor::from_data(TensorData::new(turn, [size, size]), device);
        Self { cos: table(f64::cos), sin: table(f64::sin), half_turn, head_size: size }
    }

    /// Rotates `[batch · positions, width]`; `width` may be that of fewer heads.
    fn rotate(&self, x: Tensor<B, 2>) -> Tensor<B, 2> {
        let [rows, width] = x.dims();
        let turned = x
            .clone()
            .reshape([rows * width / self.head_size, self.head_size])
            .matmul(self.half_turn.clone())
            .reshape([rows, width]);
        let of = |table: &Tensor<B, 2>| {
            if table.dims()[1] == width { table.clone() } else { table.clone().slice([0..rows, 0..width]) }
        };
        x * of(&self.cos) + turned * of(&self.sin)
    }
}

/// A tensor's numbers in row-major order.
#[allow(clippy::expect_used, reason = "the element type was converted one call earlier")]
pub(crate) fn floats<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> Vec<f32> {
    tensor.into_data().convert::<f32>().into_vec::<f32>().expect("f32 data")
}

//! The architecture of a language model: a table of choices from which [`Transformer`](super::Transformer) is assembled,
//! whatever family the checkpoint belongs to.

pub use crate::experiment::Role;

/// How heads are rotated.
#[derive(Debug, Clone, PartialEq)]
pub struct Rotary {
    /// Numbers of each head that are rotated; the rest passes as it is.
    pub size: usize,
    /// Base of the frequencies.
    pub theta: f64,
    /// How the frequencies are stretched for texts longer than those of pretraining.
    pub scaling: Scaling,
}

/// A stretch of the rotary frequencies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scaling {
    /// None.
    None,
    /// Every frequency over `factor`.
    Linear {
        /// At least 1.
        factor: f64,
    },
    /// Llama 3's: slow frequencies over `factor`, fast ones as they are, those between blended.
    Llama3 {
        /// At least 1.
        factor: f64,
        /// Wavelengths above `original_positions / low` are slow.
        low: f64,
        /// Wavelengths below `original_positions / high` are fast.
        high: f64,
        /// Longest sequence of pretraining, tokens.
        original_positions: f64,
    },
}

/// What is wrong with an architecture, and the way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Contradiction {
    pub(super) problem: String,
    pub(super) advice: &'static str,
}

/// The choices and sizes of a decoder-only transformer with pre-norm blocks.
#[derive(Debug, Clone, PartialEq)]
pub struct Architecture {
    /// Entries of the vocabulary, V.
    pub vocab_size: usize,
    /// Width of the residual stream, d.
    pub hidden_size: usize,
    /// Width inside the feed-forward.
    pub intermediate_size: usize,
    /// Transformer blocks.
    pub layers: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads, each of which serves `heads / key_value_heads` query heads.
    pub key_value_heads: usize,
    /// Width of one head.
    pub head_size: usize,
    /// Longest sequence, tokens.
    pub max_position_embeddings: usize,
    /// How the residual stream is normalised before each part of a block.
    pub norm: Norm,
    /// ε of every norm.
    pub norm_eps: f64,
    /// How a position is told.
    pub positions: Positions,
    /// Biases of query, key and value.
    pub query_key_value_bias: bool,
    /// Bias of the attention's output.
    pub output_bias: bool,
    /// Whether every query and key head is normalised (RMS) before it is rotated.
    pub query_key_norm: bool,
    /// The nonlinearity of the feed-forward.
    pub activation: Activation,
    /// Whether the feed-forward is `down(activation(gate(x)) · up(x))`, not `down(activation(up(x)))`.
    pub gated: bool,
    /// Biases of the feed-forward.
    pub mlp_bias: bool,
    /// Whether attention and feed-forward read the same residual stream, side by side.
    pub parallel_residual: bool,
    /// Whether the output matrix is the embedding.
    pub tied_output: bool,
}

/// A normalisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Norm {
    /// x / √(mean x² + ε) · w.
    Rms,
    /// (x − mean) / √(variance + ε) · w + b.
    Layer,
}

/// How a position is told.
#[derive(Debug, Clone, PartialEq)]
pub enum Positions {
    /// Queries and keys are rotated.
    Rotary(Rotary),
    /// A learned vector is added to the embedding.
    Learned,
}

/// A nonlinearity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// x·σ(x).
    Silu,
    /// x·Φ(x).
    GeluErf,
    /// x·Φ(x), Φ by a hyperbolic tangent.
    GeluTanh,
}

/// One parameter: a matrix `[out, in]` or a vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Parameter {
    /// The block, for those inside one.
    pub layer: Option<usize>,
    /// What it does.
    pub role: Role,
    /// Whether it is the bias beside the weight.
    pub bias: bool,
}

impl Architecture {
    /// One number wide and without blocks.
    pub(super) fn hollow() -> Self {
        Self {
            vocab_size: 1,
            hidden_size: 1,
            intermediate_size: 1,
            layers: 0,
            heads: 1,
            key_value_heads: 1,
            head_size: 1,
            max_position_embeddings: 1,
            norm: Norm::Rms,
            norm_eps: 1e-5,
            positions: Positions::Learned,
            query_key_value_bias: false,
            output_bias: false,
            query_key_norm: false,
            activation: Activation::Silu,
            gated: false,
            mlp_bias: false,
            parallel_residual: false,
            tied_output: true,
        }
    }

    /// The shape of a parameter, where the architecture has it.
    pub fn shape(&self, parameter: Parameter) -> Option<Vec<usize>> {
        let (d, f, v) = (self.hidden_size, self.intermediate_size, self.vocab_size);
        let (queries, keys) = (self.heads * self.head_size, self.key_value_heads * self.head_size);
        let layer_norm = self.norm == Norm::Layer;
        // (there is one, weight, whether it has a bias)
        let (present, weight, bias) = match parameter.role {
            Role::Embedding => (true, vec![v, d], false),
            Role::Positions => (self.positions == Positions::Learned, vec![self.max_position_embeddings, d], false),
            Role::AttentionNorm | Role::MlpNorm | Role::FinalNorm => (true, vec![d], layer_norm),
            Role::Query => (true, vec![queries, d], self.query_key_value_bias),
            Role::Key | Role::Value => (true, vec![keys, d], self.query_key_value_bias),
            Role::QueryNorm | Role::KeyNorm => (self.query_key_norm, vec![self.head_size], false),
            Role::Output => (true, vec![d, queries], self.output_bias),
            Role::Gate => (self.gated, vec![f, d], self.mlp_bias),
            Role::Up => (true, vec![f, d], self.mlp_bias),
            Role::Down => (true, vec![d, f], self.mlp_bias),
            Role::Logits => (!self.tied_output, vec![v, d], false),
        };
        match parameter.bias {
            _ if !present => None,
            false => Some(weight),
            true => bias.then(|| weight[..1].to_vec()),
        }
    }

    /// Every parameter and its shape, in the order in which a model is built.
    pub fn parameters(&self) -> Vec<(Parameter, Vec<usize>)> {
        let outside = |role| (None, role);
        let blocks = (0..self.layers).flat_map(|layer| Role::BLOCK.map(|role| (Some(layer), role)));
        [Role::Embedding, Role::Positions]
            .map(outside)
            .into_iter()
            .chain(blocks)
            .chain([Role::FinalNorm, Role::Logits].map(outside))
            .flat_map(|(layer, role)| [false, true].map(|bias| Parameter { layer, role, bias }))
            .filter_map(|parameter| Some((parameter, self.shape(parameter)?)))
            .collect()
    }

    /// Number of trained numbers.
    pub fn parameter_count(&self) -> usize {
        self.parameters().iter().map(|(_, shape)| shape.iter().product::<usize>()).sum()
    }

    /// Whether the sizes fit together; what is wrong, and the way out, otherwise. The bounds keep every product of sizes
    /// far from overflow.
    pub(super) fn check(&self) -> Result<(), Contradiction> {
        for (name, size, largest) in [
            ("vocab_size", self.vocab_size, 1 << 24),
            ("hidden_size", self.hidden_size, 1 << 18),
            ("intermediate_size", self.intermediate_size, 1 << 20),
            ("num_hidden_layers", self.layers, 1 << 12),
            ("num_attention_heads", self.heads, 1 << 12),
            ("num_key_value_heads", self.key_value_heads, 1 << 12),
            ("head_dim", self.head_size, 1 << 12),
            ("max_position_embeddings", self.max_position_embeddings, 1 << 24),
        ] {
            if size == 0 || size > largest {
                let problem = format!("{name} is {size}, not between 1 and {largest}");
                return Err(Contradiction { problem, advice: "no known model is like that" });
            }
        }
        if !self.heads.is_multiple_of(self.key_value_heads) {
            let (heads, groups) = (self.heads, self.key_value_heads);
            let problem = format!("num_attention_heads {heads} is not a multiple of num_key_value_heads {groups}");
            return Err(Contradiction { problem, advice: "grouped-query attention needs whole groups" });
        }
        if !(self.norm_eps > 0.0 && self.norm_eps.is_finite()) {
            let problem = format!("the norms' epsilon is {}", self.norm_eps);
            return Err(Contradiction { problem, advice: "the usual values are 1e-5 and 1e-6" });
        }
        match &self.positions {
            Positions::Rotary(rotary) => rotary.check(self.head_size),
            Positions::Learned => Ok(()),
        }
    }
}

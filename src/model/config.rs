//! The shape of a Llama, as Hugging Face's `config.json` spells it.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Location, Result};
use crate::experiment::NewModel;

/// `config.json` of a Llama checkpoint: the fields that this program understands. Others are ignored, except those that
/// would change the mathematics (see [`LlamaConfig::from_json`]).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LlamaConfig {
    /// `["LlamaForCausalLM"]`.
    #[serde(default)]
    pub architectures: Vec<String>,
    /// `"llama"`.
    pub model_type: String,
    /// Entries of the vocabulary, V.
    pub vocab_size: usize,
    /// Width of the residual stream, d.
    pub hidden_size: usize,
    /// Width inside the SwiGLU.
    pub intermediate_size: usize,
    /// Transformer blocks.
    pub num_hidden_layers: usize,
    /// Query heads.
    pub num_attention_heads: usize,
    /// Key and value heads; as many as query heads where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub num_key_value_heads: Option<usize>,
    /// Longest sequence, tokens.
    #[serde(default = "default_positions")]
    pub max_position_embeddings: usize,
    /// ε of the RMS norms.
    #[serde(default = "default_eps")]
    pub rms_norm_eps: f64,
    /// Base of the rotary frequencies.
    #[serde(default = "default_theta")]
    pub rope_theta: f64,
    /// Whether the output matrix is the embedding.
    #[serde(default)]
    pub tie_word_embeddings: bool,
    /// Token that ends a text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eos_token_id: Option<u32>,
    /// Token that fills a batch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pad_token_id: Option<u32>,
    /// Token that begins a text; none in our own models.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bos_token_id: Option<u32>,
    /// `"silu"`.
    #[serde(default = "silu")]
    pub hidden_act: String,
    /// Element type of the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub torch_dtype: Option<String>,
    /// Scaled rotary frequencies: not understood, hence refused.
    #[serde(default, skip_serializing)]
    rope_scaling: Option<serde_json::Value>,
    /// Biases in the attention: not understood, hence refused.
    #[serde(default, skip_serializing)]
    attention_bias: bool,
    /// Biases in the feed-forward: not understood, hence refused.
    #[serde(default, skip_serializing)]
    mlp_bias: bool,
    /// A head width of its own: not understood unless it is `hidden_size / num_attention_heads`.
    #[serde(default, skip_serializing)]
    head_dim: Option<usize>,
}

fn default_positions() -> usize {
    2048
}
fn default_eps() -> f64 {
    1e-6
}
fn default_theta() -> f64 {
    10_000.0
}
fn silu() -> String {
    "silu".to_owned()
}

impl LlamaConfig {
    /// The configuration of a new model.
    pub fn new(shape: &NewModel, vocab_size: usize, eos: Option<u32>, pad: u32) -> Self {
        Self {
            architectures: vec!["LlamaForCausalLM".to_owned()],
            model_type: "llama".to_owned(),
            vocab_size,
            hidden_size: shape.hidden_size,
            intermediate_size: shape.intermediate_size,
            num_hidden_layers: shape.layers,
            num_attention_heads: shape.heads,
            num_key_value_heads: Some(shape.heads),
            max_position_embeddings: shape.max_positions,
            rms_norm_eps: 1e-6,
            rope_theta: 10_000.0,
            tie_word_embeddings: true,
            eos_token_id: eos,
            pad_token_id: Some(pad),
            bos_token_id: None,
            hidden_act: silu(),
            torch_dtype: Some("float16".to_owned()),
            rope_scaling: None,
            attention_bias: false,
            mlp_bias: false,
            head_dim: None,
        }
    }

    /// Reads and validates `config.json`; `file` is named in errors.
    ///
    /// # Errors
    /// When the JSON is malformed, the family is another, sizes contradict each other, or a field asks for
    /// mathematics that this program does not have.
    pub fn from_json(json: &[u8], file: &Path) -> Result<Self> {
        let config: Self = serde_json::from_slice(json).map_err(|e| {
            let at = Location { file: file.to_owned(), line: Some(e.line()), column: Some(e.column()) };
            Error::input(at, e.to_string(), "compare with the config.json of a Llama checkpoint on Hugging Face")
        })?;
        config.validate().map_err(|(problem, advice)| Error::input(Location::file(file), problem, advice))?;
        Ok(config)
    }

    fn validate(&self) -> Result<(), (String, &'static str)> {
        let no = |problem: String, advice: &'static str| Err((problem, advice));
        if self.model_type != "llama" {
            return no(
                format!("model_type is '{}', and only 'llama' can be trained here", self.model_type),
                "use a Llama-family checkpoint",
            );
        }
        let sizes = [
            ("vocab_size", self.vocab_size),
            ("hidden_size", self.hidden_size),
            ("intermediate_size", self.intermediate_size),
            ("num_hidden_layers", self.num_hidden_layers),
            ("num_attention_heads", self.num_attention_heads),
            ("num_key_value_heads", self.key_value_heads()),
            ("max_position_embeddings", self.max_position_embeddings),
        ];
        if let Some((name, size)) = sizes.iter().find(|(_, size)| *size == 0 || *size > 1 << 24) {
            return no(format!("{name} is {size}"), "a size must lie between 1 and 16,777,216");
        }
        if !self.hidden_size.is_multiple_of(self.num_attention_heads) || !self.head_size().is_multiple_of(2) {
            return no(
                format!(
                    "hidden_size {} over num_attention_heads {} is no even number",
                    self.hidden_size, self.num_attention_heads
                ),
                "rotary positions need heads of even width",
            );
        }
        if !self.num_attention_heads.is_multiple_of(self.key_value_heads()) {
            return no(
                format!(
                    "num_attention_heads {} is no multiple of num_key_value_heads {}",
                    self.num_attention_heads,
                    self.key_value_heads()
                ),
                "grouped-query attention needs whole groups",
            );
        }
        if self.hidden_act != "silu" {
            return no(format!("hidden_act is '{}'", self.hidden_act), "only 'silu' is known here");
        }
        if self.rope_scaling.as_ref().is_some_and(|v| !v.is_null()) {
            return no("rope_scaling is set".to_owned(), "scaled rotary positions are not known here yet");
        }
        if self.attention_bias || self.mlp_bias {
            return no("attention_bias or mlp_bias is set".to_owned(), "biases are not known here yet");
        }
        if self.head_dim.is_some_and(|d| d != self.head_size()) {
            return no(
                "head_dim differs from hidden_size / num_attention_heads".to_owned(),
                "such heads are not known here yet",
            );
        }
        if !(self.rms_norm_eps > 0.0 && self.rope_theta > 0.0) {
            return no(
                "rms_norm_eps and rope_theta must be positive".to_owned(),
                "the usual values are 1e-6 and 10000",
            );
        }
        if let Some(id) = [self.eos_token_id, self.pad_token_id, self.bos_token_id]
            .into_iter()
            .flatten()
            .find(|&id| id as usize >= self.vocab_size)
        {
            return no(format!("token id {id} is outside the vocabulary"), "special tokens must be below vocab_size");
        }
        Ok(())
    }

    /// Key and value heads.
    pub fn key_value_heads(&self) -> usize {
        self.num_key_value_heads.unwrap_or(self.num_attention_heads)
    }

    /// Width of one head.
    pub fn head_size(&self) -> usize {
        self.hidden_size / self.num_attention_heads
    }

    /// Name (as in the safetensors file) and shape of every parameter.
    pub fn parameters(&self) -> Vec<(String, Vec<usize>)> {
        let (d, f) = (self.hidden_size, self.intermediate_size);
        let kv = self.key_value_heads() * self.head_size();
        let mut all = vec![("model.embed_tokens.weight".to_owned(), vec![self.vocab_size, d])];
        for layer in 0..self.num_hidden_layers {
            for (name, shape) in [
                ("input_layernorm", vec![d]),
                ("self_attn.q_proj", vec![d, d]),
                ("self_attn.k_proj", vec![kv, d]),
                ("self_attn.v_proj", vec![kv, d]),
                ("self_attn.o_proj", vec![d, d]),
                ("post_attention_layernorm", vec![d]),
                ("mlp.gate_proj", vec![f, d]),
                ("mlp.up_proj", vec![f, d]),
                ("mlp.down_proj", vec![d, f]),
            ] {
                all.push((format!("model.layers.{layer}.{name}.weight"), shape));
            }
        }
        all.push(("model.norm.weight".to_owned(), vec![d]));
        if !self.tie_word_embeddings {
            all.push(("lm_head.weight".to_owned(), vec![self.vocab_size, d]));
        }
        all
    }

    /// Number of trained numbers.
    pub fn parameter_count(&self) -> usize {
        self.parameters().iter().map(|(_, shape)| shape.iter().product::<usize>()).sum()
    }
}

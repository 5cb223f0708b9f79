//! Llama: RMS norms, rotary positions, SwiGLU; grouped queries and an output matrix of its own where the checkpoint has
//! them.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::super::architecture::{Activation, Architecture, Norm, Positions, Role, Rotary, Scaling};
use super::super::gguf::metadata::Metadata;
use super::config::{Refusal, activation, fields, split};
use super::rotary::{self, WHOLE_HEADS};
use super::spelling::{Family, GGUF_NAMES, Gguf, Names};
use crate::error::Result;
use crate::experiment::NewModel;

pub(super) const LLAMA: Family = Family {
    model_type: "llama",
    class: "LlamaForCausalLM",
    architecture,
    names: NAMES,
    optional_prefix: "model.",
    buffers: &[".rotary_emb.inv_freq", "rope_freqs.weight"],
    gguf: Gguf { architecture: "llama", names: Names { interleaved: true, ..GGUF_NAMES }, config: gguf_config },
};

/// Hugging Face's names, which Qwen's models share.
pub(super) const NAMES: Names = Names {
    outside: &[(Role::Embedding, "model.embed_tokens"), (Role::FinalNorm, "model.norm"), (Role::Logits, "lm_head")],
    block: "model.layers.",
    inside: &[
        (Role::AttentionNorm, "input_layernorm"),
        (Role::Query, "self_attn.q_proj"),
        (Role::Key, "self_attn.k_proj"),
        (Role::Value, "self_attn.v_proj"),
        (Role::QueryNorm, "self_attn.q_norm"),
        (Role::KeyNorm, "self_attn.k_norm"),
        (Role::Output, "self_attn.o_proj"),
        (Role::MlpNorm, "post_attention_layernorm"),
        (Role::Gate, "mlp.gate_proj"),
        (Role::Up, "mlp.up_proj"),
        (Role::Down, "mlp.down_proj"),
    ],
    fused: None,
    transposed: false,
    interleaved: false,
};

/// The fields of `config.json` that Llama and Qwen share, with `transformers`' defaults.
#[derive(Debug, Deserialize)]
pub(super) struct Config {
    vocab_size: usize,
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    num_key_value_heads: Option<usize>,
    pub(super) head_dim: Option<usize>,
    max_position_embeddings: Option<usize>,
    hidden_act: Option<String>,
    rms_norm_eps: Option<f64>,
    tie_word_embeddings: Option<bool>,
    pub(super) attention_bias: Option<bool>,
    mlp_bias: Option<bool>,
}

impl Config {
    /// `json` is what it was read from.
    pub(super) fn architecture(self, json: &[u8]) -> Result<Architecture, Refusal> {
        let heads = self.num_attention_heads;
        let head_size = match self.head_dim {
            Some(size) => size,
            None => split(self.hidden_size, heads)?,
        };
        let attention_bias = self.attention_bias.unwrap_or(false);
        Ok(Architecture {
            vocab_size: self.vocab_size,
            hidden_size: self.hidden_size,
            intermediate_size: self.intermediate_size,
            layers: self.num_hidden_layers,
            heads,
            key_value_heads: self.num_key_value_heads.unwrap_or(heads),
            head_size,
            max_position_embeddings: self.max_position_embeddings.unwrap_or(2048),
            norm: Norm::Rms,
            norm_eps: self.rms_norm_eps.unwrap_or(1e-6),
            positions: Positions::Rotary(rotary::rotary(&serde_json::from_slice(json)?, &WHOLE_HEADS, head_size)?),
            query_key_value_bias: attention_bias,
            output_bias: attention_bias,
            query_key_norm: false,
            activation: activation(self.hidden_act.as_deref().unwrap_or("silu"))?,
            gated: true,
            mlp_bias: self.mlp_bias.unwrap_or(false),
            parallel_residual: false,
            tied_output: self.tie_word_embeddings.unwrap_or(false),
        })
    }
}

fn architecture(json: &[u8]) -> Result<Architecture, Refusal> {
    serde_json::from_slice::<Config>(json)?.architecture(json)
}

impl Architecture {
    /// A new Llama.
    pub(in crate::model) fn new_llama(shape: &NewModel, vocab_size: usize) -> Self {
        let head_size = shape.hidden_size.checked_div(shape.heads).unwrap_or(0);
        Self {
            vocab_size,
            hidden_size: shape.hidden_size,
            intermediate_size: shape.intermediate_size,
            layers: shape.layers,
            heads: shape.heads,
            key_value_heads: shape.heads,
            head_size,
            max_position_embeddings: shape.max_positions,
            norm: Norm::Rms,
            norm_eps: 1e-6,
            positions: Positions::Rotary(Rotary { size: head_size, theta: 10_000.0, scaling: Scaling::None }),
            query_key_value_bias: false,
            output_bias: false,
            query_key_norm: false,
            activation: Activation::Silu,
            gated: true,
            mlp_bias: false,
            parallel_residual: false,
            tied_output: true,
        }
    }

    /// The `config.json` of [`Self::new_llama`], whatever its sizes and heads.
    pub(in crate::model) fn llama_config(&self) -> Map<String, Value> {
        fields(json!({
            "architectures": [LLAMA.class],
            "model_type": LLAMA.model_type,
            "vocab_size": self.vocab_size,
            "hidden_size": self.hidden_size,
            "intermediate_size": self.intermediate_size,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "num_key_value_heads": self.key_value_heads,
            "max_position_embeddings": self.max_position_embeddings,
            "rms_norm_eps": self.norm_eps,
            "rope_theta": 10_000.0,
            "tie_word_embeddings": self.tied_output,
            "hidden_act": "silu",
        }))
    }
}

/// What the metadata of a GGUF file say of a Llama or Qwen.
pub(super) fn gguf_config(metadata: &Metadata) -> Result<Map<String, Value>> {
    let heads = metadata.size("attention.head_count")?;
    let hidden_size = metadata.size("embedding_length")?;
    let head_size = metadata.size_or("attention.key_length", hidden_size.checked_div(heads).unwrap_or(0))?;
    metadata.refuse_other("attention.value_length", head_size, "keys and values are of one width in this family")?;
    metadata.refuse_other("rope.dimension_count", head_size, "this family rotates whole heads")?;
    let config = json!({
        "hidden_size": hidden_size,
        "intermediate_size": metadata.size("feed_forward_length")?,
        "num_hidden_layers": metadata.size("block_count")?,
        "num_attention_heads": heads,
        "num_key_value_heads": metadata.size_or("attention.head_count_kv", heads)?,
        "head_dim": head_size,
        "max_position_embeddings": metadata.size("context_length")?,
        "hidden_act": "silu",
        "rms_norm_eps": metadata.number("attention.layer_norm_rms_epsilon")?,
        "rope_theta": metadata.number_or("rope.freq_base", 10_000.0)?,
        "rope_scaling": metadata.rope_scaling()?,
    });
    metadata.refuse_unknown(true)?;
    Ok(fields(config))
}

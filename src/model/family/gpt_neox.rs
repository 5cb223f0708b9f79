//! GPT-NeoX, of which Pythia is one: layer norms, rotary positions on a part of each head, attention and feed-forward
//! side by side.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::super::architecture::{Architecture, Norm, Positions, Role};
use super::super::gguf::metadata::Metadata;
use super::config::{Refusal, activation, fields, split};
use super::rotary::{self, PARTS_OF_HEADS};
use super::spelling::{Family, Fused, GGUF_NAMES, Gguf, Names};
use crate::error::Result;

pub(super) const GPT_NEOX: Family = Family {
    model_type: "gpt_neox",
    class: "GPTNeoXForCausalLM",
    architecture,
    names: Names {
        outside: &[
            (Role::Embedding, "gpt_neox.embed_in"),
            (Role::FinalNorm, "gpt_neox.final_layer_norm"),
            (Role::Logits, "embed_out"),
        ],
        block: "gpt_neox.layers.",
        inside: &[
            (Role::AttentionNorm, "input_layernorm"),
            (Role::Output, "attention.dense"),
            (Role::MlpNorm, "post_attention_layernorm"),
            (Role::Up, "mlp.dense_h_to_4h"),
            (Role::Down, "mlp.dense_4h_to_h"),
        ],
        fused: Some(("attention.query_key_value", Fused::ByHead)),
        transposed: false,
        interleaved: false,
    },
    optional_prefix: "gpt_neox.",
    buffers: &[".attention.bias", ".attention.masked_bias", ".rotary_emb.inv_freq"],
    gguf: Gguf {
        architecture: "gptneox",
        // llama.cpp's converter has taken the heads apart.
        names: Names { fused: Some(("attn_qkv", Fused::Stacked)), ..GGUF_NAMES },
        config: gguf_config,
    },
};

/// `config.json`, with `transformers`' defaults.
#[derive(Debug, Deserialize)]
struct Config {
    vocab_size: usize,
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    max_position_embeddings: Option<usize>,
    hidden_act: Option<String>,
    layer_norm_eps: Option<f64>,
    use_parallel_residual: Option<bool>,
    attention_bias: Option<bool>,
    tie_word_embeddings: Option<bool>,
}

fn architecture(json: &[u8]) -> Result<Architecture, Refusal> {
    let config: Config = serde_json::from_slice(json)?;
    let heads = config.num_attention_heads;
    let head_size = split(config.hidden_size, heads)?;
    let rotary = rotary::rotary(&serde_json::from_slice(json)?, &PARTS_OF_HEADS, head_size)?;
    let bias = config.attention_bias.unwrap_or(true);
    Ok(Architecture {
        vocab_size: config.vocab_size,
        hidden_size: config.hidden_size,
        intermediate_size: config.intermediate_size,
        layers: config.num_hidden_layers,
        heads,
        key_value_heads: heads,
        head_size,
        max_position_embeddings: config.max_position_embeddings.unwrap_or(2048),
        norm: Norm::Layer,
        norm_eps: config.layer_norm_eps.unwrap_or(1e-5),
        positions: Positions::Rotary(rotary),
        query_key_value_bias: bias,
        output_bias: bias,
        query_key_norm: false,
        activation: activation(config.hidden_act.as_deref().unwrap_or("gelu"))?,
        gated: false,
        mlp_bias: true,
        parallel_residual: config.use_parallel_residual.unwrap_or(true),
        tied_output: config.tie_word_embeddings.unwrap_or(false),
    })
}

#[allow(clippy::cast_precision_loss, reason = "a head size is small")]
fn gguf_config(metadata: &Metadata) -> Result<Map<String, Value>> {
    let heads = metadata.size("attention.head_count")?;
    let hidden_size = metadata.size("embedding_length")?;
    let head_size = hidden_size.checked_div(heads).unwrap_or(0).max(1);
    let config = json!({
        "hidden_size": hidden_size,
        "intermediate_size": metadata.size("feed_forward_length")?,
        "num_hidden_layers": metadata.size("block_count")?,
        "num_attention_heads": heads,
        "max_position_embeddings": metadata.size("context_length")?,
        "hidden_act": "gelu",
        "layer_norm_eps": metadata.number("attention.layer_norm_epsilon")?,
        "rotary_pct": metadata.size_or("rope.dimension_count", head_size)? as f64 / head_size as f64,
        "rotary_emb_base": metadata.number_or("rope.freq_base", 10_000.0)?,
        "rope_scaling": metadata.rope_scaling()?,
        "use_parallel_residual": metadata.flag_or("use_parallel_residual", true)?,
    });
    metadata.refuse_unknown(true)?;
    Ok(fields(config))
}

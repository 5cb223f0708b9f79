//! GPT-2: layer norms, learned positions, matrices stored `[in, out]`.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::super::architecture::{Architecture, Norm, Positions, Role};
use super::super::gguf::metadata::Metadata;
use super::config::{Refusal, activation, fields, split};
use super::rotary;
use super::spelling::{Family, Fused, GGUF_NAMES, Gguf, Names};
use crate::error::Result;

pub(super) const GPT2: Family = Family {
    model_type: "gpt2",
    class: "GPT2LMHeadModel",
    architecture,
    names: Names {
        outside: &[
            (Role::Embedding, "transformer.wte"),
            (Role::Positions, "transformer.wpe"),
            (Role::FinalNorm, "transformer.ln_f"),
            (Role::Logits, "lm_head"),
        ],
        block: "transformer.h.",
        inside: &[
            (Role::AttentionNorm, "ln_1"),
            (Role::Output, "attn.c_proj"),
            (Role::MlpNorm, "ln_2"),
            (Role::Up, "mlp.c_fc"),
            (Role::Down, "mlp.c_proj"),
        ],
        fused: Some(("attn.c_attn", Fused::Stacked)),
        transposed: true,
        interleaved: false,
    },
    optional_prefix: "transformer.",
    buffers: &[".attn.bias", ".attn.masked_bias"],
    gguf: Gguf {
        architecture: "gpt2",
        names: Names {
            outside: &[
                (Role::Embedding, "token_embd"),
                (Role::Positions, "position_embd"),
                (Role::FinalNorm, "output_norm"),
                (Role::Logits, "output"),
            ],
            fused: Some(("attn_qkv", Fused::Stacked)),
            ..GGUF_NAMES
        },
        config: gguf_config,
    },
};

/// `config.json`, with `transformers`' defaults; newer files use the names that all families share.
#[derive(Debug, Deserialize)]
struct Config {
    vocab_size: usize,
    #[serde(alias = "hidden_size")]
    n_embd: usize,
    #[serde(alias = "num_hidden_layers")]
    n_layer: usize,
    #[serde(alias = "num_attention_heads")]
    n_head: usize,
    #[serde(alias = "max_position_embeddings")]
    n_positions: Option<usize>,
    n_inner: Option<usize>,
    activation_function: Option<String>,
    layer_norm_epsilon: Option<f64>,
    scale_attn_weights: Option<bool>,
    #[serde(default)]
    scale_attn_by_inverse_layer_idx: bool,
    #[serde(default)]
    add_cross_attention: bool,
    tie_word_embeddings: Option<bool>,
}

fn architecture(json: &[u8]) -> Result<Architecture, Refusal> {
    let config: Config = serde_json::from_slice(json)?;
    rotary::none(&serde_json::from_slice(json)?, &["n_positions"])?;
    if config.scale_attn_weights == Some(false) || config.scale_attn_by_inverse_layer_idx || config.add_cross_attention
    {
        return Err(Refusal::Unknown(
            "scale_attn_weights, scale_attn_by_inverse_layer_idx or add_cross_attention asks for another attention"
                .to_owned(),
            "only GPT-2's own is known here",
        ));
    }
    Ok(Architecture {
        vocab_size: config.vocab_size,
        hidden_size: config.n_embd,
        intermediate_size: config.n_inner.unwrap_or(config.n_embd.saturating_mul(4)),
        layers: config.n_layer,
        heads: config.n_head,
        key_value_heads: config.n_head,
        head_size: split(config.n_embd, config.n_head)?,
        max_position_embeddings: config.n_positions.unwrap_or(1024),
        norm: Norm::Layer,
        norm_eps: config.layer_norm_epsilon.unwrap_or(1e-5),
        positions: Positions::Learned,
        query_key_value_bias: true,
        output_bias: true,
        query_key_norm: false,
        activation: activation(config.activation_function.as_deref().unwrap_or("gelu_new"))?,
        gated: false,
        mlp_bias: true,
        parallel_residual: false,
        tied_output: config.tie_word_embeddings.unwrap_or(true),
    })
}

fn gguf_config(metadata: &Metadata) -> Result<Map<String, Value>> {
    let config = json!({
        "n_embd": metadata.size("embedding_length")?,
        "n_inner": metadata.size("feed_forward_length")?,
        "n_layer": metadata.size("block_count")?,
        "n_head": metadata.size("attention.head_count")?,
        "n_positions": metadata.size("context_length")?,
        "n_ctx": metadata.size("context_length")?,
        "activation_function": "gelu_new",
        "layer_norm_epsilon": metadata.number("attention.layer_norm_epsilon")?,
    });
    metadata.refuse_unknown(false)?;
    Ok(fields(config))
}

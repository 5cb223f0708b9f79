//! Qwen2 (biases of query, key and value) and Qwen3 (every query and key head normalised); otherwise Llamas.

use serde::Deserialize;

use super::super::architecture::Architecture;
use super::config::Refusal;
use super::llama::{self, Config, gguf_config};
use super::spelling::{Family, GGUF_NAMES, Gguf};

pub(super) const QWEN2: Family = Family {
    model_type: "qwen2",
    class: "Qwen2ForCausalLM",
    architecture: |json| {
        let architecture = shared(json)?.architecture(json)?;
        Ok(Architecture { query_key_value_bias: true, output_bias: false, ..architecture })
    },
    names: llama::NAMES,
    optional_prefix: "model.",
    buffers: &[".rotary_emb.inv_freq"],
    gguf: Gguf { architecture: "qwen2", names: GGUF_NAMES, config: gguf_config },
};

pub(super) const QWEN3: Family = Family {
    model_type: "qwen3",
    class: "Qwen3ForCausalLM",
    architecture: |json| {
        let mut config = shared(json)?;
        config.head_dim = config.head_dim.or(Some(128));
        Ok(Architecture { query_key_norm: true, ..config.architecture(json)? })
    },
    names: llama::NAMES,
    optional_prefix: "model.",
    buffers: &[],
    gguf: Gguf { architecture: "qwen3", names: GGUF_NAMES, config: gguf_config },
};

/// The fields of a Llama, if no window narrows the attention.
fn shared(json: &[u8]) -> Result<Config, Refusal> {
    #[derive(Deserialize)]
    struct Window {
        #[serde(default)]
        use_sliding_window: bool,
    }
    if serde_json::from_slice::<Window>(json)?.use_sliding_window {
        return Err(Refusal::Unknown(
            "use_sliding_window is set".to_owned(),
            "attention over a sliding window is not known here",
        ));
    }
    Ok(serde_json::from_slice(json)?)
}

//! The spelling of a family: what `config.json` asks for, and under which names parameters lie in a file.

use serde_json::{Map, Value};

use super::config::Refusal;
use super::layout::Layout;
use crate::error::Result;
use crate::model::architecture::{Architecture, Parameter, Role};
use crate::model::gguf::metadata::Metadata;

/// A model family.
#[derive(Debug)]
pub(in crate::model) struct Family {
    /// `model_type` of `config.json`.
    pub(in crate::model) model_type: &'static str,
    /// The class in `transformers`.
    pub(in crate::model) class: &'static str,
    /// What `config.json` asks for.
    pub(super) architecture: fn(&[u8]) -> Result<Architecture, Refusal>,
    /// Names of the parameters in a safetensors file.
    pub(super) names: Names,
    /// Begins every name in most files, and is left out in others.
    pub(super) optional_prefix: &'static str,
    /// How the names of tensors end that hold nothing trained (masks, frequencies): they may be there.
    pub(super) buffers: &'static [&'static str],
    /// How llama.cpp spells the family.
    pub(in crate::model) gguf: Gguf,
}

/// How GGUF spells a family.
#[derive(Debug)]
pub(in crate::model) struct Gguf {
    /// `general.architecture`.
    pub(in crate::model) architecture: &'static str,
    /// Names of the parameters in the file.
    pub(super) names: Names,
    /// The fields of `config.json` that the metadata amounts to.
    pub(in crate::model) config: fn(&Metadata) -> Result<Map<String, Value>>,
}

/// Names of parameters in a file, without `.weight` and `.bias`.
#[derive(Debug)]
pub(in crate::model) struct Names {
    /// The names outside the blocks.
    pub(super) outside: &'static [(Role, &'static str)],
    /// What comes before a block's number.
    pub(super) block: &'static str,
    /// The names inside a block.
    pub(super) inside: &'static [(Role, &'static str)],
    /// The one tensor that holds query, key and value, and how.
    pub(super) fused: Option<(&'static str, Fused)>,
    /// Whether a block's matrices are stored `[in, out]`.
    pub(super) transposed: bool,
    /// Whether the halves of every query and key head are interleaved.
    pub(super) interleaved: bool,
}

/// How query, key and value lie in one tensor.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fused {
    /// One after the other.
    Stacked,
    /// Head by head.
    ByHead,
}

/// A tensor of a file, and the parameters that it holds.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::model) struct Stored {
    /// The tensor's name.
    pub(in crate::model) name: String,
    /// The tensor's shape, outermost first.
    pub(in crate::model) shape: Vec<usize>,
    /// The parameters, in order.
    pub(in crate::model) holds: Vec<Parameter>,
    pub(super) layout: Layout,
}

impl Stored {
    /// The numbers of each parameter, from those of the file.
    pub(in crate::model) fn unpack(&self, values: Vec<f32>) -> Vec<Vec<f32>> {
        self.layout.unpack(values, &self.shape, self.holds.len())
    }

    /// The numbers of the file, from those of each parameter.
    pub(in crate::model) fn pack(&self, parts: &[&[f32]]) -> Vec<f32> {
        self.layout.pack(parts, &self.shape)
    }
}

impl Family {
    /// The tensors of a safetensors file.
    pub(in crate::model) fn tensors(&self, architecture: &Architecture) -> Vec<Stored> {
        self.names.tensors(architecture)
    }

    /// The tensors of a GGUF file.
    pub(in crate::model) fn gguf_tensors(&self, architecture: &Architecture) -> Vec<Stored> {
        self.gguf.names.tensors(architecture)
    }

    /// The name that files without the family's usual prefix have for a tensor.
    pub(in crate::model) fn short_name<'a>(&self, name: &'a str) -> &'a str {
        name.strip_prefix(self.optional_prefix).unwrap_or(name)
    }

    /// Whether a tensor may be in a file although no parameter lies in it.
    pub(in crate::model) fn tolerates(&self, architecture: &Architecture, name: &str) -> bool {
        // A tied checkpoint may carry its embedding twice.
        let twice = |names: &Names| {
            let logits = names.outside.iter().find(|(role, _)| *role == Role::Logits);
            architecture.tied_output && logits.is_some_and(|(_, n)| name.strip_suffix(".weight") == Some(n))
        };
        twice(&self.names) || twice(&self.gguf.names) || self.buffers.iter().any(|end| name.ends_with(end))
    }
}

impl Names {
    fn tensors(&self, architecture: &Architecture) -> Vec<Stored> {
        let mut all: Vec<Stored> = Vec::new();
        for (parameter, shape) in architecture.parameters() {
            let suffix = if parameter.bias { "bias" } else { "weight" };
            let fused = self.fused.filter(|_| matches!(parameter.role, Role::Query | Role::Key | Role::Value));
            let table = if parameter.layer.is_some() { self.inside } else { self.outside };
            let plain = table.iter().find(|(role, _)| *role == parameter.role).map(|(_, name)| *name);
            let Some(name) = fused.map(|(name, _)| name).or(plain) else { continue };
            let name = match parameter.layer {
                None => format!("{name}.{suffix}"),
                Some(layer) => format!("{}{layer}.{name}.{suffix}", self.block),
            };
            // Query, key and value come one after the other, the biases between the weights.
            if let Some(there) = all.iter_mut().rev().take(2).find(|t| t.name == name) {
                let outermost = if there.layout == Layout::Transposed { there.shape.len() - 1 } else { 0 };
                there.shape[outermost] += shape[0];
                there.holds.push(parameter);
                continue;
            }
            let turned = self.transposed && parameter.layer.is_some();
            let layout = match (parameter.role, fused) {
                (_, Some((_, Fused::ByHead))) => Layout::ByHead { heads: architecture.heads },
                _ if turned => Layout::Transposed,
                (Role::Query, _) if self.interleaved => Layout::Interleaved { heads: architecture.heads },
                (Role::Key, _) if self.interleaved => Layout::Interleaved { heads: architecture.key_value_heads },
                _ => Layout::Plain,
            };
            let shape = if turned { shape.into_iter().rev().collect() } else { shape };
            all.push(Stored { name, shape, holds: vec![parameter], layout });
        }
        all
    }
}

/// The names that llama.cpp gives to the parameters of families with separate query, key and value.
pub(super) const GGUF_NAMES: Names = Names {
    outside: &[(Role::Embedding, "token_embd"), (Role::FinalNorm, "output_norm"), (Role::Logits, "output")],
    block: "blk.",
    inside: &[
        (Role::AttentionNorm, "attn_norm"),
        (Role::Query, "attn_q"),
        (Role::Key, "attn_k"),
        (Role::Value, "attn_v"),
        (Role::QueryNorm, "attn_q_norm"),
        (Role::KeyNorm, "attn_k_norm"),
        (Role::Output, "attn_output"),
        (Role::MlpNorm, "ffn_norm"),
        (Role::Gate, "ffn_gate"),
        (Role::Up, "ffn_up"),
        (Role::Down, "ffn_down"),
    ],
    fused: None,
    transposed: false,
    interleaved: false,
};

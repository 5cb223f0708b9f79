//! Model families: how `config.json` spells an [`Architecture`], and where in a file its parameters lie.
//!
//! A family is one file with one [`Family`], and a row in [`FAMILIES`].

mod gpt2;
mod gpt_neox;
mod layout;
mod llama;
mod qwen;
mod rotary;
#[cfg(test)]
pub(super) mod tests;

use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value};

use self::layout::Layout;
use super::architecture::{Activation, Architecture, Parameter, Role};
use super::gguf::Metadata;
use crate::error::{Error, Location, Result};

/// Every family.
pub(super) const FAMILIES: [&Family; 5] = [&llama::LLAMA, &qwen::QWEN2, &qwen::QWEN3, &gpt_neox::GPT_NEOX, &gpt2::GPT2];

/// The family of new models.
pub(super) fn llama() -> &'static Family {
    &llama::LLAMA
}

/// A model family.
#[derive(Debug)]
pub(super) struct Family {
    /// `model_type` of `config.json`.
    pub(super) model_type: &'static str,
    /// The class in `transformers`.
    pub(super) class: &'static str,
    /// What `config.json` asks for.
    architecture: fn(&[u8]) -> Result<Architecture, Refusal>,
    /// Where the parameters lie in a safetensors file.
    names: Names,
    /// Begins every name in most files, and is left out in others.
    optional_prefix: &'static str,
    /// How the names of tensors end that hold nothing trained (masks, frequencies): they may be there.
    buffers: &'static [&'static str],
    /// How llama.cpp spells the family.
    pub(super) gguf: Gguf,
}

/// How GGUF spells a family.
#[derive(Debug)]
pub(super) struct Gguf {
    /// `general.architecture`.
    pub(super) architecture: &'static str,
    /// Where the parameters lie.
    names: Names,
    /// The fields of `config.json` that the metadata amounts to.
    pub(super) config: fn(&Metadata) -> Result<Map<String, Value>>,
}

/// Where parameters lie in a file: names without `.weight` and `.bias`.
#[derive(Debug)]
struct Names {
    /// Those outside the blocks.
    outside: &'static [(Role, &'static str)],
    /// What comes before a block's number.
    block: &'static str,
    /// Those inside a block.
    inside: &'static [(Role, &'static str)],
    /// The one tensor that holds query, key and value, and how.
    fused: Option<(&'static str, Fused)>,
    /// Whether a block's matrices are stored `[in, out]`.
    transposed: bool,
    /// Whether the halves of every query and key head are interleaved.
    interleaved: bool,
}

/// How query, key and value lie in one tensor.
#[derive(Debug, Clone, Copy)]
enum Fused {
    /// One after the other.
    Stacked,
    /// Head by head.
    ByHead,
}

/// A tensor of a file, and the parameters that it holds.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Stored {
    /// Its name.
    pub(super) name: String,
    /// Its shape, outermost first.
    pub(super) shape: Vec<usize>,
    /// The parameters, in order.
    pub(super) holds: Vec<Parameter>,
    layout: Layout,
}

impl Stored {
    /// The numbers of each parameter, from those of the file.
    pub(super) fn unpack(&self, values: Vec<f32>) -> Vec<Vec<f32>> {
        self.layout.unpack(values, &self.shape, self.holds.len())
    }

    /// The numbers of the file, from those of each parameter.
    pub(super) fn pack(&self, parts: &[&[f32]]) -> Vec<f32> {
        self.layout.pack(parts, &self.shape)
    }
}

/// Why a `config.json` cannot be used.
pub(super) enum Refusal {
    /// It does not parse.
    Json(serde_json::Error),
    /// It asks for what is not known here: the problem and the way out.
    Unknown(String, &'static str),
}

impl From<serde_json::Error> for Refusal {
    fn from(error: serde_json::Error) -> Self {
        Self::Json(error)
    }
}

impl From<(String, &'static str)> for Refusal {
    fn from((problem, advice): (String, &'static str)) -> Self {
        Self::Unknown(problem, advice)
    }
}

impl Refusal {
    fn at(self, file: &Path) -> Error {
        match self {
            Self::Json(e) => {
                let at = Location { file: file.to_owned(), line: Some(e.line()), column: Some(e.column()) };
                Error::input(at, e.to_string(), "compare with the config.json of a like checkpoint on Hugging Face")
            }
            Self::Unknown(problem, advice) => Error::input(Location::file(file), problem, advice),
        }
    }
}

/// The family and the architecture that a `config.json` names; `file` is what errors call it.
///
/// # Errors
/// When the JSON is malformed, the family is unknown, sizes contradict each other, or a field asks for mathematics that
/// this program does not have.
pub(super) fn of_config(json: &[u8], file: &Path) -> Result<(&'static Family, Architecture)> {
    #[derive(Deserialize)]
    struct Header {
        model_type: String,
    }
    let refused = |refusal: Refusal| refusal.at(file);
    let Header { model_type } = serde_json::from_slice(json).map_err(|e| refused(e.into()))?;
    let family = FAMILIES.into_iter().find(|f| f.model_type == model_type).ok_or_else(|| {
        let known: Vec<&str> = FAMILIES.iter().map(|f| f.model_type).collect();
        let problem = format!("model_type is '{model_type}', and only {} can be trained here", known.join(", "));
        refused(Refusal::Unknown(problem, "use a checkpoint of one of these families"))
    })?;
    let architecture = (family.architecture)(json).map_err(refused)?;
    architecture.check().map_err(|e| refused(e.into()))?;
    Ok((family, architecture))
}

impl Family {
    /// The tensors of a safetensors file.
    pub(super) fn tensors(&self, architecture: &Architecture) -> Vec<Stored> {
        self.names.tensors(architecture)
    }

    /// The tensors of a GGUF file.
    pub(super) fn gguf_tensors(&self, architecture: &Architecture) -> Vec<Stored> {
        self.gguf.names.tensors(architecture)
    }

    /// The name that files without the family's usual prefix have for a tensor.
    pub(super) fn short_name<'a>(&self, name: &'a str) -> &'a str {
        name.strip_prefix(self.optional_prefix).unwrap_or(name)
    }

    /// Whether a tensor may be in a file although no parameter lies in it.
    pub(super) fn tolerates(&self, architecture: &Architecture, name: &str) -> bool {
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
const GGUF_NAMES: Names = Names {
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

/// The nonlinearity that a `config.json` names.
fn activation(name: &str) -> Result<Activation, Refusal> {
    match name {
        "silu" | "swish" => Ok(Activation::Silu),
        "gelu" => Ok(Activation::GeluErf),
        "gelu_new" | "gelu_fast" | "gelu_pytorch_tanh" => Ok(Activation::GeluTanh),
        other => Err(Refusal::Unknown(
            format!("hidden_act is '{other}'"),
            "only silu, gelu, gelu_new, gelu_fast and gelu_pytorch_tanh are known here",
        )),
    }
}

/// The fields of a JSON object.
fn fields(object: Value) -> Map<String, Value> {
    match object {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// The width of a head where `config.json` does not say it.
fn split(hidden_size: usize, heads: usize) -> Result<usize, Refusal> {
    if heads == 0 || !hidden_size.is_multiple_of(heads) {
        let problem = format!("hidden_size {hidden_size} over num_attention_heads {heads} is no whole number");
        return Err(Refusal::Unknown(problem, "heads must be of equal width"));
    }
    Ok(hidden_size / heads)
}

//! Helpers with which every family reads its `config.json`: refusals, and fields that several families have.

use std::path::Path;

use serde_json::{Map, Value};

use crate::error::{Error, Location};
use crate::model::architecture::{Activation, Contradiction};

/// Why a `config.json` cannot be used.
pub(super) enum Refusal {
    /// The file does not parse.
    Json(serde_json::Error),
    /// The file asks for what is not known here: the problem and the way out.
    Unknown(String, &'static str),
}

impl From<serde_json::Error> for Refusal {
    fn from(error: serde_json::Error) -> Self {
        Self::Json(error)
    }
}

impl From<Contradiction> for Refusal {
    fn from(Contradiction { problem, advice }: Contradiction) -> Self {
        Self::Unknown(problem, advice)
    }
}

impl Refusal {
    pub(super) fn at(self, file: &Path) -> Error {
        match self {
            Self::Json(e) => {
                let at = Location { file: file.to_owned(), line: Some(e.line()), column: Some(e.column()) };
                Error::input(at, e.to_string(), "compare with the config.json of a like checkpoint on Hugging Face")
            }
            Self::Unknown(problem, advice) => Error::input(Location::file(file), problem, advice),
        }
    }
}

/// The nonlinearity that a `config.json` names.
pub(super) fn activation(name: &str) -> Result<Activation, Refusal> {
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
pub(super) fn fields(object: Value) -> Map<String, Value> {
    match object {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// The width of a head where `config.json` does not say it.
pub(super) fn split(hidden_size: usize, heads: usize) -> Result<usize, Refusal> {
    if heads == 0 || !hidden_size.is_multiple_of(heads) {
        let problem = format!("hidden_size {hidden_size} over num_attention_heads {heads} is not a whole number");
        return Err(Refusal::Unknown(problem, "heads must be of equal width"));
    }
    Ok(hidden_size / heads)
}

//! The metadata of a GGUF file, by name and kind.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::json;

use crate::error::{Error, Location, Result};

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::model) enum Value {
    Unsigned(u64),
    Signed(i64),
    Real(f64),
    Real32(f32),
    Flag(bool),
    Text(String),
    Texts(Texts),
    Integers(Vec<i32>),
    Reals(Vec<f32>),
    /// A list that nobody asks for.
    Passed,
}

/// Many texts in one allocation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::model) struct Texts {
    all: String,
    ends: Vec<usize>,
}

impl Texts {
    pub(super) fn push(&mut self, text: &str) {
        self.all.push_str(text);
        self.ends.push(self.all.len());
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn get(&self, index: usize) -> Option<&str> {
        let start = if index == 0 { 0 } else { *self.ends.get(index - 1)? };
        self.all.get(start..*self.ends.get(index)?)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).filter_map(|i| self.get(i))
    }
}

/// Everything that a file says of itself. Names without a dot's part belong to the file's architecture:
/// `size("block_count")` is `llama.block_count`.
#[derive(Debug, Clone)]
pub(in crate::model) struct Metadata {
    file: PathBuf,
    values: BTreeMap<String, Value>,
}

impl Metadata {
    pub(super) fn new(file: PathBuf, values: BTreeMap<String, Value>) -> Self {
        Self { file, values }
    }

    /// An error about the file.
    pub(super) fn error(&self, problem: impl AsRef<str>, advice: &str) -> Error {
        Error::input(Location::file(&self.file), problem, advice)
    }

    /// `general.architecture`, empty where it is missing.
    pub(super) fn architecture(&self) -> &str {
        self.text("general.architecture").unwrap_or_default()
    }

    /// A text by its full name.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        match self.values.get(key) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// A list of texts by its full name.
    pub(super) fn texts(&self, key: &str) -> Result<&Texts> {
        match self.values.get(key) {
            Some(Value::Texts(texts)) => Ok(texts),
            other => Err(self.mistaken(key, "a list of texts", other)),
        }
    }

    /// A list of whole numbers by its full name, where there is one.
    pub(super) fn integers(&self, key: &str) -> Result<Option<&[i32]>> {
        match self.values.get(key) {
            None => Ok(None),
            Some(Value::Integers(numbers)) => Ok(Some(numbers)),
            other => Err(self.mistaken(key, "a list of whole numbers", other)),
        }
    }

    /// A list of numbers by its full name.
    pub(super) fn reals(&self, key: &str) -> Result<&[f32]> {
        match self.values.get(key) {
            Some(Value::Reals(numbers)) => Ok(numbers),
            other => Err(self.mistaken(key, "a list of numbers", other)),
        }
    }

    /// A flag by its full name.
    pub(super) fn flag(&self, key: &str, default: bool) -> Result<bool> {
        match self.values.get(key) {
            None => Ok(default),
            Some(Value::Flag(flag)) => Ok(*flag),
            other => Err(self.mistaken(key, "true or false", other)),
        }
    }

    /// A flag of the architecture.
    pub(in crate::model) fn flag_or(&self, name: &str, default: bool) -> Result<bool> {
        self.flag(&self.full(name), default)
    }

    /// A size of the architecture.
    pub(in crate::model) fn size(&self, name: &str) -> Result<usize> {
        self.whole(&self.full(name))
    }

    /// The same, where it need not be there.
    pub(in crate::model) fn size_or(&self, name: &str, default: usize) -> Result<usize> {
        let key = self.full(name);
        if self.values.contains_key(&key) { self.whole(&key) } else { Ok(default) }
    }

    /// A number of the architecture.
    pub(in crate::model) fn number(&self, name: &str) -> Result<f64> {
        self.real(&self.full(name))
    }

    /// The same, where it need not be there.
    pub(in crate::model) fn number_or(&self, name: &str, default: f64) -> Result<f64> {
        let key = self.full(name);
        if self.values.contains_key(&key) { self.real(&key) } else { Ok(default) }
    }

    /// Entries of the vocabulary.
    pub(super) fn vocab_size(&self) -> Result<usize> {
        self.size_or("vocab_size", self.texts("tokenizer.ggml.tokens")?.len())
    }

    /// The id of a special token (`eos`, `bos`, `padding`), where there is one.
    pub(super) fn special_token(&self, name: &str) -> Result<Option<u32>> {
        let key = format!("tokenizer.ggml.{name}_token_id");
        match self.values.get(&key) {
            None => Ok(None),
            // -1: none.
            Some(Value::Unsigned(id)) if *id == u64::from(u32::MAX) => Ok(None),
            Some(_) => Ok(u32::try_from(self.whole(&key)?).ok()),
        }
    }

    /// The model's stretch of rotary frequencies as `config.json` spells it.
    pub(in crate::model) fn rope_scaling(&self) -> Result<serde_json::Value> {
        match self.text(&self.full("rope.scaling.type")) {
            None | Some("none") => Ok(serde_json::Value::Null),
            Some(kind) => {
                let factor = self.number_or("rope.scaling.factor", 1.0)?;
                Ok(json!({ "rope_type": kind, "factor": factor }))
            }
        }
    }

    /// Refuses a mixture of experts.
    pub(in crate::model) fn refuse_experts(&self) -> Result<()> {
        match self.size_or("expert_count", 0)? {
            0 => Ok(()),
            experts => Err(self.error(
                format!("{} is {experts}", self.full("expert_count")),
                "mixtures of experts are not known here",
            )),
        }
    }

    fn full(&self, name: &str) -> String {
        format!("{}.{name}", self.architecture())
    }

    fn whole(&self, key: &str) -> Result<usize> {
        let number = match self.values.get(key) {
            Some(Value::Unsigned(n)) => usize::try_from(*n).ok(),
            Some(Value::Signed(n)) => usize::try_from(*n).ok(),
            _ => None,
        };
        number.ok_or_else(|| self.mistaken(key, "a whole number", self.values.get(key)))
    }

    fn real(&self, key: &str) -> Result<f64> {
        match self.values.get(key) {
            // Through the shortest decimal: 1e-5 in single precision means 1e-5.
            Some(Value::Real32(x)) => Ok(x.to_string().parse().unwrap_or(f64::from(*x))),
            Some(Value::Real(x)) => Ok(*x),
            other => Err(self.mistaken(key, "a number", other)),
        }
    }

    fn mistaken(&self, key: &str, expected: &str, found: Option<&Value>) -> Error {
        let problem = match found {
            None => format!("lacks {key}"),
            Some(Value::Passed | Value::Texts(_) | Value::Integers(_) | Value::Reals(_)) => {
                format!("{key} is a list, not {expected}")
            }
            Some(Value::Text(_)) => format!("{key} is a text, not {expected}"),
            Some(other) => format!("{key} is {other:?}, not {expected}"),
        };
        self.error(problem, "convert the model again with a newer llama.cpp, or use its Hugging Face folder")
    }
}

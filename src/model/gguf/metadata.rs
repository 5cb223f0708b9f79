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

impl Value {
    /// Whether it says that nothing is asked for.
    fn is_off(&self) -> bool {
        match self {
            Self::Unsigned(0) | Self::Signed(0) | Self::Flag(false) => true,
            Self::Real(x) => *x == 0.0,
            Self::Real32(x) => *x == 0.0,
            Self::Text(text) => text.is_empty() || text == "none",
            _ => false,
        }
    }

    /// The value as a person would write it; lists have no such form.
    fn plain(&self) -> String {
        match self {
            Self::Unsigned(n) => n.to_string(),
            Self::Signed(n) => n.to_string(),
            Self::Real(x) => x.to_string(),
            Self::Real32(x) => x.to_string(),
            Self::Flag(flag) => flag.to_string(),
            Self::Text(text) => format!("'{text}'"),
            other => format!("{other:?}"),
        }
    }
}

/// The keys of an architecture that are read, or that change nothing of what is read.
const KNOWN: [&str; 21] = [
    "attention.causal",
    "attention.head_count",
    "attention.head_count_kv",
    "attention.key_length",
    "attention.layer_norm_epsilon",
    "attention.layer_norm_rms_epsilon",
    "attention.value_length",
    "block_count",
    "context_length",
    "embedding_length",
    "feed_forward_length",
    "rope.dimension_count",
    "rope.freq_base",
    "rope.scale_linear",
    "rope.scaling.factor",
    "rope.scaling.finetuned",
    "rope.scaling.original_context_length",
    "rope.scaling.type",
    "tensor_data_layout",
    "use_parallel_residual",
    "vocab_size",
];

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

    /// A value that need not be there, or its default.
    pub(in crate::model) fn size_or(&self, name: &str, default: usize) -> Result<usize> {
        let key = self.full(name);
        if self.values.contains_key(&key) { self.whole(&key) } else { Ok(default) }
    }

    /// A number of the architecture.
    pub(in crate::model) fn number(&self, name: &str) -> Result<f64> {
        self.real(&self.full(name))
    }

    /// A value that need not be there, or its default.
    pub(in crate::model) fn number_or(&self, name: &str, default: f64) -> Result<f64> {
        let key = self.full(name);
        if self.values.contains_key(&key) { self.real(&key) } else { Ok(default) }
    }

    /// Files that the model is split into.
    pub(in crate::model) fn parts(&self) -> Result<usize> {
        let key = "split.count";
        if self.values.contains_key(key) { self.whole(key) } else { Ok(1) }
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

    /// The model's stretch of rotary frequencies as `config.json` spells it; told by a factor, by its older name, or by
    /// both type and factor, as llama.cpp reads it.
    pub(in crate::model) fn rope_scaling(&self) -> Result<serde_json::Value> {
        let key = self.full("rope.scaling.type");
        let factor = self.number_or("rope.scaling.factor", self.number_or("rope.scale_linear", 0.0)?)?;
        match self.values.get(&key) {
            Some(Value::Text(kind)) if kind == "none" => Ok(serde_json::Value::Null),
            // Nothing is nothing to divide by.
            None if factor == 0.0 => Ok(serde_json::Value::Null),
            None => Ok(json!({ "rope_type": "linear", "factor": factor })),
            Some(Value::Text(kind)) if kind == "linear" && factor == 0.0 => Ok(serde_json::Value::Null),
            Some(Value::Text(kind)) if kind == "linear" => Ok(json!({ "rope_type": kind, "factor": factor })),
            Some(Value::Text(kind)) => Err(self.error(
                format!("{key} is '{kind}'"),
                "only none and linear are known here; the model's Hugging Face folder may say it in another way",
            )),
            other => Err(self.mistaken(&key, "a text", other)),
        }
    }

    /// Refuses every key of the architecture that is not understood, for the numbers that follow from it would be wrong;
    /// those of rotary positions as well where it has none.
    pub(in crate::model) fn refuse_unknown(&self, rotates: bool) -> Result<()> {
        let prefix = self.full("");
        let about_rotation = |name: &str| name.starts_with("rope.");
        let known = |name: &str| KNOWN.contains(&name) && (rotates || !about_rotation(name));
        for (key, value) in &self.values {
            let Some(name) = key.strip_prefix(&prefix).filter(|name| !known(name)) else { continue };
            let advice = match name {
                "expert_count" => "mixtures of experts are not known here",
                _ => {
                    "this is not known here, and without it log-probs would be wrong; another conversion may do without"
                }
            };
            match value {
                value if value.is_off() => {}
                // A factor of one changes nothing.
                Value::Real32(1.0) | Value::Real(1.0) if name == "rope.scaling.attn_factor" => {}
                Value::Passed | Value::Texts(_) | Value::Integers(_) | Value::Reals(_) => {
                    return Err(self.error(format!("{key} is a list"), advice));
                }
                value => return Err(self.error(format!("{key} is {}", value.plain()), advice)),
            }
        }
        Ok(())
    }

    /// Refuses a size that is there and not what it must be.
    pub(in crate::model) fn refuse_other(&self, name: &str, expected: usize, advice: &str) -> Result<()> {
        match self.size_or(name, expected)? {
            found if found == expected => Ok(()),
            found => Err(self.error(format!("{} is {found}, not {expected}", self.full(name)), advice)),
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

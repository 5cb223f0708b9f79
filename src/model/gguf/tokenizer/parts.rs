//! The parts of a `tokenizer.json` in which kinds of tokenizers differ, and what they have in common.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::super::metadata::Metadata;
use crate::error::{Error, Result};

/// Kinds of tokens, as SentencePiece numbers them.
pub(super) const UNKNOWN: i32 = 2;
pub(super) const CONTROL: i32 = 3;
pub(super) const USER_DEFINED: i32 = 4;
pub(super) const BYTE: i32 = 6;

/// The way out where a tokenizer is of an unknown kind.
pub(super) const FOLDER_INSTEAD: &str = "use the model's Hugging Face folder, whose tokenizer.json says everything";

/// What one kind of tokenizer has of its own, as `tokenizer.json` spells it.
pub(super) struct Parts {
    pub(super) normalizer: Value,
    pub(super) pre_tokenizer: Value,
    pub(super) decoder: Value,
    pub(super) model: Value,
}

pub(super) fn broken(metadata: &Metadata, problem: impl AsRef<str>) -> Error {
    metadata.error(problem, "convert the model again with a newer llama.cpp")
}

/// The kind of every token; empty where the file does not tell.
pub(super) fn kinds(metadata: &Metadata) -> Result<&[i32]> {
    let tokens = metadata.texts("tokenizer.ggml.tokens")?.len();
    let kinds = metadata.integers("tokenizer.ggml.token_type")?.unwrap_or(&[]);
    if !kinds.is_empty() && kinds.len() != tokens {
        return Err(broken(metadata, format!("has {tokens} tokens and {} types of tokens", kinds.len())));
    }
    Ok(kinds)
}

/// A plain BPE over the file's tokens.
pub(super) fn bpe(metadata: &Metadata, merges: Vec<Value>) -> Result<Value> {
    let tokens = metadata.texts("tokenizer.ggml.tokens")?;
    let mut seen = HashSet::new();
    if let Some(twice) = tokens.iter().find(|token| !seen.insert(*token)) {
        return Err(broken(metadata, format!("has the token {twice:?} twice")));
    }
    let vocab: serde_json::Map<String, Value> =
        tokens.iter().enumerate().map(|(id, token)| (token.to_owned(), Value::from(id))).collect();
    Ok(json!({
        "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
        "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
        "vocab": vocab, "merges": merges,
    }))
}

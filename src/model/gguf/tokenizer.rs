//! A `tokenizer.json` from the metadata of a GGUF file: byte-level BPE, with the pre-tokenizer that the file names.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::Metadata;
use crate::error::Result;

/// Kinds of tokens that are matched as a whole, before anything else.
const CONTROL: i32 = 3;
const USER_DEFINED: i32 = 4;

/// Contractions, words, and whatever else GPT-4's pattern tells apart; `{1,3}` and nothing are the digits in a group.
fn gpt4_pattern(digits: &str) -> String {
    format!(
        "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{{L}}\\p{{N}}]?\\p{{L}}+|\\p{{N}}{digits}| \
         ?[^\\s\\p{{L}}\\p{{N}}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
    )
}

fn byte_level(use_regex: bool) -> Value {
    json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": use_regex})
}

fn split(pattern: &str) -> Value {
    json!({"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": false})
}

fn sequence(first: Value, second: Value) -> Value {
    json!({"type": "Sequence", "pretokenizers": [first, second]})
}

/// What a name of `tokenizer.ggml.pre` means: normaliser, pre-tokenizer, and whether whole words skip the merges.
fn conventions(pre: &str) -> Option<(Value, Value, bool)> {
    let nfc = json!({"type": "NFC"});
    Some(match pre {
        "gpt-2" => (Value::Null, byte_level(true), false),
        "olmo" => (nfc, byte_level(true), false),
        "smollm" => {
            let digits = json!({"type": "Digits", "individual_digits": true});
            (Value::Null, sequence(digits, byte_level(true)), false)
        }
        "llama-bpe" | "llama3" | "llama-v3" => {
            (Value::Null, sequence(split(&gpt4_pattern("{1,3}")), byte_level(false)), true)
        }
        "qwen2" => (nfc, sequence(split(&gpt4_pattern("")), byte_level(false)), false),
        _ => return None,
    })
}

/// The whole `tokenizer.json`.
pub(super) fn json(metadata: &Metadata) -> Result<Vec<u8>> {
    let model = metadata.text("tokenizer.ggml.model").unwrap_or_default();
    if model != "gpt2" {
        return Err(metadata.error(
            format!("tokenizer.ggml.model is '{model}', and only 'gpt2' (byte-level BPE) is known here"),
            "use the model's Hugging Face folder, whose tokenizer.json says everything",
        ));
    }
    let pre = metadata.text("tokenizer.ggml.pre").unwrap_or_default();
    let (normalizer, pre_tokenizer, ignore_merges) = conventions(pre).ok_or_else(|| {
        metadata.error(
            format!("tokenizer.ggml.pre is '{pre}', and only gpt-2, llama-bpe, olmo, qwen2 and smollm are known here"),
            "use the model's Hugging Face folder, whose tokenizer.json says everything",
        )
    })?;
    let tokens = metadata.texts("tokenizer.ggml.tokens")?;
    let kinds = metadata.integers("tokenizer.ggml.token_type")?.unwrap_or(&[]);
    let broken = |problem: String| metadata.error(problem, "convert the model again with a newer llama.cpp");
    if !kinds.is_empty() && kinds.len() != tokens.len() {
        return Err(broken(format!("has {} tokens and {} types of tokens", tokens.len(), kinds.len())));
    }
    let mut seen = HashSet::new();
    if let Some(twice) = tokens.iter().find(|token| !seen.insert(*token)) {
        return Err(broken(format!("has the token {twice:?} twice")));
    }
    let vocab: serde_json::Map<String, Value> =
        tokens.iter().enumerate().map(|(id, token)| (token.to_owned(), Value::from(id))).collect();
    let merge = |merge: &str| {
        // The first character belongs to the left part, whatever it is.
        let at = merge.char_indices().skip(1).find(|(_, c)| *c == ' ').map(|(at, _)| at);
        at.map(|at| json!([merge[..at], merge[at + 1..]])).ok_or_else(|| broken(format!("{merge:?} is no merge")))
    };
    let merges = metadata.texts("tokenizer.ggml.merges")?.iter().map(merge).collect::<Result<Vec<_>>>()?;
    let added: Vec<Value> = tokens
        .iter()
        .zip(kinds)
        .enumerate()
        .filter(|(_, (_, kind))| matches!(**kind, CONTROL | USER_DEFINED))
        .map(|(id, (token, &kind))| {
            json!({"id": id, "content": token, "single_word": false, "lstrip": false, "rstrip": false,
                   "normalized": false, "special": kind == CONTROL})
        })
        .collect();
    let whole = json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": added,
        "normalizer": normalizer,
        "pre_tokenizer": pre_tokenizer,
        "post_processor": post_processor(metadata)?,
        "decoder": byte_level(true),
        "model": {
            "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": ignore_merges,
            "vocab": vocab, "merges": merges,
        },
    });
    serde_json::to_vec(&whole).map_err(|e| broken(format!("has a tokenizer that cannot be written: {e}")))
}

/// A beginning-of-text token before every text, where the file asks for one.
fn post_processor(metadata: &Metadata) -> Result<Value> {
    let wanted = metadata.flag("tokenizer.ggml.add_bos_token", false)?;
    let bos = metadata.special_token("bos")?.filter(|_| wanted);
    let Some((id, token)) = bos.zip(special(metadata, "bos")) else { return Ok(Value::Null) };
    let before = json!({"SpecialToken": {"id": token, "type_id": 0}});
    let text = |name: &str, kind: u32| json!({"Sequence": {"id": name, "type_id": kind}});
    Ok(json!({
        "type": "TemplateProcessing",
        "single": [before, text("A", 0)],
        "pair": [before, text("A", 0), text("B", 1)],
        "special_tokens": {token: {"id": token, "ids": [id], "tokens": [token]}},
    }))
}

/// The text of a special token.
fn special<'a>(metadata: &'a Metadata, name: &str) -> Option<&'a str> {
    let id = metadata.special_token(name).ok()??;
    metadata.texts("tokenizer.ggml.tokens").ok()?.get(id as usize)
}

/// The `tokenizer_config.json` that goes with it.
pub(super) fn config(metadata: &Metadata) -> Value {
    let mut config = json!({ "tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": false });
    for (field, name) in [("bos_token", "bos"), ("eos_token", "eos"), ("pad_token", "padding")] {
        if let Some(token) = special(metadata, name) {
            config[field] = token.into();
        }
    }
    if let Some(template) = metadata.text("tokenizer.chat_template") {
        config["chat_template"] = template.into();
    }
    config
}

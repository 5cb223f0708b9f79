//! Byte-level BPE, with the pre-tokenizer that the file names.

use serde_json::{Value, json};

use super::super::metadata::Metadata;
use super::parts::{FOLDER_INSTEAD, Parts, bpe, broken};
use crate::error::Result;

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

fn sequence<const N: usize>(parts: [Value; N]) -> Value {
    json!({"type": "Sequence", "pretokenizers": parts.to_vec()})
}

/// llama.cpp's own split, for tokenizers of which its converter knew nothing better: each pattern divides further what
/// those before it left.
fn default_split() -> Value {
    sequence([
        split("[\\p{P}\\$\\+<=>\\^~\\|]+"),
        split("'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)"),
        split("\\p{N}+"),
        split("[0-9][0-9][0-9]"),
        byte_level(false),
    ])
}

/// What a name of `tokenizer.ggml.pre` means: normaliser, pre-tokenizer, and whether whole words skip the merges.
fn conventions(pre: &str) -> Option<(Value, Value, bool)> {
    let nfc = json!({"type": "NFC"});
    Some(match pre {
        "gpt-2" => (Value::Null, byte_level(true), false),
        "olmo" => (nfc, byte_level(true), false),
        "smollm" => {
            let digits = json!({"type": "Digits", "individual_digits": true});
            (Value::Null, sequence([digits, byte_level(true)]), false)
        }
        "llama-bpe" | "llama3" | "llama-v3" => {
            (Value::Null, sequence([split(&gpt4_pattern("{1,3}")), byte_level(false)]), true)
        }
        "qwen2" | "deepseek-r1-qwen" => (nfc, sequence([split(&gpt4_pattern("")), byte_level(false)]), false),
        "default" => (Value::Null, default_split(), false),
        _ => return None,
    })
}

/// What the file says of one.
pub(super) fn parts(metadata: &Metadata) -> Result<Parts> {
    let pre = metadata.text("tokenizer.ggml.pre").unwrap_or_default();
    let (normalizer, pre_tokenizer, ignore_merges) = conventions(pre).ok_or_else(|| {
        metadata.error(
            format!(
                "tokenizer.ggml.pre is '{pre}', and only default, deepseek-r1-qwen, gpt-2, llama-bpe, olmo, qwen2 and smollm \
                 are known here"
            ),
            FOLDER_INSTEAD,
        )
    })?;
    let merge = |merge: &str| {
        // The first character belongs to the left part, whatever it is.
        let at = merge.char_indices().skip(1).find(|(_, c)| *c == ' ').map(|(at, _)| at);
        at.map(|at| json!([merge[..at], merge[at + 1..]]))
            .ok_or_else(|| broken(metadata, format!("the merge {merge:?} is not two pieces with a space between them")))
    };
    let merges = metadata.texts("tokenizer.ggml.merges")?.iter().map(merge).collect::<Result<Vec<_>>>()?;
    let mut model = bpe(metadata, merges)?;
    model["ignore_merges"] = ignore_merges.into();
    Ok(Parts { normalizer, pre_tokenizer, decoder: byte_level(true), model })
}

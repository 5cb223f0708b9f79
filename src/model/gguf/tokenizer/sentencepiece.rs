//! SentencePiece's BPE as llama.cpp keeps it: pieces with scores, and the better piece is merged first. In a
//! `tokenizer.json` the merges are spelt out, as `transformers` does it (its `GGUFLlamaConverter`).

use std::collections::HashMap;

use serde_json::{Value, json};

use super::super::metadata::Metadata;
use super::parts::{BYTE, CONTROL, Parts, UNKNOWN, bpe, broken, kinds};
use crate::error::Result;

/// How a piece spells a space.
const SPACE: &str = "▁";
/// Bytes of a piece that can be merged. SentencePiece's own limit is 16 characters.
const LONGEST_PIECE: usize = 256;
/// Merges a piece, on average: 2 in Llama 2.
const MERGES_A_PIECE: usize = 16;

/// What the file says of one.
pub(super) fn parts(metadata: &Metadata) -> Result<Parts> {
    let tokens = metadata.texts("tokenizer.ggml.tokens")?;
    let mut model = bpe(metadata, merges(metadata)?)?;
    model["byte_fallback"] = true.into();
    model["fuse_unk"] = true.into();
    let unknown = kinds(metadata)?.iter().position(|&kind| kind == UNKNOWN);
    model["unk_token"] = unknown.and_then(|id| tokens.get(id)).into();
    let begins = metadata.flag("tokenizer.ggml.add_space_prefix", true)?;
    let mut normalizers = vec![json!({"type": "Replace", "pattern": {"String": " "}, "content": SPACE})];
    let mut decoders = vec![
        json!({"type": "Replace", "pattern": {"String": SPACE}, "content": " "}),
        json!({"type": "ByteFallback"}),
        json!({"type": "Fuse"}),
    ];
    if begins {
        normalizers.insert(0, json!({"type": "Prepend", "prepend": SPACE}));
        decoders.push(json!({"type": "Strip", "content": " ", "start": 1, "stop": 0}));
    }
    Ok(Parts {
        normalizer: json!({"type": "Sequence", "normalizers": normalizers}),
        pre_tokenizer: Value::Null,
        decoder: json!({"type": "Sequence", "decoders": decoders}),
        model,
    })
}

/// Every way to put a piece together of two others, the best piece first; of one piece's ways the one with the best parts.
fn merges(metadata: &Metadata) -> Result<Vec<Value>> {
    let tokens = metadata.texts("tokenizer.ggml.tokens")?;
    let scores = metadata.reals("tokenizer.ggml.scores")?;
    if scores.len() != tokens.len() {
        return Err(broken(metadata, format!("has {} tokens and {} scores", tokens.len(), scores.len())));
    }
    let kinds = kinds(metadata)?;
    let is_piece = |id: usize| !matches!(kinds.get(id), Some(&(UNKNOWN | CONTROL | BYTE)));
    let all = tokens.iter().zip(scores.iter().copied()).enumerate();
    let pieces: Vec<(&str, f32)> = all.filter(|(id, _)| is_piece(*id)).map(|(_, piece)| piece).collect();
    let score_of: HashMap<&str, f32> = pieces.iter().copied().collect();
    let mut merges = Vec::new();
    for (token, score) in pieces.into_iter().filter(|(token, _)| token.len() <= LONGEST_PIECE) {
        let halves = token.char_indices().skip(1).map(|(at, _)| token.split_at(at));
        merges.extend(halves.filter_map(|(left, right)| {
            let parts = (*score_of.get(left)?, *score_of.get(right)?);
            Some((score, parts, left, right))
        }));
        if merges.len() > MERGES_A_PIECE * tokens.len() {
            return Err(broken(metadata, format!("has more than {MERGES_A_PIECE} merges a token")));
        }
    }
    merges.sort_by(|(a, parts_of_a, ..), (b, parts_of_b, ..)| {
        b.total_cmp(a).then(parts_of_b.0.total_cmp(&parts_of_a.0)).then(parts_of_b.1.total_cmp(&parts_of_a.1))
    });
    Ok(merges.into_iter().map(|(_, _, left, right)| json!([left, right])).collect())
}

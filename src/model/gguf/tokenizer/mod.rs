//! A `tokenizer.json` from the metadata of a GGUF file.

mod byte_level;
mod parts;
mod sentencepiece;

use serde_json::{Value, json};

use self::parts::{CONTROL, FOLDER_INSTEAD, Parts, UNKNOWN, USER_DEFINED, broken, kinds};
use super::metadata::Metadata;
use crate::error::Result;

/// The whole `tokenizer.json`.
pub(super) fn json(metadata: &Metadata) -> Result<Vec<u8>> {
    let model = metadata.text("tokenizer.ggml.model").unwrap_or_default();
    // Only a SentencePiece model begins a text with its token unless told otherwise.
    let (Parts { normalizer, pre_tokenizer, decoder, model }, begins) = match model {
        "gpt2" => (byte_level::parts(metadata)?, false),
        "llama" => (sentencepiece::parts(metadata)?, true),
        _ => {
            let known = "'gpt2' (byte-level BPE) and 'llama' (SentencePiece)";
            let problem = format!("tokenizer.ggml.model is '{model}', and only {known} are known here");
            return Err(metadata.error(problem, FOLDER_INSTEAD));
        }
    };
    let tokens = metadata.texts("tokenizer.ggml.tokens")?;
    let added: Vec<Value> = kinds(metadata)?
        .iter()
        .zip(tokens.iter())
        .enumerate()
        // These are matched as a whole, before anything else.
        .filter(|(_, (kind, _))| matches!(**kind, UNKNOWN | CONTROL | USER_DEFINED))
        .map(|(id, (&kind, token))| {
            json!({"id": id, "content": token, "single_word": false, "lstrip": false, "rstrip": false,
                   "normalized": false, "special": kind != USER_DEFINED})
        })
        .collect();
    let whole = json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": added,
        "normalizer": normalizer,
        "pre_tokenizer": pre_tokenizer,
        "post_processor": post_processor(metadata, begins)?,
        "decoder": decoder,
        "model": model,
    });
    serde_json::to_vec(&whole).map_err(|e| broken(metadata, format!("has a tokenizer that cannot be written: {e}")))
}

/// A beginning-of-text token before every text, where the file asks for one.
fn post_processor(metadata: &Metadata, default: bool) -> Result<Value> {
    let wanted = metadata.flag("tokenizer.ggml.add_bos_token", default)?;
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
    for (field, name) in
        [("bos_token", "bos"), ("eos_token", "eos"), ("unk_token", "unknown"), ("pad_token", "padding")]
    {
        if let Some(token) = special(metadata, name) {
            config[field] = token.into();
        }
    }
    if let Some(template) = metadata.text("tokenizer.chat_template") {
        config["chat_template"] = match metadata.text("tokenizer.chat_template.tool_use") {
            Some(with_tools) => json!({"default": template, "tool_use": with_tools}),
            None => template.into(),
        };
    }
    config
}

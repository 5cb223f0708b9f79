//! What a folder says beside architecture and weights: special tokens, the chat template, and small files that are kept
//! as they are.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::architecture::Architecture;
use super::tensors::read_small;
use crate::data::tokenizer::Tokenizer;
use crate::error::{Error, Location, Result};

pub(super) const TOKENIZER_CONFIG: &str = "tokenizer_config.json";
const GENERATION_CONFIG: &str = "generation_config.json";
const TEMPLATE: &str = "chat_template.jinja";
pub(super) const COMPANIONS: [&str; 4] = [TOKENIZER_CONFIG, GENERATION_CONFIG, TEMPLATE, "special_tokens_map.json"];
const LARGEST_COMPANION: u64 = 8 << 20;

/// The small files of a folder that belong to a checkpoint.
///
/// # Errors
/// When one is there and cannot be read.
pub(super) fn companions(folder: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let there = COMPANIONS.into_iter().filter(|name| folder.join(name).exists());
    there.map(|name| Ok((name.to_owned(), read_small(&folder.join(name), LARGEST_COMPANION)?))).collect()
}

/// A field of a companion in JSON.
fn field(companions: &BTreeMap<String, Vec<u8>>, file: &str, name: &str) -> Option<Value> {
    let mut json: Value = serde_json::from_slice(companions.get(file)?).ok()?;
    json.get_mut(name).map(Value::take)
}

/// The template that makes a prompt of a conversation; of several the one called `default`.
pub(super) fn chat_template(companions: &BTreeMap<String, Vec<u8>>) -> Option<String> {
    if let Some(bytes) = companions.get(TEMPLATE) {
        return String::from_utf8(bytes.clone()).ok();
    }
    match field(companions, TOKENIZER_CONFIG, "chat_template")? {
        Value::String(template) => Some(template),
        Value::Array(named) => {
            let default = named.iter().find(|t| t["name"] == "default")?;
            default["template"].as_str().map(str::to_owned)
        }
        _ => None,
    }
}

/// The special tokens that configurations name.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct TokenIds {
    eos: Option<u32>,
    pad: Option<u32>,
    /// As `tokenizer_config.json` spells them; these come first.
    eos_text: Option<String>,
    pad_text: Option<String>,
}

/// An id, or several of which the first counts; -1 stands for none.
#[derive(Deserialize)]
#[serde(untagged)]
enum Ids {
    One(i64),
    Many(Vec<i64>),
}

impl Ids {
    fn first(&self) -> Option<i64> {
        let first = match self {
            Self::One(id) => Some(*id),
            Self::Many(ids) => ids.first().copied(),
        };
        first.filter(|id| *id >= 0)
    }
}

impl TokenIds {
    /// From `config.json`, `tokenizer_config.json` and, where they are silent, `generation_config.json`.
    ///
    /// # Errors
    /// When an id lies outside the vocabulary.
    pub(super) fn read(
        config: &[u8],
        companions: &BTreeMap<String, Vec<u8>>,
        architecture: &Architecture,
        file: &Path,
    ) -> Result<Self> {
        #[derive(Deserialize, Default)]
        struct Named {
            eos_token_id: Option<Ids>,
            pad_token_id: Option<Ids>,
            bos_token_id: Option<Ids>,
        }
        let named: Named = serde_json::from_slice(config).map_err(|e| {
            let at = Location { file: file.to_owned(), line: Some(e.line()), column: Some(e.column()) };
            Error::input(
                at,
                format!("names special tokens strangely: {e}"),
                "an id is a whole number, or a list of them",
            )
        })?;
        let generation: Named =
            companions.get(GENERATION_CONFIG).and_then(|json| serde_json::from_slice(json).ok()).unwrap_or_default();
        let id = |ids: &Option<Ids>| -> Result<Option<u32>> {
            let Some(id) = ids.as_ref().and_then(Ids::first) else { return Ok(None) };
            match u32::try_from(id).ok().filter(|&id| (id as usize) < architecture.vocab_size) {
                Some(id) => Ok(Some(id)),
                None => Err(Error::input(
                    Location::file(file),
                    format!("token id {id} is outside the vocabulary"),
                    "special tokens must be below vocab_size",
                )),
            }
        };
        id(&named.bos_token_id)?;
        let text = |name: &str| match field(companions, TOKENIZER_CONFIG, name)? {
            Value::String(text) => Some(text),
            token => token["content"].as_str().map(str::to_owned),
        };
        Ok(Self {
            eos: id(&named.eos_token_id)?.or(id(&generation.eos_token_id)?),
            pad: id(&named.pad_token_id)?.or(id(&generation.pad_token_id)?),
            eos_text: text("eos_token"),
            pad_text: text("pad_token"),
        })
    }

    /// Tells a tokenizer about them.
    pub(super) fn add_to(&self, tokenizer: Tokenizer) -> Tokenizer {
        let of = |text: &Option<String>| text.as_deref().and_then(|text| tokenizer.token_id(text));
        let (eos, pad) = (of(&self.eos_text).or(self.eos), of(&self.pad_text).or(self.pad));
        tokenizer.with_special_tokens(eos, pad)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{GENERATION_CONFIG, TEMPLATE, TOKENIZER_CONFIG, chat_template};

    fn files(all: &[(&str, &str)]) -> BTreeMap<String, Vec<u8>> {
        all.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())).collect()
    }

    #[test]
    fn a_chat_template_is_found_wherever_it_is_kept() {
        let one = (TOKENIZER_CONFIG, r#"{"chat_template": "a"}"#);
        let several =
            r#"{"chat_template": [{"name": "tool_use", "template": "b"}, {"name": "default", "template": "c"}]}"#;
        assert_eq!(chat_template(&files(&[one])).as_deref(), Some("a"));
        assert_eq!(chat_template(&files(&[(TOKENIZER_CONFIG, several)])).as_deref(), Some("c"));
        assert_eq!(chat_template(&files(&[one, (TEMPLATE, "d")])).as_deref(), Some("d"));
        assert_eq!(chat_template(&files(&[(TOKENIZER_CONFIG, "{}"), (GENERATION_CONFIG, "{}")])), None);
        assert_eq!(chat_template(&files(&[(TOKENIZER_CONFIG, "garbage")])), None);
    }
}

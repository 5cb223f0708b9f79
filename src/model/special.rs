//! The rest of a checkpoint's folder, beside architecture and weights: special tokens, the chat template, and small files that are kept
//! as they are.

use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::architecture::Architecture;
use super::files::read_small;
use super::hub;
use crate::data::chat::ModelFiles;
pub(super) use crate::data::tokenizer::settings::TOKENIZER_CONFIG;
use crate::data::tokenizer::settings::{
    ADDED_TOKENS, CHAT_TEMPLATE, Files, SPECIAL_TOKENS_MAP, Settings, TOOL_TEMPLATE, Templates,
};
use crate::data::tokenizer::{ModelIds, Tokenizer};
use crate::error::{Error, Location, Result};
use crate::experiment::ModelSource;

const GENERATION_CONFIG: &str = "generation_config.json";
pub(super) const COMPANIONS: [&str; 6] =
    [TOKENIZER_CONFIG, GENERATION_CONFIG, CHAT_TEMPLATE, TOOL_TEMPLATE, SPECIAL_TOKENS_MAP, ADDED_TOKENS];
const LARGEST_COMPANION: u64 = 8 << 20;

/// The small files of a folder that belong to a checkpoint.
///
/// # Errors
/// When one is there and cannot be read.
pub(super) fn companions(folder: &Path) -> Result<Files> {
    let there = COMPANIONS.into_iter().filter(|name| folder.join(name).exists());
    there.map(|name| Ok((name.to_owned(), read_small(&folder.join(name), LARGEST_COMPANION)?))).collect()
}

/// The files of a model, for data that are written with its chat template.
pub(crate) fn model_files(model: &ModelSource) -> ModelFiles {
    let path = match model {
        ModelSource::Folder(path) | ModelSource::File(path) => Some(path.clone()),
        ModelSource::Hub(id) => hub::cached(id).ok(),
        _ => None,
    };
    let awaited = path.is_none() && matches!(model, ModelSource::Hub(_));
    ModelFiles { path, awaited, settings: tokenizer_settings }
}

/// What the small files of a model, a folder or a GGUF file, say of its tokenizer. Where they are broken, that is an error
/// too: nothing is guessed.
///
/// # Errors
/// When one is there and cannot be read or understood.
fn tokenizer_settings(model: &Path) -> Result<Settings> {
    if model.is_file() {
        let config = super::gguf_tokenizer_config(model)?;
        let json = serde_json::to_vec(&config).map_err(|e| Error::failed(e.to_string()))?;
        return Settings::read(&Files::from([(TOKENIZER_CONFIG.to_owned(), json)]), model);
    }
    Settings::read(&companions(model)?, model)
}

/// The template that makes a prompt of a conversation; of several the one called `default`.
pub(super) fn chat_template(companions: &Files) -> Option<String> {
    if let Some(bytes) = companions.get(CHAT_TEMPLATE) {
        return String::from_utf8(bytes.clone()).ok();
    }
    match Settings::read(companions, Path::new("")).ok()?.templates {
        Templates::None => None,
        Templates::One(template) => Some(template),
        Templates::Named(named) => named.into_iter().find(|(name, _)| name == "default").map(|(_, template)| template),
    }
}

/// The special tokens that configurations name.
#[derive(Debug)]
pub(super) struct TokenIds {
    settings: Settings,
    eos: Option<u32>,
    pad: Option<u32>,
    stops: Vec<u32>,
    embedded: usize,
}

/// What a configuration says of special tokens; an id below 0 stands for none.
#[derive(Default)]
struct Named {
    eos: Vec<i64>,
    pad: Vec<i64>,
}

impl Named {
    fn read(json: &[u8], file: &Path) -> Result<Self> {
        #[derive(Deserialize)]
        struct Written {
            eos_token_id: Option<Value>,
            pad_token_id: Option<Value>,
        }
        let advice = "an id is a whole number, or a list of them";
        let written: Written = serde_json::from_slice(json).map_err(|e| {
            let at = Location { file: file.to_owned(), line: Some(e.line()), column: Some(e.column()) };
            let problem = e.to_string();
            let problem = problem.split(" at line ").next().unwrap_or_default();
            Error::input(at, format!("is not a JSON object: {problem}"), advice)
        })?;
        let ids = |name: &str, value: Option<Value>| -> Result<Vec<i64>> {
            let values = match value.unwrap_or_default() {
                Value::Null => Vec::new(),
                Value::Array(values) => values,
                one => vec![one],
            };
            let id = |value: &Value| {
                let problem = || format!("{name} has {value}, which is not a token id");
                value.as_i64().ok_or_else(|| Error::input(Location::file(file), problem(), advice))
            };
            let ids: Vec<i64> = values.iter().map(id).collect::<Result<_>>()?;
            Ok(ids.into_iter().filter(|id| *id >= 0).collect())
        };
        Ok(Self { eos: ids("eos_token_id", written.eos_token_id)?, pad: ids("pad_token_id", written.pad_token_id)? })
    }
}

impl TokenIds {
    /// Reads the special tokens from `config.json`, the files of the tokenizer and, where they are silent, `generation_config.json`.
    ///
    /// # Errors
    /// When a file is broken, or an id that ends a text lies outside the vocabulary.
    pub(super) fn read(config: &[u8], companions: &Files, architecture: &Architecture, file: &Path) -> Result<Self> {
        // The metadata of a GGUF file lie in the file itself.
        let folder = if file.ends_with("config.json") { file.parent().unwrap_or(file) } else { file };
        let named = Named::read(config, file)?;
        let generation = match companions.get(GENERATION_CONFIG) {
            Some(json) => Named::read(json, &folder.join(GENERATION_CONFIG))?,
            None => Named::default(),
        };
        let embedded = architecture.vocab_size;
        let inside = |id: i64| u32::try_from(id).ok().filter(|&id| (id as usize) < embedded);
        let mut stops = Vec::new();
        for &id in &named.eos {
            stops.push(inside(id).ok_or_else(|| {
                let problem = format!("token id {id} is outside the vocabulary");
                Error::input(Location::file(file), problem, "an end token must be below vocab_size")
            })?);
        }
        // What the model has no embedding for it can never write.
        stops.extend(generation.eos.iter().copied().filter_map(inside));
        let mut pads = named.pad.iter().chain(&generation.pad).copied();
        Ok(Self {
            settings: Settings::read(companions, folder)?,
            eos: stops.first().copied(),
            pad: pads.find_map(inside),
            stops,
            embedded,
        })
    }

    /// Tells a tokenizer about them.
    ///
    /// # Errors
    /// When the end token that is named is in no vocabulary.
    pub(super) fn add_to(&self, tokenizer: Tokenizer) -> Result<Tokenizer> {
        let tokenizer = tokenizer.with_settings(&self.settings)?;
        let of = |name: &str| self.settings.token(name).and_then(|token| tokenizer.token_id(token));
        // What the tokenizer's files name comes first; what ends a generation is all of it.
        let ids = ModelIds {
            eos: of("eos_token").or(self.eos),
            pad: of("pad_token").or(self.pad),
            stops: self.stops.clone(),
            embedded: self.embedded,
        };
        Ok(tokenizer.with_model(ids))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::collections::BTreeMap;
    use std::path::Path;

    use crate::model::Checkpoint;
    use crate::model::family::tests::folder;

    use super::{CHAT_TEMPLATE, GENERATION_CONFIG, Named, TOKENIZER_CONFIG, chat_template};

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
        assert_eq!(chat_template(&files(&[one, (CHAT_TEMPLATE, "d")])).as_deref(), Some("d"));
        assert_eq!(chat_template(&files(&[(TOKENIZER_CONFIG, "{}"), (GENERATION_CONFIG, "{}")])), None);
        assert_eq!(chat_template(&files(&[(TOKENIZER_CONFIG, "garbage")])), None);
    }

    #[test]
    fn an_id_that_is_none_is_named() {
        for (config, expected) in [
            (r#"{"eos_token_id": "0"}"#, r#"m/config.json: eos_token_id has "0", which is not a token id"#),
            (r#"{"eos_token_id": [1, 2.5]}"#, "m/config.json: eos_token_id has 2.5, which is not a token id"),
            ("{", "m/config.json:1:1: is not a JSON object: EOF while parsing an object"),
        ] {
            let error = Named::read(config.as_bytes(), Path::new("m/config.json")).err().unwrap();
            assert!(error.to_string().starts_with(expected), "{error}");
            assert_eq!(error.exit_status(), 2);
        }
    }

    #[test]
    fn every_end_that_a_configuration_names_stops_a_generation() {
        let copy = tempfile::tempdir().unwrap();
        for file in ["config.json", "tokenizer.json", "model.safetensors"] {
            std::fs::copy(folder().join("gpt2").join(file), copy.path().join(file)).unwrap();
        }
        let read = |config: &str, generation: &str| {
            let text = std::fs::read_to_string(folder().join("gpt2/config.json")).unwrap();
            let text =
                text.replace("\"eos_token_id\": 0", &format!("\"eos_token_id\": {config}, \"bos_token_id\": 50256"));
            std::fs::write(copy.path().join("config.json"), text).unwrap();
            std::fs::write(copy.path().join(GENERATION_CONFIG), format!("{{\"eos_token_id\": {generation}}}")).unwrap();
            Checkpoint::read(copy.path()).unwrap().tokenizer
        };
        for (config, generation, ends, stops) in [
            ("0", "[5, 7, 999]", Some(0), vec![0, 5, 7]),
            ("[3, 4]", "7", Some(3), vec![3, 4, 7]),
            ("null", "[9, 8]", Some(9), vec![8, 9]),
            ("-1", "null", Some(0), vec![0]),
        ] {
            let tokenizer = read(config, generation);
            assert_eq!(tokenizer.eos(), ends, "{config} {generation}");
            assert_eq!(
                (0..290).filter(|&id| tokenizer.is_stop(id)).collect::<Vec<_>>(),
                stops,
                "{config} {generation}"
            );
            let answer = [20, 21, stops[stops.len() - 1]];
            assert_eq!(tokenizer.without_stop(&answer), [20, 21]);
            assert_eq!(tokenizer.without_stop(&answer[..2]), [20, 21]);
        }
    }
}

//! The settings in the small files beside a `tokenizer.json`: special tokens, further tokens and their flags, the chat
//! template. They are put together as transformers' `PreTrainedTokenizerFast` does.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value};
use tokenizers::AddedToken;

use crate::error::Location;
use crate::{Error, Result};

/// Class, special tokens, chat template and further tokens.
pub(crate) const TOKENIZER_CONFIG: &str = "tokenizer_config.json";
/// Special tokens, in folders whose [`TOKENIZER_CONFIG`] lists no further tokens.
pub(crate) const SPECIAL_TOKENS_MAP: &str = "special_tokens_map.json";
/// Further tokens and their ids, in folders whose [`TOKENIZER_CONFIG`] lists none.
pub(crate) const ADDED_TOKENS: &str = "added_tokens.json";
/// The chat template as a file of its own.
pub(crate) const CHAT_TEMPLATE: &str = "chat_template.jinja";
/// The template for conversations with tools, where there is one of its own for them.
pub(crate) const TOOL_TEMPLATE: &str = "additional_chat_templates/tool_use.jinja";

/// The special tokens that have a name, in transformers' order.
const NAMED: [&str; 7] = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];
/// Keys under which further special tokens are listed, in transformers 4 and 5.
const LISTED: [&str; 2] = ["additional_special_tokens", "extra_special_tokens"];
/// The key under which a configuration keeps further special tokens by their names, and how those names end beside others.
const BY_NAME: &str = "model_specific_special_tokens";
const NAME_ENDS: &str = "_token";
/// Classes that put their own beginning and end around a text, whatever `tokenizer.json` says, and whether they begin
/// one unless told otherwise.
const CLASSES: [(&str, bool); 5] = [
    ("LlamaTokenizer", true),
    ("CodeLlamaTokenizer", true),
    ("GemmaTokenizer", true),
    ("CohereTokenizer", true),
    ("GPTNeoXTokenizer", false),
];

/// Special tokens of classes that need not write them down.
const ASSUMED: [(&str, &[(&str, &str)]); 5] = [
    ("LlamaTokenizer", &[("bos_token", "<s>"), ("eos_token", "</s>"), ("unk_token", "<unk>")]),
    ("CodeLlamaTokenizer", &[("bos_token", "<s>"), ("eos_token", "</s>"), ("unk_token", "<unk>")]),
    ("GPT2Tokenizer", &[("bos_token", END), ("eos_token", END), ("unk_token", END)]),
    ("GPTNeoXTokenizer", &[("bos_token", END), ("eos_token", END), ("unk_token", END)]),
    ("Qwen2Tokenizer", &[("eos_token", END), ("unk_token", END), ("pad_token", END)]),
];
const END: &str = "<|endoftext|>";

/// The files of a folder (or their like in a GGUF file), by name.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

/// What the files say.
#[derive(Debug, Clone, Default)]
pub(crate) struct Settings {
    /// The file of the settings, for errors.
    origin: PathBuf,
    named: Vec<Named>,
    /// Special tokens without a name.
    listed: Vec<AddedToken>,
    /// Further tokens, by the id that is written for them.
    added: BTreeMap<u32, AddedToken>,
    /// Whether a text begins with `bos_token` and ends with `eos_token`; `None` where `tokenizer.json` says it.
    around: Option<(bool, bool)>,
    /// Whether special tokens are read letter by letter where they stand in a text.
    pub(super) splits_special: bool,
    /// Whether a text gets a space before it; `None` where nothing is said of it.
    prefix_space: Option<bool>,
    /// The chat templates.
    pub(crate) templates: Templates,
}

/// A special token with a name.
#[derive(Debug, Clone)]
struct Named {
    name: String,
    token: AddedToken,
    /// Whether no file names it, and the tokenizer's class does.
    assumed: bool,
}

/// The chat templates of a model.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Templates {
    /// There is none.
    #[default]
    None,
    /// There is one.
    One(String),
    /// There are several with names.
    Named(Vec<(String, String)>),
}

impl Settings {
    /// Reads them; `origin` is the folder or the file that errors name.
    ///
    /// # Errors
    /// With file and place: what is no JSON, and a token that is described in no known way.
    pub(crate) fn read(files: &Files, origin: &Path) -> Result<Self> {
        let at = |name: &str| if origin.is_file() { origin.to_owned() } else { origin.join(name) };
        let object = |name: &str| -> Result<Option<Map<String, Value>>> {
            let Some(bytes) = files.get(name) else { return Ok(None) };
            let object = serde_json::from_slice(bytes).map_err(|error| broken_json(at(name), name, &error))?;
            Ok(Some(object))
        };
        let mut config = object(TOKENIZER_CONFIG)?.unwrap_or_default();
        let mut settings = Self { origin: origin.to_owned(), ..Self::default() };
        let problem = |name: &str, (what, problem): (String, &str)| {
            let advice = r#"a token is text, or {"content": "…", "special": true}"#;
            Error::input(Location::file(&at(name)), format!("{what} {problem}"), advice)
        };
        match config.get("added_tokens_decoder") {
            Some(tokens) => {
                settings.added = decoder(tokens).map_err(|error| problem(TOKENIZER_CONFIG, error))?;
            }
            None => {
                if let Some(map) = object(SPECIAL_TOKENS_MAP)? {
                    overlay(&mut config, map);
                }
            }
        }
        let class = config.get("tokenizer_class").and_then(Value::as_str).unwrap_or_default();
        let class = class.strip_suffix("Fast").unwrap_or(class);
        settings.name(&config, class).map_err(|error| problem(TOKENIZER_CONFIG, error))?;
        if !config.contains_key("added_tokens_decoder")
            && let Some(tokens) = object(ADDED_TOKENS)?
        {
            settings.legacy(&tokens).map_err(|error| problem(ADDED_TOKENS, error))?;
        }
        settings.templates = templates(&config).ok_or_else(|| {
            let advice = "a chat template is text, or a list of {\"name\": \"…\", \"template\": \"…\"}";
            Error::input(Location::file(&at(TOKENIZER_CONFIG)), "chat_template is not a template", advice)
        })?;
        let flag = |name: &str| config.get(name).and_then(Value::as_bool);
        settings.around = CLASSES
            .iter()
            .find(|(name, _)| *name == class)
            .map(|&(_, begins)| (flag("add_bos_token").unwrap_or(begins), flag("add_eos_token").unwrap_or(false)));
        settings.splits_special = flag("split_special_tokens").unwrap_or(false);
        settings.prefix_space = files.contains_key(TOKENIZER_CONFIG).then(|| flag("add_prefix_space").unwrap_or(false));
        Ok(settings)
    }

    /// Takes the named and the listed special tokens.
    fn name(&mut self, config: &Map<String, Value>, class: &str) -> Result<(), (String, &'static str)> {
        let assumed = ASSUMED.iter().find(|(name, _)| *name == class).map_or(&[][..], |(_, tokens)| tokens);
        for name in NAMED {
            let assumed = assumed.iter().find(|(known, _)| *known == name && !config.contains_key(name));
            let (token, assumed) = match assumed {
                Some((_, content)) => (Some(AddedToken::from(*content, true)), true),
                None => (token(config.get(name)).map_err(|problem| (name.to_owned(), problem))?, false),
            };
            self.named.extend(token.map(|token| Named { name: name.to_owned(), token, assumed }));
        }
        for name in LISTED {
            match config.get(name) {
                Some(Value::Array(tokens)) => {
                    for value in tokens {
                        let token = token(Some(value)).map_err(|problem| (name.to_owned(), problem))?;
                        self.listed.extend(token);
                    }
                }
                Some(Value::Object(tokens)) => {
                    for (name, value) in tokens {
                        let token = token(Some(value)).map_err(|problem| (name.clone(), problem))?;
                        self.named.extend(token.map(|token| Named { name: name.clone(), token, assumed: false }));
                    }
                }
                _ => {}
            }
        }
        let beside = config.iter().filter(|(name, value)| {
            let known = NAMED.contains(&name.as_str()) || LISTED.contains(&name.as_str());
            name.ends_with(NAME_ENDS) && !known && (value.is_string() || value["content"].is_string())
        });
        let inside = config.get(BY_NAME).and_then(Value::as_object).into_iter().flatten();
        for (name, value) in beside.chain(inside) {
            let token = token(Some(value)).map_err(|problem| (name.clone(), problem))?;
            self.named.extend(token.map(|token| Named { name: name.clone(), token, assumed: false }));
        }
        // A token that is described elsewhere has the flags that it has there.
        let described: BTreeMap<&str, &AddedToken> =
            self.added.values().map(|token| (token.content.as_str(), token)).collect();
        for named in &mut self.named {
            if let Some(&known) = described.get(named.token.content.as_str()) {
                named.token = known.clone();
            }
        }
        Ok(())
    }

    /// Takes the tokens of `added_tokens.json`.
    fn legacy(&mut self, tokens: &Map<String, Value>) -> Result<(), (String, &'static str)> {
        for (content, id) in tokens {
            let id = id.as_u64().and_then(|id| u32::try_from(id).ok());
            let id = id.ok_or_else(|| (format!("the id of {content:?}"), "is not a whole number"))?;
            let special = self.special().any(|token| token.content == *content);
            self.added.insert(id, AddedToken::from(content.clone(), special).normalized(!special));
        }
        Ok(())
    }

    /// Every special token that is named or listed.
    fn special(&self) -> impl Iterator<Item = &AddedToken> {
        self.named.iter().map(|named| &named.token).chain(&self.listed)
    }

    /// A named special token.
    pub(crate) fn token(&self, name: &str) -> Option<&str> {
        self.named.iter().find(|named| named.name == name).map(|named| named.token.content.as_str())
    }

    /// What chat templates write by name: tokens, and the list of those without a name.
    pub(crate) fn for_templates(&self) -> (Vec<(String, String)>, Vec<String>) {
        let named = self.named.iter().map(|named| (named.name.clone(), named.token.content.clone())).collect();
        (named, self.listed.iter().map(|token| token.content.clone()).collect())
    }

    /// The tokens that a tokenizer is to have besides its own, in the order in which it gets them: those with an id by
    /// their ids, then special ones that are named and nowhere described. `knows` tells what the tokenizer has already.
    ///
    /// # Errors
    /// A file, and what is wrong: an end token that no vocabulary has.
    pub(super) fn further(&self, knows: impl Fn(&str) -> bool) -> Result<Vec<AddedToken>> {
        let mut tokens: Vec<AddedToken> = self.added.values().cloned().collect();
        let lacking = |content: &str| !knows(content) && !self.added.values().any(|token| token.content == content);
        if let Some(Named { token, .. }) = self.named.iter().find(|n| n.name == "eos_token" && !n.assumed)
            && lacking(&token.content)
        {
            let problem = format!("the end token {:?} (eos_token) is in no vocabulary", token.content);
            let advice = "name one that tokenizer.json or added_tokens_decoder has, or add it there with its id";
            return Err(Error::input(Location::file(&self.origin), problem, advice));
        }
        let named = self.named.iter().filter(|named| !named.assumed).map(|named| &named.token);
        for token in named.chain(&self.listed) {
            if lacking(&token.content) && !tokens.contains(token) {
                tokens.push(token.clone());
            }
        }
        for token in &mut tokens {
            token.special |= self.special().any(|special| special.content == token.content);
        }
        Ok(tokens)
    }

    /// Whether the tokenizer's class begins and ends a text itself, with which tokens; `None` where `tokenizer.json`
    /// says it.
    pub(super) fn around(&self) -> Option<[Option<&str>; 2]> {
        let (begins, ends) = self.around?;
        Some([self.token("bos_token").filter(|_| begins), self.token("eos_token").filter(|_| ends)])
    }

    pub(super) fn prefix_space(&self) -> Option<bool> {
        self.prefix_space
    }
}

fn broken_json(file: PathBuf, name: &str, error: &serde_json::Error) -> Error {
    let location = Location { file, line: Some(error.line()), column: Some(error.column()) };
    let problem = error.to_string();
    let problem = problem.split(" at line ").next().unwrap_or_default();
    Error::input(location, problem, format!("expected the {name} of a Hugging Face model"))
}

/// The tokens of `added_tokens_decoder`.
fn decoder(tokens: &Value) -> Result<BTreeMap<u32, AddedToken>, (String, &'static str)> {
    let none = || ("added_tokens_decoder".to_owned(), "is not an object");
    let mut added = BTreeMap::new();
    for (id, value) in tokens.as_object().ok_or_else(none)? {
        let number =
            id.parse().map_err(|_| (format!("the id {id:?} in added_tokens_decoder"), "is not a whole number"))?;
        let of = |problem| (format!("token {id} of added_tokens_decoder"), problem);
        let token = token(Some(value).filter(|value| value.is_object())).map_err(of)?;
        added.insert(number, token.ok_or_else(|| of("is not an object with the token's content"))?);
    }
    Ok(added)
}

/// Lays the members of a `special_tokens_map.json` over a configuration.
fn overlay(config: &mut Map<String, Value>, map: Map<String, Value>) {
    for (name, mut value) in map {
        let tokens = match &mut value {
            Value::Array(tokens) => tokens.as_mut_slice(),
            one => std::slice::from_mut(one),
        };
        for token in tokens.iter_mut().filter_map(Value::as_object_mut) {
            token.insert("special".to_owned(), true.into());
        }
        let listed = match (config.get_mut(&name), &value) {
            (Some(Value::Array(there)), Value::Array(more)) if LISTED.contains(&name.as_str()) => {
                let text = |value: &Value| value["content"].as_str().or(value.as_str()).map(str::to_owned);
                for token in more {
                    if !there.iter().any(|known| text(known) == text(token)) {
                        there.push(token.clone());
                    }
                }
                true
            }
            _ => false,
        };
        if !listed {
            config.insert(name, value);
        }
    }
}

/// A token, by its text or as an `AddedToken`; null is none.
fn token(value: Option<&Value>) -> Result<Option<AddedToken>, &'static str> {
    /// Flags that are not written are off, `normalized` is the opposite of `special` then.
    #[derive(Deserialize)]
    struct Described {
        content: String,
        #[serde(default)]
        single_word: bool,
        #[serde(default)]
        lstrip: bool,
        #[serde(default)]
        rstrip: bool,
        normalized: Option<bool>,
        #[serde(default)]
        special: bool,
    }
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(Value::String(text)) => Ok(Some(AddedToken::from(text.clone(), true))),
        Some(value @ Value::Object(_)) => {
            let token = Described::deserialize(value).map_err(|_| "is no token")?;
            let normalized = token.normalized.unwrap_or(!token.special);
            let added = AddedToken::from(token.content, token.special).normalized(normalized);
            Ok(Some(added.single_word(token.single_word).lstrip(token.lstrip).rstrip(token.rstrip)))
        }
        Some(_) => Err("is no token"),
    }
}

/// The chat templates of a configuration; `None` where they are none.
fn templates(config: &Map<String, Value>) -> Option<Templates> {
    match config.get("chat_template") {
        None | Some(Value::Null) => Some(Templates::None),
        Some(Value::String(template)) => Some(Templates::One(template.clone())),
        Some(Value::Array(named)) => {
            let pair = |value: &Value| {
                let text = |key: &str| value[key].as_str().map(str::to_owned);
                text("name").zip(text("template"))
            };
            named.iter().map(pair).collect::<Option<_>>().map(Templates::Named)
        }
        // An object of names, as some tools write it.
        Some(Value::Object(named)) => {
            let pair = |(name, value): (&String, &Value)| Some((name.clone(), value.as_str()?.to_owned()));
            named.iter().map(pair).collect::<Option<_>>().map(Templates::Named)
        }
        Some(_) => None,
    }
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;

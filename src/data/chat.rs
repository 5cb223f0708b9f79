//! Chat templates: how a model's makers write a conversation as text. A template is a Jinja program from a stranger, so it
//! runs without files or clock, on a budget of steps, memory and depth.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, ValueKind};
use minijinja::{Environment, ErrorKind, Value, context};
use serde::{Deserialize, Serialize as _};

use super::row::Message;
use crate::error::Location;
use crate::{Error, Result, model};

/// What one rendering may cost, in the engine's fuel: about a million steps, or 64 MiB of text.
const FUEL: u64 = 1_000_000;
/// How deep macros and loops may nest; a macro counts about ten. A thread's stack takes it in a debug build too.
const RECURSION: usize = 100;
/// Longest file that is searched for a template: 64 MiB; `tokenizer_config.json` has a few MiB at most.
const MAX_FILE: u64 = 64 << 20;

/// The name under which the one template is kept; no file ending, so nothing is escaped.
const NAME: &str = "chat_template";
/// What `strftime_now` answers, whatever the date: the day that Llama 3's template falls back to. Data must not change
/// overnight, or a run could not be repeated.
const TODAY: [(&str, &str); 13] = [
    ("%d", "26"),
    ("%e", "26"),
    ("%b", "Jul"),
    ("%B", "July"),
    ("%m", "07"),
    ("%Y", "2024"),
    ("%y", "24"),
    ("%a", "Fri"),
    ("%A", "Friday"),
    ("%j", "208"),
    ("%H", "00"),
    ("%M", "00"),
    ("%S", "00"),
];

/// A compiled template.
#[derive(Clone)]
pub struct ChatTemplate {
    environment: Environment<'static>,
    /// Where it comes from.
    origin: PathBuf,
}

impl fmt::Debug for ChatTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChatTemplate").field("origin", &self.origin).finish_non_exhaustive()
    }
}

impl ChatTemplate {
    /// Compiles a template; `origin` is what errors call it. `special` are the tokens that templates write by name
    /// (`bos_token`, `eos_token`).
    ///
    /// # Errors
    /// When the text is no Jinja.
    pub fn new(origin: &Path, source: &str, special: &SpecialTokens) -> Result<Self> {
        let mut environment = Environment::new();
        // As in transformers' environment.
        if let Ok(syntax) = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build() {
            environment.set_syntax(syntax);
        }
        environment.set_fuel(Some(FUEL));
        environment.set_recursion_limit(RECURSION);
        environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.set_formatter(|out, state, value| match (value.kind(), value.is_true()) {
            (ValueKind::Bool, true) => Ok(out.write_str("True")?),
            (ValueKind::Bool, false) => Ok(out.write_str("False")?),
            (ValueKind::None, _) => Ok(out.write_str("None")?),
            _ => minijinja::escape_formatter(out, state, value),
        });
        environment.add_function("raise_exception", |message: String| -> Result<Value, minijinja::Error> {
            Err(minijinja::Error::new(ErrorKind::InvalidOperation, format!("the template refuses it: {message}")))
        });
        environment.add_function("strftime_now", |format: String| {
            TODAY.iter().fold(format, |text, (code, value)| text.replace(code, value))
        });
        environment.add_filter("tojson", to_json);
        for (name, token) in &special.0 {
            environment.add_global(name.clone(), token.clone());
        }
        environment.add_template_owned(NAME, without_generation_tags(source)).map_err(|error| {
            let mut location = Location::file(origin);
            location.line = error.line();
            let advice = "expected a Jinja chat template, as transformers reads it";
            Error::input(location, format!("the chat template is no Jinja: {}", message(&error)), advice)
        })?;
        Ok(Self { environment, origin: origin.to_owned() })
    }

    /// The template of a model: in a folder `chat_template.jinja`, or what `tokenizer_config.json` has under
    /// `chat_template`; or that of a GGUF file. `None` where there is none.
    ///
    /// # Errors
    /// When one of the files is broken, or holds named templates of which none is the default.
    pub fn of_model(path: &Path) -> Result<Option<Self>> {
        let config = TokenizerConfig::of_model(path)?;
        let special = config.special_tokens();
        let file = path.join("chat_template.jinja");
        if file.is_file() {
            return Self::new(&file, &read(&file)?, &special).map(Some);
        }
        let file = if path.is_file() { path.to_owned() } else { path.join(TokenizerConfig::FILE) };
        let source = match config.chat_template {
            None => return Ok(None),
            Some(Templates::One(source)) => source,
            Some(Templates::Named(templates)) => {
                let names: Vec<String> = templates.iter().map(|template| template.name.clone()).collect();
                let default = templates.into_iter().find(|template| template.name == "default");
                let problem = || format!("holds chat templates named {}, and none is the default", names.join(", "));
                let advice = "write the one to use into a file, and chat_template: \"FILE.jinja\" in the data";
                default.ok_or_else(|| Error::input(Location::file(&file), problem(), advice))?.template
            }
        };
        Self::new(&file, &source, &special).map(Some)
    }

    /// The template that an experiment names: Jinja itself, a file of it, or a model folder.
    ///
    /// # Errors
    /// When there is no such file, or it is no template.
    pub fn named(name: &str, special: &SpecialTokens) -> Result<Self> {
        if ["{{", "{%"].iter().any(|opening| name.contains(opening)) {
            return Self::new(Path::new("data.chat_template"), name, special);
        }
        let path = Path::new(name);
        if path.is_dir() {
            return Self::of_model(path)?.ok_or_else(|| {
                let advice = "name a folder with a chat_template.jinja, or a tokenizer_config.json that has one";
                Error::input(Location::file(path), "has no chat template", advice)
            });
        }
        Self::new(path, &read(path)?, special)
    }

    /// Where the template comes from.
    pub fn origin(&self) -> &Path {
        &self.origin
    }

    /// A conversation as text; `add_generation_prompt` opens the assistant's next turn.
    ///
    /// # Errors
    /// What the template refuses or does wrong, in words.
    pub fn render(&self, messages: &[Message], add_generation_prompt: bool) -> Result<String, String> {
        let rendered = self.environment.get_template(NAME).and_then(|template| {
            let messages: Vec<Value> = messages.iter().map(value).collect();
            template.render(context! { messages, add_generation_prompt })
        });
        rendered.map_err(|error| match error.kind() {
            ErrorKind::OutOfFuel => "it takes more steps or memory than a chat template may".to_owned(),
            _ => message(&error),
        })
    }
}

/// A message as a template sees it.
fn value(message: &Message) -> Value {
    let known = [("role", &message.role), ("content", &message.content)];
    let rest = message.rest.iter().map(|(key, text)| (key.as_str(), text));
    Value::from_pairs(known.into_iter().chain(rest).map(|(key, text)| (key, text.as_str())))
}

/// The tokens that templates write by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SpecialTokens(pub BTreeMap<String, String>);

impl SpecialTokens {
    /// Those that a GGUF file or the `tokenizer_config.json` of a model folder names; none where there is no such file.
    ///
    /// # Errors
    /// When the file is broken.
    pub fn of_model(path: &Path) -> Result<Self> {
        Ok(TokenizerConfig::of_model(path)?.special_tokens())
    }
}

/// What is read of a `tokenizer_config.json`, or its like in a GGUF file.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct TokenizerConfig {
    chat_template: Option<Templates>,
    bos_token: Option<Token>,
    eos_token: Option<Token>,
    pad_token: Option<Token>,
    unk_token: Option<Token>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Templates {
    One(String),
    Named(Vec<NamedTemplate>),
}

#[derive(Debug, Deserialize)]
struct NamedTemplate {
    name: String,
    template: String,
}

/// A token, by its text or as an `AddedToken`.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Token {
    Text(String),
    Added { content: String },
}

impl TokenizerConfig {
    const FILE: &str = "tokenizer_config.json";

    fn of_model(path: &Path) -> Result<Self> {
        if path.is_file() {
            let advice = "expected the metadata that llama.cpp writes";
            return serde_json::from_value(model::gguf_tokenizer_config(path)?)
                .map_err(|error| Error::input(Location::file(path), error.to_string(), advice));
        }
        let file = path.join(Self::FILE);
        if !file.is_file() {
            return Ok(Self::default());
        }
        serde_json::from_str(&read(&file)?).map_err(|error| {
            let location = Location { file, line: Some(error.line()), column: Some(error.column()) };
            let problem = error.to_string();
            let problem = problem.split(" at line ").next().unwrap_or_default();
            Error::input(location, problem, "expected the tokenizer_config.json of a Hugging Face model")
        })
    }

    fn special_tokens(&self) -> SpecialTokens {
        let named = [
            ("bos_token", &self.bos_token),
            ("eos_token", &self.eos_token),
            ("pad_token", &self.pad_token),
            ("unk_token", &self.unk_token),
        ];
        let token = |(name, token): (&str, &Option<Token>)| match token {
            Some(Token::Text(content) | Token::Added { content }) => Some((name.to_owned(), content.clone())),
            None => None,
        };
        SpecialTokens(named.into_iter().filter_map(token).collect())
    }
}

/// A file of text, of a sensible length.
fn read(file: &Path) -> Result<String> {
    let length = std::fs::metadata(file).map_err(|e| Error::reading(file, &e))?.len();
    if length > MAX_FILE {
        let advice = "is it another file? A chat template has a few kilobytes";
        return Err(Error::input(Location::file(file), "is longer than 64 MiB", advice));
    }
    std::fs::read_to_string(file).map_err(|e| Error::reading(file, &e))
}

/// What the engine complains of, without its kind.
fn message(error: &minijinja::Error) -> String {
    error.detail().map_or_else(|| error.kind().to_string(), str::to_owned)
}

/// `{% generation %}` marks what transformers' assistant mask covers and writes nothing.
fn without_generation_tags(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(at) = rest.find("{%") {
        let (before, tag) = rest.split_at(at);
        out.push_str(before);
        let end = tag.find("%}").map_or(tag.len(), |end| end + 2);
        let (tag, after) = tag.split_at(end);
        let word = tag.trim_matches(['{', '%', '}', '-', '+']).trim();
        out.push_str(&match word {
            "generation" => tag.replace(word, "if true"),
            "endgeneration" => tag.replace(word, "endif"),
            _ => tag.to_owned(),
        });
        rest = after;
    }
    out + rest
}

/// JSON as Python's `json.dumps` spaces it.
fn to_json(value: &Value, options: Kwargs) -> Result<String, minijinja::Error> {
    let indent: Option<usize> = options.get("indent")?;
    let _: Option<bool> = options.get("ensure_ascii")?;
    options.assert_all_used()?;
    let mut out = Vec::new();
    let written = match indent {
        Some(indent) => {
            let indent = " ".repeat(indent.min(16));
            let pretty = serde_json::ser::PrettyFormatter::with_indent(indent.as_bytes());
            value.serialize(&mut serde_json::Serializer::with_formatter(&mut out, pretty))
        }
        None => value.serialize(&mut serde_json::Serializer::with_formatter(&mut out, Spaced)),
    };
    let failed = |error: &dyn fmt::Display| minijinja::Error::new(ErrorKind::BadSerialization, error.to_string());
    written.map_err(|error| failed(&error))?;
    String::from_utf8(out).map_err(|error| failed(&error))
}

/// A space after every comma and colon.
struct Spaced;

impl serde_json::ser::Formatter for Spaced {
    fn begin_array_value<W: ?Sized + std::io::Write>(&mut self, out: &mut W, first: bool) -> std::io::Result<()> {
        if first { Ok(()) } else { out.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + std::io::Write>(&mut self, out: &mut W, first: bool) -> std::io::Result<()> {
        if first { Ok(()) } else { out.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + std::io::Write>(&mut self, out: &mut W) -> std::io::Result<()> {
        out.write_all(b": ")
    }
}

#[cfg(test)]
#[path = "chat_tests.rs"]
mod tests;

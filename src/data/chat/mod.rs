//! Chat templates: how a model's makers write a conversation as text. A template is a Jinja program from a stranger, so it
//! runs without files or clock, on a budget of steps, memory and depth. It sees what transformers' `apply_chat_template`
//! shows it: `messages`, `tools` and `documents` (none where there are none), `add_generation_prompt`, the special tokens by
//! name, and what a row gives under `chat_template_kwargs`.

mod calls;
mod format;
mod json;
mod of_model;
mod pitfalls;
mod python;
mod repr;
mod source;
mod text;
mod tokens;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, ErrorKind, Value};

pub(crate) use of_model::{ModelFiles, ReadSettings};

use super::row::{Arguments, Message};
use super::tokenizer::settings::{CHAT_TEMPLATE, Settings, TOKENIZER_CONFIG, TOOL_TEMPLATE, Templates};
use crate::error::Location;
use crate::{Error, Result};

/// What one rendering may cost, in the engine's fuel: about a million steps, or 64 MiB of text.
const FUEL: u64 = 1_000_000;
/// How deep macros and loops may nest; a macro counts about ten. A thread's stack takes it in a debug build too.
const RECURSION: usize = 100;
/// Longest file that is searched for a template: 64 MiB; `tokenizer_config.json` has a few MiB at most.
const MAX_FILE: u64 = 64 << 20;

/// The name of a model's template for conversations with tools, where it has several.
const WITH_TOOLS: &str = "tool_use";
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
    /// The file that the template comes from.
    origin: PathBuf,
    /// Whether it goes through the parts that a message's content may be in.
    reads_parts: bool,
    /// The one for conversations with tools, where the model has one of its own for them, or what is wrong with it: it does
    /// no harm to conversations without.
    with_tools: Option<Result<Box<Self>, String>>,
}

impl fmt::Debug for ChatTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChatTemplate").field("origin", &self.origin).finish_non_exhaustive()
    }
}

impl ChatTemplate {
    /// Compiles a template; `origin` is what errors call it.
    ///
    /// # Errors
    /// When the text is no Jinja, or Jinja that would be read otherwise here.
    pub fn new(origin: &Path, source: &str, special: &SpecialTokens) -> Result<Self> {
        let mut environment = Environment::new();
        // As in transformers' environment.
        if let Ok(syntax) = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build() {
            environment.set_syntax(syntax);
        }
        environment.set_fuel(Some(FUEL));
        environment.set_recursion_limit(RECURSION);
        python::teach(&mut environment);
        environment.add_filter("tojson", json::to_json);
        environment.add_function("raise_exception", |message: String| -> Result<Value, minijinja::Error> {
            Err(minijinja::Error::new(ErrorKind::InvalidOperation, format!("the template refuses it: {message}")))
        });
        environment.add_function("strftime_now", |format: String| {
            TODAY.iter().fold(format, |text, (code, value)| text.replace(code, value))
        });
        for (name, token) in &special.named {
            environment.add_global(name.clone(), token.clone());
        }
        if !special.listed.is_empty() {
            environment.add_global("additional_special_tokens", special.listed.clone());
        }
        let adapted = source::adapted(source).map_err(|(line, problem)| {
            let mut location = Location::file(origin);
            location.line = Some(line);
            Error::input(location, "the chat template would be read differently here than by Jinja2", problem)
        })?;
        environment.add_template_owned(NAME, adapted).map_err(|error| {
            let mut location = Location::file(origin);
            location.line = error.line();
            let advice = "expected a Jinja chat template, as transformers reads it";
            Error::input(location, format!("the chat template is not valid Jinja: {}", message(&error)), advice)
        })?;
        let reads_parts = source::reads_parts(source);
        Ok(Self { environment, origin: origin.to_owned(), reads_parts, with_tools: None })
    }

    /// The same with another template for conversations with tools.
    fn and_with_tools(self, origin: &Path, source: Option<&str>, special: &SpecialTokens) -> Self {
        let compiled = source.map(|source| Self::new(origin, source, special));
        let with_tools = compiled.map(|template| template.map(Box::new).map_err(|error| error.to_string()));
        Self { with_tools, ..self }
    }

    /// The template of a model whose tokenizer's settings `settings` reads: in a folder `chat_template.jinja`, or what
    /// `tokenizer_config.json` has under `chat_template`; or that of a GGUF file. `None` where there is none. Of several
    /// the one named `default`, and for conversations with tools the one named `tool_use`.
    ///
    /// # Errors
    /// When one of the files is broken, or holds named templates of which none is the default.
    pub(crate) fn of_model(path: &Path, settings: ReadSettings) -> Result<Option<Self>> {
        let settings = settings(path)?;
        let special = SpecialTokens::of(&settings);
        let file = path.join(CHAT_TEMPLATE);
        if file.is_file() {
            let template = Self::new(&file, &read(&file)?, &special)?;
            let further = path.join(TOOL_TEMPLATE);
            let source = further.is_file().then(|| read(&further)).transpose()?;
            return Ok(Some(template.and_with_tools(&further, source.as_deref(), &special)));
        }
        let file = if path.is_file() { path.to_owned() } else { path.join(TOKENIZER_CONFIG) };
        let (source, with_tools) = match settings.templates {
            Templates::None => return Ok(None),
            Templates::One(source) => (source, None),
            Templates::Named(mut templates) => {
                let with_tools = templates.iter().position(|(name, _)| name == WITH_TOOLS);
                let with_tools = with_tools.map(|at| std::mem::take(&mut templates[at].1));
                let names: Vec<String> = templates.iter().map(|(name, _)| name.clone()).collect();
                let problem = || format!("holds chat templates named {}, and none is the default", names.join(", "));
                let advice = "write the one to use into a file, and chat_template: \"FILE.jinja\" in the data";
                let default = templates.into_iter().find(|(name, _)| name == "default");
                let default = default.ok_or_else(|| Error::input(Location::file(&file), problem(), advice))?;
                (default.1, with_tools)
            }
        };
        let template = Self::new(&file, &source, &special)?;
        Ok(Some(template.and_with_tools(&file, with_tools.as_deref(), &special)))
    }

    /// The template that an experiment names: Jinja itself, a file of it, or a model folder, whose settings `settings`
    /// reads.
    ///
    /// # Errors
    /// When there is no such file, or it is no template.
    pub(crate) fn named(name: &str, special: &SpecialTokens, settings: ReadSettings) -> Result<Self> {
        if ["{{", "{%"].iter().any(|opening| name.contains(opening)) {
            return Self::new(Path::new("data.chat_template"), name, special);
        }
        let path = Path::new(name);
        if path.is_dir() {
            return Self::of_model(path, settings)?.ok_or_else(|| {
                let advice = "name a folder with a chat_template.jinja, or a tokenizer_config.json that has one";
                Error::input(Location::file(path), "has no chat template", advice)
            });
        }
        Self::new(path, &read(path)?, special)
    }

    /// The file that the template comes from.
    pub fn origin(&self) -> &Path {
        &self.origin
    }

    /// A conversation as text; `add_generation_prompt` opens the assistant's next turn.
    ///
    /// # Errors
    /// What the template refuses or does wrong, in words.
    pub fn render(
        &self,
        messages: &[Message],
        arguments: &Arguments,
        add_generation_prompt: bool,
    ) -> Result<String, String> {
        match &self.with_tools {
            Some(Ok(template)) if arguments.tools.is_some() => {
                return template.render(messages, arguments, add_generation_prompt);
            }
            Some(Err(problem)) if arguments.tools.is_some() => return Err(problem.clone()),
            _ => {}
        }
        let messages: Vec<Value> = messages.iter().map(|message| message.value(self.reads_parts)).collect();
        let none = || Value::from(());
        let mut context = BTreeMap::from([
            ("messages", Value::from(messages)),
            ("tools", arguments.tools.clone().unwrap_or_else(none)),
            ("documents", none()),
            ("add_generation_prompt", Value::from(add_generation_prompt)),
        ]);
        context.extend(arguments.named.iter().map(|(name, value)| (name.as_str(), value.clone())));
        let context = Value::from_pairs(context);
        let rendered = self.environment.get_template(NAME).and_then(|template| template.render(context));
        rendered.map_err(|error| match error.kind() {
            ErrorKind::OutOfFuel => "it takes more steps or memory than a chat template may".to_owned(),
            _ => message(&error),
        })
    }
}

/// The tokens that templates write by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SpecialTokens {
    /// Special tokens by their names: `bos_token`, `eos_token`, …
    pub named: BTreeMap<String, String>,
    /// The special tokens without a name; `additional_special_tokens` in a template.
    pub listed: Vec<String>,
}

impl SpecialTokens {
    /// The special tokens that a model's files name; none where there is no such file.
    pub(crate) fn of(settings: &Settings) -> Self {
        let (named, listed) = settings.for_templates();
        Self { named: named.into_iter().collect(), listed }
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

#[cfg(test)]
mod tests;

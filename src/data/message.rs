//! One turn of a conversation, and what else of a row a chat template is given.

use minijinja::Value;
use minijinja::value::ValueKind;

/// What a message may have in the place of words.
const TOOL_CALLS: &str = "tool_calls";

/// One turn of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The role of the speaker: `system`, `user`, `assistant` or `tool`.
    pub role: String,
    /// What is said; the text of all parts where it is in parts.
    pub content: String,
    /// Every member as it is written, for the chat template; what is null is left out.
    members: Vec<(String, Value)>,
    /// Whether it has neither words nor a call in their place. Only an answer may be like that: it is an empty one.
    pub(super) is_silent: bool,
}

impl Message {
    /// A message with nothing but its role and its words.
    pub(crate) fn plain(role: &str, content: String) -> Self {
        let members = [("role", Value::from(role)), ("content", Value::from(content.as_str()))];
        let members = members.map(|(name, value)| (name.to_owned(), value)).into();
        Self { role: role.to_owned(), content, members, is_silent: false }
    }

    /// A message from its members; null is as good as absent.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub(super) fn new(members: Vec<(String, Value)>) -> Result<Self, String> {
        let of =
            |name: &str| members.iter().find(|(key, value)| key == name && !value.is_none()).map(|(_, value)| value);
        let has_key = |name: &str| members.iter().any(|(key, _)| key == name);
        let missing = |key: &str| format!("it has no {key}");
        let wrong = |key: &str, value: &Value| format!("its {key} is {}", kind(value));
        let role = match of("role") {
            None => return Err(missing("role")),
            Some(role) => role.as_str().ok_or_else(|| wrong("role", role))?.to_owned(),
        };
        if role.is_empty() {
            return Err(missing("role"));
        }
        let calls = of(TOOL_CALLS).is_some_and(Value::is_true);
        let is_silent = !calls && of("content").is_none();
        let content = match of("content") {
            None if calls || has_key("content") => String::new(),
            None => return Err(missing("content")),
            Some(content) => match content.kind() {
                ValueKind::String => content.as_str().unwrap_or_default().to_owned(),
                ValueKind::Seq => parts(content)?,
                _ => return Err(wrong("content", content)),
            },
        };
        // A template asks whether a call comes without words.
        let kept = |(name, value): &(String, Value)| !value.is_none() || (calls && name == "content");
        Ok(Self { role, content, members: members.into_iter().filter(kept).collect(), is_silent })
    }

    /// Whether there is nothing in it: neither words nor a call.
    pub(super) fn says_nothing(&self) -> bool {
        let calls = self.members.iter().any(|(name, value)| name == TOOL_CALLS && value.is_true());
        self.content.trim().is_empty() && !calls
    }

    /// The message as a template sees it: content in parts as it is where the template goes through them, otherwise their
    /// text.
    pub(super) fn value(&self, in_parts: bool) -> Value {
        let member = |(name, value): &(String, Value)| {
            let joined = name == "content" && value.kind() == ValueKind::Seq && !in_parts;
            (name.clone(), if joined { Value::from(self.content.as_str()) } else { value.clone() })
        };
        Value::from_pairs(self.members.iter().map(member))
    }
}

/// The text of content in parts.
fn parts(content: &Value) -> Result<String, String> {
    let mut text = String::new();
    for part in content.try_iter().map_err(|error| error.to_string())? {
        let member = |name: &str| part.get_attr(name).unwrap_or_default();
        match (member("type").as_str(), member("text").as_str()) {
            (Some("text") | None, Some(words)) => text += words,
            (Some(other), _) if other != "text" => {
                return Err(format!("its content has a part of the type \"{other}\", and only text is read"));
            }
            _ => return Err("its content is a list, and not of {\"type\": \"text\", \"text\": \"…\"}".to_owned()),
        }
    }
    Ok(text)
}

/// What a value is, in words.
fn kind(value: &Value) -> &'static str {
    match value.kind() {
        ValueKind::Bool => "true or false",
        ValueKind::Number => "a number",
        ValueKind::Seq => "a list",
        ValueKind::Map => "an object",
        _ => "no text",
    }
}

/// What a row gives its chat template besides messages, as TRL passes it on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Arguments {
    /// The column `tools`: JSON schemas of functions.
    pub tools: Option<Value>,
    /// The members of the column `chat_template_kwargs`.
    pub named: Vec<(String, Value)>,
}

impl Arguments {
    /// What a template is given anyway, or what is no variable of a template.
    const TAKEN: [&str; 6] =
        ["conversation", "messages", "tools", "add_generation_prompt", "continue_final_message", "chat_template"];

    /// Takes the column `tools`: a list, or a list as JSON in a text.
    pub(super) fn take_tools(&mut self, value: Value) -> Result<(), String> {
        let value = match value.as_str() {
            Some(text) if text.trim().is_empty() => return Ok(()),
            Some(text) => serde_json::from_str(text).map_err(|error| format!("is text that is not JSON: {error}"))?,
            None => value,
        };
        let is_schema = |tool: &Value| tool.kind() == ValueKind::Map;
        match value.kind() {
            ValueKind::None => Ok(()),
            ValueKind::Seq if value.try_iter().is_ok_and(|mut tools| tools.all(|tool| is_schema(&tool))) => {
                self.tools = Some(value);
                Ok(())
            }
            ValueKind::Seq => Err("holds something that is not a JSON schema".to_owned()),
            _ => Err(format!("is {}", kind(&value))),
        }
    }

    /// Takes the column `chat_template_kwargs`.
    pub(super) fn take_named(&mut self, value: &Value) -> Result<(), String> {
        if value.kind() != ValueKind::Map {
            return if value.is_none() { Ok(()) } else { Err(format!("is {}", kind(value))) };
        }
        for key in value.try_iter().map_err(|error| error.to_string())? {
            let (name, member) = (key.to_string(), value.get_item(&key).map_err(|error| error.to_string())?);
            if Self::TAKEN.contains(&name.as_str()) {
                return Err(format!("sets \"{name}\", which the row's own columns say"));
            }
            if !member.is_none() {
                self.named.push((name, member));
            }
        }
        Ok(())
    }
}

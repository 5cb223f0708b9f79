//! A row of preference data, however it is stored, in any of TRL's formats ("dataset formats" in its documentation):
//! plain text or conversations, the prompt under its own key or at the beginning of both answers.

use std::collections::BTreeMap;
use std::path::Path;

pub use super::message::{Arguments, Message};
use super::place::{Place, Unit};
use crate::experiment::slips;
use crate::protocol::ProbeKind;
use crate::{Error, Result};

pub(super) const EXPECTED: &str = r#"expected one object a row: {"prompt": "…", "chosen": "…", "rejected": "…"}"#;
const MESSAGE: &str = r#"a message is {"role": "user", "content": "…"}"#;
const ARGUMENTS: &str = r#""tools" is a list of JSON schemas, "chat_template_kwargs" an object"#;

const PROMPT: &str = "prompt";
const COMPLETION: &str = "completion";
const MESSAGES: &str = "messages";
const TEXT: &str = "text";
/// What a chat template is given besides messages.
const TOOLS: &str = "tools";
const TEMPLATE_KWARGS: &str = "chat_template_kwargs";
/// Keys that are read besides those of the probe kinds.
const KEYS: [&str; 6] = [PROMPT, COMPLETION, MESSAGES, TEXT, TOOLS, TEMPLATE_KWARGS];
/// What marks a row of KTO's unpaired preferences.
const LABEL: &str = "label";

/// Keys of a row that are named where another is missing.
const MOST_NAMED: usize = 8;
/// Letters in which a key may differ from the one that is missing.
const SLIPS: usize = 2;

/// Why a row is left out of which one answer says nothing.
const EMPTY_ANSWER: &str = "an answer is empty";

/// The mark before an answer in Anthropic's HH dialogues, and the one that they begin with.
const HH_ANSWER: &str = "\n\nAssistant:";
const HH_QUESTION: &str = "\n\nHuman:";

/// A prompt or an answer as it is written in the data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turns {
    /// Text, as the tokenizer sees it.
    Text(String),
    /// Turns of a conversation; a chat template makes them text.
    Messages(Vec<Message>),
}

/// The words themselves: the text, or what the last message says.
impl AsRef<str> for Turns {
    fn as_ref(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::Messages(messages) => messages.last().map_or("", |message| &message.content),
        }
    }
}

impl Default for Turns {
    fn default() -> Self {
        Self::Text(String::new())
    }
}

impl From<String> for Turns {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl Turns {
    fn is_empty(&self) -> bool {
        match self {
            Self::Text(text) => text.trim().is_empty(),
            Self::Messages(messages) => messages.iter().all(Message::says_nothing),
        }
    }
}

/// A prompt and its answers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Row {
    /// The line or row of the file, from 1.
    pub number: usize,
    /// What is asked; empty for a document, which answers nothing.
    pub prompt: Turns,
    /// The answers; `chosen` is always there.
    pub responses: BTreeMap<ProbeKind, Turns>,
    /// What its chat template is given besides.
    pub arguments: Arguments,
    /// Whether its answers begin with its prompt, which stands before them anyway.
    pub repeats: bool,
    /// What the number counts.
    pub(super) unit: Unit,
}

impl Row {
    /// The place of the row in a file.
    pub(super) fn place<'a>(&self, file: &'a Path) -> Place<'a> {
        Place { file, number: self.number, unit: self.unit }
    }
}

/// What a row turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A row to learn from.
    Row(Row),
    /// A sound row that nothing can be learnt from, and why.
    Dropped(usize, &'static str),
}

/// What stands under a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    /// Text.
    Text(String),
    /// A list of messages.
    Messages(Vec<Message>),
    /// What a chat template is given.
    Json(minijinja::Value),
    /// A list of messages of which one, counted from 1, is unsound: what is wrong with it.
    Broken(usize, String),
    /// Something else, in words.
    Other(&'static str),
}

/// The members of a row.
pub(super) type Fields = BTreeMap<String, Value>;

/// Makes a row of its members.
///
/// # Errors
/// With the row's place: when `chosen` or the prompt is missing, something is empty or no text, a key is misspelt, or the
/// row is of a kind that is not trained on.
pub(super) fn read(place: Place<'_>, fields: Fields) -> Result<Entry> {
    check_keys(place, &fields)?;
    Reader { place, fields, arguments: Arguments::default() }.read()
}

struct Reader<'a> {
    place: Place<'a>,
    fields: Fields,
    arguments: Arguments,
}

impl Reader<'_> {
    fn read(mut self) -> Result<Entry> {
        for key in [TOOLS, TEMPLATE_KWARGS] {
            let taken = match self.fields.remove(key) {
                None => continue,
                Some(Value::Json(value)) if key == TOOLS => self.arguments.take_tools(value),
                Some(Value::Json(value)) => self.arguments.take_named(&value),
                Some(Value::Other(found)) => Err(format!("is {found}")),
                Some(_) => Err("is not JSON".to_owned()),
            };
            taken.map_err(|problem| self.place.error(format!("\"{key}\" {problem}"), ARGUMENTS))?;
        }
        let mut responses = BTreeMap::new();
        for &kind in ProbeKind::ALL {
            if let Some(turns) = self.take(kind.key())? {
                responses.insert(kind, turns);
            }
        }
        if [ProbeKind::Chosen, ProbeKind::Rejected].iter().any(|kind| responses.get(kind).is_some_and(Turns::is_empty))
        {
            return self.dropped(EMPTY_ANSWER);
        }
        let prompt = self.take(PROMPT)?;
        if prompt.as_ref().is_some_and(Turns::is_empty) {
            return Err(self.place.error("\"prompt\" is empty", "give it text, or leave the row out"));
        }
        let chosen = match responses.remove(&ProbeKind::Chosen) {
            Some(chosen) => chosen,
            None => return self.unpaired(prompt, responses),
        };
        let prompt = match (prompt, &chosen) {
            (Some(Turns::Text(text)), Turns::Messages(messages)) => {
                // A plain prompt beside whole conversations repeats what they begin with, as in UltraFeedback.
                let answers = messages.first().is_some_and(|message| message.role == "assistant");
                if !answers && !messages.iter().any(|message| message.content.contains(text.trim())) {
                    let problem = "\"prompt\" is nowhere in the conversations that stand beside it";
                    return Err(self.place.error(problem, "leave it out, or write it as a message of theirs"));
                }
                answers.then(|| Turns::Messages(vec![Message::plain("user", text)]))
            }
            (prompt, _) => prompt,
        };
        let Some(prompt) = prompt else {
            return match (chosen, responses.remove(&ProbeKind::Rejected)) {
                (Turns::Text(chosen), Some(Turns::Text(rejected))) => self.split_texts(&chosen, &rejected, responses),
                (Turns::Messages(chosen), Some(Turns::Messages(rejected))) => {
                    self.split_conversations(chosen, rejected, responses)
                }
                (Turns::Messages(chosen), None) => self.split_last(chosen, "chosen", responses),
                (Turns::Text(_), None) => Err(self.lacking(PROMPT)),
                (_, Some(_)) => {
                    let problem = "of \"chosen\" and \"rejected\" one is text and one a list of messages";
                    Err(self.place.error(problem, "write both in the same way"))
                }
            };
        };
        responses.insert(ProbeKind::Chosen, chosen);
        self.row(prompt, responses)
    }

    /// A row without `chosen`: TRL's prompt-completion and language-modelling formats.
    fn unpaired(mut self, prompt: Option<Turns>, mut responses: BTreeMap<ProbeKind, Turns>) -> Result<Entry> {
        if let Some(completion) = self.take(COMPLETION)? {
            if self.fields.contains_key(LABEL) {
                let advice =
                    "answers judged one by one (KTO) are not trained on: pair them as \"chosen\" and \"rejected\"";
                return Err(self.place.error("has a \"label\" and no pair", advice));
            }
            let prompt = prompt.ok_or_else(|| self.lacking(PROMPT))?;
            responses.insert(ProbeKind::Chosen, completion);
            return self.row(prompt, responses);
        }
        if let (None, Some(messages)) = (&prompt, self.take(MESSAGES)?) {
            return match messages {
                Turns::Messages(messages) => self.split_last(messages, MESSAGES, responses),
                Turns::Text(_) => Err(self.place.error("\"messages\" is text", MESSAGE)),
            };
        }
        if let (None, Some(text)) = (&prompt, self.take(TEXT)?) {
            if let Turns::Messages(_) = text {
                return Err(self.place.error("\"text\" is a list of messages", "write them under \"messages\""));
            }
            responses.insert(ProbeKind::Chosen, text);
            return self.row(Turns::Text(String::new()), responses);
        }
        Err(self.lacking(if prompt.is_none() && responses.is_empty() { PROMPT } else { ProbeKind::Chosen.key() }))
    }

    /// The error of a missing key: it names the keys that are there in its stead.
    fn lacking(&self, key: &str) -> Error {
        let others: Vec<&str> = self.fields.keys().map(String::as_str).take(MOST_NAMED).collect();
        let near = others.iter().find(|other| slips(other, key) <= SLIPS);
        let advice = match (near, &others[..]) {
            (Some(near), _) => format!("did you mean it by \"{near}\"? {EXPECTED}"),
            (None, []) => EXPECTED.to_owned(),
            (None, others) => format!("{EXPECTED}; it has \"{}\"", others.join("\", \"")),
        };
        self.place.error(format!("has no \"{key}\""), advice)
    }

    /// The row, if there is something to learn from it: an empty answer teaches nothing. Of one that is only observed there
    /// is nothing to observe; the paper's own file has some.
    fn row(&self, prompt: Turns, mut responses: BTreeMap<ProbeKind, Turns>) -> Result<Entry> {
        let learnt = |kind: &ProbeKind| matches!(kind, ProbeKind::Chosen | ProbeKind::Rejected);
        if responses.iter().any(|(kind, turns)| learnt(kind) && turns.is_empty()) {
            return self.dropped(EMPTY_ANSWER);
        }
        responses.retain(|_, turns| !turns.is_empty());
        let answers = responses.iter().map(|(kind, turns)| (kind.key(), turns));
        for (key, turns) in [(PROMPT, &prompt)].into_iter().chain(answers) {
            if let Turns::Messages(messages) = turns
                && let Some(at) = messages.iter().position(|message| message.is_silent)
            {
                return Err(self.place.error(format!("message {} of \"{key}\": it has no content", at + 1), MESSAGE));
            }
        }
        let repeats = responses.iter().filter(|(kind, _)| learnt(kind)).all(|(_, answer)| repeats(&prompt, answer));
        let Place { number, unit, .. } = self.place;
        Ok(Entry::Row(Row { number, prompt, responses, arguments: self.arguments.clone(), repeats, unit }))
    }

    fn dropped(&self, why: &'static str) -> Result<Entry> {
        Ok(Entry::Dropped(self.place.number, why))
    }

    /// What stands under a key.
    fn take(&mut self, key: &str) -> Result<Option<Turns>> {
        let turns = match self.fields.remove(key) {
            None => return Ok(None),
            Some(Value::Text(text)) => Turns::Text(text),
            Some(Value::Messages(messages)) => Turns::Messages(messages),
            Some(Value::Broken(number, problem)) => {
                return Err(self.place.error(format!("message {number} of \"{key}\": {problem}"), MESSAGE));
            }
            Some(Value::Json(_)) => return Ok(None),
            Some(Value::Other(found)) => {
                let advice = format!("expected text: \"{key}\": \"…\", or a list of messages; {MESSAGE}");
                return Err(self.place.error(format!("\"{key}\" is {found}"), advice));
            }
        };
        Ok(Some(turns))
    }

    /// A conversation whose last turn is the answer.
    fn split_last(
        &self,
        mut messages: Vec<Message>,
        key: &str,
        mut responses: BTreeMap<ProbeKind, Turns>,
    ) -> Result<Entry> {
        match messages.pop() {
            None => self.dropped(EMPTY_ANSWER),
            Some(answer) if answer.role == "assistant" && !messages.is_empty() => {
                responses.insert(ProbeKind::Chosen, Turns::Messages(vec![answer]));
                self.row(Turns::Messages(messages), responses)
            }
            _ => {
                let problem = format!("\"{key}\" is no conversation that ends with an answer");
                Err(self.place.error(problem, "expected a user's message and then an assistant's"))
            }
        }
    }

    /// TRL's `extract_prompt` on conversations: the turns that both have in common, one being left to each as its answer.
    fn split_conversations(
        &self,
        mut chosen: Vec<Message>,
        mut rejected: Vec<Message>,
        mut responses: BTreeMap<ProbeKind, Turns>,
    ) -> Result<Entry> {
        let common = chosen.iter().zip(&rejected).take_while(|(a, b)| a == b).count();
        if chosen.is_empty() || rejected.is_empty() {
            return self.dropped(EMPTY_ANSWER);
        }
        let common = common.min(chosen.len() - 1).min(rejected.len() - 1);
        if common == 0 {
            return Err(self.no_common_beginning());
        }
        let (answer, other) = (chosen.split_off(common), rejected.split_off(common));
        responses.insert(ProbeKind::Chosen, Turns::Messages(answer));
        responses.insert(ProbeKind::Rejected, Turns::Messages(other));
        self.row(Turns::Messages(chosen), responses)
    }

    fn split_texts(&self, chosen: &str, rejected: &str, mut responses: BTreeMap<ProbeKind, Turns>) -> Result<Entry> {
        if chosen.trim().is_empty() || rejected.trim().is_empty() {
            return self.dropped(EMPTY_ANSWER);
        }
        let at = match prompt_end(chosen, rejected) {
            Some(0) => return Err(self.no_common_beginning()),
            Some(at) => at,
            None => {
                return self.dropped("one answer is the beginning of the other, so the prompt's end cannot be told");
            }
        };
        let (prompt, answer, other) = (&chosen[..at], &chosen[at..], &rejected[at..]);
        responses.insert(ProbeKind::Chosen, Turns::Text(answer.to_owned()));
        responses.insert(ProbeKind::Rejected, Turns::Text(other.to_owned()));
        self.row(Turns::Text(prompt.to_owned()), responses)
    }

    fn no_common_beginning(&self) -> Error {
        let advice = "\"chosen\" and \"rejected\" begin differently: give what they answer under \"prompt\"";
        self.place.error("has no \"prompt\"", advice)
    }
}

/// Whether an answer begins with the prompt that it stands after.
fn repeats(prompt: &Turns, answer: &Turns) -> bool {
    match (prompt, answer) {
        (Turns::Text(prompt), Turns::Text(answer)) => {
            let prompt = prompt.trim();
            // A word may well begin both.
            prompt.contains(char::is_whitespace) && answer.trim_start().starts_with(prompt)
        }
        (Turns::Messages(prompt), Turns::Messages(answer)) => answer.len() > prompt.len() && answer.starts_with(prompt),
        _ => false,
    }
}

/// The byte at which the answers begin in two texts that both begin with the prompt; `None` where it cannot be told.
///
/// In an HH dialogue it is after the last `Assistant:` that both have. Elsewhere the prompt is what both have in common,
/// less a space at its end, as TRL has it: words that both answers begin with count as the prompt's there.
fn prompt_end(chosen: &str, rejected: &str) -> Option<usize> {
    let common: usize =
        chosen.chars().zip(rejected.chars()).take_while(|(a, b)| a == b).map(|(a, _)| a.len_utf8()).sum();
    let shared = &chosen[..common];
    if let Some(at) = shared.rfind(HH_ANSWER).filter(|_| shared.starts_with(HH_QUESTION)) {
        return Some(at + HH_ANSWER.len());
    }
    if common == chosen.len() || common == rejected.len() {
        return None;
    }
    Some(common - usize::from(shared.ends_with(' ')))
}

/// Refuses unknown keys that are all but one that is missing.
fn check_keys(place: Place<'_>, fields: &Fields) -> Result<()> {
    let known = || ProbeKind::ALL.iter().map(|kind| kind.key()).chain([PROMPT]);
    for key in fields.keys().filter(|key| !known().any(|known| known == *key)) {
        let missing = known().filter(|known| !fields.contains_key(*known));
        if let Some(near) = missing.into_iter().find(|known| is_misspelling(key, known)) {
            let advice = format!("did you mean \"{near}\"? Rename it, or rename the key if it is another thing");
            return Err(place.error(format!("unknown key \"{key}\""), advice));
        }
    }
    Ok(())
}

/// Whether what stands under a key goes to the chat template as it is.
pub(super) fn is_argument(key: &str) -> bool {
    [TOOLS, TEMPLATE_KWARGS].contains(&key)
}

/// Whether a key of that name is read, or marks a row that is refused.
pub(super) fn is_read(key: &str) -> bool {
    KEYS.contains(&key) || key == LABEL || ProbeKind::ALL.iter().any(|kind| kind.key() == key)
}

/// Whether `key` is `known` up to case, separators, and one letter added, left out, replaced or swapped with its
/// neighbour.
fn is_misspelling(key: &str, known: &str) -> bool {
    let letters = |text: &str| -> Vec<char> {
        text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
    };
    let (key, known) = (letters(key), letters(known));
    let (shorter, longer) = if key.len() < known.len() { (&key, &known) } else { (&known, &key) };
    let Some(at) = longer.iter().zip(shorter).position(|(a, b)| a != b) else {
        return longer.len() - shorter.len() <= 1;
    };
    match longer.len() - shorter.len() {
        0 => {
            let swapped = at + 1 < key.len() && key[at] == known[at + 1] && key[at + 1] == known[at];
            key[at + 1..] == known[at + 1..] || (swapped && key[at + 2..] == known[at + 2..])
        }
        1 => longer[at + 1..] == shorter[at..],
        _ => false,
    }
}

#[cfg(test)]
#[path = "row_tests.rs"]
mod tests;

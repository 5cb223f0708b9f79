//! Preference data in files: rows as they are written become text, and what was done to them is counted.

use std::path::Path;
use std::sync::OnceLock;

use super::chat::{ChatTemplate, ModelFiles, SpecialTokens};
use super::example::{Form, Others};
use super::jsonl::Lines;
use super::lengths::{TOO_LONG, Trainable, UNKNOWN, Untrainable};
use super::place::{Place, is_parquet};
use super::report::DataReport;
use super::row::{Arguments, EXPECTED, Entry, Message, Row, Turns};
use super::tokenizer::{EOS, PAD};
use super::{ExampleVisitor, PreferenceExample, Visited};
use crate::error::Location;
use crate::experiment::PreferenceFiles;
use crate::protocol::ProbeKind;
use crate::{Error, Result};

/// The files of an experiment and the chat template that goes with its model. Rows are read as they are asked for: only
/// those that somebody keeps are in memory.
#[derive(Debug)]
pub struct PreferenceData {
    files: PreferenceFiles,
    model: ModelFiles,
    /// Compiled when the first row asks for it; `None` where there is none.
    template: OnceLock<Option<ChatTemplate>>,
}

/// What a look through a file finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Survey {
    /// Rows, those that will be dropped included.
    pub(crate) rows: usize,
    /// The first row that is kept and has no rejected answer.
    pub(crate) unpaired: Option<usize>,
}

impl PreferenceData {
    /// Gets the files ready. A model that is yet to be downloaded may bring a template.
    pub(crate) fn open(files: &PreferenceFiles, model: ModelFiles) -> Self {
        Self { files: files.clone(), model, template: OnceLock::new() }
    }

    /// The template: the one that the experiment names, or the model's; `None` where there is none.
    fn template(&self) -> Result<Option<&ChatTemplate>> {
        if let Some(template) = self.template.get() {
            return Ok(template.as_ref());
        }
        let ModelFiles { path, settings, .. } = &self.model;
        let found = match (&self.files.chat_template, path) {
            (Some(name), None) => Some(ChatTemplate::named(name, &own_tokens(), *settings)?),
            (Some(name), Some(path)) => {
                let special = SpecialTokens::of(&settings(path)?);
                Some(ChatTemplate::named(name, &special, *settings)?)
            }
            (None, Some(path)) => ChatTemplate::of_model(path, *settings)?,
            (None, None) => None,
        };
        Ok(self.template.get_or_init(|| found).as_ref())
    }

    /// Whether the model has to be downloaded before conversations can become text.
    pub(crate) fn awaits_its_model(&self) -> bool {
        self.model.awaited && self.files.chat_template.is_none()
    }

    /// Looks through a file without keeping anything.
    ///
    /// # Errors
    /// With file and row: the first row that cannot be read, or a conversation without a template to write it with.
    pub(crate) fn survey(&self, file: &Path) -> Result<Survey> {
        let mut survey = Survey { rows: 0, unpaired: None };
        for entry in open(file)? {
            survey.rows += 1;
            if let Entry::Row(row) = entry? {
                if !row.responses.contains_key(&ProbeKind::Rejected) {
                    survey.unpaired.get_or_insert(row.number);
                }
                if !self.model.awaited && is_conversation(&row) && self.template()?.is_none() {
                    return Err(no_template(row.place(file)));
                }
            }
        }
        if survey.rows == 0 {
            return Err(Error::input(Location::file(file), "holds no rows", EXPECTED));
        }
        Ok(survey)
    }

    /// The first `limit` training rows as text, prompt and chosen answer.
    ///
    /// # Errors
    /// As [`super::Data::visit`].
    pub(super) fn documents(&self, limit: usize) -> Result<Vec<String>> {
        let document = |row: Result<Row>| Ok(self.render(&self.files.train, &row?)?.document());
        self.rows(&self.files.train)?.take(limit).map(document).collect()
    }

    /// See [`super::Data::visit`].
    pub(super) fn visit(&self, observe: usize, seed: u64, each: &mut ExampleVisitor<'_>) -> Result<Visited> {
        let file = &self.files.train;
        let mut report = DataReport::new(&self.files);
        let (mut observed, mut chosen, mut asks) = (Vec::new(), Vec::new(), false);
        for entry in open(file)? {
            report.rows += 1;
            let row = match entry? {
                Entry::Row(row) => row,
                Entry::Dropped(number, why) => {
                    report.drop(number, why);
                    continue;
                }
            };
            let example = self.render(file, &row)?;
            match each(row.number, &example)? {
                Trainable::Yes(truncation) => report.keep(row.number, truncation, row.repeats),
                Trainable::No(Untrainable::Dropped(why)) => {
                    report.drop(row.number, why);
                    continue;
                }
                Trainable::No(Untrainable::Refused(problem)) => return Err(row.place(file).error(problem, TOO_LONG)),
                Trainable::No(Untrainable::Unknown(problem)) => return Err(row.place(file).error(problem, UNKNOWN)),
            }
            asks |= !example.prompt.is_empty();
            chosen.push(row.responses.get(&ProbeKind::Chosen).map(|turns| turns.as_ref().to_owned()));
            if observed.len() < observe {
                observed.push(row);
            }
        }
        if report.kept == 0 {
            let problem = match report.dropped.first() {
                None => "holds no rows".to_owned(),
                Some(dropped) => format!("holds no row to learn from: {}", dropped.why),
            };
            return Err(Error::input(Location::file(file), problem, EXPECTED));
        }
        let held_out = self.held_out(observe)?;
        if !asks {
            return Ok(Visited {
                observed: self.examples(&held_out)?,
                held_out: Vec::new(),
                asks,
                report: Some(report),
            });
        }
        let others: Vec<Option<String>> = held_out
            .iter()
            .map(|row| row.responses.get(&ProbeKind::Chosen).map(|turns| turns.as_ref().to_owned()))
            .collect();
        let mut others = Others::new(seed, &chosen, &others);
        for (index, row) in observed.iter_mut().enumerate() {
            report.derived.extend(others.derive(index, &mut row.responses));
        }
        let observed = observed.iter().map(|row| self.render(file, row)).collect::<Result<_>>()?;
        Ok(Visited { observed, held_out: self.examples(&held_out)?, asks, report: Some(report) })
    }

    /// The first held-out rows.
    fn held_out(&self, limit: usize) -> Result<Vec<Row>> {
        match &self.files.held_out {
            Some(file) => self.rows(file)?.take(limit).collect(),
            None => Ok(Vec::new()),
        }
    }

    fn examples(&self, held_out: &[Row]) -> Result<Vec<PreferenceExample>> {
        let file = self.files.held_out.as_ref().unwrap_or(&self.files.train);
        held_out.iter().map(|row| self.render(file, row)).collect()
    }

    /// The rows of a file that are not dropped.
    fn rows(&self, file: &Path) -> Result<impl Iterator<Item = Result<Row>> + use<>> {
        Ok(open(file)?.filter_map(|entry| match entry {
            Ok(Entry::Row(row)) => Some(Ok(row)),
            Ok(Entry::Dropped(..)) => None,
            Err(error) => Some(Err(error)),
        }))
    }

    /// A row as text.
    fn render(&self, file: &Path, row: &Row) -> Result<PreferenceExample> {
        let place = row.place(file);
        if is_conversation(row) {
            let template = self.template()?.ok_or_else(|| no_template(place))?;
            return conversation(template, row).map_err(|problem| {
                let problem = format!("the chat template cannot write it: {problem}");
                let origin = template.origin().display();
                place.error(problem, format!("the template is {origin}; chat_template in the data names another"))
            });
        }
        let text = |turns: &Turns| turns.as_ref().to_owned();
        let responses = row.responses.iter().map(|(&kind, turns)| (kind, text(turns))).collect();
        Ok(PreferenceExample { prompt: text(&row.prompt), responses, form: Form::Plain })
    }
}

/// The rows of a file, by its ending.
fn open(file: &Path) -> Result<Box<dyn Iterator<Item = Result<Entry>>>> {
    super::pointer::refuse(file)?;
    if !is_parquet(file) {
        return Ok(Box::new(Lines::open(file)?));
    }
    #[cfg(feature = "parquet")]
    return Ok(Box::new(super::parquet::Rows::open(file)?));
    #[cfg(not(feature = "parquet"))]
    Err(Error::input(
        Location::file(file),
        "is a Parquet file, and this program was built without a reader for it",
        "build it with --features parquet, or convert the file to JSON lines",
    ))
}

/// The special tokens of a tokenizer of ours.
fn own_tokens() -> SpecialTokens {
    let named = [("eos_token", EOS), ("pad_token", PAD)].map(|(name, token)| (name.into(), token.into())).into();
    SpecialTokens { named, listed: Vec::new() }
}

fn is_conversation(row: &Row) -> bool {
    row.responses.values().chain([&row.prompt]).any(|turns| matches!(turns, Turns::Messages(_)))
}

fn no_template(place: Place<'_>) -> Error {
    let advice = "name one in the data (chat_template: \"FILE.jinja\", or the Jinja itself), or a model that has one";
    place.error("is a conversation, and there is no chat template to write it with", advice)
}

/// A conversation as text: the prompt with the assistant's turn opened, and of every answer what the whole conversation
/// has beyond that (as TRL's `apply_chat_template`).
fn conversation(template: &ChatTemplate, row: &Row) -> Result<PreferenceExample, String> {
    let mut messages = match &row.prompt {
        Turns::Messages(messages) => messages.clone(),
        Turns::Text(text) => vec![Message::plain("user", text.clone())],
    };
    let turns = messages.len();
    let opened = opened(template, &messages, &row.arguments)?;
    let mut prompt = opened.clone();
    let mut whole = Vec::with_capacity(row.responses.len());
    for (&kind, answer) in &row.responses {
        messages.truncate(turns);
        match answer {
            Turns::Messages(answer) => messages.extend(answer.iter().cloned()),
            Turns::Text(text) => messages.push(Message::plain("assistant", text.clone())),
        }
        whole.push((kind, template.render(&messages, &row.arguments, false)?));
    }
    // What is learnt from decides where the prompt ends; what is only observed follows it as well as it can.
    let learnt = |kind: &ProbeKind| matches!(kind, ProbeKind::Chosen | ProbeKind::Rejected);
    let deciding = whole.iter().filter(|(kind, _)| learnt(kind)).map(|(_, text)| common_prefix(&prompt, text));
    let common = deciding.min().unwrap_or_default();
    if common < prompt.len() {
        messages.truncate(turns);
        let closed = template.render(&messages, &row.arguments, false)?;
        if !is_whole(&closed, &prompt[..common], messages.last().map_or("", |last| &last.content)) {
            return Err("a conversation with its answer does not begin as the prompt alone does".to_owned());
        }
        prompt.truncate(common);
    }
    let mut responses = std::collections::BTreeMap::new();
    for (kind, mut text) in whole {
        let text = text.split_off(common_prefix(&prompt, &text));
        match (text.trim().is_empty(), learnt(&kind)) {
            (false, _) => drop(responses.insert(kind, text)),
            (true, true) => return Err(format!("nothing of \"{kind}\" is left")),
            (true, false) => {}
        }
    }
    let opened = Some(opened).filter(|opened| *opened != prompt);
    Ok(PreferenceExample { prompt, responses, form: Form::Chat { opened } })
}

/// Whether what the conversations with their answers have in common holds the prompt's messages. A template may open a turn
/// with more than it later writes there, such as `<think>`, and may end what nobody answered in another way; but the last
/// words must be there.
fn is_whole(closed: &str, common: &str, last_words: &str) -> bool {
    let words = last_words.trim();
    common.starts_with(closed)
        || (closed.contains(words)
            && !words.is_empty()
            && common.matches(words).count() >= closed.matches(words).count())
}

/// A prompt as text, ready to be answered.
fn opened(template: &ChatTemplate, messages: &[Message], arguments: &Arguments) -> Result<String, String> {
    let last = messages.last().ok_or("the prompt has no message")?;
    match last.role.as_str() {
        "user" | "tool" | "function" | "ipython" => template.render(messages, arguments, true),
        // An answer that was begun is gone on with.
        "assistant" => {
            let mut text = template.render(messages, arguments, false)?;
            let words = last.content.trim_end();
            let at = text.rfind(words).ok_or("the prompt's last message is not in it as it was said")?;
            text.truncate(at + words.len());
            Ok(text)
        }
        other => Err(format!("the prompt ends with a message of \"{other}\", which nobody answers")),
    }
}

/// Bytes that two texts have in common at their beginning.
fn common_prefix(a: &str, b: &str) -> usize {
    a.chars().zip(b.chars()).take_while(|(a, b)| a == b).map(|(a, _)| a.len_utf8()).sum()
}

#[cfg(test)]
#[path = "preferences_tests.rs"]
mod tests;

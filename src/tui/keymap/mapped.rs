//! The keys as they are mapped: the table, with what a user's settings change in it. They are mapped once, before the first
//! screen.

use std::borrow::Cow;
use std::sync::OnceLock;

use crossterm::event::KeyEvent;

use super::action::{Action, LabAction, LessonAction, Rows};
use super::context::Context;
use super::key::Key;
use super::table::{BINDINGS, Binding};
use crate::experiment::{is_slip, slips};

static MAPPED: OnceLock<Vec<Binding>> = OnceLock::new();

/// Modes in which a key must mean one thing.
const MODES: [(Context, &str); 13] = [
    (Context::Live, "on a live run"),
    (Context::Replay, "in a replay"),
    (Context::Compare, "in a comparison"),
    (Context::Lab, "in the lab"),
    (Context::Menu, "in a menu"),
    (Context::Lesson, "in a lesson"),
    (Context::Choice, "in a lesson's question"),
    (Context::Sketch, "in a lesson's sketch"),
    (Context::Help, "in the help"),
    (Context::Microscope, "under the microscope"),
    (Context::Quit, "in the question before quitting"),
    (Context::Filter, "while a filter is typed"),
    (Context::Always, "everywhere"),
];

/// Why keys cannot be mapped as asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The name that was mapped.
    pub name: String,
    /// What is wrong.
    pub problem: String,
    /// The way out.
    pub advice: String,
}

impl Mistake {
    fn new(name: &str, problem: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { name: name.to_owned(), problem: problem.into(), advice: advice.into() }
    }
}

/// The table with the rows of these names on other keys, each spelled with blanks between several.
///
/// # Errors
/// The first name that there is none of, spelling that is no key, or key that would mean two things.
pub fn remapped<'a>(asked: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Vec<Binding>, Mistake> {
    let mut table = BINDINGS.to_vec();
    let mut mapped: Vec<&str> = Vec::new();
    for (name, spelled) in asked {
        if !is_name(name) {
            return Err(Mistake::new(name, format!("there is no key `{name}`"), near(name)));
        }
        if mapped.contains(&name) {
            return Err(Mistake::new(name, format!("`{name}` is mapped twice"), "keep one of them"));
        }
        let keys = spelled.split_whitespace().map(|key| {
            Key::spelled(key).map_err(|advice| Mistake::new(name, format!("`{key}` is no key of `{name}`"), advice))
        });
        let keys: Vec<Key> = keys.collect::<Result<_, _>>()?;
        if keys.is_empty() {
            return Err(Mistake::new(name, format!("`{name}` has no key"), "write one, such as \"p\" or \"Ctrl-p\""));
        }
        let typed = |row: &Binding| row.name == name && row.context.reaches(Context::Filter);
        if table.iter().any(typed) && keys.iter().any(|key| matches!(key, Key::Char(_))) {
            let problem = format!("`{name}` works while a filter is typed, and `{spelled}` is typed into it");
            return Err(Mistake::new(name, problem, "choose a key with Ctrl, or one with a name"));
        }
        for row in table.iter_mut().filter(|row| row.name == name) {
            row.keys = Cow::Owned(keys.clone());
        }
        mapped.push(name);
    }
    // The last that was mapped is told of a conflict with an earlier one.
    for name in mapped.iter().rev() {
        conflict(&table, name)?;
    }
    Ok(table)
}

/// Refuses a key of `name` that means something else in one of its modes.
fn conflict(table: &[Binding], name: &str) -> Result<(), Mistake> {
    for (mode, place) in MODES {
        let reached = || table.iter().filter(move |row| row.context.reaches(mode));
        for row in reached().filter(|row| row.name == name) {
            for key in row.keys.iter() {
                if let Some(other) = reached().find(|other| other.name != name && other.keys.contains(key)) {
                    let problem = format!("`{}` is the key of `{}` {place} too", key.name(), other.name);
                    let advice = format!("choose another key, or give `{}` another one too", other.name);
                    return Err(Mistake::new(name, problem, advice));
                }
            }
        }
    }
    Ok(())
}

fn near(name: &str) -> String {
    let names = || BINDINGS.iter().map(|row| row.name);
    match names().filter(|known| is_slip(name, known)).min_by_key(|known| slips(name, known)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "`ldyn-tui config` lists the names of all keys".to_owned(),
    }
}

/// Maps the keys for the rest of the process. Whoever comes later finds them mapped already.
pub fn remap(table: Vec<Binding>) {
    let _ = MAPPED.set(table);
}

/// Every row, as it is mapped.
pub fn all() -> &'static [Binding] {
    MAPPED.get().map_or(BINDINGS, Vec::as_slice)
}

/// Whether there is a key of a name.
pub fn is_name(name: &str) -> bool {
    BINDINGS.iter().any(|row| row.name == name)
}

/// The row that a key reaches in a mode (`Live`, `Replay`, `Compare`, `Help`, `Quit`, `Filter`, `Lab`, `Menu`, `Lesson`,
/// `Choice` or `Sketch`).
pub fn pair_of(mode: Context, key: KeyEvent) -> Option<(&'static str, Action)> {
    bindings(mode).find(|row| row.keys.iter().any(|k| k.matches(key))).map(|row| (row.name, row.action))
}

/// What a key asks for in a mode.
pub fn lookup(mode: Context, key: KeyEvent) -> Option<Action> {
    pair_of(mode, key).map(|(_, action)| action)
}

/// The rows that work in a mode.
pub fn bindings(mode: Context) -> impl Iterator<Item = &'static Binding> {
    all().iter().filter(move |row| row.context.reaches(mode))
}

/// The first key of a name as the screen writes it; `?` where there is no such name.
pub fn key_of(name: &str) -> String {
    let row = all().iter().find(|row| row.name == name);
    row.and_then(|row| row.keys.first()).map_or_else(|| "?".to_owned(), |key| key.name())
}

/// A text in which `{name}` stands for the key of that name.
pub fn told(text: &str) -> Cow<'_, str> {
    if !text.contains('{') {
        return Cow::Borrowed(text);
    }
    let mut parts = text.split('{');
    let mut said = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once('}').unwrap_or((part, ""));
        said += &key_of(name);
        said += rest;
    }
    Cow::Owned(said)
}

/// How a list that covers the screen is moved through and closed, in words.
pub fn scrolling() -> String {
    let keys = [Rows::Next, Rows::Previous, Rows::PageDown, Rows::PageUp].map(|rows| {
        let row = bindings(Context::Help).find(|row| row.action == Action::List(rows));
        row.and_then(|row| row.keys.first()).map_or_else(String::new, |key| key.name())
    });
    let closing = bindings(Context::Help).find(|row| row.action == Action::Cancel);
    let named = closing.into_iter().flat_map(|row| row.keys.iter()).find(|key| matches!(key, Key::Named(_)));
    let close = named.or_else(|| closing?.keys.first()).map_or_else(String::new, |key| key.name());
    format!("{} scroll, {close} closes", keys.join(" "))
}

impl Binding {
    /// The other one of a pair that the footer names together, such as zooming out beside zooming in.
    pub fn counterpart(&self) -> Option<&'static Self> {
        let other = match self.action {
            Action::Cursor(-1) => Action::Cursor(1),
            Action::ZoomIn => Action::ZoomOut,
            Action::List(Rows::Next) => Action::List(Rows::Previous),
            Action::Lab(LabAction::Class(-1)) => Action::Lab(LabAction::Class(1)),
            Action::Lab(LabAction::Eta(true)) => Action::Lab(LabAction::Eta(false)),
            Action::Lab(LabAction::Peaks(true)) => Action::Lab(LabAction::Peaks(false)),
            Action::Lab(LabAction::Classes(false)) => Action::Lab(LabAction::Classes(true)),
            Action::Lesson(LessonAction::Draw(-1, 0)) => Action::Lesson(LessonAction::Draw(1, 0)),
            Action::Lesson(LessonAction::Draw(0, 1)) => Action::Lesson(LessonAction::Draw(0, -1)),
            _ => return None,
        };
        all().iter().find(|row| row.context == self.context && row.action == other)
    }
}

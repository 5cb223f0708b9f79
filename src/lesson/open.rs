//! A lesson with its recordings read: what texts say and conditions decide.

use std::io::Read as _;
use std::path::Path;

use super::fact::{Condition, Fact, Ground};
use super::schema::LESSON;
use super::{Lesson, Source, told};
use crate::dynamics::lab::Outcome;
use crate::error::{Error, Result};
use crate::experiment::{self, Node, parse_by};
use crate::history::RunHistory;
use crate::protocol::TrainerEvent;
use crate::record::{self, Recording, RunReader};

/// Bytes that a recording of a lesson may have when it is unpacked.
const LARGEST: u64 = 256 << 20;

/// A recording of a lesson.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// What the lesson calls it.
    pub name: String,
    /// Its events.
    pub events: Vec<TrainerEvent>,
    /// All of them, folded.
    pub whole: RunHistory,
}

/// A lesson that can be taught: every recording is there.
#[derive(Debug, Clone)]
pub struct Opened {
    /// The name of its file, without the ending.
    pub name: String,
    /// What the file says.
    pub lesson: Lesson,
    /// Its recordings, in the file's order.
    pub recordings: Vec<Recorded>,
    pub(super) source: experiment::Source,
    pub(super) tree: Node,
}

impl Opened {
    /// Reads the text of a lesson; `read` gives the bytes of a recording by its path in the lesson.
    ///
    /// # Errors
    /// Every mistake in the text with line and column; a recording that cannot be read, where it is named.
    pub(super) fn new(file: &Path, text: &str, read: impl Fn(&Path) -> Result<Vec<u8>>) -> Result<Self> {
        let (lesson, source, tree): (Lesson, _, _) = parse_by(file, text, &LESSON)?;
        let mut recordings = Vec::new();
        let mut errors = Vec::new();
        for (i, Source { name, file }) in lesson.recordings.iter().enumerate() {
            match read(file).and_then(|bytes| unpacked(file, &bytes)) {
                Ok(recording) => {
                    let whole = recording.history();
                    recordings.push(Recorded { name: name.clone(), events: recording.events, whole });
                }
                Err(why) => {
                    let at = tree.nearest(&format!("recordings[{i}].file")).span.start;
                    let advice = "name a run file, plain or packed by gzip, relative to the lesson";
                    errors.push(source.error(at, why.to_string(), advice));
                }
            }
        }
        Error::all(errors)?;
        let name = file.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
        Ok(Self { name, lesson, recordings, source, tree })
    }

    /// The recording of a name, or the first; `None` in a lesson of the lab.
    pub fn recording(&self, name: Option<&str>) -> Option<&Recorded> {
        match name {
            None => self.recordings.first(),
            Some(name) => self.recordings.iter().find(|recording| recording.name == name),
        }
    }

    /// Whether what is shown is the lab.
    pub fn is_lab(&self) -> bool {
        self.lesson.lab.is_some()
    }

    fn find(&self, name: &str) -> Result<&Fact, String> {
        self.lesson.facts.iter().find(|fact| fact.name == name).ok_or_else(|| {
            let known: Vec<&str> = self.lesson.facts.iter().map(|fact| fact.name.as_str()).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            format!("there is no fact `{name}`; there are {known}")
        })
    }

    fn with_ground<T>(&self, lab: Option<&Outcome>, then: impl FnOnce(Ground<'_>) -> T) -> T {
        match lab {
            Some(lab) => then(Ground::Lab(lab)),
            None => {
                let runs: Vec<(String, &RunHistory)> =
                    self.recordings.iter().map(|recording| (recording.name.clone(), &recording.whole)).collect();
                then(Ground::Runs(&runs))
            }
        }
    }

    /// A fact's number, in the lab as it stands or over the whole recordings.
    ///
    /// # Errors
    /// In words, when it cannot be had.
    pub fn value(&self, name: &str, lab: Option<&Outcome>) -> Result<f64, String> {
        let fact = self.find(name)?;
        self.with_ground(lab, |ground| fact.is.on(ground)).map_err(|why| format!("the fact `{name}`: {why}"))
    }

    /// A text with its facts in words.
    ///
    /// # Errors
    /// In words, when the text is not as it should be.
    pub fn say(&self, text: &str, lab: Option<&Outcome>) -> Result<String, String> {
        told::filled(text, |name| Ok(self.find(name)?.is.say(self.value(name, lab)?)))
    }

    /// Whether a condition holds.
    ///
    /// # Errors
    /// In words, when a fact cannot be had.
    pub fn holds(&self, condition: &Condition, lab: Option<&Outcome>) -> Result<bool, String> {
        condition.holds(|name| self.value(name, lab))
    }
}

/// A run file, plain or packed by gzip.
fn unpacked(path: &Path, bytes: &[u8]) -> Result<Recording> {
    let plain = record::unpacked(bytes).map_err(|e| Error::reading(path, &e))?;
    let mut reader = RunReader::new(path, plain.take(LARGEST));
    let mut events = Vec::new();
    while let Some(event) = reader.next_event()? {
        events.push(event);
    }
    let warnings = reader.warnings()?;
    Ok(Recording { events, warnings })
}

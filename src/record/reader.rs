//! Reads a run's events: tolerant of what a newer or another program adds, strict about what it says.

use std::borrow::Cow;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use crate::error::{Error, Location, Result};
use crate::protocol::{
    ClassReading, DetectorSettings, Evaluation, FORMAT_VERSION, Forces, PrefixReading, RunStarted, TrainerEvent,
};
use crate::record::Recording;
use crate::record::import;
use crate::text::Shown;

/// Longest line that is read: an evaluation of thousands of prompts fits many times over.
const MAX_LINE: u64 = 256 << 20;

/// The tags of [`TrainerEvent`]: an event with another one comes from a newer program and is skipped.
const KNOWN: [&str; 8] = ["run_started", "phase", "stage_started", "step", "evaluation", "forces", "classes", "speed"];

/// Reads a whole run: a file of events, or one of the paper's (the longest run in it).
///
/// # Errors
/// When a line is broken, and when the file does not hold the start of a run; as [`import::read`].
pub fn read(path: &Path) -> Result<Recording> {
    let mut events = Vec::new();
    let warnings = read_each(RunReader::open(path)?, |event, _| {
        events.push(event);
        true
    })?;
    Ok(Recording { events, warnings })
}

/// Reads as [`read`] does and hands over one event after the other, with the bytes read up to it; ends early where `take`
/// returns `false`. Returns what was passed over, in words.
///
/// # Errors
/// As [`read`]; what came before the mistake has been handed over.
pub(super) fn read_each(mut reader: RunReader, mut take: impl FnMut(TrainerEvent, u64) -> bool) -> Result<Vec<Shown>> {
    let beginning = reader.input.fill_buf().map_err(|e| Error::reading(&reader.path, &e))?;
    if import::recognise(beginning) {
        let Recording { events, warnings } = import::read_from(&reader.path, reader.input, None)?.into_recording();
        let _ = events.into_iter().all(|event| take(event, 0));
        return Ok(warnings);
    }
    while let Some(event) = reader.next_event()? {
        if !take(event, reader.bytes) {
            return Ok(Vec::new());
        }
    }
    reader.warnings()
}

/// Reads events one by one, a line in memory at a time.
#[derive(Debug)]
pub struct RunReader<R = BufReader<File>> {
    path: PathBuf,
    input: R,
    line: Vec<u8>,
    number: usize,
    bytes: u64,
    step: u64,
    run: Option<Announced>,
    skipped: usize,
    truncated: bool,
}

/// What later events are held against.
#[derive(Debug, Clone, Copy)]
struct Announced {
    stages: usize,
    prompts: usize,
    classes: usize,
}

impl RunReader {
    /// Opens a file of events.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|e| Error::reading(path, &e))?;
        Ok(Self::new(path, BufReader::with_capacity(1 << 16, file)))
    }
}

impl<R: BufRead> RunReader<R> {
    /// Reads from anything; `path` is what errors name.
    pub fn new(path: &Path, input: R) -> Self {
        Self {
            path: path.to_owned(),
            input,
            line: Vec::new(),
            number: 0,
            bytes: 0,
            step: 0,
            run: None,
            skipped: 0,
            truncated: false,
        }
    }

    /// The next event; `None` at the end. Unknown fields are ignored, unknown events skipped and counted, and a last
    /// line that breaks off (the writer was killed) is dropped.
    ///
    /// # Errors
    /// With file and line: when a line is no event, or one that cannot belong here (a newer format, a second run, a
    /// stage or a prompt that was never announced, a step that falls), or when the file cannot be read.
    pub fn next_event(&mut self) -> Result<Option<TrainerEvent>> {
        loop {
            self.line.clear();
            let read = self.input.by_ref().take(MAX_LINE).read_until(b'\n', &mut self.line);
            let read = read.map_err(|e| Error::reading(&self.path, &e))?;
            if read == 0 {
                return Ok(None);
            }
            self.number += 1;
            self.bytes += read as u64;
            let complete = self.line.ends_with(b"\n");
            if !complete && self.line.len() as u64 == MAX_LINE {
                return Err(self.wrong("the line is longer than 256 MiB", "a run file has one event a line"));
            }
            if self.line.trim_ascii().is_empty() {
                continue;
            }
            match parse(self.line.trim_ascii_end()) {
                Ok(Some(event)) => {
                    self.check(&event)?;
                    return Ok(Some(event));
                }
                Ok(None) => self.skipped += 1,
                Err(_) if !complete => {
                    self.truncated = true;
                    return Ok(None);
                }
                Err(error) => {
                    let location = Location { column: self.column(&error), ..self.location() };
                    let advice = "the file is damaged here; a run file has one JSON event a line";
                    return Err(Error::input(location, format!("not an event: {}", plain(&error)), advice));
                }
            }
        }
    }

    /// What was passed over. Call at the end of the file.
    ///
    /// # Errors
    /// When the file does not hold the start of a run.
    pub fn warnings(&self) -> Result<Vec<Shown>> {
        if self.run.is_none() {
            let advice = "give a run directory or its events.jsonl, whose first event is run_started";
            return Err(Error::input(
                Location::file(&self.path),
                "holds no run: there is no run_started event",
                advice,
            ));
        }
        let path = self.path.display();
        let mut warnings = Vec::new();
        if self.skipped > 0 {
            let (n, s) = (self.skipped, if self.skipped == 1 { "" } else { "s" });
            warnings.push(Shown::new(&format!("{path}: {n} event{s} of an unknown kind skipped")));
        }
        if self.truncated {
            warnings.push(Shown::new(&format!("{path}:{}: the last line breaks off and was dropped", self.number)));
        }
        Ok(warnings)
    }

    /// Whether the event can stand where it does: what follows relies on it.
    fn check(&mut self, event: &TrainerEvent) -> Result<()> {
        let (stage, step) = match event {
            TrainerEvent::RunStarted(run) => return self.check_run(run),
            TrainerEvent::Speed { .. } => return Ok(()),
            TrainerEvent::Phase { step, .. } => (None, *step),
            TrainerEvent::StageStarted { stage, step } => (Some(*stage), *step),
            TrainerEvent::Step(step) => (Some(step.stage), step.step),
            TrainerEvent::Evaluation(evaluation) => (Some(evaluation.stage), evaluation.step),
            TrainerEvent::Forces(forces) => (Some(forces.stage), forces.step),
            TrainerEvent::Classes(reading) => (Some(reading.stage), reading.step),
        };
        if step < self.step {
            let problem = format!("step {step} comes after step {}", self.step);
            return Err(self.wrong(&problem, "steps count from the run's beginning and never fall"));
        }
        self.step = step;
        let Some(stage) = stage else { return Ok(()) };
        let Some(run) = self.run else {
            return Err(self.wrong("an event before run_started", "the first event of a run is run_started"));
        };
        if stage >= run.stages {
            let problem = format!("stage {stage}, but the run has {} (counted from 0)", run.stages);
            return Err(self.wrong(&problem, "list every stage in run_started"));
        }
        match event {
            TrainerEvent::Evaluation(evaluation) => self.check_evaluation(evaluation, run.prompts),
            TrainerEvent::Forces(forces) => self.check_forces(forces, run.prompts),
            TrainerEvent::Classes(reading) => self.check_classes(reading, run.classes),
            _ => Ok(()),
        }
    }

    fn check_run(&mut self, run: &RunStarted) -> Result<()> {
        if self.run.is_some() {
            return Err(self.wrong("a second run begins", "one file holds one run: split it here"));
        }
        if run.format_version > FORMAT_VERSION {
            let problem = format!("format {} is newer than this program's {FORMAT_VERSION}", run.format_version);
            return Err(self.wrong(&problem, "open it with a newer version of the program"));
        }
        let (stages, prompts, classes) = (run.stages.len(), run.probes.len(), run.classes.len());
        self.run = Some(Announced { stages, prompts, classes });
        Ok(())
    }

    /// Lists have one entry a class, matrices a row and a column.
    fn check_classes(&self, reading: &ClassReading, classes: usize) -> Result<()> {
        if classes == 0 {
            return Err(self.wrong("classes were read, but the run has none", "name them in run_started"));
        }
        let r = reading;
        let matrices = [&r.log_probs, &r.influence, &r.influence_on_label, &r.kernel, &r.predicted];
        let square = |m: &&&Vec<f32>| classes.checked_mul(classes) != Some(m.len());
        if let Some(matrix) = matrices.iter().find(square) {
            let problem = format!("a matrix of {} numbers, but the run has {classes} classes", matrix.len());
            return Err(self.wrong(&problem, "write a row and a column a class, null where there is no number"));
        }
        if let Some(list) = [&r.residual, &r.adaptation].iter().find(|l| l.len() != classes) {
            let problem = format!("a list of {} numbers, but the run has {classes} classes", list.len());
            return Err(self.wrong(&problem, "write one number a class, null where there is none"));
        }
        Ok(())
    }

    /// Vectors have one entry a probe prompt; a reading that was not taken is empty.
    fn check_evaluation(&self, evaluation: &Evaluation, prompts: usize) -> Result<()> {
        let reading = |r: &PrefixReading| r.argmax_logps.len();
        let optional = [reading(&evaluation.chosen), evaluation.rejected.as_ref().map_or(0, reading)]
            .into_iter()
            .chain(evaluation.stage_flow.iter().flat_map(|f| [f.star_gain.len(), f.gain.len()]))
            .filter(|&n| n > 0);
        let lengths = evaluation.logps.values().map(Vec::len).chain(optional);
        match lengths.into_iter().find(|&n| n != prompts) {
            Some(n) => {
                let problem = format!("a list of {n} numbers, but the run has {prompts} probe prompts");
                Err(self.wrong(&problem, "write one number a prompt, null where there is none"))
            }
            None => Ok(()),
        }
    }

    /// Lists are equally long, but for parts that there are not, and no longer than the prompts.
    fn check_forces(&self, forces: &Forces, prompts: usize) -> Result<()> {
        for (kind, parts) in &forces.kinds {
            let n = parts.measured.len();
            let absent_or_as_long = |part: &Vec<f32>| part.is_empty() || part.len() == n;
            if parts.pull.len() != n || ![&parts.push, &parts.decay].into_iter().all(absent_or_as_long) {
                let problem = format!("the parts of {kind} are not as many as its {n} changes");
                return Err(self.wrong(&problem, "write one number a prompt, null where there is none"));
            }
            if n > prompts {
                let problem = format!("changes of {n} prompts, but the run has {prompts}");
                return Err(self.wrong(&problem, "leave out those that were never announced"));
            }
        }
        Ok(())
    }

    fn location(&self) -> Location {
        Location::line(&self.path, self.number)
    }

    /// The parser counts bytes, people count characters; 0 where the parser does not know.
    fn column(&self, error: &serde_json::Error) -> Option<usize> {
        let before = self.line.get(..error.column()).filter(|before| !before.is_empty())?;
        Some(String::from_utf8_lossy(before).chars().count())
    }

    fn wrong(&self, problem: &str, advice: &str) -> Error {
        Error::input(self.location(), problem, advice)
    }
}

/// The event on a line; `None` if its tag is unknown. What makes up most of a file is read straight into its place: an enum
/// that carries its tag inside is read into a general value first.
fn parse(line: &[u8]) -> Result<Option<TrainerEvent>, serde_json::Error> {
    match leading_tag(line) {
        Some(b"step") => return serde_json::from_slice(line).map(TrainerEvent::Step).map(Some),
        Some(b"evaluation") => {
            return serde_json::from_slice(line).map(Arc::new).map(TrainerEvent::Evaluation).map(Some);
        }
        _ => {}
    }
    #[derive(Deserialize)]
    struct Tag<'a> {
        #[serde(borrow)]
        event: Cow<'a, str>,
    }
    let tag: Tag<'_> = serde_json::from_slice(line)?;
    match tag.event.as_ref() {
        "run_started" => parse_run(line).map(Some),
        known if KNOWN.contains(&known) => serde_json::from_slice(line).map(Some),
        _ => Ok(None),
    }
}

/// The tag of a line that begins as this program writes it.
fn leading_tag(line: &[u8]) -> Option<&[u8]> {
    let tag = line.strip_prefix(br#"{"event":""#)?;
    Some(&tag[..tag.iter().position(|&c| c == b'"')?])
}

/// The detector's settings refuse unknown fields, as an experiment must; a run file may come from a newer program.
fn parse_run(line: &[u8]) -> Result<TrainerEvent, serde_json::Error> {
    let mut run: Value = serde_json::from_slice(line)?;
    if let (Some(settings), Value::Object(known)) =
        (run.get_mut("detector").and_then(Value::as_object_mut), serde_json::to_value(DetectorSettings::default())?)
    {
        settings.retain(|name, _| known.contains_key(name));
    }
    serde_json::from_value(run)
}

/// The message without the place, which is the line's own.
fn plain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rfind(" at line ").map_or(text.clone(), |at| text[..at].to_owned())
}

#[cfg(test)]
#[path = "reader_tests.rs"]
mod tests;

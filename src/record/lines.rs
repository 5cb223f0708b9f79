//! The lines of a run file, one by one: which event each is, and whether it can stand where it does.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use super::packed::GZIP;
use crate::error::{Error, Location, Result};
use crate::protocol::{
    ClassReading, DetectorSettings, Evaluation, FORMAT_VERSION, Forces, PrefixReading, RunStarted, TrainerEvent,
};
use crate::text::Shown;

/// The tags of [`TrainerEvent`]: an event with another one comes from a newer program and is skipped.
const KNOWN: [&str; 10] =
    ["run_started", "phase", "stage_started", "step", "evaluation", "forces", "classes", "note", "measuring", "speed"];

/// Names of unknown events that are told apart, at most.
const NAMED: usize = 16;

/// What later events are held against.
#[derive(Debug, Clone, Copy)]
pub(super) struct Announced {
    stages: usize,
    prompts: usize,
    classes: usize,
}

/// What the lines so far have said, against which the next one is held.
#[derive(Debug)]
pub struct Lines {
    path: PathBuf,
    /// Lines so far.
    pub(super) number: usize,
    line: Vec<u8>,
    step: u64,
    run: Option<Announced>,
    /// Events of a kind that is not known, by name.
    unknown: BTreeMap<Shown, usize>,
}

impl Lines {
    /// The lines of a file; `path` is what errors name.
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), number: 0, line: Vec::new(), step: 0, run: None, unknown: BTreeMap::new() }
    }

    /// Whether a run has begun.
    pub fn has_run(&self) -> bool {
        self.run.is_some()
    }

    /// The event on the next line; `None` for an empty line, and for an event of an unknown kind, which is counted.
    ///
    /// # Errors
    /// With file and line: when it is no event, or one that cannot belong here (a newer format, a second run, a stage or a
    /// prompt that was never announced, a step that falls).
    pub fn take(&mut self, line: &[u8]) -> Result<Option<TrainerEvent>> {
        self.number += 1;
        if line.trim_ascii().is_empty() {
            return Ok(None);
        }
        match parse(line.trim_ascii_end()) {
            Ok(Parsed::Event(event)) => {
                self.check(&event)?;
                Ok(Some(*event))
            }
            Ok(Parsed::Unknown(name)) => {
                let name = if self.unknown.len() < NAMED { Shown::new(&name) } else { Shown::new("…") };
                *self.unknown.entry(name).or_default() += 1;
                Ok(None)
            }
            Err(error) => {
                self.line = line.to_vec();
                let location = Location { column: self.column(&error), ..self.location() };
                let packed = self.number == 1 && line.starts_with(&GZIP);
                let advice = if packed {
                    "it is packed by gzip: `replay` shows it; a file that is followed is plain"
                } else {
                    "the file is damaged here; a run file has one JSON event a line"
                };
                Err(Error::input(location, format!("not an event: {}", plain(&error)), advice))
            }
        }
    }

    /// Events of an unknown kind so far: their names, and how many of each.
    pub fn unknown(&self) -> &BTreeMap<Shown, usize> {
        &self.unknown
    }

    /// What was passed over, in words. Call at the end of the file.
    ///
    /// # Errors
    /// When the file does not hold the start of a run.
    pub fn passed_over(&self) -> Result<Vec<Shown>> {
        if self.run.is_none() {
            let advice = "give a run directory or its events.jsonl, whose first event is run_started";
            let problem = "holds no run: there is no run_started event";
            return Err(Error::input(Location::file(&self.path), problem, advice));
        }
        let skipped: usize = self.unknown.values().sum();
        let s = if skipped == 1 { "" } else { "s" };
        let said = || Shown::new(&format!("{}: {skipped} event{s} of an unknown kind skipped", self.path.display()));
        Ok((skipped > 0).then(said).into_iter().collect())
    }

    /// Whether the event can stand where it does: what follows relies on it.
    fn check(&mut self, event: &TrainerEvent) -> Result<()> {
        let (stage, step) = match event {
            TrainerEvent::RunStarted(run) => return self.check_run(run),
            TrainerEvent::Measuring { .. } | TrainerEvent::Speed { .. } => return Ok(()),
            TrainerEvent::Phase { step, .. } | TrainerEvent::Note { step, .. } => (None, *step),
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
        let lengths = evaluation.logps.iter().map(|(_, list)| list.len()).chain(optional);
        let readings = [Some(&evaluation.chosen), evaluation.rejected.as_ref()];
        if let Some(n) = readings.into_iter().flatten().map(|r| r.token_logps.len()).find(|&n| n > prompts) {
            let problem = format!("token_logps of {n} prompts, but the run has {prompts} probe prompts");
            return Err(self.wrong(&problem, "write a list a prompt, from the first on"));
        }
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

    pub(super) fn wrong(&self, problem: &str, advice: &str) -> Error {
        Error::input(self.location(), problem, advice)
    }
}

/// What is on a line.
enum Parsed {
    Event(Box<TrainerEvent>),
    /// An event with a tag that is not known.
    Unknown(String),
}

/// The event on a line. What makes up most of a file is read straight into its place: an enum that carries its tag inside is
/// read into a general value first.
fn parse(line: &[u8]) -> Result<Parsed, serde_json::Error> {
    #[derive(Deserialize)]
    struct Tag<'a> {
        #[serde(borrow)]
        event: Cow<'a, str>,
    }
    let event = match leading_tag(line) {
        Some(b"step") => TrainerEvent::Step(serde_json::from_slice(line)?),
        Some(b"evaluation") => TrainerEvent::Evaluation(Arc::new(serde_json::from_slice(line)?)),
        _ => {
            let tag: Tag<'_> = serde_json::from_slice(line)?;
            match tag.event.as_ref() {
                "run_started" => parse_run(line)?,
                known if KNOWN.contains(&known) => serde_json::from_slice(line)?,
                _ => return Ok(Parsed::Unknown(tag.event.into_owned())),
            }
        }
    };
    Ok(Parsed::Event(Box::new(event)))
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

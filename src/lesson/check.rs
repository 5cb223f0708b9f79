//! A lesson held against its recordings: everything that it says must be so.

use std::collections::BTreeSet;

use super::fact::{find, measured};
use super::open::Opened;
use super::told::{TEXT_LINES, curve_named, lines};
use super::{Ask, Condition, Step};
use crate::dynamics::lab::{Outcome, one_step};
use crate::error::{Error, Result};
use crate::experiment::LabSettings;
use crate::history::RunHistory;

/// Answers of a question.
const ANSWERS: std::ops::RangeInclusive<usize> = 2..=4;
/// Lines of a question, and of a hint.
const SHORT: usize = 2;

/// What is collected while a lesson is gone through.
struct Inspector<'a> {
    opened: &'a Opened,
    errors: Vec<Error>,
}

impl Opened {
    /// Holds the lesson against its recordings, or against the lab; `known` says whether there is a key of a name.
    ///
    /// # Errors
    /// Every mistake: what cannot be measured, a claim that does not hold, a question with no right answer or with two, a
    /// text that is too long. Each with line and column.
    pub fn check(&self, known: &dyn Fn(&str) -> bool) -> Result<()> {
        let mut inspector = Inspector { opened: self, errors: Vec::new() };
        inspector.outline();
        let mut lab = self.lesson.lab.clone();
        for (at, step) in self.lesson.steps.iter().enumerate() {
            inspector.step(&format!("steps[{at}]"), step, &mut lab, known);
        }
        Error::all(inspector.errors)
    }
}

impl Inspector<'_> {
    fn refuse(&mut self, path: &str, problem: impl AsRef<str>, advice: &str) {
        let at = self.opened.tree.nearest(path).span.start;
        self.errors.push(self.opened.source.error(at, problem, advice));
    }

    fn refused<T>(&mut self, path: &str, result: Result<T, String>, advice: &str) -> Option<T> {
        result.map_err(|why| self.refuse(path, why, advice)).ok()
    }

    /// What concerns no step.
    fn outline(&mut self) {
        let lesson = &self.opened.lesson;
        if lesson.recordings.is_empty() == lesson.lab.is_none() {
            self.refuse(
                "",
                "a lesson shows recordings or the lab, and one of them",
                "write recordings: […] or lab: ()",
            );
        }
        if lesson.steps.is_empty() {
            self.refuse("steps", "there is no step", "write steps: [(text: \"…\")]");
        }
        for (path, names) in [
            ("recordings", lesson.recordings.iter().map(|r| r.name.as_str()).collect::<Vec<_>>()),
            ("facts", lesson.facts.iter().map(|fact| fact.name.as_str()).collect()),
        ] {
            let mut seen = BTreeSet::new();
            for (i, name) in names.into_iter().enumerate() {
                if name.is_empty() || !seen.insert(name) {
                    self.refuse(
                        &format!("{path}[{i}].name"),
                        format!("the name `{name}` is taken or empty"),
                        "choose another",
                    );
                }
            }
        }
        // Of the lab the numbers depend on the step; those of recordings do not.
        if lesson.lab.is_none() {
            for (i, fact) in lesson.facts.iter().enumerate() {
                let value = self.opened.value(&fact.name, None);
                self.refused(&format!("facts[{i}].is"), value, "measure what the recording holds");
            }
        }
    }

    fn step(&mut self, path: &str, step: &Step, lab: &mut Option<LabSettings>, known: &dyn Fn(&str) -> bool) {
        if step.lab.is_some() {
            lab.clone_from(&step.lab);
        }
        let outcome = self.outcome(&format!("{path}.lab"), lab.as_ref());
        self.text(&format!("{path}.text"), &step.text, TEXT_LINES, outcome.as_ref());
        self.text(&format!("{path}.hint"), &step.hint, SHORT, outcome.as_ref());
        if self.opened.is_lab() {
            let of_recordings =
                [step.recording.is_some(), step.at.is_some(), step.since.is_some(), step.beside.is_some()];
            if of_recordings.contains(&true) || !step.panels.is_empty() || !step.curves.is_empty() {
                self.refuse(path, "it speaks of a recording, and the lesson shows the lab", "write lab: (…) alone");
            }
        } else {
            self.recorded(path, step);
        }
        for (i, key) in step.keys.iter().enumerate() {
            if !known(key) {
                let problem = format!("there is no key `{key}`");
                self.refuse(&format!("{path}.keys[{i}]"), problem, "`ldyn-tui config` lists the names of all keys");
            }
        }
        for (i, claim) in step.claims.iter().enumerate() {
            self.claim(&format!("{path}.claims[{i}]"), claim, outcome.as_ref());
        }
        if let Some(ask) = &step.ask {
            self.ask(&format!("{path}.ask"), step, ask, lab, outcome.as_ref());
        }
    }

    fn outcome(&mut self, path: &str, lab: Option<&LabSettings>) -> Option<Outcome> {
        let outcome = one_step(lab?).map_err(|why| why.to_string());
        self.refused(path, outcome, "see the settings of the lab in docs/lessons.md")
    }

    fn text(&mut self, path: &str, text: &str, most: usize, lab: Option<&Outcome>) {
        let said = self.opened.say(text, lab);
        let Some(said) = self.refused(path, said, "see \"Texts\" in docs/lessons.md") else { return };
        let took = lines(&said);
        if took > most {
            self.refuse(path, format!("it takes {took} lines of a small screen, and {most} are read"), "say less");
        }
    }

    fn claim(&mut self, path: &str, claim: &Condition, lab: Option<&Outcome>) {
        match self.opened.holds(claim, lab) {
            Ok(true) => {}
            Ok(false) => {
                let spelled = claim.spelled(|name| self.opened.value(name, lab));
                self.refuse(path, format!("the recording does not show it: {spelled}"), "say what it shows");
            }
            Err(why) => self.refuse(path, why, "see \"Facts\" in docs/lessons.md"),
        }
    }

    fn run(&mut self, path: &str, name: Option<&str>) -> Option<RunHistory> {
        let runs: Vec<(String, &RunHistory)> =
            self.opened.recordings.iter().map(|recording| (recording.name.clone(), &recording.whole)).collect();
        let run = find(&runs, name).cloned();
        self.refused(path, run, "name one of the lesson's recordings")
    }

    fn recorded(&mut self, path: &str, step: &Step) {
        if step.lab.is_some() {
            self.refuse(&format!("{path}.lab"), "the lesson shows recordings, and no lab", "leave it out");
        }
        let Some(run) = self.run(&format!("{path}.recording"), step.recording.as_deref()) else { return };
        if let Some(at) = step.at {
            self.refused(&format!("{path}.at"), measured(&run, at), "name a step at which it was measured");
        }
        if let Some(since) = step.since {
            self.refused(&format!("{path}.since"), measured(&run, since), "name a step at which it was measured");
        }
        if step.beside.is_some() {
            self.run(&format!("{path}.beside"), step.beside.as_deref());
        }
        for (i, curve) in step.curves.iter().enumerate() {
            self.curve(&format!("{path}.curves[{i}]"), curve, &run);
        }
        let prompts = run.run.as_ref().map_or(0, |run| run.probes.len());
        if let Some(prompt) = step.prompt.filter(|prompt| !(1..=prompts).contains(prompt)) {
            self.refuse(
                &format!("{path}.prompt"),
                format!("there is no prompt {prompt}"),
                &format!("there are {prompts}"),
            );
        }
    }

    fn curve(&mut self, path: &str, curve: &str, run: &RunHistory) {
        let found = curve_named(curve).and_then(|id| {
            if run.curves().any(|known| known == id) { Ok(()) } else { Err(format!("it was not measured: `{curve}`")) }
        });
        self.refused(path, found, "name a curve of the recording");
    }

    fn ask(&mut self, path: &str, step: &Step, ask: &Ask, lab: &mut Option<LabSettings>, before: Option<&Outcome>) {
        match ask {
            Ask::Choice { question, curve, answers, to, of, lab: then, because } => {
                if then.is_some() {
                    lab.clone_from(then);
                }
                let after = self.outcome(&format!("{path}.lab"), lab.as_ref());
                self.text(&format!("{path}.question"), question, SHORT, before);
                self.text(&format!("{path}.because"), because, TEXT_LINES, after.as_ref());
                self.reveal(path, step, curve.as_deref(), *to, of.as_deref());
                if !ANSWERS.contains(&answers.len()) {
                    let problem = format!("a question has {} to {} answers", ANSWERS.start(), ANSWERS.end());
                    self.refuse(&format!("{path}.answers"), problem, "add or leave out");
                }
                let mut right = 0;
                for (i, answer) in answers.iter().enumerate() {
                    self.text(&format!("{path}.answers[{i}].text"), &answer.text, 1, before);
                    let holds = self.opened.holds(&answer.when, after.as_ref());
                    let holds = self.refused(&format!("{path}.answers[{i}].when"), holds, "see docs/lessons.md");
                    right += usize::from(holds.unwrap_or(false));
                }
                if right != 1 && self.errors.is_empty() {
                    let now: Vec<String> = answers
                        .iter()
                        .map(|a| a.when.spelled(|name| self.opened.value(name, after.as_ref())))
                        .collect();
                    let problem = format!("{right} answers are right, and it must be one: {}", now.join("; "));
                    self.refuse(&format!("{path}.answers"), problem, "mend the conditions");
                }
            }
            Ask::Sketch { question, curve, to, of, because } => {
                self.text(&format!("{path}.question"), question, SHORT, before);
                self.text(&format!("{path}.because"), because, TEXT_LINES, None);
                if self.opened.is_lab() {
                    self.refuse(path, "a curve can be drawn over a recording alone", "ask for a choice, or set a task");
                } else {
                    self.reveal(path, step, Some(curve), Some(*to), of.as_deref());
                    if step.at.is_none_or(|at| at >= *to) {
                        let problem = "a sketch goes from the step that is shown to a later one";
                        self.refuse(&format!("{path}.to"), problem, "write at: … with an earlier step beside the text");
                    }
                }
            }
            Ask::Task { question, until, because } => {
                self.text(&format!("{path}.question"), question, SHORT, before);
                self.text(&format!("{path}.because"), because, TEXT_LINES, before);
                if !self.opened.is_lab() {
                    self.refuse(path, "a task is done in the lab alone", "ask for a choice or for a sketch");
                    return;
                }
                let holds = self.opened.holds(until, before);
                if self.refused(&format!("{path}.until"), holds, "see docs/lessons.md") == Some(true) {
                    self.refuse(&format!("{path}.until"), "it holds from the beginning", "begin with another lab");
                }
            }
        }
    }

    fn reveal(&mut self, path: &str, step: &Step, curve: Option<&str>, to: Option<u64>, of: Option<&str>) {
        if self.opened.is_lab() {
            if to.is_some() || of.is_some() || curve.is_some() {
                self.refuse(path, "the lab has neither steps nor curves", "write lab: (…) for what is revealed");
            }
            return;
        }
        let name = of.or(step.recording.as_deref());
        let Some(run) = self.run(&format!("{path}.of"), name) else { return };
        if let Some(to) = to {
            self.refused(&format!("{path}.to"), measured(&run, to), "name a step at which it was measured");
        }
        if let Some(curve) = curve {
            self.curve(&format!("{path}.curve"), curve, &run);
        }
    }
}

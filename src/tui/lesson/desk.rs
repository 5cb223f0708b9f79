//! The state of a lesson that is taken: which step, what was answered. It takes messages as every screen does.

use std::sync::Arc;

use super::sketch::{Judged, Sketch};
use super::stand::{Stand, recorded};
use crate::error::{Error, Result};
use crate::history::Series;
use crate::lesson::{Answer, Ask, Kept, Opened, Step, curve_named};
use crate::text::Shown;
use crate::tui::app::Ghost;
use crate::tui::glyphs::Glyphs;
use crate::tui::keymap::Context;
use crate::tui::message::Ending;
use crate::tui::notice::Notice;
use crate::tui::paper::Paper;
use crate::tui::theme::{Theme, ThemeKind};
use crate::tui::upkeep::Upkeep;

/// How far a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// There is something to read.
    Reading,
    /// An answer is awaited.
    Asking,
    /// The answer was given, and what happened is shown.
    Told,
}

/// What was made of a question.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Given {
    /// This answer was chosen.
    Chosen(usize),
    /// A curve was drawn.
    Drawn(Judged),
    /// The task was done.
    Done,
    /// It was passed over.
    Skipped,
}

/// A lesson that is taken.
#[derive(Debug, Clone)]
pub struct Desk {
    pub(super) theme: Theme,
    pub(super) glyphs: Glyphs,
    pub(super) paper: Paper,
    pub(super) help: Option<u16>,
    pub(super) presents: bool,
    pub(super) hint: bool,
    pub(super) picked: usize,
    pub(super) upkeep: Upkeep,
    pub(super) theme_locked: bool,
    pub(super) opened: Arc<Opened>,
    pub(super) stand: Stand,
    pub(super) at: usize,
    pub(super) phase: Phase,
    pub(super) sketch: Option<Sketch>,
    given: Option<Given>,
    /// Of every step, whether its question was answered rightly.
    pub(super) answers: Vec<Option<bool>>,
    pub(super) done: bool,
}

impl Desk {
    /// A lesson at its step `at`, counted from 0.
    ///
    /// # Errors
    /// When there is nothing to show: a lesson that was checked has a recording or a lab, and a step.
    pub fn new(opened: Arc<Opened>, at: usize, theme: Theme, glyphs: Glyphs, paper: Paper) -> Result<Self> {
        let steps = opened.lesson.steps.len();
        let first = opened.lesson.steps.first().ok_or_else(|| Error::usage("the lesson has no step"))?;
        let stand = match (&opened.lesson.lab, recorded(&opened, first)) {
            (Some(lab), _) => Stand::lab(&opened.name, lab, theme, glyphs)?,
            (None, Some(recorded)) => Stand::run(recorded, theme, glyphs),
            (None, None) => return Err(Error::usage("the lesson has neither a recording nor a lab")),
        };
        let mut desk = Self {
            theme,
            glyphs,
            paper,
            help: None,
            presents: false,
            hint: false,
            picked: 0,
            upkeep: Upkeep::default(),
            theme_locked: theme.kind == ThemeKind::Mono,
            opened,
            stand,
            at: at.min(steps - 1),
            phase: Phase::Reading,
            sketch: None,
            given: None,
            answers: vec![None; steps],
            done: false,
        };
        desk.begin();
        Ok(desk)
    }

    /// The same for a projector.
    #[must_use]
    pub fn presenting(mut self, presents: bool) -> Self {
        self.presents = presents;
        self.stand.present(presents);
        self
    }

    /// The lesson.
    pub fn opened(&self) -> &Opened {
        &self.opened
    }

    /// The step, counted from 0.
    pub fn at(&self) -> usize {
        self.at
    }

    /// How far the step is.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Why the screen was left.
    pub fn ending(&self) -> Ending {
        self.upkeep.ending()
    }

    /// Whether the lesson was gone through to its end.
    #[cfg(test)]
    pub fn is_done(&self) -> bool {
        self.done
    }

    /// What is to be kept, where `before` was.
    pub fn kept(&self, before: Kept) -> Kept {
        let answered: Vec<bool> = self.answers.iter().copied().flatten().collect();
        Kept {
            at: if self.done { 0 } else { self.at },
            done: self.done || before.done,
            asked: if answered.is_empty() { before.asked } else { answered.len() },
            right: if answered.is_empty() { before.right } else { answered.iter().filter(|right| **right).count() },
        }
    }

    pub(super) fn step(&self) -> &Step {
        &self.opened.lesson.steps[self.at]
    }

    pub(super) fn stand(&self) -> &Stand {
        &self.stand
    }

    pub(super) fn given(&self) -> Option<Given> {
        self.given
    }

    pub(super) fn answers(&self) -> &[Option<bool>] {
        &self.answers
    }

    pub(super) fn notice(&self) -> Option<&Notice> {
        self.upkeep.notice()
    }

    /// A text of the step with its facts in words, as they are now.
    pub(super) fn say(&self, text: &str) -> Shown {
        let said = self.opened.say(text, self.stand.outcome());
        // A lesson that was checked says everything; one that was not says why it cannot.
        Shown::new(&said.unwrap_or_else(|why| format!("({why})")))
    }

    /// Which keys work now.
    pub(super) fn mode(&self) -> Context {
        if self.help.is_some() {
            return Context::Help;
        }
        match (self.phase, &self.step().ask) {
            (Phase::Asking, Some(Ask::Choice { .. })) => Context::Choice,
            (Phase::Asking, Some(Ask::Sketch { .. })) => Context::Sketch,
            _ => Context::Lesson,
        }
    }

    /// The keys of what stands beside the text that work now, by their names.
    pub(super) fn live(&self) -> &[String] {
        let asked_to_look = matches!(self.step().ask, Some(Ask::Task { .. }));
        // Whoever is to say what will happen does not look it up.
        if self.phase == Phase::Asking && !asked_to_look { &[] } else { &self.step().keys }
    }

    pub(super) fn wear(&mut self, theme: Theme, glyphs: Glyphs) {
        (self.theme, self.glyphs) = (theme, glyphs);
        self.stand.wear(theme, glyphs);
    }

    /// Shows the step from its beginning.
    pub(super) fn begin(&mut self) {
        let opened = Arc::clone(&self.opened);
        let step = &opened.lesson.steps[self.at];
        (self.hint, self.picked, self.given, self.sketch) = (false, 0, None, None);
        if opened.is_lab() {
            let settings = step.lab.as_ref().or_else(|| self.earlier_lab(&opened));
            if let Some(settings) = settings.or(opened.lesson.lab.as_ref()) {
                self.set_lab(settings);
            }
        } else {
            self.show_recording(step.recording.as_deref());
            self.stand.set(step, self.presents);
            self.beside();
        }
        self.phase = if step.ask.is_some() { Phase::Asking } else { Phase::Reading };
        if let Some(Ask::Sketch { curve, to, of, .. }) = &step.ask
            && let Some(at) = step.at
            && let Some(curve) = curve_named(curve).ok()
            && let Some(recorded) = opened.recording(of.as_deref().or(step.recording.as_deref()))
            && let Some((truth, reach)) = self.stand.truth(&recorded.whole, curve)
        {
            self.sketch = Sketch::new(&truth, at, *to, reach);
            self.draw_sketch(true);
        }
        self.upkeep.touch();
    }

    /// The lab that an earlier step left.
    fn earlier_lab<'a>(&self, opened: &'a Opened) -> Option<&'a crate::experiment::LabSettings> {
        opened.lesson.steps[..self.at].iter().rev().find_map(|step| match &step.ask {
            Some(Ask::Choice { lab: Some(lab), .. }) => Some(lab),
            _ => step.lab.as_ref(),
        })
    }

    fn set_lab(&mut self, settings: &crate::experiment::LabSettings) {
        match Stand::lab(&self.opened.name, settings, self.theme, self.glyphs) {
            Ok(stand) => self.stand = stand,
            Err(why) => self.upkeep.notify(&why.to_string(), true),
        }
    }

    fn show_recording(&mut self, name: Option<&str>) {
        let opened = Arc::clone(&self.opened);
        let Some(recorded) = opened.recording(name) else { return };
        if !matches!(&self.stand, Stand::Run(shown, _) if *shown == recorded.name) {
            self.stand = Stand::run(recorded, self.theme, self.glyphs);
        }
    }

    /// The other recording's curves, where the step has one.
    fn beside(&mut self) {
        let opened = Arc::clone(&self.opened);
        if let Some(other) = self.step().beside.as_deref().and_then(|name| opened.recording(Some(name))) {
            self.stand.beside(other);
        }
    }

    pub(super) fn draw_sketch(&mut self, with_pen: bool) {
        let opened = Arc::clone(&self.opened);
        let Some(Ask::Sketch { curve, .. }) = &opened.lesson.steps[self.at].ask else { return };
        let (Some(sketch), Ok(curve)) = (&self.sketch, curve_named(curve)) else { return };
        let ghost =
            Ghost { label: "you".to_owned(), curve, series: sketch.series(), pen: with_pen.then(|| sketch.pen()) };
        self.stand.exorcise();
        self.stand.haunt(ghost);
        self.beside();
    }

    /// Shows what happened, beside the answer.
    pub(super) fn tell(&mut self, given: Given, right: Option<bool>) {
        let opened = Arc::clone(&self.opened);
        let step = &opened.lesson.steps[self.at];
        (self.given, self.phase, self.hint) = (Some(given), Phase::Told, false);
        let mut right = right;
        match &step.ask {
            Some(Ask::Choice { curve, answers, to, of, lab, .. }) => {
                let drawn = self.expected(curve.as_deref(), answers, step.at, *to, given);
                if let Some(settings) = lab {
                    self.set_lab(settings);
                }
                if !opened.is_lab() {
                    self.reveal(step, of.as_deref(), to.or(step.at));
                    drawn.into_iter().for_each(|ghost| self.stand.haunt(ghost));
                }
                if let Given::Chosen(answer) = given {
                    let when = answers.get(answer).map(|answer| &answer.when);
                    right = when.map(|when| opened.holds(when, self.stand.outcome()) == Ok(true));
                }
            }
            Some(Ask::Sketch { to, of, .. }) => {
                self.reveal(step, of.as_deref(), Some(*to));
                self.draw_sketch(false);
            }
            Some(Ask::Task { .. }) | None => {}
        }
        if right.is_some() {
            self.answers[self.at] = right;
        }
        self.upkeep.touch();
    }

    /// The recording of the reveal, up to its step.
    fn reveal(&mut self, step: &Step, of: Option<&str>, to: Option<u64>) {
        self.show_recording(of.or(step.recording.as_deref()));
        self.stand.set(step, self.presents);
        self.stand.go(to);
        self.beside();
    }

    /// The ghost of a chosen answer: the curve from where it is to where it was said to go.
    fn expected(
        &self,
        curve: Option<&str>,
        answers: &[Answer],
        at: Option<u64>,
        to: Option<u64>,
        given: Given,
    ) -> Option<Ghost> {
        let Given::Chosen(answer) = given else { return None };
        let (curve, from, to) = (curve_named(curve?).ok()?, at?, to?);
        let by = answers.get(answer)?.by?;
        let recorded = recorded(&self.opened, self.step())?;
        let start = self.stand.truth(&recorded.whole, curve)?.0.at(from).filter(|start| start.is_finite())?;
        Some(Ghost { label: "you".to_owned(), curve, series: Series::new([from, to], [start, start + by]), pen: None })
    }
}

//! The scale that is shown, and the evaluation from which changes are counted: one answer for the chart, the table and the prompt.

use std::borrow::Cow;

use super::{App, Curve};
use crate::history::Scale;
use crate::protocol::{Evaluation, StageInfo};
use crate::text::Shown;

/// The evaluation from which changes are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// The run's first evaluation.
    Start,
    /// The evaluation that the stage of this index started from.
    Stage(usize),
    /// The evaluation at a step that the user chose.
    Step(u64),
}

impl App {
    /// The stage that led to the measurements that are shown: an index into the run's stages.
    fn measured_stage(&self) -> Option<usize> {
        self.evaluation().map(|e| e.stage).or_else(|| self.reading().map(|r| r.stage))
    }

    fn stage_info(&self, stage: usize) -> Option<&StageInfo> {
        self.shown().run.as_ref()?.stages.get(stage)
    }

    /// Whether the stage that led to what is shown pushes rejected answers down.
    pub fn pushes_down(&self) -> bool {
        self.measured_stage().is_some_and(|stage| self.pushes_down_in(stage))
    }

    /// Whether a stage pushes rejected answers down.
    pub fn pushes_down_in(&self, stage: usize) -> bool {
        self.stage_info(stage).is_some_and(|stage| stage.has_rejected)
    }

    /// The step at which the stage began that is shown, and the step up to which it is. With a cursor that is the stage whose
    /// steps led there, without one the stage under way.
    pub fn stage_span(&self) -> (u64, u64) {
        let starts = &self.shown().stage_starts;
        let start = match self.view.cursor {
            Some(cursor) => starts.iter().rev().find(|&&start| start < cursor).or(starts.first()),
            None => starts.last(),
        };
        (start.copied().unwrap_or(0), self.step())
    }

    /// The scale while the user has chosen none: in a stage that pushes something down, what that stage did; else the levels
    /// themselves; of a classifier, what the run did.
    pub fn default_scale(&self) -> Scale {
        match self.has_classes() {
            true => Scale::Delta,
            false if self.pushes_down() => Scale::StageDelta,
            false => Scale::LogProb,
        }
    }

    /// The scale that is shown.
    pub fn scale(&self) -> Scale {
        if self.view.anchor.is_some() {
            return Scale::Delta;
        }
        self.view.scale.unwrap_or_else(|| self.default_scale())
    }

    /// The name of the scale, as the axis has it.
    pub fn scale_title(&self) -> Cow<'static, str> {
        match self.view.anchor {
            Some(step) => format!("Δ log p since step {step} (nats)").into(),
            None => self.scale().title().into(),
        }
    }

    /// Counts changes from the step that is shown, or again from where the scale counts them.
    pub(super) fn count_from_here(&mut self) {
        let here = self.measured_step();
        self.view.anchor = here.filter(|_| self.view.anchor.is_none() && !self.has_classes());
        self.view.split = false;
        self.refresh();
    }

    /// Whether the chart shows what the change of the selected curve is made of.
    pub fn splits(&self) -> bool {
        self.view.split && self.shows().forces && self.scale() == Scale::StageDelta
    }

    /// Goes on to the next scale; after the changes of a stage come their parts, where those are known. Back at the one that
    /// the stage decides on, the choice is the stage's again.
    pub(super) fn next_scale(&mut self) {
        if self.view.anchor.take().is_some() {
            self.refresh();
            return;
        }
        self.view.split = self.scale() == Scale::StageDelta && self.shows().forces && !self.view.split;
        if self.view.split {
            return;
        }
        let mut next = self.scale().next();
        // A classifier has neither tokens to divide by nor a start of its stage.
        while self.has_classes() && matches!(next, Scale::StageDelta | Scale::PerToken) {
            next = next.next();
        }
        self.view.scale = Some(next).filter(|&next| next != self.default_scale());
        self.refresh();
    }

    /// The evaluation from which the changes that are shown are counted. A scale of levels leaves that to the stage.
    pub fn since(&self) -> Since {
        if let Some(step) = self.view.anchor {
            return Since::Step(step);
        }
        let scale = if self.scale().is_change() { self.scale() } else { self.default_scale() };
        match (scale, self.measured_stage()) {
            (Scale::StageDelta, Some(stage)) => Since::Stage(stage),
            _ => Since::Start,
        }
    }

    /// The same in words, the longest first: whoever has little room takes the last.
    pub fn since_in_words(&self) -> [String; 3] {
        match self.since() {
            Since::Start => ["Δ from step 0", "Δ from 0", "from 0"].map(str::to_owned),
            Since::Step(step) => [format!("Δ from step {step}"), format!("Δ from {step}"), format!("from {step}")],
            Since::Stage(stage) => {
                let name = self.stage_info(stage).map_or_else(|| Shown::new("stage"), |s| Shown::new(&s.name));
                [format!("Δ since {name}"), format!("Δ in {name}"), format!("Δ {name}")]
            }
        }
    }

    /// The evaluation that changes are counted from.
    pub fn origin(&self) -> Option<&Evaluation> {
        let all = &self.shown().evaluations;
        let from = match self.since() {
            Since::Start => all,
            Since::Stage(stage) => self.shown().stage_evaluations(stage),
            Since::Step(step) => &all[all.partition_point(|e| e.step < step)..],
        };
        from.first().map(AsRef::as_ref)
    }

    /// The change of a curve at the step that is shown.
    pub fn change(&self, curve: &Curve) -> Option<f64> {
        let now = curve.at(self.step())?;
        if self.scale().is_change() {
            return Some(now);
        }
        let from = match self.since() {
            Since::Start => curve.raw.first()?.1,
            Since::Step(step) => curve.raw.at(step)?,
            Since::Stage(stage) => {
                let mut span = self.shown().stage_evaluations(stage).iter();
                curve.at(span.find(|e| curve.id.values(e).is_some())?.step)?
            }
        };
        Some(now - from)
    }

    /// The same change as one of log p, nats, whatever the scale is.
    pub fn change_of_logp(&self, curve: &Curve) -> Option<f64> {
        if !matches!(self.scale(), Scale::PerToken | Scale::Probability) {
            return self.change(curve);
        }
        let sums = self.shown().curve(curve.id, Scale::LogProb, None);
        Some(sums.at(self.measured_step()?)? - sums.at(self.origin()?.step)?)
    }
}

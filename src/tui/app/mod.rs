//! The dashboard's state. [`App::update`] turns a [`Message`](super::message::Message) into a new state and
//! [effects](super::message::Effect): it does no I/O and reads no clock, so the same messages give the same screens.

mod ask;
mod copy;
mod curves;
mod narrate;
mod navigate;
mod pair;
mod pairs;
mod pointer;
mod replay;
mod scale;
mod still;
mod update;
mod viewstate;
mod why;

#[cfg(test)]
mod tests;

use std::time::Duration;

pub use crate::history::{PairRow, PairState};
pub use copy::OFF;
pub use curves::{Curve, Line};
pub use pair::PairOrder;
pub use replay::{Reading, Replay};
#[cfg(test)]
use scale::Since;
pub use viewstate::{Dialog, Ghost, ViewState};
pub use why::{NAMED, Why};

use super::glyphs::Glyphs;
use super::keymap::{self, Action, Binding, Context};
use super::message::Ending;
use super::notice::{Notice, Notices};
use super::panel::{Panel, Shows};
use super::paper::Paper;
use super::theme::Theme;
use crate::history::forces::Entry;
use crate::history::{CurveId, RunHistory, Scale, Standing, leaks};
use crate::protocol::{ClassReading, Evaluation, MetricKey, ProbeKind, RunPhase, TrainerCommand, TrainerEvent};
use crate::text::Shown;

/// The dashboard's state.
#[derive(Debug, Clone)]
pub struct App {
    /// Hides whatever depends on a clock or on how the run is watched (speed, time left, transport, notices), so that
    /// the same state gives the same screen, live, replayed or as a screenshot.
    pub hide_clock: bool,
    /// How the run is looked at.
    pub view: ViewState,
    experiment: Shown,
    history: RunHistory,
    frozen: Option<Box<RunHistory>>,
    replay: Option<Replay>,
    curves: Vec<Curve>,
    why: Option<Why>,
    /// The scale that the curves are on.
    curves_scale: Scale,
    /// The last phase that a run file would hold.
    recorded_phase: Option<RunPhase>,
    /// A pause or resume that the trainer has not acknowledged.
    requested: Option<TrainerCommand>,
    stopping: bool,
    trainer_gone: bool,
    ending: Ending,
    /// The time at which the trainer entered its phase.
    phase_since: Duration,
    dropped: u64,
    notices: Notices,
    dirty: bool,
}

impl App {
    /// The dashboard of a run that has not said anything yet. `experiment` is its name, raw.
    pub fn live(experiment: &str, theme: Theme, glyphs: Glyphs) -> Self {
        Self {
            hide_clock: false,
            view: ViewState::new(theme, glyphs),
            experiment: Shown::new(experiment),
            history: RunHistory::default(),
            frozen: None,
            replay: None,
            curves: Vec::new(),
            why: None,
            curves_scale: Scale::default(),
            recorded_phase: None,
            requested: None,
            stopping: false,
            trainer_gone: false,
            ending: Ending::default(),
            phase_since: Duration::ZERO,
            dropped: 0,
            notices: Notices::default(),
            dirty: true,
        }
    }

    /// The dashboard over a recorded run, at its end.
    pub fn replay(events: Vec<TrainerEvent>, theme: Theme, glyphs: Glyphs) -> Self {
        let mut app = Self::live("", theme, glyphs);
        app.replay = Some(Replay::new(events));
        app.seek(usize::MAX);
        app
    }

    /// The dashboard over a recorded run that [arrives](super::message::Message::Recording) part by part, at the end of
    /// what is there.
    pub fn arriving(theme: Theme, glyphs: Glyphs) -> Self {
        Self { replay: Some(Replay::arriving()), ..Self::live("", theme, glyphs) }
    }

    /// The same with another look of files than the screen's.
    #[must_use]
    pub fn on_paper(mut self, paper: Paper) -> Self {
        self.view.paper = paper;
        self
    }

    /// Replay: applies the first `position` events.
    pub fn seek(&mut self, position: usize) {
        if let Some(replay) = &mut self.replay {
            replay.seek(&mut self.history, position);
            self.settle();
        }
    }

    /// Replay: goes to the state after everything that happened at or before an optimiser step, which may still arrive.
    pub fn seek_step(&mut self, step: u64) {
        if let Some(replay) = &mut self.replay {
            replay.seek_step(&mut self.history, step);
            self.settle();
        }
    }

    /// Everything known about the run.
    pub fn history(&self) -> &RunHistory {
        &self.history
    }

    #[cfg(test)]
    pub(crate) fn history_mut(&mut self) -> &mut RunHistory {
        &mut self.history
    }

    /// What the panels show: the history, or the history as it was when the view was frozen.
    pub fn shown(&self) -> &RunHistory {
        self.frozen.as_deref().unwrap_or(&self.history)
    }

    /// Whether the view is frozen.
    pub fn is_frozen(&self) -> bool {
        self.frozen.is_some()
    }

    /// Why the screen was left.
    pub fn ending(&self) -> Ending {
        self.ending
    }

    /// The recording, in a replay.
    pub fn recording(&self) -> Option<&Replay> {
        self.replay.as_ref()
    }

    /// Every curve that the run has.
    pub fn curves(&self) -> &[Curve] {
        &self.curves
    }

    /// The curves that are shown.
    pub fn visible_curves(&self) -> impl Iterator<Item = &Curve> {
        self.curves.iter().filter(|c| self.view.shows(c.id))
    }

    /// The curve by whose rise prompts are listed: the selected one, else the answers of other training questions.
    pub fn leaking(&self) -> CurveId {
        self.view.curve.unwrap_or(CurveId::Probe(ProbeKind::IrrTrain))
    }

    /// The prompts by how far the leaking curve rose since where changes are counted from.
    fn ranked(&self) -> Vec<(usize, f64)> {
        let since = self.origin().map_or(0, |e| e.step);
        leaks::ranked(self.shown(), self.leaking(), since, self.step())
    }

    /// The prompts that the filter lets through, in the order of the list.
    pub fn visible_prompts(&self) -> Vec<usize> {
        let Some(run) = &self.shown().run else { return Vec::new() };
        let needle = viewstate::folded(&self.view.prompt_filter);
        let holds = |text: &str| viewstate::folded(text).contains(&needle);
        let order: Vec<usize> = if self.view.by_change {
            self.ranked().into_iter().map(|(pair, _)| pair).collect()
        } else {
            (0..run.probes.len()).collect()
        };
        order
            .into_iter()
            .filter(|&i| i < run.probes.len())
            .filter(|&i| {
                let probe = &run.probes[i];
                needle.is_empty() || holds(&probe.prompt) || probe.responses.values().any(|r| holds(&r.text))
            })
            .collect()
    }

    /// The step up to which every panel shows what happened: the cursor's, or the latest. What was measured belongs to
    /// [`App::measured_step`], which may lie before it.
    pub fn step(&self) -> u64 {
        self.view.cursor.unwrap_or_else(|| self.shown().step)
    }

    /// The evaluation at or before [`App::step`].
    pub fn evaluation(&self) -> Option<&Evaluation> {
        let evaluations = &self.shown().evaluations;
        let after = evaluations.partition_point(|e| e.step <= self.step());
        evaluations[..after].last().map(AsRef::as_ref)
    }

    /// Whether a classifier is shown: its panels are others.
    pub fn has_classes(&self) -> bool {
        self.shown().class_count() > 0
    }

    /// What the run has to show.
    pub fn shows(&self) -> Shows {
        let history = self.shown();
        Shows {
            classes: self.has_classes(),
            pairs: self.has_pairs(),
            forces: !history.forces.entries.is_empty(),
            rewards: history.metrics.contains_key(&MetricKey::REWARD),
        }
    }

    /// What is known of the forces at [`App::step`]: the last window that ended at or before it.
    pub fn forces(&self) -> Option<&Entry> {
        self.shown().forces.at(self.step())
    }

    /// The kind of answer whose forces are shown over time: that of the selected curve, else y⁺.
    pub fn forced(&self) -> ProbeKind {
        match self.view.curve {
            Some(CurveId::Probe(kind)) => kind,
            _ => ProbeKind::Chosen,
        }
    }

    /// A classifier's reading at or before [`App::step`].
    pub fn reading(&self) -> Option<&ClassReading> {
        self.shown().reading_at(self.step())
    }

    /// The selected class, an index into the run's: of digits, until one is selected, the 4, which pulls the 9 up.
    pub fn class(&self) -> usize {
        let names = || self.shown().run.iter().flat_map(|run| &run.classes);
        let four = || names().position(|name| name == "4").filter(|_| names().count() == 10);
        let class = self.view.class.or_else(four).unwrap_or(0);
        class.min(self.shown().class_count().saturating_sub(1))
    }

    /// The focused panel: the one last focused, if this run has it.
    pub fn focus(&self) -> Panel {
        let first = Panel::first(self.has_classes());
        Panel::all(self.shows()).find(|&panel| panel == self.view.focus).unwrap_or(first)
    }

    /// The filter of the focused list.
    pub fn filter(&self) -> &str {
        if self.focus() == Panel::Prompt { &self.view.prompt_filter } else { &self.view.curve_filter }
    }

    fn filter_mut(&mut self) -> &mut String {
        if self.focus() == Panel::Prompt { &mut self.view.prompt_filter } else { &mut self.view.curve_filter }
    }

    /// Focuses the panel that lies so many places further in the order of Tab.
    fn focus_next(&mut self, by: isize) {
        let all: Vec<Panel> = Panel::all(self.shows()).collect();
        let at = all.iter().position(|&panel| panel == self.focus()).unwrap_or(0);
        self.view.focus_on(all[(at + all.len()).saturating_add_signed(by) % all.len()]);
    }

    /// Whether an action can do anything in this run: a classifier has no groups and no lists to filter.
    pub fn offers(&self, action: Action) -> bool {
        !self.has_classes()
            || !matches!(
                action,
                Action::Toggle(_)
                    | Action::Solo
                    | Action::ShowAll
                    | Action::ToggleStory
                    | Action::CountFromHere
                    | Action::OrderPrompts
                    | Action::NextSqueezed(_)
                    | Action::Filter
                    | Action::Why
                    | Action::Microscope
                    | Action::Alike
            )
    }

    /// The keys that the help names.
    pub fn offered_keys(&self) -> impl Iterator<Item = &'static Binding> {
        keymap::bindings(self.dashboard_mode()).filter(|b| self.offers(b.action))
    }

    /// How the stage stood at the evaluation at or before [`App::step`].
    pub fn standing(&self) -> Option<&Standing> {
        self.shown().detector.standing_at(self.step())
    }

    /// First and last step of the chart.
    pub fn range(&self) -> (u64, u64) {
        self.view.range.unwrap_or((0, self.end()))
    }

    /// The history that axes are fixed to: the whole recording, so that a replay does not change its scale under way.
    /// That is how a run is watched and no part of what it is, so with hidden clocks there is none.
    pub fn fixed(&self) -> Option<&RunHistory> {
        self.replay.as_ref().filter(|_| !self.hide_clock).map(Replay::whole)
    }

    /// The last step that the chart can show.
    fn end(&self) -> u64 {
        let fixed = self.fixed().map_or(0, |whole| whole.last_measured().unwrap_or(0).max(whole.step));
        fixed.max(self.last_step())
    }

    /// The last step there is to show; at least 1, so that the axis has a length.
    fn last_step(&self) -> u64 {
        let history = self.shown();
        history.last_measured().unwrap_or(0).max(history.step).max(1)
    }

    /// What the trainer is doing, as the header says it. Pausing is how a run is watched and no part of what it is: with
    /// hidden clocks a run that has not ended is under way.
    pub fn phase(&self) -> Option<&RunPhase> {
        const UNDER_WAY: &RunPhase = &RunPhase::Running;
        match &self.recorded_phase {
            _ if !self.hide_clock => self.history.phase.as_ref(),
            Some(phase) if !phase.is_terminal() => Some(UNDER_WAY),
            None if self.history.run.is_some() => Some(UNDER_WAY),
            recorded => recorded.as_ref(),
        }
    }

    /// A command that the trainer has not acknowledged yet.
    pub fn requested(&self) -> Option<TrainerCommand> {
        self.requested
    }

    /// Whether the program is about to quit and waits for the trainer's last word.
    pub fn is_stopping(&self) -> bool {
        self.stopping
    }

    /// The time since the program started, as last told.
    pub fn now(&self) -> Duration {
        self.notices.now()
    }

    /// How long the trainer has been in its phase, as far as told.
    pub fn phase_age(&self) -> Duration {
        self.now().saturating_sub(self.phase_since)
    }

    /// Events that the screen did not show.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// The line in the footer.
    pub fn notice(&self) -> Option<&Notice> {
        self.notices.shown().filter(|_| !self.hide_clock)
    }

    /// Name of the experiment.
    pub fn experiment(&self) -> Shown {
        self.history.run.as_ref().map_or_else(|| self.experiment.clone(), |run| Shown::new(&run.experiment))
    }

    /// Which keys work now.
    pub fn mode(&self) -> Context {
        match self.view.dialog {
            _ if self.looks_at_tokens() => Context::Microscope,
            Some(Dialog::Help(_) | Dialog::Why(_) | Dialog::Glossary(_)) => Context::Help,
            Some(Dialog::Quit) => Context::Quit,
            Some(Dialog::Filter) => Context::Filter,
            None => self.dashboard_mode(),
        }
    }

    /// Live or replay.
    pub fn dashboard_mode(&self) -> Context {
        if self.replay.is_some() { Context::Replay } else { Context::Live }
    }

    /// Whether a trainer is at work.
    pub fn is_training(&self) -> bool {
        self.replay.is_none() && !self.trainer_gone && !self.history.phase.as_ref().is_some_and(RunPhase::is_terminal)
    }

    /// How often a [tick](super::message::Message::Tick) changes the screen; `None` while nothing on it depends on a clock.
    pub fn tick_interval(&self) -> Option<Duration> {
        if self.replay.as_ref().is_some_and(Replay::is_playing) {
            Some(Duration::from_millis(33))
        } else if self.is_measuring() {
            Some(Duration::from_millis(1000))
        } else if self.is_waiting() {
            let tenths = self.history.run.is_none();
            Some(Duration::from_millis(if tenths { 100 } else { 1000 }))
        } else {
            self.notices.tick_interval()
        }
    }

    /// Whether the trainer is getting ready: the screen counts the seconds.
    pub fn is_waiting(&self) -> bool {
        self.is_training() && matches!(self.history.phase, None | Some(RunPhase::Starting(_)))
    }

    /// Whether the trainer measures the probes: the screen counts the seconds.
    pub fn is_measuring(&self) -> bool {
        self.is_training() && matches!(self.history.phase, Some(RunPhase::Evaluating))
    }

    /// Whether the screen changed since this was last asked.
    pub fn take_dirty(&mut self) -> bool {
        std::mem::take(&mut self.dirty)
    }
}

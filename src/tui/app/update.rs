//! [`App::update`]: one message in, a new state and effects out.

use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent};

use super::curves::curves;
use super::{App, Dialog, Panel, Reading, Replay};
use crate::protocol::{RunPhase, TrainerCommand, TrainerEvent};
use crate::record::Loaded;
use crate::text::Shown;
use crate::tui::keymap::{self, Action};
use crate::tui::message::{Effect, Ending, Message};

/// Longest filter, characters.
const FILTER_MAX: usize = 60;

impl App {
    /// Takes one message; returns what is to be done outside.
    pub fn update(&mut self, message: Message) -> Vec<Effect> {
        self.dirty |= self.notices.take(&message);
        // The cursor may have moved; what the trainer says is followed where the curves are worked out.
        let moved = matches!(message, Message::Key(_) | Message::Pointer(..) | Message::Resize);
        let effects = self.take(message);
        if moved {
            self.follow_alarm();
        }
        // A cursor that has gone into another stage may have changed the scale.
        if self.scale() != self.curves_scale {
            self.refresh();
        }
        effects
    }

    fn take(&mut self, message: Message) -> Vec<Effect> {
        match message {
            Message::Key(key) => self.key(key),
            Message::Pointer(pointer, area) => self.pointed(pointer, area),
            Message::Resize => self.changed(),
            Message::Trainer(event) => self.trainer(&event),
            Message::Recording(loaded) => self.recording_arrived(loaded),
            Message::TrainerGone(result) => self.trainer_gone(result),
            Message::Tick(now) => self.tick(now),
            Message::Dropped(events) => {
                self.dropped = events;
                self.changed()
            }
            // The notices took it.
            Message::ScreenshotWritten(_) | Message::ScreenshotFailed(_) | Message::RecordingEnded(_) => Vec::new(),
            Message::Told(reply) => self.answered(reply),
            Message::Terminate => self.leave(Ending::Signal),
            Message::Suspend => vec![Effect::Suspend],
        }
    }

    pub(super) fn changed(&mut self) -> Vec<Effect> {
        self.dirty = true;
        Vec::new()
    }

    pub(super) fn notify(&mut self, text: &str, failure: bool) -> Vec<Effect> {
        self.notices.tell(text, failure);
        self.changed()
    }

    /// The history changed as a whole.
    pub(super) fn settle(&mut self) {
        self.recorded_phase.clone_from(&self.history.phase);
        self.refresh();
    }

    /// Works out the curves again and keeps selections within what there is.
    pub(super) fn refresh(&mut self) {
        let (last, marks) = (self.last_step(), self.shown().marks.len());
        self.view.cursor = self.view.cursor.filter(|&c| c <= last);
        let end = self.end();
        self.view.range = self.view.range.filter(|&(from, _)| from < end);
        self.view.event = self.view.event.filter(|&e| e < marks);
        self.curves_scale = self.scale();
        self.curves = curves(self.shown(), &self.view, self.curves_scale);
        self.follow_alarm();
        self.dirty = true;
    }

    fn trainer(&mut self, event: &TrainerEvent) -> Vec<Effect> {
        let raised = self.history.detector.alarms().count();
        self.history.apply(event);
        let rings = self.view.bell && self.history.detector.alarms().count() > raised;
        if let TrainerEvent::Phase { phase, .. } = event {
            self.requested = None;
            self.phase_since = self.now();
            if event.is_recorded() {
                self.recorded_phase = Some(phase.clone());
            }
            if phase.is_terminal() && self.view.dialog == Some(Dialog::Quit) {
                self.view.dialog = None;
            }
            if phase.is_terminal() && self.stopping {
                return vec![Effect::Quit];
            }
        }
        if self.frozen.is_none() && matches!(event, TrainerEvent::RunStarted(_) | TrainerEvent::Evaluation(_)) {
            self.refresh();
        }
        self.dirty = true;
        if rings { vec![Effect::Bell] } else { Vec::new() }
    }

    fn recording_arrived(&mut self, loaded: Loaded) -> Vec<Effect> {
        let raised = self.history.detector.alarms().count();
        let follows = matches!(self.replay.as_ref().map(Replay::reading), Some(Reading::Attached { .. }));
        if self.replay.as_mut().is_some_and(|replay| replay.arrived(loaded, &mut self.history)) {
            self.settle();
        }
        self.dirty = true;
        let rings = self.view.bell && follows && self.history.detector.alarms().count() > raised;
        if rings { vec![Effect::Bell] } else { Vec::new() }
    }

    fn trainer_gone(&mut self, result: Result<(), Shown>) -> Vec<Effect> {
        self.trainer_gone = true;
        if !self.history.phase.as_ref().is_some_and(RunPhase::is_terminal) {
            // It went without a last word: what ended it becomes the phase, so that the screen says so.
            let why = result.err().map_or_else(|| "the trainer ended without a word".to_owned(), |e| e.to_string());
            let step = self.history.step;
            self.trainer(&TrainerEvent::Phase { phase: RunPhase::Failed(why), step });
        }
        if self.stopping { vec![Effect::Quit] } else { self.changed() }
    }

    fn tick(&mut self, now: Duration) -> Vec<Effect> {
        self.dirty |= self.is_waiting() || self.is_measuring();
        let narrates = self.view.narration;
        if self.replay.as_mut().is_some_and(|r| r.tick(&mut self.history, now, narrates)) {
            self.settle();
        }
        Vec::new()
    }

    fn key(&mut self, key: KeyEvent) -> Vec<Effect> {
        let mode = self.mode();
        if let Some(action) = keymap::lookup(mode, key).filter(|&action| self.offers(action)) {
            self.dirty = true;
            return self.act(action);
        }
        if let (Some(Dialog::Filter), KeyCode::Char(c)) = (self.view.dialog, key.code) {
            let filter = self.filter_mut();
            if filter.chars().count() < FILTER_MAX {
                filter.push(c);
            }
            self.dirty = true;
        }
        Vec::new()
    }

    fn act(&mut self, action: Action) -> Vec<Effect> {
        match action {
            Action::Help => self.view.dialog = Some(Dialog::Help(0)),
            Action::Glossary => self.view.dialog = Some(Dialog::Glossary(0)),
            Action::Quit => return self.quit(),
            Action::Interrupt => return self.interrupt(),
            Action::Suspend => return vec![Effect::Suspend],
            Action::Redraw => return vec![Effect::Redraw],
            Action::PauseResume | Action::SingleStep | Action::Evaluate => return self.command(action),
            Action::PlayPause
            | Action::EvaluationForward
            | Action::EvaluationBack
            | Action::Faster
            | Action::Slower
            | Action::JumpStart
            | Action::JumpEnd => self.transport(action),
            Action::Narration => {
                self.view.narration = !self.view.narration;
                let said =
                    if self.view.narration { "playing stops at every event" } else { "playing goes on through events" };
                return self.notify(said, false);
            }
            Action::Freeze => {
                self.frozen = if self.frozen.is_some() { None } else { Some(Box::new(self.history.clone())) };
                self.refresh();
            }
            Action::Toggle(group) => self.view.toggle(group),
            Action::Solo => self.view.solo(),
            Action::ShowAll => self.view.show_all(),
            Action::ToggleStory => self.view.toggle_story(),
            Action::ToggleRobust => self.view.robust = !self.view.robust,
            Action::CountFromHere => self.count_from_here(),
            Action::FocusNext => self.focus_next(1),
            Action::FocusPrevious => self.focus_next(-1),
            Action::Maximise => self.view.maximised = !self.view.maximised,
            Action::Back => self.back(),
            Action::Cursor(by) => self.move_cursor(by),
            Action::ZoomIn => self.zoom(true),
            Action::ZoomOut => self.zoom(false),
            Action::PanLeft => self.pan(false),
            Action::PanRight => self.pan(true),
            Action::ResetView => (self.view.range, self.view.cursor, self.view.event) = (None, None, None),
            Action::NextScale => self.next_scale(),
            Action::NextSmoothing => {
                self.view.smoothing = self.view.smoothing.next();
                self.refresh();
            }
            Action::OrderPrompts => self.order_prompts(),
            Action::NextSqueezed(next) => {
                if let Err(refusal) = self.next_squeezed(next) {
                    return self.notify(refusal, true);
                }
            }
            Action::Why => return self.ask_why(),
            Action::Microscope => return self.ask_where(),
            Action::Alike => return self.ask_alike(),
            Action::Token(by) => self.walk(by),
            Action::Filter => self.view.dialog = Some(Dialog::Filter),
            Action::NextEvent => self.jump_event(true),
            Action::PreviousEvent => self.jump_event(false),
            Action::List(by) => self.list(by),
            Action::Screenshot => return vec![Effect::Screenshot],
            Action::NextTheme => {
                if let Err(refusal) = self.view.next_theme() {
                    return self.notify(refusal, true);
                }
            }
            Action::Confirm => return self.confirm(),
            Action::Cancel => self.cancel(),
            Action::Erase => {
                self.filter_mut().pop();
            }
            Action::Copy => return self.copy(),
            // Another screen's.
            Action::NextAlignment | Action::Lab(_) | Action::Lesson(_) => {}
        }
        Vec::new()
    }

    /// The list of prompts by the rise of the selected curve, and back; the first one is shown.
    fn order_prompts(&mut self) {
        if self.focus() == Panel::Pairs {
            self.view.pair_order = self.view.pair_order.next();
            return;
        }
        self.view.by_change = !self.view.by_change;
        self.view.focus_on(Panel::Prompt);
        self.choose_prompt(self.visible_prompts().first().copied().unwrap_or(0));
    }

    fn quit(&mut self) -> Vec<Effect> {
        if !self.is_training() {
            return vec![Effect::Quit];
        }
        if !self.stopping {
            self.view.dialog = Some(Dialog::Quit);
        }
        Vec::new()
    }

    fn interrupt(&mut self) -> Vec<Effect> {
        if self.stopping || self.view.dialog == Some(Dialog::Quit) { self.leave(Ending::Forced) } else { self.quit() }
    }

    /// Leaves at once; the trainer is told, and not waited for.
    fn leave(&mut self, ending: Ending) -> Vec<Effect> {
        if !self.is_training() {
            if ending == Ending::Signal {
                self.ending = ending;
            }
            return vec![Effect::Quit];
        }
        self.ending = ending;
        vec![Effect::Command(TrainerCommand::Stop), Effect::Quit]
    }

    fn confirm(&mut self) -> Vec<Effect> {
        match self.view.dialog.take() {
            Some(Dialog::Quit) if self.is_training() => {
                self.stopping = true;
                vec![Effect::Command(TrainerCommand::Stop)]
            }
            Some(Dialog::Quit) => vec![Effect::Quit],
            _ => Vec::new(),
        }
    }

    fn cancel(&mut self) {
        if self.view.dialog.take() == Some(Dialog::Filter) {
            self.filter_mut().clear();
        }
    }

    fn command(&mut self, action: Action) -> Vec<Effect> {
        if !self.is_training() {
            return self.notify("the run has ended: there is no trainer to tell", true);
        }
        let command = match action {
            Action::SingleStep => TrainerCommand::Step,
            Action::Evaluate => TrainerCommand::Evaluate,
            _ if self.wants_pause() => TrainerCommand::Resume,
            _ => TrainerCommand::Pause,
        };
        self.requested = Some(command);
        vec![Effect::Command(command)]
    }

    /// Whether the trainer is paused, or was asked to pause.
    pub fn wants_pause(&self) -> bool {
        match self.requested {
            Some(TrainerCommand::Pause) => true,
            Some(TrainerCommand::Resume) => false,
            _ => self.history.phase == Some(RunPhase::Paused),
        }
    }

    fn transport(&mut self, action: Action) {
        let now = self.now();
        let Some(replay) = &mut self.replay else { return };
        match action {
            Action::PlayPause => replay.toggle(&mut self.history, now),
            Action::Faster | Action::Slower => {
                replay.change_rate(action == Action::Faster, self.history.total_steps(), now)
            }
            _ => {
                replay.stop();
                let position = match action {
                    Action::EvaluationForward => replay.next_evaluation(),
                    Action::EvaluationBack => replay.previous_evaluation(),
                    Action::JumpStart => 0,
                    _ => replay.len(),
                };
                replay.seek(&mut self.history, position);
            }
        }
        self.settle();
    }

    fn back(&mut self) {
        if self.view.maximised {
            self.view.maximised = false;
        } else if !self.filter().is_empty() {
            self.filter_mut().clear();
        } else if self.view.curve.take().is_some() {
            self.refresh();
        } else if self.view.cursor.take().is_some() {
            self.view.event = None;
        } else if self.frozen.take().is_some() {
            self.refresh();
        }
    }
}

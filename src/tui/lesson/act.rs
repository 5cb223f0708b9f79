//! What every key of a lesson does.

use std::sync::Arc;

use crossterm::event::KeyEvent;

use super::desk::{Desk, Given, Phase};
use crate::lesson::{Answer, Ask, curve_named};
use crate::tui::keymap::{self, Action, Context, LessonAction};
use crate::tui::message::Effect;

impl Desk {
    pub(super) fn key(&mut self, key: KeyEvent) -> Vec<Effect> {
        let Some(action) = keymap::lookup(self.mode(), key) else {
            if self.help.is_none() {
                self.live_key(key);
            }
            return Vec::new();
        };
        self.upkeep.touch();
        match (action, self.help) {
            (Action::Help, _) => self.help = Some(0),
            (Action::Cancel, _) => self.help = None,
            (Action::List(by), Some(row)) => {
                self.help = Some(by.scrolled(row, keymap::bindings(Context::Lesson).count()))
            }
            (Action::List(by), None) => {
                self.picked = by.moved(Some(self.picked), self.choices().len()).unwrap_or(0);
            }
            (Action::NextTheme, _) => {
                let chosen = self.paper.next_theme(&mut self.theme, self.theme_locked);
                self.upkeep.refused(chosen);
                self.wear(self.theme, self.glyphs);
            }
            (Action::Lesson(action), _) => return self.act(action),
            _ => return action.effect(),
        }
        Vec::new()
    }

    /// A key for what stands beside the text; a task may be done by it.
    fn live_key(&mut self, key: KeyEvent) {
        let live = self.live().to_vec();
        if !self.stand.key(key, &live) {
            return;
        }
        self.upkeep.touch();
        let opened = Arc::clone(&self.opened);
        if let (Phase::Asking, Some(Ask::Task { until, .. })) = (self.phase, &opened.lesson.steps[self.at].ask)
            && opened.holds(until, self.stand.outcome()) == Ok(true)
        {
            self.tell(Given::Done, Some(true));
        }
    }

    pub(super) fn choices(&self) -> &[Answer] {
        match &self.step().ask {
            Some(Ask::Choice { answers, .. }) => answers,
            _ => &[],
        }
    }

    fn act(&mut self, action: LessonAction) -> Vec<Effect> {
        match action {
            LessonAction::Next => return self.next(),
            LessonAction::Back => {
                if self.at == 0 {
                    self.upkeep.notify("this is the first step", false);
                } else {
                    self.at -= 1;
                    self.begin();
                }
            }
            LessonAction::Hint if self.step().hint.is_empty() => {
                self.upkeep.notify("there is no hint to this step", false)
            }
            LessonAction::Hint => self.hint = !self.hint,
            LessonAction::Again => {
                self.answers[self.at] = None;
                self.begin();
            }
            LessonAction::Skip if self.phase == Phase::Asking => self.tell(Given::Skipped, None),
            LessonAction::Skip => {}
            LessonAction::Presenter => {
                self.presents = !self.presents;
                self.stand.present(self.presents);
            }
            LessonAction::Pick(answer) => {
                if answer < self.choices().len() {
                    self.picked = answer;
                    return self.next();
                }
            }
            LessonAction::Draw(along, up) => {
                if let Some(sketch) = &mut self.sketch {
                    sketch.draw(along, up);
                    self.draw_sketch(true);
                }
            }
        }
        Vec::new()
    }

    /// Takes the answer, or goes on.
    fn next(&mut self) -> Vec<Effect> {
        if self.phase == Phase::Asking {
            self.answer();
            return Vec::new();
        }
        if self.at + 1 == self.opened.lesson.steps.len() {
            self.done = true;
            return vec![Effect::Quit];
        }
        self.at += 1;
        self.begin();
        Vec::new()
    }

    fn answer(&mut self) {
        let opened = Arc::clone(&self.opened);
        match &opened.lesson.steps[self.at].ask {
            Some(Ask::Choice { .. }) => self.tell(Given::Chosen(self.picked), None),
            Some(Ask::Sketch { curve, of, .. }) => {
                let step = &opened.lesson.steps[self.at];
                let recorded = opened.recording(of.as_deref().or(step.recording.as_deref()));
                let truth = recorded.zip(curve_named(curve).ok()).and_then(|(r, id)| self.stand.truth(&r.whole, id));
                match (&self.sketch, truth) {
                    (Some(sketch), Some((truth, _))) => {
                        let judged = sketch.judge(&truth);
                        self.tell(Given::Drawn(judged), Some(judged.right));
                    }
                    _ => self.tell(Given::Skipped, None),
                }
            }
            Some(Ask::Task { .. }) => {
                let skip = keymap::key_of("lesson_skip");
                self.upkeep.notify(&format!("not yet: the keys below bring it about; {skip} passes it over"), false);
            }
            None => {}
        }
    }
}

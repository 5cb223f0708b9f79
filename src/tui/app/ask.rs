//! Questions that are answered by taking the run's steps again: how they are asked, and what comes of them.

use super::{App, Dialog, NAMED, Panel, Why};
use crate::dynamics::sight::View;
use crate::history::CurveId;
use crate::protocol::{ProbeKind, Question};
use crate::tui::inquiry::{Query, Reply, Told};
use crate::tui::message::Effect;

impl App {
    /// What is known of what was last asked.
    pub fn why(&self) -> Option<&Why> {
        self.why.as_ref()
    }

    /// Asks who moved the selected curve between the evaluation that is shown and the one before: on the selected prompt
    /// where the prompts have the focus, else in the mean.
    pub(super) fn ask_why(&mut self) -> Vec<Effect> {
        let prompt = (self.focus() == Panel::Prompt).then_some(self.view.prompt);
        self.ask(self.question(prompt).map(Query::Who))
    }

    /// Asks at which tokens the selected curve's answer to the selected prompt lost between these evaluations.
    pub(super) fn ask_where(&mut self) -> Vec<Effect> {
        self.ask(self.question(Some(self.view.prompt)).map(Query::Where))
    }

    /// Asks how alike the model takes the selected curve's answers and what it learnt last to be.
    pub(super) fn ask_alike(&mut self) -> Vec<Effect> {
        let query = self.asked_kind().and_then(|kind| {
            let step = self.measured_step().filter(|&step| step > 0);
            Ok(Query::Alike(kind, step.ok_or(NOTHING_LEARNT)?))
        });
        self.ask(query)
    }

    fn ask(&mut self, query: Result<Query, &'static str>) -> Vec<Effect> {
        let query = match query {
            Ok(query) => query,
            Err(why) => return self.notify(why, true),
        };
        let known = match &self.why {
            Some(Why::Asked(asked, _)) => {
                if *asked == query {
                    self.view.dialog = Some(Dialog::Why(0));
                    return Vec::new();
                }
                // One question at a time.
                return self.notify("one question is being answered", false);
            }
            Some(Why::Known(told)) => told.query() == query,
            Some(Why::Unknown(_)) | None => false,
        };
        self.view.dialog = Some(Dialog::Why(0));
        if known {
            return Vec::new();
        }
        self.view.token = None;
        self.why = Some(Why::Asked(query, None));
        vec![Effect::Ask(query)]
    }

    /// The kind of answer that is asked about: that of the selected curve, else y⁺.
    fn asked_kind(&self) -> Result<ProbeKind, &'static str> {
        match self.view.curve.unwrap_or(CurveId::Probe(ProbeKind::Chosen)) {
            CurveId::Probe(kind) => Ok(kind),
            CurveId::ArgmaxChosen | CurveId::ArgmaxRejected => {
                Err("who moved the argmax cannot be told: it is another answer at every step; select another curve")
            }
        }
    }

    fn question(&self, prompt: Option<usize>) -> Result<Question, &'static str> {
        let kind = self.asked_kind()?;
        let history = self.shown();
        let until = self.evaluation().ok_or("nothing was measured yet")?;
        let before = history.evaluations.iter().rev().find(|e| e.step < until.step);
        let since = before.ok_or(NOTHING_LEARNT)?.step;
        let stage = history.stage_starts.iter().rev().find(|&&start| start < until.step);
        let since = stage.map_or(since, |&start| since.max(start));
        Ok(Question { kind, prompt, since, until: until.step })
    }

    /// Lines of the answer, at most: where scrolling ends.
    pub(super) fn why_lines(&self) -> usize {
        match &self.why {
            // Three lines each, with what is said of the whole.
            Some(Why::Known(Told::Who(influence))) => 3 * influence.examples.len().min(NAMED) + 10,
            Some(Why::Known(Told::Where(_))) => 40,
            Some(Why::Known(Told::Alike(alike))) => alike.observed.len() + 10,
            _ => 1,
        }
    }

    /// Whether an answer is under the microscope: its keys walk along it.
    pub fn looks_at_tokens(&self) -> bool {
        matches!((self.view.dialog, &self.why), (Some(Dialog::Why(_)), Some(Why::Known(Told::Where(_)))))
    }

    /// Looks at another position of the answer under the microscope.
    pub(super) fn walk(&mut self, by: i32) {
        let Some(Why::Known(Told::Where(sight))) = &self.why else { return };
        let view = View { position: self.view.token, listed: 0, top: 0, width: 0 };
        let (Some(at), Some(last)) = (sight.position(&view), sight.looks.len().checked_sub(1)) else { return };
        self.view.token = Some(at.saturating_add_signed(by as isize).min(last));
    }

    /// Word came of what was asked.
    pub(super) fn answered(&mut self, reply: Reply) -> Vec<Effect> {
        self.why = match (reply, self.why.take()) {
            (Reply::UnderWay(doing), Some(Why::Asked(query, _))) => Some(Why::Asked(query, Some(doing))),
            // Nobody waits for it any more.
            (Reply::UnderWay(_), why) => why,
            (Reply::Answer(told), _) => Some(Why::Known(told)),
            (Reply::Unknown(why), _) => Some(Why::Unknown(why)),
        };
        self.changed()
    }
}

/// Why nothing can be asked at a run's beginning.
const NOTHING_LEARNT: &str = "nothing was learnt yet: go to a later evaluation";

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

    use super::*;
    use crate::dynamics::alike::tests::example as alike;
    use crate::dynamics::sight::tests::example;
    use crate::protocol::{Contribution, Influence};
    use crate::text::Shown;
    use crate::tui::message::Message;
    use crate::tui::testing::{draw, live_at, plain};

    fn press(app: &mut App, key: char) -> Vec<Effect> {
        app.update(Message::Key(KeyEvent::new(KeyCode::Char(key), KeyModifiers::NONE)))
    }

    fn answer(question: Question) -> Influence {
        let example = Contribution {
            example: 6,
            times: 2,
            own: true,
            same_answer: false,
            pull: 1.5,
            push: -4.0,
            prompt: "who sold the\u{202e} lamp?".to_owned(),
            chosen: "the miller did.".to_owned(),
            rejected: Some("nobody.".to_owned()),
        };
        let (stage, answers) = ("DPO".to_owned(), 1);
        Influence { question, stage, answers, measured: -2.25, carried: 0.25, decay: 0.0, examples: vec![example] }
    }

    #[test]
    fn who_moved_an_answer_is_asked_once_and_told() {
        let mut app = live_at(60);
        app.view.focus_on(Panel::Prompt);
        app.view.curve = Some(CurveId::Probe(ProbeKind::IrrTrain));
        let asked = press(&mut app, 'i');
        let [Effect::Ask(Query::Who(question))] = asked[..] else { panic!("{asked:?}") };
        assert_eq!((question.kind, question.prompt, question.until), (ProbeKind::IrrTrain, Some(0), 60));
        assert!(question.since < 60 && app.view.dialog == Some(Dialog::Why(0)));
        assert!(plain(&draw(&app, 120, 40)).contains("being taken again, up to step 60"));
        app.update(Message::Told(Reply::UnderWay(Shown::new("replaying step 12 of 60, 2.1 s"))));
        assert!(plain(&draw(&app, 120, 40)).contains("replaying step 12 of 60, 2.1 s"));
        app.update(Message::Told(Reply::Answer(Told::Who(Box::new(answer(question))))));
        // A word that comes late takes nothing back.
        app.update(Message::Told(Reply::UnderWay(Shown::new("sharing out step 1 of 60, 4.0 s"))));
        let screen = plain(&draw(&app, 120, 40));
        for part in
            ["log p fell by 2.250 nats", "-2.500   +1.500   -4.000", "#7", "its own prompt", "+0.250", "carried in"]
        {
            assert!(screen.contains(part), "{part}: {screen}");
        }
        // It is closed, and known the next time.
        app.update(Message::Key(KeyEvent::new(KeyCode::Esc, KeyModifiers::NONE)));
        assert_eq!(app.view.dialog, None);
        assert!(press(&mut app, 'i').is_empty() && app.view.dialog == Some(Dialog::Why(0)));
    }

    #[test]
    fn what_cannot_be_asked_is_said() {
        let mut app = live_at(60);
        app.view.curve = Some(CurveId::ArgmaxChosen);
        assert!(press(&mut app, 'i').is_empty() && app.view.dialog.is_none());
        app.view.curve = None;
        assert_eq!(press(&mut app, 'i').len(), 1);
        app.update(Message::Told(Reply::Unknown(Shown::new("the run was moved"))));
        assert!(plain(&draw(&app, 80, 24)).contains("the run was moved"));
        // What failed may be asked again.
        app.view.dialog = None;
        assert_eq!(press(&mut app, 'i').len(), 1);
    }

    #[test]
    fn an_answer_is_walked_along_under_the_microscope() {
        for (width, height) in [(80, 24), (120, 40), (200, 60)] {
            let mut app = live_at(60);
            app.view.curve = Some(CurveId::Probe(ProbeKind::Rejected));
            let asked = press(&mut app, 'u');
            let [Effect::Ask(Query::Where(question))] = asked[..] else { panic!("{asked:?}") };
            assert_eq!((question.kind, question.prompt), (ProbeKind::Rejected, Some(0)));
            app.update(Message::Told(Reply::Answer(Told::Where(Box::new(example(question))))));
            let screen = plain(&draw(&app, width, height));
            for part in ["position 2 of 2", "where most was lost", "gained", "lost", "the line", "┊", "75 % went"] {
                assert!(screen.contains(part), "{width}×{height}: {part}: {screen}");
            }
            let arrow = |app: &mut App, code| app.update(Message::Key(KeyEvent::new(code, KeyModifiers::NONE)));
            arrow(&mut app, KeyCode::Left);
            arrow(&mut app, KeyCode::Left);
            let screen = plain(&draw(&app, width, height));
            assert!(screen.contains("position 1 of 2") && screen.contains("did not move"), "{screen}");
            arrow(&mut app, KeyCode::Right);
            arrow(&mut app, KeyCode::Right);
            assert!(plain(&draw(&app, width, height)).contains("position 2 of 2"));
            // Elsewhere the arrows move the cursor as before.
            arrow(&mut app, KeyCode::Esc);
            arrow(&mut app, KeyCode::Left);
            assert!(app.view.cursor.is_some() && app.view.token == Some(1));
        }
    }

    #[test]
    fn the_kernel_is_a_map_with_its_doubt() {
        for (width, height) in [(80, 24), (120, 40), (200, 60)] {
            let mut app = live_at(60);
            let asked = press(&mut app, 'K');
            let [Effect::Ask(Query::Alike(kind, step))] = asked[..] else { panic!("{asked:?}") };
            assert_eq!((kind, step), (ProbeKind::Chosen, 60));
            app.update(Message::Told(Reply::Answer(Told::Alike(Box::new(alike(kind, step))))));
            let screen = plain(&draw(&app, width, height));
            for part in ["after 60 steps", "± 20 %", "#7y⁺", "9.00", "prompt 5"] {
                assert!(screen.contains(part), "{width}×{height}: {part}: {screen}");
            }
        }
    }
}

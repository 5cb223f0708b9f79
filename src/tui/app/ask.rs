//! The question who moved an answer: how it is asked, and what comes of it.

use super::{App, Dialog, NAMED, Panel, Why};
use crate::history::CurveId;
use crate::protocol::{ProbeKind, Question};
use crate::tui::inquiry::Reply;
use crate::tui::message::Effect;

impl App {
    /// What is known of who moved the answer last asked about.
    pub fn why(&self) -> Option<&Why> {
        self.why.as_ref()
    }

    /// Asks who moved the selected curve between the evaluation that is shown and the one before: on the selected prompt
    /// where the prompts have the focus, else in the mean.
    pub(super) fn ask_why(&mut self) -> Vec<Effect> {
        let question = match self.question() {
            Ok(question) => question,
            Err(why) => return self.notify(why, true),
        };
        self.view.dialog = Some(Dialog::Why(0));
        let known = match &self.why {
            Some(Why::Asked(asked, _)) => {
                // One question at a time.
                return if *asked == question {
                    Vec::new()
                } else {
                    self.notify("one question is being answered", false)
                };
            }
            Some(Why::Known(influence)) => influence.question == question,
            Some(Why::Unknown(_)) | None => false,
        };
        if known {
            return Vec::new();
        }
        self.why = Some(Why::Asked(question, None));
        vec![Effect::Ask(question)]
    }

    fn question(&self) -> Result<Question, &'static str> {
        let kind = match self.view.curve.unwrap_or(CurveId::Probe(ProbeKind::Chosen)) {
            CurveId::Probe(kind) => kind,
            CurveId::ArgmaxChosen | CurveId::ArgmaxRejected => {
                return Err(
                    "who moved the argmax cannot be told: it is another answer at every step; select another curve",
                );
            }
        };
        let history = self.shown();
        let until = self.evaluation().ok_or("nothing was measured yet")?;
        let before = history.evaluations.iter().rev().find(|e| e.step < until.step);
        let since = before.ok_or("nothing was learnt yet: go to a later evaluation")?.step;
        let stage = history.stage_starts.iter().rev().find(|&&start| start < until.step);
        let since = stage.map_or(since, |&start| since.max(start));
        let prompt = (self.focus() == Panel::Prompt).then_some(self.view.prompt);
        Ok(Question { kind, prompt, since, until: until.step })
    }

    /// Lines of the answer, at most: where scrolling ends.
    pub(super) fn why_lines(&self) -> usize {
        match &self.why {
            // Three lines each, with what is said of the whole.
            Some(Why::Known(influence)) => 3 * influence.examples.len().min(NAMED) + 10,
            _ => 1,
        }
    }

    /// Word came of what was asked.
    pub(super) fn told_why(&mut self, reply: Reply) -> Vec<Effect> {
        self.why = match (reply, self.why.take()) {
            (Reply::UnderWay(doing), Some(Why::Asked(question, _))) => Some(Why::Asked(question, Some(doing))),
            // Nobody waits for it any more.
            (Reply::UnderWay(_), why) => why,
            (Reply::Answer(influence), _) => Some(Why::Known(influence)),
            (Reply::Unknown(why), _) => Some(Why::Unknown(why)),
        };
        self.changed()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

    use super::*;
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
        let [Effect::Ask(question)] = asked[..] else { panic!("{asked:?}") };
        assert_eq!((question.kind, question.prompt, question.until), (ProbeKind::IrrTrain, Some(0), 60));
        assert!(question.since < 60 && app.view.dialog == Some(Dialog::Why(0)));
        assert!(plain(&draw(&app, 120, 40)).contains("being taken again, up to step 60"));
        app.update(Message::Influence(Reply::UnderWay(Shown::new("replaying step 12 of 60, 2.1 s"))));
        assert!(plain(&draw(&app, 120, 40)).contains("replaying step 12 of 60, 2.1 s"));
        app.update(Message::Influence(Reply::Answer(Box::new(answer(question)))));
        // A word that comes late takes nothing back.
        app.update(Message::Influence(Reply::UnderWay(Shown::new("sharing out step 1 of 60, 4.0 s"))));
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
        app.update(Message::Influence(Reply::Unknown(Shown::new("the run was moved"))));
        assert!(plain(&draw(&app, 80, 24)).contains("the run was moved"));
        // What failed may be asked again.
        app.view.dialog = None;
        assert_eq!(press(&mut app, 'i').len(), 1);
    }
}

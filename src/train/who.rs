//! The question who moved answers in a window of steps.

use burn::tensor::backend::AutodiffBackend;

use super::influence::Attribution;
use super::inquire::{Asked, Inquire, inquire};
use super::observed::Observed;
use super::retrace::{Retrace, stage_of};
use super::sink::EventSink;
use super::state::SavedState;
use crate::backend::BackendChoice;
use crate::error::{Error, Result};
use crate::protocol::{Influence, Question};

/// Who moved answers of a recorded run; an answer for each question. All questions are about the same window.
///
/// # Errors
/// When a question is not about this run, when the run cannot be trained again as it was, or `events` says so.
pub(crate) fn influence(
    asked: Asked<'_>,
    questions: &[Question],
    backend: BackendChoice,
    events: &mut dyn EventSink,
) -> Result<Vec<Influence>> {
    if questions.is_empty() {
        return Ok(Vec::new());
    }
    inquire(asked, Who(questions), backend, events)
}

/// Questions about one window: who moved this?
pub(super) struct Who<'a>(pub(super) &'a [Question]);

impl Inquire for Who<'_> {
    type Answer = Vec<Influence>;

    fn window(&self, asked: &Asked<'_>) -> Result<(u64, u64)> {
        let first = self.0.first().ok_or_else(|| Error::failed("nothing was asked"))?;
        if self.0.iter().any(|q| (q.since, q.until) != (first.since, first.until)) {
            return Err(Error::failed("questions that are asked together must be about one window"));
        }
        stage_of(asked.experiment, asked.history, first)?;
        Ok((first.since, first.until))
    }

    fn answer<B: AutodiffBackend>(self, run: &mut Retrace<'_, B>, saved: Option<SavedState>) -> Result<Vec<Influence>> {
        let set = run.learner.observer.set();
        let observed = self.0.iter().map(|q| Observed::new(set, q)).collect::<Result<Vec<_>>>()?;
        let (window, stage) = run.window(saved)?;
        for (observed, question) in observed.iter().zip(self.0) {
            run.check_measured(observed, question, [window.model(0), window.model(window.steps.len())])?;
        }
        let mould = run.learner.model.clone();
        let answer = |(observed, &question): (&Observed, &Question)| {
            let attribution = Attribution {
                question,
                stage: &stage.name,
                observed,
                window: &window,
                mould: mould.clone(),
                checkpointing: stage.gradient_checkpointing,
                tokenizer: run.learner.tokenizer(),
            };
            attribution.answer(&mut run.control)
        };
        observed.iter().zip(self.0).map(answer).collect()
    }
}

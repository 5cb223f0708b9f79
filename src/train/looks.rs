//! The question where an observed answer lost, token by token.

use burn::tensor::backend::AutodiffBackend;

use super::factors::log_probs;
use super::inquire::{Asked, Inquire, inquire};
use super::observed::Observed;
use super::retrace::{Ends, Retrace, stage_of};
use super::sink::EventSink;
use super::state::SavedState;
use crate::backend::BackendChoice;
use crate::dynamics::microscope::Look;
use crate::dynamics::sight::Sight;
use crate::error::{Error, Result};
use crate::protocol::Question;

/// Looks at an observed answer of a recorded run, which is trained again up to the window's end. `question` names a prompt.
///
/// # Errors
/// When the question is not about this run or names no prompt, when the run cannot be trained again as it was, or `events` says
/// so.
pub(crate) fn tokens(
    asked: Asked<'_>,
    question: Question,
    backend: BackendChoice,
    events: &mut dyn EventSink,
) -> Result<Sight> {
    inquire(asked, Where(question), backend, events)
}

/// A question about a window: where did this answer lose?
pub(super) struct Where(pub(super) Question);

impl Inquire for Where {
    type Answer = Sight;

    fn window(&self, asked: &Asked<'_>) -> Result<(u64, u64)> {
        stage_of(asked.experiment, asked.history, &self.0)?;
        Ok((self.0.since, self.0.until))
    }

    fn answer<B: AutodiffBackend>(self, run: &mut Retrace<'_, B>, saved: Option<SavedState>) -> Result<Sight> {
        let observed = Observed::new(run.learner.observer.set(), &self.0)?;
        let answer = observed.only().ok_or_else(|| Error::usage("tokens are those of one answer: name its prompt"))?;
        let Ends { start, end } = run.ends(saved)?;
        run.check_measured(&observed, &self.0, [&start, &end])?;
        let tokenizer = run.learner.tokenizer();
        let [before, after] = [&start, &end].map(|model| log_probs(model, answer, tokenizer.pad()));
        let rows = before.iter().zip(&after).zip(&answer.completion_ids);
        let looks =
            rows.map(|((before, after), &label)| Look::new(before, after, label as usize)).collect::<Result<_>>()?;
        let prompt = tokenizer.decode(tokenizer.without_stop(&answer.prompt_ids)).trim().to_owned();
        let names = (0..end.vocab_size()).map(|token| tokenizer.token(u32::try_from(token).unwrap_or(u32::MAX)));
        Ok(Sight { question: self.0, prompt, looks, names: names.collect() })
    }
}

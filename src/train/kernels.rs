//! The question how alike a model takes an observed answer and a training example's answers to be.

use burn::module::AutodiffModule as _;
use burn::tensor::backend::AutodiffBackend;

use super::factors::{Factors, factors, largest_map, map};
use super::inquire::{Asked, Inquire, inquire};
use super::observed::Observed;
use super::retrace::{Retrace, There};
use super::sink::EventSink;
use super::state::SavedState;
use crate::backend::BackendChoice;
use crate::data::Sequence;
use crate::dynamics::alike::{Alike, Learnt, Text};
use crate::error::{Error, Result};
use crate::experiment::Precision;
use crate::protocol::{ProbeKind, Question, RunPhase};

/// The factors of Prop. 1 between an observed answer and a training example's answers, at one place of a run.
pub(crate) struct Kernel {
    /// The prompt's text, and the observed answer's.
    pub(crate) observed: [String; 2],
    /// The example's prompt and the answer that is learnt, with its factors; first y⁺, then y⁻ where there is one.
    pub(crate) learnt: Vec<([String; 2], Factors)>,
}

/// Takes the factors between an observed answer and training example `example` of a recorded run, which is trained again up to
/// where `question` ends; it names a prompt.
///
/// # Errors
/// When the question is not about this run or names no prompt, there is no such example, the run cannot be trained again as it
/// was, or `events` says so.
pub(crate) fn kernel(
    asked: Asked<'_>,
    question: Question,
    example: usize,
    backend: BackendChoice,
    events: &mut dyn EventSink,
) -> Result<Kernel> {
    inquire(asked, Pair { question, example }, backend, events)
}

/// A question about a place of a run: how alike are these two?
pub(super) struct Pair {
    pub(super) question: Question,
    pub(super) example: usize,
}

/// The place of a run at which `step` optimiser steps were taken.
///
/// # Errors
/// Wrong usage: the run has not taken so many.
pub(super) fn place(asked: &Asked<'_>, step: u64) -> Result<(u64, u64)> {
    if step > asked.history.step {
        return Err(Error::usage(format!("--step {step}: the run has {} steps", asked.history.step)));
    }
    Ok((step, step))
}

impl Inquire for Pair {
    type Answer = Kernel;

    fn window(&self, asked: &Asked<'_>) -> Result<(u64, u64)> {
        place(asked, self.question.until)
    }

    fn answer<B: AutodiffBackend>(self, run: &mut Retrace<'_, B>, saved: Option<SavedState>) -> Result<Kernel> {
        let Self { question, example } = self;
        let observed = Observed::new(run.learner.observer.set(), &question)?;
        let answer = observed.only().ok_or_else(|| Error::usage("a kernel is that of one answer: name its prompt"))?;
        let pairs = run.there(saved, 0)?.pairs;
        let end = run.learner.model.valid().compute_in(Precision::F32);
        run.check_measured(&observed, &question, [&end, &end])?;
        let model = run.learner.model.clone().compute_in(Precision::F32);
        let tokenizer = run.learner.tokenizer();
        let text = |ids: &[u32]| tokenizer.decode(tokenizer.without_stop(ids)).trim().to_owned();
        let both = |sequence: &Sequence| [text(&sequence.prompt_ids), text(&sequence.completion_ids)];
        let pair = pairs.get(example).ok_or_else(|| {
            Error::usage(format!("--learnt {}: the run learns {} examples", example.saturating_add(1), pairs.len()))
        })?;
        let answers = [Some(&pair.chosen), pair.rejected.as_ref()];
        let of = |learnt: &Sequence| (both(learnt), factors(&model, answer, learnt, tokenizer.pad()));
        Ok(Kernel { observed: both(answer), learnt: answers.into_iter().flatten().map(of).collect() })
    }
}

/// Takes the kernel between observed answers of a recorded run and what it learnt last before `step`.
///
/// # Errors
/// When the run observes no such answer, has learnt nothing by then, cannot be trained again as it was, has a model that is too
/// large, or `events` says so.
pub(crate) fn alike(
    asked: Asked<'_>,
    question: Map,
    backend: BackendChoice,
    events: &mut dyn EventSink,
) -> Result<Alike> {
    inquire(asked, question, backend, events)
}

/// A question about a place of a run: how alike are observed answers and what was learnt last?
#[derive(Debug, Clone, Copy)]
pub(crate) struct Map {
    /// The kind of observed answers.
    pub(crate) kind: ProbeKind,
    /// Optimiser steps taken before.
    pub(crate) step: u64,
    /// Prompts, at most: the first that have such an answer.
    pub(crate) prompts: usize,
    /// Training examples, at most: those learnt last.
    pub(crate) examples: usize,
}

impl Inquire for Map {
    type Answer = Alike;

    fn window(&self, asked: &Asked<'_>) -> Result<(u64, u64)> {
        if self.step == 0 {
            return Err(Error::usage("nothing is learnt before the first step: name a later one, as in --step 64"));
        }
        place(asked, self.step)
    }

    fn answer<B: AutodiffBackend>(self, run: &mut Retrace<'_, B>, saved: Option<SavedState>) -> Result<Alike> {
        let Self { kind, step, prompts, examples } = self;
        let most = largest_map(&run.learner.model);
        if most == 0 {
            return Err(Error::usage(
                "the model is too large for a map of its kernel: ask about one pair, as in --observed 1 --learnt 2",
            ));
        }
        let all =
            Observed::new(run.learner.observer.set(), &Question { kind, prompt: None, since: step, until: step })?;
        let There { pairs, latest, pushes } = run.there(saved, examples)?;
        let end = run.learner.model.valid().compute_in(Precision::F32);
        run.check_measured(&all, &Question { kind, prompt: None, since: step, until: step }, [&end, &end])?;
        let model = run.learner.model.clone().compute_in(Precision::F32);
        let tokenizer = run.learner.tokenizer().clone();
        let text = |ids: &[u32]| tokenizer.decode(tokenizer.without_stop(ids)).trim().to_owned();
        let observed: Vec<(usize, &Sequence)> = all.each().take(prompts.min(most)).collect();
        let chosen = latest.iter().map(|&example| (example, false, Some(&pairs[example].chosen)));
        let rejected =
            latest.iter().map(|&example| (example, true, pairs[example].rejected.as_ref().filter(|_| pushes)));
        let learnt: Vec<(usize, bool, &Sequence)> = chosen
            .chain(rejected)
            .filter_map(|(example, rejected, answer)| Some((example, rejected, answer?)))
            .collect();
        let rows: Vec<&Sequence> = observed.iter().map(|(_, answer)| *answer).collect();
        let columns: Vec<&Sequence> = learnt.iter().map(|(_, _, answer)| *answer).collect();
        let cells = map(&model, &rows, &columns, tokenizer.pad(), |done| {
            let what = format!("taking the kernel with learnt answer {} of {}", done + 1, columns.len());
            run.control.say(RunPhase::Starting(what), step)
        })?;
        let asked = |answer: &Sequence| text(&answer.prompt_ids);
        Ok(Alike {
            step,
            kind,
            observed: observed.iter().map(|&(prompt, answer)| Text { prompt, asked: asked(answer) }).collect(),
            learnt: learnt
                .iter()
                .map(|&(example, rejected, answer)| Learnt { example, rejected, asked: asked(answer) })
                .collect(),
            cells,
        })
    }
}

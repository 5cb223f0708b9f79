//! Questions about a recorded run that its record does not answer: its steps are taken again, and what is asked is
//! measured on the way.

use burn::module::AutodiffModule as _;
use burn::tensor::backend::AutodiffBackend;
use crossbeam_channel::never;

use super::control::Control;
use super::factors::{Factors, factors, log_probs};
use super::influence::Attribution;
use super::observed::Observed;
use super::retrace::{Ends, Known, Retrace, stage_of};
use super::sink::EventSink;
use super::state::SavedState;
use crate::backend::{BackendChoice, Work, find_sound, on};
use crate::data::Sequence;
use crate::data::tokenizer::Tokenizer;
use crate::dynamics::microscope::Look;
use crate::error::{Error, Result};
use crate::experiment::{Experiment, Precision};
use crate::history::RunHistory;
use crate::protocol::{Influence, Question};

/// A recorded run that is asked about.
pub(crate) struct Asked<'a> {
    pub(crate) experiment: &'a Experiment,
    /// What was recorded.
    pub(crate) history: &'a RunHistory,
    /// The state of the run at some step, if that is known.
    pub(crate) saved: Option<SavedState>,
}

/// Who moved answers of a recorded run, which is trained again up to the window's end; an answer for each question. All
/// questions are about the same window. `events` hears of it; where it fails, the training ends.
///
/// # Errors
/// When a question is not about this run, when the run cannot be trained again as it was, or `events` says so.
pub(crate) fn influence(
    asked: Asked<'_>,
    questions: &[Question],
    backend: BackendChoice,
    events: &mut dyn EventSink,
) -> Result<Vec<Influence>> {
    struct Ask<'a, 'e>(Asked<'a>, &'a [Question], &'e mut dyn EventSink);
    impl Work for Ask<'_, '_> {
        type Output = Result<Vec<Influence>>;
        fn with<B: AutodiffBackend>(self, device: &B::Device, name: &str) -> Self::Output {
            influence_on::<B>(self.0, self.1, device, name, self.2)
        }
    }
    on(find_sound(backend)?.0, Ask(asked, questions, events))
}

/// Answers on a device who moved answers.
pub(super) fn influence_on<B: AutodiffBackend>(
    asked: Asked<'_>,
    questions: &[Question],
    device: &B::Device,
    backend: &str,
    events: &mut dyn EventSink,
) -> Result<Vec<Influence>> {
    let Asked { experiment, history, saved } = asked;
    let [first, ..] = questions else { return Ok(Vec::new()) };
    if questions.iter().any(|q| (q.since, q.until) != (first.since, first.until)) {
        return Err(Error::failed("questions that are asked together must be about one window"));
    }
    let stage = &experiment.stages[stage_of(experiment, history, first)?];
    let experiment = Experiment { forces: None, ..experiment.clone() };
    let commands = never();
    let control = Control::new(&commands, events);
    let known = Known { experiment: &experiment, history, window: (first.since, first.until) };
    let mut run = Retrace::<B>::prepare(known, device, backend, control)?;
    let set = run.learner.observer.set();
    let observed = questions.iter().map(|q| Observed::new(set, q)).collect::<Result<Vec<_>>>()?;
    let window = run.window(saved)?;
    for (observed, question) in observed.iter().zip(questions) {
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
    observed.iter().zip(questions).map(answer).collect()
}

/// An observed answer, token by token, at both ends of a window.
pub(crate) struct Tokens {
    /// The prompt's text.
    pub(crate) prompt: String,
    /// One position a token of the answer.
    pub(crate) looks: Vec<Look>,
    /// What tokens are as text.
    pub(crate) tokenizer: Tokenizer,
}

/// Looks at an observed answer of a recorded run, which is trained again up to the window's end. `question` names a prompt.
///
/// # Errors
/// As of [`influence`]; and where no prompt is named.
pub(crate) fn tokens(
    asked: Asked<'_>,
    question: Question,
    backend: BackendChoice,
    events: &mut dyn EventSink,
) -> Result<Tokens> {
    struct Ask<'a, 'e>(Asked<'a>, Question, &'e mut dyn EventSink);
    impl Work for Ask<'_, '_> {
        type Output = Result<Tokens>;
        fn with<B: AutodiffBackend>(self, device: &B::Device, name: &str) -> Self::Output {
            tokens_on::<B>(self.0, self.1, device, name, self.2)
        }
    }
    on(find_sound(backend)?.0, Ask(asked, question, events))
}

/// Looks at an observed answer on a device.
pub(super) fn tokens_on<B: AutodiffBackend>(
    asked: Asked<'_>,
    question: Question,
    device: &B::Device,
    backend: &str,
    events: &mut dyn EventSink,
) -> Result<Tokens> {
    let Asked { experiment, history, saved } = asked;
    stage_of(experiment, history, &question)?;
    let experiment = Experiment { forces: None, ..experiment.clone() };
    let commands = never();
    let control = Control::new(&commands, events);
    let known = Known { experiment: &experiment, history, window: (question.since, question.until) };
    let mut run = Retrace::<B>::prepare(known, device, backend, control)?;
    let observed = Observed::new(run.learner.observer.set(), &question)?;
    let answer = observed.only().ok_or_else(|| Error::usage("tokens are those of one answer: name its prompt"))?;
    let Ends { start, end } = run.ends(saved)?;
    run.check_measured(&observed, &question, [&start, &end])?;
    let tokenizer = run.learner.tokenizer().clone();
    let [before, after] = [&start, &end].map(|model| log_probs(model, answer, tokenizer.pad()));
    let rows = before.iter().zip(&after).zip(&answer.completion_ids);
    let looks =
        rows.map(|((before, after), &label)| Look::new(before, after, label as usize)).collect::<Result<_>>()?;
    let prompt = tokenizer.decode(tokenizer.without_stop(&answer.prompt_ids)).trim().to_owned();
    Ok(Tokens { prompt, looks, tokenizer })
}

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
/// As of [`influence`]; and where no prompt is named, or there is no such example.
pub(crate) fn kernel(
    asked: Asked<'_>,
    question: Question,
    example: usize,
    backend: BackendChoice,
    events: &mut dyn EventSink,
) -> Result<Kernel> {
    struct Ask<'a, 'e>(Asked<'a>, Question, usize, &'e mut dyn EventSink);
    impl Work for Ask<'_, '_> {
        type Output = Result<Kernel>;
        fn with<B: AutodiffBackend>(self, device: &B::Device, name: &str) -> Self::Output {
            kernel_on::<B>(self.0, self.1, self.2, (device, name), self.3)
        }
    }
    on(find_sound(backend)?.0, Ask(asked, question, example, events))
}

/// Takes the factors on a device.
pub(super) fn kernel_on<B: AutodiffBackend>(
    asked: Asked<'_>,
    question: Question,
    example: usize,
    (device, backend): (&B::Device, &str),
    events: &mut dyn EventSink,
) -> Result<Kernel> {
    let Asked { experiment, history, saved } = asked;
    let step = question.until;
    if step > history.step {
        return Err(Error::usage(format!("--step {step}: the run has {} steps", history.step)));
    }
    let experiment = Experiment { forces: None, ..experiment.clone() };
    let commands = never();
    let control = Control::new(&commands, events);
    let known = Known { experiment: &experiment, history, window: (step, step) };
    let mut run = Retrace::<B>::prepare(known, device, backend, control)?;
    let observed = Observed::new(run.learner.observer.set(), &question)?;
    let answer = observed.only().ok_or_else(|| Error::usage("a kernel is that of one answer: name its prompt"))?;
    let pairs = run.there(saved)?;
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

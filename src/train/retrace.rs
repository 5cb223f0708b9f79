//! Takes a recorded run's steps again, up to the end of a window: training is the same every time, so that nothing but the
//! experiment need be kept. Every step's loss, and the observed answer where it was measured, are held against the record.

use burn::tensor::backend::AutodiffBackend;
use crossbeam_channel::never;

use super::control::Control;
use super::influence::Attribution;
use super::language::{self, Language, LanguageStage};
use super::observed::Observed;
use super::run::{Learner as _, Prepared, StepNumber, UnderWay};
use super::sink::EventSink;
use super::state::SavedState;
use super::window::{Filling, Window};
use crate::backend::{Available, BackendChoice, Work, available_memory, find_sound, on};
use crate::error::{Error, Result};
use crate::experiment::{Experiment, Stage};
use crate::history::RunHistory;
use crate::model::lora;
use crate::protocol::{Influence, MetricKey, Question, RunPhase};
use crate::text::bytes;

/// How far a loss, or a log-prob, may be from what was recorded, as a share of it.
const RELATIVE: f64 = 1e-5;
/// The same in nats.
const ABSOLUTE: f64 = 1e-3;

/// A question about a recorded run.
pub(crate) struct Asked<'a> {
    pub(crate) experiment: &'a Experiment,
    /// What was recorded.
    pub(crate) history: &'a RunHistory,
    pub(crate) question: Question,
    /// The state of the run at some step, if that is known.
    pub(crate) saved: Option<SavedState>,
}

/// Answers a question about a recorded run by training it again, up to the window's end. `events` hears of it; where it
/// fails, the training ends.
///
/// # Errors
/// When the question is not about this run, when the run cannot be trained again as it was, or `events` says so.
pub(crate) fn influence(asked: Asked<'_>, backend: BackendChoice, events: &mut dyn EventSink) -> Result<Influence> {
    struct Ask<'a, 'e>(Asked<'a>, &'e mut dyn EventSink);
    impl Work for Ask<'_, '_> {
        type Output = Result<Influence>;
        fn with<B: AutodiffBackend>(self, device: &B::Device, name: &str) -> Result<Influence> {
            on_device::<B>(self.0, device, name, self.1)
        }
    }
    on(find_sound(backend)?.0, Ask(asked, events))
}

/// Answers a question on a device.
pub(super) fn on_device<B: AutodiffBackend>(
    asked: Asked<'_>,
    device: &B::Device,
    backend: &str,
    events: &mut dyn EventSink,
) -> Result<Influence> {
    let Asked { experiment, history, question, saved } = asked;
    let index = stage_of(experiment, history, &question)?;
    // Nobody looks at the forces on the way, and the training is the same without.
    let experiment = Experiment { forces: None, ..experiment.clone() };
    let commands = never();
    let mut control = Control::new(&commands, events);
    let Prepared { learner, started } = language::prepare::<B>(&experiment, device, backend, &mut control)?;
    let recorded = history.run.as_ref().map(|run| &run.probes);
    if recorded != Some(&started.probes) {
        return Err(not_the_same("the observed prompts and answers are others than those that were recorded"));
    }
    let observed = Observed::new(learner.observer.set(), &question)?;
    let stage = &experiment.stages[index];
    let mut retrace = Retrace { experiment: &experiment, history, question, observed, learner, control };
    let window = retrace.window(saved)?;
    retrace.check_measured(&window)?;
    let Retrace { observed, learner, .. } = retrace;
    let attribution = Attribution {
        question,
        stage: &stage.name,
        observed: &observed,
        window,
        mould: learner.model.clone(),
        checkpointing: stage.gradient_checkpointing,
        tokenizer: learner.tokenizer(),
    };
    Ok(attribution.answer())
}

/// The stage that a window lies in.
fn stage_of(experiment: &Experiment, history: &RunHistory, question: &Question) -> Result<usize> {
    let Question { since, until, .. } = *question;
    if experiment.has_pictures() {
        return Err(Error::usage("influence is about answers, and a classifier of pictures gives none"));
    }
    if since >= until {
        return Err(Error::usage(format!(
            "the window {since}..{until} has no step: its end must lie after its beginning"
        )));
    }
    if until > history.step {
        return Err(Error::usage(format!("the window ends at step {until}, and the run has {} steps", history.step)));
    }
    let mut start = 0;
    for (index, stage) in experiment.stages.iter().enumerate() {
        let end = start + stage.steps;
        if (start..end).contains(&since) {
            if until <= end {
                return Ok(index);
            }
            return Err(Error::usage(format!(
                "the window {since}..{until} must lie within one stage: {} has the steps {start}..{end}",
                stage.name
            )));
        }
        start = end;
    }
    Err(Error::usage(format!("the window begins at step {since}, and the experiment has {start} steps")))
}

/// The run cannot be trained again as it was recorded.
fn not_the_same(how: &str) -> Error {
    Error::Several(vec![
        Error::usage(format!("the run cannot be taken up again as it was: {how}")),
        Error::usage(
            "  the data, the model, the experiment or the version of this program is another than when it was recorded",
        ),
        Error::usage("  train it anew, and ask about that: ldyn-tui run RUN/experiment.ron"),
    ])
}

/// Whether two numbers are the same but for rounding. What is no number is equal to itself.
fn same(found: f64, recorded: f64) -> bool {
    found == recorded
        || found.is_nan() && recorded.is_nan()
        || (found - recorded).abs() <= ABSOLUTE.max(RELATIVE * recorded.abs())
}

/// A run that is taken again.
struct Retrace<'a, B: AutodiffBackend> {
    experiment: &'a Experiment,
    history: &'a RunHistory,
    question: Question,
    observed: Observed,
    learner: Language<B>,
    control: Control<'a>,
}

impl<B: AutodiffBackend> Retrace<'_, B> {
    /// Trains up to the window's end, from the beginning or from where the run once stood; returns the window.
    fn window(&mut self, saved: Option<SavedState>) -> Result<Window<B::InnerBackend>> {
        let Question { since, until, .. } = self.question;
        let saved = saved.filter(|saved| saved.position().step <= since);
        let (mut step, mut under_way) = match saved {
            Some(mut saved) => {
                let (progress, run) = self.learner.go_back(self.experiment, &mut saved)?;
                (progress.step, Some(run))
            }
            None => (0, None),
        };
        let first = under_way.as_ref().map_or(0, |run| run.index);
        for (index, stage) in self.experiment.stages.iter().enumerate().skip(first) {
            let mut run = match under_way.take() {
                Some(run) => run,
                None => {
                    let stage = self.learner.begin(self.experiment, index, step, &mut self.control)?;
                    UnderWay { index, taken: 0, stage }
                }
            };
            let mut filling = Filling::new();
            while run.taken < stage.steps && step < until {
                if step == since {
                    self.check_memory(stage)?;
                }
                let number = StepNumber { of_stage: run.taken + 1, of_run: step + 1 };
                let keep = (step >= since).then_some(&mut filling);
                self.step(stage, &mut run.stage, number, keep)?;
                (run.taken, step) = (number.of_stage, number.of_run);
            }
            if step == until {
                return filling
                    .finish(&self.learner, &run.stage)
                    .ok_or_else(|| Error::failed("the window has no step"));
            }
        }
        Err(Error::failed(format!("the run ended before step {until}")))
    }

    /// Takes a step, and holds its loss against the record.
    fn step(
        &mut self,
        stage: &Stage,
        under_way: &mut LanguageStage<B>,
        number: StepNumber,
        keep: Option<&mut Filling<B::InnerBackend>>,
    ) -> Result<()> {
        let metrics = match keep {
            None => self.learner.step(stage, under_way, number, &mut self.control)?,
            Some(filling) => filling.step(&mut self.learner, stage, under_way, number, &mut self.control)?,
        };
        let step = number.of_run;
        let loss = metrics.get(&MetricKey::LOSS).copied().unwrap_or(f64::NAN);
        let recorded = self.history.metrics.get(&MetricKey::LOSS).and_then(|losses| losses.at(step));
        match recorded {
            Some(recorded) if same(loss, recorded) => {}
            Some(recorded) => {
                return Err(not_the_same(&format!("at step {step} the loss is {loss}, and {recorded} was recorded")));
            }
            None => return Err(not_the_same(&format!("no loss was recorded at step {step}"))),
        }
        let until = self.question.until;
        self.control.say(RunPhase::Starting(format!("taking step {step} of {until} again")), step)
    }

    /// Holds the observed answer against the record, where the window's ends were measured.
    fn check_measured(&self, window: &Window<B::InnerBackend>) -> Result<()> {
        for (step, steps) in [(self.question.since, 0), (self.question.until, window.steps.len())] {
            let Some(evaluation) = self.history.evaluations.iter().find(|e| e.step == step) else { continue };
            let recorded = self.observed.recorded(evaluation, &self.question);
            let found = self.observed.mean(window.model(steps), self.learner.tokenizer().pad());
            if !same(found, recorded) {
                let what = self.question.kind;
                return Err(not_the_same(&format!(
                    "at step {step} the log-prob of {what} is {found:.4}, and {recorded:.4} was recorded"
                )));
            }
        }
        Ok(())
    }

    /// Refuses a window that is too long to be kept.
    fn check_memory(&self, stage: &Stage) -> Result<()> {
        let Question { since, until, .. } = self.question;
        let architecture = self.learner.architecture();
        let trained = match &self.experiment.lora {
            Some(lora) => lora::parameter_count(lora, architecture),
            None => architecture.parameter_count(),
        } as u64;
        // Every step keeps the weights and how far they went; some more are made on the way back.
        let of_step = 2 * 4 * trained;
        let needed = of_step * (until - since) + 12 * 4 * trained;
        let (Available::Shared(there) | Available::Apart { device: there, .. }) =
            available_memory::<B::InnerBackend>(&self.learner.model.device());
        match there.filter(|&there| needed > there) {
            None => Ok(()),
            Some(there) => Err(Error::usage(format!(
                "the window {since}..{until} of {} needs about {} of memory, and {} are available: ask about a shorter one",
                stage.name,
                bytes(needed),
                bytes(there)
            ))),
        }
    }
}

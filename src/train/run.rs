//! The loop: stages of optimiser steps, with measurements on the way, the same for whatever learns. Readable top to
//! bottom.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use super::cadence::Cadence;
use super::control::{Control, Next};
use super::metrics::{Aside, Speed};
use super::state::{SavedState, TrainerState};
use crate::error::{Error, Result};
use crate::experiment::{Experiment, Stage};
use crate::probe::Headway;
use crate::protocol::{MetricKey, RunPhase, RunStarted, StepMetrics, TrainerEvent};

/// What learns: a model, with what it is trained on and observed by.
pub(super) trait Learner: Sized {
    /// What a stage works with besides.
    type Stage;

    /// Gets ready for stage `index`. Everything has just been measured, after `step` optimiser steps.
    fn begin(
        &mut self,
        experiment: &Experiment,
        index: usize,
        step: u64,
        control: &mut Control<'_>,
    ) -> Result<Self::Stage>;

    /// Takes an optimiser step; returns its scalars.
    fn step(
        &mut self,
        stage: &Stage,
        under_way: &mut Self::Stage,
        number: StepNumber,
        control: &mut Control<'_>,
    ) -> Result<BTreeMap<MetricKey, f64>>;

    /// Measures what is observed, in stage `stage` after `step` optimiser steps; returns what there is to tell, in order.
    fn measure(&mut self, step: u64, stage: usize, headway: &Headway<'_>) -> Result<Vec<TrainerEvent>>;

    /// Tokens, or pictures, that the optimiser has seen.
    fn seen(&self) -> u64;

    /// What a run needs to go on from here; `None` of what is never kept.
    fn state(&self, progress: &Progress, under_way: &UnderWay<Self::Stage>) -> Option<TrainerState>;

    /// What taking the steps again from here needs, and no more; `None` of what is never kept.
    fn snapshot(&self, progress: &Progress, under_way: &UnderWay<Self::Stage>) -> Option<TrainerState>;

    /// Goes back to a saved state; returns how far the run had come, and the stage that was under way.
    fn restore(&mut self, experiment: &Experiment, saved: &mut SavedState)
    -> Result<(Progress, UnderWay<Self::Stage>)>;

    /// Writes the trained weights as a folder.
    fn write(&self, folder: &Path) -> Result<()>;
}

/// Which optimiser step is taken; both count from 1.
#[derive(Debug, Clone, Copy)]
pub(super) struct StepNumber {
    /// The step's number in the stage.
    pub(super) of_stage: u64,
    /// The step's number in the run.
    pub(super) of_run: u64,
}

/// How far a run has come.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Progress {
    /// Optimiser steps taken.
    pub(super) step: u64,
    /// The step last measured.
    pub(super) measured: Option<u64>,
}

/// A stage under way.
pub(super) struct UnderWay<S> {
    /// Index into the experiment's stages.
    pub(super) index: usize,
    /// Optimiser steps taken in it.
    pub(super) taken: u64,
    /// What it works with.
    pub(super) stage: S,
}

/// What a run trains, before its first step.
pub(super) struct Prepared<L> {
    pub(super) learner: L,
    /// The run's first event.
    pub(super) started: RunStarted,
}

impl<L: Learner> Prepared<L> {
    /// Takes every step, from the first or from where a saved state stands. `model_folder` is where the final weights go,
    /// if they are to be kept.
    ///
    /// # Errors
    /// When the loss is no longer finite, an invariant of a measurement breaks, or an event cannot be recorded.
    pub(super) fn run(
        self,
        experiment: &Experiment,
        saved: Option<SavedState>,
        model_folder: Option<&Path>,
        mut control: Control<'_>,
    ) -> Result<()> {
        let Self { mut learner, started } = self;
        let (progress, under_way) = match saved {
            None => {
                control.emit(&TrainerEvent::RunStarted(Box::new(started)))?;
                (Progress::default(), None)
            }
            Some(mut saved) => {
                let step = saved.position().step;
                let going_back = format!("going back to the checkpoint of step {step}");
                control.say(RunPhase::Starting(going_back), step)?;
                let (progress, under_way) = learner.restore(experiment, &mut saved)?;
                control.resumed()?;
                (progress, Some(under_way))
            }
        };
        let mut run = Run { learner, control, progress, measuring: Duration::ZERO };
        let last = run.stages(experiment, under_way)?;
        if let (RunPhase::Finished, Some(folder)) = (&last, model_folder) {
            run.learner.write(folder)?;
        }
        run.control.say(last, run.progress.step)
    }
}

/// A run under way.
struct Run<'a, L> {
    learner: L,
    control: Control<'a>,
    progress: Progress,
    /// Time that measuring took.
    measuring: Duration,
}

impl<L: Learner> Run<'_, L> {
    /// Runs every stage, or those from the one that is under way on; returns how that ended.
    fn stages(&mut self, experiment: &Experiment, mut under_way: Option<UnderWay<L::Stage>>) -> Result<RunPhase> {
        let mut speed = Speed::new(experiment, self.progress.step, self.learner.seen());
        let mut cadence = Cadence::new(experiment.output.checkpoint_every);
        let first = under_way.as_ref().map_or(0, |run| run.index);
        for (index, stage) in experiment.stages.iter().enumerate().skip(first) {
            let mut run = match under_way.take() {
                Some(run) => run,
                None => self.begin(experiment, index)?,
            };
            while run.taken < stage.steps {
                loop {
                    match self.control.next(self.progress.step)? {
                        Next::Step => break,
                        Next::Evaluate => {
                            self.evaluate(index)?;
                            // Whoever asked waits for an answer, even where this step was measured before.
                            self.control.say_again(self.progress.step)?;
                        }
                        Next::Stop => return Ok(RunPhase::Stopped),
                    }
                }
                self.step(stage, &mut run)?;
                if run.taken % stage.evaluate_every == 0 || run.taken == stage.steps {
                    self.evaluate(index)?;
                    // After the last step there is nothing to go on with.
                    let last = index + 1 == experiment.stages.len() && run.taken == stage.steps;
                    if !last && cadence.is_due() {
                        self.keep(&run, &mut cadence)?;
                    }
                    self.snapshot(experiment, &run);
                }
                let aside = Aside { waiting: self.control.waited(), measuring: self.measuring };
                if let Some(event) = speed.tick(self.progress.step, self.learner.seen(), aside) {
                    self.control.emit(&event)?;
                }
            }
        }
        Ok(RunPhase::Finished)
    }

    /// Begins a stage.
    fn begin(&mut self, experiment: &Experiment, index: usize) -> Result<UnderWay<L::Stage>> {
        let step = self.progress.step;
        self.control.emit(&TrainerEvent::StageStarted { stage: index, step })?;
        self.evaluate(index)?;
        let stage = self.learner.begin(experiment, index, step, &mut self.control)?;
        self.control.say(RunPhase::Running, step)?;
        Ok(UnderWay { index, taken: 0, stage })
    }

    /// Takes an optimiser step and tells its scalars.
    fn step(&mut self, stage: &Stage, run: &mut UnderWay<L::Stage>) -> Result<()> {
        let number = StepNumber { of_stage: run.taken + 1, of_run: self.progress.step + 1 };
        let metrics = self.learner.step(stage, &mut run.stage, number, &mut self.control)?;
        (run.taken, self.progress.step) = (number.of_stage, number.of_run);
        self.control.emit(&TrainerEvent::Step(StepMetrics { step: number.of_run, stage: run.index, metrics }))
    }

    /// Measures what is observed, unless that was done at these weights already.
    fn evaluate(&mut self, stage: usize) -> Result<()> {
        let step = self.progress.step;
        if self.progress.measured == Some(step) {
            return Ok(());
        }
        self.control.say(RunPhase::Evaluating, step)?;
        let began = Instant::now();
        let control = &mut self.control;
        // What is only shown is never refused by the record.
        let mut tell = |doing: &str, share| {
            let _ = control.emit(&TrainerEvent::Measuring { doing: doing.to_owned(), share });
        };
        let readings = self.learner.measure(step, stage, &Headway::new(&mut tell))?;
        self.measuring += began.elapsed();
        self.progress.measured = Some(step);
        for reading in &readings {
            self.control.emit(reading)?;
        }
        if !self.control.is_paused() && step > 0 {
            self.control.say(RunPhase::Running, step)?;
        }
        Ok(())
    }

    /// Hands over a snapshot, where those are kept.
    fn snapshot(&mut self, experiment: &Experiment, run: &UnderWay<L::Stage>) {
        let kept = experiment.output.snapshots_mb > 0;
        if let Some(state) = kept.then(|| self.learner.snapshot(&self.progress, run)).flatten() {
            self.control.snapshot(&state);
        }
    }

    /// Hands over where the run stands.
    fn keep(&mut self, run: &UnderWay<L::Stage>, cadence: &mut Cadence) -> Result<()> {
        let began = Instant::now();
        let Some(state) = self.learner.state(&self.progress, run) else { return Ok(()) };
        self.control.keep(&state)?;
        cadence.written(began);
        Ok(())
    }
}

/// Refuses a loss that is no finite number: nothing can be learnt from it.
pub(super) fn must_be_finite(loss: f64, stage: &Stage, step: u64) -> Result<()> {
    if loss.is_finite() {
        return Ok(());
    }
    Err(Error::failed(format!(
        "the loss is {loss} at step {step}: lower the stage's learning_rate (it is {:e}), or clip harder with max_grad_norm",
        stage.learning_rate
    )))
}

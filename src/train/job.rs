//! Training on whichever backend is chosen.

use std::path::Path;

use burn::tensor::backend::AutodiffBackend;
use crossbeam_channel::Receiver;

use super::control::Control;
use super::sink::EventSink;
use super::{classify, language};
use crate::backend::{BackendChoice, Work, find_sound, on};
use crate::error::Result;
use crate::experiment::Experiment;
use crate::protocol::{RunPhase, TrainerCommand, TrainerEvent};

/// Trains an experiment on the chosen backend.
///
/// # Errors
/// When the backend is not to be had, or training fails.
pub(crate) fn train(
    experiment: &Experiment,
    choice: BackendChoice,
    model_folder: Option<&Path>,
    events: &mut dyn EventSink,
    commands: &Receiver<TrainerCommand>,
) -> Result<()> {
    struct Train<'a>(&'a Experiment, Option<&'a Path>, &'a mut dyn EventSink, &'a Receiver<TrainerCommand>);
    impl Work for Train<'_> {
        type Output = Result<()>;
        fn with<B: AutodiffBackend>(self, device: &B::Device, name: &str) -> Result<()> {
            train_on::<B>(self.0, device, name, self.1, self.2, self.3)
        }
    }
    let (found, obstacle) = find_sound(choice)?;
    if let Some(why) = obstacle {
        let what = format!("training on the CPU (flex): {why}");
        tracing::info!("{what}");
        events.emit(&TrainerEvent::Phase { phase: RunPhase::Starting(what), step: 0 })?;
    }
    on(found, Train(experiment, model_folder, events, commands))
}

/// Trains an experiment from beginning to end on this thread, and tells `events` what happens. Nothing is written.
///
/// # Errors
/// When the backend is not to be had, training fails, or `events` says so.
pub fn train_with(
    experiment: &Experiment,
    choice: BackendChoice,
    events: impl FnMut(&TrainerEvent) -> Result<()> + Send,
) -> Result<()> {
    let mut events = events;
    train(experiment, choice, None, &mut events, &crossbeam_channel::never())
}

/// Trains an experiment on a device, from beginning to end or from where a saved state stands. `model_folder` is where the
/// final weights go, if they are to be kept.
///
/// # Errors
/// On bad data or a broken checkpoint, when the loss is no longer finite, when an invariant of a measurement breaks, or
/// when an event cannot be recorded.
pub(super) fn train_on<B: AutodiffBackend>(
    experiment: &Experiment,
    device: &B::Device,
    backend: &str,
    model_folder: Option<&Path>,
    events: &mut dyn EventSink,
    commands: &Receiver<TrainerCommand>,
) -> Result<()> {
    let saved = events.saved();
    let mut control = Control::new(commands, events);
    if experiment.has_pictures() {
        let prepared = classify::prepare::<B>(experiment, device, backend, &mut control)?;
        return prepared.run(experiment, saved, model_folder, control);
    }
    let prepared = language::prepare::<B>(experiment, device, backend, &mut control)?;
    prepared.run(experiment, saved, model_folder, control)
}

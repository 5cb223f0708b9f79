//! Training on whichever backend is chosen.

use std::path::Path;

use burn::tensor::backend::AutodiffBackend;
use crossbeam_channel::Receiver;

use super::sink::EventSink;
use super::trainer;
use crate::backend::{BackendChoice, Work, find, on};
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
            trainer::train::<B>(self.0, device, name, self.1, self.2, self.3)
        }
    }
    let (found, obstacle) = find(choice)?;
    if let Some(why) = obstacle {
        let what = format!("training on the CPU (flex): {why}");
        tracing::info!("{what}");
        events.emit(&TrainerEvent::Phase { phase: RunPhase::Starting(what), step: 0 })?;
    }
    on(found, Train(experiment, model_folder, events, commands))
}

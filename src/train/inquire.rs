//! Questions about a recorded run that its record does not answer: its steps are taken again, and what is asked is
//! measured on the way. This file takes the run up again; each question is an [`Inquire`] of its own.

use burn::tensor::backend::AutodiffBackend;
use crossbeam_channel::never;

use super::control::Control;
use super::retrace::{Known, Retrace};
use super::sink::EventSink;
use super::state::SavedState;
use crate::backend::{BackendChoice, Work, find_sound, on};
use crate::error::Result;
use crate::experiment::Experiment;
use crate::history::RunHistory;

/// A recorded run that is asked about.
pub(crate) struct Asked<'a> {
    pub(crate) experiment: &'a Experiment,
    /// What was recorded.
    pub(crate) history: &'a RunHistory,
    /// The state of the run at some step, if that is known.
    pub(crate) saved: Option<SavedState>,
}

/// A question about a recorded run.
pub(super) trait Inquire {
    /// What comes of it.
    type Answer;

    /// Optimiser steps taken before and at the end of the steps that it is about.
    ///
    /// # Errors
    /// Wrong usage: the run has no such steps.
    fn window(&self, asked: &Asked<'_>) -> Result<(u64, u64)>;

    /// The answer, of a run whose steps are about to be taken again.
    ///
    /// # Errors
    /// Wrong usage: the run does not observe what is asked about. And whatever taking the steps again fails with.
    fn answer<B: AutodiffBackend>(self, run: &mut Retrace<'_, B>, saved: Option<SavedState>) -> Result<Self::Answer>;
}

/// Answers a question about a recorded run, which is trained again up to the end of the steps that it is about. `events` hears
/// of it; where it fails, the training ends.
///
/// # Errors
/// When the question is not about this run, when the run cannot be trained again as it was, or `events` says so.
pub(super) fn inquire<Q: Inquire>(
    asked: Asked<'_>,
    question: Q,
    backend: BackendChoice,
    events: &mut dyn EventSink,
) -> Result<Q::Answer> {
    struct Ask<'a, 'e, Q>(Asked<'a>, Q, &'e mut dyn EventSink);
    impl<Q: Inquire> Work for Ask<'_, '_, Q> {
        type Output = Result<Q::Answer>;
        fn with<B: AutodiffBackend>(self, device: &B::Device, name: &str) -> Self::Output {
            inquire_on::<B, Q>(self.0, self.1, (device, name), self.2)
        }
    }
    on(find_sound(backend)?.0, Ask(asked, question, events))
}

/// Answers a question on a device, which is given with the backend's name.
pub(super) fn inquire_on<B: AutodiffBackend, Q: Inquire>(
    asked: Asked<'_>,
    question: Q,
    (device, backend): (&B::Device, &str),
    events: &mut dyn EventSink,
) -> Result<Q::Answer> {
    let window = question.window(&asked)?;
    let Asked { experiment, history, saved } = asked;
    let experiment = Experiment { forces: None, ..experiment.clone() };
    let commands = never();
    let control = Control::new(&commands, events);
    let known = Known { experiment: &experiment, history, window };
    question.answer(&mut Retrace::<B>::prepare(known, device, backend, control)?, saved)
}

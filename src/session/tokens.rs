//! `tokens`: one observed answer of a recorded run, token by token, at both ends of a window; and one position of it under
//! the microscope.

use super::again::Again;
use crate::cli::{Steps, TokensArgs, say, tell};
use crate::dynamics::sight::{Sight, View};
use crate::error::{Error, Result};
use crate::history::RunHistory;
use crate::protocol::{Question, TrainerEvent};
use crate::record::{self, RunDirectory};
use crate::train;

/// Columns of what is printed.
const WIDTH: usize = 100;

/// Shows where the probability went at the positions of an observed answer.
///
/// # Errors
/// When the run cannot be read or taken up again, or the question is not about it.
pub fn tokens(args: &TokensArgs) -> Result<()> {
    let directory = RunDirectory::open(&args.run)?;
    let recording = record::read(directory.events())?;
    recording.warnings.iter().for_each(tell);
    let history = recording.history();
    let prompt = usize::try_from(args.prompt - 1).unwrap_or(usize::MAX);
    let Steps { since, until } = match args.window {
        Some(steps) => steps,
        None => super::influence::steepest(&history, args.probe, Some(prompt))?,
    };
    let question = Question { kind: args.probe, prompt: Some(prompt), since, until };
    let sight = ask(&directory, &history, question, &mut |_: &TrainerEvent| Ok(()))?;
    let position = args.position.map(|position| usize::try_from(position - 1).unwrap_or(usize::MAX));
    let view = View { position, listed: usize::MAX, top: args.top, width: WIDTH };
    if sight.position(&view).is_none() {
        return Err(match position {
            None => Error::usage("the answer has no token"),
            Some(at) => {
                let tokens = sight.looks.len();
                Error::usage(format!("--position {}: the answer has {tokens} tokens", at.saturating_add(1)))
            }
        });
    }
    say(&sight.lines(&view).iter().map(|(_, line)| format!("{line}\n")).collect::<String>())
}

/// Looks at an observed answer of a recorded run.
pub(super) fn ask(
    directory: &RunDirectory,
    history: &RunHistory,
    question: Question,
    events: &mut dyn train::EventSink,
) -> Result<Sight> {
    let Again { experiment, backend, saved } = Again::of(directory, history, question.since)?;
    train::tokens(train::Asked { experiment: &experiment, history, saved }, question, backend, events)
}

//! The thread that answers the screen's questions about a run, by taking its steps again.

use std::time::{Duration, Instant};

use crossbeam_channel::bounded;

use super::{influence, kernel, tokens};
use crate::error::{Error, Result};
use crate::protocol::{RunPhase, TrainerEvent};
use crate::record::{self, RunDirectory};
use crate::text::Shown;
use crate::train::EventSink;
use crate::tui::inquiry::{Inquiry, Query, Reply, Told};

/// Words about a question that wait to be shown, at most, and the time between two of them.
const WORDS: usize = 8;
const WORD_EVERY: Duration = Duration::from_millis(100);

/// Answers the screen's questions about a run on a thread of its own, from what is recorded when it is asked. The thread
/// ends when nobody asks any more; one that is at work then is not waited for.
///
/// # Errors
/// When the thread cannot be started.
pub(super) fn inquiry(directory: RunDirectory) -> Result<Inquiry> {
    let (questions, asked) = bounded(1);
    let (told, answers) = bounded(WORDS);
    let words = told.clone();
    let answer = move |query: Query| -> Result<Told> {
        let history = record::read(directory.events())?.history();
        let began = Instant::now();
        let mut latest = began;
        let mut hears = |event: &TrainerEvent| -> Result<()> {
            if let TrainerEvent::Phase { phase: RunPhase::Starting(what), .. } = event
                && latest.elapsed() >= WORD_EVERY
            {
                latest = Instant::now();
                let word = Shown::new(&format!("{what}, {:.1} s", began.elapsed().as_secs_f64()));
                // A screen that is slow misses a word.
                let _ = words.try_send(Reply::UnderWay(word));
            }
            Ok(())
        };
        let hears: &mut dyn EventSink = &mut hears;
        Ok(match query {
            Query::Who(question) => Told::Who(Box::new(influence::ask(&directory, &history, question, hears)?)),
            Query::Where(question) => Told::Where(Box::new(tokens::ask(&directory, &history, question, hears)?)),
            Query::Alike(kind, step) => {
                let size = kernel::Size::default();
                Told::Alike(Box::new(kernel::ask(&directory, &history, (kind, step), size, hears)?))
            }
        })
    };
    std::thread::Builder::new()
        .name("inquiry".to_owned())
        .spawn(move || {
            for query in asked {
                let reply = match answer(query) {
                    Ok(told) => Reply::Answer(told),
                    Err(error) => Reply::Unknown(Shown::new(&error.to_string())),
                };
                if told.send(reply).is_err() {
                    return;
                }
            }
        })
        .map_err(|e| Error::failed(format!("the thread that answers questions cannot be started: {e}")))?;
    Ok(Inquiry { questions, answers })
}

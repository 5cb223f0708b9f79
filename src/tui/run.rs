//! The loop: messages in, effects out, and a frame only when something changed.

use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, after, never, select};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::input::{Input, Reader};
use super::inquiry::{Inquiry, Reply};
use super::message::{Effect, Message};
use super::screenful::{Screenful, WriteScreenshot};
use super::terminal::{self, Guard, Screen};
use crate::error::{Error, Result};
use crate::protocol::{TrainerCommand, TrainerEvent};
use crate::record::Loaded;
use crate::text::Shown;

/// The least time between two frames, when a key asks for one.
const KEY_FRAME: Duration = Duration::from_millis(10);
/// The least time between two frames, when only the trainer or the clock ask for one: drawing must not cost training.
const TRAINER_FRAME: Duration = Duration::from_millis(33);
/// Messages taken before a frame is drawn, at most: a trainer that never stops talking must not hide the screen.
const DRAIN: usize = 4096;

/// A running trainer, as the screen sees it. The screen never makes it wait: whoever fills `events` must not block on it.
#[derive(Debug)]
pub struct Live {
    /// What the trainer says.
    pub events: Receiver<Arc<TrainerEvent>>,
    /// What it is told.
    pub commands: Sender<TrainerCommand>,
    /// How many events did not fit into `events`, in all; they are in the run file.
    pub dropped: Arc<AtomicU64>,
    /// One message when the trainer is no more, after its last event: what ended it, if it did not end well.
    pub finished: Receiver<std::result::Result<(), Shown>>,
}

/// Where a screen has from what it shows, besides the keyboard.
#[derive(Debug)]
pub enum Source {
    /// From nowhere: it has it already.
    Nothing,
    /// A trainer.
    Trainer(Live),
    /// A recording that is being read.
    Recording(Receiver<Loaded>),
}

/// Runs a screen on the terminal until it is left; returns the state it was left in ([`App::ending`](super::app::App::ending) says why of the
/// dashboard). `started` is when the program began: the waiting screen counts from there. The trainer is told to stop if
/// the user or a signal asks for it, and is never joined here. A panic while drawing becomes an error; the terminal is
/// given back in every case.
///
/// # Errors
/// When there is no terminal, when it breaks, or when drawing panicked.
pub fn show<S: Screenful>(
    app: S,
    source: Source,
    inquiry: Option<&Inquiry>,
    started: Instant,
    screenshot: WriteScreenshot<'_>,
) -> Result<S> {
    let guard = Guard::enter(app.takes_mouse())?;
    let signals = Signals::listen()?;
    let reader = Reader::start()?;
    let input = reader.receiver();
    let looped = catch_unwind(AssertUnwindSafe(|| {
        let mut screen = Screen::new(io::stdout()).recorded();
        Loop {
            app,
            live: if let Source::Trainer(live) = &source { Some(live) } else { None },
            recording: if let Source::Recording(recording) = &source { Some(recording) } else { None },
            inquiry,
            input: &input,
            signals: &signals.receiver,
            started,
            screenshot,
            screen: &mut screen,
            size: &mut || crossterm::terminal::size(),
            suspend: &mut || guard.suspend(),
        }
        .run()
    }));
    drop(reader);
    drop(guard);
    looped.unwrap_or_else(|_| {
        let what = terminal::take_panics().pop().unwrap_or_default();
        Err(Error::failed(format!("the screen failed and was closed: {what}")))
    })
}

/// Signals that ask the program to end or to stop for a while.
struct Signals {
    receiver: Receiver<i32>,
    #[cfg(unix)]
    handle: signal_hook::iterator::Handle,
}

impl Signals {
    #[cfg(unix)]
    fn listen() -> Result<Self> {
        use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGTSTP};
        let cannot = |e: io::Error| Error::failed(format!("signals cannot be caught: {e}"));
        let mut signals = signal_hook::iterator::Signals::new([SIGTERM, SIGHUP, SIGINT, SIGTSTP]).map_err(cannot)?;
        let handle = signals.handle();
        let (sender, receiver) = crossbeam_channel::unbounded();
        std::thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || {
                for signal in &mut signals {
                    if sender.send(signal).is_err() {
                        return;
                    }
                }
            })
            .map_err(cannot)?;
        Ok(Self { receiver, handle })
    }

    #[cfg(not(unix))]
    fn listen() -> Result<Self> {
        Ok(Self { receiver: never() })
    }
}

#[cfg(unix)]
impl Drop for Signals {
    fn drop(&mut self) {
        self.handle.close();
    }
}

/// The loop and everything outside that it touches, so that tests can put their own in its place.
struct Loop<'a, S: Screenful, W: Write> {
    app: S,
    live: Option<&'a Live>,
    inquiry: Option<&'a Inquiry>,
    recording: Option<&'a Receiver<Loaded>>,
    input: &'a Receiver<Input>,
    signals: &'a Receiver<i32>,
    started: Instant,
    screenshot: WriteScreenshot<'a>,
    screen: &'a mut Screen<W>,
    size: &'a mut dyn FnMut() -> io::Result<(u16, u16)>,
    suspend: &'a mut dyn FnMut() -> Result<()>,
}

impl<S: Screenful, W: Write> Loop<'_, S, W> {
    fn run(mut self) -> Result<S> {
        let (no_events, no_end, no_recording, no_answers) = (never(), never(), never(), never());
        let mut gone = false;
        let mut closed = false;
        let mut read = false;
        let mut dirty = true;
        let mut urgent = true;
        let mut drawn: Option<Instant> = None;
        loop {
            let pause = if urgent { KEY_FRAME } else { TRAINER_FRAME };
            let wait = drawn.map_or(Duration::ZERO, |d| pause.saturating_sub(d.elapsed()));
            if dirty && wait.is_zero() {
                if self.draw().is_err() {
                    // The terminal is gone, perhaps before its hang-up arrives: end as if it had.
                    self.take(vec![Message::Terminate])?;
                    return Ok(self.app);
                }
                (dirty, urgent, drawn) = (false, false, Some(Instant::now()));
                if let Some(why) = self.screen.take_ended() {
                    self.take(vec![Message::RecordingEnded(why)])?;
                    dirty = self.app.take_dirty();
                }
            }
            let timer = match (dirty, self.app.tick_interval()) {
                (true, _) => after(wait),
                (false, Some(interval)) => after(interval),
                (false, None) => never(),
            };
            let events = self.live.filter(|_| !closed).map_or(&no_events, |l| &l.events);
            let finished = self.live.filter(|_| !gone).map_or(&no_end, |l| &l.finished);
            let answers = self.inquiry.map_or(&no_answers, |inquiry| &inquiry.answers);
            let recording = self.recording.filter(|_| !read).unwrap_or(&no_recording);
            let mut messages = Vec::new();
            select! {
                recv(self.input) -> input => {
                    urgent = true;
                    messages.push(self.message(input)?);
                }
                recv(self.signals) -> signal => messages.extend(signal.ok().map(of_signal)),
                recv(events) -> event => match event {
                    Ok(event) => messages.push(Message::Trainer(event)),
                    Err(_) => closed = true,
                },
                recv(recording) -> loaded => match loaded {
                    Ok(loaded) => messages.push(Message::Recording(loaded)),
                    Err(_) => read = true,
                },
                recv(finished) -> result => {
                    gone = true;
                    // What it said before it went comes first.
                    messages.extend(events.try_iter().map(Message::Trainer));
                    messages.push(Message::TrainerGone(result.unwrap_or(Ok(()))));
                }
                recv(answers) -> answer => match answer {
                    Ok(reply) => messages.push(Message::Told(reply)),
                    Err(_) => self.inquiry = None,
                },
                recv(timer) -> _ => {}
            }
            for input in self.input.try_iter().take(DRAIN) {
                urgent = true;
                messages.push(self.message(Ok(input))?);
            }
            if !gone {
                messages.extend(events.try_iter().take(DRAIN).map(Message::Trainer));
            }
            if self.take(messages)? {
                return Ok(self.app);
            }
            dirty |= self.app.take_dirty();
        }
    }

    /// Hands the messages to the state and does what it asks; returns whether to leave.
    fn take(&mut self, messages: Vec<Message>) -> Result<bool> {
        let mut queue = std::collections::VecDeque::from([Message::Tick(self.started.elapsed())]);
        let dropped = self.live.map_or(0, |l| l.dropped.load(Ordering::Relaxed));
        if dropped != self.app.dropped() {
            queue.push_back(Message::Dropped(dropped));
        }
        queue.extend(messages);
        while let Some(message) = queue.pop_front() {
            if matches!(message, Message::Resize) {
                self.screen.invalidate();
            }
            for effect in self.app.update(message) {
                match effect {
                    Effect::Quit => return Ok(true),
                    Effect::Command(command) => {
                        // A trainer that is gone says so through `finished`.
                        if let Some(live) = self.live {
                            let _ = live.commands.try_send(command);
                        }
                    }
                    Effect::Ask(question) => {
                        if self.inquiry.is_none_or(|inquiry| inquiry.questions.try_send(question).is_err()) {
                            let nobody = Shown::new("this screen has no run whose steps could be taken again");
                            queue.push_back(Message::Told(Reply::Unknown(nobody)));
                        }
                    }
                    Effect::Suspend => {
                        (self.suspend)()?;
                        self.screen.invalidate();
                        queue.push_back(Message::Resize);
                    }
                    Effect::Screenshot => queue.push_back(self.shoot()),
                    Effect::Copy => {
                        if let Some(text) = self.app.copied() {
                            self.screen.copy(&text).map_err(terminal_gone)?;
                        }
                    }
                    Effect::Bell => self.screen.bell().map_err(terminal_gone)?,
                    Effect::Redraw => queue.push_back(Message::Resize),
                }
            }
        }
        Ok(false)
    }

    fn message(&mut self, input: std::result::Result<Input, crossbeam_channel::RecvError>) -> Result<Message> {
        Ok(match input {
            Ok(Input::Key(key)) => Message::Key(key),
            Ok(Input::Pointer(pointer)) => Message::Pointer(pointer, self.area()?),
            Ok(Input::Resize) => Message::Resize,
            Ok(Input::Closed) | Err(_) => Message::Terminate,
        })
    }

    fn area(&mut self) -> Result<Rect> {
        let (width, height) = (self.size)().map_err(terminal_gone)?;
        Ok(Rect::new(0, 0, width, height))
    }

    fn draw(&mut self) -> Result<()> {
        let mut frame = Buffer::empty(self.area()?);
        self.app.render(frame.area, &mut frame);
        self.screen.draw(frame).map_err(terminal_gone)?;
        let title = window_title(&self.app.subject());
        self.screen.name_window(Shown::new(&self.app.glyphs().text(title.as_str()))).map_err(terminal_gone)
    }

    fn shoot(&mut self) -> Message {
        let shot = self.area().and_then(|area| {
            let (frame, info) = self.app.screenshot(area);
            (self.screenshot)(&frame, &info)
        });
        match shot {
            Ok(paths) => Message::ScreenshotWritten(paths),
            Err(error) => Message::ScreenshotFailed(Shown::new(&error.to_string())),
        }
    }
}

fn of_signal(signal: i32) -> Message {
    #[cfg(unix)]
    if signal == signal_hook::consts::SIGTSTP {
        return Message::Suspend;
    }
    let _ = signal;
    Message::Terminate
}

fn window_title(subject: &Shown) -> Shown {
    if subject.as_str().is_empty() { Shown::new("ldyn-tui") } else { Shown::new(&format!("ldyn-tui · {subject}")) }
}

fn terminal_gone(error: io::Error) -> Error {
    Error::failed(format!("the terminal cannot be written: {error}"))
}

#[cfg(test)]
#[path = "run_tests.rs"]
mod tests;

//! The loop with everything outside it in memory: what a test does next depends on frames and on no clock.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::cell::RefCell;
use std::path::PathBuf;

use crossbeam_channel::{bounded, unbounded};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::*;
use crate::protocol::RunPhase;
use crate::tui::app::App;
use crate::tui::glyphs::Glyphs;
use crate::tui::message::Ending;
use crate::tui::screenful::ScreenshotInfo;
use crate::tui::testing::{plain, run_events, theme};

fn key(c: char) -> Input {
    Input::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE))
}

/// Everything that the loop touches, in memory.
struct Bench {
    keys: (Sender<Input>, Receiver<Input>),
    signals: (Sender<i32>, Receiver<i32>),
    events: Sender<Arc<TrainerEvent>>,
    commands: Receiver<TrainerCommand>,
    finished: Sender<std::result::Result<(), Shown>>,
    live: Live,
}

fn bench() -> Bench {
    let (events, event_receiver) = bounded(10_000);
    let (command_sender, commands) = unbounded();
    let (finished, finished_receiver) = bounded(1);
    let live =
        Live { events: event_receiver, commands: command_sender, dropped: Arc::default(), finished: finished_receiver };
    Bench { keys: unbounded(), signals: unbounded(), events, commands, finished, live }
}

/// What is done with a frame's text.
type OnFrame<'a> = Box<dyn FnMut(&str) + 'a>;

/// The dashboard, which tells what every frame shows: what a test does next depends on it, and on no clock.
struct Watched<'a> {
    app: App,
    frame: RefCell<OnFrame<'a>>,
}

impl Screenful for Watched<'_> {
    fn update(&mut self, message: Message) -> Vec<Effect> {
        self.app.update(message)
    }

    fn render(&self, area: Rect, buf: &mut Buffer) {
        self.app.render(area, buf);
        (self.frame.borrow_mut())(&plain(buf));
    }

    fn tick_interval(&self) -> Option<Duration> {
        self.app.tick_interval()
    }

    fn take_dirty(&mut self) -> bool {
        self.app.take_dirty()
    }

    fn glyphs(&self) -> Glyphs {
        self.app.glyphs()
    }

    fn subject(&self) -> Shown {
        self.app.subject()
    }

    fn screenshot(&self, area: Rect) -> (Buffer, ScreenshotInfo) {
        self.app.screenshot(area)
    }
}

impl Bench {
    /// Runs until a frame makes the test end it; returns the state and the last frame.
    fn watched(&self, frame: impl FnMut(&str)) -> (App, String) {
        let watched = Watched { app: app(), frame: RefCell::new(Box::new(frame)) };
        let (left, screen) = self.run(watched, &mut Vec::new());
        (left.unwrap().app, screen)
    }

    fn run<S: Screenful>(&self, app: S, out: &mut Vec<u8>) -> (Result<S>, String) {
        let mut screen = Screen::new(out);
        let app = Loop {
            app,
            live: Some(&self.live),
            inquiry: None,
            recording: None,
            input: &self.keys.1,
            signals: &self.signals.1,
            started: Instant::now(),
            screenshot: Box::new(|frame, info| {
                assert_eq!(frame.area, Rect::new(0, 0, 80, 24));
                Ok(vec![PathBuf::from(format!("{}-step{}-{}.svg", info.run_id, info.step, info.view))])
            }),
            screen: &mut screen,
            size: &mut || Ok((80, 24)),
            suspend: &mut || Ok(()),
        }
        .run();
        (app, plain(screen.shown()))
    }
}

fn app() -> App {
    App::live("made_up", theme(), Glyphs::Braille)
}

#[test]
fn what_the_trainer_says_is_on_the_screen_and_its_end_is_waited_for() {
    let bench = bench();
    let events = run_events();
    let last = events.len() - 1;
    for event in &events[..last] {
        bench.events.send(Arc::new(event.clone())).unwrap();
    }
    bench.keys.0.send(key('q')).unwrap();
    bench.keys.0.send(key('y')).unwrap();
    let (app, commands) = std::thread::scope(|scope| {
        let trainer = scope.spawn(|| {
            let mut commands = vec![bench.commands.recv().unwrap()];
            let phase = RunPhase::Stopped;
            bench.events.send(Arc::new(TrainerEvent::Phase { phase, step: 100 })).unwrap();
            bench.finished.send(Ok(())).unwrap();
            commands.extend(bench.commands.try_iter());
            commands
        });
        (bench.run(app(), &mut Vec::new()).0.unwrap(), trainer.join().unwrap())
    });
    assert_eq!(commands, [TrainerCommand::Stop]);
    assert_eq!(app.ending(), Ending::Quit);
    assert_eq!(app.history().step, 100);
    assert_eq!(app.history().phase, Some(RunPhase::Stopped));
    assert_eq!(app.history().evaluations.len(), 21);
}

#[test]
fn a_signal_stops_the_trainer_and_leaves_at_once() {
    let bench = bench();
    bench.signals.0.send(15).unwrap();
    let app = bench.run(app(), &mut Vec::new()).0.unwrap();
    assert_eq!(app.ending(), Ending::Signal);
    assert_eq!(bench.commands.try_recv(), Ok(TrainerCommand::Stop));
}

#[test]
fn a_trainer_that_dies_without_a_word_leaves_its_reason_on_the_screen() {
    let bench = bench();
    for event in run_events().into_iter().take(20) {
        bench.events.send(Arc::new(event)).unwrap();
    }
    bench.finished.send(Err(Shown::new("out of memory"))).unwrap();
    let (app, screen) = bench.watched(|frame| {
        if frame.contains("failed: out of memory") {
            bench.signals.0.send(15).unwrap();
        }
    });
    assert_eq!(app.history().phase, Some(RunPhase::Failed("out of memory".to_owned())));
    assert!(screen.contains("failed: out of memory"), "{screen}");
}

#[test]
fn a_screenshot_is_told_in_the_footer() {
    let bench = bench();
    for event in run_events() {
        bench.events.send(Arc::new(event)).unwrap();
    }
    let mut shot = false;
    let (_, screen) = bench.watched(|frame| {
        if frame.contains("written: ") {
            bench.keys.0.send(key('q')).unwrap();
        } else if frame.contains("finished") && !std::mem::replace(&mut shot, true) {
            bench.keys.0.send(key('s')).unwrap();
        }
    });
    assert!(screen.contains("written: made_up-seed7-step100-dashboard.svg"), "{screen}");
}

#[test]
fn nothing_is_drawn_while_nothing_changes() {
    let bench = bench();
    for event in run_events().into_iter().take(20) {
        bench.events.send(Arc::new(event)).unwrap();
    }
    bench.events.send(Arc::new(TrainerEvent::Phase { phase: RunPhase::Paused, step: 5 })).unwrap();
    let (mut paused, mut frames_since) = (false, 0);
    let (app, _) = bench.watched(|frame| {
        if paused {
            frames_since += 1;
        } else if frame.contains("paused") {
            paused = true;
            // Keys without a meaning wake the loop; then the terminal is gone.
            for input in std::iter::repeat_n(key('Z'), 20).chain([Input::Closed]) {
                bench.keys.0.send(input).unwrap();
            }
        }
    });
    assert!(paused, "the pause was shown");
    assert_eq!((frames_since, app.tick_interval()), (0, None));
}

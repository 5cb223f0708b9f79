//! The source of keys: a thread that reads the terminal.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};
use crossterm::event::{Event, KeyEvent, KeyEventKind, MouseButton, MouseEventKind, poll, read};

use super::message::{Gesture, Pointer};
use crate::error::{Error, Result};

/// How soon the reader notices that it is to end.
const PATIENCE: Duration = Duration::from_millis(50);
/// How long a reader that was told to end is waited for.
const LAST_READ: Duration = Duration::from_millis(250);
/// Keys that wait; more than a hand can type ahead.
const QUEUE: usize = 256;

/// What came in from the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// A key went down, or repeats.
    Key(KeyEvent),
    /// The mouse was used.
    Pointer(Pointer),
    /// The terminal changed its size.
    Resize,
    /// The terminal is gone.
    Closed,
}

/// A thread that reads the terminal until this is dropped.
#[derive(Debug)]
pub struct Reader {
    receiver: Receiver<Input>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Reader {
    /// Starts to read.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start() -> Result<Self> {
        let (sender, receiver) = bounded(QUEUE);
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let thread = std::thread::Builder::new()
            .name("input".to_owned())
            .spawn(move || read_terminal(&sender, &told))
            .map_err(|e| Error::failed(format!("the thread that reads the keyboard cannot be started: {e}")))?;
        Ok(Self { receiver, stop, thread: Some(thread) })
    }

    /// The channel on which the input arrives.
    pub fn receiver(&self) -> Receiver<Input> {
        self.receiver.clone()
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // A reader that waits for room in the queue must see that nobody takes from it any more.
        while self.receiver.try_recv().is_ok() {}
        // The reader of a terminal that hung up never returns from crossterm: it is left to the end of the process.
        let end = Instant::now() + LAST_READ;
        while self.thread.take_if(|thread| thread.is_finished()).is_none() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

fn read_terminal(sender: &Sender<Input>, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        let input = match poll(PATIENCE) {
            Ok(false) => continue,
            Ok(true) => match read() {
                Ok(event) => translate(&event),
                Err(_) => Some(Input::Closed),
            },
            Err(_) => Some(Input::Closed),
        };
        let Some(input) = input else { continue };
        if sender.send(input).is_err() || input == Input::Closed {
            return;
        }
    }
}

/// Releases are not presses; pasted text, what the mouse does besides clicking and turning, and the focus mean nothing here.
fn translate(event: &Event) -> Option<Input> {
    match event {
        Event::Key(key) if key.kind != KeyEventKind::Release => Some(Input::Key(*key)),
        Event::Mouse(mouse) => {
            let did = match mouse.kind {
                MouseEventKind::Down(MouseButton::Left) => Gesture::Click,
                MouseEventKind::ScrollDown => Gesture::WheelDown,
                MouseEventKind::ScrollUp => Gesture::WheelUp,
                _ => return None,
            };
            Some(Input::Pointer(Pointer { did, column: mouse.column, row: mouse.row }))
        }
        Event::Resize(..) => Some(Input::Resize),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crossterm::event::{KeyCode, KeyModifiers};

    use super::*;

    #[test]
    fn a_release_is_no_press() {
        let key = |kind| KeyEvent::new_with_kind(KeyCode::Char('q'), KeyModifiers::NONE, kind);
        assert!(translate(&Event::Key(key(KeyEventKind::Press))).is_some());
        assert!(translate(&Event::Key(key(KeyEventKind::Repeat))).is_some());
        assert_eq!(translate(&Event::Key(key(KeyEventKind::Release))), None);
        assert_eq!(translate(&Event::Paste("q".to_owned())), None);
        assert_eq!(translate(&Event::Resize(1, 1)), Some(Input::Resize));
    }
}

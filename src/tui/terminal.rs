//! The terminal: taken over, drawn on, and given back whatever happens.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, Once, PoisonError};
use std::thread::ThreadId;

use crossterm::event::{DisableMouseCapture, EnableMouseCapture};
use crossterm::terminal::{
    BeginSynchronizedUpdate, Clear, ClearType, DisableLineWrap, EnableLineWrap, EndSynchronizedUpdate,
    EnterAlternateScreen, LeaveAlternateScreen, SetTitle, disable_raw_mode, enable_raw_mode,
};
use crossterm::{cursor, execute, queue, style};
use ratatui::backend::{Backend, CrosstermBackend};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::error::{Error, Result};
use crate::text::Shown;

/// Whether the screen is ours.
static ACTIVE: AtomicBool = AtomicBool::new(false);
/// Whether the mouse is asked for.
static MOUSE: AtomicBool = AtomicBool::new(false);
static UI_THREAD: Mutex<Option<ThreadId>> = Mutex::new(None);
static PANICS: Mutex<Vec<Shown>> = Mutex::new(Vec::new());
static HOOK: Once = Once::new();

/// The terminal in raw mode on the alternate screen. Dropping it gives the terminal back.
#[derive(Debug)]
pub struct Guard(());

impl Guard {
    /// Takes the terminal over. From here on a panic of this thread gives it back first, and a panic of another thread
    /// writes nothing on it (see [`take_panics`]). With `mouse` clicks and the wheel are told.
    ///
    /// # Errors
    /// When stdin or stdout is no terminal.
    pub fn enter(mouse: bool) -> Result<Self> {
        MOUSE.store(mouse, Ordering::SeqCst);
        *UI_THREAD.lock().unwrap_or_else(PoisonError::into_inner) = Some(std::thread::current().id());
        install_panic_hook();
        enter().map_err(|e| Error::failed(format!("the terminal cannot be taken over: {e}")))?;
        Ok(Self(()))
    }

    /// Gives the terminal to the shell, stops the process, and takes the terminal over again when it is continued.
    ///
    /// # Errors
    /// When the terminal cannot be taken over again.
    pub fn suspend(&self) -> Result<()> {
        leave();
        #[cfg(unix)]
        signal_hook::low_level::emulate_default_handler(signal_hook::consts::SIGTSTP)
            .map_err(|e| Error::failed(format!("the program cannot be suspended: {e}")))?;
        enter().map_err(|e| Error::failed(format!("the terminal cannot be taken over again: {e}")))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        leave();
    }
}

fn enter() -> io::Result<()> {
    enable_raw_mode()?;
    ACTIVE.store(true, Ordering::SeqCst);
    // Under NO_COLOR crossterm would turn every change of colour into a full reset and wipe bold and reverse with it;
    // our theme names no colour then.
    style::force_color_output(true);
    let mut entered =
        execute!(io::stdout(), EnterAlternateScreen, DisableLineWrap, cursor::Hide, Clear(ClearType::All));
    if MOUSE.load(Ordering::SeqCst) {
        entered = entered.and_then(|()| execute!(io::stdout(), EnableMouseCapture));
    }
    if entered.is_err() {
        leave();
    }
    entered
}

/// Gives the terminal back; does nothing when it is not ours. Errors are of no use here: there is nowhere to tell them.
fn leave() {
    if ACTIVE.swap(false, Ordering::SeqCst) {
        if MOUSE.load(Ordering::SeqCst) {
            let _ = execute!(io::stdout(), DisableMouseCapture);
        }
        let _ = execute!(
            io::stdout(),
            EndSynchronizedUpdate,
            style::ResetColor,
            style::SetAttribute(style::Attribute::Reset),
            EnableLineWrap,
            LeaveAlternateScreen,
            cursor::Show
        );
        let _ = disable_raw_mode();
    }
}

/// While the screen is ours, a panic of the thread that draws gives the terminal back; the message of any panic is kept
/// and not printed, since it could quote hostile text and would be drawn over.
fn install_panic_hook() {
    HOOK.call_once(|| {
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !ACTIVE.load(Ordering::SeqCst) {
                previous(info);
                return;
            }
            if *UI_THREAD.lock().unwrap_or_else(PoisonError::into_inner) == Some(std::thread::current().id()) {
                leave();
            }
            PANICS.lock().unwrap_or_else(PoisonError::into_inner).push(Shown::new(&info.to_string()));
        }));
    });
}

/// Messages of the panics that happened while the screen was ours, oldest first; each is told once.
pub fn take_panics() -> Vec<Shown> {
    std::mem::take(&mut *PANICS.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Writes frames, each as the difference to the one before, in one write. A frame that changes nothing writes nothing.
#[derive(Debug)]
pub struct Screen<W: Write> {
    out: W,
    shown: Buffer,
    title: Option<Shown>,
    repaint: bool,
    recorded: bool,
    ended: Option<Shown>,
}

impl<W: Write> Screen<W> {
    /// A screen of which nothing is known: the first frame is written in full.
    pub fn new(out: W) -> Self {
        Self { out, shown: Buffer::empty(Rect::ZERO), title: None, repaint: true, recorded: false, ended: None }
    }

    /// The same, and what is drawn goes on [the tape](super::tape) too, if there is one.
    #[must_use]
    pub fn recorded(self) -> Self {
        Self { recorded: true, ..self }
    }

    /// Why the recording of what is drawn has ended; told once.
    pub fn take_ended(&mut self) -> Option<Shown> {
        self.ended.take()
    }

    /// The next frame is written in full: something else has drawn on the terminal.
    pub fn invalidate(&mut self) {
        self.repaint = true;
    }

    /// The buffer that was drawn last.
    #[cfg(test)]
    pub fn shown(&self) -> &Buffer {
        &self.shown
    }

    /// Shows a frame. Returns how many bytes it took.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn draw(&mut self, frame: Buffer) -> io::Result<usize> {
        let mut bytes = Vec::new();
        if self.repaint || frame.area != self.shown.area {
            queue!(bytes, Clear(ClearType::All))?;
            self.shown = Buffer::empty(frame.area);
            self.repaint = false;
        }
        let cells = self.shown.diff(&frame);
        if !cells.is_empty() {
            CrosstermBackend::new(&mut bytes).draw(cells.into_iter())?;
        }
        if bytes.is_empty() {
            return Ok(0);
        }
        let mut wrapped = Vec::with_capacity(bytes.len() + 16);
        queue!(wrapped, BeginSynchronizedUpdate)?;
        wrapped.append(&mut bytes);
        queue!(wrapped, EndSynchronizedUpdate)?;
        self.out.write_all(&wrapped)?;
        self.out.flush()?;
        if self.recorded {
            self.ended = super::tape::record(frame.area, &wrapped).or(self.ended.take());
        }
        self.shown = frame;
        Ok(wrapped.len())
    }

    /// Rings the terminal's bell.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn bell(&mut self) -> io::Result<()> {
        self.out.write_all(b"\x07")?;
        self.out.flush()
    }

    /// Writes text to the terminal's clipboard (OSC 52), where the terminal allows it.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn copy(&mut self, text: &Shown) -> io::Result<()> {
        write!(self.out, "\x1b]52;c;{}\x07", base64(text.as_str().as_bytes()))?;
        self.out.flush()
    }

    /// Names the window, if it has another name.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn name_window(&mut self, title: Shown) -> io::Result<()> {
        if self.title.as_ref() != Some(&title) {
            execute!(self.out, SetTitle(title.as_str()))?;
            self.title = Some(title);
        }
        Ok(())
    }
}

/// Bytes in the alphabet of base 64, padded.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let bits = three.iter().enumerate().fold(0_u32, |bits, (i, &byte)| bits | u32::from(byte) << (16 - 8 * i));
        for digit in 0..4 {
            let six = (bits >> (18 - 6 * digit)) as usize & 63;
            out.push(if digit <= three.len() { char::from(ALPHABET[six]) } else { '=' });
        }
    }
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use ratatui::style::{Modifier, Style};

    use super::*;

    #[test]
    fn an_unchanged_frame_writes_nothing() {
        let mut out = Vec::new();
        let mut screen = Screen::new(&mut out);
        let mut frame = Buffer::empty(Rect::new(0, 0, 10, 2));
        frame.set_string(0, 0, "log p", Style::new());
        assert!(screen.draw(frame.clone()).unwrap() > 0);
        assert_eq!(screen.draw(frame.clone()).unwrap(), 0);
        frame.set_string(0, 1, "y", Style::new());
        let changed = screen.draw(frame.clone()).unwrap();
        assert!(changed > 0);
        screen.invalidate();
        assert!(screen.draw(frame).unwrap() > changed);
    }

    #[test]
    fn copied_text_is_in_base_64() {
        for (text, coded) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("y⁺ −1", "eeKBuiDiiJIx")] {
            assert_eq!(base64(text.as_bytes()), coded);
        }
        let mut out = Vec::new();
        Screen::new(&mut out).copy(&Shown::new("foo")).unwrap();
        assert_eq!(out, b"\x1b]52;c;Zm9v\x07");
    }

    #[test]
    fn without_colour_bold_and_reverse_survive() {
        style::force_color_output(true);
        let mut out = Vec::new();
        let mut frame = Buffer::empty(Rect::new(0, 0, 4, 1));
        frame.set_string(0, 0, "!", Style::new().add_modifier(Modifier::BOLD | Modifier::REVERSED));
        Screen::new(&mut out).draw(frame).unwrap();
        let text = String::from_utf8(out).unwrap();
        let (before, after) = text.split_once('!').unwrap();
        assert!(before.contains("\x1b[1m") && before.contains("\x1b[7m"), "{text:?}");
        assert!(!before.contains("\x1b[0m") && !before.contains("\x1b[m"), "wiped before it is drawn: {text:?}");
        assert!(after.contains("\x1b[0m"), "left on: {text:?}");
    }
}

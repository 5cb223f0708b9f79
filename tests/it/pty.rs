//! The real binary in a pseudo-terminal: keys in, bytes out, and what a terminal would show.

use std::io::{Read as _, Write as _};
use std::num::NonZeroU16;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

/// Longest wait for something that must happen. Generous: a slow machine is no bug.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// Waits for something that must happen, and says what it was where it never does.
pub fn eventually(what: &str, mut happened: impl FnMut() -> bool) {
    let start = Instant::now();
    while !happened() {
        assert!(start.elapsed() < DEADLINE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// How to start the program.
#[derive(Clone)]
pub struct Launch<'a> {
    pub program: PathBuf,
    pub args: Vec<String>,
    pub directory: &'a Path,
    pub size: (u16, u16),
    pub environment: Vec<(&'static str, &'static str)>,
}

impl<'a> Launch<'a> {
    pub fn new(directory: &'a Path, args: &[&str]) -> Self {
        Self {
            program: env!("CARGO_BIN_EXE_ldyn-tui").into(),
            args: args.iter().map(|&a| a.to_owned()).collect(),
            directory,
            size: (120, 40),
            environment: vec![("TERM", "xterm-256color"), ("COLORTERM", "truecolor"), ("LANG", "C.UTF-8")],
        }
    }

    pub fn size(mut self, columns: u16, rows: u16) -> Self {
        self.size = (columns, rows);
        self
    }

    pub fn env(mut self, key: &'static str, value: &'static str) -> Self {
        self.environment.push((key, value));
        self
    }
}

/// What came out of the program so far.
struct Output {
    bytes: Vec<u8>,
    parser: vt100::Parser,
    closed: bool,
}

/// A running program and its terminal.
pub struct Terminal {
    master: Box<dyn MasterPty + Send>,
    child: Box<dyn Child + Send + Sync>,
    keys: Box<dyn std::io::Write + Send>,
    output: Arc<Mutex<Output>>,
    modes_before: String,
}

impl Terminal {
    pub fn start(launch: &Launch<'_>) -> Self {
        let (columns, rows) = launch.size;
        let pair = native_pty_system().openpty(size(columns, rows)).expect("a pseudo-terminal");
        let mut command = CommandBuilder::new(&launch.program);
        command.args(&launch.args);
        command.cwd(launch.directory);
        for variable in ["NO_COLOR", "LC_ALL", "LC_CTYPE"] {
            command.env_remove(variable);
        }
        // The settings of whoever runs the tests are none of theirs.
        command.env("LDYN_TUI_CONFIG", "");
        for (key, value) in &launch.environment {
            command.env(key, value);
        }
        let modes_before = modes(&*pair.master);
        let child = pair.slave.spawn_command(command).expect("the binary starts");
        drop(pair.slave);
        let output = Arc::new(Mutex::new(Output {
            bytes: Vec::new(),
            parser: vt100::Parser::new(cells(rows), cells(columns), 0),
            closed: false,
        }));
        let mut reader = pair.master.try_clone_reader().expect("the terminal can be read");
        let shared = Arc::clone(&output);
        std::thread::spawn(move || {
            let mut buffer = [0; 65_536];
            // An error is how a pseudo-terminal says that the other side has gone.
            while let Ok(n @ 1..) = reader.read(&mut buffer) {
                let mut output = shared.lock().unwrap();
                output.bytes.extend_from_slice(&buffer[..n]);
                output.parser.process(&buffer[..n]);
            }
            shared.lock().unwrap().closed = true;
        });
        let keys = pair.master.take_writer().expect("the terminal can be written");
        Self { master: pair.master, child, keys, output, modes_before }
    }

    fn output(&self) -> MutexGuard<'_, Output> {
        self.output.lock().unwrap()
    }

    pub fn send(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).expect("the program reads its keys");
        self.keys.flush().unwrap();
    }

    /// What stands on the screen.
    pub fn screen(&self) -> String {
        self.output().parser.screen().contents()
    }

    /// Every byte so far.
    pub fn bytes(&self) -> Vec<u8> {
        self.output().bytes.clone()
    }

    pub fn in_alternate_screen(&self) -> bool {
        self.output().parser.screen().alternate_screen()
    }

    pub fn resize(&self, columns: u16, rows: u16) {
        self.output().parser.screen_mut().set_size(cells(rows), cells(columns));
        self.master.resize(size(columns, rows)).expect("the terminal can be resized");
    }

    /// Waits until the screen satisfies `is_there`.
    pub fn wait_until(&self, what: &str, is_there: impl Fn(&str) -> bool) {
        let start = Instant::now();
        while !is_there(&self.screen()) {
            assert!(start.elapsed() < DEADLINE, "waited in vain for {what}; the screen:\n{}", self.screen());
            assert!(!self.output().closed, "the program ended before {what}; the screen:\n{}", self.screen());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub fn wait_for(&self, text: &str) {
        self.wait_until(&format!("{text:?}"), |screen| screen.contains(text));
    }

    /// Waits until nothing was written for `quiet`.
    pub fn settle(&self, quiet: Duration) {
        let start = Instant::now();
        let (mut last, mut since) = (self.output().bytes.len(), Instant::now());
        while since.elapsed() < quiet {
            assert!(start.elapsed() < DEADLINE, "the screen never comes to rest:\n{}", self.screen());
            std::thread::sleep(Duration::from_millis(20));
            let now = self.output().bytes.len();
            if now != last {
                (last, since) = (now, Instant::now());
            }
        }
    }

    pub fn process_id(&self) -> u32 {
        self.child.process_id().expect("the child has an id")
    }

    /// Sends a signal by its name, through the system's own `kill`.
    pub fn signal(&self, name: &str) {
        let id = self.process_id().to_string();
        let status = std::process::Command::new("kill").args(["-s", name, &id]).status().expect("kill runs");
        assert!(status.success());
    }

    /// The state letter of the process: `T` is stopped.
    pub fn process_state(&self) -> Option<char> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process_id())).ok()?;
        stat.rsplit(')').next()?.trim().chars().next()
    }

    /// Waits for the end; returns the exit status.
    pub fn wait(&mut self) -> u32 {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("the child can be waited for") {
                while !self.output().closed && start.elapsed() < DEADLINE {
                    std::thread::sleep(Duration::from_millis(5));
                }
                return status.exit_code();
            }
            assert!(start.elapsed() < DEADLINE, "the program does not end; the screen:\n{}", self.screen());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// After the end: the main screen, a cursor, no mouse, no bracketed paste, and the line discipline as it was.
    pub fn assert_clean(&self) {
        let output = self.output();
        let screen = output.parser.screen();
        assert!(!screen.alternate_screen(), "the alternate screen was not left");
        assert!(!screen.hide_cursor(), "the cursor is still hidden");
        assert_eq!(screen.mouse_protocol_mode(), vt100::MouseProtocolMode::None, "the mouse is still captured");
        assert!(!screen.bracketed_paste(), "bracketed paste is still on");
        drop(output);
        assert_eq!(modes(&*self.master), self.modes_before, "the terminal's modes were not restored");
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let _ = self.child.kill();
        }
    }
}

fn cells(n: u16) -> NonZeroU16 {
    NonZeroU16::new(n).expect("a terminal has cells")
}

fn size(columns: u16, rows: u16) -> PtySize {
    PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 }
}

/// The line discipline, comparable.
fn modes(master: &dyn MasterPty) -> String {
    master.get_termios().map_or_else(String::new, |t| {
        format!("{:?} {:?} {:?} {:?}", t.input_flags, t.output_flags, t.control_flags, t.local_flags)
    })
}

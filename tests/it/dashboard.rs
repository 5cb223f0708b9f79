//! The dashboard over a recorded run: frames, keys, sizes, endings.

use std::time::Duration;

use super::pty::{Launch, Terminal, eventually};
use super::recorded;
use super::sequences::{assert_harmless, colours};

const QUIET: Duration = Duration::from_millis(400);
/// After a key that changes the screen or does not: nobody says which.
const REST: Duration = Duration::from_millis(30);
/// What every frame begins with.
const FRAME: &str = "\u{1b}[?2026h";

struct Replay {
    terminal: Terminal,
    _folder: tempfile::TempDir,
}

/// Starts a replay of the made-up run and waits for its screen.
fn replay(adjust: impl Fn(Launch<'_>) -> Launch<'_>) -> Replay {
    let folder = tempfile::tempdir().unwrap();
    let run = recorded::write(folder.path(), &recorded::plain);
    let launch = adjust(Launch::new(folder.path(), &["replay", run.to_str().unwrap()]));
    let terminal = Terminal::start(&launch);
    Replay { terminal, _folder: folder }
}

#[test]
fn the_first_frame_shows_the_run() {
    let Replay { mut terminal, _folder } = replay(|l| l);
    terminal.wait_for("made_up");
    assert!(terminal.in_alternate_screen());
    terminal.send("q");
    assert_eq!(terminal.wait(), 0);
    terminal.assert_clean();
    assert_harmless(&terminal.bytes());
}

#[test]
fn control_c_leaves_a_clean_terminal() {
    let Replay { mut terminal, _folder } = replay(|l| l);
    terminal.wait_for("made_up");
    terminal.send("\u{3}");
    assert_eq!(terminal.wait(), 0, "nothing is interrupted by closing a recording");
    terminal.assert_clean();
}

#[test]
fn signals_leave_a_clean_terminal() {
    for signal in ["TERM", "HUP", "INT"] {
        let Replay { mut terminal, _folder } = replay(|l| l);
        terminal.wait_for("made_up");
        terminal.signal(signal);
        assert_eq!(terminal.wait(), 130, "SIG{signal}");
        terminal.assert_clean();
    }
}

#[test]
#[cfg(target_os = "linux")]
fn suspended_and_continued() {
    let Replay { mut terminal, _folder } = replay(|l| l);
    terminal.wait_for("made_up");
    terminal.send("\u{1a}");
    eventually("Ctrl-Z to stop the process", || terminal.process_state() == Some('T'));
    eventually("the main screen", || !terminal.in_alternate_screen());
    terminal.settle(REST);
    terminal.assert_clean();
    terminal.signal("CONT");
    terminal.wait_until("the dashboard after fg", |screen| screen.contains("made_up"));
    assert!(terminal.in_alternate_screen());
    terminal.send("q");
    assert_eq!(terminal.wait(), 0);
    terminal.assert_clean();
}

#[test]
fn an_untouched_screen_writes_nothing() {
    let Replay { mut terminal, _folder } = replay(|l| l);
    terminal.wait_for("made_up");
    terminal.settle(QUIET);
    let before = terminal.bytes().len();
    // Keys without a meaning wake the loop and must not make it draw; the last one ends the program.
    terminal.send("ZZZZZZZZq");
    assert_eq!(terminal.wait(), 0);
    let after = terminal.bytes().split_off(before);
    assert!(!String::from_utf8_lossy(&after).contains(FRAME), "a frame was written while nothing changed");
}

#[test]
fn without_colour_no_colour_is_sent() {
    let with = replay(|l| l);
    with.terminal.wait_for("made_up");
    with.terminal.settle(QUIET);
    assert!(!colours(&with.terminal.bytes()).is_empty(), "the test can tell");
    for variant in [
        replay(|l| l.env("NO_COLOR", "1")),
        replay(|mut l| {
            l.args.push("--no-color".to_owned());
            l
        }),
    ] {
        let Replay { mut terminal, _folder } = variant;
        terminal.wait_for("made_up");
        terminal.send("tt?");
        terminal.settle(QUIET);
        terminal.send("q");
        terminal.settle(QUIET);
        terminal.send("q");
        terminal.wait();
        assert_eq!(colours(&terminal.bytes()), Vec::<String>::new());
    }
}

#[test]
fn any_size_is_survived() {
    let Replay { mut terminal, _folder } = replay(|l| l.size(10, 3));
    terminal.settle(QUIET);
    // A fixed walk through the sizes; the smallest are the dangerous ones.
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let mut random = |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    for i in 0..60 {
        let limit = if i % 2 == 0 { (12, 6) } else { (300, 100) };
        let columns = 1 + u16::try_from(random(limit.0)).unwrap();
        let rows = 1 + u16::try_from(random(limit.1)).unwrap();
        terminal.resize(columns, rows);
        terminal.send(["\t", "y", "j", "\r", "1", "+", "]", "n", "?", "\u{1b}"][usize::try_from(random(10)).unwrap()]);
        terminal.settle(REST);
    }
    terminal.resize(120, 40);
    terminal.send("\u{1b}\u{1b}\u{1b}r0");
    terminal.wait_for("made_up");
    terminal.send("\u{3}");
    assert_eq!(terminal.wait(), 0);
    terminal.assert_clean();
}

#[test]
fn a_small_terminal_shows_the_groups() {
    let Replay { mut terminal, _folder } = replay(|l| l.size(80, 24));
    terminal.wait_for("made_up");
    terminal.settle(QUIET);
    terminal.send("q");
    assert_eq!(terminal.wait(), 0);
}

#[test]
fn a_replay_can_begin_at_a_step() {
    let folder = tempfile::tempdir().unwrap();
    let run = recorded::write(folder.path(), &recorded::plain);
    let mut terminal = Terminal::start(&Launch::new(folder.path(), &["replay", run.to_str().unwrap(), "--step", "8"]));
    terminal.wait_until("step 8 of 64", |screen| screen.contains("8/64"));
    terminal.send("q");
    assert_eq!(terminal.wait(), 0);
}

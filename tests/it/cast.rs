//! Films of a recording, as players read them.

use std::num::NonZeroU16;
use std::path::Path;
use std::process::{Command, Output};
#[cfg(unix)]
use std::time::Duration;

#[cfg(unix)]
use super::pty::{Launch, Terminal};
use super::recorded;

fn export(run: &Path, folder: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ldyn-tui"));
    command.args(["export", run.to_str().unwrap(), "--out", folder.to_str().unwrap()]).args(more).output().unwrap()
}

/// Rows of the screen that a player shows at the end, the seconds that it takes, and the texts of the markers.
fn played(cast: &str, (columns, rows): (u16, u16)) -> (Vec<String>, f64, Vec<String>) {
    let mut lines = cast.lines();
    let header: serde_json::Value = serde_json::from_str(lines.next().unwrap()).unwrap();
    assert_eq!(header["version"], 3);
    assert_eq!((&header["term"]["cols"], &header["term"]["rows"]), (&columns.into(), &rows.into()));
    let cells = |n: u16| NonZeroU16::new(n).unwrap();
    let mut terminal = vt100::Parser::new(cells(rows), cells(columns), 0);
    let (mut seconds, mut markers) = (0.0, Vec::new());
    for line in lines {
        let (after, code, data): (f64, String, String) = serde_json::from_str(line).unwrap();
        seconds += after;
        match code.as_str() {
            "o" => terminal.process(data.as_bytes()),
            "m" => markers.push(data),
            other => panic!("an event {other:?}"),
        }
    }
    (terminal.screen().rows(0, columns).map(|row| row.trim_end().to_owned()).collect(), seconds, markers)
}

#[test]
fn the_last_screen_of_a_cast_is_the_figure_of_that_step() {
    let folder = tempfile::tempdir().unwrap();
    let run = recorded::write(folder.path(), &recorded::plain);
    for (size, (columns, rows)) in [("80x24", (80, 24)), ("120x40", (120, 40))] {
        for (step, name) in
            [(None, "made_up-seed7-step000064-dashboard"), (Some("40"), "made_up-seed7-step000040-dashboard")]
        {
            let out = tempfile::tempdir().unwrap();
            let mut more = vec!["--format", "txt,cast", "--seconds", "6", "--size", size];
            more.extend(step.iter().flat_map(|step| ["--step", step]));
            let output = export(&run, out.path(), &more);
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            let read = |name: &str| std::fs::read_to_string(out.path().join(name)).unwrap();
            let (screen, seconds, markers) = played(&read("made_up-seed7-dashboard.cast"), (columns, rows));
            assert_eq!(screen, read(&format!("{name}.txt")).lines().collect::<Vec<_>>(), "{size} {step:?}");
            assert!((seconds - 9.0).abs() < 0.01, "six seconds and three on the last frame: {seconds}");
            assert!(markers.iter().any(|text| text.contains("DPO")), "{markers:?}");
        }
    }
}

#[test]
fn a_cast_of_hostile_text_moves_no_terminal_and_speed_is_steps_a_second() {
    let folder = tempfile::tempdir().unwrap();
    let run = recorded::write(folder.path(), &|i| format!("\u{1b}]52;c;QQ\u{7}\u{202e}{i}\u{9b}2J"));
    let output = export(&run, folder.path(), &["--format", "cast", "--speed", "8"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let cast = std::fs::read_to_string(folder.path().join("made_up-seed7-dashboard.cast")).unwrap();
    let (_, seconds, _) = played(&cast, (120, 40));
    assert!((seconds - 11.0).abs() < 0.01, "64 steps at 8 a second, and three on the last frame: {seconds}");
    for line in cast.lines().skip(1) {
        let (_, _, data): (f64, String, String) = serde_json::from_str(line).unwrap();
        assert!(!data.contains("\x1b]") && !data.contains(['\u{7}', '\u{202e}', '\u{9b}']), "{data:?}");
    }
}

#[test]
fn films_are_of_one_run_and_have_one_pace() {
    let folder = tempfile::tempdir().unwrap();
    let run = recorded::write(folder.path(), &recorded::plain);
    let output = export(&run, folder.path(), &["--format", "cast", "--speed", "8", "--seconds", "3"]);
    assert_eq!(output.status.code(), Some(2));
    let mut command = Command::new(env!("CARGO_BIN_EXE_ldyn-tui"));
    let output = command
        .arg("compare")
        .arg(format!("a={}", run.display()))
        .arg(format!("b={}", run.display()))
        .args(["--format", "apng"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(2) && said.contains("export RUN --format apng"), "{said}");
}

#[test]
fn an_apng_is_small_and_plays_as_long_as_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let run = recorded::write(folder.path(), &recorded::plain);
    let output = export(&run, folder.path(), &["--format", "apng", "--size", "100x30", "--seconds", "6"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let bytes = std::fs::read(folder.path().join("made_up-seed7-dashboard.apng.png")).unwrap();
    assert!(bytes.len() <= 1_500_000, "{} bytes", bytes.len());
    // Frame controls lie open in the file: delays are numerator and denominator at their bytes 20 and 22.
    let delays = bytes.windows(4).enumerate().filter(|(_, w)| *w == b"fcTL").map(|(at, _)| {
        let two = |from: usize| u16::from_be_bytes([bytes[at + 4 + from], bytes[at + 5 + from]]);
        f64::from(two(20)) / f64::from(two(22))
    });
    let delays: Vec<f64> = delays.collect();
    assert!(delays.len() > 10 && (delays.iter().sum::<f64>() - 9.0).abs() < 0.1, "{delays:?}");
}

#[cfg(unix)]
#[test]
fn the_cast_of_a_session_ends_on_the_screen_that_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let run = recorded::write(folder.path(), &recorded::plain);
    let launch = Launch::new(folder.path(), &["replay", run.to_str().unwrap(), "--cast", "session.cast"]);
    let mut terminal = Terminal::start(&launch);
    terminal.wait_for("made_up");
    for key in ["h", "h", "?"] {
        terminal.send(key);
        terminal.settle(Duration::from_millis(300));
    }
    let there: Vec<String> = terminal.screen().lines().map(|row| row.trim_end().to_owned()).collect();
    let cast = std::fs::read_to_string(folder.path().join("session.cast")).unwrap();
    let (mut screen, ..) = played(&cast, (120, 40));
    screen.truncate(there.len());
    assert_eq!(screen, there);
    terminal.send("\u{1b}");
    terminal.settle(Duration::from_millis(300));
    terminal.send("q");
    assert_eq!(terminal.wait(), 0);
    terminal.assert_clean();
}

#[cfg(unix)]
#[test]
fn a_full_disk_ends_the_cast_and_not_the_session() {
    let folder = tempfile::tempdir().unwrap();
    let run = recorded::write(folder.path(), &recorded::plain);
    // No file may grow beyond a few kilobytes, which is what a full disk looks like.
    let script = "trap '' XFSZ; ulimit -f 4; exec \"$0\" replay \"$1\" --cast session.cast";
    let mut launch = Launch::new(folder.path(), &["-c", script, env!("CARGO_BIN_EXE_ldyn-tui"), run.to_str().unwrap()]);
    launch.program = "/bin/sh".into();
    let mut terminal = Terminal::start(&launch);
    terminal.wait_for("the cast ends here");
    terminal.send("?");
    terminal.settle(Duration::from_millis(300));
    terminal.send("\u{1b}");
    // A key right after Esc would be Alt and that key.
    terminal.settle(Duration::from_millis(300));
    terminal.send("q");
    assert_eq!(terminal.wait(), 0);
    terminal.assert_clean();
}

#[cfg(unix)]
#[test]
fn a_file_that_is_there_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let run = recorded::write(folder.path(), &recorded::plain);
    std::fs::write(folder.path().join("mine.cast"), "mine").unwrap();
    let launch = Launch::new(folder.path(), &["replay", run.to_str().unwrap(), "--cast", "mine.cast"]);
    let mut terminal = Terminal::start(&launch);
    assert_eq!(terminal.wait(), 1);
    assert!(terminal.screen().contains("mine.cast"));
    assert_eq!(std::fs::read_to_string(folder.path().join("mine.cast")).unwrap(), "mine");
}

//! `attach`: a run that another process writes, on a screen, in a pipe, and in one line.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use ldyn_tui::protocol::TrainerEvent;

use crate::pty::{Launch, Terminal};
use crate::recorded;

fn line(event: &TrainerEvent) -> String {
    serde_json::to_string(event).unwrap() + "\n"
}

fn lines() -> Vec<String> {
    recorded::events(&recorded::plain).iter().map(line).collect()
}

/// The place after the last line of a step.
fn after(lines: &[String], step: u64) -> usize {
    let of_step = format!("\"step\":{step},");
    lines.iter().rposition(|line| line.contains(&of_step)).unwrap() + 1
}

fn append(path: &Path, lines: &[String]) {
    let mut file = OpenOptions::new().append(true).create(true).open(path).unwrap();
    file.write_all(lines.concat().as_bytes()).unwrap();
}

fn attach(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ldyn-tui"));
    command.arg("attach").args(args);
    command
}

#[test]
fn a_run_is_shown_as_it_is_written_and_an_idle_one_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let events = folder.path().join("events.jsonl");
    let all = lines();
    let (begun, later) = (after(&all, 8), after(&all, 28));
    append(&events, &all[..begun]);
    let mut terminal = Terminal::start(&Launch::new(folder.path(), &["attach", "."]));
    terminal.wait_for("step 8/64");
    terminal.wait_for("attached");
    terminal.settle(Duration::from_millis(500));
    let before = terminal.bytes().len();
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(terminal.bytes().len(), before, "nothing happened, and something was written");
    append(&events, &all[begun..later]);
    terminal.wait_for("step 28/64");
    // Cut to an earlier step, as a run that resumes is.
    let kept: usize = all[..after(&all, 12)].iter().map(String::len).sum();
    OpenOptions::new().write(true).open(&events).unwrap().set_len(kept as u64).unwrap();
    terminal.wait_for("step 12/64");
    // Another run in its place, to its end.
    let other = folder.path().join("other");
    append(&other, &all);
    std::fs::rename(&other, &events).unwrap();
    terminal.wait_for("step 64/64");
    terminal.wait_for("finished");
    terminal.send("q");
    assert_eq!(terminal.wait(), 0, "{}", terminal.screen());
    terminal.assert_clean();
}

#[test]
fn a_pipe_is_shown_and_the_keys_come_from_the_terminal() {
    let folder = tempfile::tempdir().unwrap();
    append(&folder.path().join("part"), &lines()[..after(&lines(), 28)]);
    let script = format!("(cat part; sleep 20) | {} attach -", env!("CARGO_BIN_EXE_ldyn-tui"));
    let mut launch = Launch::new(folder.path(), &["-c", &script]);
    launch.program = "/bin/sh".into();
    let mut terminal = Terminal::start(&launch);
    terminal.wait_for("step 28/64");
    terminal.send("?");
    terminal.wait_for("keys");
    terminal.send("\u{1b}");
    terminal.signal("TERM");
}

#[test]
fn once_tells_how_it_stands_and_leaves_with_1_on_an_alarm() {
    let folder = tempfile::tempdir().unwrap();
    let run = recorded::write(folder.path(), &recorded::plain);
    let output = attach(&[run.to_str().unwrap(), "--once"]).output().unwrap();
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert_eq!((told["state"].as_str(), told["alarm"].as_bool()), (Some("squeezing"), Some(true)));
    assert_eq!((told["step"].as_u64(), told["stage"].as_str()), (Some(64), Some("DPO")));
    assert!(told["since"].as_u64().is_some_and(|step| (24..=64).contains(&step)), "{told}");
    assert_eq!((told["displaced"].as_f64(), told["squeezed"].as_f64()), (Some(1.0), Some(1.0)));
    assert!(told["logps"]["chosen"].is_number() && told["logps"]["argmax_chosen"].is_number(), "{told}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("squeezing"));

    // Before it squeezes, from a pipe.
    let mut child =
        attach(&["-", "--once"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let all = lines();
    let healthy = all[..after(&all, 20)].concat() + "{\"event\":\"omen\"}\n{\"event\":\"step\",\"st";
    child.stdin.take().unwrap().write_all(healthy.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((told["state"].as_str(), told["step"].as_u64()), (Some("healthy"), Some(20)));
    let remarks = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(remarks.contains("unknown kind") && remarks.contains("breaks off"), "{remarks}");
}

#[test]
fn an_unknown_kind_of_answer_is_kept_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let events = folder.path().join("events.jsonl");
    let mut all = lines();
    for line in &mut all {
        *line = line.replace("\"irr_hum\"", "\"my_judge\"").replacen("{\"event\"", "{\"shoe_size\":44,\"event\"", 1);
    }
    append(&events, &all);
    let output = attach(&[events.to_str().unwrap(), "--once"]).output().unwrap();
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(told["logps"]["my_judge"].is_number() && told["logps"]["irr_hum"].is_null(), "{told}");
    let out = folder.path().join("out");
    let export = Command::new(env!("CARGO_BIN_EXE_ldyn-tui"))
        .args(["export", events.to_str().unwrap(), "--format", "csv,txt", "--out", out.to_str().unwrap()])
        .output()
        .unwrap();
    assert!(export.status.success(), "{}", String::from_utf8_lossy(&export.stderr));
    let written: String =
        std::fs::read_dir(&out).unwrap().map(|e| std::fs::read_to_string(e.unwrap().path()).unwrap()).collect();
    assert!(written.contains("my_judge"));
}

#[test]
fn what_is_no_run_is_refused_with_status_2() {
    let folder = tempfile::tempdir().unwrap();
    let foreign = folder.path().join("notes.txt");
    std::fs::write(&foreign, "Dear diary,\ntoday\n").unwrap();
    let foreign = foreign.to_str().unwrap();
    let missing = folder.path().join("none");
    for (args, expected) in [
        (vec![foreign, "--once"], "notes.txt:1:"),
        (vec![missing.to_str().unwrap(), "--once"], "cannot be read"),
        (vec![foreign], "--once tells how it stands"),
    ] {
        let output = attach(&args).stdin(Stdio::null()).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains(expected) && output.stdout.is_empty(), "{error}");
    }
    let mut terminal = Terminal::start(&Launch::new(folder.path(), &["attach", "notes.txt"]));
    assert_eq!(terminal.wait(), 2);
    assert!(terminal.screen().contains("notes.txt:1:"), "{}", terminal.screen());
    terminal.assert_clean();
    let mut terminal = Terminal::start(&Launch::new(folder.path(), &["attach", "-"]));
    assert_eq!(terminal.wait(), 2, "stdin is the terminal itself");
}

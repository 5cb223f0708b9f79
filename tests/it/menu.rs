//! The list of recordings, the menu without arguments, and the user's settings.

use std::process::{Command, Output};

use super::pty::{Launch, Terminal};
use super::recorded;

fn ldyn(folder: &std::path::Path, settings: &str, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ldyn-tui"));
    command.args(args).current_dir(folder).env("LDYN_TUI_CONFIG", settings).env_remove("NO_COLOR").output().unwrap()
}

#[test]
fn recordings_are_listed_without_a_terminal() {
    let folder = tempfile::tempdir().unwrap();
    recorded::write(&folder.path().join("runs"), &recorded::plain);
    let output = ldyn(folder.path(), "", &["runs"]);
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert!(output.status.success() && lines.len() == 2, "{text}");
    assert!(
        lines[0].contains("recording") && lines[0].contains("dynamics") && lines[1].contains("not summed"),
        "{text}"
    );
    let none = ldyn(folder.path(), "", &["runs", "nowhere"]);
    assert_eq!(none.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&none.stderr).contains("nowhere"));
}

#[test]
fn a_recording_opens_from_the_list_and_the_list_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    recorded::write(&folder.path().join("runs"), &recorded::plain);
    let mut terminal = Terminal::start(&Launch::new(folder.path(), &["runs"]));
    terminal.wait_for("recordings in runs");
    terminal.send("\r");
    terminal.wait_for("64/64");
    terminal.send("q");
    terminal.wait_for("recordings in runs");
    terminal.send("q");
    assert_eq!(terminal.wait(), 0);
    terminal.assert_clean();
}

#[test]
fn without_arguments_a_terminal_is_offered_experiments_and_recordings() {
    let folder = tempfile::tempdir().unwrap();
    recorded::write(&folder.path().join("runs"), &recorded::plain);
    let mut terminal = Terminal::start(&Launch::new(folder.path(), &[]));
    terminal.wait_until("the menu", |screen| screen.contains("▸ dpo_offpolicy") && screen.contains("squeeze_lab"));
    // The recordings come after the experiments.
    terminal.send("G\r");
    terminal.wait_for("64/64");
    terminal.send("q");
    assert_eq!(terminal.wait(), 0);
    terminal.assert_clean();
}

#[test]
fn settings_hold_on_the_screen_and_are_printed_with_their_source() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mine.ron");
    std::fs::write(&file, "(view: all, bell: true)").unwrap();
    let printed = ldyn(folder.path(), "mine.ron", &["config"]);
    let text = String::from_utf8(printed.stdout).unwrap();
    assert!(text.contains("settings: mine.ron") && text.contains("view       all        the file"), "{text}");
    assert!(text.contains("narration  true       the program"), "{text}");
    let run = recorded::write(folder.path(), &recorded::plain);
    let run = run.to_str().unwrap();
    let screen = |settings: &'static str| {
        let mut terminal =
            Terminal::start(&Launch::new(folder.path(), &["replay", run]).env("LDYN_TUI_CONFIG", settings));
        terminal.wait_for("64/64");
        let screen = terminal.screen();
        terminal.send("q");
        assert_eq!(terminal.wait(), 0);
        screen
    };
    assert!(screen("mine.ron").contains("mean of") && screen("").contains("at step"));
    std::fs::write(&file, "(\n  view: all,\n  bel: true,\n)").unwrap();
    let refused = ldyn(folder.path(), "mine.ron", &["config"]);
    assert_eq!(refused.status.code(), Some(2));
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(told.contains("mine.ron:3:") && told.contains("did you mean `bell`?"), "{told}");
}

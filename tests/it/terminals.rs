//! Terminals that can show less: what changes on the screen, and that no file changes.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use super::pty::{Launch, Terminal};
use super::recorded;
use super::training::TINY;

/// Environments that differ in colours, glyphs and both.
const TERMINALS: [&[(&str, &str)]; 4] = [
    &[("TERM", "xterm"), ("COLORTERM", ""), ("LANG", "en_US.UTF-8")],
    &[("TERM", "xterm-256color"), ("COLORTERM", "truecolor"), ("LANG", "ja_JP.UTF-8")],
    &[("TERM", "dumb"), ("COLORTERM", ""), ("NO_COLOR", "1"), ("LANG", "C.UTF-8")],
    &[("TERM", "linux"), ("COLORTERM", ""), ("LANG", "C")],
];

/// Every file of a folder, by extension.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
    entries.map(|p| (p.extension().unwrap().to_string_lossy().into_owned(), std::fs::read(p).unwrap())).collect()
}

/// The figures that `export` writes under an environment.
fn exported(run: &Path, terminal: &[(&str, &str)], more: &[&str]) -> BTreeMap<String, Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_ldyn-tui"))
        .args(["export", run.to_str().unwrap(), "--format", "svg,png,ansi,txt", "--out"])
        .arg(folder.path())
        .args(more)
        .env_remove("NO_COLOR")
        .env_remove("LC_ALL")
        .env_remove("LC_CTYPE")
        .envs(terminal.iter().copied())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    files(folder.path())
}

#[test]
fn an_export_does_not_know_the_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let run = recorded::write(folder.path(), &recorded::plain);
    for more in [&[][..], &["--theme", "light", "--marker", "half"]] {
        let all = TERMINALS.map(|terminal| exported(&run, terminal, more));
        assert_eq!(all[0].keys().collect::<Vec<_>>(), ["ans", "png", "svg", "txt"]);
        for (other, terminal) in all.iter().zip(TERMINALS).skip(1) {
            for (kind, bytes) in &all[0] {
                assert!(other[kind] == *bytes, "the {kind} file of {terminal:?} differs, {more:?}");
            }
        }
        let ansi = String::from_utf8_lossy(&all[0]["ans"]);
        assert!(ansi.contains("38;2;"), "true colour");
    }
    let mono = exported(&run, TERMINALS[1], &["--theme", "mono", "--marker", "ascii"]);
    assert!(mono["txt"].is_ascii() && !String::from_utf8_lossy(&mono["ans"]).contains("38;2;"));
}

/// The files of the key `s` in a replay under an environment, and every byte that went to the terminal.
fn shot(terminal: &[(&'static str, &'static str)], more: &[&str]) -> (BTreeMap<String, Vec<u8>>, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let run = recorded::write(folder.path(), &recorded::plain);
    let args: Vec<&str> = ["replay", run.to_str().unwrap()].into_iter().chain(more.iter().copied()).collect();
    let mut launch = Launch::new(folder.path(), &args);
    launch.environment.extend(terminal);
    let mut terminal = Terminal::start(&launch);
    terminal.wait_for("made_up");
    terminal.send("s");
    terminal.wait_for("written: ");
    terminal.send("q");
    assert_eq!(terminal.wait(), 0);
    (files(&run.join("screenshots")), terminal.bytes())
}

#[test]
fn a_screenshot_by_key_does_not_know_the_terminal() {
    let (first, _) = shot(TERMINALS[1], &[]);
    assert!(String::from_utf8_lossy(&first["ans"]).contains("38;2;"));
    for terminal in [&[("TERM", "xterm"), ("COLORTERM", ""), ("NO_COLOR", "1")][..], TERMINALS[3]] {
        let (files, _) = shot(terminal, &[]);
        for (kind, bytes) in &first {
            assert!(files[kind] == *bytes, "the {kind} file of {terminal:?} differs");
        }
    }
    let (mono, _) = shot(TERMINALS[1], &["--theme", "mono"]);
    assert!(!String::from_utf8_lossy(&mono["ans"]).contains("38;2;"), "named, so the files are without colour");
}

#[test]
fn ascii_is_all_that_a_console_or_a_plain_locale_is_sent() {
    for terminal in [TERMINALS[3], &[("LANG", "C")][..], &[("LANG", "de_DE.ISO-8859-1")]] {
        let (_, bytes) = shot(terminal, &[]);
        let beyond = bytes.iter().position(|b| !b.is_ascii());
        assert_eq!(beyond.map(|at| String::from_utf8_lossy(&bytes[at..bytes.len().min(at + 20)]).into_owned()), None);
    }
    let (_, bytes) = shot(&[("LANG", "C")], &["--marker", "braille"]);
    assert!(!bytes.is_ascii(), "what is named is drawn");
}

#[test]
fn a_terminal_that_only_prints_gets_lines() {
    let folder = tempfile::tempdir().unwrap();
    let run = recorded::write(folder.path(), &recorded::plain);
    let print = |args: &[&str]| {
        let launch = Launch::new(folder.path(), args).env("TERM", "dumb");
        let mut terminal = Terminal::start(&launch);
        let status = terminal.wait();
        let bytes = terminal.bytes();
        assert!(!bytes.contains(&0x1b), "no escape sequence: {}", String::from_utf8_lossy(&bytes));
        (status, String::from_utf8(bytes).unwrap())
    };
    let (status, text) = print(&["squeeze_lab"]);
    assert!(status == 0 && text.contains("no screen: TERM=dumb") && text.contains("44 of 48"), "{text}");
    let (status, text) = print(&["replay", run.to_str().unwrap()]);
    assert!(status == 2 && text.contains("TERM=dumb") && text.contains("export RUN --format png"), "{text}");
    let training: Vec<&str> = ["sft", "--steps", "2"].into_iter().chain(TINY).collect();
    let (status, text) = print(&training);
    assert!(status == 0 && text.contains("no screen: TERM=dumb") && text.contains("finished after 2 of 2"), "{text}");
    let (status, text) = print(&["--help"]);
    assert!(status == 0 && text.contains("Usage"), "{text}");
}

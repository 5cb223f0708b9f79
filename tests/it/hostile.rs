//! Text that attacks the terminal, through the real binary: whatever is in a run, nothing of it is acted upon.

use std::io::Write as _;
use std::process::Command;
use std::time::Duration;

use super::pty::{Launch, Terminal};
use super::recorded;
use super::sequences::assert_harmless;

/// Sequences that do harm, and characters that hide.
const ATTACKS: [&str; 16] = [
    "\u{1b}]52;c;cm0gLXJmIH4=\u{7}",
    "\u{1b}[6n",
    "\u{9b}6n",
    "\u{9d}0;owned\u{9c}",
    "\u{1b}[2J\u{1b}[H",
    "\u{1b}[?1049l",
    "\u{202e}live\u{202c}",
    "\u{2066}x\u{2069}",
    "a\u{200b}b\u{200d}c\u{2060}d\u{feff}e",
    "\u{ad}\u{34f}\u{115f}\u{3164}",
    "\u{7}\u{8}\u{b}\u{c}\u{7f}\u{0}",
    "\r\nline\u{2028}line\u{2029}",
    "\u{e0041}\u{e0001}tag",
    "\u{fe0f}\u{e0101}",
    "\u{1b}P$q\"p\u{1b}\\",
    "\u{85}\u{90}\u{98}\u{9e}\u{9f}",
];

/// The attack of this number, between random characters of all of Unicode; the same every time.
fn hostile(seed: usize) -> String {
    let mut state = (seed as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        u32::try_from(state >> 33).unwrap_or_default()
    };
    let mut noise = |n: usize| -> String {
        (0..n)
            .filter_map(|i| match i % 3 {
                0 => char::from_u32(next() % 0x11_0000),
                1 => char::from_u32(next() % 0x100),
                _ => char::from_u32(0x2000 + next() % 0x100),
            })
            .collect()
    };
    format!("{}{}{}", noise(5), ATTACKS[seed % ATTACKS.len()], noise(5))
}

#[test]
fn a_replay_shows_what_hides() {
    let folder = tempfile::tempdir().unwrap();
    let run = recorded::write(folder.path(), &hostile);
    let mut terminal = Terminal::start(&Launch::new(folder.path(), &["replay", run.to_str().unwrap()]));
    terminal.wait_for("made_up");
    // Every panel, every prompt, help, filter, every step.
    for key in [
        "\t", "j", "j", "\r", "\u{1b}", "\t", "j", "\r", "\u{1b}", "\t", "n", "n", "?", "?", "/", "a", "\r", "/",
        "\u{1b}", ",", ",", "\t", "\r",
    ] {
        terminal.send(key);
        terminal.settle(Duration::from_millis(30));
    }
    terminal.settle(Duration::from_millis(300));
    terminal.send("\u{3}");
    terminal.wait();
    assert_harmless(&terminal.bytes());
    assert!(String::from_utf8_lossy(&terminal.bytes()).contains("<U+"), "what hides is spelled out somewhere");
    terminal.assert_clean();
}

#[test]
fn a_filter_takes_no_control_characters() {
    let folder = tempfile::tempdir().unwrap();
    let run = recorded::write(folder.path(), &recorded::plain);
    let mut terminal = Terminal::start(&Launch::new(folder.path(), &["replay", run.to_str().unwrap()]));
    terminal.wait_for("made_up");
    terminal.send("/");
    for attack in ["\u{202e}", "\u{200b}", "\u{9b}", "\u{e0041}", "\u{feff}"] {
        terminal.send(attack);
    }
    terminal.settle(Duration::from_millis(300));
    terminal.send("\u{3}");
    terminal.wait();
    assert_harmless(&terminal.bytes());
}

/// Data that attacks, learnt from: prompts, answers and what the model makes of them.
#[test]
fn training_on_hostile_data_is_harmless() {
    let folder = tempfile::tempdir().unwrap();
    let rows: String = (0..8)
        .map(|i| {
            let row = serde_json::json!({"prompt": hostile(3 * i), "chosen": hostile(3 * i + 1), "rejected": hostile(3 * i + 2)});
            format!("{row}\n")
        })
        .collect();
    std::fs::write(folder.path().join("rows.jsonl"), rows).unwrap();
    std::fs::write(
        folder.path().join("hostile.ron"),
        "(name: \"hostile\", description: \"\\u{1b}[2J\\u{202e}\", data: jsonl(train: \"rows.jsonl\"),
          probes: (prompts: 4, greedy: 4, max_new_tokens: 8),
          stages: [(name: \"S\\u{9b}6n\", objective: sft, steps: 2, batch_size: 2, learning_rate: 1e-3, evaluate_every: 1)])",
    )
    .unwrap();
    let mut terminal = Terminal::start(&Launch::new(folder.path(), &["hostile.ron", "--backend", "flex"]));
    terminal.wait_for("finished");
    for key in ["\t", "j", "\r", "\u{1b}", "\t", "\r", "s"] {
        terminal.send(key);
        terminal.settle(Duration::from_millis(30));
    }
    terminal.settle(Duration::from_millis(300));
    terminal.send("q");
    terminal.wait();
    assert_harmless(&terminal.bytes());
    terminal.assert_clean();
    let headless = Command::new(env!("CARGO_BIN_EXE_ldyn-tui"))
        .args(["run", "hostile.ron", "--headless", "--backend", "flex"])
        .current_dir(&folder)
        .output()
        .unwrap();
    assert_eq!(headless.status.code(), Some(0), "{}", String::from_utf8_lossy(&headless.stderr));
    assert_harmless(&headless.stderr);
    assert_harmless(&headless.stdout);
}

/// Errors quote what they complain about.
#[test]
fn errors_are_harmless() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    for (i, attack) in ATTACKS.iter().enumerate().filter(|(_, a)| !a.contains('\0')) {
        std::fs::File::create(path("rows.jsonl"))
            .unwrap()
            .write_all(format!("{{\"prompt\": \"{attack}").as_bytes())
            .unwrap();
        std::fs::write(
            path("bad.ron"),
            format!("(name: \"{attack}\", {attack}: 3, data: {attack}(), stages: [{attack}])"),
        )
        .unwrap();
        std::fs::write(path("events.jsonl"), format!("{{\"event\": \"{attack}\"}}\n{attack}\n")).unwrap();
        for args in [
            vec!["check", "bad.ron"],
            vec!["check", attack],
            vec![attack],
            vec!["run", "sft", "--set", attack],
            vec!["score", "--model", attack, "--data", "rows.jsonl"],
            vec!["verify", "events.jsonl"],
            vec!["export", "events.jsonl", "--format", attack],
        ] {
            let output =
                Command::new(env!("CARGO_BIN_EXE_ldyn-tui")).args(&args).current_dir(&folder).output().unwrap();
            assert_eq!(output.status.code(), Some(2), "{args:?} {i}: {}", String::from_utf8_lossy(&output.stderr));
            assert_harmless(&output.stderr);
            assert_harmless(&output.stdout);
        }
    }
}

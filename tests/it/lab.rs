//! The squeeze lab: its table, its claims, and its screen in a real terminal.

use std::process::{Command, Output};

fn ldyn(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ldyn-tui")).args(args).output().unwrap()
}

fn printed(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn without_a_terminal_it_prints_the_figures() {
    for args in [vec!["squeeze_lab"], vec!["run", "experiments/squeeze_lab.ron", "--headless"]] {
        let output = ldyn(&args);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = printed(&output);
        for figure in ["0 of 48", "44 of 48", "+0.0611", "45 of 48", "−0.0298", "48 of 48", "0.9850 → 0.9999"] {
            assert!(text.contains(figure), "{figure} is missing:\n{text}");
        }
    }
    let larger =
        printed(&ldyn(&["squeeze_lab", "--set", "data.eta=20", "--set", "data.classes=10", "--set", "data.rank=9"]));
    let last = larger.lines().rev().nth(1).unwrap();
    assert!(last.starts_with("8 peaks") && last.contains("10") && last.contains("20"), "{larger}");
}

#[test]
fn it_is_checked_and_verified() {
    let output = ldyn(&["check", "squeeze_lab"]);
    assert!(printed(&output).contains("ok (squeeze_lab; nothing is trained)"), "{output:?}");
    let output = ldyn(&["verify", "squeeze_lab", "--seeds", "2"]);
    let text = printed(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert_eq!(text.matches("violations: 0 of 40000; by seed 0 0").count(), 5, "{text}");
    assert!(text.contains("* gates: 5 of 5 hold"), "{text}");
    for wrong in ["data.rank=50", "data.eta=1001", "data.eta=0", "data.classes=1001"] {
        assert_eq!(ldyn(&["run", "squeeze_lab", "--set", wrong]).status.code(), Some(2), "{wrong}");
    }
}

#[cfg(unix)]
#[test]
fn keys_move_the_mass() {
    use super::pty::{Launch, Terminal};
    use super::sequences::assert_harmless;

    let folder = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::start(&Launch::new(folder.path(), &["squeeze_lab"]));
    terminal.wait_for("45 of 48 bystanders fall");
    assert!(terminal.in_alternate_screen());
    // y up on a peak: Home, then three classes on.
    terminal.send("\u{1b}[H\u{1b}[C\u{1b}[C\u{1b}[C");
    terminal.wait_for("44 of 48 bystanders fall");
    terminal.send(" ");
    terminal.wait_for("1 step taken");
    terminal.send("u");
    terminal.wait_until("no step taken", |screen| !screen.contains("step taken"));
    terminal.send("d");
    terminal.wait_for("one peak");
    terminal.send("d");
    terminal.wait_for("None of the 48 bystanders falls");
    terminal.send("s");
    terminal.wait_for("written: runs/screenshots/squeeze_lab-step000000-lab.svg");
    terminal.send("q");
    assert_eq!(terminal.wait(), 0);
    terminal.assert_clean();
    assert_harmless(&terminal.bytes());
    let pictures = std::fs::read_dir(folder.path().join("runs/screenshots")).unwrap().count();
    assert_eq!(pictures, 4, "svg, png, txt, ans");
}

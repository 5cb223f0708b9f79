//! The lessons in a real terminal, by a script of keys, with right answers and with wrong ones; their files; what is kept.

use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use super::pty::{Launch, Terminal};
use super::sequences::assert_harmless;

const LESSONS: [&str; 5] = ["softmax", "hallucination", "winner_falls", "on_policy", "gate"];

fn ldyn(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ldyn-tui"));
    command
        .args(args)
        .current_dir(folder)
        .env("LDYN_TUI_CONFIG", "")
        .env("LDYN_TUI_PROGRESS", "kept.json")
        .output()
        .unwrap()
}

/// Where the screen says that it stands: step, and of how many.
fn place(screen: &str) -> Option<(usize, usize)> {
    let told = screen.lines().next()?.split("step ").last()?;
    let mut words = told.split_whitespace();
    Some((words.next()?.parse().ok()?, words.nth(1)?.parse().ok()?))
}

/// Walks through a lesson; the first answers of every question, or the last ones. Returns how many were right.
fn walk(terminal: &mut Terminal, last_answers: bool) -> usize {
    let right = |screen: &str| screen.lines().next().unwrap_or_default().matches('✓').count();
    loop {
        terminal.wait_until("a step", |screen| place(screen).is_some());
        // The head of a screen may come before the rest of it.
        terminal.settle(Duration::from_millis(100));
        let screen = terminal.screen();
        let (at, of) = place(&screen).unwrap();
        if screen.contains("what will happen?") {
            let sketches = screen.contains("move the pen");
            let keys = match (sketches, last_answers) {
                (true, true) => "\u{1b}[A\u{1b}[A\u{1b}[A\r",
                (true, false) => "\u{1b}[B\u{1b}[B\u{1b}[B\r",
                (false, true) => "kjjj\r",
                (false, false) => "\r",
            };
            terminal.send(keys);
            terminal.wait_until("what happened", |screen| screen.contains("what happened"));
        } else if screen.contains("try it") {
            // Passed over, or done: steps, then another distribution.
            terminal.send(if last_answers { "\t" } else { "          ddd" });
            terminal.wait_until("the task's end", |screen| screen.contains("what happened"));
        }
        let count = right(&terminal.screen());
        terminal.send("\r");
        if at == of {
            return count;
        }
        terminal.wait_until("the next step", |screen| place(screen).is_some_and(|(next, _)| next == at + 1));
    }
}

#[test]
fn every_lesson_is_walked_through_with_either_kind_of_answers() {
    let folder = tempfile::tempdir().unwrap();
    for lesson in LESSONS {
        let mut rights = Vec::new();
        for last_answers in [false, true] {
            let launch = Launch::new(folder.path(), &["learn", lesson, "--anew"])
                .size(80, 24)
                .env("LDYN_TUI_PROGRESS", "kept.json");
            let mut terminal = Terminal::start(&launch);
            rights.push(walk(&mut terminal, last_answers));
            assert_eq!(terminal.wait(), 0, "{lesson}");
            terminal.assert_clean();
            assert_harmless(&terminal.bytes());
        }
        assert_ne!(rights[0], rights[1], "{lesson}: other answers are judged otherwise");
    }
    let kept = std::fs::read_to_string(folder.path().join("kept.json")).unwrap();
    assert_eq!(kept.matches("\"done\": true").count(), LESSONS.len(), "{kept}");
    let listed = ldyn(folder.path(), &["learn"]);
    let text = String::from_utf8(listed.stdout).unwrap();
    assert_eq!(text.matches("done, ").count(), LESSONS.len(), "{text}");
}

#[test]
fn a_lesson_opens_from_the_list_and_goes_on_where_it_was_left() {
    let folder = tempfile::tempdir().unwrap();
    let launch = Launch::new(folder.path(), &["learn"]).size(100, 30).env("LDYN_TUI_PROGRESS", "kept.json");
    let mut terminal = Terminal::start(&launch);
    terminal.wait_for("▸ softmax");
    terminal.send("\r");
    terminal.wait_for("step 1 of 5");
    terminal.send("\r");
    terminal.wait_for("step 2 of 5");
    terminal.send("q");
    terminal.wait_for("at step 2 of 5");
    terminal.send("\r");
    terminal.wait_for("break-even");
    // Help and a picture.
    terminal.send("?");
    terminal.wait_for("give the answer; go on");
    terminal.send("\u{1b}");
    terminal.wait_for("step 2 of 5");
    terminal.send("s");
    terminal.wait_for("written: screenshots/softmax-step000002-lesson.svg");
    terminal.send("q");
    terminal.wait_for("▸ softmax");
    terminal.send("q");
    assert_eq!(terminal.wait(), 0);
    terminal.assert_clean();
}

#[test]
fn the_lessons_that_ship_say_what_their_recordings_show() {
    let folder = tempfile::tempdir().unwrap();
    let output = ldyn(folder.path(), &[&["check"], &LESSONS[..]].concat());
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    assert_eq!(text.matches(": ok (lesson: ").count(), LESSONS.len(), "{text}");
    let lessons = Path::new(env!("CARGO_MANIFEST_DIR")).join("experiments/lessons");
    let packed = std::fs::read_dir(&lessons).unwrap().map(|entry| entry.unwrap());
    let bytes: u64 =
        packed.filter(|e| e.path().extension().is_some_and(|e| e == "gz")).map(|e| e.metadata().unwrap().len()).sum();
    assert!(bytes <= 6 << 20, "{bytes} bytes of recordings");
}

#[test]
fn what_a_lesson_says_and_nobody_measured_is_refused_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let lessons = Path::new(env!("CARGO_MANIFEST_DIR")).join("experiments/lessons");
    std::fs::copy(lessons.join("dpo_offpolicy.jsonl.gz"), folder.path().join("dpo_offpolicy.jsonl.gz")).unwrap();
    let text = std::fs::read_to_string(lessons.join("winner_falls.ron")).unwrap();
    let line = |needle: &str| text[..text.find(needle).unwrap()].matches('\n').count() + 1;
    for (from, to, says) in [
        (
            "above(fact: \"hit\", than: 0.5)",
            "below(fact: \"hit\", than: 0.0)",
            "the recording does not show it: hit < 0",
        ),
        (
            "to: 352)),\n        (name: \"loser\"",
            "to: 353)),\n        (name: \"loser\"",
            "nothing was measured at step 353",
        ),
        (
            "curve: \"argmax_chosen\",\n                answers",
            "curve: \"argmax_chsen\",\n                answers",
            "did you mean `argmax_chosen`?",
        ),
        ("{hit} of", "92 % of", "the number 92 stands in the text"),
        ("{hit} of", "{hti} of", "there is no fact `hti`"),
        (
            "when: above(fact: \"favourite\", than: 0.3)",
            "when: below(fact: \"favourite\", than: -0.3)",
            "0 answers are right",
        ),
        ("\"next_squeezed\", \"previous_squeezed\", \"order\"", "\"next_squozen\"", "there is no key `next_squozen`"),
        ("panels: [chart, pairs]", "panels: [chart, pears]", "`pears` is not one of"),
        ("file: \"dpo_offpolicy.jsonl.gz\"", "file: \"none.jsonl.gz\"", "none.jsonl.gz"),
        ("hint: \"Remember", "hnt: \"Remember", "unknown field `hnt`"),
    ] {
        assert!(text.contains(from), "{from}");
        let file = folder.path().join("mine.ron");
        std::fs::write(&file, text.replacen(from, to, 1)).unwrap();
        let output = ldyn(folder.path(), &["check", "mine.ron"]);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{to}: {told}");
        assert!(told.contains(says), "{to}: {told}");
        let (_, place) = told.split_once("mine.ron:").unwrap_or_else(|| panic!("no place: {told}"));
        let named: usize = place.split(':').next().unwrap().parse().unwrap();
        assert!(named.abs_diff(line(from)) <= 8, "{to}: line {named}, written in {}", line(from));
    }
    std::fs::write(folder.path().join("mine.ron"), &text).unwrap();
    assert!(ldyn(folder.path(), &["check", "mine.ron"]).status.success(), "a lesson of one's own");
}

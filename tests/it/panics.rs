//! Panics in either thread, in a real terminal. The program has no key for one, so this test binary starts itself again
//! and plays the program, with an experiment that no validation would let through, or a screenshot that panics.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use ldyn_tui::{App, BackendChoice, DisplayOptions, Experiment, Glyphs, Job, Live, Source, Theme, show};

use super::pty::{Launch, Terminal};
use super::sequences::assert_harmless;
use super::training::TINY;

/// Set in the process that plays the program.
const ROLE: &str = "LDYN_TEST_PLAYS_THE_PROGRAM";

fn plays() -> bool {
    std::env::var_os(ROLE).is_some()
}

/// This binary in a terminal, running one of the tests below as the program.
fn start(test: &str, folder: &Path) -> Terminal {
    let mut launch = Launch::new(folder, &["--exact", test, "--nocapture", "--test-threads=1"]).env(ROLE, "1");
    launch.program = std::env::current_exe().unwrap();
    Terminal::start(&launch)
}

#[test]
fn a_panic_of_the_trainer_is_shown_recorded_and_summed_up() {
    if plays() {
        let overrides: Vec<String> = TINY.iter().filter(|a| a.contains('=')).map(|&a| a.to_owned()).collect();
        let mut experiment = Experiment::load(Path::new("sft"), &overrides).unwrap();
        // A remainder by zero after the first step; `check` refuses it.
        experiment.stages[0].evaluate_every = 0;
        let display = DisplayOptions::default();
        assert!(ldyn_tui::dashboard(Job::New(Box::new(experiment)), BackendChoice::Flex, &display).is_err());
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut terminal = start("panics::a_panic_of_the_trainer_is_shown_recorded_and_summed_up", folder.path());
    terminal.wait_for("the trainer panicked");
    assert!(terminal.in_alternate_screen(), "the screen still stands:\n{}", terminal.screen());
    terminal.send("q");
    assert_eq!(terminal.wait(), 0, "{}", terminal.screen());
    terminal.assert_clean();
    assert!(terminal.screen().contains("run: runs/sft-seed42"), "a summary is printed:\n{}", terminal.screen());
    let events = std::fs::read_to_string(folder.path().join("runs/sft-seed42/events.jsonl")).unwrap();
    assert!(events.contains("\"event\":\"evaluation\""), "what was measured before is kept");
    let last = events.lines().last().unwrap();
    assert!(events.ends_with('\n') && last.contains("failed") && last.contains("panicked"), "{last}");
}

#[test]
fn a_panic_of_the_screen_gives_the_terminal_back() {
    if plays() {
        let (_trainer, events) = crossbeam_channel::bounded(1);
        let (commands, _commanded) = crossbeam_channel::bounded(8);
        let (_over, finished) = crossbeam_channel::bounded(1);
        let live = Live { events, commands, dropped: Arc::default(), finished };
        let app = App::live("made_up", Theme::default(), Glyphs::default());
        let left = show(app, Source::Trainer(live), None, Instant::now(), Box::new(|_, _| panic!("on purpose")));
        assert!(left.is_err_and(|e| e.to_string().contains("on purpose")));
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut terminal = start("panics::a_panic_of_the_screen_gives_the_terminal_back", folder.path());
    terminal.wait_for("made_up");
    terminal.send("s");
    assert_eq!(terminal.wait(), 0, "{}", terminal.screen());
    terminal.assert_clean();
    assert_harmless(&terminal.bytes());
}

//! Runs that train: tiny ones, on the embedded base model.

use std::process::{Command, Output};

/// A run of a few steps on little data; seconds, not minutes.
pub const TINY: [&str; 14] = [
    "--set",
    "data.train=16",
    "--set",
    "data.held_out=8",
    "--set",
    "probes=(prompts: 4, greedy: 2, max_new_tokens: 8)",
    "--set",
    "stages[0].evaluate_every=2",
    "--set",
    "stages[0].batch_size=2",
    "--set",
    "stages[0].warmup_steps=0",
    "--backend",
    "flex",
];

pub fn train(folder: &std::path::Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ldyn-tui")).args(args).args(TINY).current_dir(folder).output().unwrap()
}

#[test]
fn a_piped_run_is_headless_and_leaves_a_whole_run_directory() {
    let folder = tempfile::tempdir().unwrap();
    // No `run`, no `--headless`: stdout is no terminal.
    let output = train(folder.path(), &["experiments/sft.ron", "--steps", "4", "--seed", "5"]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(
        stdout.contains("sft-seed5: finished after 4 of 4 steps") && stdout.contains("run: runs/sft-seed5"),
        "{stdout}"
    );
    assert!(!stderr.contains('\u{1b}') && stderr.contains("sft-seed5 SFT 4/4"), "plain lines: {stderr}");
    let run = folder.path().join("runs/sft-seed5");
    for file in ["experiment.ron", "events.jsonl", "summary.json", "log.txt"] {
        assert!(std::fs::metadata(run.join(file)).unwrap().len() > 0, "{file}");
    }
    let events = std::fs::read_to_string(run.join("events.jsonl")).unwrap();
    assert_eq!(events.matches("\"event\":\"step\"").count(), 4);
    assert!(events.trim_end().ends_with("\"finished\",\"step\":4}"), "{events}");
    // The experiment as run is an experiment.
    let check = Command::new(env!("CARGO_BIN_EXE_ldyn-tui"))
        .args(["check", run.join("experiment.ron").to_str().unwrap()])
        .output()
        .unwrap();
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stderr));
}

#[test]
fn the_same_seed_writes_the_same_run() {
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        assert!(train(folder.path(), &["run", "sft", "--headless", "--steps", "3"]).status.success());
    }
    assert!(train(folder.path(), &["run", "sft", "--headless", "--steps", "3", "--seed", "1"]).status.success());
    let events = |run: &str| std::fs::read(folder.path().join("runs").join(run).join("events.jsonl")).unwrap();
    assert_eq!(events("sft-seed42"), events("sft-seed42-2"));
    assert_ne!(events("sft-seed42"), events("sft-seed1"));
}

/// An experiment of seconds, with `more` fields.
fn tiny(name: &str, sft_steps: u64, more: &str) -> String {
    format!(
        "(name: \"{name}\", seed: 3, data: world(train: 16, held_out: 8),
         probes: (prompts: 4, greedy: 2, max_new_tokens: 8, held_out: 4),
         stages: [
           (name: \"SFT\", objective: sft, steps: {sft_steps}, batch_size: 2, learning_rate: 5e-4, evaluate_every: 2),
           (name: \"DPO\", objective: sigmoid(beta: 0.1), steps: 2, batch_size: 2, learning_rate: 1e-4, evaluate_every: 2),
         ], {more})"
    )
}

#[test]
fn verify_runs_an_experiment_and_its_baseline_with_the_same_seeds() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("base.ron"), tiny("base", 2, "output: (directory: \"elsewhere\")")).unwrap();
    std::fs::write(folder.path().join("long.ron"), tiny("long", 4, "baseline: \"base.ron\"")).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_ldyn-tui"))
        .args(["verify", "long.ron", "--seed", "7", "--seeds", "2", "--out", "out", "--backend", "flex"])
        .args(["--set", "stages[DPO].steps=4"])
        .current_dir(&folder)
        .output()
        .unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    for run in ["long-seed7", "long-seed8", "base-seed7", "base-seed8"] {
        assert!(folder.path().join("out").join(run).join("events.jsonl").is_file(), "{run}");
    }
    // The override is the named experiment's alone.
    assert!(
        stdout.contains("long-seed7: finished after 8 of 8") && stdout.contains("base-seed7: finished after 4 of 4")
    );
    let (long, base) =
        stdout.split_once("\nlong, seeds 7 8, against base\n").unwrap().1.split_once("\nbase, seeds 7 8\n").unwrap();
    assert!(long.contains("D5       reported") && long.contains("end over the end of base"), "{long}");
    assert!(
        base.contains("the experiment names no baseline") && base.contains("end of DPO over the base model"),
        "{base}"
    );
    // Recorded runs are grouped the same.
    let runs = ["out/long-seed7", "out/base-seed7"];
    let again =
        Command::new(env!("CARGO_BIN_EXE_ldyn-tui")).arg("verify").args(runs).current_dir(&folder).output().unwrap();
    assert!(String::from_utf8_lossy(&again.stdout).starts_with("long, seed 7, against base\n"));
}

#[test]
#[cfg(unix)]
fn an_interrupted_run_ends_well() {
    use std::io::{BufRead as _, BufReader};
    use std::process::Stdio;
    for signal in ["INT", "TERM", "HUP"] {
        let folder = tempfile::tempdir().unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_ldyn-tui"))
            .args(["run", "sft", "--headless"])
            .args(TINY)
            .current_dir(&folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        lines.by_ref().map(Result::unwrap).find(|line| line.contains(" 2/")).expect("the second step");
        Command::new("kill").args(["-s", signal, &child.id().to_string()]).status().unwrap();
        lines.for_each(drop);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(130), "SIG{signal}");
        assert!(String::from_utf8_lossy(&output.stdout).contains("stopped after"), "a summary is printed");
        let events = std::fs::read_to_string(folder.path().join("runs/sft-seed42/events.jsonl")).unwrap();
        assert!(events.lines().last().unwrap().contains("\"stopped\""), "the run file is whole");
    }
}

#[cfg(unix)]
mod in_a_terminal {
    use std::time::Duration;

    use super::super::pty::{Launch, Terminal};
    use super::super::sequences::assert_harmless;
    use super::TINY;

    struct Live {
        terminal: Terminal,
        folder: tempfile::TempDir,
    }

    impl Live {
        /// The dashboard over a run that is long enough to be interrupted.
        fn start(more: &[&str]) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let args: Vec<&str> = ["experiments/sft.ron"].iter().chain(&TINY).chain(more).copied().collect();
            let terminal = Terminal::start(&Launch::new(folder.path(), &args));
            Self { terminal, folder }
        }

        fn events(&self) -> String {
            std::fs::read_to_string(self.folder.path().join("runs/sft-seed42/events.jsonl")).unwrap_or_default()
        }

        fn wait_for_events(&self, what: &str) {
            self.terminal.wait_until(what, |_| self.events().contains(what));
        }

        /// After the end: a clean terminal, a summary on it, a whole run file.
        fn assert_ended(&mut self, status: u32, word: &str) {
            assert_eq!(self.terminal.wait(), status, "{}", self.terminal.screen());
            self.terminal.assert_clean();
            let screen = self.terminal.screen();
            assert!(
                screen.contains(&format!("sft-seed42: {word}")) && screen.contains("run: runs/sft-seed42"),
                "{screen}"
            );
            let events = self.events();
            assert!(events.ends_with('\n') && events.lines().last().unwrap().contains(word), "{events}");
            assert_harmless(&self.terminal.bytes());
        }
    }

    #[test]
    fn a_finished_run_is_left_with_q() {
        let mut live = Live::start(&["--steps", "4"]);
        live.wait_for_events("\"finished\"");
        live.terminal.wait_for("finished");
        live.terminal.send("q");
        live.assert_ended(0, "finished");
    }

    #[test]
    fn q_stops_the_trainer_and_leaves_a_clean_terminal() {
        let mut live = Live::start(&[]);
        live.wait_for_events("\"step\":2,");
        live.terminal.send("q");
        live.terminal.wait_for("stop and quit");
        live.terminal.send("y");
        live.assert_ended(0, "stopped");
    }

    #[test]
    fn signals_stop_the_trainer_and_leave_a_clean_terminal() {
        for signal in ["TERM", "HUP"] {
            let mut live = Live::start(&[]);
            live.wait_for_events("\"step\":2,");
            live.terminal.signal(signal);
            live.assert_ended(130, "stopped");
        }
    }

    #[test]
    fn a_paused_untouched_screen_writes_nothing_and_the_trainer_stands_still() {
        let mut live = Live::start(&[]);
        live.wait_for_events("\"step\":2,");
        live.terminal.send(" ");
        live.wait_for_events("\"paused\"");
        live.terminal.settle(Duration::from_millis(500));
        let (bytes, events) = (live.terminal.bytes().len(), live.events());
        // Keys without a meaning wake both sides, and change neither.
        live.terminal.send("ZZZZZZZZ");
        live.terminal.settle(Duration::from_millis(500));
        assert_eq!(live.terminal.bytes().len(), bytes, "bytes were written while nothing happened");
        // The trainer answers, measured or not: what it did before is recorded before.
        live.terminal.send("e");
        let paused = |events: &str| events.matches("\"paused\"").count();
        live.terminal.wait_until("an answer", |_| paused(&live.events()) > paused(&events));
        live.terminal
            .wait_until("the same on the screen", |screen| screen.contains("paused ") && !screen.contains("asked for"));
        let steps = |events: &str| events.matches("\"event\":\"step\"").count();
        assert_eq!(steps(&live.events()), steps(&events), "steps were taken during a pause");
        live.terminal.send(".");
        live.terminal.wait_until("one more step", |_| steps(&live.events()) > steps(&events));
        live.terminal.settle(Duration::from_millis(500));
        assert_eq!(steps(&live.events()), steps(&events) + 1, "one step and no more");
        live.terminal.send("qy");
        live.assert_ended(0, "stopped");
    }
}

#[test]
#[cfg(feature = "ndarray")]
fn a_precision_that_the_backend_lacks_is_refused_before_anything_starts() {
    let folder = tempfile::tempdir().unwrap();
    let args = ["run", "sft", "--headless", "--set", "precision=bf16", "--backend", "ndarray"];
    let output = Command::new(env!("CARGO_BIN_EXE_ldyn-tui")).args(args).current_dir(&folder).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("ndarray") && stderr.contains("--backend"), "{stderr}");
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0, "there is no run");
}

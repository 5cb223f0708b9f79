//! Runs that are killed and gone on with: the run file is the uninterrupted one's, to the byte.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use super::pty::{Launch, Terminal, eventually};

/// Seconds of training over two boundaries between stages; `SEED` is put in.
const EXPERIMENT: &str = r#"(
  name: "killed", seed: SEED, data: world(train: 16, held_out: 8),
  probes: (prompts: 3, greedy: 1, max_new_tokens: 6), output: (checkpoint_every: 1),
  stages: [
    (name: "SFT", objective: sft, steps: 8, batch_size: 2, evaluate_every: 2, learning_rate: 1e-3),
    (name: "DPO", objective: sigmoid(), steps: 8, batch_size: 2, evaluate_every: 2, learning_rate: 1e-4,
     optimizer: rmsprop(), on_policy: (every: 3, max_new_tokens: 6)),
    (name: "IPO", objective: ipo(), steps: 4, batch_size: 2, evaluate_every: 2, learning_rate: 1e-4, optimizer: sgd),
  ],
)"#;

/// A folder with the experiment and, once trained, its runs: `whole/killed-seed1`, `part/killed-seed1`.
struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("x.ron"), EXPERIMENT.replace("SEED", "1")).unwrap();
        Self { folder }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ldyn-tui"));
        command.args(args).current_dir(&self.folder).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn output(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    fn read(&self, file: &str) -> Vec<u8> {
        fs::read(self.path(file)).unwrap()
    }

    /// Trains without interruption.
    fn whole(&self) {
        let output = self.output(&["run", "x.ron", "--headless", "--backend", "flex", "--out", "whole"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Starts to train.
    fn start(&self) -> Child {
        self.command(&["run", "x.ron", "--headless", "--backend", "flex", "--out", "part"]).spawn().unwrap()
    }

    /// Trains until the first checkpoint is there, then kills.
    fn killed(&self) {
        let mut child = self.start();
        assert!(self.wait_for_checkpoint(&mut child, None), "the run ended before its first checkpoint");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Which checkpoint lies there: every new one is another file.
    fn checkpoint(&self) -> Option<u64> {
        fs::metadata(self.path("part/killed-seed1/checkpoint.safetensors")).ok().map(|m| m.ino())
    }

    /// Waits for another checkpoint than `before`; returns false if the process ended by itself first.
    fn wait_for_checkpoint(&self, child: &mut Child, before: Option<u64>) -> bool {
        let mut ended = false;
        eventually("another checkpoint", || {
            ended = child.try_wait().unwrap().is_some();
            ended || self.checkpoint() != before
        });
        !ended
    }

    /// Bytes of the run file so far.
    fn recorded(&self) -> u64 {
        fs::metadata(self.path("part/killed-seed1/events.jsonl")).map_or(0, |m| m.len())
    }
}

fn error(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn a_run_that_is_killed_again_and_again_writes_the_same_file() {
    let bench = Bench::new();
    bench.whole();
    let mut child = bench.start();
    let resume = ["run", "--resume", "part/killed-seed1", "--headless"];
    let mut kills = 0;
    // Right after a checkpoint, and when so much more is recorded: within the next steps, their evaluation, the writing of
    // the next checkpoint or of the one after it.
    for more in [0, 1, 300, 900, 2_000, 4_000, 8_000, 16_000] {
        let before = bench.checkpoint();
        if !bench.wait_for_checkpoint(&mut child, before) {
            break;
        }
        if kills == 0 {
            let output = bench.output(&resume);
            assert_eq!(output.status.code(), Some(2), "{}", error(&output));
            assert!(error(&output).contains("another process is still writing this run"), "{}", error(&output));
        }
        let recorded = bench.recorded();
        eventually("more of the run file", || {
            bench.recorded() >= recorded + more || child.try_wait().unwrap().is_some()
        });
        // SIGKILL on Unix.
        child.kill().unwrap();
        if child.wait().unwrap().success() {
            break;
        }
        kills += 1;
        child = bench.command(&resume).spawn().unwrap();
    }
    assert!(kills >= 3, "the run was killed {kills} times only");
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", error(&output));
    assert!(String::from_utf8_lossy(&output.stdout).contains("killed-seed1: finished after 20 of 20 steps"));
    let events = |run: &str| String::from_utf8(bench.read(&format!("{run}/killed-seed1/events.jsonl"))).unwrap();
    for (line, (part, whole)) in events("part").lines().zip(events("whole").lines()).enumerate() {
        assert_eq!(part, whole, "line {}", line + 1);
    }
    assert_eq!(events("part").len(), events("whole").len());
    assert_eq!(bench.checkpoint(), None, "a finished run keeps no checkpoint");
    let again = bench.output(&resume);
    assert_eq!(again.status.code(), Some(2));
    assert!(error(&again).contains("the run is finished"), "{}", error(&again));
}

#[test]
fn the_dashboard_goes_on_with_the_whole_curve() {
    let bench = Bench::new();
    bench.whole();
    bench.killed();
    let mut terminal = Terminal::start(&Launch::new(bench.folder.path(), &["run", "--resume", "part/killed-seed1"]));
    let ended = || bench.read("part/killed-seed1/events.jsonl").ends_with(b"\"finished\",\"step\":20}\n");
    terminal.wait_until("the end of the run", |screen| ended() && screen.contains("finished"));
    terminal.send("s");
    terminal.wait_for("written:");
    terminal.send("q");
    assert_eq!(terminal.wait(), 0);
    terminal.assert_clean();
    let events = |run: &str| bench.read(&format!("{run}/killed-seed1/events.jsonl"));
    assert!(events("part") == events("whole"), "the run files differ");
    let export = ["export", "whole/killed-seed1", "--format", "txt", "--size", "120x40", "--out", "figure"];
    assert!(bench.output(&export).status.success());
    // As text: what is said must be the same, whatever colours each terminal has.
    let said = |folder: &str| {
        let mut entries = fs::read_dir(bench.path(folder)).unwrap().map(|e| e.unwrap().path());
        let file = entries.find(|path| path.extension().is_some_and(|e| e == "txt")).unwrap();
        fs::read_to_string(file).unwrap()
    };
    assert_eq!(
        said("part/killed-seed1/screenshots"),
        said("figure"),
        "the screen is not that of the uninterrupted run"
    );
}

/// Changes a killed run, tries to resume it and undoes the change: status 2, the message, and a record left alone.
#[test]
fn what_cannot_be_resumed_is_refused_with_its_place_and_nothing_is_touched() {
    let bench = Bench::new();
    bench.killed();
    let run = "part/killed-seed1";
    let refused = |file: &str, change: &dyn Fn(&mut Vec<u8>), more: &[&str], messages: &[&str]| {
        let path = bench.path(&format!("{run}/{file}"));
        let sound = fs::read(&path).unwrap();
        let mut changed = sound.clone();
        change(&mut changed);
        fs::write(&path, &changed).unwrap();
        let events = bench.read(&format!("{run}/events.jsonl"));
        let args = ["run", "--headless", "--resume", run].iter().chain(more).copied().collect::<Vec<_>>();
        let output = bench.output(&args);
        let text = error(&output);
        assert_eq!(output.status.code(), Some(2), "{file}: {text}");
        assert!(messages.iter().all(|m| text.contains(m)) && !text.contains("panick"), "{messages:?}: {text}");
        assert!(bench.read(&format!("{run}/events.jsonl")) == events, "{text}: the record was touched");
        fs::write(&path, sound).unwrap();
    };
    let checkpoint = "checkpoint.safetensors";
    let named = "checkpoint.safetensors: cannot be resumed from";
    for length in [0, 7, 8, 100, 5000] {
        refused(checkpoint, &|bytes| bytes.truncate(length), &[], &[named]);
    }
    refused(checkpoint, &|bytes| bytes.truncate(bytes.len() - 1), &[], &[named, "bytes"]);
    refused(checkpoint, &|bytes| bytes.push(0), &[], &[named, "bytes"]);
    refused(checkpoint, &|bytes| *bytes.last_mut().unwrap() ^= 1, &[], &[named, "checksum"]);
    let middle = bench.read(&format!("{run}/{checkpoint}")).len() / 2;
    refused(checkpoint, &|bytes| bytes[middle] ^= 1, &[], &[named, "checksum"]);
    refused(checkpoint, &|bytes| bytes[..8].fill(0xff), &[], &[named, "header"]);
    refused(checkpoint, &|bytes| bytes.fill(b'{'), &[], &[named]);
    let edited = |from: &'static str, to: &'static str| {
        move |bytes: &mut Vec<u8>| {
            let text = String::from_utf8(std::mem::take(bytes)).unwrap();
            assert!(text.contains(from));
            *bytes = text.replacen(from, to, 1).into_bytes();
        }
    };
    let changed = ["experiment.ron:", "was changed since the run began; it said `steps: 8,`", "ldyn-tui run"];
    refused("experiment.ron", &edited("steps: 8", "steps: 9"), &[], &changed);
    refused("experiment.ron", &edited("steps: 8", "steps: no"), &[], &["experiment.ron:", "expected a whole number"]);
    refused("events.jsonl", &|bytes| bytes.truncate(100), &[], &["events.jsonl: has 100 bytes"]);
    refused("events.jsonl", &edited("\n", ""), &[], &["events.jsonl: has"]);
    refused(
        "events.jsonl",
        &edited("\"event\":\"step\"", "\"event\":!step\""),
        &[],
        &["events.jsonl:", "not an event"],
    );
    refused("experiment.ron", &|_| {}, &["--backend", "ndarray"], &["begun on the backend flex"]);
    for (path, message) in [("nowhere", "nowhere: cannot be read"), ("part", "events.jsonl: cannot be read")] {
        let output = bench.output(&["run", "--resume", path]);
        assert!(output.status.code() == Some(2) && error(&output).contains(message), "{}", error(&output));
    }
}

/// What it had recorded stays, and what it records now is what an uninterrupted run does.
#[test]
fn a_run_that_was_killed_before_its_first_checkpoint_begins_anew() {
    let bench = Bench::new();
    bench.whole();
    bench.killed();
    let run = "part/killed-seed1";
    fs::remove_file(bench.path(&format!("{run}/checkpoint.safetensors"))).unwrap();
    let recorded = bench.read(&format!("{run}/events.jsonl"));
    let output = bench.output(&["run", "--resume", run, "--headless"]);
    assert!(output.status.success(), "{}", error(&output));
    assert!(error(&output).contains("there is no checkpoint yet, so the run begins anew"), "{}", error(&output));
    assert!(error(&output).contains("what it had recorded is in events-1.jsonl"), "{}", error(&output));
    assert!(bench.read(&format!("{run}/events-1.jsonl")) == recorded);
    assert!(bench.read(&format!("{run}/events.jsonl")) == bench.read("whole/killed-seed1/events.jsonl"));
    // Killed before its first word.
    let early = bench.path("early");
    fs::create_dir(&early).unwrap();
    fs::copy(bench.path("whole/killed-seed1/experiment.ron"), early.join("experiment.ron")).unwrap();
    let output = bench.output(&["run", "--resume", "early", "--headless", "--backend", "flex"]);
    assert!(output.status.success(), "{}", error(&output));
    assert!(!early.join("events-1.jsonl").exists());
    assert!(bench.read("early/events.jsonl") == bench.read("whole/killed-seed1/events.jsonl"));
}

/// A file of data that changed is noticed by the trainer, before the record is touched.
#[test]
fn other_data_is_refused_and_nothing_is_touched() {
    let bench = Bench::new();
    let row = |i: usize| format!("{{\"prompt\":\"Q{i}\",\"chosen\":\"yes {i}\",\"rejected\":\"no\"}}\n");
    let data: String = (0..8).map(row).collect();
    fs::write(bench.path("pairs.jsonl"), &data).unwrap();
    let experiment =
        EXPERIMENT.replace("SEED", "1").replace("world(train: 16, held_out: 8)", "jsonl(train: \"pairs.jsonl\")");
    fs::write(bench.path("x.ron"), experiment).unwrap();
    bench.killed();
    // Beyond the prompts that are observed.
    fs::write(bench.path("pairs.jsonl"), data.replace("yes 7", "yes 8")).unwrap();
    let events = bench.read("part/killed-seed1/events.jsonl");
    let output = bench.output(&["run", "--resume", "part/killed-seed1", "--headless"]);
    assert!(!output.status.success() && error(&output).contains("begun on other data"), "{}", error(&output));
    assert!(bench.read("part/killed-seed1/events.jsonl") == events);
    fs::write(bench.path("pairs.jsonl"), data).unwrap();
    let output = bench.output(&["run", "--resume", "part/killed-seed1", "--headless"]);
    assert!(output.status.success(), "{}", error(&output));
}

#[test]
fn a_run_that_was_stopped_is_resumed_and_comments_may_change() {
    let bench = Bench::new();
    bench.whole();
    let mut child = bench.start();
    assert!(bench.wait_for_checkpoint(&mut child, None));
    Command::new("kill").args(["-s", "INT", &child.id().to_string()]).status().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let path = bench.path("part/killed-seed1/experiment.ron");
    comment(&path);
    let output = bench.output(&["--resume", "part/killed-seed1"]);
    assert!(output.status.success(), "{}", error(&output));
    assert!(bench.read("part/killed-seed1/events.jsonl") == bench.read("whole/killed-seed1/events.jsonl"));
}

fn comment(path: &Path) {
    let text = fs::read_to_string(path).unwrap();
    fs::write(path, format!("// A remark.\n{text}")).unwrap();
}

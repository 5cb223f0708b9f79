//! A grid of tiny runs, with the real binary.

use std::path::Path;
use std::process::{Command, Output};

use super::training::{TINY, train};

const SWEEP: [&str; 10] =
    ["sweep", "sft", "--set", "stages[SFT].learning_rate=1e-4,5e-4", "--steps", "4", "--jobs", "2", "--out", "grid"];
const CELLS: [&str; 2] = ["learning-rate-1e-4", "learning-rate-5e-4"];

fn text(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&output.stdout), text(&output.stderr))
}

/// Names of the run directories of a cell.
fn runs(folder: &Path, cell: &str) -> Vec<String> {
    let entries = std::fs::read_dir(folder.join("grid").join(cell)).unwrap();
    let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_sweep_runs_every_cell_once_and_only_reports_the_second_time() {
    let folder = tempfile::tempdir().unwrap();
    let first = train(folder.path(), &SWEEP);
    let (stdout, stderr) = text(&first);
    assert_eq!(first.status.code(), Some(0), "{stderr}");
    assert!(stderr.contains("2/2 learning_rate=") && stderr.contains(": finished ("), "a line a run: {stderr}");
    for (cell, label) in CELLS.iter().zip(["learning_rate=1e-4", "learning_rate=5e-4"]) {
        assert_eq!(runs(folder.path(), cell), [format!("sft.{cell}-seed42")]);
        let row = stdout.lines().find(|line| line.starts_with(label)).unwrap();
        assert!(row.contains("1/1") && row.contains("healthy") && row.contains("never"), "{row}");
    }
    let csv = std::fs::read_to_string(folder.path().join("grid/sweep.csv")).unwrap();
    assert_eq!(csv.lines().count(), 3);
    for (file, head) in [("sweep.svg", &b"<svg"[..]), ("sweep.png", b"\x89PNG")] {
        assert!(std::fs::read(folder.path().join("grid").join(file)).unwrap().starts_with(head), "{file}");
    }

    let second = train(folder.path(), &SWEEP);
    let (again, stderr) = text(&second);
    assert_eq!(second.status.code(), Some(0), "{stderr}");
    assert_eq!(stderr, "2 of 2 runs are done already\n");
    assert_eq!(again, stdout, "the same table");
    for cell in CELLS {
        assert_eq!(runs(folder.path(), cell).len(), 1, "nothing was run again");
    }

    // A run that lost its end is run again, beside it; and another setting is another run.
    let cell = folder.path().join("grid").join(CELLS[0]);
    std::fs::remove_file(cell.join(format!("sft.{}-seed42/summary.json", CELLS[0]))).unwrap();
    let (_, stderr) = text(&train(folder.path(), &SWEEP));
    assert!(stderr.contains("1 of 2 runs are done already"), "{stderr}");
    assert_eq!(runs(folder.path(), CELLS[0]).len(), 2);
    assert_eq!(runs(folder.path(), CELLS[1]).len(), 1);

    // The cells are arms by their names.
    let folders = CELLS.map(|cell| format!("grid/{cell}"));
    let output = train_free(folder.path(), &["compare", &folders[0], &folders[1]]);
    assert!(output.status.success(), "{}", text(&output).1);
    assert!(text(&output).0.contains("sft.learning-rate-5e-4 (1 run) − sft.learning-rate-1e-4 (1 run), stage SFT"));
}

/// The binary without the settings of a tiny run.
fn train_free(folder: &Path, args: &[&str]) -> Output {
    std::process::Command::new(env!("CARGO_BIN_EXE_ldyn-tui")).args(args).current_dir(folder).output().unwrap()
}

#[test]
fn a_run_that_fails_is_named_and_the_others_finish() {
    let folder = tempfile::tempdir().unwrap();
    // A file where the folder of a cell should be.
    std::fs::create_dir(folder.path().join("grid")).unwrap();
    std::fs::write(folder.path().join("grid").join(CELLS[0]), "").unwrap();
    let output = train(folder.path(), &SWEEP);
    let (stdout, stderr) = text(&output);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("1 of 2 runs failed: the table says which"), "{stderr}");
    assert!(stdout.contains("failed: learning_rate=1e-4, seed 42: grid/learning-rate-1e-4"), "{stdout}");
    assert!(stdout.lines().any(|l| l.starts_with("learning_rate=5e-4") && l.contains("1/1")), "{stdout}");
}

#[test]
fn mistakes_are_told_before_anything_runs() {
    let folder = tempfile::tempdir().unwrap();
    let args = ["sweep", "sft", "--set", "stages[SFT].steps=4,-1,x", "--set", "seed=1", "--out", "grid"];
    let output = train_free(folder.path(), &args);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output).1.contains("--seeds N takes N of them"));
    let args = ["sweep", "sft", "--set", "stages[SFT].steps=4,-1,x", "--out", "grid"];
    let output = train_free(folder.path(), &args);
    assert_eq!(output.status.code(), Some(2));
    let stderr = text(&output).1;
    assert!(stderr.contains("stages[SFT].steps=-1") && stderr.contains("stages[SFT].steps=x"), "{stderr}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing was made");
}

#[test]
#[cfg(unix)]
fn an_interrupted_sweep_stops_its_runs_and_says_how_to_go_on() {
    use std::process::{Command, Stdio};
    let folder = tempfile::tempdir().unwrap();
    let args = ["sweep", "sft", "--set", "stages[SFT].learning_rate=1e-4,5e-4", "--jobs", "2", "--out", "grid"];
    let mut child = Command::new(env!("CARGO_BIN_EXE_ldyn-tui"))
        .args(args)
        .args(TINY)
        .current_dir(&folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let events = |cell: &str| {
        let run = folder.path().join(format!("grid/{cell}/sft.{cell}-seed42/events.jsonl"));
        std::fs::read_to_string(run).unwrap_or_default()
    };
    super::pty::eventually("the first step of both runs", || {
        assert!(child.try_wait().unwrap().is_none(), "the sweep goes on");
        CELLS.iter().all(|cell| events(cell).contains("\"event\":\"step\""))
    });
    Command::new("kill").args(["-s", "INT", &child.id().to_string()]).status().unwrap();
    let output = child.wait_with_output().unwrap();
    let (stdout, stderr) = text(&output);
    assert_eq!(output.status.code(), Some(130), "{stderr}");
    assert!(stderr.contains("stopped: 0 of 2 runs are done; the same command goes on from there"), "{stderr}");
    assert!(stdout.is_empty(), "{stdout}");
    for cell in CELLS {
        assert!(events(cell).lines().last().unwrap().contains("\"stopped\""), "the run file is whole");
    }
}

#[test]
fn classifiers_are_tabulated_by_what_they_are_verified_by() {
    let folder = tempfile::tempdir().unwrap();
    let run = |set: &str, more: &[&str]| {
        let arguments = ["sweep", "digits", "--set", set, "--set", "data.train=100", "--set", "data.held_out=50"];
        let small = ["--set", "probes.prompts=20", "--set", "stages[0].evaluate_every=4", "--steps", "8"];
        Command::new(env!("CARGO_BIN_EXE_ldyn-tui"))
            .args(arguments)
            .args(small)
            .args(["--backend", "flex", "--out", "grid"])
            .args(more)
            .current_dir(folder.path())
            .output()
            .unwrap()
    };
    let output = run("stages[0].learning_rate=1e-3,1e-2", &["--seeds", "2"]);
    let (stdout, stderr) = text(&output);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    for heading in ["accuracy", "4 on 9", "4 on the next class", "rank corr.", "loss"] {
        assert!(stdout.lines().next().unwrap().contains(heading), "{stdout}");
    }
    for label in ["learning_rate=1e-3", "learning_rate=1e-2"] {
        let row = stdout.lines().find(|line| line.starts_with(label)).unwrap();
        assert!(row.contains("2/2") && row.contains(" %") && !row.contains('–'), "{row}");
    }
    let csv = std::fs::read_to_string(folder.path().join("grid/sweep.csv")).unwrap();
    let head = csv.lines().next().unwrap();
    assert!(head.ends_with("runs,failed,accuracy,four_on_nine,four_on_next,kernel_rank_correlation,loss"), "{head}");
    assert_eq!(csv.lines().count(), 3);
}

//! The commands that need no training and no screen.

use std::path::Path;
use std::process::{Command, Output};

use super::recorded;

fn ldyn(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ldyn-tui")).args(args).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn without_arguments_it_says_what_to_try() {
    let output = ldyn(&[]);
    assert!(output.status.success());
    let text = stdout(&output);
    assert!(text.contains("Usage") && text.contains("ldyn-tui experiments/dpo_offpolicy.ron"), "{text}");
}

#[test]
fn help_is_everywhere() {
    for command in [
        "run",
        "attach",
        "data",
        "check",
        "replay",
        "runs",
        "config",
        "influence",
        "tokens",
        "kernel",
        "score",
        "model",
        "preflight",
        "verify",
        "export",
        "compare",
        "sweep",
        "selftest",
        "completions",
        "man",
    ] {
        let output = ldyn(&[command, "--help"]);
        assert!(output.status.success(), "{command}");
        assert!(stdout(&output).contains(&format!("ldyn-tui {command}")), "{command}");
    }
}

#[test]
fn embedded_experiments_are_found_from_any_folder() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["experiments/sft.ron", "dpo_offpolicy.ron", "pretrain_base"] {
        let output =
            Command::new(env!("CARGO_BIN_EXE_ldyn-tui")).args(["check", name]).current_dir(&folder).output().unwrap();
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(stdout(&output).contains(": ok"), "{name}");
    }
}

#[test]
fn completions_and_the_manual_are_printed() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(stdout(&ldyn(&["completions", shell])).contains("ldyn-tui"), "{shell}");
    }
    let manual = stdout(&ldyn(&["man"]));
    assert!(manual.contains(".TH") && manual.contains("replay"), "{manual}");
}

#[test]
fn a_model_is_looked_at() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/families");
    for (model, family) in [("qwen2", "qwen2"), ("gpt_neox_parallel.gguf", "gpt_neox")] {
        let output = ldyn(&["model", "inspect", seeds.join(model).to_str().unwrap()]);
        let text = stdout(&output);
        assert!(output.status.success() && text.contains(&format!("family           {family}\n")), "{text}");
        assert!(text.contains("\nparameters ") && text.contains("\ntrainable        yes"), "{text}");
    }
    assert_eq!(ldyn(&["model", "inspect", "no/such/model"]).status.code(), Some(2));
}

#[test]
fn wrong_usage_has_status_two() {
    for args in [
        vec!["--no-such-flag"],
        vec!["run"],
        vec!["run", "sft", "--steps", "0"],
        vec!["run", "sft", "--seed", "-1"],
        vec!["run", "sft", "--backend", "tpu"],
        vec!["check"],
        vec!["no_such_experiment"],
        vec!["export", "x", "--format", "jpeg"],
        vec!["export", "x", "--format", "png", "--size", "80"],
        vec!["replay", "no_such_run"],
        vec!["verify", "no_such_run"],
        vec!["compare"],
        vec!["compare", "no_such_run"],
        vec!["sweep", "no_such_experiment"],
        vec!["sweep", "sft", "--seeds", "0"],
        vec!["sweep", "sft", "--jobs", "0"],
    ] {
        let output = ldyn(&args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(output.stdout.is_empty(), "{args:?}");
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(error.matches("error: ").count(), 1, "told once: {error}");
    }
}

#[test]
fn a_replay_without_a_terminal_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let run = recorded::write(folder.path(), &recorded::plain);
    let output = ldyn(&["replay", run.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("export RUN --format png"));
}

#[test]
fn cuda_without_a_gpu_is_wrong_usage_and_leaves_nothing() {
    // Where there is a GPU there is nothing to refuse.
    if Path::new("/dev/nvidia0").exists() || Path::new("/dev/dxg").exists() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_ldyn-tui"))
        .args(["run", "sft", "--headless", "--backend", "cuda"])
        .current_dir(&folder)
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("--backend flex") || stderr.contains("--features cuda"), "{stderr}");
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0, "no run directory");
}

#[test]
fn a_slip_in_a_name_is_answered_with_the_name() {
    for args in [
        &["dpo_offpolcy"][..],
        &["run", "dpo_offpolcy", "--headless"],
        &["check", "experiments/dpo_offpolcy.ron"],
        &["verify", "dpo_offpolcy"],
        &["sweep", "dpo_offpolcy", "--set", "stages[DPO].steps=1,2"],
    ] {
        let output = ldyn(args);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {stderr}");
        // A path is answered with the file beside it.
        let meant = if args[0] == "check" { "experiments/dpo_offpolicy.ron" } else { "dpo_offpolicy" };
        assert!(stderr.contains(&format!("did you mean {meant}?")), "{args:?}: {stderr}");
    }
    let other = String::from_utf8(ldyn(&["check", "nothing_like_it"]).stderr).unwrap();
    assert!(other.contains("experiments/dpo_offpolicy.ron") && !other.contains("did you mean"), "{other}");
}

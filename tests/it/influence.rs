//! Questions about a recorded run, with the real binary: who moved an answer, where it lost, how alike two answers are.

use std::path::Path;
use std::process::{Command, Output};

fn ldyn(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ldyn-tui")).args(args).current_dir(folder).output().unwrap()
}

fn text(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    format!("{}{}", text(&output.stdout), text(&output.stderr))
}

/// What a command prints that ends well.
fn said(folder: &Path, args: &[&str]) -> String {
    let output = ldyn(folder, args);
    assert_eq!(output.status.code(), Some(0), "{args:?}: {}", text(&output));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_recorded_run_answers_questions_with_snapshots_and_without() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let set = [
        "data.train=16",
        "data.held_out=8",
        "probes.prompts=3",
        "probes.greedy=0",
        "probes.held_out=0",
        "stages[SFT].batch_size=4",
        "stages[DPO].batch_size=4",
        "stages[SFT].steps=4",
        "stages[SFT].evaluate_every=2",
        "stages[SFT].warmup_steps=0",
        "stages[DPO].steps=4",
        "stages[DPO].evaluate_every=2",
        "stages[DPO].warmup_steps=0",
        "output.snapshots_mb=500",
    ];
    let set: Vec<&str> = set.into_iter().flat_map(|value| ["--set", value]).collect();
    said(at, &[&["run", "dpo_offpolicy", "--headless", "--backend", "flex"], &set[..]].concat());
    let run = "runs/dpo_offpolicy-seed42";
    let snapshots = at.join(run).join("snapshots");
    let mut kept: Vec<_> = std::fs::read_dir(&snapshots).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    kept.sort_unstable();
    let one_an_evaluation = [2, 4, 6, 8].map(|step| std::ffi::OsString::from(format!("step-{step}.safetensors")));
    assert_eq!(kept, one_an_evaluation);

    let asked = ["influence", run, "--probe", "chosen", "--prompt", "1", "--window", "6..8", "--json"];
    let kept: serde_json::Value = serde_json::from_str(&said(at, &asked)).unwrap();
    assert!(kept["residual"].as_f64().unwrap().abs() < 1e-3, "{kept}");
    let with_timings = ldyn(at, &[&asked[..], &["--timings"]].concat());
    let told = String::from_utf8(with_timings.stderr).unwrap();
    assert!(told.contains("steps taken again") && told.contains("the shares of 2 steps"), "{told}");

    let tokens = ["tokens", run, "--probe", "rejected", "--prompt", "1", "--window", "4..8"];
    let looked = said(at, &tokens);
    assert!(looked.contains("steps 4 to 8") && looked.contains("where most was lost") && looked.contains("the line"));
    let named = said(at, &[&tokens[..], &["--position", "2"]].concat());
    assert!(named.contains("position 2 of ") && !named.contains("where most was lost"), "{named}");
    let beyond = ldyn(at, &[&tokens[..], &["--position", "999"]].concat());
    assert!(beyond.status.code() == Some(2) && text(&beyond).contains("--position 999: the answer has "));

    let kernel = said(at, &["kernel", run, "--observed", "1", "--learnt", "2", "--step", "4"]);
    assert!(["‖A‖", "‖K‖", "‖G‖", "learning y⁻ of example 2"].iter().all(|part| kernel.contains(part)), "{kernel}");
    let nobody = ldyn(at, &["kernel", run, "--observed", "1", "--learnt", "99"]);
    assert!(nobody.status.code() == Some(2) && text(&nobody).contains("--learnt 99: the run learns 16 examples"));

    let map = said(at, &["kernel", run, "--step", "6", "--prompts", "2", "--examples", "2"]);
    assert!(
        ["after 6 steps", "95 % interval", "cosine", "the most alike:"].iter().all(|part| map.contains(part)),
        "{map}"
    );
    let map = said(at, &["kernel", run, "--prompts", "2", "--examples", "2", "--json"]);
    let map: serde_json::Value = serde_json::from_str(&map).unwrap();
    assert_eq!((map["step"].as_u64(), map["cells"][1].as_array().map(Vec::len)), (Some(8), Some(4)), "{map}");
    let halved = ldyn(at, &["kernel", run, "--observed", "1"]);
    assert!(halved.status.code() == Some(2) && text(&halved).contains("--learnt"), "{}", text(&halved));

    // So short a run shows nothing of what its experiment must show.
    let claims = text(&ldyn(at, &["verify", run, "--influence", "2"]));
    assert!(claims.contains("F4") && claims.contains("by its own pair"), "{claims}");
    assert!(claims.contains("AUROC over windows"), "{claims}");

    // From the run's beginning the answer is the same.
    std::fs::remove_dir_all(&snapshots).unwrap();
    let anew: serde_json::Value = serde_json::from_str(&said(at, &asked)).unwrap();
    for (a, b) in kept["examples"].as_array().unwrap().iter().zip(anew["examples"].as_array().unwrap()) {
        assert_eq!(a["example"], b["example"]);
        assert!((a["net"].as_f64().unwrap() - b["net"].as_f64().unwrap()).abs() < 1e-4, "{a} {b}");
    }
}

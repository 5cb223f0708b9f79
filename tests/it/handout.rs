//! `data`: an experiment's pairs and probes for another trainer; `check` of a run file.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::recorded;

fn ldyn(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ldyn-tui")).args(args).current_dir(folder).output().unwrap()
}

fn rows(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn an_experiment_s_data_is_written_as_it_would_be_trained_on() {
    let folder = tempfile::tempdir().unwrap();
    let set = ["data.train=24", "data.held_out=4", "probes.prompts=3", "probes.max_new_tokens=8"];
    let set: Vec<&str> = set.iter().flat_map(|value| ["--set", value]).collect();
    let shared = [&["experiments/dpo_offpolicy.ron", "--seed", "7"], &set[..]].concat();
    let written = ldyn(folder.path(), &[&["data"], &shared[..], &["--out", "data"]].concat());
    assert!(written.status.success(), "{}", String::from_utf8_lossy(&written.stderr));
    let [train, probes, order] =
        ["train", "probes", "order"].map(|name| rows(&folder.path().join(format!("data/{name}.jsonl"))));
    assert_eq!((train.len(), probes.len(), order.len()), (24, 3, 64 + 288));
    // The probes are those that the program itself would record, with the answers that the model gives.
    let run = ldyn(folder.path(), &[&["run", "--headless", "--steps", "1", "--out", "runs"], &shared[..]].concat());
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let events = folder.path().join("runs/dpo_offpolicy-seed7/events.jsonl");
    let started = rows(&events).remove(0);
    for (row, recorded) in probes.iter().zip(started["probes"].as_array().unwrap()) {
        assert_eq!(row["prompt"], recorded["prompt"]);
        for (kind, response) in recorded["responses"].as_object().unwrap() {
            assert_eq!(row[kind], response["text"], "{kind}");
        }
        assert!(row.get("chosen_initial").is_some() && row.get("irr_train").is_some(), "{row}");
    }
    for (row, probe) in train.iter().zip(&probes) {
        for name in ["prompt", "chosen", "rejected"] {
            assert_eq!(row[name], probe[name]);
        }
    }
    // Three steps of eight are an epoch.
    for epoch in order.chunks(3).take(3) {
        let mut all: Vec<u64> = epoch
            .iter()
            .flat_map(|step| step["rows"].as_array().unwrap().iter().map(|r| r.as_u64().unwrap()))
            .collect();
        all.sort_unstable();
        assert_eq!(all, (0..24).collect::<Vec<_>>());
    }
    let again = ldyn(folder.path(), &[&["data"], &shared[..], &["--out", "data"]].concat());
    assert_eq!(again.status.code(), Some(2), "nothing is written over");
    assert!(String::from_utf8_lossy(&again.stderr).contains("train.jsonl: is there already"));
    let checked = ldyn(folder.path(), &["check", "runs/dpo_offpolicy-seed7"]);
    let said = String::from_utf8(checked.stdout).unwrap();
    assert!(
        checked.status.success() && said.contains("ok (dpo_offpolicy-seed7") && !said.contains("unknown"),
        "{said}"
    );
}

#[test]
fn a_run_file_is_checked_line_by_line() {
    let folder = tempfile::tempdir().unwrap();
    let run = recorded::write(folder.path(), &recorded::plain);
    let good = std::fs::read_to_string(run.join("events.jsonl")).unwrap();
    let check = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).unwrap();
        let output = ldyn(folder.path(), &["check", name]);
        let all = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
        (output.status.code(), all)
    };
    let (status, said) = check("good.jsonl", &good);
    assert_eq!(status, Some(0), "{said}");
    assert!(said.contains("good.jsonl: ok (made_up-seed7") && said.contains("finished)"), "{said}");
    let odd = good.replace("\"irr_hum\"", "\"my_judge\"").replacen(
        "{\"event\":\"step\"",
        "{\"mood\":1,\"event\":\"step\"",
        1,
    );
    let (status, said) = check("odd.jsonl", &(odd + "{\"event\":\"omen\"}\n{\"event\":\"st"));
    assert_eq!(status, Some(0), "{said}");
    for expected in ["`my_judge`", "unknown field `mood`", "unknown event `omen`, 1", "the last line breaks off"] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
    // The argmax of the first evaluation, below its label.
    let line = good.lines().position(|line| line.contains("\"evaluation\"")).unwrap() + 1;
    let (status, said) = check("lies.jsonl", &good.replacen("\"argmax_logps\":[-20.0", "\"argmax_logps\":[-2000.0", 1));
    assert_eq!(status, Some(2), "{said}");
    assert!(said.contains(&format!("lies.jsonl:{line}: the argmax along chosen of probe 0")), "{said}");
    let (status, said) = check("typed.jsonl", &good.replacen("\"stage\":0", "\"stage\":\"0\"", 1));
    assert_eq!(status, Some(2), "{said}");
    assert!(said.contains("stage: must be of type integer"), "{said}");
    let (status, said) = check("foreign.txt", "Dear diary,\n");
    assert_eq!(status, Some(2), "{said}");
    assert!(said.contains("foreign.txt:1:"), "{said}");
}

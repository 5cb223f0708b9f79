//! Ranking training pairs before a training, with the real binary.

use std::path::Path;
use std::process::{Command, Output};

use super::training::train;

fn ldyn(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ldyn-tui")).args(args).current_dir(folder).output().unwrap()
}

fn text(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    format!("{}{}", text(&output.stdout), text(&output.stderr))
}

#[test]
fn pairs_are_ranked_dropped_and_held_against_a_run() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let few = ["--set", "data.train=16", "--set", "data.held_out=8", "--set", "probes.prompts=4"];
    let preflight = [&["preflight", "dpo_offpolicy"], &few[..]].concat();
    let with = |further: &[&str]| ldyn(at, &[&preflight[..], further].concat());

    let ranked = with(&["--top", "2", "--csv", "all.csv", "--drop", "25%", "--out", "kept.jsonl"]);
    let said = text(&ranked);
    assert_eq!(ranked.status.code(), Some(0), "{said}");
    assert!(said.contains("16 pairs of dpo_offpolicy") && said.contains("  1. row ") && !said.contains("  3. row "));
    assert!(said.contains("kept.jsonl: 12 pairs kept, 4 dropped"), "{said}");
    let table = std::fs::read_to_string(at.join("all.csv")).unwrap();
    let scores: Vec<f64> = table.lines().skip(1).map(|line| line.split(',').nth(2).unwrap().parse().unwrap()).collect();
    assert!(scores.len() == 16 && scores.is_sorted_by(|a, b| a >= b), "{scores:?}");
    let banded = with(&["--top", "1", "--band", "--csv", "banded.csv"]);
    assert!(
        text(&banded).contains("band of w⁺/w⁻ from ") && text(&banded).contains("by the band"),
        "{}",
        text(&banded)
    );
    let table = std::fs::read_to_string(at.join("banded.csv")).unwrap();
    assert!(table.starts_with("rank,row,ches,ches_by_tokens,band_a,band_rho,band_lower,band_upper,prompt,"), "{table}");
    // What is left can be ranked again, and begins where the first four ended.
    let stage = "(name: \"SFT\", objective: sft, steps: 1, learning_rate: 1e-5)";
    let fits = format!("(name: \"kept\", data: preferences(train: {:?}), stages: [{stage}])", at.join("kept.jsonl"));
    std::fs::write(at.join("kept.ron"), fits).unwrap();
    let again = ldyn(at, &["preflight", "kept.ron", "--csv", "kept.csv"]);
    assert_eq!(again.status.code(), Some(0), "{}", text(&again));
    let kept = std::fs::read_to_string(at.join("kept.csv")).unwrap();
    let kept: Vec<f64> = kept.lines().skip(1).map(|line| line.split(',').nth(2).unwrap().parse().unwrap()).collect();
    assert!(kept.len() == 12 && kept.iter().zip(&scores[4..]).all(|(a, b)| (a / b - 1.0).abs() < 1e-5), "{kept:?}");

    let short = ["--set", "stages[SFT].steps=2", "--set", "stages[DPO].steps=2", "--set", "stages[DPO].warmup_steps=0"];
    let run = train(at, &[&["dpo_offpolicy", "--headless"], &short[..]].concat());
    assert_eq!(run.status.code(), Some(0), "{}", text(&run));
    let judged = with(&["--top", "0", "--against", "runs/dpo_offpolicy-seed42"]);
    let said = text(&judged);
    assert!(said.contains("of 4 observed pairs") && said.contains("AUROC"), "{said}");
}

#[test]
fn what_cannot_be_ranked_or_written_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    std::fs::write(at.join("there.csv"), "").unwrap();
    let few = ["--set", "data.train=4", "--set", "data.held_out=2", "--set", "probes.prompts=2"];
    for (args, expected) in [
        (vec!["preflight", "digits"], "this experiment's data has pictures"),
        (vec!["preflight", "sft", "--drop", "5%"], "--out"),
        (vec!["preflight", "sft", "--drop", "5", "--out", "x"], "expected a share from 0% to below 100%"),
        ([&["preflight", "sft", "--csv", "there.csv"][..], &few].concat(), "there.csv: is there already"),
        ([&["preflight", "sft", "--against", "nowhere"][..], &few].concat(), "nowhere"),
    ] {
        let output = ldyn(at, &args);
        let said = text(&output);
        assert!(output.status.code() == Some(2) && said.contains(expected), "{args:?}: {said}");
    }
}

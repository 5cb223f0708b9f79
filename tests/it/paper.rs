//! The paper's released files, where there are any: the folder that `LDYN_PAPER_DATA` names.

use std::path::PathBuf;
use std::process::Command;

use ldyn_tui::import::{self, Argmax, Broken, Trained};
use ldyn_tui::{DynamicsState, RunHistory};
use ldyn_tui::{check_claims, displacement};

/// The file, or a word on stderr that the test says nothing.
fn file(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("LDYN_PAPER_DATA").map(|folder| PathBuf::from(folder).join(name));
    let found = path.filter(|path| path.exists());
    if found.is_none() {
        eprintln!("SKIPPED, nothing was tested: there is no {name} in the folder of LDYN_PAPER_DATA");
    }
    found
}

fn longest(name: &str, trained: Option<Trained>) -> Option<RunHistory> {
    Some(import::read(&file(name)?, trained).unwrap().into_recording().history())
}

#[test]
fn the_displaced_share_of_the_410m_dpo_run() {
    let Some(history) = longest("logps_pythia410m_dpo.npy", None) else { return };
    let rates = displacement(&history).unwrap();
    let at = |row: usize| format!("{:.1}", 100.0 * rates[row].1.value);
    assert_eq!([5, 20, 30, 49].map(at), ["6.6", "12.4", "23.4", "37.6"]);
    assert_eq!((rates.len(), rates[0].1.n), (50, 500));
}

#[test]
fn the_files_that_break_the_invariant_are_flagged() {
    for (name, runs, broken) in [
        ("logps_pythia410m_dpo.npy", 1, true),
        ("curves_qwen18_extend_sft.jsonl", 1, true),
        ("curves_pythia410m_sft_argmax.jsonl", 1, false),
        ("curves_pythia410m_dpo_argmax_flat.jsonl", 2, false),
    ] {
        let Some(path) = file(name) else { return };
        let imported = import::read(&path, None).unwrap();
        assert_eq!(imported.runs.len(), runs, "{name}");
        assert_eq!(matches!(imported.argmax, Argmax::Broken(_)), broken, "{name}");
        let rows = imported.longest().unwrap().rows.len();
        assert!([40, 50].contains(&rows), "{name}: {rows}");
        if let (Argmax::Broken(Broken { in_row, row, .. }), 500) = (&imported.argmax, imported.prompts) {
            assert_eq!((*row, *in_row), (0, 178));
        }
    }
}

#[test]
fn finetuning_is_no_squeeze_and_a_flat_argmax_only_displaces() {
    for trained in [None, Some(Trained::Dpo)] {
        let Some(sft) = longest("curves_pythia410m_sft_argmax.jsonl", trained) else { return };
        assert!(sft.detector.alarms().next().is_none() && sft.detector.state == DynamicsState::Healthy);
    }
    let Some(dpo) = longest("curves_pythia410m_dpo_argmax_flat.jsonl", None) else { return };
    assert!(dpo.detector.alarms().next().is_none());
    assert_eq!(dpo.detector.state, DynamicsState::Displacing);
}

#[test]
fn the_means_of_the_paper_are_its_table() {
    let Some(dpo) = longest("curves_pythia410m_dpo.jsonl", None) else { return };
    let claims = &check_claims(&[dpo])[0].claims;
    let d2 = claims.iter().find(|c| c.id == "D2").unwrap();
    // −121.4 → −197.6.
    assert!((d2.figures[0].pooled.value + 76.2).abs() < 0.15, "{d2:?}");
}

#[test]
fn verify_import_tells_all_of_it_and_succeeds() {
    let names = ["logps_pythia410m_dpo.npy", "curves_pythia410m_dpo_argmax_flat.jsonl"];
    let Some(files) = names.iter().map(|name| file(name)).collect::<Option<Vec<_>>>() else { return };
    let output =
        Command::new(env!("CARGO_BIN_EXE_ldyn-tui")).args(["verify", "--import"]).args(files).output().unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{stderr}");
    let told = "displaced since row 0: 6.6 % at row 5, 12.4 % at row 20, 23.4 % at row 30, 37.6 % at row 49";
    assert!(stdout.contains(told) && stdout.contains("WARNING"), "{stdout}");
    assert!(stderr.starts_with("warning: 1 of 2 files have an argmax below its label"), "{stderr}");
}

//! Recorded runs side by side.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use ldyn_tui::protocol::{ProbeKind, TrainerEvent};
use ldyn_tui::{RunDirectory, RunWriter};

use super::pty::{Launch, Terminal};
use super::recorded;
use super::sequences::assert_harmless;

fn ldyn(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ldyn-tui")).args(args).current_dir(folder).output().unwrap()
}

/// The made-up run under another name and seed, with y⁺ `higher` at every evaluation after step 24.
fn write(parent: &Path, experiment: &str, seed: u64, higher: f32) -> PathBuf {
    let directory = RunDirectory::create(parent, &format!("run-seed{seed}"), "()").unwrap();
    let mut writer = RunWriter::create(directory.events()).unwrap();
    for mut event in recorded::events(&recorded::plain) {
        match &mut event {
            TrainerEvent::RunStarted(run) => {
                run.experiment = experiment.to_owned();
                run.seed = seed;
            }
            TrainerEvent::Evaluation(e) if e.step > 24 => {
                Arc::make_mut(e).logps.get_mut(ProbeKind::Chosen).unwrap().iter_mut().for_each(|x| *x += higher);
            }
            _ => {}
        }
        writer.write(&event).unwrap();
    }
    writer.flush().unwrap();
    directory.root().to_owned()
}

/// Two arms of two seeds; the second has y⁺ 2.5 nats higher.
fn runs(folder: &Path) -> Vec<String> {
    let all = [("dpo", 1, 0.0), ("dpo", 2, 0.0), ("rem\u{202e}edy", 1, 2.5), ("rem\u{202e}edy", 2, 2.5)];
    let written = all.map(|(name, seed, higher)| write(folder, name, seed, higher));
    written.iter().map(|run| run.to_str().unwrap().to_owned()).collect()
}

#[test]
fn without_a_terminal_the_differences_are_a_table() {
    let folder = tempfile::tempdir().unwrap();
    let runs = runs(folder.path());
    let args: Vec<&str> = ["compare"].into_iter().chain(runs.iter().map(String::as_str)).collect();
    let output = ldyn(folder.path(), &args);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("rem<U+202E>edy (2 runs) − dpo (2 runs), stage DPO, at step 40 of the stage"), "{text}");
    assert!(text.contains("12 pairs, the same seed and prompt in both"), "{text}");
    let chosen = text.lines().find(|line| line.trim_start().starts_with("y⁺ ")).unwrap();
    assert_eq!(chosen.matches("+2.50 [+2.50, +2.50] *").count(), 2, "as a change and as a level: {chosen}");
    let rejected = text.lines().find(|line| line.trim_start().starts_with("y⁻ ")).unwrap();
    assert!(rejected.contains("+0.00 [+0.00, +0.00]") && !rejected.contains('*'), "{rejected}");
}

#[test]
fn tables_and_figures_are_written_and_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let runs = runs(folder.path());
    let more = ["--format", "csv,svg,png,txt", "--out", "out", "--by", "loss"];
    let args: Vec<&str> = ["compare"].into_iter().chain(runs.iter().map(String::as_str)).chain(more).collect();
    for files in [5, 10] {
        let output = ldyn(folder.path(), &args);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), 5);
        assert_eq!(std::fs::read_dir(folder.path().join("out")).unwrap().count(), files);
    }
    let table =
        std::fs::read_to_string(folder.path().join("out/dpo-vs-rem_U_202E_edy-compare-by-loss-differences.csv"))
            .unwrap();
    assert!(table.starts_with("loss,curve,arm,baseline,scale,"), "{table}");
    let last = table.lines().rfind(|line| line.contains(",chosen,") && line.contains(",delta,")).unwrap();
    assert!(last.ends_with(",2.5,2.5,2.5,12,true"), "{last}");
}

#[test]
fn arms_that_cannot_be_told_apart_are_refused_with_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let runs = runs(folder.path());
    let (a, b) = (runs[0].as_str(), runs[1].as_str());
    for (args, message) in [
        (vec![a, b], "LABEL=RUN tells arms of one experiment apart"),
        (vec![a, a, runs[2].as_str()], "a second run of dpo with seed 1"),
        (vec![a, runs[2].as_str(), "--stage", "KTO"], "there is no stage KTO; the run has SFT, DPO"),
        (vec![a, runs[2].as_str(), "--stage", "SFT", "--by", "margin"], "training margin of stage SFT never grows"),
        (vec![a, runs[2].as_str(), "--curve", "choosen"], "there is no such curve"),
        (vec![a, "no_such_run"], "no_such_run"),
        // The made-up runs have no summary that says how they ended.
        (vec![a, "."], "there is no finished run in it"),
    ] {
        let output = ldyn(folder.path(), &["compare"].into_iter().chain(args.clone()).collect::<Vec<_>>());
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(stderr.contains(message), "{args:?}: {stderr}");
        assert_eq!(output.status.code(), Some(2), "{args:?}");
    }
    let labelled = ldyn(folder.path(), &["compare", &format!("one={a}"), &format!("two={b}")]);
    assert!(labelled.status.success());
    assert!(String::from_utf8_lossy(&labelled.stdout).contains("two (1 run) − one (1 run)"));
}

#[test]
fn the_screen_opens_takes_keys_and_leaves_a_clean_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let runs = runs(folder.path());
    let args: Vec<&str> = ["compare"].into_iter().chain(runs.iter().map(String::as_str)).collect();
    let mut terminal = Terminal::start(&Launch::new(folder.path(), &args));
    terminal.wait_for("differences");
    terminal.wait_for("by step");
    terminal.send("b");
    terminal.wait_for("at matched training loss");
    terminal.send("j\t");
    terminal.send("?");
    terminal.wait_for("align the runs by step");
    terminal.send("q");
    terminal.wait_until("the help is closed", |screen| !screen.contains("align the runs by step"));
    terminal.send("s");
    terminal.wait_for("written: ");
    terminal.send("q");
    assert_eq!(terminal.wait(), 0);
    terminal.assert_clean();
    assert_harmless(&terminal.bytes());
    let pictures = std::fs::read_dir(folder.path().join("screenshots"))
        .unwrap()
        .filter(|e| e.as_ref().unwrap().path().extension().is_some_and(|e| e == "png"));
    assert_eq!(pictures.count(), 1);
}

#[test]
fn a_signal_ends_it_with_130() {
    let folder = tempfile::tempdir().unwrap();
    let runs = runs(folder.path());
    let args: Vec<&str> = ["compare"].into_iter().chain(runs.iter().map(String::as_str)).collect();
    let mut terminal = Terminal::start(&Launch::new(folder.path(), &args));
    terminal.wait_for("differences");
    terminal.signal("TERM");
    assert_eq!(terminal.wait(), 130);
    terminal.assert_clean();
}

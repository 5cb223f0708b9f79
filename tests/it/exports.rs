//! A recording as files made of numbers, by the program itself.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// The recording that ships with a lesson: a real run, packed.
const RECORDING: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/experiments/lessons/dpo_offpolicy.jsonl.gz");

/// What the program writes, by the end of each file's name.
fn exported(formats: &str, folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ldyn-tui"));
    let output = command.args(["export", RECORDING, "--format", formats, "--out"]).arg(folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let files: BTreeMap<_, _> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(path).unwrap()))
        .collect();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(said.lines().count(), files.len(), "every path is printed: {said}");
    files
}

fn ending<'a>(files: &'a BTreeMap<String, Vec<u8>>, end: &str) -> &'a str {
    let mut found = files.iter().filter(|(name, _)| name.ends_with(end));
    let (_, bytes) = found.next().unwrap_or_else(|| panic!("no file {end} among {:?}", files.keys()));
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn the_long_table_has_the_numbers_of_the_wide_one() {
    let folder = tempfile::tempdir().unwrap();
    let files = exported("csv,jsonl", folder.path());
    let mut wide = ending(&files, "evaluations.csv").lines();
    let columns: Vec<&str> = wide.next().unwrap().split(',').collect();
    let place = |name: &str| columns.iter().position(|c| *c == name).unwrap_or_else(|| panic!("{name} in {columns:?}"));
    let (step, chosen) = (place("step"), place("chosen_mean"));
    let of_csv = wide.map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
    let of_csv: Vec<_> = of_csv.map(|cells| (cells[step].clone(), cells[chosen].clone())).collect();
    let of_jsonl: Vec<_> = ending(&files, "evaluations.jsonl")
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .filter(|row| row["kind"] == "chosen")
        .map(|row| (row["step"].to_string(), row["mean"].as_f64().unwrap()))
        .collect();
    assert!(of_csv.len() > 10 && of_csv.len() == of_jsonl.len(), "{} {}", of_csv.len(), of_jsonl.len());
    for ((step, number), (long_step, mean)) in of_csv.iter().zip(&of_jsonl) {
        assert_eq!((step, number.parse::<f64>().unwrap()), (long_step, *mean));
    }
}

#[test]
fn a_page_and_a_figure_are_whole_by_themselves() {
    let folder = tempfile::tempdir().unwrap();
    let files = exported("html,figure,pdf", folder.path());
    let page = ending(&files, ".html");
    assert!(page.contains("Content-Security-Policy") && page.contains("dpo_offpolicy"));
    let figure = ending(&files, "-figure.svg");
    assert!(figure.starts_with("<svg") && figure.contains("88mm"));
    let (_, printed) = files.iter().find(|(name, _)| name.ends_with("-figure.pdf")).unwrap();
    assert!(printed.starts_with(b"%PDF-") && printed.ends_with(b"%%EOF"));
    for (file, text) in [("page", page), ("figure", figure)] {
        let fetches = ["src=\"http", "href=\"http", "url(http", "@import"].into_iter().find(|&how| text.contains(how));
        assert_eq!(fetches, None, "the {file} fetches nothing");
    }
}

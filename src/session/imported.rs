//! `verify --import`: what the paper's files hold, and what they say of the claims.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::claims::{self, Checked};
use crate::cli::{say, tell};
use crate::error::Result;
use crate::history::{MarkKind, RunHistory};
use crate::record::import::{self, Argmax, Imported, Trained};
use crate::text::Shown;

/// Rows at which the share of displaced prompts is told, besides the last.
const ROWS: [u64; 3] = [5, 20, 30];

/// Claims that the curves of one stage can say something of.
const OF_SFT: [&str; 6] = ["S1", "S2", "S3", "S4", "S5", "quiet"];
const OF_DPO: [&str; 5] = ["D1", "D2", "D3", "D4", "squeeze"];

/// Describes every file on stdout, then checks the claims on the longest run of each. A file that breaks argmax ≥ label is
/// told of, on stderr too, and is no error: what is left of it is sound.
pub(super) fn check(files: &[PathBuf], trained: Option<Trained>) -> Result<Vec<Checked>> {
    let mut checked = Vec::new();
    let mut broken = Vec::new();
    for path in files {
        let imported = import::read(path, trained)?;
        let breaks = matches!(imported.argmax, Argmax::Broken(_));
        let (kind, described) = (imported.trained, describe(path, &imported));
        let history = imported.into_recording().history();
        say(&format!("{described}{}\n", told(&history)))?;
        if breaks {
            broken.push(path.display().to_string());
        }
        let fits = if kind == Trained::Dpo { &OF_DPO[..] } else { &OF_SFT[..] };
        for mut of_file in claims::check(&[history]) {
            of_file.claims.retain(|claim| fits.contains(&claim.id));
            // The files do not tell their seeds.
            of_file.seeds.clear();
            checked.push(of_file);
        }
    }
    if !broken.is_empty() {
        let (n, of, names) = (broken.len(), files.len(), broken.join(", "));
        tell(&Shown::new(&format!("warning: {n} of {of} files have an argmax below its label: {names}")));
    }
    Ok(checked)
}

/// What a file is, its restarts, its invariant.
fn describe(path: &Path, imported: &Imported) -> String {
    let rows: usize = imported.runs.iter().map(|run| run.rows.len()).sum();
    let numbers = match imported.prompts {
        1 => "means over prompts".to_owned(),
        n => format!("{n} prompts"),
    };
    let source = if imported.guessed { "by its name" } else { "as told" };
    let mut lines = vec![
        path.display().to_string(),
        format!("  {} ({source}), {rows} rows of {numbers}; token counts unknown, τ 0", imported.trained.title()),
    ];
    match &imported.argmax {
        Argmax::Absent => lines.push("  argmax ≥ y⁺: there is no argmax".to_owned()),
        Argmax::Sound if imported.prompts == 1 => {
            lines.push("  argmax ≥ y⁺: holds in every mean, which can hide prompts that break it".to_owned());
        }
        Argmax::Sound => lines.push("  argmax ≥ y⁺: holds on every prompt in every row".to_owned()),
        Argmax::Broken(_) => {}
    }
    lines.extend(imported.warnings.iter().map(|warning| format!("  WARNING {warning}")));
    lines.iter().map(|line| format!("{}\n", Shown::new(line))).collect()
}

/// What the detector said on the way, and how many prompts were displaced since the first row.
fn told(history: &RunHistory) -> String {
    let mut text = String::new();
    let states = history.marks.iter().filter(|mark| matches!(mark.kind, MarkKind::State | MarkKind::Alarm));
    for mark in states {
        let _ = writeln!(text, "  row {}: {}", mark.step, mark.text);
    }
    let detector = &history.detector;
    let alarms = if detector.alarms().next().is_none() { "never an alarm" } else { "with an alarm" };
    let _ = writeln!(text, "  detector at the end: {}, {alarms}", detector.state.title());
    if detector.began().is_some() {
        let _ = writeln!(text, "    {}", detector.announcement());
    }
    let last = history.step;
    match claims::displacement(history) {
        Ok(rates) if rates.iter().any(|(_, rate)| rate.n > 1) => {
            let told = rates.iter().filter(|(row, _)| ROWS.contains(row) || *row == last);
            let told: Vec<String> =
                told.map(|(row, rate)| format!("{:.1} % at row {row}", 100.0 * rate.value)).collect();
            let _ = writeln!(text, "  displaced since row 0: {}", told.join(", "));
        }
        // Of one mean a share says nothing.
        _ => {}
    }
    text
}

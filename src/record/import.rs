//! The paper's own curves as runs, so that they can be replayed, compared and checked like ours.
//!
//! Two kinds of file, both of one training run in rows of evaluations:
//! - `curves_*.jsonl`: means over the probe prompts, one JSON object a row (see `curves`);
//! - `logps_*.npy`: the same prompt by prompt (see `npy`).
//!
//! A row becomes an evaluation whose step is its place in the run; sums of log-probs, probe names and rows stay the
//! paper's. What the files do not say is left unknown, never made up: token counts are 0 (so that per-token scales show
//! nothing) and τ is 0 (so that any fall counts as one), there is no text, no learning rate, no mass flow. Files do not
//! say what was trained either: the name does, or the caller.
//!
//! At every position the argmax is at least the label, so its sums are too, and so are means of sums. Early releases
//! break that: a loop had overwritten argmax, ‖A‖_F, p_e and energy with those of another response. Where the invariant
//! is broken, all four are left out, and a warning says so.

mod curves;
mod npy;
mod restarts;
mod row;

use std::fs::File;
use std::io::Read;
use std::path::Path;

use self::row::{Quantity, Row, Table};
use crate::error::{Error, Location, Result};
use crate::protocol::{
    DetectorSettings, Evaluation, FORMAT_VERSION, PrefixReading, ProbeKind, ProbePrompt, ProbeResponse, RunPhase,
    RunStarted, StageInfo, TrainerEvent,
};
use crate::record::Recording;
use crate::text::Shown;

/// Largest file that is read: the paper's are below 4 MiB.
const MAX_BYTES: u64 = 256 << 20;

/// How far the sum of the argmax may lie below the label's, nats: rounding, not a mistake.
const ARGMAX_SLACK: f64 = 1e-3;

/// What a file's rows were recorded in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Trained {
    /// Supervised finetuning.
    Sft,
    /// Preference optimisation.
    Dpo,
}

impl Trained {
    /// What the file's name says; of two words the later one (`sft_then_dpo`).
    fn of_name(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_string_lossy().to_lowercase();
        let last = [(name.rfind("sft"), Self::Sft), (name.rfind("dpo"), Self::Dpo)];
        last.into_iter().filter_map(|(at, trained)| Some((at?, trained))).max_by_key(|(at, _)| *at).map(|(_, t)| t)
    }

    /// The stage's name.
    pub fn title(self) -> &'static str {
        match self {
            Self::Sft => "SFT",
            Self::Dpo => "DPO",
        }
    }
}

/// Whether the argmax can be what it is called.
#[derive(Debug, Clone, PartialEq)]
pub enum Argmax {
    /// The file has none.
    Absent,
    /// Nowhere below the label.
    Sound,
    /// Below the label: it belongs to another response.
    Broken(Broken),
}

/// A place where the argmax is below the label y⁺.
#[derive(Debug, Clone, PartialEq)]
pub struct Broken {
    /// Numbers that are, of `of`.
    pub count: usize,
    /// Numbers looked at: rows times prompts.
    pub of: usize,
    /// Row of the first, counted from 0.
    pub row: usize,
    /// Prompt of the first, counted from 0.
    pub prompt: usize,
    /// How many there are in that row.
    pub in_row: usize,
    /// The argmax there, nats.
    pub argmax: f64,
    /// The label there, nats.
    pub label: f64,
}

/// A file of the paper's as runs.
#[derive(Debug, Clone)]
pub struct Imported {
    /// What was trained.
    pub trained: Trained,
    /// Whether that was read off the file's name.
    pub guessed: bool,
    /// Prompts; 1 where the file holds means.
    pub prompts: usize,
    /// The runs in the file, in the order of their first rows.
    pub runs: Vec<ImportedRun>,
    /// Whether argmax ≥ label holds.
    pub argmax: Argmax,
    /// What is wrong with the file, in words.
    pub warnings: Vec<Shown>,
}

/// One of the runs in a file.
#[derive(Debug, Clone)]
pub struct ImportedRun {
    /// The run's rows in the file, counted from 0.
    pub rows: Vec<usize>,
    /// The rows as a run of ours.
    pub events: Vec<TrainerEvent>,
}

impl Imported {
    /// The run with most rows: a restart that breaks off adds nothing.
    pub fn longest(&self) -> Option<&ImportedRun> {
        self.runs.iter().rev().max_by_key(|run| run.rows.len())
    }

    /// The longest run, for whoever can show only one.
    pub fn into_recording(self) -> Recording {
        let events = self.longest().map(|run| run.events.clone()).unwrap_or_default();
        Recording { events, warnings: self.warnings }
    }
}

/// Whether a file that begins like this is the paper's.
pub(super) fn recognise(beginning: &[u8]) -> bool {
    npy::is_npy(beginning) || curves::is_curves(beginning)
}

/// Reads a file of the paper's. `trained` says what was trained; if absent, the file's name does.
///
/// # Errors
/// With file and line or byte: when the file is neither of the two kinds, or damaged, or nobody says what was trained.
pub fn read(path: &Path, trained: Option<Trained>) -> Result<Imported> {
    read_from(path, File::open(path).map_err(|e| Error::reading(path, &e))?, trained)
}

/// Reads the paper's curves from anything; `path` is what errors name.
pub(super) fn read_from(path: &Path, input: impl Read, trained: Option<Trained>) -> Result<Imported> {
    let mut bytes = Vec::new();
    input.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|e| Error::reading(path, &e))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(Error::input(Location::file(path), "is larger than 256 MiB", "cut it into files of one run each"));
    }
    let table = if npy::is_npy(&bytes) { npy::parse(path, &bytes)? } else { curves::parse(path, &bytes)? };
    let guessed = trained.is_none();
    let trained = trained.or_else(|| Trained::of_name(path)).ok_or_else(|| {
        let problem = "whether SFT or DPO was trained is neither in the file nor in its name";
        Error::input(
            Location::file(path),
            problem,
            "say `verify --as sft` or `--as dpo`, or put the word into the name",
        )
    })?;
    Ok(import(path, &table, trained, guessed))
}

fn import(path: &Path, table: &Table, trained: Trained, guessed: bool) -> Imported {
    let argmax = argmax_against_label(table);
    let keep_argmax = !matches!(argmax, Argmax::Broken(_));
    let split = restarts::split(&table.rows);
    let runs: Vec<ImportedRun> = split
        .into_iter()
        .enumerate()
        .map(|(number, rows)| {
            let events = events(path, table, &rows, trained, number, keep_argmax);
            ImportedRun { rows, events }
        })
        .collect();
    let mut imported = Imported { trained, guessed, prompts: table.prompts, runs, argmax, warnings: Vec::new() };
    let file = path.display();
    if let Argmax::Broken(broken) = &imported.argmax {
        imported.warnings.push(Shown::new(&format!("{file}: {}", broken.describe(table.prompts))));
    }
    if imported.runs.len() > 1 {
        let listed: Vec<String> = imported.runs.iter().map(|run| restarts::in_words(&run.rows)).collect();
        let problem = format!("{file}: holds {} runs: {}; the longest is read", listed.len(), listed.join(" and "));
        imported.warnings.push(Shown::new(&problem));
    }
    imported
}

/// Looks for an argmax below y⁺.
fn argmax_against_label(table: &Table) -> Argmax {
    let mut broken: Option<Broken> = None;
    let mut of = 0;
    for (at, row) in table.rows.iter().enumerate() {
        let chosen = row.get(&Quantity::Probe(ProbeKind::Chosen));
        let Some((argmax, label)) = row.get(&Quantity::Argmax).zip(chosen) else { return Argmax::Absent };
        of += argmax.len();
        for (prompt, (&argmax, &label)) in argmax.iter().zip(label).enumerate() {
            if argmax < label - ARGMAX_SLACK {
                let first = Broken { count: 0, of: 0, row: at, prompt, in_row: 0, argmax, label };
                let found = broken.get_or_insert(first);
                found.count += 1;
                found.in_row += usize::from(found.row == at);
            }
        }
    }
    broken.map_or(Argmax::Sound, |found| Argmax::Broken(Broken { of, ..found }))
}

impl Broken {
    /// The place in words; rows count from 0 as in the paper, prompts from 1 as on the screen.
    pub fn describe(&self, prompts: usize) -> String {
        let Self { count, of, row, prompt, in_row, argmax, label } = self;
        let (whose, many) = if prompts == 1 {
            ("the mean".to_owned(), String::new())
        } else {
            (format!("prompt {}", prompt + 1), format!(", {in_row} of {prompts} prompts in that row"))
        };
        format!(
            "the argmax along y⁺ is below y⁺ in {count} of {of} numbers (first in row {row}, {whose}: {argmax:.1} against \
             {label:.1}{many}): it belongs to another response; argmax, ‖A‖_F, p_e and energy are left out"
        )
    }
}

/// Rows of the file as the events of one run.
fn events(
    path: &Path,
    table: &Table,
    rows: &[usize],
    trained: Trained,
    number: usize,
    keep_argmax: bool,
) -> Vec<TrainerEvent> {
    let rows: Vec<&Row> = rows.iter().filter_map(|&row| table.rows.get(row)).collect();
    let steps = rows.len().saturating_sub(1) as u64;
    let mut events = vec![
        TrainerEvent::RunStarted(Box::new(started(path, table, steps, trained, number))),
        TrainerEvent::StageStarted { stage: 0, step: 0 },
    ];
    events.extend((0_u64..).zip(rows).map(|(step, row)| evaluation(row, step, keep_argmax)));
    events.push(TrainerEvent::Phase { phase: RunPhase::Finished, step: steps });
    events
}

fn started(path: &Path, table: &Table, steps: u64, trained: Trained, number: usize) -> RunStarted {
    let file = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    let name = path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    let kinds: Vec<ProbeKind> = table.rows.first().into_iter().flat_map(Row::keys).filter_map(|q| q.probe()).collect();
    let no_text = "(the file holds no text)";
    let response = || ProbeResponse { text: no_text.to_owned(), tokens: 0 };
    let prompt = |prompt: String| ProbePrompt {
        prompt,
        responses: kinds.iter().map(|&kind| (kind, response())).collect(),
        chosen_tokens: Vec::new(),
        rejected_tokens: Vec::new(),
    };
    let of_prompt = |i: usize| {
        if table.prompts == 1 {
            format!("mean over the prompts of {file}")
        } else {
            format!("prompt {} of {file}", i + 1)
        }
    };
    let stage = StageInfo {
        name: trained.title().to_owned(),
        objective: if trained == Trained::Dpo { "sigmoid" } else { "sft" }.to_owned(),
        has_rejected: trained == Trained::Dpo,
        on_policy: false,
        steps,
        learning_rate: f64::NAN,
        beta: None,
    };
    RunStarted {
        classes: Vec::new(),
        means: table.means,
        format_version: FORMAT_VERSION,
        run_id: if number == 0 { name.clone() } else { format!("{name}-restart{number}") },
        experiment: name,
        description: format!("Imported from {file}. A step is a row of the file; token counts are unknown, τ is 0."),
        seed: number as u64,
        backend: "imported".to_owned(),
        model: format!("the model of {file}"),
        vocab_size: 0,
        stages: vec![stage],
        claims: Vec::new(),
        baseline: None,
        detector: DetectorSettings { tau: 0.0, ..DetectorSettings::default() },
        probes: (0..table.prompts).map(|i| prompt(of_prompt(i))).collect(),
    }
}

fn evaluation(row: &Row, step: u64, keep_argmax: bool) -> TrainerEvent {
    #[allow(clippy::cast_possible_truncation, reason = "a run holds single precision; f32 keeps the order of two sums")]
    let single = |values: &Vec<f64>| values.iter().map(|&x| x as f32).collect::<Vec<f32>>();
    let read = |q: Quantity| row.get(&q).map(single).unwrap_or_default();
    let chosen = PrefixReading {
        argmax_logps: read(Quantity::Argmax),
        p_e: read(Quantity::PE),
        energy: read(Quantity::Energy),
        a_frobenius: read(Quantity::AFrobenius),
        ..PrefixReading::default()
    };
    let logps = row.iter().filter_map(|(q, values)| Some((q.probe()?, single(values)))).collect();
    let chosen = if keep_argmax { chosen } else { PrefixReading::default() };
    TrainerEvent::from(Evaluation { step, stage: 0, logps, chosen, ..Evaluation::default() })
}

#[cfg(test)]
mod tests;

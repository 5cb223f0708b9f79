//! Tables of typed cells in the long form, a row a number or a few: what JSON lines and Parquet files are made of, and those
//! tables of the CSV that are long themselves.
//!
//! `evaluations` has a row per evaluation and kind of answer (`mean`, `q1`, `q3` over prompts, nats), `pairs` one per
//! evaluation, kind and prompt (`logp`), `steps` one per optimiser step and metric. [`forces`] and [`classes`] are the CSV's.

use std::sync::Arc;

use crate::history::classes::entry;
use crate::history::{CurveId, RunHistory, Scale};

/// The curves that the run has.
pub(super) fn present(history: &RunHistory) -> Vec<CurveId> {
    history.curves().filter(|c| history.evaluations.iter().any(|e| c.values(e).is_some())).collect()
}

/// What the cells of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// Whole numbers: steps, indices.
    Counts,
    /// Numbers.
    Numbers,
    /// Text, raw.
    Texts,
}

/// One cell.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// A whole number.
    Count(u64),
    /// A number; NaN is a gap.
    Number(f64),
    /// Raw text.
    Text(Arc<str>),
    /// Nothing.
    Empty,
}

impl Cell {
    /// A count from an index.
    pub(super) fn index(index: usize) -> Self {
        Self::Count(u64::try_from(index).unwrap_or(u64::MAX))
    }

    /// Text.
    pub(super) fn text(text: &str) -> Self {
        Self::Text(text.into())
    }
}

/// A table: named columns, each of one type, and rows of as many cells.
#[derive(Debug, Clone, PartialEq)]
pub struct Sheet {
    /// What is added to the name of its file.
    pub name: &'static str,
    /// The columns, in order.
    pub columns: Vec<(&'static str, Of)>,
    cells: Vec<Cell>,
}

impl Sheet {
    /// A table without rows.
    pub(super) fn new(name: &'static str, columns: &[(&'static str, Of)]) -> Self {
        Self { name, columns: columns.to_vec(), cells: Vec::new() }
    }

    /// Appends a row: a cell a column.
    pub(super) fn push(&mut self, row: impl IntoIterator<Item = Cell>) {
        self.cells.extend(row);
    }

    /// The rows, in order.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[Cell]> {
        self.cells.chunks_exact(self.columns.len())
    }

    /// The cells of a column, in order: what a columnar file is written from.
    #[cfg(feature = "parquet")]
    pub fn column(&self, at: usize) -> impl Iterator<Item = &Cell> {
        self.cells.iter().skip(at).step_by(self.columns.len())
    }
}

/// Every long table of a run.
pub fn of_run(history: &RunHistory) -> Vec<Sheet> {
    let measured =
        if history.class_count() > 0 { vec![classes(history)] } else { vec![evaluations(history), pairs(history)] };
    let forces = (!history.forces.entries.is_empty()).then(|| forces(history));
    measured.into_iter().chain(forces).chain([steps(history)]).collect()
}

/// A row per evaluation and kind.
fn evaluations(history: &RunHistory) -> Sheet {
    use Of::{Counts, Numbers, Texts};
    let columns =
        [("step", Counts), ("stage", Counts), ("kind", Texts), ("mean", Numbers), ("q1", Numbers), ("q3", Numbers)];
    let mut sheet = Sheet::new("evaluations", &columns);
    for curve in present(history) {
        let key: Arc<str> = curve.key().into();
        let mean = history.curve(curve, Scale::LogProb, None);
        let (low, high) = history.quartiles(curve, Scale::LogProb, 0..usize::MAX, usize::MAX);
        let measured = history.evaluations.iter().filter(|e| curve.values(e).is_some());
        for (at, evaluation) in measured.enumerate() {
            let number = |series: &crate::history::Series| Cell::Number(series.get(at).map_or(f64::NAN, |(_, x)| x));
            let head = [Cell::Count(evaluation.step), Cell::index(evaluation.stage), Cell::Text(key.clone())];
            sheet.push(head.into_iter().chain([&mean, &low, &high].map(number)));
        }
    }
    sheet
}

/// A row per evaluation, kind and prompt.
fn pairs(history: &RunHistory) -> Sheet {
    use Of::{Counts, Numbers, Texts};
    let columns =
        [("step", Counts), ("stage", Counts), ("kind", Texts), ("pair", Counts), ("prompt", Texts), ("logp", Numbers)];
    let mut sheet = Sheet::new("pairs", &columns);
    let prompts: Vec<Arc<str>> =
        history.run.iter().flat_map(|run| &run.probes).map(|probe| probe.prompt.as_str().into()).collect();
    for curve in present(history) {
        let key: Arc<str> = curve.key().into();
        for evaluation in &history.evaluations {
            for (pair, &logp) in curve.values(evaluation).unwrap_or_default().iter().enumerate() {
                let prompt = prompts.get(pair).map_or(Cell::Empty, |prompt| Cell::Text(prompt.clone()));
                let head = [Cell::Count(evaluation.step), Cell::index(evaluation.stage), Cell::Text(key.clone())];
                sheet.push(head.into_iter().chain([Cell::index(pair), prompt, Cell::Number(logp.into())]));
            }
        }
    }
    sheet
}

/// A row per optimiser step and metric that was logged there.
fn steps(history: &RunHistory) -> Sheet {
    let mut sheet = Sheet::new("steps", &[("step", Of::Counts), ("metric", Of::Texts), ("value", Of::Numbers)]);
    for (key, series) in &history.metrics {
        let key: Arc<str> = key.0.as_ref().into();
        for (step, value) in series.iter() {
            sheet.push([Cell::Count(step), Cell::Text(key.clone()), Cell::Number(value)]);
        }
    }
    sheet
}

/// A row per window, kind and prompt, the mean over prompts first, with an empty cell for the prompt: the change of the
/// answer's log-prob since the stage began, `measured`, and its parts `pull`, `push`, `decay` and `residual`, which add up to
/// it, nats. `prompt` is the index that the table of pairs calls `pair`.
pub fn forces(history: &RunHistory) -> Sheet {
    use Of::{Counts, Numbers, Texts};
    let columns = [
        ("step", Counts),
        ("stage", Counts),
        ("kind", Texts),
        ("prompt", Counts),
        ("measured", Numbers),
        ("pull", Numbers),
        ("push", Numbers),
        ("decay", Numbers),
        ("residual", Numbers),
    ];
    let mut sheet = Sheet::new("forces", &columns);
    for entry in &history.forces.entries {
        for &kind in entry.total.keys() {
            for prompt in [None].into_iter().chain((0..entry.prompts()).map(Some)) {
                let Some(force) = entry.since_stage(kind, prompt) else { continue };
                let head = [Cell::Count(entry.step), Cell::index(entry.stage), Cell::text(kind.key())];
                let head = head.into_iter().chain([prompt.map_or(Cell::Empty, Cell::index)]);
                let numbers = [force.measured, force.pull, force.push, force.decay, force.residual()];
                sheet.push(head.chain(numbers.map(Cell::Number)));
            }
        }
    }
    sheet
}

/// A row per reading and ordered pair of classes, `observed` and `other`: `log_prob` of `other` on pictures of `observed`;
/// the accumulated `influence` of updates on `other` on that, and `influence_on_label`, on the log-prob of the right
/// answer; `kernel`, ‖K‖_F of the two; the change of `log_prob` since the reading before, `predicted` and `measured`; then
/// numbers that concern `observed` alone. No row for a run without classes.
pub fn classes(history: &RunHistory) -> Sheet {
    use Of::{Counts, Numbers, Texts};
    let columns = [
        ("step", Counts),
        ("stage", Counts),
        ("accuracy", Numbers),
        ("observed", Texts),
        ("other", Texts),
        ("log_prob", Numbers),
        ("influence", Numbers),
        ("influence_on_label", Numbers),
        ("kernel", Numbers),
        ("predicted", Numbers),
        ("measured", Numbers),
        ("residual", Numbers),
        ("adaptation", Numbers),
        ("examined_every", Counts),
    ];
    let mut sheet = Sheet::new("classes", &columns);
    let names = history.run.as_ref().map_or(&[][..], |run| &run.classes);
    let n = names.len();
    for (index, reading) in history.classes.iter().enumerate() {
        let before = index.checked_sub(1).map(|before| &history.classes[before]);
        for (o, observed) in names.iter().enumerate() {
            for (u, other) in names.iter().enumerate() {
                let log_prob = entry(&reading.log_probs, n, o, u);
                let numbers = [
                    log_prob,
                    entry(&reading.influence, n, u, o),
                    entry(&reading.influence_on_label, n, u, o),
                    entry(&reading.kernel, n, o, u),
                    entry(&reading.predicted, n, o, u),
                    before.map_or(f64::NAN, |before| log_prob - entry(&before.log_probs, n, o, u)),
                    reading.residual.get(o).map_or(f64::NAN, |&x| x.into()),
                    reading.adaptation.get(o).map_or(f64::NAN, |&x| x.into()),
                ];
                let head = [Cell::Count(reading.step), Cell::index(reading.stage), Cell::Number(reading.accuracy)];
                let names = [Cell::text(observed), Cell::text(other)];
                let end = [Cell::Count(reading.examined_every)];
                sheet.push(head.into_iter().chain(names).chain(numbers.map(Cell::Number)).chain(end));
            }
        }
    }
    sheet
}

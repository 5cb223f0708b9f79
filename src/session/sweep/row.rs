//! A row of a sweep's table: a cell, and what its runs came to.

use unicode_width::UnicodeWidthStr;

use super::grid::Cell;
use crate::claims::Pull;
use crate::export::csv::defused;
use crate::history::stats::mean;
use crate::history::{Arm, Course, RunHistory, Series};
use crate::protocol::MetricKey;
use crate::text::Shown;

/// A cell and what its runs came to.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) cell: Cell,
    /// The compared stage of every run that finished.
    pub(super) courses: Vec<Course>,
    /// What every run of a classifier came to that finished; such runs have no courses.
    pub(super) classified: Vec<Classified>,
    /// Seed and reason of every run that did not.
    pub(super) failures: Vec<(u64, Shown)>,
}

impl Row {
    /// The row of a cell that has not run.
    pub(super) fn of(cell: &Cell) -> Self {
        Self { cell: cell.clone(), courses: Vec::new(), classified: Vec::new(), failures: Vec::new() }
    }

    /// The cell as an arm of a comparison; `None` where no run finished.
    pub(super) fn arm(&self) -> Option<Arm> {
        let label = Shown::new(&self.cell.label);
        (!self.courses.is_empty()).then(|| Arm { label, courses: self.courses.clone() })
    }
}

/// What one run of a classifier came to.
#[derive(Debug, Clone)]
pub(super) struct Classified {
    /// Share of held-out pictures whose likeliest class is theirs, at the end.
    accuracy: f64,
    /// What claim K1 reads; absent of classes that are no digits, and of a run that was not measured on its way.
    pull: Option<Pull>,
    /// Training loss, the mean over the steps since the last reading but one.
    loss: f64,
}

impl Classified {
    /// Reads it off a run; `None` where that trained no classifier.
    pub(super) fn of(history: &RunHistory) -> Option<Self> {
        let last = history.classes.last()?;
        let before = history.classes.iter().rev().nth(1).map_or(0, |reading| reading.step);
        let losses = |series: &Series| series.part(series.up_to(before)..series.len()).values();
        Some(Self {
            accuracy: last.accuracy,
            pull: Pull::of(history).ok(),
            loss: history.metrics.get(&MetricKey::LOSS).map_or(f64::NAN, |series| mean(&losses(series))),
        })
    }

    /// Accuracy, 4 on 9, 4 on the next class, the kernel's rank correlation and the loss.
    pub(super) fn numbers(&self) -> [f64; 5] {
        let pull = |read: fn(&Pull) -> f64| self.pull.as_ref().map_or(f64::NAN, read);
        [self.accuracy, pull(|p| p.on_nine), pull(|p| p.on_next), pull(|p| p.stability), self.loss]
    }
}

/// The cells in columns, then what failed; ends in a line break.
pub(super) fn aligned(cells: &[Vec<String>], rows: &[Row]) -> String {
    let columns = cells.first().map_or(0, Vec::len);
    let widths: Vec<usize> = (0..columns).map(|c| cells.iter().map(|l| l[c].width()).max().unwrap_or(0)).collect();
    let padded = |(text, width): (&String, &usize)| format!("{text}{}", " ".repeat(width.saturating_sub(text.width())));
    let mut lines: Vec<String> =
        cells.iter().map(|line| line.iter().zip(&widths).map(padded).collect::<Vec<_>>().join("  ")).collect();
    for row in rows {
        let told = |(seed, why): &(u64, Shown)| format!("failed: {}, seed {seed}: {why}", Shown::new(&row.cell.label));
        lines.extend(row.failures.iter().map(told));
    }
    lines.iter().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// The paths that the sweep sets, as the CSV's heading names them.
pub(super) fn settings_of(rows: &[Row]) -> impl Iterator<Item = String> {
    rows.first().into_iter().flat_map(|r| r.cell.settings.iter().map(|(path, _)| defused(path)))
}

//! The table of a sweep: a row a cell, its runs pooled.

use std::collections::BTreeMap;

use super::row::{Row, aligned, settings_of};
use crate::export::csv::{Table, defused, number};
use crate::history::stats::{Estimate, mean, rate};
use crate::history::{Aligned, By, CurveId, DynamicsState, Scale};
use crate::protocol::ProbeKind;
use crate::text::Shown;

/// The curves of the table.
const CURVES: [CurveId; 3] =
    [CurveId::Probe(ProbeKind::Chosen), CurveId::Probe(ProbeKind::Rejected), CurveId::ArgmaxChosen];

/// What was not measured: empty cells.
const NONE: Estimate = Estimate { value: f64::NAN, low: f64::NAN, high: f64::NAN, n: 0 };

impl Row {
    /// Change of a curve from the stage's start to its end, over the prompts of all runs.
    fn change(&self, curve: CurveId) -> Option<Estimate> {
        let aligned = Aligned::new(vec![self.arm()?].into(), By::Step).ok()?;
        let measured = aligned.curves().contains(&curve);
        measured.then(|| aligned.estimate(0, curve, Scale::StageDelta, aligned.end()))
    }

    /// Share of displaced pairs over the stage; `None` where none could be read.
    fn displaced(&self) -> Option<Estimate> {
        let pairs: Vec<bool> = self.courses.iter().flat_map(|c| c.outcome.displaced.iter().copied()).collect();
        (!pairs.is_empty()).then(|| rate(pairs.iter().filter(|&&d| d).count(), pairs.len()))
    }

    /// How many runs ended in which state of the detector, the gravest first.
    fn states(&self) -> Vec<(DynamicsState, usize)> {
        let mut counts = BTreeMap::new();
        for course in &self.courses {
            *counts.entry(course.outcome.state).or_insert(0) += 1;
        }
        counts.into_iter().rev().collect()
    }

    /// Steps of the first alarms, ascending.
    fn alarms(&self) -> Vec<u64> {
        let mut steps: Vec<u64> = self.courses.iter().filter_map(|c| c.outcome.first_alarm).collect();
        steps.sort_unstable();
        steps
    }

    /// Training loss at the stage's end, the mean over runs.
    fn loss(&self) -> f64 {
        mean(&self.courses.iter().map(|c| c.outcome.loss).collect::<Vec<_>>())
    }
}

/// The table as aligned text; ends in a line break.
pub(super) fn text(rows: &[Row]) -> String {
    let symbols = CURVES.map(|c| format!("Δ {} [95 %]", c.symbol()));
    let mut cells: Vec<Vec<String>> = vec![["cell", "runs"].map(str::to_owned).to_vec()];
    cells[0].extend(symbols);
    cells[0].extend(["displaced", "detector at the end", "first alarm", "loss"].map(str::to_owned));
    for row in rows {
        let runs = row.courses.len();
        let mut line = vec![Shown::new(&row.cell.label).to_string(), format!("{runs}/{}", runs + row.failures.len())];
        line.extend(CURVES.map(|c| row.change(c).map_or_else(|| "–".to_owned(), estimate)));
        let known = runs > 0;
        let told = [
            percent(row.displaced()),
            states(&row.states()),
            alarms(&row.alarms(), runs),
            format!("{:.3}", row.loss()),
        ];
        line.extend(told.map(|text| if known { text } else { "–".to_owned() }));
        cells.push(line);
    }
    aligned(&cells, rows)
}

/// The table as CSV: the settings, a column each, then the numbers in full.
pub(super) fn csv(rows: &[Row]) -> String {
    let mut table = Table::default();
    let curves = CURVES.iter().flat_map(|c| ["", "_low", "_high"].map(|end| format!("delta_{}{end}", c.key())));
    let head = ["cell"].into_iter().map(str::to_owned).chain(settings_of(rows));
    let head = head.chain(["runs", "failed", "stage"].map(str::to_owned)).chain(curves);
    let last = ["displaced", "displaced_low", "displaced_high", "pairs", "states", "alarms", "first_alarm", "loss"];
    table.row(head.chain(last.map(str::to_owned)));
    for row in rows {
        let stage = row.courses.first().map_or("", |c| c.stage.as_str());
        let settings = row.cell.settings.iter().map(|(_, value)| defused(value));
        let counts = [row.courses.len().to_string(), row.failures.len().to_string(), defused(stage)];
        let changes = CURVES.iter().flat_map(|&c| {
            let change = row.change(c).unwrap_or(NONE);
            [change.value, change.low, change.high].map(number)
        });
        let displaced = row.displaced().unwrap_or(NONE);
        let displacement = [displaced.value, displaced.low, displaced.high].map(number);
        let alarms = row.alarms();
        let first = alarms.first().map_or_else(String::new, u64::to_string);
        let told =
            [displaced.n.to_string(), states(&row.states()), alarms.len().to_string(), first, number(row.loss())];
        let cells = [defused(&row.cell.label)].into_iter().chain(settings).chain(counts).chain(changes);
        table.row(cells.chain(displacement).chain(told));
    }
    table.text
}

fn estimate(x: Estimate) -> String {
    format!("{:+.2} [{:+.2}, {:+.2}]", x.value, x.low, x.high)
}

fn percent(x: Option<Estimate>) -> String {
    x.map_or_else(|| "–".to_owned(), |x| format!("{:.0} %", 100.0 * x.value))
}

/// `squeezing 2, displacing 1`, or the word alone where all agree.
fn states(counts: &[(DynamicsState, usize)]) -> String {
    match counts {
        [(state, _)] => state.title().to_owned(),
        _ => counts.iter().map(|(state, n)| format!("{} {n}", state.title())).collect::<Vec<_>>().join(", "),
    }
}

/// `never`, `step 160`, or `step 160 (2 of 3 runs)` for the earliest.
fn alarms(steps: &[u64], runs: usize) -> String {
    match steps {
        [] => "never".to_owned(),
        [first, ..] if steps.len() == runs && runs == 1 => format!("step {first}"),
        [first, ..] => format!("step {first} ({} of {runs} runs)", steps.len()),
    }
}

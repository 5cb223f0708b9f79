//! The table of a sweep of classifiers: a row a cell, its runs pooled.

use super::row::{Classified, Row, aligned, settings_of};
use crate::export::csv::{Table, defused, number};
use crate::history::stats::mean;
use crate::text::Shown;

/// The numbers, as the table and the CSV name them.
const NUMBERS: [(&str, &str); 5] = [
    ("accuracy", "accuracy"),
    ("4 on 9", "four_on_nine"),
    ("4 on the next class", "four_on_next"),
    ("rank corr. of \u{2016}K\u{2016}", "kernel_rank_correlation"),
    ("loss", "loss"),
];

/// Means over the runs of a cell.
fn means(row: &Row) -> [f64; 5] {
    let runs: Vec<[f64; 5]> = row.classified.iter().map(Classified::numbers).collect();
    std::array::from_fn(|i| mean(&runs.iter().map(|numbers| numbers[i]).collect::<Vec<_>>()))
}

/// The table as aligned text; ends in a line break.
pub(super) fn text(rows: &[Row]) -> String {
    let head = ["cell", "runs"].into_iter().chain(NUMBERS.map(|(name, _)| name));
    let mut cells: Vec<Vec<String>> = vec![head.map(str::to_owned).collect()];
    for row in rows {
        let runs = row.classified.len();
        let mut line = vec![Shown::new(&row.cell.label).to_string(), format!("{runs}/{}", runs + row.failures.len())];
        let [accuracy, nine, next, stability, loss] = means(row);
        let told = [
            (accuracy, format!("{:.1} %", 100.0 * accuracy)),
            (nine, format!("{nine:+.2}")),
            (next, format!("{next:+.2}")),
            (stability, format!("{stability:.3}")),
            (loss, format!("{loss:.3}")),
        ];
        line.extend(told.map(|(x, text)| if x.is_finite() { text } else { "–".to_owned() }));
        cells.push(line);
    }
    aligned(&cells, rows)
}

/// The table as CSV: the settings, a column each, then the numbers in full.
pub(super) fn csv(rows: &[Row]) -> String {
    let mut table = Table::default();
    let head = ["cell"].into_iter().map(str::to_owned).chain(settings_of(rows));
    table.row(head.chain(["runs", "failed"].map(str::to_owned)).chain(NUMBERS.map(|(_, key)| key.to_owned())));
    for row in rows {
        let settings = row.cell.settings.iter().map(|(_, value)| defused(value));
        let counts = [row.classified.len().to_string(), row.failures.len().to_string()];
        let cells = [defused(&row.cell.label)].into_iter().chain(settings).chain(counts);
        table.row(cells.chain(means(row).map(number)));
    }
    table.text
}

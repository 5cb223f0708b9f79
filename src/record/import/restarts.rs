//! Several runs in one file.
//!
//! A run that is started again begins at the same weights, so its first row equals the file's first row in every number.
//! What follows such a row is told apart by what it repeats. Training is deterministic enough in the released files that
//! a restart goes through the first run's rows again, number by number:
//! - rows that repeat them in order belong to the restart;
//! - other rows *between* those were written by the first run, which was still going: two programs wrote into one file by
//!   turns (`curves_pythia410m_dpo_argmax_flat.jsonl`, rows 32 to 41);
//! - other rows *after* those go on with whichever run was left alone: the restart, unless the first run was still going.
//!
//! A restart that repeats nothing (another order of the data) takes every row up to the next one.

use super::Row;

/// Two numbers this close, relative to their size, are the same number computed twice. Consecutive rows of the released
/// files differ by 1e-3.
const TOLERANCE: f64 = 1e-6;

/// The rows of each run, in the order of their first rows. A first row that is written twice in a row begins no second run.
pub(super) fn split(rows: &[Row]) -> Vec<Vec<usize>> {
    let begins = |at: usize| same(&rows[at], &rows[0]) && !same(&rows[at - 1], &rows[0]);
    let mut starts: Vec<usize> = (1..rows.len()).filter(|&at| begins(at)).collect();
    starts.push(rows.len());
    let mut runs: Vec<Vec<usize>> = vec![(0..starts[0]).collect()];
    for ends in starts.windows(2) {
        let (mut restart, mut others) = (vec![ends[0]], Vec::new());
        for row in ends[0] + 1..ends[1] {
            let repeated = runs[0].get(restart.len()).is_some_and(|&first| same(&rows[row], &rows[first]));
            if repeated { restart.push(row) } else { others.push(row) }
        }
        let last_repeated = restart[restart.len() - 1];
        let by_turns = others.first().is_some_and(|&other| other < last_repeated);
        match runs.last_mut() {
            Some(before) if by_turns => before.extend(others),
            _ => restart.extend(others),
        }
        runs.push(restart);
    }
    runs
}

/// Whether two rows hold the same numbers, as far as both are finite.
fn same(one: &Row, other: &Row) -> bool {
    let close =
        |(&a, &b): (&f64, &f64)| !(a.is_finite() && b.is_finite()) || (a - b).abs() <= TOLERANCE * a.abs().max(b.abs());
    one.iter().all(|(quantity, values)| other.get(quantity).is_some_and(|others| values.iter().zip(others).all(close)))
}

/// `rows 0–31, 33, 41–44`.
pub(super) fn in_words(rows: &[usize]) -> String {
    let mut spans: Vec<(usize, usize)> = Vec::new();
    for &row in rows {
        match spans.last_mut() {
            Some((_, end)) if *end + 1 == row => *end = row,
            _ => spans.push((row, row)),
        }
    }
    let span = |&(from, to): &(usize, usize)| if from == to { from.to_string() } else { format!("{from}–{to}") };
    format!("rows {}", spans.iter().map(span).collect::<Vec<_>>().join(", "))
}

//! A run as tables.
//!
//! [`evaluations`] has a row per evaluation: `step`, `stage`, then for each curve `<key>_mean`, `<key>_q1`, `<key>_q3`
//! (sums of log-probs in nats over the completion, over all probe prompts); [`pairs`] a row per evaluation and prompt:
//! `step`, `stage`, `pair`, `prompt`, then `<key>` for each curve; [`steps`] a row per optimiser step: `step`, then each
//! metric under TRL's name; [`sheet::forces`] a row per window, kind and prompt, where they were measured; [`sheet::classes`] a row per
//! reading of a classifier and ordered pair of classes. Numbers have 9 significant digits, as many as an f32 needs to come
//! back; a gap is an empty cell, infinities are `inf` and `-inf`. Text that a spreadsheet would read as a formula is
//! defused by a leading `'`.

use std::collections::BTreeMap;

use super::sheet::{self, Cell, Sheet, present};
use crate::history::{RunHistory, Scale};
use crate::text::Shown;

/// A table: what is added to the name of its file, and its text.
pub type NamedTable = (&'static str, String);

/// Every table of a run.
pub fn tables(history: &RunHistory) -> Vec<NamedTable> {
    let measured = if history.class_count() > 0 {
        vec![("classes", of(&sheet::classes(history)))]
    } else {
        vec![("evaluations", evaluations(history)), ("pairs", pairs(history))]
    };
    let forces = (!history.forces.entries.is_empty()).then(|| ("forces", of(&sheet::forces(history))));
    measured.into_iter().chain(forces).chain([("steps", steps(history))]).collect()
}

/// A row per evaluation.
pub fn evaluations(history: &RunHistory) -> String {
    let curves = present(history);
    let mut table = Table::default();
    let names = curves.iter().flat_map(|c| ["mean", "q1", "q3"].map(|part| format!("{}_{part}", c.key())));
    table.row(["step", "stage"].map(String::from).into_iter().chain(names));
    let columns: Vec<_> = curves
        .iter()
        .flat_map(|&c| {
            let (low, high) = history.quartiles(c, Scale::LogProb, 0..usize::MAX, usize::MAX);
            [history.curve(c, Scale::LogProb, None), low, high]
        })
        .collect();
    // An evaluation without the curve has no entry in its series, so each column keeps its own place.
    let mut next = vec![0usize; columns.len()];
    for evaluation in &history.evaluations {
        let cells = columns.iter().enumerate().map(|(i, series)| {
            if curves[i / 3].values(evaluation).is_none() {
                return String::new();
            }
            next[i] += 1;
            series.get(next[i] - 1).map_or_else(String::new, |(_, x)| number(x))
        });
        table.row([evaluation.step.to_string(), evaluation.stage.to_string()].into_iter().chain(cells));
    }
    table.text
}

/// A row per evaluation and prompt.
pub fn pairs(history: &RunHistory) -> String {
    let curves = present(history);
    let mut table = Table::default();
    let names = curves.iter().map(|c| c.key().to_owned());
    table.row(["step", "stage", "pair", "prompt"].map(String::from).into_iter().chain(names));
    for evaluation in &history.evaluations {
        let values: Vec<_> = curves.iter().map(|c| c.values(evaluation).unwrap_or_default()).collect();
        for pair in 0..values.iter().map(|v| v.len()).max().unwrap_or(0) {
            let prompt = history.run.as_ref().and_then(|r| r.probes.get(pair)).map_or("", |p| p.prompt.as_str());
            let head = [evaluation.step.to_string(), evaluation.stage.to_string(), pair.to_string(), defused(prompt)];
            let cells = values.iter().map(|v| v.get(pair).map_or_else(String::new, |&x| number(f64::from(x))));
            table.row(head.into_iter().chain(cells));
        }
    }
    table.text
}

/// A row per optimiser step.
pub fn steps(history: &RunHistory) -> String {
    let mut table = Table::default();
    let names = history.metrics.keys().map(|key| defused(&key.0));
    table.row(["step".to_owned()].into_iter().chain(names));
    let mut rows: BTreeMap<u64, Vec<Option<f64>>> = BTreeMap::new();
    for (column, series) in history.metrics.values().enumerate() {
        for (step, value) in series.iter() {
            rows.entry(step).or_insert_with(|| vec![None; history.metrics.len()])[column] = Some(value);
        }
    }
    for (step, values) in rows {
        let cells = values.into_iter().map(|x| x.map_or_else(String::new, number));
        table.row([step.to_string()].into_iter().chain(cells));
    }
    table.text
}

/// A long table as text.
pub(super) fn of(sheet: &Sheet) -> String {
    let mut table = Table::default();
    table.row(sheet.columns.iter().map(|&(name, _)| name.to_owned()));
    for row in sheet.rows() {
        table.row(row.iter().map(|cell| match cell {
            Cell::Count(count) => count.to_string(),
            Cell::Number(x) => number(*x),
            Cell::Text(text) => defused(text),
            Cell::Empty => String::new(),
        }));
    }
    table.text
}

/// Rows of quoted cells (RFC 4180, with line feeds).
#[derive(Debug, Default)]
pub(crate) struct Table {
    pub(crate) text: String,
}

impl Table {
    pub(crate) fn row(&mut self, cells: impl Iterator<Item = String>) {
        for (i, cell) in cells.enumerate() {
            if i > 0 {
                self.text.push(',');
            }
            if cell.contains([',', '"', '\n', '\r']) {
                self.text.push_str(&format!("\"{}\"", cell.replace('"', "\"\"")));
            } else {
                self.text.push_str(&cell);
            }
        }
        self.text.push('\n');
    }
}

/// Nine significant digits, without trailing zeros; a gap is empty.
pub(crate) fn number(x: f64) -> String {
    if x.is_nan() {
        return String::new();
    }
    if x.is_infinite() {
        return if x > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    // Through the rounded value, so that the shortest form has at most nine digits.
    rounded(x).to_string()
}

/// The number to nine significant digits.
pub(super) fn rounded(x: f64) -> f64 {
    format!("{x:.8e}").parse().unwrap_or(x)
}

/// Text that a spreadsheet takes as text.
pub(crate) fn defused(raw: &str) -> String {
    let shown = Shown::new(raw);
    let begins = |c: char| matches!(c, '=' | '+' | '-' | '@' | '\t' | '\r');
    let formula = raw.starts_with(begins) || shown.as_str().trim_start().starts_with(begins);
    if formula { format!("'{shown}") } else { shown.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Evaluation, MetricKey, ProbeKind, StepMetrics, TrainerEvent};
    use proptest::prelude::*;

    /// Rows of cells, by RFC 4180.
    fn parsed(text: &str) -> Vec<Vec<String>> {
        let (mut rows, mut row, mut cell, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '"' if quoted && chars.peek() == Some(&'"') => cell.extend(chars.next()),
                '"' => quoted = !quoted,
                ',' if !quoted => row.push(std::mem::take(&mut cell)),
                '\n' if !quoted => {
                    row.push(std::mem::take(&mut cell));
                    rows.push(std::mem::take(&mut row));
                }
                c => cell.push(c),
            }
        }
        rows
    }

    fn history() -> RunHistory {
        let mut history = RunHistory::default();
        for (step, chosen) in [(0, vec![-30.0, -10.0]), (5, vec![f32::NEG_INFINITY, f32::NAN])] {
            let logps = [(ProbeKind::Chosen, chosen)].into();
            history.apply(&TrainerEvent::from(Evaluation { step, logps, ..Evaluation::default() }));
        }
        for step in 1..=2u32 {
            let metrics =
                [(MetricKey::LOSS, 0.1 / f64::from(step)), (MetricKey("=evil,\"x\"".into()), f64::NAN)].into();
            history.apply(&TrainerEvent::Step(StepMetrics { step: u64::from(step), stage: 0, metrics }));
        }
        history
    }

    #[test]
    fn tables_come_back() {
        let history = history();
        assert_eq!(
            parsed(&evaluations(&history)),
            [
                vec!["step", "stage", "chosen_mean", "chosen_q1", "chosen_q3"],
                vec!["0", "0", "-20", "-25", "-15"],
                vec!["5", "0", "", "", ""],
            ]
        );
        assert_eq!(
            parsed(&pairs(&history))[1..],
            [
                vec!["0", "0", "0", "", "-30"],
                vec!["0", "0", "1", "", "-10"],
                vec!["5", "0", "0", "", "-inf"],
                vec!["5", "0", "1", "", ""]
            ]
        );
        assert_eq!(
            parsed(&steps(&history)),
            [vec!["step", "'=evil,\"x\"", "loss"], vec!["1", "", "0.1"], vec!["2", "", "0.05"]]
        );
    }

    #[test]
    fn forces_have_a_row_a_prompt_and_one_for_the_mean() {
        let mut history = history();
        assert!(tables(&history).iter().all(|(name, _)| *name != "forces"), "nothing was measured");
        let parts = crate::protocol::ForceParts {
            measured: vec![-2.0, 1.0],
            pull: vec![8.0, 5.0],
            push: vec![-10.25, -4.0],
            decay: vec![0.125, 0.0],
        };
        for step in [5, 9] {
            let kinds = [(ProbeKind::Chosen, parts.clone())].into();
            let forces = crate::protocol::Forces { step, kinds, ..Default::default() };
            history.apply(&TrainerEvent::Forces(Box::new(forces)));
        }
        let (name, text) = tables(&history).remove(2);
        assert_eq!(name, "forces");
        assert_eq!(
            parsed(&text),
            [
                vec!["step", "stage", "kind", "prompt", "measured", "pull", "push", "decay", "residual"],
                vec!["5", "0", "chosen", "", "-0.5", "6.5", "-7.125", "0.0625", "0.0625"],
                vec!["5", "0", "chosen", "0", "-2", "8", "-10.25", "0.125", "0.125"],
                vec!["5", "0", "chosen", "1", "1", "5", "-4", "0", "0"],
                vec!["9", "0", "chosen", "", "-1", "13", "-14.25", "0.125", "0.125"],
                vec!["9", "0", "chosen", "0", "-4", "16", "-20.5", "0.25", "0.25"],
                vec!["9", "0", "chosen", "1", "2", "10", "-8", "0", "0"],
            ]
        );
    }

    #[test]
    fn classes_have_a_row_a_pair() {
        let mut history = RunHistory::default();
        let mut run = crate::history::fixture::run(0, 0, Vec::new());
        run.classes = vec!["=4".to_owned(), "9".to_owned()];
        history.apply(&TrainerEvent::RunStarted(Box::new(run)));
        for step in [0, 40] {
            let shift = step as f32 / 40.0;
            history.apply(&TrainerEvent::from(crate::protocol::ClassReading {
                step,
                accuracy: 0.5,
                log_probs: vec![-1.0 + shift, -2.0 - shift, -3.0, f32::NAN],
                influence: vec![1.0, 2.0, 3.0, 4.0],
                influence_on_label: vec![1.0, -2.0, -3.0, 4.0],
                kernel: vec![9.0, 5.0, 5.0, 8.0],
                predicted: vec![0.5; 4],
                residual: vec![0.1, 0.2],
                adaptation: vec![3.0, 3.5],
                examined_every: 1,
                ..Default::default()
            }));
        }
        let rows = parsed(&of(&sheet::classes(&history)));
        assert_eq!(rows.len(), 9);
        assert!(rows.iter().all(|row| row.len() == 14));
        // Observed 4, other 9: the influence is that of 9 on 4.
        let expected = ["40", "0", "0.5", "'=4", "9", "-3", "3", "-3", "5", "0.5", "-1", "0.100000001", "3", "1"];
        assert_eq!(rows[6], expected);
        assert_eq!((rows[2][10].as_str(), rows[8][5].as_str()), ("", ""), "nothing before, no number");
        assert_eq!(parsed(&of(&sheet::classes(&RunHistory::default()))).len(), 1);
    }

    #[test]
    fn formulas_are_defused() {
        for (raw, cell) in [
            ("=1+1", "'=1+1"),
            ("-x", "'-x"),
            (" @a", "' @a"),
            ("\t=1", "'⇥=1"),
            ("\r", "'<U+000D>"),
            ("plain", "plain"),
        ] {
            assert_eq!(defused(raw), cell);
        }
    }

    proptest! {
        #[test]
        fn single_precision_survives(bits in any::<u32>()) {
            let x = f32::from_bits(bits);
            let back = number(f64::from(x)).parse::<f32>().unwrap_or(f32::NAN);
            prop_assert!(x.is_nan() && back.is_nan() || x == back, "{} {}", x, back);
        }

        #[test]
        fn any_text_comes_back(texts in prop::collection::vec(".*", 1..4)) {
            let mut table = Table::default();
            table.row(texts.iter().map(|t| defused(t)));
            let want: Vec<_> = texts.iter().map(|t| defused(t)).collect();
            prop_assert_eq!(parsed(&table.text), [want]);
        }
    }
}

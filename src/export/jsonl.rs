//! Long tables as JSON lines: an object a row, its keys in the order of the columns.
//!
//! Numbers are those of the CSV, digit for digit. A gap is `null`, infinities are the strings `inf` and `-inf`, as in a run
//! file. Text is whole and raw, with every character beyond ASCII escaped, so that nothing in it acts on a terminal.

use super::csv::number;
use super::sheet::{Cell, Sheet};

/// The table as text.
pub fn text(sheet: &Sheet) -> String {
    let mut out = String::new();
    for row in sheet.rows() {
        for (at, ((name, _), cell)) in sheet.columns.iter().zip(row).enumerate() {
            out.push_str(if at == 0 { "{" } else { "," });
            out.push_str(&format!("\"{name}\":{}", value(cell)));
        }
        out.push_str("}\n");
    }
    out
}

fn value(cell: &Cell) -> String {
    match cell {
        Cell::Count(count) => count.to_string(),
        Cell::Number(x) => json_number(*x),
        Cell::Text(text) => quoted(text),
        Cell::Empty => "null".to_owned(),
    }
}

/// A number of the CSV as JSON.
pub(super) fn json_number(x: f64) -> String {
    match number(x) {
        gap if gap.is_empty() => "null".to_owned(),
        infinite if x.is_infinite() => format!("\"{infinite}\""),
        finite => finite,
    }
}

/// Text between quotes, in ASCII.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for unit in text.encode_utf16() {
        match char::from_u32(unit.into()) {
            Some(c @ ('"' | '\\')) => out.extend(['\\', c]),
            Some('\n') => out.push_str("\\n"),
            Some(c @ ' '..='~') => out.push(c),
            _ => out.push_str(&format!("\\u{unit:04x}")),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::export::csv;
    use crate::export::sheet;
    use crate::history::RunHistory;
    use crate::history::fixture::{evaluation, run, stage};
    use crate::protocol::{MetricKey, ProbeKind, StepMetrics, TrainerEvent};

    fn history() -> RunHistory {
        let mut history = RunHistory::default();
        history.apply(&TrainerEvent::RunStarted(Box::new(run(3, 1, vec![stage("DPO", true, 8)]))));
        history.apply(&TrainerEvent::StageStarted { stage: 0, step: 0 });
        for (step, chosen) in [(0, -30.25), (4, -1.0 / 3.0), (8, f32::NEG_INFINITY)] {
            let logps = [(ProbeKind::Chosen, chosen), (ProbeKind::Rejected, f32::NAN)];
            history.apply(&TrainerEvent::from(evaluation(3, 0, step, &logps, -20.0)));
            let metrics = [(MetricKey::LOSS, 0.1 / 3.0), (MetricKey::GRAD_NORM, f64::NAN)].into();
            history.apply(&TrainerEvent::Step(StepMetrics { step: step + 1, stage: 0, metrics }));
        }
        history
    }

    /// The text of a number, as the CSV spells it.
    fn spelled(value: &Value) -> String {
        match value {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => number(other.as_f64().unwrap()),
        }
    }

    /// Every cell of the wide CSV is found in the long table, and no number besides.
    #[test]
    fn numbers_are_those_of_the_csv() {
        let history = history();
        let sheets = sheet::of_run(&history);
        let named = |name: &str| text(sheets.iter().find(|sheet| sheet.name == name).unwrap());
        let rows = |name: &str| -> Vec<Value> {
            named(name).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
        };
        let mut long = BTreeMap::new();
        for row in rows("evaluations") {
            for part in ["mean", "q1", "q3"] {
                let column = format!("{}_{part}", row["kind"].as_str().unwrap());
                long.insert(("evaluations", row["step"].to_string(), String::new(), column), spelled(&row[part]));
            }
        }
        for row in rows("pairs") {
            let (step, pair) = (row["step"].to_string(), row["pair"].to_string());
            assert_eq!(row["prompt"], format!("question {pair}"));
            long.insert(("pairs", step, pair, row["kind"].as_str().unwrap().to_owned()), spelled(&row["logp"]));
        }
        for row in rows("steps") {
            let metric = row["metric"].as_str().unwrap().to_owned();
            long.insert(("steps", row["step"].to_string(), String::new(), metric), spelled(&row["value"]));
        }
        let mut wide = BTreeMap::new();
        for (name, table) in csv::tables(&history) {
            let mut lines = table.lines().map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
            let head = lines.next().unwrap();
            for cells in lines {
                let pair = if name == "pairs" { cells[2].clone() } else { String::new() };
                for (column, cell) in head.iter().zip(&cells) {
                    if !matches!(column.as_str(), "step" | "stage" | "pair" | "prompt") {
                        wide.insert((name, cells[0].clone(), pair.clone(), column.clone()), cell.clone());
                    }
                }
            }
        }
        assert!(wide.len() > 100 && wide.values().any(|cell| cell == "-inf"));
        assert_eq!(long, wide);
    }

    proptest! {
        #[test]
        fn any_text_comes_back(raw: String) {
            let line = quoted(&raw);
            prop_assert!(line.is_ascii() && !line.contains(|c: char| c.is_ascii_control()));
            prop_assert_eq!(serde_json::from_str::<String>(&line).unwrap(), raw);
        }
    }
}

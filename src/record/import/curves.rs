//! `curves_*.jsonl`: an evaluation a line, means over the probe prompts, as the paper's Python wrote them.
//!
//! Keys: `logps_eval_prob_train/<probe>` for the sums of log-probs, `argmax_prob_logits`, `p_e`, `energy`, and ‖A‖_F as
//! `A_o` or, in later files, `chosen_A_o`. Other keys are passed over. Python writes NaN and infinities as bare words.

use std::path::Path;

use serde_json::{Map, Value};

use super::{Quantity, Row, Table};
use crate::error::{Error, Location, Result};
use crate::protocol::ProbeKind;

/// What comes before a probe's name.
const PREFIX: &str = "logps_eval_prob_train/";
const WHAT_IS_READ: &str = "a file of the paper's curves has one JSON object of numbers a line";

/// Whether a file that begins like this is one: its first line is an object with a probe's key, and no event of ours.
pub(super) fn is_curves(beginning: &[u8]) -> bool {
    let beginning = beginning.trim_ascii_start();
    let line = beginning.split(|&b| b == b'\n').next().unwrap_or_default();
    let holds = |text: &str| line.windows(text.len()).any(|w| w == text.as_bytes());
    line.starts_with(b"{") && holds(&format!("\"{PREFIX}")) && !holds("\"event\"")
}

/// Every line is a row with the quantities of the first.
pub(super) fn parse(path: &Path, bytes: &[u8]) -> Result<Table> {
    let mut rows: Vec<Row> = Vec::new();
    for (number, line) in (1..).zip(bytes.split(|&b| b == b'\n')) {
        let wrong = |problem: String| Error::input(Location::line(path, number), problem, WHAT_IS_READ);
        let line = line.trim_ascii();
        if line.is_empty() {
            continue;
        }
        let text = std::str::from_utf8(line).map_err(|_| wrong("is not text (UTF-8)".to_owned()))?;
        let object: Map<String, Value> = serde_json::from_str(&spelled_out(text)).map_err(|e| {
            let text = e.to_string();
            wrong(format!("is not a JSON object: {}", text.split(" at line ").next().unwrap_or_default()))
        })?;
        let row = row(&object).map_err(wrong)?;
        if let Some(first) = rows.first() {
            let lacks = first.keys().find(|q| !row.contains_key(q)).map(|&q| ("lacks", q));
            let adds = || row.keys().find(|q| !first.contains_key(q)).map(|&q| ("has", q));
            if let Some((verb, quantity)) = lacks.or_else(adds) {
                return Err(wrong(format!("{verb} {}, unlike the first row", key(quantity))));
            }
        }
        rows.push(row);
    }
    if rows.is_empty() {
        return Err(Error::input(Location::file(path), "holds no row", WHAT_IS_READ));
    }
    Ok(Table { rows, prompts: 1, means: true })
}

fn row(object: &Map<String, Value>) -> Result<Row, String> {
    let mut row = Row::new();
    for (key, value) in object {
        if let Some(quantity) = quantity(key) {
            let number = number(value).ok_or_else(|| format!("`{key}` is not a number"))?;
            row.insert(quantity, vec![number]);
        }
    }
    let chosen = Quantity::Probe(ProbeKind::Chosen);
    if row.contains_key(&chosen) { Ok(row) } else { Err(format!("lacks {}", key(chosen))) }
}

/// What a key holds; `None` for one that a run has no place for.
fn quantity(key: &str) -> Option<Quantity> {
    if let Some(name) = key.strip_prefix(PREFIX) {
        return ProbeKind::ALL.iter().find(|kind| kind.key() == name).map(|&kind| Quantity::Probe(kind));
    }
    match key {
        "argmax_prob_logits" => Some(Quantity::Argmax),
        "chosen_A_o" | "A_o" => Some(Quantity::AFrobenius),
        "p_e" => Some(Quantity::PE),
        "energy" => Some(Quantity::Energy),
        _ => None,
    }
}

fn key(quantity: Quantity) -> String {
    match quantity {
        Quantity::Probe(kind) => format!("`{PREFIX}{kind}`"),
        Quantity::Argmax => "`argmax_prob_logits`".to_owned(),
        Quantity::AFrobenius => "`A_o` or `chosen_A_o`".to_owned(),
        Quantity::PE => "`p_e`".to_owned(),
        Quantity::Energy => "`energy`".to_owned(),
    }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Null => Some(f64::NAN),
        Value::Number(x) => x.as_f64(),
        Value::String(s) if s == "inf" => Some(f64::INFINITY),
        Value::String(s) if s == "-inf" => Some(f64::NEG_INFINITY),
        _ => None,
    }
}

/// Python's NaN and infinities as our run files write them, outside of strings.
fn spelled_out(line: &str) -> String {
    const WORDS: [(&str, &str); 3] = [("-Infinity", "\"-inf\""), ("Infinity", "\"inf\""), ("NaN", "null")];
    let mut out = String::with_capacity(line.len());
    let (mut rest, mut in_string) = (line, false);
    while let Some(c) = rest.chars().next() {
        let word = WORDS.iter().find(|(word, _)| !in_string && rest.starts_with(word));
        let taken = match word {
            Some((word, json)) => {
                out.push_str(json);
                word.len()
            }
            None if in_string && c == '\\' => {
                let escape = c.len_utf8() + rest[c.len_utf8()..].chars().next().map_or(0, char::len_utf8);
                out.push_str(&rest[..escape]);
                escape
            }
            None => {
                in_string ^= c == '"';
                out.push(c);
                c.len_utf8()
            }
        };
        rest = &rest[taken..];
    }
    out
}

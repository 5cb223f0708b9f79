//! `data`: an experiment's pairs and probes as files, for another trainer and the callback that watches it.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::target::{absent, create};
use crate::backend::BackendChoice;
use crate::cli::say;
use crate::error::{Error, Result};
use crate::experiment::Experiment;
use crate::text::Shown;
use crate::train::{Handout, TextPair, handout};

/// Writes `train.jsonl`, `probes.jsonl` and `order.jsonl` into a folder, and prints their paths.
///
/// # Errors
/// On a bad experiment or bad data, and for a file that is there already: nothing is written over.
pub fn data(experiment: &Experiment, backend: BackendChoice, out: &Path) -> Result<()> {
    let [train, probes, order] = ["train.jsonl", "probes.jsonl", "order.jsonl"].map(|name| out.join(name));
    [&train, &probes, &order].into_iter().try_for_each(|file| absent(file))?;
    let handout = handout(experiment, backend)?;
    std::fs::create_dir_all(out).map_err(|e| Error::writing(out, &e))?;
    create(&train, &handout.pairs.iter().map(|pair| line(&row(pair))).collect::<String>())?;
    create(&probes, &probe_rows(&handout))?;
    create(&order, &order_rows(&handout))?;
    let path = |path: &Path| Shown::new(&path.display().to_string());
    let mut text = String::new();
    let _ = writeln!(text, "{}: {} pairs, as TRL takes them", path(&train), handout.pairs.len());
    let _ = writeln!(text, "{}: {} prompts, as LdynCallback takes them", path(&probes), handout.probes.len());
    let steps: usize = handout.order.iter().map(|(_, steps)| steps.len()).sum();
    let _ = writeln!(text, "{}: the rows of each of {steps} steps, as this program would draw them", path(&order));
    if let Some(report) = &handout.report {
        let _ = writeln!(text, "{report}");
    }
    say(&text)
}

fn line(value: &Value) -> String {
    format!("{value}\n")
}

fn row(pair: &TextPair) -> Value {
    match &pair.rejected {
        Some(rejected) => json!({ "prompt": pair.prompt, "chosen": pair.chosen, "rejected": rejected }),
        None => json!({ "prompt": pair.prompt, "completion": pair.chosen }),
    }
}

fn probe_rows(handout: &Handout) -> String {
    let row = |probe: &crate::protocol::ProbePrompt| {
        let mut row = Map::from_iter([("prompt".to_owned(), Value::from(probe.prompt.as_str()))]);
        row.extend(probe.responses.iter().map(|(kind, of)| (kind.key().to_owned(), Value::from(of.text.as_str()))));
        line(&Value::Object(row))
    };
    handout.probes.iter().map(row).collect()
}

fn order_rows(handout: &Handout) -> String {
    let of_stage = |(name, steps): &(String, Vec<Vec<usize>>)| -> String {
        let of_step = |(at, rows): (usize, &Vec<usize>)| line(&json!({ "stage": name, "step": at + 1, "rows": rows }));
        steps.iter().enumerate().map(of_step).collect()
    };
    handout.order.iter().map(of_stage).collect()
}

//! The rows that `score` reads.

use std::path::Path;

use serde::Deserialize;

use super::{ScoreInput, ScoreRow};
use crate::error::{Error, Location, Result};

/// A row as written; which fields belong together is checked afterwards, so that the message can say it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    prompt: Option<String>,
    response: Option<String>,
    prompt_ids: Option<Vec<u32>>,
    ids: Option<Vec<u32>>,
}

const EITHER: &str = "write {\"prompt\": \"…\", \"response\": \"…\"} or {\"prompt_ids\": […], \"ids\": […]}";

/// Parses a JSONL text; empty lines are skipped.
///
/// # Errors
/// Every bad row, with its line.
pub(crate) fn parse(file: &Path, text: &str) -> Result<Vec<ScoreRow>> {
    let (mut rows, mut errors) = (Vec::new(), Vec::new());
    for (i, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        match row(line) {
            Ok(input) => rows.push(ScoreRow { line: i + 1, input }),
            Err((column, problem)) => {
                let location = Location { file: file.to_owned(), line: Some(i + 1), column };
                errors.push(Error::input(location, problem, EITHER));
            }
        }
    }
    Error::all(errors)?;
    if rows.is_empty() {
        return Err(Error::input(Location::file(file), "there is no row", EITHER));
    }
    Ok(rows)
}

fn row(line: &str) -> Result<ScoreInput, (Option<usize>, String)> {
    let raw: Raw = serde_json::from_str(line).map_err(|e| {
        let problem = e.to_string();
        (Some(e.column()), problem.split(" at line ").next().unwrap_or_default().to_owned())
    })?;
    let input = match raw {
        Raw { prompt: Some(prompt), response: Some(response), prompt_ids: None, ids: None } => {
            ScoreInput::Text { prompt, response }
        }
        Raw { prompt_ids: Some(prompt_ids), ids: Some(ids), prompt: None, response: None } => {
            ScoreInput::Ids { prompt_ids, ids }
        }
        _ => return Err((None, "the row is neither a text pair nor a pair of id lists".to_owned())),
    };
    match &input {
        ScoreInput::Text { response, .. } if response.is_empty() => Err((None, "the response is empty".to_owned())),
        ScoreInput::Ids { ids, .. } if ids.is_empty() => Err((None, "`ids` is empty".to_owned())),
        ScoreInput::Ids { prompt_ids, .. } if prompt_ids.is_empty() => {
            Err((None, "`prompt_ids` is empty: the first response token would have nothing to follow".to_owned()))
        }
        _ => Ok(input),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use std::path::Path;

    use super::{ScoreInput, parse};

    #[test]
    fn both_forms_are_read() {
        let text = "{\"prompt\": \"a\", \"response\": \" b\"}\n\n{\"prompt_ids\": [1], \"ids\": [2, 3]}\n";
        let rows = parse(Path::new("x.jsonl"), text).unwrap();
        assert_eq!(rows.iter().map(|r| r.line).collect::<Vec<_>>(), [1, 3]);
        assert_eq!(rows[1].input, ScoreInput::Ids { prompt_ids: vec![1], ids: vec![2, 3] });
    }

    #[test]
    fn every_bad_row_is_named() {
        for (row, message) in [
            ("{", "x.jsonl:1:1: EOF while parsing an object"),
            ("{\"prompt\": \"a\"}", "x.jsonl:1: the row is neither"),
            ("{\"prompt\": \"a\", \"ids\": [1]}", "x.jsonl:1: the row is neither"),
            ("{\"prompt\": \"a\", \"respnse\": \"b\"}", "x.jsonl:1:25: unknown field `respnse`"),
            ("{\"prompt\": \"a\", \"response\": \"\"}", "x.jsonl:1: the response is empty"),
            ("{\"prompt_ids\": [], \"ids\": [1]}", "`prompt_ids` is empty"),
            ("{\"prompt_ids\": [1], \"ids\": [-1]}", "invalid value: integer `-1`"),
            ("", "x.jsonl: there is no row"),
        ] {
            let error = parse(Path::new("x.jsonl"), row).unwrap_err().to_string();
            assert!(error.contains(message), "{row}: {error}");
        }
    }
}

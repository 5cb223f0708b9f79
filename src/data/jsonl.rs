//! Preference pairs from a file of JSON lines: `{"prompt": …, "chosen": …, "rejected": …}`, further responses under the
//! keys of their [`ProbeKind`].

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;

use crate::data::PreferenceExample;
use crate::error::Location;
use crate::protocol::ProbeKind;
use crate::{Error, Result};

/// Longest line that is read: 16 MiB. Anything longer is no line of text but a file of another kind.
pub const MAX_LINE: usize = 16 << 20;

const EXPECTED: &str = r#"expected one object a line: {"prompt": "…", "chosen": "…", "rejected": "…"}"#;
const PROMPT: &str = "prompt";

/// Reads a file line by line; blank lines are skipped, unknown keys ignored, unless they look like a misspelt one.
///
/// # Errors
/// With file and line (and column for broken JSON): when the file cannot be read or holds no row, and when a row is no
/// UTF-8, longer than [`MAX_LINE`], no object, has a key twice, lacks `prompt` or `chosen` or has them empty, or has
/// something else than text under a known key.
pub fn read_jsonl(path: &Path) -> Result<Vec<PreferenceExample>> {
    let file = File::open(path).map_err(|error| Error::reading(path, &error))?;
    read(path, BufReader::new(file))
}

fn read(path: &Path, mut reader: impl BufRead) -> Result<Vec<PreferenceExample>> {
    let mut examples = Vec::new();
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        // Two bytes over, so that a line of exactly the limit passes with its line break.
        let limit = MAX_LINE as u64 + 2;
        let read = reader.by_ref().take(limit).read_until(b'\n', &mut line).map_err(|e| Error::reading(path, &e))?;
        if read == 0 {
            break;
        }
        let row = Row { path, number };
        while line.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
            line.pop();
        }
        if line.len() > MAX_LINE {
            return Err(row.error("line is longer than 16 MiB", "is this a file of JSON lines? One row a line"));
        }
        let text = std::str::from_utf8(&line).map_err(|error| {
            let at = format!("is not UTF-8, from byte {} of the line on", error.valid_up_to() + 1);
            row.error(at, "save the file as UTF-8")
        })?;
        // A byte order mark is what some editors put before UTF-8.
        let text = if number == 1 { text.strip_prefix('\u{feff}').unwrap_or(text) } else { text };
        if !text.trim().is_empty() {
            examples.push(row.parse(text)?);
        }
    }
    if examples.is_empty() {
        return Err(Error::input(Location::file(path), "holds no rows", EXPECTED));
    }
    Ok(examples)
}

/// Where a row stands, for its errors.
struct Row<'a> {
    path: &'a Path,
    number: usize,
}

impl Row<'_> {
    fn error(&self, problem: impl AsRef<str>, advice: impl AsRef<str>) -> Error {
        Error::input(Location::line(self.path, self.number), problem, advice)
    }

    fn parse(&self, text: &str) -> Result<PreferenceExample> {
        let Fields(fields) = serde_json::from_str(text).map_err(|error| {
            let problem = error.to_string();
            // The place is said by the location.
            let problem = problem.split(" at line ").next().unwrap_or(&problem);
            let mut location = Location::line(self.path, self.number);
            location.column = Some(column(text, error.column()));
            Error::input(location, problem, EXPECTED)
        })?;
        self.check_keys(&fields)?;
        let mut responses = BTreeMap::new();
        for &kind in ProbeKind::ALL {
            if let Some(value) = fields.get(kind.key()) {
                responses.insert(kind, self.text(kind.key(), value)?);
            }
        }
        let prompt = match fields.get(PROMPT) {
            Some(value) => self.text(PROMPT, value)?,
            None if fields.contains_key("chosen") => {
                let advice =
                    "a prompt inside \"chosen\" is not read: give it under its own key, and the answers without it";
                return Err(self.error("has no \"prompt\"", advice));
            }
            None => return Err(self.error("has no \"prompt\"", EXPECTED)),
        };
        if !responses.contains_key(&ProbeKind::Chosen) {
            return Err(self.error("has no \"chosen\"", EXPECTED));
        }
        Ok(PreferenceExample { prompt, responses })
    }

    /// Refuses keys twice and keys that are all but one that is missing.
    fn check_keys(&self, fields: &BTreeMap<String, Value>) -> Result<()> {
        let known = || ProbeKind::ALL.iter().map(|kind| kind.key()).chain([PROMPT]);
        for key in fields.keys().filter(|key| !known().any(|known| known == *key)) {
            let missing = known().filter(|known| !fields.contains_key(*known));
            if let Some(near) = missing.into_iter().find(|known| is_misspelling(key, known)) {
                let advice = format!("did you mean \"{near}\"? Rename it, or rename the key if it is another thing");
                return Err(self.error(format!("unknown key \"{key}\""), advice));
            }
        }
        Ok(())
    }

    fn text(&self, key: &str, value: &Value) -> Result<String> {
        let found = match value {
            Value::String(text) if text.trim().is_empty() => {
                return Err(self.error(format!("\"{key}\" is empty"), "give it text, or leave the row out"));
            }
            Value::String(text) => return Ok(text.clone()),
            Value::Array(items) if items.iter().any(|item| item.get("role").is_some()) => {
                let advice = format!("conversations are not read; expected text: \"{key}\": \"…\"");
                return Err(self.error(format!("\"{key}\" is a list of messages"), advice));
            }
            Value::Null => "null",
            Value::Bool(_) => "true or false",
            Value::Number(_) => "a number",
            Value::Array(_) => "a list",
            Value::Object(_) => "an object",
        };
        Err(self.error(format!("\"{key}\" is {found}"), format!("expected text: \"{key}\": \"…\"")))
    }
}

/// The 1-based column in characters of serde_json's 1-based one in bytes (0 for the beginning).
fn column(line: &str, byte: usize) -> usize {
    line.char_indices().take_while(|&(at, _)| at + 1 < byte).count() + 1
}

/// The members of a row; a key twice is an error, where a plain map would silently keep one.
struct Fields(BTreeMap<String, Value>);

impl<'de> serde::Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = BTreeMap::new();
                while let Some((key, value)) = map.next_entry::<String, Value>()? {
                    if fields.contains_key(&key) {
                        return Err(serde::de::Error::custom(format_args!("key \"{key}\" twice")));
                    }
                    fields.insert(key, value);
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

/// Whether `key` is `known` up to case, separators, and one letter added, left out, replaced or swapped with its
/// neighbour.
fn is_misspelling(key: &str, known: &str) -> bool {
    let letters = |text: &str| -> Vec<char> {
        text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
    };
    let (key, known) = (letters(key), letters(known));
    let (shorter, longer) = if key.len() < known.len() { (&key, &known) } else { (&known, &key) };
    let Some(at) = longer.iter().zip(shorter).position(|(a, b)| a != b) else {
        return longer.len() - shorter.len() <= 1;
    };
    match longer.len() - shorter.len() {
        0 => {
            let swapped = at + 1 < key.len() && key[at] == known[at + 1] && key[at + 1] == known[at];
            key[at + 1..] == known[at + 1..] || (swapped && key[at + 2..] == known[at + 2..])
        }
        1 => longer[at + 1..] == shorter[at..],
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn parse(text: impl AsRef<[u8]>) -> Result<Vec<PreferenceExample>> {
        read(Path::new("rows.jsonl"), text.as_ref())
    }

    #[test]
    fn rows_are_read() {
        let rows = "\u{feff}{\"prompt\":\"p\",\"chosen\":\" c\",\"rejected\":\" r\",\"id\":7,\"score_chosen\":1.5}\r\n\n\
                    {\"prompt\":\"q\",\"chosen\":\" d\",\"irr_hum\":\" h\"}";
        let examples = parse(rows).unwrap();
        assert_eq!(examples.len(), 2);
        assert_eq!(examples[0].prompt, "p");
        assert_eq!(examples[0].responses[&ProbeKind::Rejected], " r");
        assert_eq!(examples[1].responses[&ProbeKind::IrrHum], " h");
        assert_eq!(examples[1].responses.len(), 2);
    }

    #[test]
    fn broken_rows_are_refused_with_place_and_advice() {
        let good = r#"{"prompt":"p","chosen":"c"}"#;
        for (row, expected) in [
            ("{\"prompt\":\"é\" \"chosen\"", ":2:15: expected `,` or `}`"),
            (r#"{"prompt":"p","chosen":"c""#, ":2:26: EOF while parsing an object"),
            (r#"{"prompt":"p","chosen":"c"} x"#, ":2:29: trailing characters"),
            (r#"["p","c"]"#, "invalid type: sequence, expected an object"),
            (r#"{"prompt":"p","prompt":"q","chosen":"c"}"#, r#"key "prompt" twice"#),
            (r#"{"prompt":"p"}"#, r#":2: has no "chosen""#),
            (r#"{"chosen":"c"}"#, r#":2: has no "prompt""#),
            (r#"{"prompt":"p","chosen":" "}"#, r#":2: "chosen" is empty"#),
            (r#"{"prompt":"","chosen":"c"}"#, r#":2: "prompt" is empty"#),
            (r#"{"prompt":"p","chosen":3}"#, r#":2: "chosen" is a number"#),
            (r#"{"prompt":"p","chosen":null}"#, r#":2: "chosen" is null"#),
            (r#"{"prompt":"p","chosen":"c","irr_hum":["x"]}"#, r#":2: "irr_hum" is a list"#),
            (r#"{"prompt":"p","choosen":"c"}"#, r#"did you mean "chosen"?"#),
            (r#"{"prompt":"p","chosen":"c","Rejected":"r"}"#, r#"did you mean "rejected"?"#),
            (r#"{"prompt":"p","chosen":[{"role":"user","content":"x"}]}"#, "conversations are not read"),
        ] {
            let error = parse(format!("{good}\n{row}\n{good}")).unwrap_err();
            assert!(error.to_string().contains(expected), "{row}\n{error}");
            assert!(error.to_string().starts_with("rows.jsonl:2"), "{error}");
            assert_eq!(error.exit_status(), 2);
        }
    }

    #[test]
    fn broken_files_are_refused() {
        for empty in ["", "\n \n", "\u{feff}"] {
            assert!(parse(empty).unwrap_err().to_string().contains("rows.jsonl: holds no rows"));
        }
        let error = parse(b"{\"prompt\":\"\xff\"}").unwrap_err().to_string();
        assert!(error.contains("rows.jsonl:1: is not UTF-8, from byte 12"), "{error}");
        let error = parse(vec![b'x'; MAX_LINE + 1]).unwrap_err().to_string();
        assert!(error.contains("rows.jsonl:1: line is longer than 16 MiB"), "{error}");
        assert!(read_jsonl(Path::new("no/such/file.jsonl")).unwrap_err().to_string().contains("cannot be read"));
    }

    #[test]
    fn an_escape_in_a_key_does_not_reach_the_error() {
        let error = parse("{\"prompt\":\"p\",\"chosen\u{9b}\":\"c\"}").unwrap_err().to_string();
        assert!(!error.contains('\u{9b}') && error.contains("<U+009B>"), "{error}");
    }

    #[test]
    fn misspellings() {
        for (key, known) in [("choosen", "chosen"), ("chosn", "chosen"), ("chosne", "chosen"), ("Prompt", "prompt")] {
            assert!(is_misspelling(key, known), "{key}");
        }
        for (key, known) in [("id", "prompt"), ("chosen_score", "chosen"), ("prompt_id", "prompt"), ("", "chosen")] {
            assert!(!is_misspelling(key, known), "{key}");
        }
    }
}

//! The grid of a sweep: every value of every setting with every other, each combination a cell with a name and a folder.

use std::collections::BTreeSet;

use crate::error::{Error, Location, Result};
use crate::export::safe_name;

/// Longest folder of a cell, characters.
const FOLDER: usize = 48;

/// `--set path=a,b,c`: a path and its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Setting {
    pub(super) path: String,
    /// The values that it takes; at least one.
    pub(super) values: Vec<String>,
}

/// A combination of values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cell {
    /// What tells it apart, in words: `beta=0.1 steps=64`.
    pub(super) label: String,
    /// The cell as a plain name of a folder; no two cells share it.
    pub(super) folder: String,
    /// Path and value of every setting.
    pub(super) settings: Vec<(String, String)>,
}

impl Cell {
    /// The settings as `--set` takes them.
    pub(super) fn overrides(&self) -> Vec<String> {
        self.settings.iter().map(|(path, value)| format!("{path}={value}")).collect()
    }
}

/// Reads every `--set`.
///
/// # Errors
/// Every argument that is none, with the way out.
pub(super) fn settings(arguments: &[String]) -> Result<Vec<Setting>> {
    let mut settings: Vec<Setting> = Vec::new();
    let mut errors = Vec::new();
    for argument in arguments {
        match setting(argument) {
            Ok(setting) if settings.iter().any(|s| s.path == setting.path) => {
                errors.push(mistake(argument, "the path is set twice", "write its values in one --set, with commas"));
            }
            Ok(setting) => settings.push(setting),
            Err(e) => errors.push(e),
        }
    }
    Error::all(errors)?;
    Ok(settings)
}

fn setting(argument: &str) -> Result<Setting> {
    let (path, values) = argument.split_once('=').ok_or_else(|| {
        mistake(argument, "there is no `=`", "write path=a,b,c, as in stages[DPO].objective.beta=0.05,0.1,0.5")
    })?;
    let path = path.trim();
    if path == "seed" {
        return Err(mistake(argument, "seeds are not a setting", "--seeds N takes N of them, --seed FIRST the first"));
    }
    let values =
        split(values).map_err(|problem| mistake(argument, problem, "separate values by commas: path=a,b,c"))?;
    Ok(Setting { path: path.to_owned(), values: values.into_iter().map(str::to_owned).collect() })
}

fn mistake(argument: &str, problem: &str, advice: &str) -> Error {
    Error::input(Location::file(std::path::Path::new(&format!("--set {argument}"))), problem, advice)
}

/// The values between commas that stand in no bracket and in no quotes, trimmed.
///
/// # Errors
/// In words: when a value is empty or a bracket or quote is not closed.
fn split(text: &str) -> Result<Vec<&str>, &'static str> {
    let (mut values, mut from, mut open) = (Vec::new(), 0, Vec::new());
    let (mut quoted, mut escaped) = (false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if quoted => {}
            '(' => open.push(')'),
            '[' => open.push(']'),
            '{' => open.push('}'),
            ')' | ']' | '}' if open.pop() != Some(c) => return Err("a bracket is closed that was not opened"),
            ',' if open.is_empty() => {
                values.push(text[from..at].trim());
                from = at + 1;
            }
            _ => {}
        }
    }
    if quoted || !open.is_empty() {
        return Err("a bracket or a quote is not closed");
    }
    values.push(text[from..].trim());
    if values.contains(&"") { Err("a value is empty") } else { Ok(values) }
}

/// Every combination, the last setting changing fastest.
pub(super) fn cells(settings: &[Setting]) -> Vec<Cell> {
    let mut combinations: Vec<Vec<(String, String)>> = vec![Vec::new()];
    for setting in settings {
        let with = |chosen: &Vec<(String, String)>, value: &String| {
            chosen.iter().cloned().chain([(setting.path.clone(), value.clone())]).collect()
        };
        combinations = combinations.iter().flat_map(|c| setting.values.iter().map(move |v| with(c, v))).collect();
    }
    let varied: Vec<&str> = settings.iter().filter(|s| s.values.len() > 1).map(|s| s.path.as_str()).collect();
    let mut taken = BTreeSet::new();
    let cell = |settings: Vec<(String, String)>| {
        let told = settings.iter().filter(|(path, _)| varied.contains(&path.as_str()));
        let label = told.map(|(path, value)| format!("{}={value}", short(path, &varied))).collect::<Vec<_>>().join(" ");
        let label = if label.is_empty() { "as given".to_owned() } else { label };
        let folder = unused(&plain(&label), &mut taken);
        Cell { label, folder, settings }
    };
    combinations.into_iter().map(cell).collect()
}

/// The last name of a path, where that tells it from the others.
fn short<'a>(path: &'a str, all: &[&str]) -> &'a str {
    let last = |path: &str| path.rfind('.').map_or(0, |dot| dot + 1);
    let name = &path[last(path)..];
    if all.iter().filter(|other| &other[last(other)..] == name).count() == 1 { name } else { path }
}

/// The label as a name: what is no letter, digit, `.` or `_` becomes one dash.
fn plain(label: &str) -> String {
    let dashed = safe_name(label).replace('_', "-");
    let parts: Vec<&str> = dashed.split('-').filter(|part| !part.is_empty()).collect();
    parts.join("-").chars().take(FOLDER).collect()
}

/// The name, with a number where it is taken.
fn unused(name: &str, taken: &mut BTreeSet<String>) -> String {
    let free = (1..).map(|n| if n == 1 { name.to_owned() } else { format!("{name}-{n}") }).find(|n| !taken.contains(n));
    let free = free.unwrap_or_else(|| name.to_owned());
    taken.insert(free.clone());
    free
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn grid(arguments: &[&str]) -> Vec<Cell> {
        let arguments: Vec<String> = arguments.iter().map(|&a| a.to_owned()).collect();
        cells(&settings(&arguments).unwrap())
    }

    #[test]
    fn commas_in_brackets_and_quotes_separate_nothing() {
        for (text, values) in [
            ("1e-5, 1e-4", vec!["1e-5", "1e-4"]),
            ("sigmoid(beta: 0.1, nll: 1),ipo()", vec!["sigmoid(beta: 0.1, nll: 1)", "ipo()"]),
            ("[1, 2],{\"a\": (1, 2)}", vec!["[1, 2]", "{\"a\": (1, 2)}"]),
            (r#""a,b","c\",d",e"#, vec![r#""a,b""#, r#""c\",d""#, "e"]),
            (r#""(",1"#, vec![r#""(""#, "1"]),
        ] {
            assert_eq!(split(text), Ok(values), "{text}");
        }
        for (text, problem) in [
            ("", "a value is empty"),
            ("1,,2", "a value is empty"),
            ("1,", "a value is empty"),
            ("f(1", "a bracket or a quote is not closed"),
            ("\"a", "a bracket or a quote is not closed"),
            ("f)1(", "a bracket is closed that was not opened"),
            ("(]", "a bracket is closed that was not opened"),
        ] {
            assert_eq!(split(text), Err(problem), "{text}");
        }
    }

    #[test]
    fn the_grid_holds_every_combination_once() {
        let cells = grid(&["stages[DPO].objective.beta=0.1,0.5", "data.train=64", "stages[0].steps=8,16,32"]);
        let labels: Vec<&str> = cells.iter().map(|c| c.label.as_str()).collect();
        assert_eq!(labels[..4], ["beta=0.1 steps=8", "beta=0.1 steps=16", "beta=0.1 steps=32", "beta=0.5 steps=8"]);
        assert_eq!(cells.len(), 6);
        assert_eq!(cells[5].folder, "beta-0.5-steps-32");
        assert_eq!(cells[1].overrides(), ["stages[DPO].objective.beta=0.1", "data.train=64", "stages[0].steps=16"]);
        let one = grid(&[]);
        assert_eq!((one.len(), one[0].label.as_str(), one[0].folder.as_str()), (1, "as given", "as-given"));
    }

    #[test]
    fn names_that_would_clash_are_told_apart() {
        let cells = grid(&["stages[SFT].steps=1,2", "stages[DPO].steps=1,2"]);
        assert_eq!(cells[1].label, "stages[SFT].steps=1 stages[DPO].steps=2");
        let cells = grid(&["stages[0].objective=sigmoid(beta: 1),sigmoid(beta:1),ipo()"]);
        let folders: Vec<&str> = cells.iter().map(|c| c.folder.as_str()).collect();
        assert_eq!(folders, ["objective-sigmoid-beta-1", "objective-sigmoid-beta-1-2", "objective-ipo"]);
    }

    #[test]
    fn what_is_no_setting_is_refused_with_the_rest() {
        let refused = |arguments: &[&str]| {
            let arguments: Vec<String> = arguments.iter().map(|&a| a.to_owned()).collect();
            settings(&arguments).unwrap_err().to_string()
        };
        let all = refused(&["beta", "seed=1,2", "x=1,", "y=1", "y=2"]);
        for message in ["there is no `=`", "--seeds N takes N of them", "a value is empty", "the path is set twice"] {
            assert!(all.contains(message), "{all}");
        }
    }

    /// One value of RON, brackets and quotes balanced.
    fn value() -> impl Strategy<Value = String> {
        let leaf = prop_oneof!["[a-z0-9.]{1,6}", "\"[a-z,()\\[\\] ]{0,6}\""];
        leaf.prop_recursive(3, 16, 3, |inner| {
            (prop::collection::vec(inner, 1..4), prop::sample::select(vec![("f(", ")"), ("[", "]"), ("{", "}")]))
                .prop_map(|(values, (open, close))| format!("{open}{}{close}", values.join(", ")))
        })
    }

    proptest! {
        #[test]
        fn values_joined_by_commas_come_back(values in prop::collection::vec(value(), 1..5)) {
            let joined = values.join(",");
            prop_assert_eq!(split(&joined), Ok(values.iter().map(String::as_str).collect()));
        }

        #[test]
        fn any_text_splits_into_its_own_parts_or_not_at_all(text in "[a(),\\[\\]{}\"\\\\ ]{0,12}") {
            if let Ok(values) = split(&text) {
                let without = |text: &str| text.replace([' ', ','], "");
                prop_assert_eq!(without(&values.concat()), without(&text));
            }
        }
    }
}

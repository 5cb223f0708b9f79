//! The invariants that the crate's front page promises, held by looking at what every source file names.

use std::path::{Path, PathBuf};

/// A source file without its comments, strings and test modules.
struct Source {
    /// Path below `src/`, with `/` on every system.
    name: String,
    code: String,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&root, &mut files);
    files
        .into_iter()
        .map(|path| Source {
            name: path
                .strip_prefix(&root)
                .unwrap()
                .components()
                .map(|c| c.as_os_str().to_str().unwrap())
                .collect::<Vec<_>>()
                .join("/"),
            code: code_of(&std::fs::read_to_string(&path).unwrap()),
        })
        .collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|e| e == "rs") && !is_test_file(&path) {
            files.push(path);
        }
    }
    files.sort();
}

/// Files that only tests compile.
fn is_test_file(path: &Path) -> bool {
    path.file_stem().and_then(|s| s.to_str()).is_some_and(|s| s == "tests" || s == "fixture" || s.ends_with("_tests"))
}

/// Blanks out comments and strings, and cuts a test module off at the end.
fn code_of(text: &str) -> String {
    let text = text.split("\n#[cfg(test)]").next().unwrap_or_default();
    let mut code = String::with_capacity(text.len());
    for line in text.lines() {
        let mut in_string = false;
        let mut escaped = false;
        let mut previous = ' ';
        for c in line.chars() {
            if !in_string && c == '/' && previous == '/' {
                code.pop();
                break;
            }
            if c == '"' && !escaped {
                in_string = !in_string;
            } else if !in_string {
                code.push(c);
            }
            escaped = c == '\\' && !escaped;
            previous = c;
        }
        code.push('\n');
    }
    code
}

/// Whether the code names `path` as a path: `burn::`, `use burn;`, `crate::tui`.
fn names(code: &str, path: &str) -> bool {
    code.match_indices(path).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        let after = code[at + path.len()..].chars().next();
        let boundary = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric() && c != '_');
        let is_path =
            code[at + path.len()..].starts_with("::") || code[..at].ends_with("use ") || code[..at].ends_with("::");
        boundary(before) && boundary(after) && is_path
    })
}

/// Modules of this crate that a file imports, also from `use crate::{a, b::c}`.
fn imports(source: &Source, module: &str) -> bool {
    let direct = format!("crate::{module}");
    let grouped = source.code.match_indices("crate::{").any(|(at, opening)| {
        let group = &source.code[at + opening.len()..];
        let mut depth = 1;
        let end = group.find(|c| {
            depth += i32::from(c == '{') - i32::from(c == '}');
            depth == 0
        });
        top_level(&group[..end.unwrap_or(group.len())]).iter().any(|item| item.split("::").next() == Some(module))
    });
    grouped
        || source.code.match_indices(&direct).any(|(at, _)| {
            source.code[at + direct.len()..].chars().next().is_none_or(|c| !c.is_alphanumeric() && c != '_')
        })
}

/// The items of a braced list, nested ones whole.
fn top_level(group: &str) -> Vec<String> {
    let (mut items, mut depth) = (vec![String::new()], 0);
    for c in group.chars() {
        depth += i32::from(c == '{') - i32::from(c == '}');
        match c {
            ',' if depth == 0 => items.push(String::new()),
            c if c.is_whitespace() => {}
            c => items.last_mut().unwrap().push(c),
        }
    }
    items
}

fn within(name: &str, places: &[&str]) -> bool {
    places.iter().any(|p| name == format!("{p}.rs") || name.starts_with(&format!("{p}/")))
}

fn assert_none(invariant: &str, offenders: Vec<String>) {
    assert!(offenders.is_empty(), "{invariant}; broken by {offenders:?}");
}

fn offenders(rule: impl Fn(&Source) -> bool) -> Vec<String> {
    sources().into_iter().filter(|s| rule(s)).map(|s| s.name).collect()
}

#[test]
fn the_waist_stands_on_std_and_serde_alone() {
    let crates = ["crate", "burn", "ratatui", "crossterm", "serde_json", "ron", "crossbeam_channel", "tokenizers"];
    let broken = offenders(|s| {
        (s.name == "protocol.rs" || s.name.starts_with("protocol/")) && crates.iter().any(|c| names(&s.code, c))
    });
    assert_none("protocol imports std and serde alone", broken);
}

#[test]
fn tensors_live_in_their_rooms() {
    let rooms = ["backend", "data/batch", "model", "objective", "probe", "train", "selftest"];
    let crates = ["burn", "burn_flex", "burn_ndarray", "burn_cuda", "burn_wgpu", "burn_autodiff"];
    assert_none(
        "burn is named only in backend, data/batch, model, objective, probe, train, selftest",
        offenders(|s| !within(&s.name, &rooms) && crates.iter().any(|c| names(&s.code, c))),
    );
    assert_none(
        "only backend names concrete backends",
        offenders(|s| !within(&s.name, &["backend"]) && crates[1..5].iter().any(|c| names(&s.code, c))),
    );
}

#[test]
fn the_terminal_lives_in_its_rooms() {
    assert_none(
        "ratatui is named only in tui and export",
        offenders(|s| !within(&s.name, &["tui", "export"]) && names(&s.code, "ratatui")),
    );
    assert_none(
        "crossterm is named only in tui",
        offenders(|s| !within(&s.name, &["tui"]) && names(&s.code, "crossterm")),
    );
}

#[test]
fn objectives_see_log_probs_and_never_a_model() {
    let broken =
        offenders(|s| within(&s.name, &["objective"]) && ["model", "data", "probe"].iter().any(|m| imports(s, m)));
    assert_none("objective sees log-probs and masks, never a model", broken);
}

#[test]
fn what_happened_does_not_know_who_watches_or_who_trains() {
    for module in ["tui", "train"] {
        assert_none(
            "history, record and claims import neither tui nor train",
            offenders(|s| within(&s.name, &["history", "record", "claims"]) && imports(s, module)),
        );
    }
    assert_none("export never imports train", offenders(|s| within(&s.name, &["export"]) && imports(s, "train")));
    assert_none("tui never imports train", offenders(|s| within(&s.name, &["tui"]) && imports(s, "train")));
}

#[test]
fn training_knows_no_screen_and_no_run_file() {
    for module in ["tui", "record", "session", "cli", "export"] {
        assert_none(
            "train, model, objective, probe and data import neither screen nor record",
            offenders(|s| within(&s.name, &["train", "model", "objective", "probe", "data"]) && imports(s, module)),
        );
    }
}

#[test]
fn the_scanner_sees_what_it_should() {
    let source = |code: &str| Source { name: String::new(), code: code_of(code) };
    assert!(names(&source("use burn::tensor;").code, "burn"));
    assert!(names(&source("fn f() -> ratatui::Frame {}").code, "ratatui"));
    assert!(!names(&source("// burn::tensor\nlet x = \"burn::tensor\"; burnish::x();").code, "burn"));
    assert!(imports(&source("use crate::{error::Error, tui::{chart, theme}};"), "tui"));
    assert!(imports(&source("use crate::tui;"), "tui"));
    assert!(!imports(&source("use crate::{history::tui_like, tuition};"), "tui"));
    assert!(!imports(&source("use crate::x;\n#[cfg(test)]\nmod tests { use crate::tui; }"), "tui"));
}

//! Preference data in files through the real binary: what is said of sound ones, and a table of broken ones.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

/// What is put into a folder.
enum File {
    /// The training rows, after a sound one.
    Rows(&'static [u8]),
    /// The training rows, and nothing before them.
    Only(&'static [u8]),
    /// Made by a function that is given the path.
    Made(fn(&Path)),
}
use File::{Made, Only, Rows};

const ROW: &str = "{\"prompt\": \"a\", \"chosen\": \" b\", \"rejected\": \" c\"}\n";
const TALK: &[u8] =
    b"{\"prompt\": [{\"role\": \"user\", \"content\": \"q\"}], \"chosen\": \" b\", \"rejected\": \" c\"}\n";

/// The training rows, settings beside them (`FILE` is their path), and what is said.
const BROKEN: &[(File, &str, &str)] = &[
    (Rows(b"{\"prompt\": \"a\", \"rejected\": \" c\"}"), "", "rows.jsonl:2: has no \"chosen\""),
    (Rows(b"{\"prompt\": \"a\", \"chosen\": [1, 2]}"), "", "rows.jsonl:2: \"chosen\" is a list"),
    (Rows(b"{\"prompt\": [{\"content\": \"x\"}], \"chosen\": \"b\"}"), "", "message 1 of \"prompt\": it has no role"),
    (Only(b"{\"prompt\": \"a\", \"chosen\": \"  \"}"), "", "holds no row to learn from: an answer is empty"),
    (Only(b"\x1f\x8b\x08\x00nothing"), "", "rows.jsonl: cannot be read"),
    (Rows(b"{\"prompt\": \"a\", \"chosen\": \"b\", \"chosen\": \"c\"}"), "", "key \"chosen\" twice"),
    (Rows(b"{\"prompt\": \"a\0\", \"chosen\": \"b\"}"), "", "control character"),
    (Rows(b"\0\0\0\0"), "", "expected value"),
    (Rows(b"{\"prompt\": \"\xff\", \"chosen\": \"b\"}"), "", "rows.jsonl:2: is not UTF-8, from byte 13"),
    (Rows(b"{\"prompt\": \"a\", \"completion\": \"b\", \"label\": false}"), "", "has a \"label\" and no pair"),
    (
        Only(b"[{\"prompt\": \"a\", \"chosen\": \"b\"}, {\"prompt\": \"a\"}]"),
        "",
        "rows.jsonl: row 2: has no \"chosen\"",
    ),
    (Only(b"[{\"prompt\": \"a\", \"chosen\": \"b\"},"), "", "rows.jsonl: row 2: the list has no end"),
    (Only(b"{\"chosen\": \"a\", \"rejected\": \"a\"}"), "", "holds no row to learn from: one answer is the beginning"),
    (Only(b"PAR1\x15\x04\x15\x10"), "", "rows.jsonl: is a Parquet file"),
    (Only(b""), "", "rows.jsonl: holds no rows"),
    // A sparse file: 300 MB without a line break.
    (
        Made(|path| std::fs::File::create(path).unwrap().set_len(300_000_000).unwrap()),
        "",
        "rows.jsonl:1: line is longer than 16 MiB",
    ),
    (Made(|path| std::fs::create_dir(path).unwrap()), "", "data.train: there is no file FILE"),
    (
        Made(|path| {
            let nested = ["[", "]"].map(|bracket| bracket.repeat(1 << 20)).concat();
            let deep = format!("{{\"prompt\": \"a\", \"chosen\": {nested}}}");
            std::fs::write(path, deep).unwrap();
        }),
        "",
        "rows.jsonl:1: \"chosen\" is a list",
    ),
    (
        Made(|path| {
            let many = format!("{{\"prompt\": \"a\", \"chosen\": [{}{{}}]}}", "{},".repeat(5 << 20));
            std::fs::write(path, many).unwrap();
        }),
        "",
        "message 1 of \"chosen\": it has no role",
    ),
    (Only(TALK), "", "rows.jsonl:1: is a conversation, and there is no chat template"),
    (Only(TALK), "chat_template: \"none.jinja\"", "none.jinja: cannot be read"),
    (Only(TALK), "chat_template: \"{% for x in %}\"", "data.chat_template:1: the chat template is not valid Jinja"),
    (Only(TALK), "chat_template: \"{{ raise_exception('no') }}\"", "the template refuses it: no"),
    (
        Only(TALK),
        "chat_template: \"{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}\"",
        "it takes more steps or memory than a chat template may",
    ),
    (
        Only(TALK),
        "chat_template: \"{% set n = namespace(x='ab') %}{% for a in range(99) %}{% set n.x = n.x ~ n.x %}{% endfor %}\"",
        "it takes more steps or memory than a chat template may",
    ),
    (
        Only(TALK),
        "chat_template: \"{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}\"",
        "rows.jsonl:1: the chat template cannot write it: recursion limit exceeded",
    ),
    (Rows(b""), "max_length: 0", "data.max_length: 0 is too few"),
    (Rows(b""), "max_length: 8, max_prompt_length: 8", "prompts of 8 tokens leave no room for an answer"),
    (Rows(b""), "max_length: 8, max_prompt_lenght: 4", "did you mean `max_prompt_length`?"),
];

fn experiment(file: &str, settings: &str) -> String {
    format!(
        "(name: \"x\", data: preferences(train: \"{file}\", {settings}), probes: (prompts: 1, greedy: 0),
          stages: [(name: \"DPO\", objective: sigmoid(), steps: 1, batch_size: 1, learning_rate: 1e-5)])"
    )
}

/// Runs the program, and returns with its output the most memory it was seen to hold, bytes; 0 where that is not told.
fn ldyn(folder: &Path, args: &[&str]) -> (Output, u64) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_ldyn-tui"))
        .args(args)
        .current_dir(folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let held = text.lines().find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next()?.parse().ok());
        peak = peak.max(held.unwrap_or(0) * 1024);
        std::thread::sleep(Duration::from_millis(2));
    }
    (child.wait_with_output().unwrap(), peak)
}

fn refused(folder: &Path, args: &[&str]) -> String {
    let (output, peak) = ldyn(folder, args);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{args:?}: {stderr}");
    assert!(stderr.starts_with("error: ") && stderr.matches("error: ").count() == 1, "told once: {stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
    assert!(peak < 300 << 20, "{} MiB: {stderr}", peak >> 20);
    stderr
}

#[test]
fn broken_data_files() {
    for (file, settings, message) in BROKEN {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.jsonl");
        match file {
            Rows(rows) => std::fs::write(&path, [ROW.as_bytes(), rows].concat()).unwrap(),
            Only(rows) => std::fs::write(&path, rows).unwrap(),
            Made(make) => make(&path),
        }
        std::fs::write(folder.path().join("x.ron"), experiment("rows.jsonl", settings)).unwrap();
        let said = refused(folder.path(), &["check", "x.ron"]);
        let message = message.replace("FILE", "rows.jsonl");
        assert!(said.contains(&message), "{settings}\n expected: {message}\n     said: {said}");
    }
}

#[test]
fn a_row_longer_than_the_model_is_refused_unless_it_is_cut() {
    let folder = tempfile::tempdir().unwrap();
    let long = format!("{{\"prompt\": \"{}\", \"chosen\": \" b\", \"rejected\": \" c\"}}\n", "word ".repeat(500));
    std::fs::write(folder.path().join("rows.jsonl"), format!("{ROW}{long}")).unwrap();
    std::fs::write(folder.path().join("x.ron"), experiment("rows.jsonl", "")).unwrap();
    // The trainer finds it, after it has said what it is doing.
    let (output, _) = ldyn(folder.path(), &["run", "x.ron", "--headless"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("rows.jsonl:2: \"chosen\" and its prompt have ") && said.contains("max_length"), "{said}");

    let settings = "max_length: 64, max_prompt_length: 32";
    std::fs::write(folder.path().join("x.ron"), experiment("rows.jsonl", settings)).unwrap();
    let (output, _) = ldyn(folder.path(), &["run", "x.ron", "--headless"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let logs: Vec<String> = glob(&folder.path().join("runs"), "log.txt");
    assert!(
        logs.iter().any(|log| log.contains("data: 2 rows, 2 kept; 1 prompts cut to their last 32 tokens")),
        "{logs:?}"
    );
}

/// The texts of the files of that name below a folder.
fn glob(folder: &Path, name: &str) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let texts = entries.flat_map(|path| {
        if path.is_dir() {
            return glob(&path, name);
        }
        let named = path.file_name().is_some_and(|n| n == name);
        if named { vec![std::fs::read_to_string(&path).unwrap()] } else { Vec::new() }
    });
    texts.collect()
}

#[test]
fn check_says_what_is_done_to_the_rows() {
    let folder = tempfile::tempdir().unwrap();
    let rows = [
        ROW,
        "{\"prompt\": \"a b c d e f g h\", \"chosen\": \" b\", \"rejected\": \" c\"}\n",
        "{\"prompt\": \"a\", \"chosen\": \" the mill by the mill by the mill\", \"rejected\": \" c\"}\n",
        "{\"chosen\": \"the same\", \"rejected\": \"the same\"}\n",
    ];
    std::fs::write(folder.path().join("rows.jsonl"), rows.concat()).unwrap();
    std::fs::write(folder.path().join("x.ron"), experiment("rows.jsonl", "max_length: 8, max_prompt_length: 4"))
        .unwrap();
    let (output, _) = ldyn(folder.path(), &["check", "x.ron"]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for part in [
        "x.ron: ok (x; steps: DPO 1)\ndata: 4 rows, 3 kept; 1 prompts cut to their last 4 tokens; answers of 1 rows cut at \
         8 tokens; 1 dropped: one answer is the beginning of the other",
        "(first: 4)\nprobes made from other rows: irr_train, repeater, random_permute\n",
    ] {
        assert!(said.contains(part), "{said}");
    }
}

#[cfg(feature = "parquet")]
#[test]
fn parquet_files_are_trained_on_and_broken_ones_refused() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let folder = tempfile::tempdir().unwrap();
    let template = "chat_template: \"{% for m in messages %}{{ m.role }}: {{ m.content }}{{ eos_token }}{% endfor %}\"";
    std::fs::copy(golden.join("conversations.parquet"), folder.path().join("rows.parquet")).unwrap();
    std::fs::write(folder.path().join("x.ron"), experiment("rows.parquet", template)).unwrap();
    let (output, _) = ldyn(folder.path(), &["run", "x.ron", "--headless"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let whole = std::fs::read(golden.join("texts.parquet")).unwrap();
    std::fs::write(folder.path().join("rows.parquet"), &whole[..whole.len() / 2]).unwrap();
    let said = refused(folder.path(), &["check", "x.ron"]);
    assert!(said.contains("rows.parquet: is not a sound Parquet file"), "{said}");
}

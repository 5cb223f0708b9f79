//! Lines and rows: what is read, what is refused and where.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use proptest::prelude::*;

use super::super::row::{Row, Turns};
use super::*;
use crate::protocol::ProbeKind;

fn parse(text: impl AsRef<[u8]>) -> Result<Vec<Row>> {
    let entries = Lines::new(Path::new("rows.jsonl"), text.as_ref());
    let row = |entry: Result<Entry>| match entry {
        Ok(Entry::Row(row)) => Some(Ok(row)),
        Ok(Entry::Dropped(..)) => None,
        Err(error) => Some(Err(error)),
    };
    entries.filter_map(row).collect()
}

fn text(turns: &Turns) -> &str {
    turns.as_ref()
}

#[test]
fn rows_are_read() {
    let rows = "\u{feff}{\"prompt\":\"p\",\"chosen\":\" c\",\"rejected\":\" r\",\"id\":7,\"score_chosen\":1.5}\r\n\n\
                {\"prompt\":\"q\",\"chosen\":\" d\",\"irr_hum\":\" h\"}";
    let rows = parse(rows).unwrap();
    assert_eq!(rows.iter().map(|row| row.number).collect::<Vec<_>>(), [1, 3]);
    assert_eq!(text(&rows[0].prompt), "p");
    assert_eq!(text(&rows[0].responses[&ProbeKind::Rejected]), " r");
    assert_eq!(text(&rows[1].responses[&ProbeKind::IrrHum]), " h");
    assert_eq!(rows[1].responses.len(), 2);
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
        (r#"{"id":1}"#, r#":2: has no "prompt""#),
        (r#"{"chosen":"c"}"#, r#":2: has no "prompt""#),
        (r#"{"prompt":"p","rejected":"c"}"#, r#":2: has no "chosen""#),
        (r#"{"prompt":"","chosen":"c"}"#, r#":2: "prompt" is empty"#),
        (r#"{"prompt":"p","chosen":3}"#, r#":2: "chosen" is a number"#),
        (r#"{"prompt":"p","chosen":null}"#, r#":2: has no "chosen""#),
        (r#"{"prompt":"p","chosen":{"a":[1]}}"#, r#":2: "chosen" is an object"#),
        (r#"{"prompt":"p","chosen":NaN}"#, r#":2: "chosen" is no text: it holds NaN or Infinity"#),
        (r#"{"prompt":"p","chosen":"c","tools":[{"a":-Infinity}]}"#, r#":2: "tools" is no text: it holds NaN"#),
        (r#"{"prompt":"p","chosen":"c","tools":3}"#, r#":2: "tools" is a number"#),
        (r#"{"prompt":"p","chosen":"c","tools":"{"}"#, r#":2: "tools" is text that is not JSON"#),
        (r#"{"prompt":"p","chosen":"c","tools":[3]}"#, r#":2: "tools" holds something that is not a JSON schema"#),
        (r#"{"prompt":"p","chosen":"c","chat_template_kwargs":[]}"#, r#":2: "chat_template_kwargs" is a list"#),
        (r#"{"prompt":"p","chosen":"c","chat_template_kwargs":{"tools":1}}"#, r#"sets "tools", which"#),
        (r#"{"prompt":"p","chosen":"c","irr_hum":["x"]}"#, r#":2: "irr_hum" is a list"#),
        (r#"{"prompt":"p","choosen":"c"}"#, r#"did you mean "chosen"?"#),
        (r#"{"prompt":"p","chosen":"c","Rejected":"r"}"#, r#"did you mean "rejected"?"#),
        (r#"{"prompt":[{"content":"x"}],"chosen":"c"}"#, r#":2: message 1 of "prompt": it has no role"#),
        (r#"{"prompt":[{"role":"","content":"x"}],"chosen":"c"}"#, r#"message 1 of "prompt": it has no role"#),
        (r#"{"prompt":[{"from":"user","value":"x"}],"chosen":"c"}"#, r#"message 1 of "prompt": it has no role"#),
        (r#"{"prompt":"p","chosen":[{"role":"assistant"}]}"#, r#"message 1 of "chosen": it has no content"#),
        (r#"{"prompt":"p","chosen":[{"role":"assistant","content":["x"]}]}"#, "its content is a list"),
        (
            r#"{"prompt":"p","chosen":[{"role":"a","content":[{"type":"image"}]}]}"#,
            r#"its content has a part of the type "image", and only text is read"#,
        ),
        (r#"{"prompt":"p","chosen":[{"role":"a","content":"b"},3]}"#, r#""chosen" is a list"#),
        (r#"{"chosen":[{"role":"user","content":"b"}]}"#, "is no conversation that ends with an answer"),
        (r#"{"messages":[{"role":"user","content":"b"}]}"#, "is no conversation that ends with an answer"),
        (r#"{"messages":"b"}"#, r#""messages" is text"#),
        (r#"{"chosen":"a b","rejected":"c d"}"#, r#""chosen" and "rejected" begin differently"#),
        (r#"{"chosen":"a b","rejected":[{"role":"user","content":"b"}]}"#, "one is text and one a list of messages"),
        (r#"{"prompt":"p","completion":"c","label":true}"#, r#"has a "label" and no pair"#),
        (r#"{"prompt":"p","chosen":"\ud800"}"#, ":2:"),
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
        assert_eq!(parse(empty).unwrap(), []);
    }
    let error = parse(b"{\"prompt\":\"\xff\"}").unwrap_err().to_string();
    assert!(error.contains("rows.jsonl:1: is not UTF-8, from byte 12"), "{error}");
    let error = parse(vec![b'x'; MAX_LINE + 1]).unwrap_err().to_string();
    assert!(error.contains("rows.jsonl:1: line is longer than 16 MiB"), "{error}");
    let row = r#"{"prompt":"p","chosen":"c"}"#;
    for (list, expected) in [
        (r#"[{"prompt":"p"}]"#.to_owned(), "rows.jsonl: row 1: has no \"chosen\""),
        (format!("[{row},\n {row}, 3]"), "rows.jsonl: row 3: invalid type: integer `3`"),
        (format!("[{row}, {row}"), "rows.jsonl: row 2: the list has no end"),
        (format!("[{row}, "), "rows.jsonl: row 2: the list has no end"),
        (format!("[{row}] {row}"), "rows.jsonl: row 1: something follows the list"),
    ] {
        let error = parse(list).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert_eq!(error.exit_status(), 2);
    }
    assert!(Lines::open(Path::new("no/such/file.jsonl")).err().unwrap().to_string().contains("cannot be read"));
    let many: Vec<String> = (0..=MAX_KEYS).map(|i| format!("\"{i}\":0")).collect();
    let error = parse(format!("{{{}}}", many.join(","))).unwrap_err().to_string();
    assert!(error.contains("more than 1000 keys"), "{error}");
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let unread = format!("{{\"prompt\":\"p\",\"chosen\":\"c\",\"x\":{deep}}}");
    assert_eq!(parse(unread).unwrap().len(), 1);
    let read = format!("{{\"prompt\":\"p\",\"chosen\":{deep}}}");
    assert!(parse(read).unwrap_err().to_string().contains("\"chosen\" is a list"));
}

#[test]
fn other_files_are_told_by_their_first_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rows.jsonl");
    for (bytes, expected) in [
        (&b"PAR1...."[..], "is a Parquet file\n  let its name end in .parquet"),
        (&[0x28, 0xb5, 0x2f, 0xfd, 0], "is compressed by zstd"),
        (b"BZh91AY", "is compressed by bzip2"),
        (b"\xfd7zXZ\0", "is compressed by xz"),
        (b"PK\x03\x04", "is a ZIP archive"),
        (b"ARROW1\0\0", "is an Arrow file"),
        (b"\xff\xfe{\0", "is UTF-16\n  save the file as UTF-8"),
    ] {
        std::fs::write(&file, bytes).unwrap();
        let error = Lines::open(&file).err().unwrap();
        assert!(error.to_string().contains(&format!("rows.jsonl: {expected}")), "{error}");
        assert_eq!(error.exit_status(), 2);
    }
}

#[test]
fn a_list_and_a_compressed_file_hold_the_rows_that_their_lines_would() {
    let rows = r#"{"prompt":"p, ]","chosen":"c\"","x":[{}]}
{"prompt":"q","chosen":"d"}"#;
    let expected = parse(rows).unwrap();
    let list = format!("\u{feff} [\n{}\n]\n", rows.replace('\n', " ,\n\n"));
    let read = parse(list).unwrap();
    assert_eq!(read.len(), 2);
    for (of_list, of_lines) in read.iter().zip(&expected) {
        assert_eq!((of_list.number, &of_list.prompt), (of_lines.number, &of_lines.prompt));
        assert_eq!(of_list.responses, of_lines.responses);
    }
    assert_eq!(parse("[ ]").unwrap(), []);

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.jsonl.gz");
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut packer, rows.as_bytes()).unwrap();
    let packed = packer.finish().unwrap();
    std::fs::write(&path, &packed).unwrap();
    let unpack = || Lines::open(&path)?.collect::<Result<Vec<_>>>();
    assert_eq!(unpack().unwrap(), expected.into_iter().map(Entry::Row).collect::<Vec<_>>());
    std::fs::write(&path, &packed[..packed.len() / 2]).unwrap();
    assert_eq!(unpack().unwrap_err().exit_status(), 2);
}

#[test]
fn null_is_absent_and_what_is_not_read_may_be_anything() {
    let rows = parse(
        r#"{"prompt":"p NaN","chosen":"c \\","rejected":null,"irr_hum":null,"score":NaN,"margin":[-Infinity,{"a":Infinity}]}
{"prompt":"p","chosen":"","rejected":"r"}
{"prompt":"p","chosen":[],"rejected":"r"}
{"prompt":"p","completion":" "}
{"text":""}
{"messages":[]}
{"messages":[{"role":"user","content":"q"},{"role":"assistant","content":""}]}
{"chosen":[],"rejected":[{"role":"user","content":"q"},{"role":"assistant","content":"a"}]}
{"prompt":"p","chosen":[{"role":"assistant","content":"a"}],"rejected":[{"role":"assistant","content":" "}]}"#,
    )
    .unwrap();
    assert_eq!(rows.len(), 1, "the others have an empty answer: {rows:?}");
    assert_eq!((text(&rows[0].prompt), rows[0].responses.len()), ("p NaN", 1));
}

#[test]
fn messages_keep_what_a_template_may_ask_for() {
    let rows = parse(
        r#"{"prompt":[{"content":[{"type":"text","text":"a"},{"text":"b","type":"text"}],"role":"user","n":1,"z":null}],"chosen":[{"role":"assistant","content":null,"tool_calls":[{"id":"x"}]}],"tools":"[{\"b\":1,\"a\":2}]","chat_template_kwargs":{"think":false,"none":null}}"#,
    )
    .unwrap();
    let Turns::Messages(prompt) = &rows[0].prompt else { panic!("messages") };
    assert_eq!(prompt[0].content, "ab");
    assert_eq!(prompt[0].value(false).to_string(), "{'content': 'ab', 'role': 'user', 'n': 1}");
    assert!(prompt[0].value(true).to_string().starts_with("{'content': [{'type': 'text', 'text': 'a'}"));
    assert_eq!(rows[0].arguments.tools.as_ref().unwrap().to_string(), "[{'b': 1, 'a': 2}]");
    assert_eq!(rows[0].arguments.named, [("think".to_owned(), false.into())]);
}

#[test]
fn an_escape_in_a_key_does_not_reach_the_error() {
    let error = parse("{\"prompt\":\"p\",\"chosen\u{9b}\":\"c\"}").unwrap_err().to_string();
    assert!(!error.contains('\u{9b}') && error.contains("<U+009B>"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read(prompt in "\\PC{1,40}|[\\x00-\\x7f]{1,40}", answers in prop::array::uniform2("[^ ]\\PC{0,40}")) {
        prop_assume!(!prompt.trim().is_empty() && answers.iter().all(|answer| !answer.trim().is_empty()));
        let [chosen, rejected] = answers;
        let line = serde_json::json!({ "prompt": prompt, "chosen": chosen, "rejected": rejected, "x": [{ "y": null }] });
        let rows = parse(line.to_string()).unwrap();
        prop_assert_eq!(text(&rows[0].prompt), &prompt);
        prop_assert_eq!(text(&rows[0].responses[&ProbeKind::Chosen]), &chosen);
        prop_assert_eq!(text(&rows[0].responses[&ProbeKind::Rejected]), &rejected);
    }

    #[test]
    fn messages_are_read_as_they_are_written(turns in prop::collection::vec(("[a-z]{1,9}", "\\PC{0,40}", "\\PC{0,9}"), 1..5)) {
        prop_assume!(turns.iter().any(|(_, content, _)| !content.trim().is_empty()));
        let messages: Vec<_> = turns.iter().map(|(role, content, name)| {
            serde_json::json!({ "role": role, "content": content, "name": name, "weight": 1, "tool_calls": [] })
        }).collect();
        let line = serde_json::json!({ "prompt": messages, "chosen": "c" }).to_string();
        let Turns::Messages(read) = parse(line).unwrap().remove(0).prompt else { panic!("messages") };
        let read: Vec<_> = read.into_iter().map(|m| (m.role.clone(), m.content.clone(), m.value(false).get_attr("name").unwrap().to_string())).collect();
        prop_assert_eq!(read, turns);
    }

    #[test]
    fn no_line_makes_it_panic(line in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(line);
    }

    #[test]
    fn no_json_makes_it_panic(line in "[{}\\[\\],:\"a-z0-9\\\\ ]{0,80}") {
        let _ = parse(format!("{{\"prompt\":{line}"));
        let _ = parse(format!("{{\"prompt\":[{{{line}"));
    }
}

//! Preference files read, up to the text that is tokenised.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use super::*;
use crate::data::lengths::Truncation;
use crate::experiment::ModelSource;
use crate::model::model_files;

/// A folder with `train.jsonl` and, where there is any text for it, `held_out.jsonl`.
struct Files(tempfile::TempDir);

impl Files {
    fn new(train: &str, held_out: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [("train.jsonl", train), ("held_out.jsonl", held_out)] {
            if !text.is_empty() {
                std::fs::write(folder.path().join(name), text).unwrap();
            }
        }
        Self(folder)
    }

    fn settings(&self, chat_template: Option<&str>) -> PreferenceFiles {
        let held_out = self.0.path().join("held_out.jsonl");
        PreferenceFiles {
            train: self.0.path().join("train.jsonl"),
            held_out: held_out.is_file().then_some(held_out),
            max_length: None,
            max_prompt_length: None,
            chat_template: chat_template.map(str::to_owned),
        }
    }

    /// Reads all; drops what has `drop` in its prompt. Also returns the prompts that were seen.
    fn visit(&self, chat_template: Option<&str>, observe: usize) -> Result<(Visited, Vec<String>)> {
        let data = PreferenceData::open(&self.settings(chat_template), model_files(&ModelSource::Base));
        let mut seen = Vec::new();
        let visited = data.visit(observe, 1, &mut |_, example| {
            seen.push(example.prompt.clone());
            let drop = example.prompt.contains("drop");
            Ok(if drop {
                Trainable::No(Untrainable::Dropped("it says so"))
            } else {
                Trainable::Yes(Truncation::default())
            })
        })?;
        Ok((visited, seen))
    }
}

const MARKS: &str = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{{ eos_token }}\n{% endfor %}\
                     {% if add_generation_prompt %}<assistant>{% endif %}";

#[test]
fn missing_probes_are_made_for_what_is_observed_alone() {
    let row = |i: usize| format!("{{\"prompt\":\"q{i}\",\"chosen\":\" a{i} b{i} c{i}\",\"rejected\":\" r{i}\"}}\n");
    let train: String = (0..6).map(row).collect::<String>() + "{\"prompt\":\"drop me\",\"chosen\":\" never\"}\n";
    let files = Files::new(&train, "{\"prompt\":\"t\",\"chosen\":\" x y z\",\"rejected\":\" w\"}\n");
    let (visited, seen) = files.visit(None, 2).unwrap();
    assert_eq!(seen.len(), 7);
    let report = visited.report.unwrap();
    assert_eq!((report.rows, report.kept, report.dropped[0].rows, report.dropped[0].first), (7, 6, 1, 7));
    assert_eq!(report.derived.len(), 5);
    assert_eq!(visited.observed.len(), 2);
    let responses = &visited.observed[1].responses;
    assert_eq!(responses[&ProbeKind::IrrTrain], " a4 b4 c4", "half of the kept rows away");
    assert_eq!(responses[&ProbeKind::IrrTest], " x y z");
    assert_eq!(responses[&ProbeKind::Repeater], " a1 b1 c1");
    assert_eq!(visited.held_out.len(), 1);
}

#[test]
fn the_same_probes_are_made_as_for_data_in_memory() {
    let row = |i: usize| format!("{{\"prompt\":\"q{i}\",\"chosen\":\" a{i} b{i} c{i} d{i} e{i}\"}}\n");
    let files = Files::new(&(0..9).map(row).collect::<String>(), &row(77));
    let (visited, _) = files.visit(None, 5).unwrap();
    let example = |i: usize| PreferenceExample {
        prompt: format!("q{i}"),
        responses: BTreeMap::from([(ProbeKind::Chosen, format!(" a{i} b{i} c{i} d{i} e{i}"))]),
        form: Form::Plain,
    };
    let mut dataset = crate::data::Dataset { train: (0..9).map(example).collect(), held_out: vec![example(77)] };
    crate::data::example::derive_probes(&mut dataset, 1);
    assert_eq!(visited.observed, dataset.train[..5]);
}

#[test]
fn probes_of_conversations_are_written_as_answers() {
    let train = r#"{"prompt":[{"role":"user","content":"q"}],"chosen":[{"role":"assistant","content":"a b"}],"irr_hum":"h"}
{"messages":[{"role":"user","content":"p"},{"role":"assistant","content":"c d"}]}
"#;
    let (visited, seen) = Files::new(train, "").visit(Some(MARKS), 1).unwrap();
    assert_eq!(seen, ["<user>q<eos>\n<assistant>", "<user>p<eos>\n<assistant>"]);
    let responses = &visited.observed[0].responses;
    assert_eq!(responses[&ProbeKind::Chosen], "a b<eos>\n");
    assert_eq!(responses[&ProbeKind::IrrTrain], "c d<eos>\n");
    assert_eq!(responses[&ProbeKind::IrrHum], "h<eos>\n");
    assert!(responses[&ProbeKind::RandomPermute].ends_with("<eos>\n"));
    assert!(!responses.contains_key(&ProbeKind::IrrTest), "nothing is held out");
}

#[test]
fn documents_are_observed_where_they_are_held_out() {
    let files = Files::new("{\"text\":\"once\"}\n{\"text\":\"upon\"}\n", "{\"text\":\"a time\"}\n");
    let (visited, _) = files.visit(None, 3).unwrap();
    assert!(!visited.asks);
    assert_eq!(visited.observed.len(), 1);
    assert_eq!(visited.observed[0].responses[&ProbeKind::Chosen], "a time");
}

/// A template that opens an answer with a thought, as one that thinks does.
const THINKS: &str = "{% for m in messages %}<{{ m.role }}>{% if m.thought %}<think>{{ m.thought }}</think>{% endif %}\
                      {% for call in m.tool_calls or [] %}{{ call.name }}{% endfor %}{{ m.content or '' }}\n{% endfor %}\
                      {% if add_generation_prompt %}<assistant><think>{% endif %}";

#[test]
fn what_is_learnt_decides_where_a_prompt_ends_and_what_is_observed_does_not() {
    let row = r#"{"prompt":[{"role":"user","content":"q"}],"chosen":[{"role":"assistant","content":"a","thought":"t"}],
        "rejected":[{"role":"assistant","content":"b","thought":"u"}],"irr_hum":"c"}"#;
    let (visited, _) = Files::new(&row.replace('\n', ""), "").visit(Some(THINKS), 1).unwrap();
    let observed = &visited.observed[0];
    assert_eq!(observed.prompt, "<user>q\n<assistant><think>");
    assert_eq!(observed.responses[&ProbeKind::Chosen], "t</think>a\n");
    assert_eq!(observed.responses[&ProbeKind::IrrHum], "c\n", "what does not begin so");
    assert_eq!(observed.responses[&ProbeKind::Repeater], "a\n", "what is made of it");
}

#[test]
fn nothing_is_made_of_an_answer_that_is_a_call_without_words() {
    let row = r#"{"prompt":[{"role":"user","content":"q"}],"rejected":[{"role":"assistant","content":"b"}],
        "chosen":[{"role":"assistant","content":"","tool_calls":[{"name":"sky"}]}]}"#;
    let (visited, _) = Files::new(&row.replace('\n', ""), "").visit(Some(THINKS), 1).unwrap();
    let kinds: Vec<_> = visited.observed[0].responses.keys().map(|kind| kind.key()).collect();
    assert_eq!(kinds, ["chosen", "rejected"]);
    assert_eq!(visited.observed[0].responses[&ProbeKind::Chosen], "sky\n");
}

#[test]
fn a_prompt_may_be_closed_otherwise_than_it_goes_on() {
    let row =
        |prompt: &str| format!("{{\"prompt\":[{{\"role\":\"user\",\"content\":\"{prompt}\"}}],\"chosen\":\"a\"}}\n");
    // Command R7B begins to think after every user, and writes no thought before an answer.
    let closes = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}\
                  {% if messages[-1].role == 'user' %}[no thought]{% endif %}";
    let (visited, _) = Files::new(&row("q"), "").visit(Some(closes), 1).unwrap();
    assert_eq!(visited.observed[0].prompt, "<user>q");
    assert_eq!(visited.observed[0].responses[&ProbeKind::Chosen], "<assistant>a");
    // One that takes words back is no such template.
    let takes = "{% for m in messages %}{% if loop.last %}{{ m.content }}{% else %}.{% endif %}{% endfor %}";
    let said = Files::new(&row("q"), "").visit(Some(takes), 1).unwrap_err().to_string();
    assert!(said.contains("does not begin as the prompt alone does"), "{said}");
}

#[test]
fn a_stand_in_for_a_file_is_told() {
    let files = Files::new("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 5\n", "");
    let error = files.visit(None, 1).unwrap_err();
    assert!(error.to_string().contains("train.jsonl: is a pointer of Git LFS"), "{error}");
    assert_eq!(error.exit_status(), 2);
}

#[test]
fn conversations_that_cannot_be_written_are_refused_with_their_line() {
    let good = r#"{"prompt":"q","chosen":"a"}"#;
    let talk = r#"{"messages":[{"role":"user","content":"p"},{"role":"assistant","content":"c"}]}"#;
    let system = r#"{"prompt":[{"role":"system","content":"p"}],"chosen":"c"}"#;
    for (row, template, expected) in [
        (talk, None, "is a conversation, and there is no chat template to write it with\n  name one in the data"),
        (
            talk,
            Some("{{ raise_exception('not you') }}"),
            "the chat template cannot write it: the template refuses it: not you",
        ),
        (talk, Some("{{ messages[0].content }}"), "nothing of \"chosen\" is left"),
        (talk, Some("{{ messages | length }} of {{ messages[0].content }}"), "does not begin as the prompt alone does"),
        (system, Some(MARKS), "ends with a message of \"system\", which nobody answers"),
    ] {
        let error = Files::new(&format!("{good}\n{row}\n"), "").visit(template, 1).unwrap_err();
        let said = error.to_string();
        assert!(said.contains("train.jsonl:2: ") && said.contains(expected), "{row}: {said}");
        assert_eq!(error.exit_status(), 2);
    }
}

#[test]
fn a_file_without_a_row_to_learn_from_is_refused() {
    for (text, expected) in [
        ("\n", "holds no rows"),
        ("{\"prompt\":\"drop\",\"chosen\":\"c\"}", "holds no row to learn from: it says so"),
        ("{\"chosen\":\"same\",\"rejected\":\"same\"}", "holds no row to learn from: one answer is the beginning"),
    ] {
        let said = Files::new(text, "").visit(None, 1).unwrap_err().to_string();
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn an_answer_that_was_begun_is_gone_on_with() {
    let template = ChatTemplate::named(MARKS, &own_tokens(), model_files(&ModelSource::Base).settings).unwrap();
    let begun = [Message::plain("user", "q".into()), Message::plain("assistant", "it is ".into())];
    assert_eq!(opened(&template, &begun, &Arguments::default()).unwrap(), "<user>q<eos>\n<assistant>it is");
}

#[derive(Deserialize)]
struct Golden {
    templates: BTreeMap<String, String>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    template: String,
    messages: Vec<BTreeMap<String, String>>,
    answers: Vec<Answer>,
}

#[derive(Deserialize)]
struct Answer {
    answer: String,
    prompt: String,
    completion: String,
}

#[test]
fn conversations_are_split_as_trl_splits_them() {
    let golden: Golden = serde_json::from_str(include_str!("../../tests/golden/chat_templates.json")).unwrap();
    let named = [("bos_token", "<s>"), ("eos_token", "</s>")].map(|(name, token)| (name.into(), token.into())).into();
    let special = SpecialTokens { named, listed: Vec::new() };
    let mut compared = 0;
    for case in &golden.cases {
        let name = Path::new(&case.template);
        let source = &golden.templates[&case.template];
        let template = ChatTemplate::new(name, source, &special).unwrap();
        let prompt: Vec<Message> =
            case.messages.iter().map(|m| Message::plain(&m["role"], m["content"].clone())).collect();
        for Answer { answer, prompt: expected, completion } in &case.answers {
            let responses = BTreeMap::from([(ProbeKind::Chosen, Turns::Text(answer.clone()))]);
            let row = Row { number: 1, prompt: Turns::Messages(prompt.clone()), responses, ..Row::default() };
            let example = conversation(&template, &row).unwrap();
            assert_eq!((&example.prompt, &example.responses[&ProbeKind::Chosen]), (expected, completion), "{name:?}");
            compared += 1;
        }
    }
    assert!(compared >= 63, "{compared}");
}

#[test]
fn the_papers_probe_rows_are_read_as_they_are() {
    // The keys of the paper's released probe file, in its order.
    let keys = [
        "prompt",
        "chosen",
        "chosen_initial",
        "chosen_selfr",
        "chosen_gptsemantic",
        "chosen_gptformat",
        "rejected",
        "reject_gptsemantic",
        "reject_gptformat",
        "irr_train",
        "irr_test",
        "irr_hum",
        "random_permute",
        "random_nonhum",
    ];
    let row: serde_json::Map<String, serde_json::Value> =
        keys.iter().map(|&key| (key.to_owned(), format!(" {key} text").into())).collect();
    let line = serde_json::Value::Object(row).to_string();
    let (visited, _) = Files::new(&format!("{line}\n{line}\n"), "").visit(None, 2).unwrap();
    let report = visited.report.unwrap();
    assert_eq!(report.derived.iter().map(|kind| kind.key()).collect::<Vec<_>>(), ["repeater"]);
    for (kind, text) in &visited.observed[0].responses {
        let given = format!(" {kind} text");
        assert!(*text == given || *kind == ProbeKind::Repeater, "{kind}: {text}");
    }
}

#[test]
fn a_parquet_file_is_read_or_the_way_to_read_it_is_said() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/texts.parquet");
    let survey = {
        let files = Files::new("{}", "").settings(None);
        PreferenceData::open(&files, model_files(&ModelSource::Base)).survey(&path)
    };
    if cfg!(feature = "parquet") {
        assert_eq!(survey.unwrap(), Survey { rows: 4, unpaired: None });
    } else {
        let said = survey.unwrap_err().to_string();
        assert!(said.contains("texts.parquet: is a Parquet file") && said.contains("--features parquet"), "{said}");
    }
}

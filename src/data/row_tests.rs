//! TRL's formats, and where a prompt ends that is written twice.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use proptest::prelude::*;

use std::slice::from_ref;

use super::*;

fn texts(members: &[(&str, &str)]) -> Fields {
    members.iter().map(|&(key, text)| (key.to_owned(), Value::Text(text.to_owned()))).collect()
}

fn message(role: &str, content: &str) -> Message {
    Message::plain(role, content.to_owned())
}

fn entry(fields: Fields) -> Entry {
    read(Place::new(Path::new("rows.jsonl"), 1), fields).unwrap()
}

fn row(fields: Fields) -> Row {
    match entry(fields) {
        Entry::Row(row) => row,
        dropped => panic!("{dropped:?}"),
    }
}

/// Prompt, chosen and rejected.
fn split(chosen: &str, rejected: &str) -> [String; 3] {
    let row = row(texts(&[("chosen", chosen), ("rejected", rejected)]));
    [&row.prompt, &row.responses[&ProbeKind::Chosen], &row.responses[&ProbeKind::Rejected]]
        .map(|t| t.as_ref().to_owned())
}

#[test]
fn a_prompt_that_both_texts_begin_with_is_split_off() {
    for (chosen, rejected, expected) in [
        // The example of TRL's documentation.
        ("The sky is blue.", "The sky is green.", ["The sky is", " blue.", " green."]),
        ("Q:\nyes", "Q:\nno", ["Q:\n", "yes", "no"]),
        // An HH dialogue: the answers begin with the same word.
        (
            "\n\nHuman: a\n\nAssistant: b\n\nHuman: c\n\nAssistant: I do",
            "\n\nHuman: a\n\nAssistant: b\n\nHuman: c\n\nAssistant: I do not",
            ["\n\nHuman: a\n\nAssistant: b\n\nHuman: c\n\nAssistant:", " I do", " I do not"],
        ),
        // What the answers say is no place to split, and dialogues that part early are split there.
        (
            "\n\nHuman: a\n\nAssistant: b\n\nHuman: c\n\nAssistant: d",
            "\n\nHuman: a\n\nAssistant: e\n\nHuman: f\n\nAssistant: g",
            ["\n\nHuman: a\n\nAssistant:", " b\n\nHuman: c\n\nAssistant: d", " e\n\nHuman: f\n\nAssistant: g"],
        ),
    ] {
        assert_eq!(split(chosen, rejected), expected, "{chosen:?}");
    }
}

#[test]
fn rows_without_a_difference_are_left_out() {
    for (chosen, rejected) in [
        ("The sky is blue.", "The sky is blue."),
        ("The sky is blue.", "The sky is"),
        ("\n\nHuman: a\n\nAssistant: b", "\n\nHuman: a\n\nAssistant:"),
    ] {
        let entry = entry(texts(&[("chosen", chosen), ("rejected", rejected)]));
        assert!(matches!(entry, Entry::Dropped(1, _)), "{entry:?}");
    }
}

#[test]
fn an_empty_answer_is_no_answer() {
    let read = row(texts(&[("prompt", "a"), ("chosen", " b"), ("rejected", " c"), ("chosen_initial", "")]));
    assert!(!read.responses.contains_key(&ProbeKind::ChosenInitial), "observed alone: {read:?}");
    let dropped = entry(texts(&[("prompt", "a"), ("chosen", " b"), ("rejected", " ")]));
    assert_eq!(dropped, Entry::Dropped(1, EMPTY_ANSWER), "learnt from");
}

#[test]
fn a_prompt_that_the_answers_repeat_is_told() {
    let repeats = |members: &[(&str, &str)]| row(texts(members)).repeats;
    let prompt = ("prompt", "The sky is ");
    assert!(repeats(&[prompt, ("chosen", "The sky is blue"), ("rejected", "The sky is red")]));
    assert!(!repeats(&[prompt, ("chosen", "The sky is blue"), ("rejected", "red")]));
    assert!(!repeats(&[("prompt", "The"), ("chosen", "The sky"), ("rejected", "The sea")]));
    assert!(!repeats(&[("chosen", "The sky is blue"), ("rejected", "The sky is red")]), "it is cut from both");
    let (question, answer) = (message("user", "q"), message("assistant", "a"));
    let whole = [question.clone(), answer.clone()];
    assert!(row(conversations(&[("prompt", from_ref(&question)), ("chosen", &whole), ("rejected", &whole)])).repeats);
    assert!(!row(conversations(&[("prompt", &[question]), ("chosen", &[answer])])).repeats);
}

#[test]
fn an_answer_whose_content_is_null_is_an_empty_one() {
    let null = |role: &str| {
        let members = [("role", minijinja::Value::from(role)), ("content", minijinja::Value::from(()))];
        Message::new(members.map(|(name, value)| (name.to_owned(), value)).into()).unwrap()
    };
    let (question, answer) = (message("user", "q"), message("assistant", "a"));
    let silent = null("assistant");
    let explicit = |rejected: &[Message]| {
        conversations(&[("prompt", from_ref(&question)), ("chosen", from_ref(&answer)), ("rejected", rejected)])
    };
    assert_eq!(entry(explicit(from_ref(&silent))), Entry::Dropped(1, EMPTY_ANSWER));
    let implicit = [&[question.clone(), answer.clone()][..], &[question.clone(), silent.clone()]];
    let implicit = conversations(&[("chosen", implicit[0]), ("rejected", implicit[1])]);
    assert_eq!(entry(implicit), Entry::Dropped(1, EMPTY_ANSWER));
    // Elsewhere a template would write nothing where words belong.
    for (fields, expected) in [
        (explicit(&[silent, answer.clone()]), "message 1 of \"rejected\": it has no content"),
        (
            conversations(&[("prompt", &[question.clone(), null("user")]), ("chosen", from_ref(&answer))]),
            "message 2 of \"prompt\": it has no content",
        ),
    ] {
        let error = read(Place::new(Path::new("rows.jsonl"), 1), fields).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn a_plain_prompt_that_the_conversations_do_not_hold_is_refused() {
    let whole = [message("user", "q"), message("assistant", "a")];
    let with = |prompt: &str| {
        let mut fields =
            conversations(&[("chosen", &whole), ("rejected", &[whole[0].clone(), message("assistant", "b")])]);
        fields.insert("prompt".to_owned(), Value::Text(prompt.to_owned()));
        read(Place::new(Path::new("rows.jsonl"), 1), fields)
    };
    assert!(matches!(with(" q\n"), Ok(Entry::Row(_))));
    let error = with("another").unwrap_err().to_string();
    assert!(error.contains("rows.jsonl:1: \"prompt\" is nowhere in the conversations"), "{error}");
}

#[test]
fn a_missing_key_is_told_with_what_is_there() {
    for (members, expected) in [
        (&[("prompt", "p"), ("chozin", "c")][..], "did you mean it by \"chozin\"?"),
        (&[("question", "q"), ("answer", "a")], "it has \"answer\", \"question\""),
        (&[], "rejected\": \"…\"}"),
    ] {
        let error = read(Place::new(Path::new("rows.jsonl"), 1), texts(members)).unwrap_err().to_string();
        assert!(
            error.trim_end().ends_with(expected) || error.contains("did you mean") && error.contains(expected),
            "{error}"
        );
    }
}

fn conversations(members: &[(&str, &[Message])]) -> Fields {
    members.iter().map(|&(key, turns)| (key.to_owned(), Value::Messages(turns.to_vec()))).collect()
}

#[test]
fn conversations_in_all_of_trls_formats_are_the_same_row() {
    let (question, blue, green) =
        (message("user", "Sky?"), message("assistant", "Blue."), message("assistant", "Green."));
    let whole = [question.clone(), blue.clone()];
    let other = [question.clone(), green.clone()];
    let explicit =
        conversations(&[("prompt", from_ref(&question)), ("chosen", from_ref(&blue)), ("rejected", from_ref(&green))]);
    let expected = row(explicit);
    assert_eq!(expected.prompt, Turns::Messages(vec![question.clone()]));
    let implicit = conversations(&[("chosen", &whole), ("rejected", &other)]);
    assert_eq!(row(implicit.clone()), expected);
    // UltraFeedback: the prompt once more, as text.
    let mut repeated = implicit;
    repeated.insert("prompt".to_owned(), Value::Text("Sky?".to_owned()));
    assert_eq!(row(repeated), expected);
    let mut mixed = conversations(&[("chosen", from_ref(&blue)), ("rejected", &[green])]);
    mixed.insert("prompt".to_owned(), Value::Text("Sky?".to_owned()));
    assert_eq!(row(mixed), expected);

    let single = row(conversations(&[("messages", &whole)]));
    assert_eq!((&single.prompt, single.responses.len()), (&expected.prompt, 1));
    assert_eq!(single.responses[&ProbeKind::Chosen], Turns::Messages(vec![blue.clone()]));
    assert_eq!(row(conversations(&[("chosen", &whole)])), single);
    assert_eq!(row(conversations(&[("prompt", &[question]), ("completion", &[blue])])), single);
}

#[test]
fn equal_conversations_keep_their_last_turn_as_the_answer() {
    let whole = [message("user", "a"), message("assistant", "b"), message("user", "c"), message("assistant", "d")];
    let row = row(conversations(&[("chosen", &whole), ("rejected", &whole[..2])]));
    assert_eq!(row.prompt, Turns::Messages(whole[..1].to_vec()));
    assert_eq!(row.responses[&ProbeKind::Chosen], Turns::Messages(whole[1..].to_vec()));
    assert_eq!(row.responses[&ProbeKind::Rejected], Turns::Messages(whole[1..2].to_vec()));
}

#[test]
fn plain_rows_need_no_rejected_answer() {
    let completion = row(texts(&[("prompt", "p"), ("completion", " c")]));
    assert_eq!(completion, row(texts(&[("prompt", "p"), ("chosen", " c")])));
    let document = row(texts(&[("text", "once")]));
    assert_eq!((document.prompt.as_ref(), document.responses[&ProbeKind::Chosen].as_ref()), ("", "once"));
}

#[test]
fn rows_of_a_file_without_lines_are_named_all_the_same() {
    let place = Place::new(Path::new("rows.parquet"), 3);
    let error = read(place, texts(&[("prompt", "p")])).unwrap_err().to_string();
    assert!(error.starts_with("rows.parquet: row 3: has no \"chosen\""), "{error}");
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

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn prompt_and_answer_are_the_text_that_was_split(
        prompt in "\\PC{0,20}|\n\nHuman:[ a-d]{0,6}\n\nAssistant:",
        answers in prop::array::uniform2("[ -~äé漢🎉\u{301}\n]{0,12}"),
    ) {
        let [chosen, rejected] = answers.map(|answer| prompt.clone() + &answer);
        prop_assume!(!chosen.trim().is_empty() && !rejected.trim().is_empty());
        match read(Place::new(Path::new("x"), 1), texts(&[("chosen", &chosen), ("rejected", &rejected)])) {
            Ok(Entry::Row(row)) => {
                let whole = |kind| format!("{}{}", row.prompt.as_ref(), row.responses[&kind].as_ref());
                prop_assert_eq!(whole(ProbeKind::Chosen), chosen);
                prop_assert_eq!(whole(ProbeKind::Rejected), rejected);
                prop_assert!(!row.prompt.as_ref().is_empty());
                for turns in row.responses.values() {
                    prop_assert!(!turns.as_ref().trim().is_empty());
                }
            }
            Ok(Entry::Dropped(number, _)) => prop_assert_eq!(number, 1),
            Err(error) => {
                let first = (chosen.chars().next(), rejected.chars().next());
                // Nothing in common, or nothing but a space.
                prop_assert!(first.0 != first.1 || chosen.starts_with(' '), "{}", error);
            }
        }
    }

    #[test]
    fn prompt_and_answer_are_the_conversation_that_was_split(
        common in prop::collection::vec(("[us]", "[a-c]"), 1..4),
        answers in prop::array::uniform2(prop::collection::vec(("[us]", "[a-c]"), 1..3)),
    ) {
        let turns = |turns: &[(String, String)]| -> Vec<Message> {
            turns.iter().map(|(role, content)| message(role, content)).collect()
        };
        let [chosen, rejected] = answers.map(|answer| [turns(&common), turns(&answer)].concat());
        let row = row(conversations(&[("chosen", &chosen), ("rejected", &rejected)]));
        for (kind, original) in [(ProbeKind::Chosen, chosen), (ProbeKind::Rejected, rejected)] {
            let (Turns::Messages(prompt), Turns::Messages(answer)) = (&row.prompt, &row.responses[&kind]) else {
                panic!("messages")
            };
            prop_assert!(prompt.len() >= common.len() && !answer.is_empty());
            prop_assert_eq!([&prompt[..], answer].concat(), original);
        }
    }
}

//! Templates against transformers (`tests/golden/chat_templates.py`), and templates that mean ill.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};

use serde::Deserialize;

use super::*;
use crate::experiment::ModelSource;
use crate::model::model_files;

fn settings() -> ReadSettings {
    model_files(&ModelSource::Base).settings
}

fn compiled(source: &str) -> Result<ChatTemplate> {
    let named = [("bos_token", "<s>"), ("eos_token", "</s>")].map(|(name, token)| (name.into(), token.into())).into();
    ChatTemplate::new(Path::new("chat_template.jinja"), source, &SpecialTokens { named, listed: vec!["<x>".into()] })
}

fn question() -> [Message; 1] {
    [Message::plain("user", "Sky?".to_owned())]
}

fn render(source: &str) -> Result<String, String> {
    compiled(source).unwrap().render(&question(), &Arguments::default(), true)
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
    closed: String,
    opened: String,
}

#[test]
fn conversations_are_written_as_transformers_writes_them() {
    let golden: Golden = serde_json::from_str(include_str!("../../../tests/golden/chat_templates.json")).unwrap();
    assert!(golden.templates.len() >= 7 && golden.cases.len() >= 21);
    for case in golden.cases {
        let template = compiled(&golden.templates[&case.template]).unwrap();
        let messages: Vec<Message> =
            case.messages.iter().map(|m| Message::plain(&m["role"], m["content"].clone())).collect();
        for (opened, expected) in [(false, case.closed), (true, case.opened)] {
            assert_eq!(
                template.render(&messages, &Arguments::default(), opened).unwrap(),
                expected,
                "{}",
                case.template
            );
        }
    }
}

#[test]
fn no_jinja_is_refused_with_its_line() {
    let error = compiled("{{ bos_token }}\n{% for m in messages %}").unwrap_err();
    assert!(error.to_string().starts_with("chat_template.jinja:2: the chat template is no Jinja"), "{error}");
    assert_eq!(error.exit_status(), 2);
    for source in ["{{ ".repeat(50_000), "(".repeat(50_000), format!("{{{{ {}1 }}}}", "(".repeat(50_000))] {
        let _ = compiled(&source);
    }
}

#[test]
fn a_template_runs_on_a_budget() {
    let loops = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}";
    let doubles = "{% set ns = namespace(x='ab') %}{% for i in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}";
    let recurses = "{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}";
    for (source, expected) in [
        (loops, "more steps or memory"),
        (doubles, "more steps or memory"),
        ("{{ 'x' * 2000000000 }}", ""),
        ("{{ range(1000000000) }}", "range has too many elements"),
        ("{{ [0] * 1000000000 }}", ""),
        (recurses, ""),
        ("{{ '%1000000000d' | format(1) }}", ""),
        ("{{ 'x'.center(1000000000) }}", ""),
        ("{{ messages | tojson(indent=1000000000) }}", ""),
    ] {
        let start = Instant::now();
        let outcome = render(source);
        assert!(start.elapsed() < Duration::from_secs(20), "{source}");
        match outcome {
            Err(problem) => assert!(problem.contains(expected), "{source}: {problem}"),
            Ok(text) => assert!(expected.is_empty() && text.len() < 1 << 20, "{source}: {} bytes", text.len()),
        }
    }
}

#[test]
fn a_template_has_no_files_and_refuses_in_words() {
    assert_eq!(
        render("{{ raise_exception('no ' ~ messages[0].role) }}").unwrap_err(),
        "the template refuses it: no user"
    );
    for source in ["{% include '/etc/passwd' %}", "{{ messages.__class__.__mro__ }}", "{{ open('x') }}", "{{ x.y.z }}"]
    {
        let refused = compiled(source)
            .map_or(true, |template| template.render(&question(), &Arguments::default(), true).is_err());
        assert!(refused, "{source}");
    }
}

#[test]
fn the_date_does_not_change() {
    assert_eq!(render("{{ strftime_now('%A, %d %B %Y %H:%M') }}").unwrap(), "Friday, 26 July 2024 00:00");
}

#[test]
fn a_folders_template_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let found = || ChatTemplate::of_model(folder.path(), settings());
    assert!(found().unwrap().is_none());
    write(
        "tokenizer_config.json",
        r#"{"eos_token": {"content": "</s>"}, "bos_token": null, "added_tokens_decoder": {}}"#,
    );
    assert!(found().unwrap().is_none());
    let rendered = || found().unwrap().unwrap().render(&question(), &Arguments::default(), false).unwrap();
    write("tokenizer_config.json", r#"{"eos_token": {"content": "</s>"}, "chat_template": "one {{ eos_token }}"}"#);
    assert_eq!(rendered(), "one </s>");
    let named = r#"{"chat_template": [{"name": "rag", "template": "r"}, {"name": "default", "template": "d"}]}"#;
    write("tokenizer_config.json", named);
    assert_eq!(rendered(), "d");
    write("tokenizer_config.json", &named.replace("default", "tool_use"));
    let error = found().unwrap_err().to_string();
    assert!(error.contains("chat templates named rag, tool_use, and none is the default"), "{error}");
    write("chat_template.jinja", "file {{ bos_token }}");
    assert_eq!(rendered(), "file ");
    let named =
        |name: &Path| ChatTemplate::named(name.to_str().unwrap(), &SpecialTokens::default(), settings()).unwrap();
    for name in [folder.path().to_owned(), folder.path().join("chat_template.jinja"), "file {{ bos_token }}".into()] {
        assert_eq!(named(&name).render(&question(), &Arguments::default(), false).unwrap(), "file ", "{name:?}");
    }
    write("tokenizer_config.json", "{\"chat_template\": 3}");
    assert_eq!(found().unwrap_err().exit_status(), 2);
    let missing = folder.path().join("none.jinja");
    assert!(ChatTemplate::named(missing.to_str().unwrap(), &SpecialTokens::default(), settings()).is_err());
}

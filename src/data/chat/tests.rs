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

/// What transformers 5.24 and 4.51 write, with Jinja2 3.1.
#[test]
fn values_methods_and_filters_are_those_of_python() {
    for (source, expected) in [
        (
            "{{ none is iterable }} {{ 'a' is iterable }} {{ {} is iterable }} {{ x is iterable }}",
            "False True True True",
        ),
        // A template of Qwen3-Coder's kind, without tools.
        ("{% if tools is iterable and tools | length > 0 %}tools{% else %}none{% endif %}", "none"),
        ("{{ messages[:1] is sequence }} {{ ([1] + [2]) is sequence }} {{ range(2) is sequence }}", "True True True"),
        ("{{ [1, 2, 2][1:].index(2) }} {{ [1, 2, 2][1:].count(2) }} {{ (1, 2).count(2) }}", "0 2 1"),
        ("{{ \"it's x1y\".title() }} {{ \"it's x1y\" | title }} {{ 'Ab Cd'.istitle() }}", "It'S X1Y It's X1y True"),
        ("{{ 'a b c'.split(maxsplit=1) }} {{ 'a,b,c'.split(',', 1) }}", "['a', 'b c'] ['a', 'b,c']"),
        ("{{ 'a,b,c'.rsplit(sep=',', maxsplit=1) }} {{ ' a b '.rsplit(none, 1) }}", "['a,b', 'c'] [' a', 'b']"),
        ("{{ 'a,b'.split(',', 0) }} {{ ' a  b '.split(' ') }} {{ ''.split() }}", "['a,b'] ['', 'a', '', 'b', ''] []"),
        ("{{ 'aXbXc'.find('X', 2) }} {{ 'aXbXc'.rfind('X', 0, 3) }} {{ 'aXbXc'.find('X', -2) }}", "3 1 3"),
        ("{{ 'éXé'.index('X') }} {{ 'a'.find('z') }} {{ 'aaa'.count('a', 1) }} {{ 'abc'.count('') }}", "1 -1 2 4"),
        ("{{ 'abc'.startswith('b', 1) }} {{ 'abc'.endswith(('x', 'b'), 0, 2) }}", "True True"),
        ("{{ 'a\\rb\\r\\nc\\n'.splitlines() }} {{ 'a\\nb'.splitlines(true) }}", "['a', 'b', 'c'] ['a\\n', 'b']"),
        ("{{ none | default('x', boolean=true) }} {{ y | d('z') }} {{ none | default('x') }}", "x z None"),
        ("{{ '\\na\\n\\nb' | indent(2, first=true) }}|{{ 'a\\nb\\n' | indent('> ') }}", "  \n  a\n\n  b|a\n> b\n"),
        ("{{ '\\a\\v\\/\\d\\x41\\U0001F600' }}", "\u{7}\u{b}\\/\\dA😀"),
        ("a {% raw %}\n x\n{% endraw %}\nb", "a \n x\nb"),
        (
            "{{ ['a\u{a0}b', \"it's\", none, true, 1e16, 1e400, (1,), {'k': [1.0]}] }}",
            "['a\\xa0b', \"it's\", None, True, 1e+16, inf, (1,), {'k': [1.0]}]",
        ),
        ("{{ [{}, {'a': 1}] | map(attribute='a') | list }}|{{ x }}", "[Undefined, 1]|"),
        // Jinja2 finds a dictionary's method before its key.
        (
            "{% set s = {'items': 0} %}{{ s.items is defined }} {{ s.items is callable }} {{ 'x' if s.items }} {{ s['items'] }}",
            "True True x 0",
        ),
        ("{% set n = namespace(items=[1]) %}{% set n.items = n.items + [2] %}{{ n.items }}", "[1, 2]"),
        ("{% for k, v in {'items': {'a': 1}}.items() %}{{ k }}{{ v.items() | list }}{% endfor %}", "items[('a', 1)]"),
        ("{{ ['👩\u{200d}👧'] | string }} {{ 1e-7 }}", "['👩\\u200d👧'] 1e-07"),
    ] {
        assert_eq!(render(source).unwrap(), expected, "{source}");
    }
}

#[test]
fn formats_are_those_of_python() {
    for (source, expected) in [
        ("{{ '%s|%5s|%-5s|%.2s' % ('a', 'ab', 'cd', 'xyz') }}", "a|   ab|cd   |xy"),
        ("{{ '%d|%i|%u|%05d|%+d|% d|%.3d' % (3, 4, 5, -42, 3, 4, 7) }}", "3|4|5|-0042|+3| 4|007"),
        ("{{ '%d|%d|%x|%#X|%o|%c|%c' % (3.7, true, 255, 255, 8, 'x', 65) }}", "3|1|ff|0XFF|10|x|A"),
        ("{{ '%.2f|%06.2f|%f|%5.1f' % (1.5, -2.5, 1, 3.14159) }}", "1.50|-02.50|1.000000|  3.1"),
        (
            "{{ '%e|%.1E|%g|%g|%g|%g|%#g' % (12345.678, 0.00012, 1e-5, 1e6, 100000, 0.5, 1) }}",
            "1.234568e+04|1.2E-04|1e-05|1e+06|100000|0.5|1.00000",
        ),
        ("{{ '%f %d' % (1e400, 0) }} {{ '%5s|%05d' % (none, 7) }}", "inf 0  None|00007"),
        ("{{ '%r %a %s' % ('é', 'é', ['é']) }}", "'é' '\\xe9' ['é']"),
        ("{{ '%(a)s-%(b)03d %(a)r%%' % {'a': 'x', 'b': 1} }} {{ '%s' % {'a': 1} }}", "x-001 'x'% {'a': 1}"),
        ("{{ '%*d|%-*d|%.*f' % (5, 3, 4, 2, 1, 2.25) }}", "    3|2   |2.2"),
        ("{{ '%s-%s' | format('a', 1) }} {{ '%(a)s' | format(a=1.0) }} {{ '%%' % () }}", "a-1 1.0 %"),
        ("{{ 7 % 3 }} {{ -7 % 3 }} {{ 5.5 % -2 }}", "1 2 -0.5"),
    ] {
        assert_eq!(render(source).unwrap(), expected, "{source}");
    }
    for source in [
        "{{ '%s %s' % 'x' }}",
        "{{ '%s' % ('x', 'y') }}",
        "{{ '%d' % 'x' }}",
        "{{ '%(a)s' % 'x' }}",
        "{{ '%y' % 1 }}",
        "{{ 'x%' % 1 }}",
        "{{ '%999999999d%999999999d' % (1, 2) | length > 200000 }}",
    ] {
        assert!(render(source).is_err() || source.contains("999"), "{source}");
    }
}

#[test]
fn no_jinja_is_refused_with_its_line() {
    let error = compiled("{{ bos_token }}\n{% for m in messages %}").unwrap_err();
    assert!(error.to_string().starts_with("chat_template.jinja:2: the chat template is not valid Jinja"), "{error}");
    assert_eq!(error.exit_status(), 2);
    for source in ["{{ ".repeat(50_000), "(".repeat(50_000), format!("{{{{ {}1 }}}}", "(".repeat(50_000))] {
        let _ = compiled(&source);
    }
}

#[test]
fn what_would_be_read_otherwise_than_jinja2_reads_it_is_refused() {
    for source in ["x\n{% macro f(a, b=a) %}{% endmacro %}", "x\n{{ ('<' | safe) + '<' }}", "x\n{{ '\\N{BULLET}' }}"] {
        let error = compiled(source).unwrap_err();
        let expected = "chat_template.jinja:2: the chat template would be read differently here than by Jinja2";
        assert!(error.to_string().starts_with(expected), "{error}");
    }
    let problem = render("{{ messages[0].items }}").unwrap_err();
    assert!(problem.contains("\"items\" is a method here"), "{problem}");
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

fn with_tools(template: &ChatTemplate) -> Result<String, String> {
    let tools = Some(Value::from(Vec::<Value>::new()));
    template.render(&question(), &Arguments { tools, ..Arguments::default() }, false)
}

#[test]
fn tools_have_a_template_of_their_own_where_the_model_has_one() {
    let folder = tempfile::tempdir().unwrap();
    let with = |tool_use: &str| {
        let named =
            format!(r#"[{{"name": "tool_use", "template": "{tool_use}"}}, {{"name": "default", "template": "d"}}]"#);
        let config = format!(r#"{{"chat_template": {named}}}"#);
        std::fs::write(folder.path().join("tokenizer_config.json"), config).unwrap();
        ChatTemplate::of_model(folder.path(), settings()).unwrap().unwrap()
    };
    let template = with("t{{ tools | length }}");
    assert_eq!(with_tools(&template), Ok("t0".to_owned()));
    assert_eq!(template.render(&question(), &Arguments::default(), false), Ok("d".to_owned()));
    // One that is broken does no harm where it is not asked for.
    let template = with("{% if %}");
    assert_eq!(template.render(&question(), &Arguments::default(), false), Ok("d".to_owned()));
    assert!(with_tools(&template).unwrap_err().contains("the chat template is not valid Jinja"));
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
    std::fs::create_dir(folder.path().join("additional_chat_templates")).unwrap();
    write("additional_chat_templates/tool_use.jinja", "file with {{ tools | length }}");
    assert_eq!(with_tools(&found().unwrap().unwrap()), Ok("file with 0".to_owned()));
    assert_eq!(rendered(), "file ");
    write("tokenizer_config.json", "{\"chat_template\": 3}");
    assert_eq!(found().unwrap_err().exit_status(), 2);
    let missing = folder.path().join("none.jinja");
    assert!(ChatTemplate::named(missing.to_str().unwrap(), &SpecialTokens::default(), settings()).is_err());
}

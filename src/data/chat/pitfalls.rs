//! Places in a template's tags where the engine would silently write something else than Jinja2 does: methods that are not
//! called, defaults of a macro that name its parameters, text marked as safe, and characters by their names. The first is
//! rewritten, the others are refused by name.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use minijinja::value::{Object, ObjectRepr, ValueKind};
use minijinja::{Error, Value};

use super::calls::wrong;
use super::tokens::tokens;

/// The filter that stands for an attribute named like a method.
pub(super) const ATTRIBUTE: &str = "ldyn_attribute";
/// The methods of Python's dictionaries. Jinja2 finds them before a key of the same name: `schema.items` is a method, also
/// where the schema has a key `items`.
const METHODS: [&str; 11] =
    ["clear", "copy", "fromkeys", "get", "items", "keys", "pop", "popitem", "setdefault", "update", "values"];
/// The filters that mark a text as safe. What is then added to it Jinja2 escapes, and the engine does not.
const MARKING: [&str; 4] = ["safe", "escape", "e", "forceescape"];

/// A statement or expression as the engine reads it.
///
/// # Errors
/// What the engine would read otherwise and cannot be told, with the way out.
pub(super) fn mended(tag: &str) -> Result<Cow<'_, str>, String> {
    let suspicious = METHODS.iter().any(|name| tag.contains(name)) || tag.contains("macro") || tag.contains('|');
    if !suspicious && !tag.contains("\\N") {
        return Ok(Cow::Borrowed(tag));
    }
    let tokens = tokens(tag);
    let is_text = |token: &str| token.starts_with(['"', '\'']);
    if tokens.iter().any(|token| is_text(token) && token.contains("\\N{")) {
        return Err(
            "characters cannot be given by name (\"\\N{…}\"); write the character itself, or its \\u number".to_owned()
        );
    }
    let words: Vec<(usize, &str)> =
        tokens.iter().copied().enumerate().filter(|(_, token)| !token.starts_with(char::is_whitespace)).collect();
    if let Some(name) = default_of_a_parameter(&words) {
        return Err(format!(
            "a macro's default names its parameter \"{name}\"; set it in the macro's body instead: {{% set … %}}"
        ));
    }
    let marks = words.windows(2).any(|pair| pair[0].1 == "|" && MARKING.contains(&pair[1].1));
    if marks && adds(&words) {
        return Err(
            "Jinja2 escapes what is added to a text marked by safe or escape; join the two with ~ instead".to_owned()
        );
    }
    Ok(with_attributes(tag, &tokens, &words))
}

/// Whether a tag adds or formats: the signs in its own brackets, as in `{%+ … -%}`, do not count.
fn adds(words: &[(usize, &str)]) -> bool {
    let inner = words.get(2..words.len().saturating_sub(2)).unwrap_or_default();
    inner.iter().skip_while(|(_, token)| *token == "+").any(|(_, token)| matches!(*token, "+" | "%"))
}

/// The parameter that one of a macro's defaults names.
fn default_of_a_parameter<'a>(words: &[(usize, &'a str)]) -> Option<&'a str> {
    let start = words.iter().take(4).position(|&(_, token)| token == "macro")?;
    let (mut depth, mut parameters, mut named) = (0, Vec::new(), Vec::new());
    let mut in_default = false;
    for (at, &(_, token)) in words.iter().enumerate().skip(start + 2) {
        match token {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            "," if depth == 1 => in_default = false,
            "=" if depth == 1 => in_default = true,
            _ if depth == 0 => break,
            _ if !in_default => parameters.push(token),
            _ if words[at - 1].1 != "." && words[at - 1].1 != "|" => named.push(token),
            _ => {}
        }
    }
    named.into_iter().find(|name| parameters.contains(name))
}

/// The tag with the filter in the place of attributes that are named like a method and not called.
fn with_attributes<'a>(tag: &'a str, tokens: &[&str], words: &[(usize, &str)]) -> Cow<'a, str> {
    // What a namespace is given keeps its name.
    let target = match words.iter().take(4).any(|&(_, token)| token == "set") {
        true => words.iter().position(|&(_, token)| token == "=").unwrap_or(0),
        false => 0,
    };
    let attribute = |at: usize| {
        let of_number = words[at].1 == "." && words[at - 1].1.starts_with(|c: char| c.is_ascii_digit());
        let name = words.get(at + 1).map_or("", |&(_, name)| name);
        let called = words.get(at + 2).is_some_and(|&(_, token)| token == "(");
        words[at].1 == "." && !of_number && !called && METHODS.contains(&name)
    };
    let found: Vec<usize> = (target.max(1)..words.len()).filter(|&at| attribute(at)).collect();
    if found.is_empty() {
        return Cow::Borrowed(tag);
    }
    let mut out: Vec<Cow<'_, str>> = tokens.iter().map(|&token| Cow::Borrowed(token)).collect();
    for at in found {
        let (dot, (name_at, name)) = (words[at].0, words[at + 1]);
        out[dot] = Cow::Borrowed("");
        out[name_at] = Cow::Owned(format!("|{ATTRIBUTE}('{name}')"));
    }
    Cow::Owned(out.concat())
}

/// What Jinja2 finds under a name that dictionaries have a method of.
pub(super) fn attribute(value: Value, name: &str) -> Result<Value, Error> {
    let of_dictionary = value.kind() == ValueKind::Map
        && !value.as_object().is_some_and(|object| object.type_name().ends_with("::Namespace"));
    if of_dictionary { Ok(Value::from_object(Method(name.to_owned()))) } else { value.get_attr(name) }
}

/// A method that was not called. It is true and can be asked after; what Python writes of it is an address, so that to write
/// it is an error here.
#[derive(Debug)]
struct Method(String);

impl Object for Method {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn render(self: &Arc<Self>, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        Err(fmt::Error)
    }
}

/// The error of writing a method that was not called.
pub(super) fn refuse_methods(value: &Value) -> Result<(), Error> {
    match value.downcast_object_ref::<Method>() {
        Some(Method(name)) => Err(wrong(format!(
            "\"{name}\" is a method here, and it is not called; read a key of that name as ['{name}']"
        ))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::mended;

    #[test]
    fn attributes_named_like_methods_are_told_from_calls_and_keys() {
        for (tag, expected) in [
            ("{{ a.items }}", "{{ a|ldyn_attribute('items') }}"),
            ("{% if a.b.items is defined %}", "{% if a.b|ldyn_attribute('items') is defined %}"),
            ("{{ a.items() }}{{ 'x.items' }}", "{{ a.items() }}{{ 'x.items' }}"),
            ("{% set ns.items = b.values %}", "{% set ns.items = b|ldyn_attribute('values') %}"),
            ("{{ a['items'] }}", "{{ a['items'] }}"),
        ] {
            assert_eq!(mended(tag).as_deref(), Ok(expected), "{tag}");
        }
    }

    #[test]
    fn what_the_engine_cannot_be_told_is_refused() {
        for (tag, expected) in [
            ("{% macro f(a, b=a) %}", "parameter \"a\""),
            ("{%- macro f(a, b=[1, a.x]) -%}", "parameter \"a\""),
            ("{{ '\\N{BULLET}' }}", "given by name"),
            ("{{ (a | safe) + b }}", "marked by safe"),
            ("{% set x = 'a' + b|e %}", "marked by safe"),
        ] {
            assert!(mended(tag).is_err_and(|problem| problem.contains(expected)), "{tag}");
        }
        for fine in ["{% macro f(a, b='a', c=x.a, d=y|a) %}", "{{ a | safe }}", "{%+ if a|e %}", "{{ 1 + 2 }}"] {
            assert_eq!(mended(fine).as_deref(), Ok(fine), "{fine}");
        }
    }
}

//! Methods of Python's values and filters of Jinja2 that templates use and the engine does not have.

use minijinja::value::{Kwargs, Rest, Tuple, ValueKind};
use minijinja::{Environment, Error, State, Value};

use super::calls::{Side, WIDEST, padded, whole, wrong};
use super::format::formatted;
use super::pitfalls::{ATTRIBUTE, attribute, refuse_methods};
use super::source::PERCENT;
use super::text::lines;
use super::{repr, text};

/// Teaches an environment.
pub(super) fn teach(environment: &mut Environment<'static>) {
    environment.set_unknown_method_callback(method);
    environment.set_formatter(|out, state, value| {
        refuse_methods(value)?;
        if !repr::is_written_here(value) {
            return minijinja::escape_formatter(out, state, value);
        }
        let text = repr::plain(value)?;
        state.consume_fuel((text.len() / 64) as u64)?;
        Ok(out.write_str(&text)?)
    });
    environment.add_filter(PERCENT, percent);
    environment.add_filter(ATTRIBUTE, |value: Value, name: String| attribute(value, &name));
    environment.add_filter("format", format);
    environment.add_filter("string", |value: Value| -> Result<Value, Error> {
        if value.kind() == ValueKind::String { Ok(value) } else { Ok(Value::from(repr::plain(&value)?)) }
    });
    for name in ["default", "d"] {
        environment.add_filter(name, default);
    }
    environment.add_filter("indent", indent);
    environment.add_filter("wordcount", |text: String| words(&text));
    environment
        .add_filter("center", |text: String, width: Option<usize>| padded(&text, width.unwrap_or(80), ' ', Side::Both));
    environment.add_filter("truncate", truncate);
    environment.add_filter("striptags", |text: String| minijinja_contrib::filters::striptags(text));
    environment.add_filter("filesizeformat", minijinja_contrib::filters::filesizeformat);
    for name in ["length", "count"] {
        environment.add_filter(name, length);
    }
    environment.add_test("sequence", |value: &Value| {
        let kinds = [ValueKind::String, ValueKind::Seq, ValueKind::Iterable, ValueKind::Map, ValueKind::Undefined];
        kinds.contains(&value.kind())
    });
    // Nothing is gone through in Python.
    environment.add_test("iterable", |value: &Value| !value.is_none() && value.try_iter().is_ok());
    environment.add_test("number", |value: &Value| matches!(value.kind(), ValueKind::Number | ValueKind::Bool));
    environment.add_test("callable", |value: &Value| value.kind() == ValueKind::Plain);
    environment.add_function("cycler", minijinja_contrib::globals::cycler);
    environment.add_function("joiner", minijinja_contrib::globals::joiner);
}

/// The operator `%`: a text takes what it is given, a number leaves a remainder.
fn percent(state: &State<'_, '_>, left: Value, right: Value) -> Result<Value, Error> {
    if let Some(format) = left.as_str() {
        return Ok(Value::from(formatted(state, format, &right)?));
    }
    if let (Some(a), Some(b)) = (whole(&left), whole(&right)) {
        let rest = a.checked_rem(b).ok_or_else(|| wrong("division by zero"))?;
        return Ok(Value::from(if rest != 0 && (rest < 0) != (b < 0) { rest + b } else { rest }));
    }
    let float = |value: Value| f64::try_from(value).map_err(|_| wrong("% stands between things that it does not know"));
    let (a, b) = (float(left)?, float(right)?);
    if b == 0.0 {
        return Err(wrong("division by zero"));
    }
    Ok(Value::from(a - b * (a / b).floor()))
}

/// Jinja2's `format`.
fn format(state: &State<'_, '_>, text: String, given: Rest<Value>, named: Kwargs) -> Result<String, Error> {
    let names: Vec<&str> = named.args().collect();
    if names.is_empty() {
        return formatted(state, &text, &Value::from(Tuple::from(given.0)));
    }
    if !given.0.is_empty() {
        return Err(wrong("format is given values by place or by name, not both"));
    }
    let pairs = names.into_iter().map(|name| Ok((name.to_owned(), named.get::<Value>(name)?)));
    formatted(state, &text, &Value::from_pairs(pairs.collect::<Result<Vec<_>, Error>>()?))
}

/// Jinja2's `default(default_value, boolean)`.
fn default(value: Value, given: Rest<Value>, named: Kwargs) -> Result<Value, Error> {
    let mut given = given.0.into_iter();
    let mut argument = |name: &str| -> Result<Option<Value>, Error> { Ok(given.next().or(named.get(name)?)) };
    let other = argument("default_value")?.unwrap_or_else(|| Value::from(""));
    let of_nothing = argument("boolean")?.is_some_and(|boolean| boolean.is_true());
    named.assert_all_used()?;
    Ok(if value.is_undefined() || (of_nothing && !value.is_true()) { other } else { value })
}

/// Jinja2's `indent(width, first, blank)`; a width may be a text.
fn indent(state: &State<'_, '_>, text: String, given: Rest<Value>, named: Kwargs) -> Result<String, Error> {
    let mut given = given.0.into_iter();
    let mut argument = |name: &str| -> Result<Option<Value>, Error> { Ok(given.next().or(named.get(name)?)) };
    let indent = match argument("width")? {
        None => " ".repeat(4),
        Some(width) => match width.as_str() {
            Some(text) => text.to_owned(),
            None => " ".repeat(width.as_usize().ok_or_else(|| wrong("indent wants a width"))?.min(WIDEST)),
        },
    };
    let first = argument("first")?.is_some_and(|first| first.is_true());
    let blank = argument("blank")?.is_some_and(|blank| blank.is_true());
    named.assert_all_used()?;
    let lines = lines(&text, false);
    state.consume_fuel((lines.len().saturating_mul(indent.len()) / 64) as u64)?;
    let line = |(number, line): (usize, &&str)| {
        let indented = if number == 0 { first } else { blank || !line.is_empty() };
        format!("{}{line}", if indented { indent.as_str() } else { "" })
    };
    let mut out = lines.iter().enumerate().map(line).collect::<Vec<_>>().join("\n");
    if text.is_empty() && first {
        out = indent;
    } else if text.ends_with('\n') {
        // The line break at the end begins one more, empty line.
        out.push('\n');
        out.push_str(if blank { &indent } else { "" });
    }
    Ok(out)
}

/// How many items; what is not defined has none.
fn length(value: &Value) -> Result<usize, Error> {
    if value.is_undefined() {
        return Ok(0);
    }
    value.len().ok_or_else(|| wrong(format!("a value of the kind {} has no length", value.kind())))
}

fn words(text: &str) -> usize {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty()).count()
}

/// Jinja2's `truncate(length, killwords, end, leeway)`.
fn truncate(text: String, given: Rest<Value>, named: Kwargs) -> Result<String, Error> {
    let mut given = given.0.into_iter();
    let mut argument = |name: &str| -> Result<Option<Value>, Error> { Ok(given.next().or(named.get(name)?)) };
    let length = argument("length")?.and_then(|value| value.as_usize()).unwrap_or(255);
    let killwords = argument("killwords")?.is_some_and(|value| value.is_true());
    let end = argument("end")?.map_or_else(|| "...".to_owned(), |value| value.to_string());
    let leeway = argument("leeway")?.and_then(|value| value.as_usize()).unwrap_or(5);
    named.assert_all_used()?;
    if text.chars().count() <= length.saturating_add(leeway) {
        return Ok(text);
    }
    let cut: String = text.chars().take(length.saturating_sub(end.chars().count())).collect();
    let cut = if killwords { cut.as_str() } else { cut.rsplit_once(' ').map_or(cut.as_str(), |(before, _)| before) };
    Ok(format!("{cut}{end}"))
}

/// Methods that the engine does not know.
fn method(state: &mut State<'_, '_>, value: &Value, name: &str, arguments: &[Value]) -> Result<Value, Error> {
    let known = match (value.kind(), value.as_str()) {
        (_, Some(text)) => text::method(state, text, name, arguments)?,
        (ValueKind::Seq | ValueKind::Iterable, _) => of_list(value, name, arguments)?,
        (ValueKind::Map, _) if name == "copy" => Some(value.clone()),
        _ => None,
    };
    match known {
        Some(value) => Ok(value),
        None => minijinja_contrib::pycompat::unknown_method_callback(state, value, name, arguments),
    }
}

fn of_list(list: &Value, name: &str, arguments: &[Value]) -> Result<Option<Value>, Error> {
    match (name, arguments) {
        ("copy", []) => Ok(Some(list.clone())),
        ("count", [wanted]) => Ok(Some(Value::from(list.try_iter()?.filter(|item| item == wanted).count()))),
        ("index", [wanted]) => {
            let at = list.try_iter()?.position(|item| item == *wanted);
            at.map(|at| Some(Value::from(at))).ok_or_else(|| wrong(format!("{wanted:?} is not in list")))
        }
        _ => Ok(None),
    }
}

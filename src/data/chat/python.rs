//! What templates ask of Python's values and Jinja2's filters, and the engine does not have.

use minijinja::value::{Kwargs, Rest, Tuple, ValueKind};
use minijinja::{Environment, Error, ErrorKind, State, Value};

use super::source::PERCENT;

/// Longest text that is padded to.
const WIDEST: usize = 1 << 16;

/// Teaches an environment.
pub(super) fn teach(environment: &mut Environment<'static>) {
    environment.set_unknown_method_callback(method);
    environment.set_formatter(|out, state, value| match value.kind() {
        ValueKind::Number => Ok(out.write_str(&super::json::number(value))?),
        _ => minijinja::escape_formatter(out, state, value),
    });
    environment.add_filter(PERCENT, percent);
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
        matches!(value.kind(), ValueKind::String | ValueKind::Seq | ValueKind::Map | ValueKind::Undefined)
    });
    environment.add_test("number", |value: &Value| matches!(value.kind(), ValueKind::Number | ValueKind::Bool));
    environment.add_test("callable", |value: &Value| value.kind() == ValueKind::Plain);
    environment.add_function("cycler", minijinja_contrib::globals::cycler);
    environment.add_function("joiner", minijinja_contrib::globals::joiner);
}

fn wrong(problem: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, problem.into())
}

/// The operator `%`: a text takes what it is given, a number leaves a remainder.
fn percent(state: &mut State<'_, '_>, left: Value, right: Value) -> Result<Value, Error> {
    if let Some(format) = left.as_str() {
        let mut given: Vec<Value> = if right.is_tuple() { right.try_iter()?.collect() } else { vec![right.clone()] };
        let mut arguments = vec![Value::from(spelled(format, &mut given))];
        match right.kind() {
            ValueKind::Map => {
                let pairs = right.try_iter()?.map(|key| Ok((key.to_string(), right.get_item(&key)?)));
                let pairs = pairs.collect::<Result<Vec<_>, Error>>()?;
                arguments.push(pairs.into_iter().collect::<Kwargs>().into());
            }
            _ => arguments.extend(given),
        }
        return state.apply_filter("format", &arguments);
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

/// A format in which `%r` is `%s`, and what it is given spelled as Python's `repr` has it.
fn spelled(format: &str, given: &mut [Value]) -> String {
    let (mut out, mut rest, mut number) = (String::with_capacity(format.len()), format, 0);
    while let Some(at) = rest.find('%') {
        let letter = rest[at + 1..].find(|c: char| c == '%' || c.is_ascii_alphabetic()).map(|end| at + 1 + end);
        let Some(letter) = letter else { break };
        out += &rest[..letter];
        match &rest[letter..=letter] {
            "r" => {
                if let Some(value) = given.get_mut(number) {
                    *value = Value::from(format!("{value:?}"));
                }
                out.push('s');
            }
            other => out += other,
        }
        number += usize::from(!rest[letter..].starts_with('%'));
        rest = &rest[letter + 1..];
    }
    out + rest
}

fn whole(value: &Value) -> Option<i64> {
    match value.kind() {
        ValueKind::Bool => Some(i64::from(value.is_true())),
        _ if value.is_integer() => value.as_i64(),
        _ => None,
    }
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
        (_, Some(text)) => of_text(state, text, name, arguments)?,
        (ValueKind::Seq, _) => of_list(value, name, arguments)?,
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
        ("index", [wanted]) => {
            let at = list.try_iter()?.position(|item| item == *wanted);
            at.map(|at| Some(Value::from(at))).ok_or_else(|| wrong(format!("{wanted:?} is not in list")))
        }
        _ => Ok(None),
    }
}

fn of_text(state: &State<'_, '_>, text: &str, name: &str, arguments: &[Value]) -> Result<Option<Value>, Error> {
    let part = |index: usize| -> Result<&str, Error> {
        let argument = arguments.get(index).and_then(Value::as_str);
        argument.ok_or_else(|| wrong(format!("{name} wants a text")))
    };
    let (fill, width) = (arguments.get(1).and_then(Value::as_str), arguments.first().and_then(Value::as_usize));
    let pad = |side: Side| -> Result<Value, Error> {
        let width = width.ok_or_else(|| wrong(format!("{name} wants a width")))?;
        state.consume_fuel((width.min(WIDEST) / 64) as u64)?;
        Ok(padded(text, width, fill.and_then(|fill| fill.chars().next()).unwrap_or(' '), side).into())
    };
    let all = |holds: fn(char) -> bool| Value::from(!text.is_empty() && text.chars().all(holds));
    Ok(Some(match name {
        "rsplit" => rsplit(text, arguments)?,
        "index" | "rindex" => {
            let found = if name == "index" { text.find(part(0)?) } else { text.rfind(part(0)?) };
            let at = found.ok_or_else(|| wrong("substring not found"))?;
            Value::from(text[..at].chars().count())
        }
        "removeprefix" => Value::from(text.strip_prefix(part(0)?).unwrap_or(text)),
        "removesuffix" => Value::from(text.strip_suffix(part(0)?).unwrap_or(text)),
        "swapcase" => Value::from(swapped(text)),
        "casefold" => Value::from(text.to_lowercase().replace('ß', "ss")),
        "partition" | "rpartition" => partition(text, part(0)?, name == "rpartition")?,
        "center" => pad(Side::Both)?,
        "ljust" => pad(Side::Right)?,
        "rjust" => pad(Side::Left)?,
        "zfill" => {
            let width = width.ok_or_else(|| wrong("zfill wants a width"))?;
            let (sign, digits) = text.split_at(usize::from(text.starts_with(['+', '-'])));
            format!("{sign}{}", padded(digits, width.saturating_sub(sign.len()), '0', Side::Left)).into()
        }
        "expandtabs" => Value::from(expanded(text, width.unwrap_or(8).min(64))),
        "isdecimal" => all(char::is_numeric),
        "isprintable" => Value::from(!text.chars().any(char::is_control)),
        "isidentifier" => {
            let word = text.chars().all(|c| c.is_alphanumeric() || c == '_');
            Value::from(word && text.starts_with(|c: char| !c.is_numeric()))
        }
        _ => return Ok(None),
    }))
}

/// Where a text is filled up.
#[derive(Clone, Copy, PartialEq)]
enum Side {
    Left,
    Right,
    Both,
}

fn padded(text: &str, width: usize, fill: char, side: Side) -> String {
    let length = text.chars().count();
    let missing = width.min(WIDEST).saturating_sub(length);
    // Python puts the odd one to the left where the width is odd.
    let left = match side {
        Side::Left => missing,
        Side::Right => 0,
        Side::Both => missing / 2 + (missing & width & 1),
    };
    let fill = |count: usize| fill.to_string().repeat(count);
    format!("{}{text}{}", fill(left), fill(missing - left))
}

fn swapped(text: &str) -> String {
    let swap = |c: char| {
        if c.is_uppercase() { c.to_lowercase().to_string() } else { c.to_uppercase().to_string() }
    };
    text.chars().map(swap).collect()
}

fn expanded(text: &str, width: usize) -> String {
    let (mut out, mut column) = (String::new(), 0);
    for c in text.chars() {
        match c {
            '\t' if width > 0 => {
                let spaces = width - column % width;
                out += &" ".repeat(spaces);
                column += spaces;
            }
            '\t' => {}
            '\n' | '\r' => {
                out.push(c);
                column = 0;
            }
            _ => {
                out.push(c);
                column += 1;
            }
        }
    }
    out
}

fn rsplit(text: &str, arguments: &[Value]) -> Result<Value, Error> {
    let separator = arguments.first().filter(|value| !value.is_none());
    let most = arguments.get(1).and_then(Value::as_i64).and_then(|most| usize::try_from(most).ok());
    let mut parts: Vec<&str> = match separator {
        Some(separator) => {
            let separator = separator.as_str().filter(|text| !text.is_empty());
            let separator = separator.ok_or_else(|| wrong("rsplit wants a separator that is not empty"))?;
            match most {
                Some(most) => text.rsplitn(most.saturating_add(1), separator).collect(),
                None => text.rsplit(separator).collect(),
            }
        }
        None => {
            let (mut rest, mut parts) = (text.trim_end(), Vec::new());
            while !rest.is_empty() && most.is_none_or(|most| parts.len() < most) {
                let at = rest
                    .rfind(char::is_whitespace)
                    .map_or(0, |at| at + rest[at..].chars().next().map_or(1, char::len_utf8));
                parts.push(&rest[at..]);
                rest = rest[..at].trim_end();
            }
            if !rest.is_empty() {
                parts.push(rest);
            }
            parts
        }
    };
    parts.reverse();
    Ok(Value::from(parts.into_iter().map(Value::from).collect::<Vec<_>>()))
}

fn partition(text: &str, separator: &str, last: bool) -> Result<Value, Error> {
    if separator.is_empty() {
        return Err(wrong("empty separator"));
    }
    let found = if last { text.rsplit_once(separator) } else { text.split_once(separator) };
    let parts = match found {
        Some((before, after)) => [before, separator, after],
        None if last => ["", "", text],
        None => [text, "", ""],
    };
    Ok(Value::from(Tuple::from(parts.map(Value::from).to_vec())))
}

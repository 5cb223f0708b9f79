//! Methods of Python's texts that the engine does not know, or knows in part.

use minijinja::value::{Kwargs, Rest, Tuple, from_args};
use minijinja::{Error, State, Value};
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

use super::calls::{Side, WIDEST, padded, wrong};
use super::repr::is_printable;

/// What a method of a text answers; `None` where it is left to the engine.
pub(super) fn method(
    state: &State<'_, '_>,
    text: &str,
    name: &str,
    arguments: &[Value],
) -> Result<Option<Value>, Error> {
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
        "split" | "rsplit" => split(text, arguments, name == "rsplit")?,
        "splitlines" => {
            let (given, named): (Rest<Value>, Kwargs) = from_args(arguments)?;
            let ends = given.first().cloned().or(named.get("keepends")?).is_some_and(|ends| ends.is_true());
            named.assert_all_used()?;
            lines(text, ends).into_iter().map(Value::from).collect()
        }
        "find" | "rfind" | "index" | "rindex" => {
            let wanted = part(0)?;
            let found = range(text, &arguments[1..])?.and_then(|(from, range)| {
                let at = if name.starts_with('r') { range.rfind(wanted) } else { range.find(wanted) };
                at.map(|at| from + range[..at].chars().count())
            });
            match found {
                Some(at) => Value::from(at),
                None if name.ends_with("find") => Value::from(-1),
                None => return Err(wrong("substring not found")),
            }
        }
        "count" => {
            let wanted = part(0)?;
            let range = range(text, &arguments[1..])?;
            Value::from(range.map_or(0, |(_, range)| range.matches(wanted).count()))
        }
        "startswith" | "endswith" if arguments.len() > 1 => {
            let Some((_, range)) = range(text, &arguments[1..])? else { return Ok(Some(Value::from(false))) };
            let holds = |part: &Value| {
                part.as_str().is_some_and(|part| {
                    if name == "startswith" { range.starts_with(part) } else { range.ends_with(part) }
                })
            };
            let any = arguments[0].is_tuple() && arguments[0].try_iter()?.any(|part| holds(&part));
            Value::from(any || holds(&arguments[0]))
        }
        "title" => Value::from(titled(text)),
        "istitle" => Value::from(text.chars().any(is_cased) && titled(text) == text),
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
        "isdecimal" => all(|c| c.general_category() == GeneralCategory::DecimalNumber),
        "isprintable" => Value::from(text.chars().all(is_printable)),
        "isidentifier" => {
            let word = text.chars().all(|c| c.is_alphanumeric() || c == '_');
            Value::from(word && text.starts_with(|c: char| !c.is_numeric()))
        }
        _ => return Ok(None),
    }))
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

/// `split` and `rsplit`, with `sep` and `maxsplit` by place or by name.
fn split(text: &str, arguments: &[Value], from_the_right: bool) -> Result<Value, Error> {
    let (given, named): (Rest<Value>, Kwargs) = from_args(arguments)?;
    let mut given = given.0.into_iter();
    let mut argument = |name: &str| -> Result<Option<Value>, Error> {
        Ok(given.next().or(named.get(name)?).filter(|value| !value.is_none()))
    };
    let separator = argument("sep")?;
    let most = argument("maxsplit")?.and_then(|most| most.as_i64()).and_then(|most| usize::try_from(most).ok());
    named.assert_all_used()?;
    let parts: Vec<&str> = match &separator {
        Some(separator) => {
            let separator = separator.as_str().filter(|text| !text.is_empty());
            let separator = separator.ok_or_else(|| wrong("a separator is a text that is not empty"))?;
            match most.map(|most| most.saturating_add(1)) {
                None => text.split(separator).collect(),
                Some(parts) if from_the_right => text.rsplitn(parts, separator).collect(),
                Some(parts) => text.splitn(parts, separator).collect(),
            }
        }
        None if from_the_right => words_from_the_right(text, most),
        None => words_from_the_left(text, most),
    };
    let turned = from_the_right && (separator.is_none() || most.is_some());
    let parts: Vec<Value> = if turned {
        parts.into_iter().rev().map(Value::from).collect()
    } else {
        parts.into_iter().map(Value::from).collect()
    };
    Ok(Value::from(parts))
}

/// What stands between white space, the last first; after so many parts the rest as it is.
fn words_from_the_right(text: &str, most: Option<usize>) -> Vec<&str> {
    let (mut rest, mut parts) = (text.trim_end(), Vec::new());
    while !rest.is_empty() && most.is_none_or(|most| parts.len() < most) {
        let at =
            rest.rfind(char::is_whitespace).map_or(0, |at| at + rest[at..].chars().next().map_or(1, char::len_utf8));
        parts.push(&rest[at..]);
        rest = rest[..at].trim_end();
    }
    if !rest.is_empty() {
        parts.push(rest);
    }
    parts
}

/// The same, the first first.
fn words_from_the_left(text: &str, most: Option<usize>) -> Vec<&str> {
    let (mut rest, mut parts) = (text.trim_start(), Vec::new());
    while !rest.is_empty() && most.is_none_or(|most| parts.len() < most) {
        let (word, after) = rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len()));
        parts.push(word);
        rest = after.trim_start();
    }
    if !rest.is_empty() {
        parts.push(rest);
    }
    parts
}

/// The part of a text that Python's `start` and `end` leave, and its first character's number; `None` where the one lies
/// behind the text or the other.
fn range<'a>(text: &'a str, bounds: &[Value]) -> Result<Option<(usize, &'a str)>, Error> {
    let length = text.chars().count();
    let bound = |index: usize, default: usize| -> Result<usize, Error> {
        match bounds.get(index).filter(|bound| !bound.is_none()) {
            None => Ok(default),
            Some(bound) => {
                let bound = bound.as_i64().ok_or_else(|| wrong("a place in a text is a whole number"))?;
                let size = usize::try_from(bound.unsigned_abs()).unwrap_or(usize::MAX);
                Ok(if bound < 0 { length.saturating_sub(size) } else { size })
            }
        }
    };
    let (start, end) = (bound(0, 0)?, bound(1, length)?.min(length));
    if start > end {
        return Ok(None);
    }
    let at = |number: usize| text.char_indices().nth(number).map_or(text.len(), |(at, _)| at);
    Ok(Some((start, &text[at(start)..at(end)])))
}

/// The lines of a text by Python's `splitlines`, with the breaks between them or without.
pub(super) fn lines(text: &str, with_ends: bool) -> Vec<&str> {
    let is_end = |c: char| {
        matches!(c, '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}')
    };
    let (mut rest, mut all) = (text, Vec::new());
    while !rest.is_empty() {
        let end = rest.find(is_end).unwrap_or(rest.len());
        let after = &rest[end..];
        let long = if after.starts_with("\r\n") { 2 } else { after.chars().next().map_or(0, char::len_utf8) };
        all.push(&rest[..if with_ends { end + long } else { end }]);
        rest = &after[long..];
    }
    all
}

fn is_cased(c: char) -> bool {
    c.is_lowercase() || c.is_uppercase() || c.general_category() == GeneralCategory::TitlecaseLetter
}

/// Python's `title`: a letter after anything but a letter is large, every other one small.
fn titled(text: &str) -> String {
    let (mut out, mut after_letter) = (String::with_capacity(text.len()), false);
    for c in text.chars() {
        if after_letter {
            out.extend(c.to_lowercase())
        } else {
            out.extend(c.to_uppercase())
        }
        after_letter = is_cased(c);
    }
    out
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

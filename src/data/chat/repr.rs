//! Values written as Python writes them: what `{{ … }}`, `%s` and the filter `string` show of it.

use minijinja::value::ValueKind;
use minijinja::{Error, Value};
use unicode_properties::{GeneralCategory as Category, UnicodeGeneralCategory};

use super::calls::wrong;
use super::json::number;

/// How deep lists and objects may lie in one another.
const DEEPEST: usize = 100;
/// Bytes that a value may become, at most.
const LARGEST: usize = 16 << 20;

/// Python's `str`.
pub(super) fn plain(value: &Value) -> Result<String, Error> {
    if is_written_here(value) { spelled(value) } else { Ok(value.to_string()) }
}

/// Whether Python writes a value of that kind in another way than the engine.
pub(super) fn is_written_here(value: &Value) -> bool {
    matches!(value.kind(), ValueKind::Number | ValueKind::Seq | ValueKind::Map | ValueKind::Iterable)
}

/// Python's `repr`.
pub(super) fn spelled(value: &Value) -> Result<String, Error> {
    let mut out = String::new();
    write(&mut out, value, 0)?;
    Ok(out)
}

fn write(out: &mut String, value: &Value, depth: usize) -> Result<(), Error> {
    let room = |out: &String| {
        let fits = depth < DEEPEST && out.len() < LARGEST;
        fits.then_some(()).ok_or_else(|| wrong("a value is too large or too deep to be written"))
    };
    match value.kind() {
        ValueKind::String => text(out, value.as_str().unwrap_or_default()),
        ValueKind::Undefined => out.push_str("Undefined"),
        ValueKind::Number => *out += &shown(value),
        ValueKind::Seq | ValueKind::Iterable => {
            let brackets = if value.is_tuple() { ['(', ')'] } else { ['[', ']'] };
            out.push(brackets[0]);
            let mut items = 0;
            for item in value.try_iter()? {
                room(out)?;
                out.push_str(if items > 0 { ", " } else { "" });
                write(out, &item, depth + 1)?;
                items += 1;
            }
            out.push_str(if value.is_tuple() && items == 1 { "," } else { "" });
            out.push(brackets[1]);
        }
        ValueKind::Map => {
            out.push('{');
            for (index, key) in value.try_iter()?.enumerate() {
                room(out)?;
                out.push_str(if index > 0 { ", " } else { "" });
                write(out, &key, depth + 1)?;
                out.push_str(": ");
                write(out, &value.get_item(&key)?, depth + 1)?;
            }
            out.push('}');
        }
        _ => *out += &value.to_string(),
    }
    Ok(())
}

/// A number; what is none is spelled otherwise than in JSON.
fn shown(value: &Value) -> String {
    match number(value).as_str() {
        "NaN" => "nan".to_owned(),
        "Infinity" => "inf".to_owned(),
        "-Infinity" => "-inf".to_owned(),
        other => other.to_owned(),
    }
}

/// A text in quotes: single ones, unless it has some and no double ones.
fn text(out: &mut String, text: &str) {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    out.push(quote);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            _ if c == quote => {
                out.push('\\');
                out.push(c);
            }
            _ if is_printable(c) => out.push(c),
            _ => *out += &escaped(c),
        }
    }
    out.push(quote);
}

/// A character as its number.
pub(super) fn escaped(c: char) -> String {
    match u32::from(c) {
        code @ ..=0xff => format!("\\x{code:02x}"),
        code @ ..=0xffff => format!("\\u{code:04x}"),
        code => format!("\\U{code:08x}"),
    }
}

/// Whether Python shows a character as it is.
pub(super) fn is_printable(c: char) -> bool {
    c == ' '
        || !matches!(
            c.general_category(),
            Category::Control
                | Category::Format
                | Category::Surrogate
                | Category::PrivateUse
                | Category::Unassigned
                | Category::LineSeparator
                | Category::ParagraphSeparator
                | Category::SpaceSeparator
        )
}

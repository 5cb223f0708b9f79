//! The filter `tojson` as transformers has it: `json.dumps` of Python with its arguments.

use minijinja::value::{Kwargs, Rest, ValueKind};
use minijinja::{Error, ErrorKind, State, Value};

/// Bytes that a value may become, at most.
const LARGEST: usize = 16 << 20;
/// How deep lists and objects may lie in one another.
const DEEPEST: usize = 100;

/// JSON, spaced as Python spaces it, unless told otherwise: `ensure_ascii`, `indent`, `separators`, `sort_keys`.
pub(super) fn to_json(
    state: &State<'_, '_>,
    value: &Value,
    given: Rest<Value>,
    named: Kwargs,
) -> Result<String, Error> {
    let mut given = given.0.into_iter();
    let mut argument = |name: &str| -> Result<Option<Value>, Error> {
        let value = given.next().or(named.get(name)?);
        Ok(value.filter(|value| !value.is_none()))
    };
    let ensure_ascii = argument("ensure_ascii")?.is_some_and(|value| value.is_true());
    let indent = argument("indent")?.map(|indent| match indent.as_str() {
        Some(text) => text.to_owned(),
        None => " ".repeat(indent.as_usize().unwrap_or(0).min(64)),
    });
    let separators = argument("separators")?;
    let sort_keys = argument("sort_keys")?.is_some_and(|value| value.is_true());
    named.assert_all_used()?;
    let part = |index: usize, default: &str| -> Result<String, Error> {
        let Some(separators) = &separators else { return Ok(default.to_owned()) };
        let part = separators.get_item_by_index(index)?;
        part.as_str().map(str::to_owned).ok_or_else(|| failed("separators are two texts"))
    };
    let between = part(0, if indent.is_some() { "," } else { ", " })?;
    let colon = part(1, ": ")?;
    let mut writer = Writer { out: String::new(), ensure_ascii, indent, between, colon, sort_keys };
    writer.value(value, 0)?;
    state.consume_fuel((writer.out.len() / 64) as u64)?;
    Ok(writer.out)
}

fn failed(problem: impl Into<String>) -> Error {
    Error::new(ErrorKind::BadSerialization, problem.into())
}

struct Writer {
    out: String,
    ensure_ascii: bool,
    indent: Option<String>,
    between: String,
    colon: String,
    sort_keys: bool,
}

impl Writer {
    fn value(&mut self, value: &Value, depth: usize) -> Result<(), Error> {
        if depth > DEEPEST || self.out.len() > LARGEST {
            return Err(failed("a value is too large or too deep for tojson"));
        }
        match value.kind() {
            ValueKind::None => self.out += "null",
            ValueKind::Bool => self.out += if value.is_true() { "true" } else { "false" },
            ValueKind::Number => self.out += &number(value),
            ValueKind::String => self.text(value.as_str().unwrap_or_default()),
            ValueKind::Seq | ValueKind::Iterable => {
                let items: Vec<Value> = value.try_iter()?.collect();
                self.out.push('[');
                for (index, item) in items.iter().enumerate() {
                    self.next(index, depth);
                    self.value(item, depth + 1)?;
                }
                self.close(items.is_empty(), depth, ']');
            }
            ValueKind::Map => {
                let mut keys: Vec<Value> = value.try_iter()?.collect();
                if self.sort_keys {
                    keys.sort();
                }
                self.out.push('{');
                for (index, key) in keys.iter().enumerate() {
                    self.next(index, depth);
                    self.key(key)?;
                    self.out += &self.colon;
                    self.value(&value.get_item(key)?, depth + 1)?;
                }
                self.close(keys.is_empty(), depth, '}');
            }
            kind => return Err(failed(format!("a value of the kind {kind} is not JSON"))),
        }
        Ok(())
    }

    fn key(&mut self, key: &Value) -> Result<(), Error> {
        match key.kind() {
            ValueKind::String => self.text(key.as_str().unwrap_or_default()),
            ValueKind::None => self.text("null"),
            ValueKind::Bool => self.text(if key.is_true() { "true" } else { "false" }),
            ValueKind::Number => self.text(&number(key)),
            kind => return Err(failed(format!("a key of the kind {kind} is not JSON"))),
        }
        Ok(())
    }

    /// What stands before an item.
    fn next(&mut self, index: usize, depth: usize) {
        if index > 0 {
            self.out += &self.between;
        }
        self.line(depth + 1);
    }

    fn close(&mut self, empty: bool, depth: usize, bracket: char) {
        if !empty {
            self.line(depth);
        }
        self.out.push(bracket);
    }

    fn line(&mut self, depth: usize) {
        if let Some(indent) = &self.indent {
            self.out.push('\n');
            self.out += &indent.repeat(depth);
        }
    }

    fn text(&mut self, text: &str) {
        self.out.push('"');
        for c in text.chars() {
            match c {
                '"' => self.out += "\\\"",
                '\\' => self.out += "\\\\",
                '\n' => self.out += "\\n",
                '\r' => self.out += "\\r",
                '\t' => self.out += "\\t",
                '\u{8}' => self.out += "\\b",
                '\u{c}' => self.out += "\\f",
                _ if c < ' ' || (self.ensure_ascii && !(' '..='~').contains(&c)) => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        self.out += &format!("\\u{unit:04x}");
                    }
                }
                _ => self.out.push(c),
            }
        }
        self.out.push('"');
    }
}

/// A number as Python writes it; what is no number as `json.dumps` does.
pub(super) fn number(value: &Value) -> String {
    if value.is_integer() {
        return value.to_string();
    }
    let Ok(x) = f64::try_from(value.clone()) else { return value.to_string() };
    if !x.is_finite() {
        return if x.is_nan() {
            "NaN"
        } else if x > 0.0 {
            "Infinity"
        } else {
            "-Infinity"
        }
        .to_owned();
    }
    // Shortest digits, a power of ten from 1e16 on and below 1e-4.
    let scientific = format!("{x:e}");
    let (digits, power) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = power.parse().unwrap_or(0);
    if x != 0.0 && !(-4..16).contains(&exponent) {
        return format!("{digits}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs());
    }
    let plain = x.to_string();
    if plain.contains('.') { plain } else { plain + ".0" }
}

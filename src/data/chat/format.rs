//! Python's operator `%` on texts, and Jinja2's filter `format`, which is the same.

use std::iter::Peekable;
use std::str::Chars;

use minijinja::value::ValueKind;
use minijinja::{Error, State, Value};

use super::calls::{Side, WIDEST, padded, whole, wrong};
use super::repr;

/// One `%…` of a format.
#[derive(Default)]
struct Spec {
    left: bool,
    zero: bool,
    alternate: bool,
    /// What stands before a number that is not negative.
    sign: &'static str,
    width: usize,
    precision: Option<usize>,
}

/// What is put in, one after the other or by name.
struct Given<'a> {
    all: &'a Value,
    items: std::vec::IntoIter<Value>,
}

impl Given<'_> {
    fn next(&mut self) -> Result<Value, Error> {
        self.items.next().ok_or_else(|| wrong("not enough arguments for format string"))
    }

    /// A width or a precision: digits of the format, or `*` for what is given next.
    fn size(&mut self, format: &mut Peekable<Chars<'_>>) -> Result<i64, Error> {
        if format.next_if_eq(&'*').is_some() {
            return whole(&self.next()?).ok_or_else(|| wrong("* wants int"));
        }
        let mut size: i64 = 0;
        while let Some(digit) = format.peek().and_then(|c| c.to_digit(10)) {
            size = size.saturating_mul(10).saturating_add(i64::from(digit));
            format.next();
        }
        Ok(size)
    }
}

/// The text with what it is given in the places that it marks.
pub(super) fn formatted(state: &State<'_, '_>, format: &str, given: &Value) -> Result<String, Error> {
    let items = if given.is_tuple() { given.try_iter()?.collect() } else { vec![given.clone()] };
    let mut given = Given { all: given, items: items.into_iter() };
    let mut out = String::with_capacity(format.len());
    let (mut chars, mut named) = (format.chars().peekable(), false);
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut value = None;
        if chars.next_if_eq(&'(').is_some() {
            let key: String = chars.by_ref().take_while(|c| *c != ')').collect();
            if given.all.kind() != ValueKind::Map {
                return Err(wrong("format requires a mapping"));
            }
            let found = given.all.get_item(&Value::from(key.as_str()))?;
            if found.is_undefined() {
                return Err(wrong(format!("a format names {key:?}, which is not given")));
            }
            (value, named) = (Some(found), true);
        }
        let mut spec = Spec::default();
        while let Some(flag) = chars.next_if(|c| "#0- +".contains(*c)) {
            match flag {
                '#' => spec.alternate = true,
                '0' => spec.zero = true,
                '-' => spec.left = true,
                '+' => spec.sign = "+",
                _ if spec.sign.is_empty() => spec.sign = " ",
                _ => {}
            }
        }
        let width = given.size(&mut chars)?;
        spec.left |= width < 0;
        spec.width = usize::try_from(width.unsigned_abs()).unwrap_or(WIDEST).min(WIDEST);
        if chars.next_if_eq(&'.').is_some() {
            spec.precision = Some(usize::try_from(given.size(&mut chars)?).unwrap_or(0).min(WIDEST));
        }
        state.consume_fuel(((spec.width + spec.precision.unwrap_or(0)) / 64) as u64)?;
        while chars.next_if(|c| "hlL".contains(*c)).is_some() {}
        let kind = chars.next().ok_or_else(|| wrong("incomplete format"))?;
        if kind == '%' {
            out.push('%');
            continue;
        }
        let value = value.map_or_else(|| given.next(), Ok)?;
        out += &spec.apply(kind, &value)?;
    }
    // Only what has no members must be used up.
    let has_members = matches!(given.all.kind(), ValueKind::Map | ValueKind::Seq) && !given.all.is_tuple();
    if !named && !has_members && given.items.next().is_some() {
        return Err(wrong("not all arguments converted during string formatting"));
    }
    Ok(out)
}

impl Spec {
    fn apply(&self, kind: char, value: &Value) -> Result<String, Error> {
        match kind {
            's' => Ok(self.fill(self.cut(&repr::plain(value)?))),
            'r' => Ok(self.fill(self.cut(&repr::spelled(value)?))),
            'a' => {
                let ascii = |c: char| if c.is_ascii() { c.to_string() } else { repr::escaped(c) };
                Ok(self.fill(self.cut(&repr::spelled(value)?.chars().map(ascii).collect::<String>())))
            }
            'c' => match (value.as_str(), whole(value)) {
                (Some(text), _) if text.chars().count() == 1 => Ok(self.fill(text.to_owned())),
                (None, Some(code)) => {
                    let c = u32::try_from(code).ok().and_then(char::from_u32);
                    Ok(self.fill(c.ok_or_else(|| wrong("%c wants a character"))?.to_string()))
                }
                _ => Err(wrong("%c requires int or char")),
            },
            'd' | 'i' | 'u' => self.integer(value, true, |digits| digits.to_string()),
            'o' => self.integer(value, false, |digits| self.prefixed("0o", format!("{digits:o}"))),
            'x' => self.integer(value, false, |digits| self.prefixed("0x", format!("{digits:x}"))),
            'X' => self.integer(value, false, |digits| self.prefixed("0X", format!("{digits:X}"))),
            'e' | 'E' | 'f' | 'F' | 'g' | 'G' => {
                let x = f64::try_from(value.clone()).map_err(|_| wrong(format!("%{kind} wants a number")))?;
                let text = self.float(kind.to_ascii_lowercase(), x.abs());
                let text = if kind.is_ascii_uppercase() { text.to_uppercase() } else { text };
                Ok(self.signed(x.is_sign_negative() && !x.is_nan(), &text, x.is_finite()))
            }
            other => Err(wrong(format!("unsupported format character '{other}'"))),
        }
    }

    fn prefixed(&self, prefix: &str, digits: String) -> String {
        if self.alternate { format!("{prefix}{digits}") } else { digits }
    }

    fn cut(&self, text: &str) -> String {
        self.precision.map_or_else(|| text.to_owned(), |most| text.chars().take(most).collect())
    }

    fn fill(&self, text: String) -> String {
        padded(&text, self.width, ' ', if self.left { Side::Right } else { Side::Left })
    }

    /// A number with its sign, zeros between the two where that is asked for.
    fn signed(&self, negative: bool, digits: &str, may_be_zeros: bool) -> String {
        let sign = if negative { "-" } else { self.sign };
        if self.zero && !self.left && may_be_zeros {
            let (prefix, digits) =
                digits.split_at(if digits.starts_with("0x") || digits.starts_with("0X") || digits.starts_with("0o") {
                    2
                } else {
                    0
                });
            let width = self.width.saturating_sub(sign.len() + prefix.len());
            return format!("{sign}{prefix}{}", padded(digits, width, '0', Side::Left));
        }
        self.fill(format!("{sign}{digits}"))
    }

    fn integer(&self, value: &Value, of_floats: bool, write: impl Fn(u128) -> String) -> Result<String, Error> {
        #[allow(clippy::cast_possible_truncation, reason = "a float is cut, as in Python")]
        let number = match i128::try_from(value.clone()).ok().or_else(|| whole(value).map(i128::from)) {
            Some(number) => number,
            None if of_floats && value.kind() == ValueKind::Number => {
                f64::try_from(value.clone()).map_err(|_| wrong("%d wants a number"))? as i128
            }
            None => return Err(wrong("a format wants a whole number")),
        };
        let digits = write(number.unsigned_abs());
        let digits = self.precision.map_or(digits.clone(), |least| padded(&digits, least, '0', Side::Left));
        Ok(self.signed(number < 0, &digits, true))
    }

    /// A number that is not negative.
    fn float(&self, kind: char, x: f64) -> String {
        if !x.is_finite() {
            return if x.is_nan() { "nan" } else { "inf" }.to_owned();
        }
        let precision = self.precision.unwrap_or(6).min(300);
        let scientific = |precision: usize| {
            let text = format!("{x:.precision$e}");
            let (digits, power) = text.split_once('e').map_or((text.as_str(), 0), |(d, p)| (d, p.parse().unwrap_or(0)));
            (digits.to_owned(), power)
        };
        let with_power =
            |digits: &str, power: i32| format!("{digits}e{}{:02}", if power < 0 { '-' } else { '+' }, power.abs());
        match kind {
            'f' => format!("{x:.precision$}"),
            'e' => {
                let (digits, power) = scientific(precision);
                with_power(&digits, power)
            }
            _ => {
                let precision = precision.max(1);
                let (digits, power) = scientific(precision - 1);
                let bare = |text: &str| {
                    if self.alternate || !text.contains('.') {
                        return text.to_owned();
                    }
                    text.trim_end_matches('0').trim_end_matches('.').to_owned()
                };
                let places = i32::try_from(precision).unwrap_or(i32::MAX);
                if power < -4 || power >= places {
                    return with_power(&bare(&digits), power);
                }
                let places = usize::try_from(places - 1 - power).unwrap_or(0);
                bare(&format!("{x:.places$}"))
            }
        }
    }
}

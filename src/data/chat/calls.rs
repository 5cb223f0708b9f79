//! Helpers that filters and methods of templates share: errors, whole numbers, padding.

use minijinja::value::ValueKind;
use minijinja::{Error, ErrorKind, Value};

/// Longest text that is padded to.
pub(super) const WIDEST: usize = 1 << 16;

/// The error of a call with the wrong values.
pub(super) fn wrong(problem: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, problem.into())
}

/// A value as a whole number, if Python takes it for one.
pub(super) fn whole(value: &Value) -> Option<i64> {
    match value.kind() {
        ValueKind::Bool => Some(i64::from(value.is_true())),
        _ if value.is_integer() => value.as_i64(),
        _ => None,
    }
}

/// The side on which a text is filled up.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Side {
    Left,
    Right,
    Both,
}

/// The text filled up to a width.
pub(super) fn padded(text: &str, width: usize, fill: char, side: Side) -> String {
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

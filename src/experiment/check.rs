//! A scanned text against the table of what an experiment may say: every mistake, with its place and the way out.

use super::scan::{Fields, Kind, Node};
use super::schema::Type::{self, Bool, Enum, List, Optional, Real, Retired, Struct, Text, Whole};
use super::schema::{Row, Variant};
use super::source::Source;
use crate::error::Error;

impl Type {
    /// What to write, in words.
    fn expected(&self) -> String {
        match self {
            Text => "a text in double quotes".to_owned(),
            Bool => "true or false".to_owned(),
            Whole => "a whole number, 0 or larger".to_owned(),
            Real => "a number".to_owned(),
            List(_) => "a list `[…, …]`".to_owned(),
            Optional(inner) => inner.expected(),
            Struct(_) => "fields in parentheses: `(name: value, …)`".to_owned(),
            Enum(variants) => format!("one of {}", listed(variants.iter().map(Variant::spelling))),
            Retired(_) => "nothing".to_owned(),
        }
    }
}

impl Variant {
    /// How it is written.
    fn spelling(&self) -> String {
        match self.payload {
            None => self.name.to_owned(),
            Some(Struct(_)) => format!("{}(…)", self.name),
            Some(Text) => format!("{}(\"…\")", self.name),
            Some(List(_)) => format!("{}([…])", self.name),
            Some(Whole) => format!("{}(8)", self.name),
            Some(_) => format!("{}(0.1)", self.name),
        }
    }
}

/// Compares a scanned text with the table; every mistake is an error of its own.
pub(super) fn check(source: &Source, node: &Node, ty: &Type, errors: &mut Vec<Error>) {
    let Source { text, .. } = source;
    let written = &text[node.span.clone()];
    let fits = match (ty, &node.kind) {
        (Text, Kind::Text) => true,
        (Bool, Kind::Word(word)) => matches!(word.as_str(), "true" | "false"),
        (Whole, Kind::Number) => is_whole(written),
        (Real, Kind::Number) => is_real(written),
        (Real, Kind::Word(word)) => matches!(word.as_str(), "inf" | "NaN"),
        (List(item), Kind::List(nodes)) => {
            nodes.iter().for_each(|n| check(source, n, item, errors));
            return;
        }
        (Optional(_), Kind::Word(word)) => word == "None",
        (Optional(inner), Kind::Tuple(Some(name), items)) if name == "Some" && items.len() == 1 => {
            return check(source, &items[0], inner, errors);
        }
        (Optional(inner), _) => return check(source, node, inner, errors),
        (Struct(rows), Kind::Fields(fields)) => return check_fields(source, node, rows, fields, errors),
        (Enum(variants), _) => return check_variant(source, node, variants, errors),
        _ => false,
    };
    if !fits {
        errors.push(source.error(
            node.span.start,
            format!("expected {}, found {}", ty.expected(), node.describe(text)),
            whole_advice(ty, written).unwrap_or_else(|| format!("write {}", ty.expected())),
        ));
    }
}

/// `1e3` and `8.0` are whole numbers to a reader, if not to RON: say how to spell them.
fn whole_advice(ty: &Type, written: &str) -> Option<String> {
    let value =
        written.parse::<f64>().ok().filter(|x| matches!(ty, Whole) && *x >= 0.0 && *x < 1e15 && x.fract() == 0.0)?;
    Some(format!("write {value:.0}"))
}

fn check_fields(source: &Source, node: &Node, rows: &[Row], fields: &Fields, errors: &mut Vec<Error>) {
    for (i, field) in fields.entries.iter().enumerate() {
        let at = field.name_span.start;
        match rows.iter().find(|row| row.name == field.name) {
            None => errors.push(source.error(
                at,
                format!("unknown field `{}`", field.name),
                suggestion(&field.name, rows.iter().filter(|r| !r.ty.is_retired()).map(|r| r.name)),
            )),
            Some(Row { ty: Retired(way_out), name, .. }) => {
                errors.push(source.error(at, format!("`{name}` is no setting any more"), *way_out));
            }
            Some(_) if fields.entries[..i].iter().any(|f| f.name == field.name) => {
                errors.push(source.error(at, format!("`{}` is given twice", field.name), "keep one of them"));
            }
            Some(row) => check(source, &field.value, &row.ty, errors),
        }
    }
    for row in rows {
        if let Some(example) = row.example.filter(|_| fields.entries.iter().all(|f| f.name != row.name)) {
            errors.push(source.error(
                node.span.start,
                format!("the field `{}` is missing", row.name),
                format!("add `{}: {example}`", row.name),
            ));
        }
    }
}

fn check_variant(source: &Source, node: &Node, variants: &[Variant], errors: &mut Vec<Error>) {
    let name = match &node.kind {
        Kind::Word(name) | Kind::Tuple(Some(name), _) | Kind::Fields(Fields { name: Some(name), .. }) => name,
        _ => {
            let known = listed(variants.iter().map(Variant::spelling));
            let problem = format!("expected one of {known}, found {}", node.describe(&source.text));
            errors.push(source.error(node.span.start, problem, "write one of them without quotes"));
            return;
        }
    };
    let Some(variant) = variants.iter().find(|v| v.name == name) else {
        errors.push(source.error(
            node.span.start,
            format!("`{name}` is not one of {}", listed(variants.iter().map(Variant::spelling))),
            suggestion(name, variants.iter().map(|v| v.name)),
        ));
        return;
    };
    match (&variant.payload, &node.kind) {
        (None, Kind::Word(_)) => {}
        (Some(Struct(rows)), Kind::Fields(fields)) => check_fields(source, node, rows, fields, errors),
        (Some(ty), Kind::Tuple(_, items)) if items.len() == 1 && !matches!(ty, Struct(_)) => {
            check(source, &items[0], ty, errors);
        }
        _ => errors.push(source.error(
            node.span.start,
            format!("`{name}` is written `{}`, found {}", variant.spelling(), node.describe(&source.text)),
            match variant.payload {
                Some(Struct(_)) => {
                    format!("write `{name}()` for the defaults, or name fields inside one pair of parentheses")
                }
                _ => format!("write `{}`", variant.spelling()),
            },
        )),
    }
}

fn is_whole(written: &str) -> bool {
    let digits = written.replace('_', "");
    let radix = [("0x", 16), ("0b", 2), ("0o", 8)].into_iter().find(|(prefix, _)| digits.starts_with(prefix));
    let parsed = match radix {
        Some((prefix, radix)) => u64::from_str_radix(&digits[prefix.len()..], radix),
        None => digits.parse::<u64>(),
    };
    parsed.is_ok()
}

fn is_real(written: &str) -> bool {
    written.replace('_', "").parse::<f64>().is_ok()
}

/// `a, b and c`
fn listed(names: impl Iterator<Item = String>) -> String {
    let names: Vec<String> = names.collect();
    match names.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => names.concat(),
    }
}

/// The nearest known name, or all of them.
pub(super) fn suggestion<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.collect();
    let nearest = known.iter().min_by_key(|k| edit_distance(name, k));
    match nearest {
        Some(nearest) if edit_distance(name, nearest) <= name.chars().count().max(4) / 2 => {
            format!("did you mean `{nearest}`? known here: {}", known.join(", "))
        }
        _ => format!("known here: {}", known.join(", ")),
    }
}

/// Insertions, deletions and substitutions that turn one word into the other (Levenshtein).
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::edit_distance;

    #[test]
    fn distances_of_words() {
        for (a, b, distance) in
            [("", "abc", 3), ("kitten", "sitting", 3), ("steps", "steps", 0), ("lerning", "learning", 1)]
        {
            assert_eq!(edit_distance(a, b), distance, "{a} {b}");
            assert_eq!(edit_distance(b, a), distance, "{b} {a}");
        }
    }
}

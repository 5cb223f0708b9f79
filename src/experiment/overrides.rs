//! `--set path=value`: changes one value of an experiment before it is checked, as if the file had said so.

use std::path::Path;

use super::check::suggestion;
use super::scan::{self, Kind, Node};
use super::schema::{EXPERIMENT, Row, Type, Variant};
use super::source::Source;
use crate::error::{Error, Location, Result};

/// A step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    /// `.name`
    Field(String),
    /// `[1]`, or `[DPO]`: the element of that name.
    Element(String),
}

/// Writes one override into the text.
pub(super) fn apply(source: &mut Source, argument: &str) -> Result<()> {
    let fail = |problem: String, advice: String| {
        Error::input(Location::file(Path::new(&format!("--set {argument}"))), problem, advice)
    };
    let (path, value) = argument.split_once('=').ok_or_else(|| {
        fail("there is no `=`".to_owned(), "write path=value, as in stages[1].learning_rate=1e-5 or seed=3".to_owned())
    })?;
    let (path, value) = (path.trim(), value.trim());
    let parts = parse_path(path).ok_or_else(|| {
        fail(
            format!("`{path}` is not a path"),
            "write names and indices, as in stages[1].steps or stages[DPO].steps".to_owned(),
        )
    })?;
    let tree = source.scan()?;
    let (mut node, mut ty) = (&tree, EXPERIMENT);
    for (i, part) in parts.iter().enumerate() {
        let here = |known: String| fail(format!("`{}` is not known", spelled(&parts[..=i])), known);
        match part {
            Part::Field(name) => {
                let rows = rows(node, ty).ok_or_else(|| here("there are no fields inside this value".to_owned()))?;
                // `data.world.train` names the variant on its way; the text has it too.
                if variant_name(node) == Some(name) && rows.iter().all(|r| r.name != name) {
                    continue;
                }
                let row = rows
                    .iter()
                    .find(|r| r.name == name)
                    .ok_or_else(|| here(suggestion(name, rows.iter().map(|r| r.name))))?;
                match (node.field(name), &node.kind) {
                    (Some(next), _) => (node, ty) = (next, row.ty),
                    (None, Kind::Fields(fields)) => {
                        let Wrapping { before, ty, after } = wrapping(row, &parts[i + 1..])
                            .ok_or_else(|| here(format!("the file does not set `{name}`: set it as a whole")))?;
                        let text = format!("{before}{}{after}, ", literal(value, ty, &fail)?);
                        source.replace(fields.open..fields.open, &text, argument);
                        return Ok(());
                    }
                    (None, _) => {
                        return Err(here(format!("`{name}` cannot be added to {}", node.describe(&source.text))));
                    }
                }
            }
            Part::Element(key) => {
                let Type::List(item) = ty else { return Err(here("this value is not a list".to_owned())) };
                node = element(source, node, key).ok_or_else(|| here(elements(source, node)))?;
                ty = *item;
            }
        }
    }
    let text = literal(value, ty, &fail)?;
    source.replace(node.span.clone(), &text, argument);
    Ok(())
}

/// `stages[1].learning_rate` in parts.
fn parse_path(path: &str) -> Option<Vec<Part>> {
    let mut parts = Vec::new();
    for dotted in path.split('.') {
        let mut pieces = dotted.split('[');
        let name = pieces.next()?.trim();
        if name.is_empty() {
            return None;
        }
        parts.push(Part::Field(name.to_owned()));
        for piece in pieces {
            parts.push(Part::Element(piece.strip_suffix(']')?.trim().to_owned()));
        }
    }
    Some(parts)
}

fn spelled(parts: &[Part]) -> String {
    let mut out = String::new();
    for part in parts {
        match part {
            Part::Field(name) if out.is_empty() => out.push_str(name),
            Part::Field(name) => out.push_str(&format!(".{name}")),
            Part::Element(key) => out.push_str(&format!("[{key}]")),
        }
    }
    out
}

fn variant_name(node: &Node) -> Option<&String> {
    match &node.kind {
        Kind::Fields(fields) => fields.name.as_ref(),
        Kind::Tuple(name, _) => name.as_ref(),
        _ => None,
    }
}

/// The fields that the value can have: those of its struct, or of the variant that the text names.
fn rows(node: &Node, ty: Type) -> Option<&'static [Row]> {
    match ty {
        Type::Struct(rows) => Some(rows),
        Type::Enum(variants) => match variants.iter().find(|v| variant_name(node).is_some_and(|n| n == v.name))? {
            Variant { payload: Some(Type::Struct(rows)), .. } => Some(rows),
            _ => None,
        },
        Type::Optional(inner) => rows(node, *inner),
        _ => None,
    }
}

/// The element of an index, or of a name.
fn element<'a>(source: &Source, node: &'a Node, key: &str) -> Option<&'a Node> {
    if let Ok(index) = key.parse() {
        return node.item(index);
    }
    let Kind::List(items) = &node.kind else { return None };
    items.iter().find(|item| name_of(source, item) == Some(key))
}

fn name_of<'a>(source: &'a Source, item: &Node) -> Option<&'a str> {
    source.text.get(item.field("name")?.span.clone()).map(|quoted| quoted.trim_matches('"'))
}

/// What can be written between the brackets.
fn elements(source: &Source, node: &Node) -> String {
    let Kind::List(items) = &node.kind else { return "this value is not a list".to_owned() };
    let known: Vec<String> = items
        .iter()
        .enumerate()
        .map(|(i, item)| name_of(source, item).map_or_else(|| i.to_string(), |name| format!("{i} ({name})")))
        .collect();
    format!("known here: {}", known.join(", "))
}

/// What stands around the value of a field that is added: `field: ` or `field: (inner: ` and `)`.
struct Wrapping {
    before: String,
    /// The value's type.
    ty: Type,
    after: String,
}

/// What stands around the value of a row's field, or of one within it.
fn wrapping(row: &Row, rest: &[Part]) -> Option<Wrapping> {
    match rest {
        [] => Some(Wrapping { before: format!("{}: ", row.name), ty: row.ty, after: String::new() }),
        [Part::Field(name), rest @ ..] => {
            let ty = if let Type::Optional(inner) = row.ty { *inner } else { row.ty };
            let Type::Struct(rows) = ty else { return None };
            let inner = wrapping(rows.iter().find(|r| r.name == name)?, rest)?;
            let before = format!("{}: ({}", row.name, inner.before);
            Some(Wrapping { before, ty: inner.ty, after: format!("{})", inner.after) })
        }
        [Part::Element(_), ..] => None,
    }
}

/// The value as RON. Texts may come without their quotes, since a shell takes those away. Refuses what is not exactly one
/// value: it must not write other fields of the experiment.
fn literal(value: &str, ty: Type, fail: &dyn Fn(String, String) -> Error) -> Result<String> {
    let quote = match ty {
        Type::Text => true,
        Type::Optional(Type::Text) => value != "None" && !value.starts_with("Some("),
        _ => false,
    };
    let text = match ron::to_string(value) {
        Ok(quoted) if quote && !value.starts_with('"') => quoted,
        _ => value.to_owned(),
    };
    match scan::scan(&text) {
        Ok(_) => Ok(text),
        Err(e) => Err(fail(format!("`{value}` is not one value: {}", e.problem), e.advice.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::source::Source;
    use super::apply;

    const TEXT: &str = "(\n  name: \"x\",\n  data: world(train: 9),\n  stages: [\n    (name: \"SFT\", steps: 1, objective: sft),\n    \
                        (name: \"DPO\", steps: 2, objective: sigmoid(beta: 0.1)),\n  ],\n)";

    fn applied(argument: &str) -> Result<String, String> {
        let mut source = Source::new(Path::new("x.ron"), TEXT);
        apply(&mut source, argument).map_err(|e| e.to_string())?;
        Ok(source.text)
    }

    #[test]
    fn a_path_names_one_value() {
        for (argument, from, to) in [
            ("name=y", "\"x\"", "\"y\""),
            ("name = \"y z\"", "\"x\"", "\"y z\""),
            ("stages[1].steps=77", "steps: 2", "steps: 77"),
            ("stages[DPO].steps=77", "steps: 2", "steps: 77"),
            ("stages[DPO].objective.beta=0.5", "beta: 0.1", "beta: 0.5"),
            ("stages[0].objective=sigmoid(beta: 1)", "objective: sft", "objective: sigmoid(beta: 1)"),
            ("data.train=3", "train: 9", "train: 3"),
            ("data.world.train=3", "train: 9", "train: 3"),
            ("data.overlap=0.3", "world(train", "world(overlap: 0.3, train"),
            ("seed=3", "(\n  name", "(seed: 3, \n  name"),
            ("detector.leave=0.4", "(\n  name", "(detector: (leave: 0.4), \n  name"),
            ("lora.rank=4", "(\n  name", "(lora: (rank: 4), \n  name"),
            ("output.directory=a b", "(\n  name", "(output: (directory: \"a b\"), \n  name"),
        ] {
            assert_eq!(applied(argument).as_deref(), Ok(TEXT.replacen(from, to, 1).as_str()), "{argument}");
        }
    }

    #[test]
    fn what_names_nothing_is_refused() {
        for (argument, message) in [
            ("seed", "there is no `=`"),
            ("=3", "`` is not a path"),
            ("sead=3", "did you mean `seed`?"),
            ("stages[2].steps=1", "`stages[2]` is not known\n  known here: 0 (SFT), 1 (DPO)"),
            ("stages[KTO].steps=1", "known here: 0 (SFT), 1 (DPO)"),
            ("stages[0].objective.beta=1", "no fields inside this value"),
            ("name[0]=1", "this value is not a list"),
            ("seed=1, name: \"evil\"", "is not one value"),
            ("seed=(", "is not one value"),
            ("model.folder=x", "set it as a whole"),
        ] {
            let error = applied(argument).err().unwrap_or_default();
            assert!(error.contains(message), "{argument}: {error}");
            assert!(error.starts_with("--set "), "{error}");
        }
    }

    #[test]
    fn errors_point_at_the_file_or_at_the_override() {
        let mut source = Source::new(Path::new("x.ron"), TEXT);
        for argument in ["seed=12345", "stages[0].steps=1000000"] {
            assert!(apply(&mut source, argument).is_ok());
        }
        let at = |needle: &str| source.location(source.text.find(needle).unwrap_or(0)).to_string();
        assert_eq!(at("12345"), "--set seed=12345");
        assert_eq!(at("1000000"), "--set stages[0].steps=1000000");
        assert_eq!(at("name"), "x.ron:2:3");
        assert_eq!(at("objective: sft"), "x.ron:5:29", "what follows on the same line keeps its column");
        assert_eq!(at("beta"), "x.ron:6:48");
    }
}

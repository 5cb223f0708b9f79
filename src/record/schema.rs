//! The documented form of a run file, `docs/run-file.schema.json`, and how a line is held against it.
//!
//! Of JSON Schema that much is understood which the document uses. Fields and events that it does not name are no mistake: they
//! are told apart, so that a slip in a name is seen.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use serde_json::Value;

/// The document.
pub const SCHEMA: &str = include_str!("../../docs/run-file.schema.json");

static PARSED: LazyLock<Value> = LazyLock::new(|| serde_json::from_str(SCHEMA).unwrap_or_default());

/// What a line is, held against the document.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    /// What contradicts it, each with the field's path.
    pub wrong: Vec<String>,
    /// Paths of fields that it does not name.
    pub unknown: BTreeSet<String>,
}

/// Holds an event against the document; one of an unknown kind contradicts nothing.
pub fn examine(event: &Value) -> Findings {
    let mut findings = Findings::default();
    let tag = event.get("event");
    let alternatives = PARSED["oneOf"].as_array().into_iter().flatten().map(resolved);
    let mut of_tag = alternatives.filter(|alternative| Some(&alternative["properties"]["event"]["const"]) == tag);
    match of_tag.next() {
        Some(schema) => findings.hold(event, schema, ""),
        None if tag.is_some_and(Value::is_string) => {}
        None => findings.wrong.push("event: must be a text that names the event".to_owned()),
    }
    findings
}

/// What a reference leads to.
fn resolved(schema: &'static Value) -> &'static Value {
    match schema["$ref"].as_str().and_then(|path| path.strip_prefix("#/$defs/")) {
        Some(name) => &PARSED["$defs"][name],
        None => schema,
    }
}

impl Findings {
    fn hold(&mut self, value: &Value, schema: &'static Value, path: &str) {
        let schema = resolved(schema);
        let place = if path.is_empty() { "the event" } else { path };
        if let Some(problem) = contradiction(value, schema) {
            self.wrong.push(format!("{place}: {problem}"));
            return;
        }
        if let Some(alternatives) = schema["anyOf"].as_array() {
            let fits = alternatives.iter().any(|alternative| {
                let mut held = Self::default();
                held.hold(value, alternative, path);
                held.wrong.is_empty()
            });
            if !fits {
                self.wrong.push(format!("{place}: is none of what it may be"));
            }
        }
        match value {
            Value::Array(items) if !schema["items"].is_null() => {
                items.iter().for_each(|item| self.hold(item, &schema["items"], &format!("{path}[]")));
            }
            Value::Object(fields) => {
                for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                    if !fields.contains_key(name) {
                        self.wrong.push(format!("{place}: lacks `{name}`"));
                    }
                }
                for (name, field) in fields {
                    let below = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                    match (schema["properties"].get(name), &schema["additionalProperties"]) {
                        (Some(of), _) => self.hold(field, of, &below),
                        (None, of @ Value::Object(_)) => self.hold(field, of, &format!("{path}.*")),
                        (None, _) if schema["properties"].is_null() => {}
                        (None, _) => {
                            self.unknown.insert(below);
                        }
                    }
                }
            }
            _ => {}
        }
    }
}

/// What a value itself contradicts, its parts aside.
fn contradiction(value: &Value, schema: &Value) -> Option<String> {
    let is_of = |kind: &str| match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "null" => value.is_null(),
        _ => true,
    };
    if let Some(kind) = schema["type"].as_str().filter(|kind| !is_of(kind)) {
        return Some(format!("must be of type {kind}"));
    }
    if schema.get("const").is_some_and(|only| only != value) {
        return Some(format!("must be {}", schema["const"]));
    }
    if schema["enum"].as_array().is_some_and(|all| !all.contains(value)) {
        return Some("is none of the words that it may be".to_owned());
    }
    let beyond = |bound: &str, is: fn(f64, f64) -> bool| {
        schema[bound].as_f64().zip(value.as_f64()).is_some_and(|(bound, x)| is(x, bound))
    };
    if beyond("minimum", |x, least| x < least) {
        return Some(format!("must be at least {}", schema["minimum"]));
    }
    beyond("maximum", |x, most| x > most).then(|| format!("must be at most {}", schema["maximum"]))
}

#[cfg(test)]
#[path = "schema_tests.rs"]
mod tests;

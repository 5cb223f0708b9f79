//! A scanner that finds where things are in a RON text. It knows RON's syntax but no types: it turns a text into a tree of spans, so
//! that a check can point at `stages[1].learning_rate` and an override can replace it.

use std::ops::Range;

/// Deepest nesting; an experiment needs four levels.
const MAX_DEPTH: usize = 32;

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    /// Byte range in the text.
    pub span: Range<usize>,
    /// What it is.
    pub kind: Kind,
}

/// The shape of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `"…"` or `r#"…"#`, still with its quotes.
    Text,
    /// A number.
    Number,
    /// A bare word: `true`, `None`, a variant without a payload.
    Word(String),
    /// `Name(field: value, …)`, the name optional; also `()`.
    Fields(Fields),
    /// `Name(value, …)`, the name optional.
    Tuple(Option<String>, Vec<Node>),
    /// `[value, …]`
    List(Vec<Node>),
    /// Anything else that RON can say and an experiment cannot: maps, characters.
    Other,
}

/// The inside of a struct.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fields {
    /// The word before the parenthesis.
    pub name: Option<String>,
    /// Offset just after the opening parenthesis.
    pub open: usize,
    /// The fields, in the text's order.
    pub entries: Vec<Field>,
}

/// One `name: value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Field {
    /// The name.
    pub name: String,
    /// The bytes at which the name stands.
    pub name_span: Range<usize>,
    /// The value.
    pub value: Node,
}

/// A text that is no RON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SyntaxError {
    /// Offset.
    pub at: usize,
    /// What is wrong.
    pub problem: String,
    /// The way out.
    pub advice: &'static str,
}

impl Node {
    /// The value of a field.
    pub(crate) fn field(&self, name: &str) -> Option<&Self> {
        let Kind::Fields(fields) = &self.kind else { return None };
        fields.entries.iter().find(|f| f.name == name).map(|f| &f.value)
    }

    /// An element of a list or a tuple.
    pub(super) fn item(&self, index: usize) -> Option<&Self> {
        match &self.kind {
            Kind::List(items) | Kind::Tuple(_, items) => items.get(index),
            _ => None,
        }
    }

    /// The node at a path such as `stages[1].learning_rate`, or the nearest one above it that the text has.
    pub(crate) fn nearest(&self, path: &str) -> &Self {
        let mut node = self;
        for part in path.split(['.', '[']).filter(|p| !p.is_empty()) {
            let next = match part.strip_suffix(']') {
                Some(index) => index.parse().ok().and_then(|i| node.item(i)),
                None => node.field(part),
            };
            match next {
                Some(next) => node = next,
                None => break,
            }
        }
        node
    }

    /// What the value is, in words.
    pub(super) fn describe(&self, text: &str) -> String {
        let source: String = text[self.span.clone()].chars().take(40).collect();
        match &self.kind {
            Kind::Text => format!("the text {source}"),
            Kind::Number => format!("the number {source}"),
            Kind::Word(word) => format!("`{word}`"),
            Kind::Fields(Fields { name: Some(name), .. }) | Kind::Tuple(Some(name), _) => format!("`{name}(…)`"),
            Kind::Fields(_) => "a struct `(…)`".to_owned(),
            Kind::Tuple(None, _) => "values in parentheses".to_owned(),
            Kind::List(_) => "a list".to_owned(),
            Kind::Other => format!("`{source}`"),
        }
    }
}

/// Scans a whole text: one value, with comments and `#![enable(…)]` lines before it.
pub(super) fn scan(text: &str) -> Result<Node, SyntaxError> {
    let mut scanner = Scanner { text, at: 0 };
    scanner.skip()?;
    while scanner.rest().starts_with("#!") {
        let end = scanner.rest().find(']').ok_or_else(|| scanner.error("`#![` is never closed", "add `]`"))?;
        scanner.at += end + 1;
        scanner.skip()?;
    }
    let node = scanner.value(0)?;
    scanner.skip()?;
    if scanner.rest().is_empty() {
        Ok(node)
    } else {
        Err(scanner.error("there is something after the end of the value", "remove it, or check the parentheses"))
    }
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn error(&self, problem: impl Into<String>, advice: &'static str) -> SyntaxError {
        SyntaxError { at: self.at, problem: problem.into(), advice }
    }

    /// Skips white space and comments; block comments nest.
    fn skip(&mut self) -> Result<(), SyntaxError> {
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start();
            self.at += rest.len() - trimmed.len();
            if trimmed.starts_with("//") {
                self.at += trimmed.find('\n').unwrap_or(trimmed.len());
            } else if trimmed.starts_with("/*") {
                self.block_comment()?;
            } else {
                return Ok(());
            }
        }
    }

    fn block_comment(&mut self) -> Result<(), SyntaxError> {
        let opened = self.error("this comment is never closed", "add `*/`");
        let mut depth = 0_usize;
        loop {
            let rest = self.rest();
            if rest.starts_with("/*") {
                depth += 1;
                self.at += 2;
            } else if rest.starts_with("*/") {
                depth -= 1;
                self.at += 2;
                if depth == 0 {
                    return Ok(());
                }
            } else {
                self.at += rest.chars().next().ok_or_else(|| opened.clone())?.len_utf8();
            }
        }
    }

    fn value(&mut self, depth: usize) -> Result<Node, SyntaxError> {
        if depth > MAX_DEPTH {
            return Err(self.error("this is nested too deeply", "a file needs a few levels alone"));
        }
        let start = self.at;
        let kind = match self.peek() {
            None => return Err(self.error("a value is missing here", "complete the file: it ends too early")),
            Some('(') => self.parenthesis(None, depth)?,
            Some('[') => self.list(depth)?,
            Some('{' | '\'') => self.other(depth)?,
            Some('"') => self.text()?,
            Some(c) if c.is_ascii_digit() || matches!(c, '+' | '-' | '.') => self.number(),
            Some('r') if self.rest().starts_with("r\"") || self.rest().starts_with("r#") => self.raw_text()?,
            Some(c) if c.is_alphabetic() || c == '_' => {
                let word = self.word();
                let after = self.at;
                self.skip()?;
                if self.peek() == Some('(') {
                    self.parenthesis(Some(word), depth)?
                } else {
                    self.at = after;
                    Kind::Word(word)
                }
            }
            Some(c) => {
                return Err(self.error(format!("`{c}` begins no value"), "write a number, a text, a list or `(…)`"));
            }
        };
        Ok(Node { span: start..self.at, kind })
    }

    fn take_while(&mut self, keep: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let length = rest.find(|c| !keep(c)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    fn word(&mut self) -> String {
        self.take_while(|c| c.is_alphanumeric() || c == '_').to_owned()
    }

    fn number(&mut self) -> Kind {
        self.take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.' | '_'));
        Kind::Number
    }

    fn text(&mut self) -> Result<Kind, SyntaxError> {
        let opened = self.error("this text is never closed", "add the closing quote");
        let mut escaped = false;
        for (i, c) in self.rest().char_indices().skip(1) {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => {
                    self.at += i + 1;
                    return Ok(Kind::Text);
                }
                _ => {}
            }
        }
        Err(opened)
    }

    fn raw_text(&mut self) -> Result<Kind, SyntaxError> {
        let opened =
            self.error("this raw text is never closed", "end it with a quote and as many `#` as it began with");
        self.at += 1;
        let hashes = self.take_while(|c| c == '#');
        let close = format!("\"{hashes}");
        let body = self.rest().strip_prefix('"').ok_or_else(|| opened.clone())?;
        self.at += 1 + body.find(&close).ok_or(opened)? + close.len();
        Ok(Kind::Text)
    }

    /// A map or a character: no part of an experiment, skipped as a whole.
    fn other(&mut self, depth: usize) -> Result<Kind, SyntaxError> {
        if self.peek() == Some('\'') {
            let end = self.rest().char_indices().skip(2).find(|(_, c)| *c == '\'');
            self.at += end.ok_or_else(|| self.error("this character is never closed", "add the closing quote"))?.0 + 1;
            return Ok(Kind::Other);
        }
        self.at += 1;
        loop {
            self.skip()?;
            match self.peek() {
                Some('}') => {
                    self.at += 1;
                    return Ok(Kind::Other);
                }
                Some(',' | ':') => self.at += 1,
                _ => drop(self.value(depth + 1)?),
            }
        }
    }

    fn list(&mut self, depth: usize) -> Result<Kind, SyntaxError> {
        self.at += 1;
        let mut items = Vec::new();
        loop {
            self.skip()?;
            if self.peek() == Some(']') {
                self.at += 1;
                return Ok(Kind::List(items));
            }
            items.push(self.value(depth + 1)?);
            self.separator(']')?;
        }
    }

    fn parenthesis(&mut self, name: Option<String>, depth: usize) -> Result<Kind, SyntaxError> {
        self.at += 1;
        let open = self.at;
        let (mut entries, mut items) = (Vec::new(), Vec::new());
        loop {
            self.skip()?;
            if self.peek() == Some(')') {
                self.at += 1;
                break;
            }
            if let Some((field, name_span)) = self.field_name()? {
                if !items.is_empty() {
                    return Err(self.error("a named field follows a value without a name", "name every field"));
                }
                let value = self.value(depth + 1)?;
                entries.push(Field { name: field, name_span, value });
            } else if entries.is_empty() {
                items.push(self.value(depth + 1)?);
            } else {
                return Err(self.error("a field's name is missing here", "write `name: value`"));
            }
            self.separator(')')?;
        }
        Ok(if items.is_empty() { Kind::Fields(Fields { name, open, entries }) } else { Kind::Tuple(name, items) })
    }

    /// `name:`, or nothing at all.
    fn field_name(&mut self) -> Result<Option<(String, Range<usize>)>, SyntaxError> {
        let start = self.at;
        let name = self.word();
        let name_span = start..self.at;
        self.skip()?;
        if !name.is_empty() && self.peek() == Some(':') {
            self.at += 1;
            self.skip()?;
            return Ok(Some((name, name_span)));
        }
        self.at = start;
        Ok(None)
    }

    fn separator(&mut self, close: char) -> Result<(), SyntaxError> {
        self.skip()?;
        match self.peek() {
            Some(',') => {
                self.at += 1;
                Ok(())
            }
            Some(c) if c == close => Ok(()),
            Some(c) => {
                Err(self.error(format!("expected `,` or `{close}`, found `{c}`"), "separate the entries by commas"))
            }
            None => Err(self.error(format!("`{close}` is missing: the file ends here"), "close every parenthesis")),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::{Kind, scan};

    #[test]
    fn paths_lead_to_spans() {
        let text = "// a comment\n(\n  name: \"x\", /* nested /* one */ */\n  stages: [\n    (steps: 1), (steps: 0x10, o: \
                    sigmoid(beta: .1)),\n  ],\n)";
        let tree = scan(text).unwrap();
        let at = |path: &str| &text[tree.nearest(path).span.clone()];
        assert_eq!(at("name"), "\"x\"");
        assert_eq!(at("stages[1].steps"), "0x10");
        assert_eq!(at("stages[1].o.beta"), ".1");
        assert_eq!(at("stages[0].absent"), "(steps: 1)", "the nearest node above");
    }

    #[test]
    fn every_kind_of_value_is_skipped_as_a_whole() {
        let text = r####"#![enable(implicit_some)] Name(a: r#"q " ) "#, b: 'x', c: {"k": [1, (2)]}, d: "\" )", e: (1, -2.5e-3), f: word)"####;
        let tree = scan(text).unwrap();
        let Kind::Fields(fields) = &tree.kind else { panic!("a struct") };
        assert_eq!(fields.name.as_deref(), Some("Name"));
        assert_eq!(fields.entries.iter().map(|f| f.name.as_str()).collect::<String>(), "abcdef");
        assert_eq!(&text[tree.nearest("e[1]").span.clone()], "-2.5e-3");
    }

    #[test]
    fn broken_texts_say_where() {
        for (text, at, word) in [
            ("(a: 1 b: 2)", 6, "expected `,`"),
            ("(a: \"x", 4, "never closed"),
            ("(a: 1", 5, "missing"),
            ("/* /* */", 0, "never closed"),
            ("(a: ,)", 4, "begins no value"),
            ("() ()", 3, "after the end"),
            ("", 0, "ends too early"),
        ] {
            let error = scan(text).unwrap_err();
            assert_eq!(error.at, at, "{text}");
            assert!(format!("{} {}", error.problem, error.advice).contains(word), "{text}: {error:?}");
        }
        assert!(scan(&"[".repeat(100_000)).is_err(), "deep nesting ends in an error, not in a stack overflow");
    }
}

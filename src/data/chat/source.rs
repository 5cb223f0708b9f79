//! Templates as they are written for Jinja2, made into what the engine here reads alike: line ends, `{% generation %}`, and
//! `%` between a text and what is put into it.

use std::borrow::Cow;

use super::pitfalls::mended;
use super::tokens::{text_length, tokens};

/// The filter that stands for the operator `%`.
pub(super) const PERCENT: &str = "ldyn_percent";
/// What a message says, by its name.
const CONTENT: &str = "content";
/// Words of an expression that are no operand.
const KEYWORDS: [&str; 10] = ["and", "or", "not", "in", "is", "if", "else", "elif", "for", "recursive"];

/// The template as the engine reads it.
///
/// # Errors
/// With the line: what the engine would silently read otherwise.
pub(super) fn adapted(source: &str) -> Result<String, (usize, String)> {
    // Jinja2 takes every kind of line end for the same.
    let source = source.replace("\r\n", "\n").replace('\r', "\n");
    let mut out = String::with_capacity(source.len());
    let mut rest = source.as_str();
    while let Some(at) = rest.find('{') {
        let (before, tag) = rest.split_at(at);
        out.push_str(before);
        let length = match tag.as_bytes().get(1) {
            Some(b'#') => tag.find("#}").map_or(tag.len(), |end| end + 2),
            Some(b'{') => inside(tag, "}}"),
            Some(b'%') => inside(tag, "%}"),
            _ => {
                out.push('{');
                rest = &tag[1..];
                continue;
            }
        };
        let (tag, after) = tag.split_at(length);
        rest = after;
        let tag = if tag.starts_with("{#") {
            Cow::Borrowed(tag)
        } else {
            let mended = mended(tag).map_err(|problem| (1 + out.matches('\n').count(), problem))?;
            Cow::Owned(with_escapes(&mended).into_owned())
        };
        let tag = tag.as_ref();
        match word(tag) {
            "generation" => out.push_str(&tag.replacen("generation", "if true", 1)),
            "endgeneration" => out.push_str(&tag.replacen("endgeneration", "endif", 1)),
            "raw" if tag.starts_with("{%") => {
                let end = raw_end(rest);
                // A line break behind it stays in Jinja2.
                match tag.strip_suffix("%}").filter(|tag| !tag.ends_with(['-', '+'])) {
                    Some(tag) => out.extend([tag, "+%}"]),
                    None => out.push_str(tag),
                }
                out.push_str(&rest[..end]);
                rest = &rest[end..];
            }
            _ if tag.starts_with("{#") || !tag[2..tag.len().saturating_sub(2).max(2)].contains('%') => {
                out.push_str(tag)
            }
            _ => out.push_str(&with_percent(tag)),
        }
    }
    Ok(out + rest)
}

/// Whether a template goes through the parts of a message's content. One that does not is given their text.
pub(super) fn reads_parts(source: &str) -> bool {
    // Variables may stand for it.
    let mut names = Vec::new();
    source.match_indices("{%").any(|(at, _)| {
        let tag = &source[at..];
        let tag = &tag[..inside(tag, "%}")];
        match word(tag) {
            "for" => tag
                .split_once(" in ")
                .is_some_and(|(_, items)| words(items).any(|word| word.contains(CONTENT) || names.contains(&word))),
            "set" => {
                if let Some((name, value)) = tag.split_once('=')
                    && words(value).last() == Some(CONTENT)
                {
                    names.extend(words(name).nth(1));
                }
                false
            }
            _ => false,
        }
    })
}

/// The words of an expression, those in quotes too.
fn words(expression: &str) -> impl Iterator<Item = &str> {
    expression.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

/// The first word of a statement; nothing for an expression or a comment.
fn word(tag: &str) -> &str {
    let Some(statement) = tag.strip_prefix("{%") else { return "" };
    let statement = statement.trim_start_matches(['-', '+']).trim_start();
    let end = statement.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(statement.len());
    &statement[..end]
}

/// The end of raw text, in bytes: the statement that ends it.
fn raw_end(text: &str) -> usize {
    let ends = text.match_indices("{%").find(|&(at, _)| word(&text[at..]) == "endraw");
    ends.map_or(text.len(), |(at, _)| at)
}

/// The length of a tag with its closing, which counts neither in a text nor in brackets.
fn inside(tag: &str, closing: &str) -> usize {
    let bytes = tag.as_bytes();
    let (mut at, mut depth) = (2, 0_usize);
    while at < bytes.len() {
        match bytes[at] {
            quote @ (b'"' | b'\'') => at += text_length(&bytes[at..], quote) - 1,
            _ if depth == 0 && bytes[at..].starts_with(closing.as_bytes()) => return at + 2,
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

/// A tag whose texts are escaped in ways that the engine reads as Python does.
fn with_escapes(tag: &str) -> Cow<'_, str> {
    if !tag.contains('\\') {
        return Cow::Borrowed(tag);
    }
    let (mut out, mut rest) = (String::with_capacity(tag.len()), tag);
    while let Some(at) = rest.find(['"', '\'']) {
        let quote = rest.as_bytes()[at];
        let (before, text) = rest.split_at(at);
        let (text, after) = text.split_at(text_length(text.as_bytes(), quote));
        out.push_str(before);
        escapes(&mut out, text);
        rest = after;
    }
    Cow::Owned(out + rest)
}

/// A text in quotes, its escapes spelled as the engine reads them.
fn escapes(out: &mut String, text: &str) {
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        let Some(c) = after.chars().next() else {
            out.push('\\');
            return;
        };
        let mut length = c.len_utf8();
        match c {
            'a' => out.push_str("\\u0007"),
            'v' => out.push_str("\\u000b"),
            // A line that goes on.
            '\n' => {}
            // No escape in Python.
            '/' => out.push_str("\\\\/"),
            'U' => {
                let digits = after.get(1..9).and_then(|digits| u32::from_str_radix(digits, 16).ok());
                match digits.and_then(char::from_u32) {
                    Some(c) => {
                        let mut units = [0; 2];
                        out.extend(c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
                        length = 9;
                    }
                    None => out.push_str("\\U"),
                }
            }
            _ => {
                out.push('\\');
                out.push(c);
            }
        }
        rest = &after[length..];
    }
    out.push_str(rest);
}

/// A tag with the filter in the place of the operator.
fn with_percent(tag: &str) -> String {
    let body = &tag[2..tag.len() - 2];
    let marks = |c: char| c == '-' || c == '+';
    let (opening, body) = body.split_at(body.len() - body.trim_start_matches(marks).len());
    let (body, closing) = body.split_at(body.trim_end_matches(marks).len());
    let mut reader = Reader { tokens: tokens(body), at: 0, unclosed: false };
    let rewritten = reader.sequence(None);
    if reader.unclosed || reader.at < reader.tokens.len() {
        // Brackets that do not match: the engine says what is wrong.
        return tag.to_owned();
    }
    format!("{}{opening}{rewritten}{closing}{}", &tag[..2], &tag[tag.len() - 2..])
}

/// Reads an expression by Jinja2's precedence, as far as `%` asks for it.
struct Reader<'a> {
    tokens: Vec<&'a str>,
    at: usize,
    /// Whether a bracket was not closed.
    unclosed: bool,
}

impl<'a> Reader<'a> {
    /// The next token that is no white space, and where it is.
    fn peek(&self) -> Option<(usize, &'a str)> {
        let blank = |token: &&str| token.starts_with(char::is_whitespace);
        let at = self.at + self.tokens[self.at..].iter().take_while(|token| blank(token)).count();
        Some((at, *self.tokens.get(at)?))
    }

    /// Everything up to the token at `end`, that one included.
    fn take(&mut self, end: usize) -> String {
        let taken = self.tokens[self.at..=end].concat();
        self.at = end + 1;
        taken
    }

    /// Operands and what stands between them, up to the bracket that closes.
    fn sequence(&mut self, closing: Option<&str>) -> String {
        let (mut out, mut after_operand) = (String::new(), false);
        while let Some((at, token)) = self.peek() {
            if Some(token) == closing {
                return out + &self.take(at);
            }
            if matches!(token, ")" | "]" | "}") {
                return out;
            }
            let signed = matches!(token, "+" | "-") && !after_operand;
            if signed || is_operand(token) {
                out += &self.product();
                after_operand = true;
            } else {
                out += &self.take(at);
                after_operand = false;
            }
        }
        out += &self.tokens[self.at..].concat();
        self.at = self.tokens.len();
        self.unclosed |= closing.is_some();
        out
    }

    /// Factors.
    fn product(&mut self) -> String {
        let mut left = self.factor();
        while let Some((at, token)) = self.peek() {
            match token {
                "*" | "/" | "//" => {
                    left += &self.take(at);
                    left += &self.factor();
                }
                "%" => {
                    self.at = at + 1;
                    let right = self.factor();
                    left = format!(" (({left})|{PERCENT}({right}))");
                }
                _ => break,
            }
        }
        left
    }

    /// An operand with its sign, what is asked of it, and its powers.
    fn factor(&mut self) -> String {
        let mut out = String::new();
        while let Some((at, "+" | "-")) = self.peek() {
            out += &self.take(at);
        }
        let Some((at, token)) = self.peek() else { return out };
        if !is_operand(token) {
            return out;
        }
        out += &self.operand(at);
        while let Some((at, token)) = self.peek() {
            match token {
                "." | "|" => {
                    out += &self.take(at);
                    out += &self.peek().map(|(at, _)| self.take(at)).unwrap_or_default();
                }
                "(" | "[" => out += &self.operand(at),
                "is" => {
                    out += &self.take(at);
                    if let Some((at, "not")) = self.peek() {
                        out += &self.take(at);
                    }
                    out += &self.peek().map(|(at, _)| self.take(at)).unwrap_or_default();
                    // What the test is given, without brackets.
                    if let Some((at, token)) = self.peek()
                        && token != "("
                        && token != "["
                        && is_operand(token)
                    {
                        out += &self.operand(at);
                    }
                }
                "**" => {
                    out += &self.take(at);
                    out += &self.factor();
                }
                _ => break,
            }
        }
        out
    }

    /// A word, a number, texts in a row, or what stands in brackets.
    fn operand(&mut self, at: usize) -> String {
        let token = self.tokens[at];
        let mut out = self.take(at);
        match token {
            "(" => out += &self.sequence(Some(")")),
            "[" => out += &self.sequence(Some("]")),
            "{" => out += &self.sequence(Some("}")),
            _ if token.starts_with(['"', '\'']) => {
                while let Some((at, token)) = self.peek()
                    && token.starts_with(['"', '\''])
                {
                    out += &self.take(at);
                }
            }
            _ => {}
        }
        out
    }
}

fn is_operand(token: &str) -> bool {
    let word = token.starts_with(|c: char| c.is_alphanumeric() || c == '_' || c == '"' || c == '\'');
    (word && !KEYWORDS.contains(&token)) || matches!(token, "(" | "[" | "{")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::{adapted, reads_parts};

    #[test]
    fn a_template_that_goes_through_parts_is_told_from_one_that_does_not() {
        for goes in [
            "{% for part in m['content'] %}",
            "{%- for x in message.content if x.type == 'text' -%}",
            "{% set c = m['content'] %}{% for p in c %}",
        ] {
            assert!(reads_parts(goes), "{goes}");
        }
        for does_not in [
            "{% for m in messages %}{{ m.content }}{% endfor %}",
            "{% if m.content is string %}",
            "{% set c = m.content | trim %}{% for p in c %}",
        ] {
            assert!(!reads_parts(does_not), "{does_not}");
        }
    }

    #[test]
    fn what_jinja2_reads_alike_is_written_alike() {
        for (source, expected) in [
            ("a\r\nb\rc", "a\nb\nc"),
            ("{%- generation %}x{% endgeneration -%}", "{%- if true %}x{% endif -%}"),
            ("{{ '{% generation %}' }}", "{{ '{% generation %}' }}"),
            ("{# {% generation %} #}{ {", "{# {% generation %} #}{ {"),
            ("{% raw %}{% generation %} %{% endraw %}", "{% raw +%}{% generation %} %{% endraw %}"),
            (r#"{{ "\/\a\d\\v" ~ '\U0001F600' }} \a"#, r#"{{ "\\/\u0007\d\\v" ~ '\ud83d\ude00' }} \a"#),
            ("{{ 'a\\\nb' }}", "{{ 'ab' }}"),
            ("{{ {'a': {'b': '}}'}} }}", "{{ {'a': {'b': '}}'}} }}"),
            ("{{- 'a %s' % x -}}", "{{-  (( 'a %s')|ldyn_percent( x)) -}}"),
            ("{% if 1 + a.b[0] * 3 % n|int is odd %}", "{% if 1 +  (( a.b[0] * 3)|ldyn_percent( n|int is odd)) %}"),
            ("{{ f(a % b, '%') % (c, d) }}", "{{ (( f( ((a)|ldyn_percent( b)), '%'))|ldyn_percent( (c, d))) }}"),
            ("{{ a % (b }}", "{{ a % (b }}"),
            ("{{ unclosed % ", "{{ unclosed % "),
        ] {
            let squeezed = |text: &str| text.split(' ').filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
            assert_eq!(squeezed(&adapted(source).unwrap()), squeezed(expected), "{source}");
        }
    }
}

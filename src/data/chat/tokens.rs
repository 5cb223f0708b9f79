//! The tokens of a template's expressions.

/// The pieces of an expression: each is white space, a text, a word or number, or an operator.
pub(super) fn tokens(mut body: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    while let Some(first) = body.chars().next() {
        let run = |is: fn(char) -> bool| body.find(|c: char| !is(c)).unwrap_or(body.len());
        let length = match first {
            '"' | '\'' => text_length(body.as_bytes(), first as u8),
            _ if first.is_whitespace() => run(char::is_whitespace),
            _ if first.is_alphanumeric() || first == '_' => run(|c| c.is_alphanumeric() || c == '_'),
            _ if ["**", "//", "==", "!=", "<=", ">="].iter().any(|two| body.starts_with(two)) => 2,
            _ => first.len_utf8(),
        };
        let (token, rest) = body.split_at(length);
        tokens.push(token);
        body = rest;
    }
    tokens
}

/// The length of a text in quotes, both of them included.
pub(super) fn text_length(bytes: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 1,
            byte if byte == quote => return at + 1,
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

//! Source text as the compiler would see it outside tests: without comments, strings and what is `#[cfg(test)]`.

/// The code of a file: comments are gone, strings and characters are empty, and items that only tests compile are cut.
pub(super) fn code_of(text: &str) -> String {
    without_tests(&without_strings(text))
}

fn without_strings(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if let Some(length) = raw_string(rest).filter(|_| !code.ends_with(is_word)) {
            code.push_str("\"\"");
            length
        } else if c == '"' {
            code.push_str("\"\"");
            quoted(rest, '"')
        } else if let Some(length) = character(rest) {
            code.push_str("' '");
            length
        } else {
            code.push(c);
            c.len_utf8()
        };
        rest = &rest[length..];
    }
    code
}

/// Whether the character may be part of a name.
pub(super) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Bytes of the raw string that the text begins with.
fn raw_string(text: &str) -> Option<usize> {
    let hashes = text.strip_prefix('b').unwrap_or(text).strip_prefix('r')?;
    let inside = hashes.trim_start_matches('#').strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes.len() - inside.len() - 1));
    Some(text.len() - inside.len() + inside.find(&end)? + end.len())
}

/// Bytes of what stands between two of the same quotes, escapes understood.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        if c == quote && !escaped {
            return at + c.len_utf8();
        }
        escaped = c == '\\' && !escaped;
    }
    text.len()
}

/// Bytes of the character that the text begins with; a lifetime is none.
fn character(text: &str) -> Option<usize> {
    let inside = text.strip_prefix('\'')?;
    let first = inside.chars().next()?;
    let closed = first == '\\' || inside[first.len_utf8()..].starts_with('\'');
    closed.then(|| quoted(text, '\''))
}

/// Cuts every item that is marked as compiled for tests alone.
fn without_tests(code: &str) -> String {
    let mut kept = String::with_capacity(code.len());
    let mut rest = code;
    let marks = ["#[cfg(test", "#[cfg(all(test"];
    while let Some(at) = marks.iter().filter_map(|mark| rest.find(mark)).min() {
        kept.push_str(&rest[..at]);
        let item = &rest[at..];
        let body = item.find(']').map_or(item.len(), |end| end + 1);
        rest = &item[body + end_of_item(&item[body..])..];
    }
    kept + rest
}

/// Bytes up to the end of the item that the code begins with: its last brace, or its semicolon.
fn end_of_item(code: &str) -> usize {
    let mut depth = 0;
    for (at, c) in code.char_indices() {
        match c {
            '{' | '(' | '[' => depth += 1,
            '}' | ')' | ']' => depth -= 1,
            _ => {}
        }
        if depth == 0 && matches!(c, ';' | '}') {
            return at + 1;
        }
    }
    code.len()
}

#[test]
fn comments_strings_and_tests_are_no_code() {
    let code = |text: &str| code_of(text).split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(code("a // b\n/* c */ d \"e \\\" f\" 'g' '\\'' b'h'"), "a d \"\" ' ' ' ' b' '");
    assert_eq!(code("x r#\"y \" z\"# for<'a> &'a u"), "x \"\" for<'a> &'a u");
    assert_eq!(code("#[cfg(test)]\nmod tests {\n fn f() {}\n}\nfn g() {}"), "fn g() {}");
    assert_eq!(code("#[cfg(all(test, feature = \"x\"))]\nuse a::b;\n#[cfg(test)]\nmod tests;\nuse c;"), "use c;");
}

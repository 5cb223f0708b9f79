//! An allow-list of what the program may write to a terminal. Everything else in its output is somebody else's.

use ldyn_tui::Shown;

/// Private modes that the dashboard switches: alternate screen, cursor, mouse, focus, paste, wrap, synchronised update.
const MODES: [&str; 14] =
    ["1049", "25", "1000", "1002", "1003", "1004", "1005", "1006", "1015", "2004", "7", "12", "2026", "1"];

/// Takes away the sequences that the program emits; returns the rest, as text.
///
/// # Panics
/// On any sequence that is not on the list: that is the test.
pub fn without_ours(bytes: &[u8]) -> String {
    let text = std::str::from_utf8(bytes).expect("the program writes UTF-8: no raw C1 byte");
    let mut rest = text;
    let mut plain = String::new();
    while let Some(at) = rest.find('\u{1b}') {
        plain.push_str(&rest[..at]);
        let sequence = &rest[at..];
        let length = ours(sequence);
        assert!(length > 0, "not a sequence of ours: {:?}", sequence.chars().take(24).collect::<String>());
        rest = &sequence[length..];
    }
    plain.push_str(rest);
    plain
}

/// Asserts that what is left would all be drawn, and nothing acted upon.
pub fn assert_harmless(bytes: &[u8]) {
    let plain = without_ours(bytes);
    for line in plain.split(['\r', '\n']) {
        assert_eq!(Shown::new(line).as_str(), line, "hidden characters reached the terminal");
    }
}

/// Whether a colour is set anywhere.
pub fn colours(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    text.split('\u{1b}')
        .filter_map(|s| s.strip_prefix('[')?.split_once('m'))
        .map(|(parameters, _)| parameters)
        .filter(|p| p.chars().all(|c| c.is_ascii_digit() || c == ';' || c == ':'))
        .filter(|p| {
            p.split([';', ':']).any(|n| matches!(n.parse(), Ok(30_u16..=38 | 40..=48 | 58 | 90..=97 | 100..=107)))
        })
        .map(str::to_owned)
        .collect()
}

/// Length of the sequence of ours that the text begins with; 0 where it is none.
fn ours(text: &str) -> usize {
    let body = &text[1..];
    match body.chars().next() {
        Some('[') => control_sequence(body).map_or(0, |n| 1 + n),
        // Save and restore the cursor.
        Some('7' | '8') => 2,
        Some(']') => title(body).map_or(0, |n| 1 + n),
        _ => 0,
    }
}

/// `[ parameters final`
fn control_sequence(body: &str) -> Option<usize> {
    let end = body[1..].find(|c: char| !matches!(c, '0'..='9' | ';' | ':' | '?'))?;
    let (parameters, last) = (&body[1..1 + end], body[1 + end..].chars().next());
    let plain = parameters.chars().all(|c| c.is_ascii_digit() || matches!(c, ';' | ':'));
    let allowed = match last {
        Some('m' | 'H' | 'J' | 'K' | 'A' | 'B' | 'C' | 'D' | 'G' | 'd') => plain,
        Some('h' | 'l') => parameters.strip_prefix('?').is_some_and(|p| p.split(';').all(|mode| MODES.contains(&mode))),
        _ => false,
    };
    allowed.then_some(end + 2)
}

/// `]0;title BEL`, or `]2;…`: a window title, itself displayable.
fn title(body: &str) -> Option<usize> {
    let text = body.strip_prefix("]0;").or_else(|| body.strip_prefix("]2;"))?;
    let end = text.find(['\u{7}', '\u{1b}'])?;
    let terminator = if text[end..].starts_with('\u{7}') { 1 } else { 2 };
    (Shown::new(&text[..end]).as_str() == &text[..end]).then_some(3 + end + terminator)
}

#[test]
fn the_list_lets_ours_pass_and_nothing_else() {
    assert_eq!(without_ours(b"\x1b[?1049h\x1b[1;38;2;1;2;3mhi\x1b[0m\x1b[12;40H!\x1b[?25l\x1b]0;ldyn\x07"), "hi!");
    for bad in
        ["\x1b]52;c;AAAA\x07", "\x1b[6n", "\x1bP1$q\x1b\\", "\x1b[?9999h", "\x1b]0;a\u{202e}b\x07", "\x1bc", "\x1b"]
    {
        assert!(std::panic::catch_unwind(|| without_ours(bad.as_bytes())).is_err(), "{bad:?}");
    }
    assert!(std::panic::catch_unwind(|| assert_harmless("a\u{200b}".as_bytes())).is_err());
    assert!(std::panic::catch_unwind(|| assert_harmless(b"\x07")).is_err());
    assert_harmless("漢字 é ⏎\r\nplain".as_bytes());
    assert_eq!(colours(b"\x1b[1m\x1b[0m\x1b[7;31mx\x1b[38;5;1m"), ["7;31", "38;5;1"]);
}

//! The words of a lesson: `{name}` stands for a fact, `{=8}` for what is no fact.

use unicode_width::UnicodeWidthStr as _;

use crate::history::CurveId;
use crate::protocol::ProbeKind;
use crate::text::{Shown, broken};

/// Lines that a step's text may take.
pub const TEXT_LINES: usize = 3;
/// Columns that they are counted in: a screen of 80 less the frame.
pub const TEXT_WIDTH: usize = 76;

/// The curve of a key.
///
/// # Errors
/// In words, when there is none.
pub fn curve_named(key: &str) -> Result<CurveId, String> {
    CurveId::all().find(|curve| curve.key() == key).ok_or_else(|| {
        let known: Vec<&str> = ProbeKind::KEYS.iter().copied().chain(["argmax_chosen", "argmax_rejected"]).collect();
        let near = known.iter().find(|known| crate::experiment::is_slip(key, known));
        match near {
            Some(near) => format!("there is no curve `{key}`: did you mean `{near}`?"),
            None => format!("there is no curve `{key}`; there are {}", known.join(", ")),
        }
    })
}

/// The text with its facts in words.
///
/// # Errors
/// In words, when a brace does not close, a fact cannot be had, or a number stands in the text that is no fact.
pub(super) fn filled(text: &str, fact: impl Fn(&str) -> Result<String, String>) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(open) = rest.find(['{', '}']) {
        plain(&rest[..open])?;
        out.push_str(&rest[..open]);
        let inside = rest[open..].strip_prefix('{').ok_or("`}` closes nothing; a fact is written `{name}`")?;
        let close = inside.find('}').ok_or("`{` is never closed; a fact is written `{name}`")?;
        let name = inside[..close].trim();
        match name.strip_prefix('=') {
            Some(literal) => out.push_str(literal),
            None => out.push_str(&fact(name)?),
        }
        rest = &inside[close + 1..];
    }
    plain(rest)?;
    out.push_str(rest);
    Ok(Shown::new(&out.split_whitespace().collect::<Vec<_>>().join(" ")).to_string())
}

/// That no number stands in a text unmeasured.
fn plain(text: &str) -> Result<(), String> {
    match text.find(|c: char| c.is_ascii_digit()) {
        None => Ok(()),
        Some(at) => {
            let number: String = text[at..].chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
            let number = number.trim_end_matches('.');
            Err(format!(
                "the number {number} stands in the text as if it were known; measure it as a fact and write its name in \
                 braces, or write {{={number}}} where it is no result"
            ))
        }
    }
}

/// Lines that a text takes.
pub(super) fn lines(text: &str) -> usize {
    let widths: Vec<usize> = text.split_whitespace().map(|word| word.width()).collect();
    broken(&widths, TEXT_WIDTH).len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_written_in_and_bare_numbers_are_refused() {
        let fact =
            |name: &str| if name == "fell" { Ok("fell by 6.7 nats".to_owned()) } else { Err("no fact".to_owned()) };
        assert_eq!(filled("y⁺ {fell},\n   of {=64}.", fact).as_deref(), Ok("y⁺ fell by 6.7 nats, of 64."));
        for (text, says) in [
            ("y⁺ fell by 6.7.", "the number 6.7 stands"),
            ("{rose}", "no fact"),
            ("{fell", "never closed"),
            ("fell}", "closes nothing"),
        ] {
            let refused = filled(text, fact).unwrap_err();
            assert!(refused.contains(says), "{text}: {refused}");
        }
        assert!(filled("\u{202e}{=\u{1b}}", fact).is_ok_and(|text| text == "<U+202E><U+001B>"));
    }

    #[test]
    fn curves_are_called_by_their_keys() {
        assert_eq!(curve_named("argmax_chosen"), Ok(CurveId::ArgmaxChosen));
        assert!(curve_named("chosn").unwrap_err().contains("did you mean `chosen`?"));
    }
}

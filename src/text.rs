//! Text that is safe to show. Prompts, data, tokens and model output are untrusted: an escape sequence in them could
//! write the clipboard or answer on stdin, a bidi override could reorder the screen. [`Shown`] is the one door through
//! which raw text reaches a terminal, a log, an error, a file name or a window title: it SHOWS what would be hidden.

use std::fmt;
use std::ops::Range;

use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// Text in which every control, format, surrogate, private-use or unassigned character and every line separator is
/// spelled out (`<U+202E>`), so that it can be written anywhere. Line breaks become `⏎`, tabs `⇥`. Of more combining marks
/// on one character than any script uses, the first few stay and the others are counted (`<292 marks>`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Shown(String);

/// Combining marks kept on one character. Scripts use up to four; stacks of hundreds draw over the lines around.
const MARKS: usize = 8;

impl Shown {
    /// Makes raw text displayable on one line.
    pub fn new(raw: &str) -> Self {
        let mut out = String::with_capacity(raw.len());
        let mut marks = 0;
        for c in raw.chars() {
            if is_mark(c) {
                marks += 1;
                if marks > MARKS {
                    continue;
                }
            } else {
                count(&mut out, &mut marks);
            }
            match c {
                '\n' => out.push('⏎'),
                '\t' => out.push('⇥'),
                c if is_hidden(c) => out.push_str(&format!("<U+{:04X}>", u32::from(c))),
                c => out.push(c),
            }
        }
        count(&mut out, &mut marks);
        Self(out)
    }

    /// The displayable text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Ends a run of so many combining marks: tells how many of them are not shown.
fn count(out: &mut String, marks: &mut usize) {
    if let Some(hidden @ 1..) = std::mem::take(marks).checked_sub(MARKS) {
        out.push_str(&format!("<{hidden} mark{}>", if hidden == 1 { "" } else { "s" }));
    }
}

/// Whether the character is drawn over the one before it and takes no column of its own.
fn is_mark(c: char) -> bool {
    use GeneralCategory as G;
    matches!(c.general_category(), G::NonspacingMark | G::EnclosingMark) && !is_hidden(c)
}

/// Whether a terminal would act on the character, or show nothing, instead of drawing it.
fn is_hidden(c: char) -> bool {
    use GeneralCategory as G;
    matches!(
        c.general_category(),
        G::Control
            | G::Format
            | G::Surrogate
            | G::PrivateUse
            | G::Unassigned
            | G::LineSeparator
            | G::ParagraphSeparator
    ) || ('\u{FE00}'..='\u{FE0F}').contains(&c)
        || ('\u{E0100}'..='\u{E01EF}').contains(&c)
        || matches!(c, '\u{034F}' | '\u{115F}' | '\u{1160}' | '\u{3164}' | '\u{FFA0}' | '\u{17B4}' | '\u{17B5}')
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl AsRef<str> for Shown {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// The text in at most `width` columns; what does not fit ends in `…`.
pub fn fit(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut used = 1;
    for c in text.chars() {
        let w = c.width().unwrap_or(0);
        if used + w > width {
            break;
        }
        used += w;
        out.push(c);
    }
    if width > 0 {
        out.push('…');
    }
    out
}

/// Words of these widths, a space between two, broken into lines of at most `width` columns: which words each line has. A
/// word that is wider has a line of its own.
pub fn broken(widths: &[usize], width: usize) -> Vec<Range<usize>> {
    let mut lines: Vec<Range<usize>> = Vec::new();
    let mut used = 0;
    for (word, &wide) in widths.iter().enumerate() {
        match lines.last_mut() {
            Some(line) if used + 1 + wide <= width => {
                line.end = word + 1;
                used += 1 + wide;
            }
            _ => {
                lines.push(word..word + 1);
                used = wide;
            }
        }
    }
    lines
}

/// A number as text, with a minus sign in the place of its first hyphen.
pub fn minus(number: &str) -> String {
    number.replacen('-', "−", 1)
}

/// A number of bytes in decimal units: `98.4 MB`.
#[allow(clippy::cast_precision_loss, reason = "rounded to a tenth")]
pub fn bytes(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        1_000_000_000..1_000_000_000_000 => format!("{:.1} GB", bytes as f64 / 1e9),
        _ => format!("{:.1} TB", bytes as f64 / 1e12),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Shown, broken, bytes, fit, is_hidden};

    proptest! {
        #[test]
        fn nothing_hidden_comes_out_and_once_is_enough(raw in any::<Vec<char>>()) {
            let raw: String = raw.into_iter().collect();
            let shown = Shown::new(&raw);
            prop_assert!(!shown.as_str().chars().any(|c| is_hidden(c) || c.is_control()), "{:?}", shown);
            prop_assert_eq!(Shown::new(shown.as_str()), shown);
        }

        #[test]
        fn every_low_plane_character_is_shown_or_kept(code in 0u32..0x3000) {
            if let Some(c) = char::from_u32(code) {
                let shown = Shown::new(&c.to_string());
                prop_assert!(!shown.as_str().is_empty());
                prop_assert_eq!(shown.as_str() == c.to_string(), !is_hidden(c) && !matches!(c, '\n' | '\t'));
            }
        }

        #[test]
        fn plain_text_is_unchanged(raw in "[ -~äé漢字⁺⁻Δπ]{0,60}") {
            prop_assert_eq!(Shown::new(&raw).to_string(), raw);
        }
    }

    #[test]
    fn a_stack_of_marks_is_cut_and_counted() {
        let stack = |n: usize| format!("e{}x", "\u{301}".repeat(n));
        assert_eq!(Shown::new(&stack(8)).as_str(), stack(8));
        let shown = Shown::new(&stack(300));
        assert_eq!(shown.as_str(), format!("e{}<292 marks>x", "\u{301}".repeat(8)));
        assert_eq!(Shown::new(&"\u{489}".repeat(9)).as_str(), format!("{}<1 mark>", "\u{489}".repeat(8)));
        assert_eq!(Shown::new("กำ็็").as_str(), "กำ็็");
    }

    #[test]
    fn hidden_characters_are_spelled_out() {
        for (raw, shown) in [
            ("plain é 漢字 y⁺", "plain é 漢字 y⁺"),
            ("\u{1b}]52;c;AAAA\u{7}", "<U+001B>]52;c;AAAA<U+0007>"),
            ("a\u{9b}6n", "a<U+009B>6n"),
            ("\u{202e}evil\u{200b}", "<U+202E>evil<U+200B>"),
            ("one\ntwo\tthree\r", "one⏎two⇥three<U+000D>"),
            ("\u{2028}\u{feff}\u{e000}", "<U+2028><U+FEFF><U+E000>"),
            ("\u{fe0f}\u{e0101}\u{3164}\u{115f}", "<U+FE0F><U+E0101><U+3164><U+115F>"),
            ("\u{200d}\u{ad}\u{2066}\u{e0041}", "<U+200D><U+00AD><U+2066><U+E0041>"),
        ] {
            assert_eq!(Shown::new(raw).as_str(), shown);
        }
    }

    #[test]
    fn text_fits_in_columns_not_in_bytes() {
        assert_eq!(["漢字漢字", "y⁺ ok"].map(|text| fit(text, 6)), ["漢字…", "y⁺ ok"]);
        assert_eq!([0, 1, 2, 3].map(|width| fit("漢字", width)), ["", "…", "…", "漢…"]);
    }

    #[test]
    fn words_break_where_a_line_is_full() {
        assert_eq!(broken(&[3, 3, 3], 7), [0..2, 2..3]);
        assert_eq!(broken(&[9, 2, 2], 5), [0..1, 1..3]);
        assert_eq!(broken(&[], 5), [0..0; 0]);
    }

    #[test]
    fn bytes_are_told_in_decimal_units() {
        assert_eq!([20, 98_400_000, 2_200_000_000].map(bytes), ["0.0 kB", "98.4 MB", "2.2 GB"]);
        assert_eq!(bytes(3_500_000_000_000), "3.5 TB");
    }
}

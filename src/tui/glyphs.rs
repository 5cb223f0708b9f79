//! Plain stand-ins for glyphs that a terminal may not have, or may draw two columns wide.
//!
//! Everything is drawn with the glyphs of the default first; `settle` then replaces cells, one by one, so that no panel
//! needs to know what the terminal can show.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The glyphs that everything is drawn with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, clap::ValueEnum, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Glyphs {
    /// Curves of 2×4 dots a cell.
    #[default]
    Braille,
    /// Curves of 1×2 half blocks a cell.
    Half,
    /// Curves of one dot a cell.
    Dot,
    /// Braille, and ASCII for what Chinese, Japanese and Korean terminals may draw two columns wide.
    Narrow,
    /// Plain ASCII, and nothing else: y+ is y⁺, d is Δ.
    Ascii,
}

impl Glyphs {
    /// The character as these glyphs draw it.
    pub(in crate::tui) fn glyph(self, c: char) -> char {
        match self {
            Self::Ascii if !c.is_ascii() => ascii(c),
            Self::Narrow if is_ambiguous(c) => ascii(c),
            _ => c,
        }
    }

    /// The text as these glyphs write it.
    pub(in crate::tui) fn text(self, text: &str) -> String {
        text.chars().map(|c| self.glyph(c)).collect()
    }

    /// Whether bars and borders are drawn with ASCII.
    pub(in crate::tui) fn is_plain(self) -> bool {
        matches!(self, Self::Ascii | Self::Narrow)
    }
}

/// Replaces what the glyphs do not hold, cell by cell; a character of two columns becomes two.
pub(in crate::tui) fn settle(glyphs: Glyphs, area: Rect, buf: &mut Buffer) {
    if !glyphs.is_plain() {
        return;
    }
    let area = area.intersection(buf.area);
    for y in area.top()..area.bottom() {
        for x in area.left()..area.right() {
            let symbol = buf[(x, y)].symbol();
            let Some(first) = symbol.chars().next() else { continue };
            let plain = glyphs.glyph(first);
            let marked = glyphs == Glyphs::Ascii && !symbol.is_ascii();
            if plain == first && !marked {
                continue;
            }
            // The second column of a wide character is a cell of its own again.
            if symbol.width() > 1 && x + 1 < area.right() {
                buf[(x + 1, y)].set_char(plain);
            }
            buf[(x, y)].set_char(plain);
        }
    }
}

/// Whether terminals disagree about the width: East Asian Ambiguous (UAX #11), two columns in many Chinese, Japanese and
/// Korean settings. Greek was so until lately, and still is in their fonts.
fn is_ambiguous(c: char) -> bool {
    !c.is_ascii() && (c.width_cjk() != c.width() || matches!(c, 'Α'..='ω'))
}

/// The nearest ASCII character. Markers of curves stay distinct; what has no stand-in becomes `?`.
fn ascii(c: char) -> char {
    match c {
        '★' => '*',
        '☆' => 'x',
        '●' => '@',
        '○' => 'o',
        '◎' => '0',
        '◐' => 'c',
        '◒' => 'u',
        '■' => '#',
        '□' => 'n',
        '▪' => '.',
        '▲' => 'A',
        '△' => '^',
        '▸' | '→' | '⇥' | '≥' => '>',
        '◆' => '&',
        '✕' | '▓' => '%',
        '▼' | '↓' => 'v',
        '←' | '≤' => '<',
        '↑' => '^',
        '•' => '*',
        // Superscripts and subscripts: y⁺ is y+.
        '⁺' | '₊' | '±' => '+',
        '⁻' | '₋' | '−' | '–' | '—' | '·' | '‑' => '-',
        '⁰' | '₀' => '0',
        '¹' | '₁' => '1',
        '²' | '₂' => '2',
        '³' | '₃' => '3',
        '⁴'..='⁹' | '₄'..='₉' => char::from_digit(u32::from(c) & 0xF, 10).unwrap_or('?'),
        'Δ' | 'δ' => 'd',
        'π' => 'p',
        'η' => 'n',
        'τ' => 't',
        'β' => 'b',
        'α' => 'a',
        'λ' => 'l',
        'σ' | 'Σ' => 's',
        'ρ' => 'r',
        '′' | '‘' | '’' => '\'',
        '“' | '”' | '▀' => '"',
        '‖' => '|',
        '×' => 'x',
        '÷' | '⏎' => '/',
        '≈' => '~',
        // No digit: −∞ must not read as a number.
        '∞' => 'I',
        '…' => '.',
        '␣' => '_',
        other => drawn(other),
    }
}

/// Boxes, blocks and braille.
fn drawn(c: char) -> char {
    match c {
        '━' | '┅' | '┉' | '╍' | '═' | '▅' | '▆' => '=',
        '─' | '┄' | '┈' | '╌' | '╴' | '╶' | '▃' | '▄' => '-',
        '│' | '┃' | '┆' | '┇' | '┊' | '┋' | '╎' | '╏' | '║' | '╵' | '╷' | '▌'..='▏' | '▐' => {
            '|'
        }
        '╱' => '/',
        '╲' => '\\',
        '╳' => 'x',
        '\u{2500}'..='\u{257F}' => '+',
        '▁' => '_',
        '▂' | '░' => '.',
        '▒' => ':',
        '▇'..='▋' => '#',
        '\u{2800}' => ' ',
        '\u{2801}'..='\u{28FF}' => '.',
        _ => '?',
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use ratatui::style::Style;

    use super::*;
    use crate::history::CurveId;
    use crate::tui::theme::Theme;

    fn settled(glyphs: Glyphs, text: &str) -> String {
        let mut buf = Buffer::empty(Rect::new(0, 0, 24, 1));
        buf.set_string(0, 0, text, Style::new());
        settle(glyphs, buf.area, &mut buf);
        buf.content.iter().map(|cell| cell.symbol().to_owned()).collect::<String>().trim_end().to_owned()
    }

    #[test]
    fn ascii_keeps_every_column_and_nothing_else() {
        assert_eq!(settled(Glyphs::Ascii, "╭━ Δ y⁺ · y⁻ −3 … ⣿ │"), "+= d y+ - y- -3 . . |");
        assert_eq!(settled(Glyphs::Ascii, "漢字e\u{301}é!"), "????e?!");
        assert_eq!(settled(Glyphs::Ascii, "▁▂▃▅█ ←→↑↓ 10⁴⁻²₇"), "_.-=# <>^v 104-27");
    }

    #[test]
    fn narrow_replaces_only_what_may_be_wide() {
        assert_eq!(settled(Glyphs::Narrow, "╭─ y⁺ 漢字 ⣿ ● → Δ"), "+- y⁺ 漢 字  ⣿ @ > d");
        assert!(!settled(Glyphs::Narrow, "│┤★▄▁…·").chars().any(is_ambiguous));
    }

    #[test]
    fn the_others_change_nothing() {
        for glyphs in [Glyphs::Braille, Glyphs::Half, Glyphs::Dot] {
            assert_eq!(settled(glyphs, "╭─ y⁺ ⣿ ●"), "╭─ y⁺ ⣿ ●");
        }
    }

    #[test]
    fn markers_of_curves_stay_distinct() {
        for glyphs in [Glyphs::Ascii, Glyphs::Narrow] {
            let markers: BTreeSet<char> =
                CurveId::all().map(|c| glyphs.glyph(Theme::default().curve(c).marker)).collect();
            assert_eq!(markers.len(), CurveId::all().count(), "{glyphs:?}");
        }
    }
}

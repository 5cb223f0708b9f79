//! The terminal as the environment describes it: how many colours it has, which glyphs, and whether it can show a screen at
//! all. Everything here is a function of the variables, which the caller reads.

use super::glyphs::Glyphs;
use super::theme::{ColorDepth, Theme, ThemeKind};

/// Why there is no screen on a terminal that only prints, and what is needed.
pub const DUMB: &str = "TERM=dumb is a terminal that only prints; the screen needs one that moves its cursor, as \
                        TERM=xterm-256color does";

/// Whether the terminal can show a screen: one that moves its cursor. `TERM=dumb` says that it only prints.
pub fn can_draw(var: impl Fn(&str) -> Option<String>) -> bool {
    var("TERM").is_none_or(|term| term != "dumb")
}

/// Whether `NO_COLOR` asks for none: any value but the empty one.
pub fn without_color(var: impl Fn(&str) -> Option<String>) -> bool {
    var("NO_COLOR").is_some_and(|value| !value.is_empty())
}

/// The palette that the environment asks for: `NO_COLOR` and a terminal that only prints mean none, `COLORTERM` and `TERM`
/// tell how many colours there are.
pub fn theme(var: impl Fn(&str) -> Option<String>) -> Theme {
    let term = var("TERM").unwrap_or_default();
    let kind = if without_color(&var) || !can_draw(&var) { ThemeKind::Mono } else { ThemeKind::default() };
    let depth = match var("COLORTERM").as_deref() {
        Some("truecolor" | "24bit") => ColorDepth::True,
        _ if term.ends_with("-direct") => ColorDepth::True,
        _ if term.contains("256") => ColorDepth::Indexed,
        _ => ColorDepth::Ansi,
    };
    Theme { kind, depth }
}

/// The glyphs that the environment allows: ASCII on the console of Linux (`TERM=linux`), on a terminal that only prints and
/// in a locale that is not UTF-8, the narrow ones in a Chinese, Japanese or Korean locale, else the default. Where no locale
/// is set at all, as in many containers, UTF-8 is assumed.
pub fn glyphs(var: impl Fn(&str) -> Option<String>) -> Glyphs {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| var(name).filter(|value| !value.is_empty()));
    let locale = locale.map(|locale| locale.to_ascii_lowercase());
    let utf8 = locale.as_ref().is_none_or(|l| l.contains("utf-8") || l.contains("utf8"));
    if !utf8 || !can_draw(&var) || var("TERM").is_some_and(|term| term == "linux") {
        return Glyphs::Ascii;
    }
    let language = locale.as_deref().and_then(|l| l.split(['_', '.', '@']).next());
    if matches!(language, Some("zh" | "ja" | "ko")) { Glyphs::Narrow } else { Glyphs::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An environment that holds these variables and no other.
    fn holding(vars: &[(&str, &str)]) -> impl Fn(&str) -> Option<String> {
        |name| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned())
    }

    #[test]
    fn the_environment_chooses_the_palette() {
        let theme = |vars: &[(&str, &str)]| theme(holding(vars));
        let t = theme(&[("TERM", "xterm-256color")]);
        assert_eq!((t.kind, t.depth), (ThemeKind::Dark, ColorDepth::Indexed));
        let t = theme(&[("TERM", "xterm-256color"), ("COLORTERM", "truecolor"), ("NO_COLOR", "")]);
        assert_eq!((t.kind, t.depth), (ThemeKind::Dark, ColorDepth::True));
        let t = theme(&[("TERM", "linux"), ("NO_COLOR", "1")]);
        assert_eq!((t.kind, t.depth), (ThemeKind::Mono, ColorDepth::Ansi));
        assert_eq!(theme(&[("TERM", "dumb")]).kind, ThemeKind::Mono);
    }

    #[test]
    fn the_environment_chooses_the_glyphs() {
        for (vars, glyphs) in [
            (&[][..], Glyphs::Braille),
            (&[("TERM", "xterm")], Glyphs::Braille),
            (&[("LANG", "C.UTF-8")], Glyphs::Braille),
            (&[("LANG", "de_DE.utf8"), ("LC_ALL", "")], Glyphs::Braille),
            (&[("LANG", "C"), ("LC_CTYPE", "UTF-8")], Glyphs::Braille),
            (&[("LANG", "C")], Glyphs::Ascii),
            (&[("LANG", "en_US.UTF-8"), ("LC_ALL", "POSIX")], Glyphs::Ascii),
            (&[("LANG", "de_DE.ISO-8859-1")], Glyphs::Ascii),
            (&[("LANG", "en_US.UTF-8"), ("TERM", "linux")], Glyphs::Ascii),
            (&[("LANG", "en_US.UTF-8"), ("TERM", "dumb")], Glyphs::Ascii),
            (&[("LANG", "ja_JP.UTF-8")], Glyphs::Narrow),
            (&[("LANG", "en_US.UTF-8"), ("LC_CTYPE", "zh_CN.UTF-8")], Glyphs::Narrow),
            (&[("LC_ALL", "ko_KR.utf8"), ("LANG", "C")], Glyphs::Narrow),
            (&[("LANG", "zh_CN.GB18030")], Glyphs::Ascii),
        ] {
            assert_eq!(super::glyphs(holding(vars)), glyphs, "{vars:?}");
        }
    }

    #[test]
    fn only_a_terminal_that_prints_has_no_screen() {
        assert!(can_draw(holding(&[])) && can_draw(holding(&[("TERM", "linux")])));
        assert!(!can_draw(holding(&[("TERM", "dumb")])));
    }
}

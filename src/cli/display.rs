//! The look of the screen and of files: what the flags name, and what the environment decides where they name nothing.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum as _};

use super::opening::Opening;
use crate::tui::environment;
use crate::tui::glyphs::Glyphs;
use crate::tui::paper::Paper;
use crate::tui::theme::{Theme, ThemeKind};

/// How the dashboard looks.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct DisplayOptions {
    /// Colours of the screen and of every file: for a dark ground (the default), for a light one, or none.
    ///
    /// Files (screenshots, figures) are always in true colour, whatever the terminal can show; NO_COLOR is about the screen
    /// alone.
    #[arg(long, value_enum)]
    pub theme: Option<ThemeKind>,
    /// The glyphs that everything is drawn with.
    ///
    /// `auto` is `ascii` on the console of Linux (TERM=linux) and in a locale that is not UTF-8 (LC_ALL, LC_CTYPE, LANG),
    /// `narrow` in a Chinese, Japanese or Korean one, else `braille`. Files take the glyphs that are named, else `braille`.
    #[arg(long, value_parser = Marker::parser(), default_value = Marker::AUTO)]
    pub marker: Marker,
    /// No colour on the screen; the environment variable NO_COLOR does the same. Files too, unless --theme names one.
    #[arg(long)]
    pub no_color: bool,
    /// How the dashboard opens: as the user's settings have it.
    #[arg(skip)]
    pub(crate) opening: Opening,
}

impl DisplayOptions {
    /// The palette of the screen: without colour where that is asked for, else the named one, at the terminal's depth.
    pub fn theme(&self, var: impl Fn(&str) -> Option<String>) -> Theme {
        let of_terminal = environment::theme(var);
        let kind = match self.theme {
            _ if self.no_color => ThemeKind::Mono,
            Some(kind) if of_terminal.kind != ThemeKind::Mono => kind,
            _ => of_terminal.kind,
        };
        Theme { kind, ..of_terminal }
    }

    /// The glyphs of the screen.
    pub fn glyphs(&self, var: impl Fn(&str) -> Option<String>) -> Glyphs {
        self.marker.0.unwrap_or_else(|| environment::glyphs(var))
    }

    /// The look of files: no variable of the environment has a say.
    pub fn paper(&self) -> Paper {
        let default = if self.no_color { ThemeKind::Mono } else { ThemeKind::default() };
        Paper { kind: self.theme.unwrap_or(default), glyphs: self.marker.0.unwrap_or_default() }
    }
}

/// The glyphs that a flag names; `None` where the terminal decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Marker(Option<Glyphs>);

impl Marker {
    /// The glyphs that are named, else those that are set.
    pub(crate) fn or(self, set: Option<Glyphs>) -> Self {
        Self(self.0.or(set))
    }

    #[cfg(test)]
    pub(crate) fn named(self) -> Option<Glyphs> {
        self.0
    }

    const AUTO: &str = "auto";

    fn parser() -> impl TypedValueParser<Value = Self> {
        let auto = PossibleValue::new(Self::AUTO).help("What the terminal and the locale allow");
        let named = Glyphs::value_variants().iter().filter_map(Glyphs::to_possible_value);
        PossibleValuesParser::new(std::iter::once(auto).chain(named)).try_map(|name| match name.as_str() {
            Self::AUTO => Ok(Self(None)),
            name => Glyphs::from_str(name, false).map(|glyphs| Self(Some(glyphs))),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::theme::ColorDepth;

    fn terminal(name: &str) -> Option<String> {
        let vars = [("TERM", "linux"), ("NO_COLOR", "1"), ("LANG", "C")];
        vars.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned())
    }

    #[test]
    fn the_environment_decides_the_screen_and_no_file() {
        let unnamed = DisplayOptions::default();
        assert_eq!(unnamed.theme(terminal), Theme { kind: ThemeKind::Mono, depth: ColorDepth::Ansi });
        assert_eq!((unnamed.glyphs(terminal), unnamed.paper()), (Glyphs::Ascii, Paper::default()));
        let named = DisplayOptions { theme: Some(ThemeKind::Light), marker: Marker(Some(Glyphs::Half)), ..unnamed };
        assert_eq!((named.theme(terminal).kind, named.glyphs(terminal)), (ThemeKind::Mono, Glyphs::Half));
        assert_eq!(named.paper(), Paper { kind: ThemeKind::Light, glyphs: Glyphs::Half });
        assert_eq!(named.theme(|_| None).kind, ThemeKind::Light);
        let mono = DisplayOptions { theme: Some(ThemeKind::Mono), ..unnamed };
        let colourless = DisplayOptions { no_color: true, ..unnamed };
        for options in [mono, colourless] {
            assert_eq!((options.theme(|_| None).kind, options.paper().kind), (ThemeKind::Mono, ThemeKind::Mono));
        }
    }
}

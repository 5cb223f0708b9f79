//! How the screen and the files look: what the flags name, and what the environment decides where they name nothing.

use clap::{Args, ValueEnum};

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
    pub theme: Option<ThemeName>,
    /// The glyphs that everything is drawn with.
    ///
    /// `auto` is `ascii` on the console of Linux (TERM=linux) and in a locale that is not UTF-8 (LC_ALL, LC_CTYPE, LANG),
    /// `narrow` in a Chinese, Japanese or Korean one, else `braille`. Files take the glyphs that are named, else `braille`.
    #[arg(long, value_enum, default_value_t)]
    pub marker: Marker,
    /// No colour on the screen; the environment variable NO_COLOR does the same. Files too, unless --theme names one.
    #[arg(long)]
    pub no_color: bool,
}

impl DisplayOptions {
    /// The palette of the screen: without colour where that is asked for, else the named one, at the terminal's depth.
    pub fn theme(&self, var: impl Fn(&str) -> Option<String>) -> Theme {
        let of_terminal = environment::theme(var);
        let kind = match self.theme {
            _ if self.no_color => ThemeKind::Mono,
            Some(name) if of_terminal.kind != ThemeKind::Mono => name.into(),
            _ => of_terminal.kind,
        };
        Theme { kind, ..of_terminal }
    }

    /// The glyphs of the screen.
    pub fn glyphs(&self, var: impl Fn(&str) -> Option<String>) -> Glyphs {
        self.marker.named().unwrap_or_else(|| environment::glyphs(var))
    }

    /// The look of files: no variable of the environment has a say.
    pub fn paper(&self) -> Paper {
        let default = if self.no_color { ThemeKind::Mono } else { ThemeKind::default() };
        Paper { kind: self.theme.map_or(default, ThemeKind::from), glyphs: self.marker.named().unwrap_or_default() }
    }
}

/// A palette by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ThemeName {
    /// Colour-blind-safe on a dark ground.
    Dark,
    /// Colour-blind-safe on a light ground.
    Light,
    /// No colour.
    Mono,
}

impl From<ThemeName> for ThemeKind {
    fn from(name: ThemeName) -> Self {
        match name {
            ThemeName::Dark => Self::Dark,
            ThemeName::Light => Self::Light,
            ThemeName::Mono => Self::Mono,
        }
    }
}

/// Glyphs by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Marker {
    /// What the terminal and the locale allow.
    #[default]
    Auto,
    /// Curves of 2×4 dots a cell.
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

impl Marker {
    /// The glyphs of that name; `None` where the terminal decides.
    fn named(self) -> Option<Glyphs> {
        match self {
            Self::Auto => None,
            Self::Braille => Some(Glyphs::Braille),
            Self::Half => Some(Glyphs::Half),
            Self::Dot => Some(Glyphs::Dot),
            Self::Narrow => Some(Glyphs::Narrow),
            Self::Ascii => Some(Glyphs::Ascii),
        }
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
        let named = DisplayOptions { theme: Some(ThemeName::Light), marker: Marker::Half, no_color: false };
        assert_eq!((named.theme(terminal).kind, named.glyphs(terminal)), (ThemeKind::Mono, Glyphs::Half));
        assert_eq!(named.paper(), Paper { kind: ThemeKind::Light, glyphs: Glyphs::Half });
        assert_eq!(named.theme(|_| None).kind, ThemeKind::Light);
        let mono = DisplayOptions { theme: Some(ThemeName::Mono), ..unnamed };
        let colourless = DisplayOptions { no_color: true, ..unnamed };
        for options in [mono, colourless] {
            assert_eq!((options.theme(|_| None).kind, options.paper().kind), (ThemeKind::Mono, ThemeKind::Mono));
        }
    }
}

//! The look of files: the same whatever the terminal can show.

use super::glyphs::Glyphs;
use super::theme::{ColorDepth, Theme, ThemeKind};

/// The look of every file, screenshots and exports alike: the theme and the glyphs that were named, else the defaults, in
/// true colour. The environment (`TERM`, `COLORTERM`, `NO_COLOR`, the locale) changes the screen and never a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Paper {
    /// The palette.
    pub kind: ThemeKind,
    /// The glyphs.
    pub glyphs: Glyphs,
}

impl Paper {
    /// The palette in true colour.
    pub fn theme(self) -> Theme {
        Theme { kind: self.kind, depth: ColorDepth::True }
    }

    /// Goes on to the next palette on the screen and in its files: one that is chosen by hand is named.
    ///
    /// # Errors
    /// In words, where the screen stays without colour.
    pub(super) fn next_theme(&mut self, screen: &mut Theme, locked: bool) -> Result<(), &'static str> {
        if locked {
            return Err("NO_COLOR or --theme mono is set: the theme stays monochrome");
        }
        screen.kind = screen.kind.next();
        self.kind = screen.kind;
        Ok(())
    }

    /// The look of a screen on which nothing depends on the terminal.
    pub(super) fn of(theme: Theme, glyphs: Glyphs) -> Self {
        Self { kind: theme.kind, glyphs }
    }
}

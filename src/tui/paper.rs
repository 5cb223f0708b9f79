//! How files are drawn: the same whatever the terminal can show.

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

    /// The look of a screen on which nothing depends on the terminal.
    pub(super) fn of(theme: Theme, glyphs: Glyphs) -> Self {
        Self { kind: theme.kind, glyphs }
    }
}

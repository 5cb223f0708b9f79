//! The look of a session.

use crate::cli::{DisplayOptions, var};
use crate::tui::glyphs::Glyphs;
use crate::tui::theme::Theme;

/// The screen's palette and glyphs: the flags' choice, or what the terminal can show.
pub(super) fn look(display: &DisplayOptions) -> (Theme, Glyphs) {
    (display.theme(var), display.glyphs(var))
}

//! The look of a session.

use crate::cli::{DisplayOptions, var};
use crate::tui::app::App;
use crate::tui::glyphs::Glyphs;
use crate::tui::theme::Theme;

/// The screen's palette and glyphs: the flags' choice, or what the terminal can show.
pub(super) fn look(display: &DisplayOptions) -> (Theme, Glyphs) {
    (display.theme(var), display.glyphs(var))
}

/// The dashboard as the user's settings open it.
pub(super) fn opened(mut app: App, display: &DisplayOptions) -> App {
    let opening = display.opening;
    (app.view.story, app.view.narration) = (!opening.all_curves, !opening.plays_through);
    app.view.bell = opening.bell;
    (app.view.mouse, app.view.copies) = (opening.mouse, opening.copies);
    app
}

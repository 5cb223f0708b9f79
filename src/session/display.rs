//! How a session is shown.

use crate::cli::DisplayOptions;
use crate::tui::theme::Theme;

/// The palette: the terminal's colours, the flags' choice.
pub(super) fn theme(display: &DisplayOptions) -> Theme {
    let theme = crate::tui::terminal::theme_from_env(|name| std::env::var(name).ok());
    Theme { kind: display.theme_kind(), ..theme }
}

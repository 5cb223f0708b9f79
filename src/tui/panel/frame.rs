//! The frame of a panel, alike around all of them.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::{Block, Borders, Widget as _};

use crate::tui::app::App;
use crate::tui::panel::Panel;
use crate::tui::view::text::{panel, title};

/// Rows below which the chart has no sides and no bottom: a row more for the curves.
const OPEN: u16 = 20;
/// Columns from which that is so.
const WIDE: u16 = 72;

/// Draws the frame of a panel, with its title and what that teaches; returns the room inside.
pub(super) fn frame(app: &App, of: Panel, teaching: impl Into<String>, area: Rect, buf: &mut Buffer) -> Rect {
    let (theme, focused) = (&app.view.theme, app.focus() == of);
    let block = panel(title(of.title(), teaching, focused, theme), focused, theme, app.view.glyphs);
    let open = matches!(of, Panel::Chart | Panel::Answers) && area.height < OPEN && area.width >= WIDE;
    let block = if open { block.borders(Borders::TOP) } else { block };
    let inner = block.inner(area);
    block.render(area, buf);
    inner
}

/// The room inside the frame of the chart.
pub(super) fn inside_chart(area: Rect) -> Rect {
    let block = Block::bordered();
    let block = if area.height < OPEN && area.width >= WIDE { block.borders(Borders::TOP) } else { block };
    block.inner(area)
}

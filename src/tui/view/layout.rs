//! Which panel lies where.

use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::Line;

use super::banner;
use crate::tui::app::{App, Panel};

/// Fewest columns in which the dashboard says anything.
pub const MIN_WIDTH: u16 = 40;
/// Fewest rows.
pub const MIN_HEIGHT: u16 = 12;

/// Rows of the table that names every curve: two of border, one of headings, sixteen curves and six groups.
const TABLE_ROWS: u16 = 25;

/// Rows of the forces: two of border, a sentence, fourteen kinds.
const FORCES_ROWS: u16 = 17;

/// Fewest rows of the body that have a place for the forces beside every other panel.
const WITH_FORCES: u16 = 48;

/// The places on the screen.
#[derive(Debug)]
pub(super) struct Places {
    /// Run, stage, phase, verdict.
    pub(super) header: Rect,
    /// Progress and speed.
    pub(super) progress: Rect,
    /// The groups and their digits; empty where there are none.
    pub(super) groups: Rect,
    /// The alarm; empty while there is none.
    pub(super) banner: Rect,
    /// What the alarm says, a line a row; there may be more than the banner has rows.
    pub(super) announced: Vec<Line<'static>>,
    /// Everything between.
    pub(super) body: Rect,
    /// The keys.
    pub(super) footer: Rect,
    /// The panels and their places in the body.
    pub(super) panels: Vec<(Panel, Rect)>,
}

/// Divides the screen.
pub(super) fn places(app: &App, area: Rect) -> Places {
    // Low screens keep their rows for the chart.
    let most = match area.height {
        0..20 => 1,
        20..30 => 2,
        _ => 3,
    };
    let announced = banner::announced(app, area.width);
    let banner = u16::try_from(announced.len()).unwrap_or(most).min(most);
    let [header, progress, groups, banner, body, footer] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Length(u16::from(!app.has_classes())),
        Constraint::Length(banner),
        Constraint::Min(1),
        Constraint::Length(1),
    ])
    .areas(area);
    Places { header, progress, groups, banner, announced, body, footer, panels: panels(app, body) }
}

fn panels(app: &App, body: Rect) -> Vec<(Panel, Rect)> {
    if app.view.maximised {
        return vec![(app.focus(), body)];
    }
    if body.width < 72 || body.height < 15 {
        // One panel at a time, and the chart above where there is room for both.
        let (chart, _) = Panel::first(app.has_classes());
        return match app.focus() {
            focus if focus == chart => vec![(chart, body)],
            focus if body.height < 16 => vec![(focus, body)],
            focus => {
                let [top, bottom] = Layout::vertical([Constraint::Fill(1), Constraint::Fill(1)]).areas(body);
                vec![(chart, top), (focus, bottom)]
            }
        };
    }
    if app.has_classes() {
        return super::classes::places(app, body);
    }
    let table = match body.width {
        0..100 => 33,
        100..160 => 44,
        _ => 60,
    };
    let [main, side] = Layout::horizontal([Constraint::Fill(1), Constraint::Length(table)]).areas(body);
    if body.height < 30 || body.width < 100 {
        let lower = if body.height < 24 { 8 } else { body.height / 3 };
        let [chart, lower] = Layout::vertical([Constraint::Fill(1), Constraint::Length(lower)]).areas(main);
        return vec![(Panel::Chart, chart), (app.lower(), lower), (Panel::Curves, side)];
    }
    if app.shows().forces && body.height >= WITH_FORCES {
        return with_forces(main, side);
    }
    let table = TABLE_ROWS.min(body.height * 3 / 5);
    let aside = body.height - table >= 18;
    let events = if aside { body.height - table - 15 } else { 6 };
    let prompt = (body.height / 3).clamp(10, 14);
    if aside {
        let [chart, prompt] = Layout::vertical([Constraint::Fill(1), Constraint::Length(prompt)]).areas(main);
        let [curves, dynamics, events] =
            Layout::vertical([Constraint::Length(table), Constraint::Fill(1), Constraint::Length(events)]).areas(side);
        named(app, [chart, curves, prompt, events, dynamics])
    } else {
        // Too low for the events at the side: they lie below the prompt.
        let [chart, prompt, events] =
            Layout::vertical([Constraint::Fill(1), Constraint::Length(prompt), Constraint::Length(events)]).areas(main);
        let [curves, dynamics] = Layout::vertical([Constraint::Length(table), Constraint::Fill(1)]).areas(side);
        named(app, [chart, curves, prompt, events, dynamics])
    }
}

/// A tall screen shows forces and the other measures at the same time.
fn with_forces(main: Rect, side: Rect) -> Vec<(Panel, Rect)> {
    let rows = [Constraint::Fill(1), Constraint::Length(FORCES_ROWS), Constraint::Length(12)];
    let [chart, forces, prompt] = Layout::vertical(rows).areas(main);
    let rows = [Constraint::Length(TABLE_ROWS), Constraint::Fill(1), Constraint::Length(10)];
    let [curves, dynamics, events] = Layout::vertical(rows).areas(side);
    vec![
        (Panel::Chart, chart),
        (Panel::Curves, curves),
        (Panel::Forces, forces),
        (Panel::Prompt, prompt),
        (Panel::Events, events),
        (Panel::Dynamics, dynamics),
    ]
}

/// The places with their panels; the forces, while they are looked at, lie in the place of the other measures.
fn named(app: &App, [chart, curves, prompt, events, measures]: [Rect; 5]) -> Vec<(Panel, Rect)> {
    let shown = if app.lower() == Panel::Forces { Panel::Forces } else { Panel::Dynamics };
    vec![
        (Panel::Chart, chart),
        (Panel::Curves, curves),
        (Panel::Prompt, prompt),
        (Panel::Events, events),
        (shown, measures),
    ]
}

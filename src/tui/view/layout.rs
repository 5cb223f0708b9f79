//! The layout of the dashboard: the places that a screen has room for, and the panels that take them.

use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::Line;

use super::banner;
use crate::tui::app::App;
use crate::tui::panel::{Panel, Shows, Slot};

/// Fewest columns in which the dashboard says anything.
pub const MIN_WIDTH: u16 = 40;
/// Fewest rows.
pub const MIN_HEIGHT: u16 = 12;

/// Rows of the table that names every curve: two of border, one of headings, sixteen curves and six groups.
const TABLE_ROWS: u16 = 25;

/// Rows of the place between head and below, which the forces take: two of border, a sentence, fourteen kinds.
const BETWEEN_ROWS: u16 = 17;

/// Fewest rows of the body that have that place beside all others.
const WITH_BETWEEN: u16 = 48;

/// Rows of a map of classes that is followed by words: border, headings, ten classes, two lines.
const MAP_ROWS: u16 = 15;

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
    let slots = if app.has_classes() { of_classes(body) } else { of_answers(body, app.shows()) };
    taken(app, &slots)
}

/// The places that a language model's run has.
fn of_answers(body: Rect, run: Shows) -> Vec<(Slot, Rect)> {
    let table = match body.width {
        0..100 => 33,
        100..160 => 44,
        _ => 60,
    };
    let [main, side] = Layout::horizontal([Constraint::Fill(1), Constraint::Length(table)]).areas(body);
    if body.height < 30 || body.width < 100 {
        let lower = if body.height < 24 { 8 } else { body.height / 3 };
        let [head, lower] = Layout::vertical([Constraint::Fill(1), Constraint::Length(lower)]).areas(main);
        return vec![(Slot::Head, head), (Slot::Lower, lower), (Slot::Aside, side)];
    }
    let between = Panel::all(run).any(|panel| panel.slots().contains(&Slot::Between));
    if between && body.height >= WITH_BETWEEN {
        let rows = [Constraint::Fill(1), Constraint::Length(BETWEEN_ROWS), Constraint::Length(12)];
        let [head, between, below] = Layout::vertical(rows).areas(main);
        let rows = [Constraint::Length(TABLE_ROWS), Constraint::Fill(1), Constraint::Length(10)];
        let [aside, measures, foot] = Layout::vertical(rows).areas(side);
        return vec![
            (Slot::Head, head),
            (Slot::Aside, aside),
            (Slot::Between, between),
            (Slot::Below, below),
            (Slot::Foot, foot),
            (Slot::Measures, measures),
        ];
    }
    let table = TABLE_ROWS.min(body.height * 3 / 5);
    let below = (body.height / 3).clamp(10, 14);
    let [head, aside, below, foot, measures] = if body.height - table >= 18 {
        let foot = body.height - table - 15;
        let [head, below] = Layout::vertical([Constraint::Fill(1), Constraint::Length(below)]).areas(main);
        let [aside, measures, foot] =
            Layout::vertical([Constraint::Length(table), Constraint::Fill(1), Constraint::Length(foot)]).areas(side);
        [head, aside, below, foot, measures]
    } else {
        // Too low for the foot at the side: it lies below the main place.
        let rows = [Constraint::Fill(1), Constraint::Length(below), Constraint::Length(6)];
        let [head, below, foot] = Layout::vertical(rows).areas(main);
        let [aside, measures] = Layout::vertical([Constraint::Length(table), Constraint::Fill(1)]).areas(side);
        [head, aside, below, foot, measures]
    };
    vec![(Slot::Head, head), (Slot::Aside, aside), (Slot::Below, below), (Slot::Foot, foot), (Slot::Measures, measures)]
}

/// The places that a classifier's run has.
///
/// ```text
/// 80 × 24                                   120 × 40 and 200 × 60
/// ┌ chart ────────────┬ influence ───────┐  ┌ chart ──────────────┬ influence ───────┐
/// │ log π of answers  │ (or kernel, when │  │ accuracy            │ u → o            │
/// │                   │  it is focused)  │  │ log π of answers    │                  │
/// ├ dynamics | events ┤                  │  ├ dynamics ───────────┼ kernel ──────────┤
/// │                   │                  │  │                     │                  │
/// │                   │                  │  ├ events ─────────────┤                  │
/// └───────────────────┴──────────────────┘  └─────────────────────┴──────────────────┘
/// ```
fn of_classes(body: Rect) -> Vec<(Slot, Rect)> {
    let width = match body.width {
        0..100 => 33,
        100..160 => 58,
        _ => 100,
    };
    let [main, side] = Layout::horizontal([Constraint::Fill(1), Constraint::Length(width)]).areas(body);
    if body.height < 2 * MAP_ROWS || body.width < 100 {
        let [head, lower] = Layout::vertical([Constraint::Fill(1), Constraint::Length(9)]).areas(main);
        return vec![(Slot::Head, head), (Slot::Lower, lower), (Slot::Aside, side)];
    }
    let [head, measures, foot] =
        Layout::vertical([Constraint::Fill(1), Constraint::Length(9), Constraint::Length(6)]).areas(main);
    let [aside, below] = Layout::vertical([Constraint::Fill(1), Constraint::Fill(1)]).areas(side);
    vec![(Slot::Head, head), (Slot::Aside, aside), (Slot::Below, below), (Slot::Foot, foot), (Slot::Measures, measures)]
}

/// Every place with the panel that takes it: of those for which it is the best there is, the one looked at last, else the
/// first.
fn taken(app: &App, slots: &[(Slot, Rect)]) -> Vec<(Panel, Rect)> {
    let best = |panel: Panel| panel.slots().iter().find(|&&slot| slots.iter().any(|(there, _)| *there == slot));
    let panel_of = |slot: Slot| {
        let panels: Vec<Panel> = Panel::all(app.shows()).filter(|&panel| best(panel) == Some(&slot)).collect();
        let looked_at = [app.focus(), app.lower()].into_iter().find(|panel| panels.contains(panel));
        looked_at.or(panels.first().copied())
    };
    slots.iter().filter_map(|&(slot, place)| Some((panel_of(slot)?, place))).collect()
}

//! The layout of the dashboard: the places that a screen has room for, and the panels that take them.

use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::Line;

use super::{banner, narration};
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

/// Fewest rows below the chart on large screens.
const BELOW_ROWS: u16 = 9;

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
    /// What a replay says of the event at which it stopped, a line a row.
    pub(super) narrated: Vec<Line<'static>>,
    /// Its place above the footer; empty while it plays.
    pub(super) narration: Rect,
    /// The keys.
    pub(super) footer: Rect,
    /// The panels and their places in the body.
    pub(super) panels: Vec<(Panel, Rect)>,
    /// The line that stands for the prompt's panel; empty where that has a place of its own.
    pub(super) prompt: Rect,
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
    let narrated = narration::lines(app, area.width);
    let [header, progress, groups, banner, body, narration, footer] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Length(u16::from(!app.has_classes())),
        Constraint::Length(banner),
        Constraint::Min(1),
        Constraint::Length(u16::try_from(narrated.len()).unwrap_or(2).min(2)),
        Constraint::Length(1),
    ])
    .areas(area);
    let (panels, prompt) = panels(app, body);
    Places { header, progress, groups, banner, announced, body, narrated, narration, footer, panels, prompt }
}

/// The panels in their places, and the line that stands for the prompt where there is no room for its panel.
fn panels(app: &App, body: Rect) -> (Vec<(Panel, Rect)>, Rect) {
    let none = Rect { height: 0, ..body };
    if app.view.maximised {
        return (vec![(app.focus(), body)], none);
    }
    let classes = app.has_classes();
    if body.width < 72 || body.height < 15 {
        return (one_at_a_time(app, body), none);
    }
    let slots = match classes {
        true => of_classes(body),
        false if body.width < MEDIUM.0 || body.height < MEDIUM.1 => return with_line(app, body),
        false => of_answers(body, app.shows()),
    };
    (taken(app, &slots), none)
}

/// One panel at a time, and the chart above where there is room for both.
fn one_at_a_time(app: &App, body: Rect) -> Vec<(Panel, Rect)> {
    let chart = Panel::first(app.has_classes());
    match app.focus() {
        focus if focus == chart => vec![(chart, body)],
        focus if body.height < 16 => vec![(focus, body)],
        focus => {
            let [top, bottom] = Layout::vertical([Constraint::Fill(1), Constraint::Fill(1)]).areas(body);
            vec![(chart, top), (focus, bottom)]
        }
    }
}

/// The chart over the whole width and the prompt in a line; a panel that is focused beside the chart or below it.
fn with_line(app: &App, body: Rect) -> (Vec<(Panel, Rect)>, Rect) {
    let [room, line] = Layout::vertical([Constraint::Fill(1), Constraint::Length(1)]).areas(body);
    let panels = match app.focus() {
        Panel::Chart => vec![(Panel::Chart, room)],
        // A table is read from top to bottom, and all of it is wanted at once.
        Panel::Curves => {
            let table = if body.width < 100 { 33 } else { 44 };
            let [main, side] = Layout::horizontal([Constraint::Fill(1), Constraint::Length(table)]).areas(body);
            let [main, line] = Layout::vertical([Constraint::Fill(1), Constraint::Length(1)]).areas(main);
            return (vec![(Panel::Chart, main), (Panel::Curves, side)], line);
        }
        focus => {
            let [top, bottom] = Layout::vertical([Constraint::Fill(1), Constraint::Fill(1)]).areas(body);
            return (vec![(Panel::Chart, top), (focus, bottom)], Rect { height: 0, ..body });
        }
    };
    (panels, line)
}

/// Columns and rows of the body from which panels lie below the chart.
const MEDIUM: (u16, u16) = (100, 29);
/// Columns and rows of the body from which panels lie beside the chart too.
const LARGE: (u16, u16) = (160, 48);
/// Rows around the body, at most: header, progress, groups, three of the banner, footer.
const AROUND: u16 = 7;

/// The places that a language model's run has where there is room: the chart takes at least half of the screen.
fn of_answers(body: Rect, run: Shows) -> Vec<(Slot, Rect)> {
    if body.width >= LARGE.0 && body.height >= LARGE.1 {
        let side = (body.width * 28 / 100).clamp(44, 60);
        let [main, side] = Layout::horizontal([Constraint::Fill(1), Constraint::Length(side)]).areas(body);
        let half = u32::from(body.width) * u32::from(body.height + AROUND);
        let chart = u16::try_from(half.div_ceil(2 * u32::from(main.width.max(1)))).unwrap_or(body.height);
        if body.height >= chart + BELOW_ROWS {
            let [head, lower] = Layout::vertical([Constraint::Length(chart), Constraint::Fill(1)]).areas(main);
            let [below, beside] = Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1)]).areas(lower);
            let mut slots = vec![(Slot::Head, head), (Slot::Below, below), (Slot::Beside, beside)];
            if Panel::all(run).any(|panel| panel.slots().contains(&Slot::Between)) {
                let rows = [Constraint::Length(TABLE_ROWS), Constraint::Length(BETWEEN_ROWS), Constraint::Fill(1)];
                let [aside, between, measures] = Layout::vertical(rows).areas(side);
                slots.extend([(Slot::Aside, aside), (Slot::Between, between), (Slot::Measures, measures)]);
            } else {
                let rows = [Constraint::Length(TABLE_ROWS), Constraint::Fill(1), Constraint::Length(12)];
                let [aside, measures, foot] = Layout::vertical(rows).areas(side);
                slots.extend([(Slot::Aside, aside), (Slot::Measures, measures), (Slot::Foot, foot)]);
            }
            return slots;
        }
    }
    let lower = (body.height / 3).clamp(10, 16);
    let [head, lower] = Layout::vertical([Constraint::Fill(1), Constraint::Length(lower)]).areas(body);
    if body.width < 150 {
        let [below, beside] = Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1)]).areas(lower);
        return vec![(Slot::Head, head), (Slot::Below, below), (Slot::Beside, beside)];
    }
    let [below, beside, aside] = Layout::horizontal([Constraint::Fill(1); 3]).areas(lower);
    vec![(Slot::Head, head), (Slot::Below, below), (Slot::Beside, beside), (Slot::Aside, aside)]
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
/// first for which no place would be better, were there room.
fn taken(app: &App, slots: &[(Slot, Rect)]) -> Vec<(Panel, Rect)> {
    let best = |panel: Panel| panel.slots().iter().find(|&&slot| slots.iter().any(|(there, _)| *there == slot));
    let panel_of = |slot: Slot| {
        let panels: Vec<Panel> = Panel::all(app.shows()).filter(|&panel| best(panel) == Some(&slot)).collect();
        let recent = app.view.recent.iter().rev().copied();
        let looked_at = std::iter::once(app.focus()).chain(recent).find(|panel| panels.contains(panel));
        looked_at.or_else(|| panels.iter().copied().min_by_key(|panel| panel.slots().iter().position(|&s| s == slot)))
    };
    slots.iter().filter_map(|&(slot, place)| Some((panel_of(slot)?, place))).collect()
}

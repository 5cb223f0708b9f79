//! The tug-of-war: what pulled every kind of answer up, what pushed it down, and what that left.

use std::borrow::Cow;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Widget};

use super::frame::frame;
use crate::history::forces::{Entry, Force};
use crate::history::{CurveId, Series};
use crate::protocol::ProbeKind;
use crate::text::Shown;
use crate::tui::app::App;
use crate::tui::chart::{ChartLine, Weight};
use crate::tui::panel::Panel;
use crate::tui::theme::{CurveLook, Dash};
use crate::tui::view::text::{change, fitted, left, number, panel, percent, spark, title, words, wrap};

/// Columns of a kind's marker and symbol.
const NAME: usize = 15;
/// Columns of each number.
const NUMBER: usize = 8;
/// Fewest columns of a bar.
const BAR: usize = 11;
/// Rows of the sentence, at most.
const SAID: usize = 3;

/// A part of a change as it is shown: its name, its number, its look.
struct Part {
    name: &'static str,
    of: fn(Force) -> f64,
}

/// What a change is made of, the change first.
const PARTS: [Part; 5] = [
    Part { name: "measured", of: |f| f.measured },
    Part { name: "pull", of: |f| f.pull },
    Part { name: "push", of: |f| f.push },
    Part { name: "decay", of: |f| f.decay },
    Part { name: "residual", of: Force::residual },
];

/// Draws the panel.
pub(in crate::tui) fn render(app: &App, area: Rect, buf: &mut Buffer) {
    let theme = &app.view.theme;
    let focused = app.focus() == Panel::Forces;
    let Some(entry) = app.forces() else {
        frame(app, Panel::Forces, "no window has ended yet", area, buf);
        return;
    };
    let style = if entry.open { theme.warning() } else { theme.dim() };
    // The residual first: a narrow panel cuts what comes after.
    let mut line = title("forces", "", focused, theme);
    line.push_span(Span::styled(format!("· {} ", left_over(entry)), style));
    line.push_span(Span::styled(format!("· {} to step {} ", stage_of(app, entry), entry.step), theme.dim()));
    let block = panel(line, focused, theme, app.view.glyphs);
    let inner = block.inner(area);
    block.render(area, buf);
    let (width, height) = (usize::from(inner.width), usize::from(inner.height));
    let mut lines = sentence(app, entry, width);
    lines.truncate(SAID.min(height));
    let courses = courses(app, width);
    let rows = rows(app, entry, width);
    let room = height - lines.len();
    // Where there is room for everything: the courses below.
    let below = if room >= rows.len() + courses.len() { courses } else { Vec::new() };
    lines.extend(scrolled(rows, room));
    lines.extend(below);
    Paragraph::new(lines).render(inner, buf);
}

/// The stage that the forces are those of.
fn stage_of(app: &App, entry: &Entry) -> String {
    let stage = app.shown().run.as_ref().and_then(|run| run.stages.get(entry.stage));
    stage.map_or_else(String::new, |stage| Shown::new(&stage.name).to_string())
}

/// The residual of the window: always said, and in other words where it is too large.
fn left_over(entry: &Entry) -> String {
    let share = if entry.unexplained < 0.0995 {
        format!("{} %", number(entry.unexplained * 100.0, 1))
    } else {
        percent(entry.unexplained)
    };
    let what = if entry.open { "! residual" } else { "residual" };
    format!("{what} {share}")
}

/// What moved the selected kind, in words.
fn sentence(app: &App, entry: &Entry, width: usize) -> Vec<Line<'static>> {
    let (theme, kind) = (&app.view.theme, app.forced());
    let Some(force) = entry.since_stage(kind, None) else {
        return vec![Line::styled(format!(" {} was not observed", kind.symbol()), theme.dim())];
    };
    let nats = |x: f64| number(x.abs(), 1);
    let moved = if force.measured < 0.0 { "fell" } else { "rose" };
    let direction = |x: f64| if x < 0.0 { "down" } else { "up" };
    let mut said = words(&format!("{} {moved} by {}:", kind.symbol(), nats(force.measured)), theme.text());
    let comma = if force.push == 0.0 { "" } else { "," };
    said.extend(words(&format!("pulled {} {}{comma}", direction(force.pull), nats(force.pull)), theme.gain()));
    if force.push != 0.0 {
        said.extend(words(&format!("pushed {} {}", direction(force.push), nats(force.push)), theme.loss()));
    }
    let mut rest = String::new();
    if force.decay != 0.0 {
        rest += &format!("weight decay {}, ", change(force.decay, 1));
    }
    rest += &format!("residual {}", change(force.residual(), 2));
    // Fewer prompts than the curves': their numbers differ from those of the table.
    said.extend(words(&format!("({rest}), mean of {} prompts", entry.answers(kind)), theme.dim()));
    let mut lines = wrap(&said, width.saturating_sub(1));
    lines.iter_mut().for_each(|line| line.spans.insert(0, Span::raw(" ")));
    lines
}

/// A row of the table and whether it is the selected kind's.
type Row = (Line<'static>, bool);

/// A bar of pull against push for every kind.
fn rows(app: &App, entry: &Entry, width: usize) -> Vec<Row> {
    let theme = &app.view.theme;
    let forces: Vec<(ProbeKind, Force)> = ProbeKind::ALL
        .iter()
        .filter(|&&kind| app.view.shows(CurveId::Probe(kind)))
        .filter_map(|&kind| Some((kind, entry.since_stage(kind, None)?)))
        .collect();
    let most = forces.iter().flat_map(|(_, f)| [f.pull.abs(), f.push.abs()]).fold(0.0, f64::max);
    // Numbers give way to the bar, the parts before the change.
    let numbers = (width.saturating_sub(NAME + BAR) / (NUMBER + 1)).min(3);
    let bar = width.saturating_sub(NAME + numbers * (NUMBER + 1));
    let row = |(kind, force): (ProbeKind, Force)| {
        let look = theme.curve(CurveId::Probe(kind));
        let mut spans = vec![
            Span::styled(format!(" {} ", look.marker), look.style),
            Span::styled(left(kind.symbol(), NAME - 3), look.style),
        ];
        spans.extend(tug(force, most, bar, theme.loss(), theme.gain(), theme.text()));
        let columns = [(force.push, theme.loss()), (force.pull, theme.gain()), (force.measured, theme.text())];
        for &(x, style) in &columns[3 - numbers..] {
            spans.push(Span::styled(format!(" {}", fitted(x, 1, NUMBER, change)), style));
        }
        let selected = kind == app.forced();
        let line = Line::from(spans);
        (if selected { line.patch_style(theme.selection()) } else { line }, selected)
    };
    forces.into_iter().map(row).collect()
}

/// What moves down left of the middle and what moves up right of it, and a diamond where they leave the answer.
fn tug(force: Force, most: f64, width: usize, down: Style, up: Style, net: Style) -> Vec<Span<'static>> {
    let half = width.saturating_sub(1) / 2;
    let mut cells = vec![(' ', Style::new()); 2 * half + 1];
    let reach = |x: f64| if most > 0.0 { cells_of(x.abs() / most, half) } else { 0 };
    let mut fill = |x: f64, glyph: char, style: Style, from: usize| {
        let cells_of_it = reach(x).min(half - from);
        for i in from..from + cells_of_it {
            let at = if x < 0.0 { half - 1 - i } else { half + 1 + i };
            cells[at] = (glyph, style);
        }
        cells_of_it
    };
    let pulled = fill(force.pull, '█', up, 0);
    // Behind the pull where both go the same way.
    let from = if (force.pull < 0.0) == (force.push < 0.0) { pulled } else { 0 };
    fill(force.push, '▓', down, from);
    cells[half] = ('│', Style::new());
    let net_at = reach(force.measured);
    let at = if force.measured < 0.0 { half - net_at } else { half + net_at };
    cells[at] = ('◆', net);
    let mut spans: Vec<Span<'static>> =
        cells.into_iter().map(|(c, style)| Span::styled(c.to_string(), style)).collect();
    spans.push(Span::raw(" ".repeat(width - spans.len())));
    spans
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a share of few columns"
)]
fn cells_of(share: f64, columns: usize) -> usize {
    if share.is_finite() { ((share * columns as f64).round() as usize).min(columns) } else { 0 }
}

/// The rows that fit, scrolled to the selected one.
fn scrolled(rows: Vec<Row>, height: usize) -> impl Iterator<Item = Line<'static>> {
    let selected = rows.iter().position(|&(_, selected)| selected).unwrap_or(0);
    let first = (selected + 1).saturating_sub(height);
    rows.into_iter().map(|(line, _)| line).skip(first).take(height)
}

/// The parts of the selected kind's change over the stage.
fn courses(app: &App, width: usize) -> Vec<Line<'static>> {
    let theme = &app.view.theme;
    let (begun, until) = app.stage_span();
    let columns = width.saturating_sub(NAME + NUMBER + 2);
    let course = |part: &Part| {
        let series = accumulated(app, part).into_iter().next_back()?;
        let (_, last) = series.within(begun, until).last()?;
        let bars = spark(&series, (begun, until), None, columns, app.view.glyphs);
        let name = left(part.name, NAME - 1);
        let text = format!(" {name}{} {bars}", fitted(last, 1, NUMBER, change));
        (part.name != "decay" || last != 0.0).then(|| Line::styled(text, theme.dim()))
    };
    PARTS.iter().filter_map(course).collect()
}

/// One part of the selected kind's change up to the step that is shown, accumulated since its stage began: a series a stage,
/// which begins with zero.
fn accumulated(app: &App, part: &Part) -> Vec<Series> {
    let (kind, step) = (app.forced(), app.step());
    let mut stages: Vec<(usize, Series)> = Vec::new();
    for entry in app.shown().forces.entries.iter().filter(|entry| entry.step <= step) {
        let Some(force) = entry.since_stage(kind, None) else { continue };
        if stages.last().is_none_or(|(stage, _)| *stage != entry.stage) {
            stages.push((entry.stage, Series::new([entry.since], [0.0])));
        }
        if let Some((_, series)) = stages.last_mut() {
            series.push(entry.step, (part.of)(force));
        }
    }
    stages.into_iter().map(|(_, series)| series).collect()
}

/// What the lines of the chart are, in words, while it shows parts.
pub(in crate::tui) fn averaged(app: &App) -> String {
    let kind = app.forced();
    let prompts = app.forces().map_or(0, |entry| entry.answers(kind));
    format!("{} in parts, mean of {prompts} prompts", kind.symbol())
}

/// The lines of the chart while it shows the parts of the selected curve's change.
pub(in crate::tui) fn lines(app: &App) -> Vec<ChartLine<'static>> {
    let theme = &app.view.theme;
    let look = |part: &Part| match part.name {
        "pull" => CurveLook { style: theme.gain(), dash: Dash::Long, marker: '▲' },
        "push" => CurveLook { style: theme.loss(), dash: Dash::Dashed, marker: '▼' },
        "measured" => theme.curve(CurveId::Probe(app.forced())),
        _ => CurveLook { style: theme.dim(), dash: Dash::Dotted, marker: '○' },
    };
    let of_part = |part: &'static Part| {
        let series = accumulated(app, part);
        let last = series.len();
        let there = part.name != "decay" || series.iter().any(|s| s.iter().any(|(_, x)| x != 0.0));
        let line = move |(at, series): (usize, Series)| ChartLine {
            label: if at + 1 == last { part.name.to_owned() } else { String::new() },
            series: Cow::Owned(series),
            band: None,
            look: look(part),
            focused: part.name == "measured",
            weight: Weight::Plain,
        };
        series.into_iter().enumerate().filter(move |_| there).map(line).collect::<Vec<_>>()
    };
    PARTS.iter().flat_map(of_part).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail")]

    use ratatui::style::Style;

    use super::{ProbeKind, tug};
    use crate::history::Scale;
    use crate::history::forces::Force;
    use crate::protocol::{ForceParts, Forces, TrainerEvent};
    use crate::tui::app::App;
    use crate::tui::panel::Panel;
    use crate::tui::testing::{draw, live_at, plain};

    /// A run whose second stage pulls y⁺ up and pushes it down further, with so much left unexplained at the end.
    fn torn(residual: f32) -> App {
        let mut app = live_at(100);
        for (since, step, residual) in [(40, 70, 0.0), (70, 100, residual)] {
            let parts = |measured: f32, pull: f32| ForceParts {
                measured: vec![measured; 2],
                pull: vec![pull; 2],
                push: vec![measured - pull - residual; 2],
                decay: Vec::new(),
            };
            let kinds = [(ProbeKind::Chosen, parts(-1.0, 15.0)), (ProbeKind::Rejected, parts(-12.0, 17.0))].into();
            let forces = Forces { step, stage: 1, since, nodes: 2, tolerance: 0.05, kinds };
            app.history_mut().apply(&TrainerEvent::Forces(Box::new(forces)));
        }
        app.view.focus = Panel::Forces;
        app
    }

    #[test]
    fn the_tug_of_war_is_told_in_words_and_numbers_at_every_size() {
        for (width, height) in [(80, 24), (120, 40), (200, 60)] {
            let screen = plain(&draw(&torn(0.1), width, height));
            let words = screen.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(words.contains("y⁺ fell by 2.0:"), "{screen}");
            assert!(screen.contains("residual") && screen.contains('▓') && screen.contains('█'), "{screen}");
            assert!(!screen.contains("! residual"), "within what is tolerated: {screen}");
        }
        let mut whole = torn(0.1);
        whole.view.maximised = true;
        let screen = plain(&draw(&whole, 200, 60));
        assert!(screen.contains("y⁺ fell by 2.0: pulled up 30.0, pushed down 32.1 (residual +0.10)"), "{screen}");
    }

    #[test]
    fn a_window_that_leaves_too_much_is_marked() {
        let screen = plain(&draw(&torn(0.9), 200, 60));
        assert!(screen.contains("! residual 11 %"), "{screen}");
    }

    #[test]
    fn the_chart_splits_the_selected_curve_after_the_scale_of_the_stage() {
        let mut app = torn(0.1);
        app.view.scale = Some(Scale::StageDelta);
        app.view.split = true;
        let screen = plain(&draw(&app, 120, 40));
        for label in ["▲ pull", "▼ push", "measured", "○ residual", "y⁺ in parts, mean of 2 prompts"] {
            assert!(screen.contains(label), "{label}: {screen}");
        }
    }

    #[test]
    fn a_run_without_forces_has_no_panel_for_them() {
        let app = live_at(100);
        assert!(Panel::all(app.shows()).all(|panel| panel != Panel::Forces));
        assert!(!app.splits());
    }

    #[test]
    fn bars_stay_within_their_columns_and_the_diamond_shows_what_is_left() {
        let drawn = |pull: f64, push: f64, width: usize| -> String {
            let force = Force { measured: pull + push, pull, push, decay: 0.0 };
            let plain = Style::new();
            tug(force, 10.0, width, plain, plain, plain).iter().map(|span| span.content.as_ref()).collect()
        };
        assert_eq!(drawn(8.0, -10.0, 11), "▓▓▓▓◆│████ ");
        assert_eq!(drawn(4.0, 6.0, 11), "     │██▓▓◆", "the same way: one behind the other");
        assert_eq!(drawn(0.0, 0.0, 11), "     ◆     ");
        for width in 0..12 {
            for (pull, push) in [(10.0, -10.0), (-10.0, 10.0), (10.0, 10.0), (f64::NAN, f64::INFINITY)] {
                assert_eq!(drawn(pull, push, width.max(1)).chars().count(), width.max(1));
            }
        }
    }
}

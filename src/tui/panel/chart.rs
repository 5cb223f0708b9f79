//! The main chart: what the model believes about every kind of answer, over the steps.

use std::borrow::Cow;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::Widget;
use unicode_width::UnicodeWidthStr as _;

use super::forces;
use super::frame::{frame, inside_chart};
use super::large::{self, Move};
use crate::history::columns::Columns;
use crate::history::reduce::reduce;
use crate::history::{CurveId, Mark, MarkKind, Scale};
use crate::text::Shown;
use crate::tui::app::{App, Curve, Ghost, Line};
use crate::tui::chart::{Chart, ChartLine, ChartMark, Weight};
use crate::tui::keymap;
use crate::tui::panel::Panel;
use crate::tui::theme::Dash;
use crate::tui::view::text::{change, number};

/// Rows, borders included, from which the axis has room for its title.
const TITLED: u16 = 8;

/// Draws the panel.
pub(in crate::tui) fn render(app: &App, area: Rect, buf: &mut Buffer) {
    let rest = said(app, app.splits(), area);
    let mut inner = frame(app, Panel::Chart, rest, area, buf);
    if app.view.presents {
        inner = large::render(app, &moves(app), inner, buf);
    }
    if !inner.is_empty() {
        with_chart(app, |chart| chart.render(inner, buf));
    }
}

/// The step at a column of the screen, where the panel has this area.
pub(in crate::tui) fn step_at(app: &App, area: Rect, column: u16) -> Option<u64> {
    with_chart(app, |chart| chart.step_at(inside_chart(area), column))
}

/// Hands over the chart as it is now.
fn with_chart<T>(app: &App, then: impl FnOnce(Chart<'_>) -> T) -> T {
    let view = &app.view;
    let splits = app.splits();
    let x = app.range();
    let drawn = if splits { forces::lines(app) } else { lines(app, x) };
    let hint = hint(app);
    then(Chart {
        title: axis_title(app),
        y: if view.robust { robust(&drawn, x) } else { None }.or_else(|| if splits { None } else { fixed(app, x) }),
        lines: drawn,
        marks: marks(app, x).into_iter().chain(pens(app)).collect(),
        x,
        cursor: view.cursor,
        glyphs: view.glyphs,
        hint: &hint,
        theme: &view.theme,
    })
}

/// The name of the scale, and what of it is left out.
fn axis_title(app: &App) -> String {
    let title = app.scale_title();
    if app.view.robust {
        format!("{title}, far values left out ({})", keymap::key_of("far_values"))
    } else {
        title.into_owned()
    }
}

/// What the title says: in the story how far its curves moved; else over what they are means, and what the scale teaches.
fn said(app: &App, splits: bool, area: Rect) -> String {
    let room = usize::from(area.width).saturating_sub(11);
    let fits = |text: &String| text.width() <= room;
    let story = if app.view.story && !splits { story(app) } else { Vec::new() };
    let scale = if area.height < TITLED { format!("{} · ", app.scale_title()) } else { String::new() };
    if let Some(short) = story.last() {
        let fitting = story.iter().map(|said| format!("{scale}{said}")).find(fits);
        return fitting.unwrap_or_else(|| format!("{scale}{short}"));
    }
    let mut rest = if splits { forces::averaged(app) } else { averaged(app) };
    if let Some(weight) = app.view.smoothing.weight().filter(|_| !splits) {
        rest += &format!(" · smoothed {weight}");
    }
    let teaching = match app.scale() {
        Scale::LogProb | Scale::PerToken | Scale::Probability => " · higher: the model finds it likelier",
        Scale::Delta if app.view.anchor.is_some() => " · above 0: likelier than at that step",
        Scale::Delta => " · above 0: likelier than at the start",
        Scale::StageDelta if splits => " · pull + push + residual = measured",
        Scale::StageDelta => " · below 0: less likely than when the stage began",
    };
    if !scale.is_empty() {
        scale + &rest
    } else if fits(&format!("{rest}{teaching}")) {
        rest + teaching
    } else {
        rest
    }
}

/// How far the curves of the story moved at the step that is shown.
fn moves(app: &App) -> Vec<Move> {
    let name = |curve: CurveId| if curve == CurveId::ArgmaxChosen { "y*" } else { curve.symbol() };
    let leading = app.visible_curves().filter(|curve| app.view.leads(curve.id));
    leading
        .filter_map(|curve| Some((curve.id, name(curve.id), app.change_of_logp(curve)?)))
        .filter(|(.., by)| !by.is_nan())
        .collect()
}

/// How far the curves of the story moved, at the step that is shown: in words, the longest first.
fn story(app: &App) -> Vec<String> {
    let Some(step) = app.measured_step() else { return Vec::new() };
    let moved = moves(app);
    if moved.is_empty() {
        return Vec::new();
    }
    if moved.iter().all(|(.., by)| by.abs() < 0.05) {
        return vec![format!("at step {step}: nothing has moved yet · {}", averaged(app)), format!("at step {step}")];
    }
    let in_words = |&(_, what, by): &Move| match by {
        _ if by.abs() < 0.05 => format!("{what} did not move"),
        _ if by < 0.0 => format!("{what} fell by {:.1}", -by),
        _ => format!("{what} rose by {by:.1}"),
    };
    let listed = |each: &dyn Fn(&Move) -> String| moved.iter().map(each).collect::<Vec<_>>().join(", ");
    let [long, short, _] = app.since_in_words();
    let since = long.trim_start_matches("Δ ").to_owned();
    let words = listed(&in_words);
    let numbers = listed(&|&(_, what, by)| format!("{what} {}", change(by, 1)));
    let smoothed = app.view.smoothing.weight().map_or_else(String::new, |weight| format!(" · smoothed {weight}"));
    vec![
        format!("at step {step}: {words} nats {since} · {}{smoothed}", averaged(app)),
        format!("at step {step}: {words} nats {since}{smoothed}"),
        format!("at {step}: {words} {since}{smoothed}"),
        format!("at {step}: {numbers} {since}"),
        format!("{numbers} {}", short.trim_start_matches("Δ ")),
    ]
}

/// In a replay, the bounds of what stands out over the whole recording: the axis stays while the curves grow.
fn fixed(app: &App, x: (u64, u64)) -> Option<(f64, f64)> {
    let whole = app.fixed()?;
    let scale = if app.view.anchor.is_some() { Scale::LogProb } else { app.scale() };
    let bounds = |curve: &Curve| {
        let series = whole.curve(curve.id, scale, None);
        let start = app.view.anchor.map_or(Some(0.0), |anchor| series.at(anchor))?;
        let (low, high) = series.summary_of_steps(x).finite?;
        Some((low - start, high - start))
    };
    let ghosts = app.view.ghosts.iter().filter_map(|ghost| ghost.series.summary_of_steps(x).finite);
    let shown = app.visible_curves().filter(|curve| app.view.emphasises(curve.id)).filter_map(bounds).chain(ghosts);
    let (low, high) = shown.reduce(|(a, b), (low, high)| (a.min(low), b.max(high)))?;
    let air = (high - low) * 0.04;
    // No air above a log-prob of zero.
    (high > low).then_some((low - air, if high <= 0.0 { (high + air).min(0.0) } else { high + air }))
}

/// Bounds that leave out what lies far from most values of the lines that matter: beyond three times the distance between
/// the quartiles from them (Tukey's outer fences). `None` where nothing is left out.
fn robust(lines: &[ChartLine<'_>], x: (u64, u64)) -> Option<(f64, f64)> {
    // As many values of a line as a screen has columns.
    const COLUMNS: u32 = 400;
    let lines = || lines.iter().filter(|line| line.weight != Weight::Faint);
    let mut values: Vec<f64> = lines()
        .flat_map(|line| reduce(&line.series, Columns::new(x, COLUMNS)).values())
        .filter(|value| value.is_finite())
        .collect();
    values.sort_by(f64::total_cmp);
    let quartile = |of: usize| values.get(values.len() * of / 4).copied();
    let (low, high) = (quartile(1)?, quartile(3)?);
    let reach = 3.0 * (high - low);
    let within: Vec<f64> = values.iter().copied().filter(|&v| v >= low - reach && v <= high + reach).collect();
    let (first, last) = (*within.first()?, *within.last()?);
    let air = (last - first) * 0.04;
    (within.len() < values.len() && last > first).then_some((first - air, last + air))
}

/// Over what the curves that stand out are means.
fn averaged(app: &App) -> String {
    let counts = || app.visible_curves().filter(|curve| app.view.emphasises(curve.id)).map(|curve| curve.prompts);
    let Some(Some(fewest)) = counts().min() else {
        return if counts().next().is_some() { "means, of how many prompts is not recorded" } else { "no curve" }
            .to_owned();
    };
    let most = counts().flatten().max().unwrap_or(fewest);
    match (fewest, most) {
        (1, 1) => "one prompt".to_owned(),
        _ if fewest == most => format!("mean of {most} prompts"),
        _ => format!("mean of {fewest}–{most} prompts"),
    }
}

/// A line for every stretch of every curve; the last that is in view carries the curve's label, in the story with its value.
fn lines<'a>(app: &'a App, (from, to): (u64, u64)) -> Vec<ChartLine<'a>> {
    let view = &app.view;
    let in_view = |line: &Line| line.series.up_to(to) > line.series.before(from);
    let of_curve = |curve: &'a Curve| -> Vec<ChartLine<'a>> {
        let labelled = curve.lines.iter().rposition(in_view);
        let stands_out = view.emphasises(curve.id);
        let mut look = view.theme.curve(curve.id);
        if !stands_out {
            (look.style, look.dash) = (view.theme.faint(), Dash::Solid);
        }
        let label = |line: &Line| {
            let end = line.series.up_to(to).checked_sub(1).and_then(|at| line.series.get(at));
            let symbol = curve.id.symbol();
            match end.filter(|(_, value)| view.story && value.is_finite()) {
                Some((_, value)) if app.scale() == Scale::Probability => format!("{symbol} {value:.2}"),
                Some((_, value)) if app.scale().is_change() => format!("{symbol} {}", change(value, 1)),
                Some((_, value)) => format!("{symbol} {}", number(value, 1)),
                None => symbol.to_owned(),
            }
        };
        let line = |(at, line): (usize, &'a Line)| ChartLine {
            label: if labelled == Some(at) { label(line) } else { String::new() },
            series: Cow::Borrowed(&line.series),
            band: line.band.as_ref().map(|(low, high)| (Cow::Borrowed(low), Cow::Borrowed(high))),
            look,
            focused: view.curve == Some(curve.id),
            weight: match stands_out {
                false => Weight::Faint,
                true if view.story && view.leads(curve.id) => view.thickest(),
                true => Weight::Plain,
            },
        };
        curve.lines.iter().enumerate().map(line).collect()
    };
    app.visible_curves().flat_map(of_curve).chain(view.ghosts.iter().map(|ghost| ghosted(app, ghost))).collect()
}

/// A line that nobody measured, or that belongs to another run: dotted, whatever its curve's dash.
fn ghosted<'a>(app: &App, ghost: &'a Ghost) -> ChartLine<'a> {
    let mut look = app.view.theme.curve(ghost.curve);
    (look.dash, look.marker) = (Dash::Dotted, '○');
    let last = ghost.series.last().map_or(f64::NAN, |(_, value)| value);
    ChartLine {
        label: format!("{} {}", ghost.label, if app.scale().is_change() { change(last, 1) } else { number(last, 1) }),
        series: Cow::Borrowed(&ghost.series),
        band: None,
        look,
        focused: false,
        weight: Weight::Plain,
    }
}

/// Stages by name, what the detector said by its first letter; pauses are in the list of events alone.
pub(in crate::tui) fn marks(app: &App, (from, to): (u64, u64)) -> Vec<ChartMark> {
    let theme = &app.view.theme;
    let selected = app.view.event.and_then(|at| app.shown().marks.get(at));
    app.shown()
        .marks
        .iter()
        .filter(|m| (from..=to).contains(&m.step))
        .filter_map(|mark| {
            let (label, style) = match mark.kind {
                MarkKind::Stage => (stage_name(app, mark).into(), theme.dim()),
                MarkKind::State => (Cow::Borrowed("•"), theme.accent()),
                MarkKind::Alarm | MarkKind::Warning => ("!".into(), theme.warning()),
                MarkKind::Phase => return None,
            };
            let style = if selected == Some(mark) { theme.selection() } else { style };
            Some(ChartMark { step: mark.step, label, style })
        })
        .collect()
}

/// Where the pen of a sketch stands.
fn pens(app: &App) -> impl Iterator<Item = ChartMark> + '_ {
    let style = app.view.theme.accent();
    app.view.ghosts.iter().filter_map(move |ghost| Some(ChartMark { step: ghost.pen?, label: "pen".into(), style }))
}

fn stage_name(app: &App, mark: &Mark) -> String {
    let history = app.shown();
    let stage = history.stage_starts.iter().rposition(|&s| s == mark.step);
    let name = stage.and_then(|s| Some(history.run.as_ref()?.stages.get(s)?.name.as_str()));
    Shown::new(name.unwrap_or("?")).to_string()
}

/// Why there is nothing to see.
pub(in crate::tui) fn hint(app: &App) -> Cow<'static, str> {
    keymap::told(if app.curves().is_empty() {
        "waiting for the first measurement of the probes"
    } else if !app.view.curve_filter.is_empty() {
        "no curve with that text: {back} clears the filter"
    } else {
        "every group is hidden: {all_groups} shows them all"
    })
}

//! The main chart: what the model believes about every kind of answer, over the steps.

use std::borrow::Cow;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::Widget;

use super::forces;
use super::frame::frame;
use crate::history::{Mark, MarkKind, Scale};
use crate::text::Shown;
use crate::tui::app::{App, Curve, Line};
use crate::tui::chart::{Chart, ChartLine, ChartMark};
use crate::tui::panel::Panel;

/// Rows, borders included, from which the axis has room for its title.
const TITLED: u16 = 8;

/// Draws the panel.
pub(in crate::tui) fn render(app: &App, area: Rect, buf: &mut Buffer) {
    let view = &app.view;
    let theme = &view.theme;
    let splits = app.splits();
    let mut rest = if splits { forces::averaged(app) } else { averaged(app) };
    if let Some(weight) = view.smoothing.weight().filter(|_| !splits) {
        rest += &format!(" · smoothed {weight}");
    }
    let scale = app.scale();
    let teaching = match scale {
        Scale::LogProb | Scale::PerToken | Scale::Probability => " · higher: the model finds it likelier",
        Scale::Delta => " · above 0: likelier than at the start",
        Scale::StageDelta if splits => " · pull + push + residual = measured",
        Scale::StageDelta => " · below 0: less likely than when the stage began",
    };
    if area.height < TITLED {
        rest = format!("{} · {rest}", scale.title());
    } else if rest.len() + teaching.len() + 12 < usize::from(area.width) {
        rest += teaching;
    }
    let inner = frame(app, Panel::Chart, rest, area, buf);
    if inner.is_empty() {
        return;
    }
    let x = app.range();
    Chart {
        title: scale.title().to_owned(),
        lines: if splits { forces::lines(app) } else { lines(app, x) },
        marks: marks(app, x),
        x,
        y: None,
        cursor: view.cursor,
        glyphs: view.glyphs,
        hint: hint(app),
        theme,
    }
    .render(inner, buf);
}

/// Over what the curves that are shown are means.
fn averaged(app: &App) -> String {
    let counts = || app.visible_curves().map(|curve| curve.prompts);
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

/// A line for every stretch of every curve; the last that is in view carries the curve's label.
fn lines<'a>(app: &'a App, (from, to): (u64, u64)) -> Vec<ChartLine<'a>> {
    let view = &app.view;
    let in_view = |line: &Line| line.series.up_to(to) > line.series.before(from);
    let of_curve = |curve: &'a Curve| -> Vec<ChartLine<'a>> {
        let labelled = curve.lines.iter().rposition(in_view);
        let line = |(at, line): (usize, &'a Line)| ChartLine {
            label: if labelled == Some(at) { curve.id.symbol().to_owned() } else { String::new() },
            series: Cow::Borrowed(&line.series),
            band: line.band.as_ref().map(|(low, high)| (Cow::Borrowed(low), Cow::Borrowed(high))),
            look: view.theme.curve(curve.id),
            focused: view.curve == Some(curve.id),
        };
        curve.lines.iter().enumerate().map(line).collect()
    };
    app.visible_curves().flat_map(of_curve).collect()
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

fn stage_name(app: &App, mark: &Mark) -> String {
    let history = app.shown();
    let stage = history.stage_starts.iter().rposition(|&s| s == mark.step);
    let name = stage.and_then(|s| Some(history.run.as_ref()?.stages.get(s)?.name.as_str()));
    Shown::new(name.unwrap_or("?")).to_string()
}

/// Why there is nothing to see.
pub(in crate::tui) fn hint(app: &App) -> &'static str {
    if app.curves().is_empty() {
        "waiting for the first measurement of the probes"
    } else if !app.view.curve_filter.is_empty() {
        "no curve with that text: Esc clears the filter"
    } else {
        "every group is hidden: 0 shows them all"
    }
}

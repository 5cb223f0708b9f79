//! The main chart: what the model believes about every kind of answer, over the steps.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::Widget;

use super::text::{panel, title};
use crate::history::{Mark, MarkKind, Scale};
use crate::text::Shown;
use crate::tui::app::{App, Panel};
use crate::tui::chart::{Chart, ChartLine, ChartMark};

/// Draws the panel.
pub(super) fn render(app: &App, area: Rect, buf: &mut Buffer) {
    let view = &app.view;
    let theme = &view.theme;
    let focused = view.focus == Panel::Chart;
    let prompts = app.shown().run.as_ref().map_or(0, |r| r.probes.len());
    let mut rest = format!("mean of {prompts} prompts");
    if let Some(weight) = view.smoothing.weight() {
        rest += &format!(" · smoothed {weight}");
    }
    let teaching = match view.scale {
        Scale::LogProb | Scale::PerToken | Scale::Probability => " · higher: the model finds it likelier",
        Scale::Delta => " · above 0: likelier than at the start",
    };
    if rest.len() + teaching.len() + 12 < usize::from(area.width) {
        rest += teaching;
    }
    let block = panel(title("chart", rest, focused, theme), focused, theme, view.glyphs);
    let inner = block.inner(area);
    block.render(area, buf);
    if inner.is_empty() {
        return;
    }
    let x = app.range();
    Chart {
        title: view.scale.title().to_owned(),
        lines: lines(app),
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

fn lines(app: &App) -> Vec<ChartLine> {
    let view = &app.view;
    app.visible_curves()
        .map(|curve| ChartLine {
            label: curve.id.symbol().to_owned(),
            series: curve.drawn().clone(),
            band: curve.band.clone(),
            look: view.theme.curve(curve.id),
            focused: view.curve == Some(curve.id),
        })
        .collect()
}

/// Stages by name, what the detector said by its first letter; pauses are in the list of events alone.
pub(super) fn marks(app: &App, (from, to): (u64, u64)) -> Vec<ChartMark> {
    let theme = &app.view.theme;
    let selected = app.view.event.and_then(|at| app.shown().marks.get(at));
    app.shown()
        .marks
        .iter()
        .filter(|m| (from..=to).contains(&m.step))
        .filter_map(|mark| {
            let (label, style) = match mark.kind {
                MarkKind::Stage => (stage_name(app, mark), theme.dim()),
                MarkKind::State => ("•".to_owned(), theme.accent()),
                MarkKind::Alarm | MarkKind::Warning => ("!".to_owned(), theme.warning()),
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
pub(super) fn hint(app: &App) -> &'static str {
    if app.curves().is_empty() {
        "waiting for the first measurement of the probes"
    } else if !app.view.curve_filter.is_empty() {
        "no curve with that text: Esc clears the filter"
    } else {
        "every group is hidden: 0 shows them all"
    }
}

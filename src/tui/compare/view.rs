//! The comparison on the screen.
//!
//! ```text
//! ┌ compare · stage · aligned by ─────────────┐
//! │ the arms: marker, name, runs              │
//! ├ one curve, a line an arm ─┬ differences ──┤
//! │                           │ arm − baseline│
//! │                           │ by curve, with│
//! │                           │ its interval  │
//! └ footer: the keys ─────────┴───────────────┘
//! ```

use std::borrow::Cow;

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Widget, Wrap};
use unicode_width::UnicodeWidthStr;

use super::app::{Compare, Row};
use crate::history::{Aligned, By, Scale};
use crate::tui::chart::{Chart, ChartLine, Weight, XAxis};
use crate::tui::keymap::{self, Context};
use crate::tui::theme::Theme;
use crate::tui::view::text::{change, fit, fitted, left, number, panel, right, title};
use crate::tui::view::{dialogs, footer, whole};

/// Columns of a curve's symbol.
const SYMBOL: usize = 12;
/// Columns of an interval: `[−12.3, −10.1]` and the mark that says it excludes 0.
const INTERVAL: usize = 17;

/// Draws the comparison in a buffer, which may be off-screen.
pub(super) fn render(app: &Compare, area: Rect, buf: &mut Buffer) {
    whole(&app.view.theme, app.view.glyphs, area, buf, |area, buf| parts(app, area, buf));
}

fn parts(app: &Compare, area: Rect, buf: &mut Buffer) {
    let theme = &app.view.theme;
    let [top, legend, body, keys] =
        Layout::vertical([Constraint::Length(1), Constraint::Length(1), Constraint::Min(1), Constraint::Length(1)])
            .areas(area);
    header(app, top, buf);
    arms(app, legend, buf);
    let [overlay, differences] = divided(body);
    chart(app, overlay, buf);
    rows(app, differences, buf);
    hints(app, keys, buf);
    if let Some(row) = app.view.help {
        let help = dialogs::Keys { what: "a comparison", first: row, theme, glyphs: app.view.glyphs };
        help.render(keymap::bindings(Context::Compare), body, buf);
    }
}

/// Chart and panel, side by side where there is room for both.
fn divided(body: Rect) -> [Rect; 2] {
    let panel = match body.width {
        0..76 => {
            return Layout::vertical([Constraint::Fill(1), Constraint::Fill(1)]).areas(body);
        }
        76..104 => 40,
        104..150 => 60,
        _ => 64,
    };
    Layout::horizontal([Constraint::Fill(1), Constraint::Length(panel)]).areas(body)
}

fn header(app: &Compare, area: Rect, buf: &mut Buffer) {
    let theme = &app.view.theme;
    let mut stages: Vec<&str> = app.arms().iter().flat_map(|a| &a.courses).map(|c| c.stage.as_str()).collect();
    stages.dedup();
    let by = match app.view.by {
        By::Step => "by step",
        By::Loss => "at matched training loss",
        By::Margin => "at matched training margin",
    };
    Line::from(vec![
        Span::styled(" compare", theme.accent().add_modifier(Modifier::BOLD)),
        Span::styled(format!(" · stage {} · ", stages.join(", ")), theme.text()),
        Span::styled(by, theme.accent()),
    ])
    .render(area, buf);
}

/// The arms by marker, colour and name; how many runs each has where there is room for it.
fn arms(app: &Compare, area: Rect, buf: &mut Buffer) {
    let theme = &app.view.theme;
    let runs = |at: usize| {
        let (count, role) = (app.arms()[at].courses.len(), if at == 0 { ", baseline" } else { "" });
        format!(" ({count} {}{role})", if count == 1 { "run" } else { "runs" })
    };
    let wide: usize = app.arms().iter().enumerate().map(|(at, a)| 4 + a.label.as_str().width() + runs(at).len()).sum();
    let crowded = wide > usize::from(area.width);
    let room = if crowded { (usize::from(area.width) / app.arms().len().max(1)).saturating_sub(4) } else { wide };
    let mut spans = Vec::new();
    for (at, arm) in app.arms().iter().enumerate() {
        let (look, selected) = (theme.arm(at), at == app.view.arm);
        let style = if selected { look.style.add_modifier(Modifier::BOLD) } else { look.style };
        let name = if selected { style.add_modifier(Modifier::UNDERLINED) } else { style };
        spans.push(Span::styled(format!("  {} ", app.view.glyphs.glyph(look.marker)), style));
        spans.push(Span::styled(fit(arm.label.as_str(), room), name));
        if !crowded {
            spans.push(Span::styled(runs(at), theme.dim()));
        }
    }
    Line::from(spans).render(area, buf);
}

fn chart(app: &Compare, area: Rect, buf: &mut Buffer) {
    let view = &app.view;
    let quartiles =
        app.arms().get(view.arm).map_or_else(String::new, |a| format!(" · shaded: quartiles of {}", a.label));
    let said = fit(&format!("mean over prompts{quartiles}"), usize::from(area.width).saturating_sub(SYMBOL + 10));
    let block = panel(title(view.curve.symbol(), said, false, &view.theme), false, &view.theme, view.glyphs);
    let inner = block.inner(area);
    block.render(area, buf);
    let aligned = match app.aligned() {
        Ok(aligned) => aligned,
        Err(why) => {
            let text = format!("{why}; b aligns by another measure");
            Paragraph::new(text).style(view.theme.warning()).wrap(Wrap::default()).render(inner, buf);
            return;
        }
    };
    let lines = app.overlays().iter().enumerate().map(|(at, overlay)| ChartLine {
        label: app.arms()[at].label.to_string(),
        series: Cow::Borrowed(&overlay.mean),
        band: overlay.band.as_ref().map(|(low, high)| (Cow::Borrowed(low), Cow::Borrowed(high))),
        look: view.theme.arm(at),
        focused: at == view.arm,
        weight: Weight::Plain,
    });
    overlay(app, aligned, lines.collect(), inner, buf);
}

fn overlay(app: &Compare, aligned: &Aligned, lines: Vec<ChartLine<'_>>, area: Rect, buf: &mut Buffer) {
    let view = &app.view;
    let places = super::app::places(aligned);
    Chart {
        title: view.scale.title().to_owned(),
        lines,
        marks: Vec::new(),
        x: (places.first().copied().unwrap_or(0), places.last().copied().unwrap_or(1)),
        y: None,
        cursor: view.cursor.and_then(|_| places.get(app.point()).copied()),
        glyphs: view.glyphs,
        hint: "no run has this curve",
        theme: &view.theme,
    }
    .render_over(x_axis(aligned), area, buf);
}

/// The axis of an alignment.
pub(super) fn x_axis(aligned: &Aligned) -> XAxis {
    match aligned.by() {
        By::Step => XAxis::STEPS,
        by => XAxis::numbers(by.axis(), aligned.at(0), aligned.at(aligned.end())),
    }
}

/// Decimals of a scale.
fn decimals(scale: Scale) -> usize {
    match scale {
        Scale::LogProb | Scale::Delta | Scale::StageDelta => 1,
        Scale::PerToken => 2,
        Scale::Probability => 3,
    }
}

fn rows(app: &Compare, area: Rect, buf: &mut Buffer) {
    let view = &app.view;
    let theme = &view.theme;
    let names = app.arms().get(view.arm).zip(app.arms().first());
    let names = names.map_or_else(String::new, |(arm, baseline)| format!("{} − {}", arm.label, baseline.label));
    let said = fit(&names, usize::from(area.width).saturating_sub(20));
    let block = panel(title("differences", said, false, theme), false, theme, view.glyphs)
        .title_bottom(Line::styled(" * 95 % interval without 0 ", theme.dim()));
    let inner = block.inner(area);
    block.render(area, buf);
    let width = usize::from(inner.width);
    let levels = width > SYMBOL + 18 + 8 + INTERVAL;
    let mut lines = vec![place(app), headings(levels, theme)];
    let room = usize::from(inner.height).saturating_sub(lines.len());
    let at = app.rows().iter().position(|r| r.curve == view.curve).unwrap_or(0);
    let first = (at + 1).saturating_sub(room);
    lines.extend(app.rows().iter().skip(first).take(room).map(|r| row(app, r, levels, width)));
    Paragraph::new(lines).render(inner, buf);
}

/// The line that says where the differences are read, and over what.
fn place(app: &Compare) -> Line<'static> {
    let theme = &app.view.theme;
    let Ok(aligned) = app.aligned() else { return Line::default() };
    let value = aligned.at(app.point());
    let at = match aligned.by() {
        By::Step => format!("step {value:.0}"),
        By::Loss => format!("loss {value:.3}"),
        By::Margin => format!("margin {value:.1} nats"),
    };
    let end = if app.point() == aligned.end() { ", the end" } else { "" };
    let selected = app.rows().iter().find(|r| r.curve == app.view.curve).map(|r| r.difference);
    let of_means = aligned.arms().iter().flat_map(|arm| &arm.courses).any(|course| course.of_means);
    let over = selected.map_or_else(String::new, |d| match (of_means, d.paired) {
        (true, _) => " · means over prompts".to_owned(),
        (false, true) => format!(" · {} pairs", d.estimate.n),
        (false, false) => format!(" · unpaired, n {}", d.estimate.n),
    });
    Line::styled(format!(" at {at}{end}{over}"), theme.text())
}

fn headings(levels: bool, theme: &Theme) -> Line<'static> {
    let mut text = format!(" {}", left("curve", SYMBOL));
    if levels {
        text += &format!("{}{}", right("baseline", 9), right("arm", 9));
    }
    text += &format!("{} {}", right("diff.", 8), "95 % interval");
    Line::styled(text, theme.dim())
}

fn row(app: &Compare, row: &Row, levels: bool, width: usize) -> Line<'static> {
    let theme = &app.view.theme;
    let decimals = decimals(app.view.scale);
    let estimate = row.difference.estimate;
    let selected = row.curve == app.view.curve;
    let bold = if selected { Style::new().add_modifier(Modifier::BOLD) } else { Style::new() };
    let mut spans = vec![Span::styled(format!(" {}", left(row.curve.symbol(), SYMBOL)), bold)];
    let mut used = 1 + SYMBOL + 8;
    if levels {
        used += 18;
        for value in [row.baseline, row.arm] {
            spans.push(Span::styled(format!(" {}", fitted(value, decimals, 8, number)), theme.dim()));
        }
    }
    let clear = row.difference.excludes_zero();
    let (style, mark) = match (clear, estimate.value > 0.0) {
        (false, _) => (theme.dim(), ""),
        (true, true) => (theme.gain(), " *"),
        (true, false) => (theme.loss(), " *"),
    };
    let value = if clear { style } else { Style::new() };
    spans.push(Span::styled(format!(" {}", fitted(estimate.value, decimals, 7, change)), value));
    let interval = format!(" [{}, {}]", change(estimate.low, decimals), change(estimate.high, decimals));
    let interval = fit(&interval, width.saturating_sub(used + 2)) + mark;
    spans.push(Span::styled(left(&interval, width.saturating_sub(used)), style));
    let line = Line::from(spans);
    if selected { line.patch_style(theme.selection()) } else { line }
}

fn hints(app: &Compare, area: Rect, buf: &mut Buffer) {
    let theme = &app.view.theme;
    if let Some(notice) = app.notice().filter(|_| app.view.help.is_none()) {
        notice.line(area.width, theme).render(area, buf);
        return;
    }
    let mode = if app.view.help.is_some() { Context::Help } else { Context::Compare };
    let hints =
        keymap::bindings(mode).filter(|b| !b.hint.is_empty()).map(|b| (footer::key_name(b, app.view.glyphs), b.hint));
    Line::from(footer::keys(hints, area.width.into(), theme)).render(area, buf);
}

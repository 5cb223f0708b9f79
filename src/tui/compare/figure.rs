//! Small multiples off-screen: one chart a curve, one line an arm. What a sweep ends with.

use std::borrow::Cow;

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::Line;
use ratatui::widgets::Widget;

use super::app::places;
use super::view::x_axis;
use crate::history::{Aligned, CurveId, Scale, Series};
use crate::tui::chart::{Chart, ChartLine, Weight};
use crate::tui::glyphs;
use crate::tui::glyphs::Glyphs;
use crate::tui::theme::Theme;
use crate::tui::view::text::{fit, panel, title};

/// Draws the curves one below the other, under a heading, on a screen of so many columns and rows.
pub fn figure(
    aligned: &Aligned,
    heading: &str,
    curves: &[CurveId],
    (theme, glyphs): (&Theme, Glyphs),
    (columns, rows): (u16, u16),
) -> Buffer {
    let area = Rect::new(0, 0, columns, rows);
    let mut buf = Buffer::empty(area);
    buf.set_style(area, theme.text());
    let [top, body] = Layout::vertical([Constraint::Length(1), Constraint::Fill(1)]).areas(area);
    Line::styled(fit(&format!(" {heading}"), area.width.into()), theme.accent()).render(top, &mut buf);
    let rows = Layout::vertical(vec![Constraint::Fill(1); curves.len().max(1)]).split(body);
    let places = places(aligned);
    for (&curve, &row) in curves.iter().zip(rows.iter()) {
        let block = panel(title(curve.symbol(), "mean over prompts and seeds", false, theme), false, theme, glyphs);
        let inner = block.inner(row);
        block.render(row, &mut buf);
        let line = |(at, arm): (usize, &crate::history::Arm)| ChartLine {
            label: arm.label.to_string(),
            series: Cow::Owned(Series::new(places.clone(), aligned.mean(at, curve, Scale::StageDelta))),
            band: None,
            look: theme.arm(at),
            focused: false,
            weight: Weight::Plain,
        };
        Chart {
            title: Scale::StageDelta.title().to_owned(),
            lines: aligned.arms().iter().enumerate().map(line).collect(),
            marks: Vec::new(),
            x: (places.first().copied().unwrap_or(0), places.last().copied().unwrap_or(1)),
            y: None,
            cursor: None,
            glyphs,
            hint: "no run has this curve",
            theme,
        }
        .render_over(x_axis(aligned), inner, &mut buf);
    }
    glyphs::settle(glyphs, area, &mut buf);
    buf
}

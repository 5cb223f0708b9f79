//! The line chart: many labelled lines over steps, in the dots of a terminal.
//!
//! ```text
//! log p (nats, sum)                     title
//!      S                    !           letters of the marks
//!   0 ┤·┊···················┊··········
//!     │⠑⠢⣀┊                ┊    ⣀⠤⠒⠉─ ★ y* on y⁺      labels stand right of the lines' ends,
//! -10 ┤···⠑⢄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┊⠤⠒⠉⠢⢄   ╲ ● y⁺           pushed apart, joined by leaders
//!     │     ⠑⠤⣀⡀           ┊     ⠈⠢  ■ y⁻
//!     └┬────────┬────────┬─────────┬─
//!      0       50       100       150   ticks, the cursor's step
//! ```
//!
//! Nothing is ever drawn outside the area, whatever its size: parts that do not fit are left out, the lines last.

mod axis;
mod canvas;
mod labels;
mod layout;
mod line;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::widgets::Widget;

use self::axis::Bounds;
pub use self::axis::XAxis;
use self::canvas::{Canvas, Pen};
use self::labels::EndLabel;
use self::layout::{Layout, width};
pub use self::line::{ChartLine, Weight};
use super::glyphs::Glyphs;
use super::theme::Theme;
use crate::history::Summary;
use crate::history::columns::Columns;
use crate::history::reduce::reduce;
use crate::text::fit;

/// A vertical line with a letter at the top.
#[derive(Debug, Clone)]
pub struct ChartMark {
    /// The step at which it stands.
    pub step: u64,
    /// The letter or short word at the top; displayable text.
    pub label: Cow<'static, str>,
    /// How it is drawn.
    pub style: Style,
}

/// A chart of lines over steps.
#[derive(Debug, Clone)]
pub struct Chart<'a> {
    /// Title of the y axis.
    pub title: String,
    /// The lines.
    pub lines: Vec<ChartLine<'a>>,
    /// Vertical marks.
    pub marks: Vec<ChartMark>,
    /// First and last step shown.
    pub x: (u64, u64),
    /// Lower and upper bound; `None` fits the finite values in view.
    pub y: Option<(f64, f64)>,
    /// The cursor's step.
    pub cursor: Option<u64>,
    /// The glyphs.
    pub glyphs: Glyphs,
    /// Shown in the middle when there is no line ("every group is hidden: press 0").
    pub hint: &'a str,
    /// The palette.
    pub theme: &'a Theme,
}

impl Widget for Chart<'_> {
    fn render(self, area: Rect, buf: &mut Buffer) {
        self.render_over(XAxis::STEPS, area, buf);
    }
}

impl Chart<'_> {
    /// Draws the chart over an axis that may count something else than the run's steps.
    pub fn render_over(mut self, x_axis: XAxis, area: Rect, buf: &mut Buffer) {
        let area = area.intersection(buf.area);
        if area.is_empty() {
            return;
        }
        self.lines.sort_by_key(ChartLine::rank);
        let visible = self.visible();
        let bounds = Bounds::new(self.y, visible.finite);
        let ticks = axis::value_ticks(bounds, area.height.saturating_sub(3));
        let layout = self.layout(area, &ticks);

        if !layout.title.is_empty() {
            let title = fit(&self.title, usize::from(layout.title.width));
            buf.set_string(layout.title.x, layout.title.y, title, self.theme.dim());
        }
        if visible.extremes.is_none() {
            let hint = fit(self.hint, usize::from(area.width));
            let x = area.x + (area.width - width(&hint)) / 2;
            buf.set_string(x, area.y + area.height / 2, hint, self.theme.dim());
            return;
        }
        axis::draw_y(&layout, bounds, &ticks, self.glyphs, self.theme, buf);
        axis::draw_x(&layout, x_axis, self.x, self.glyphs, self.theme, buf);
        self.draw_marks(&layout, buf);
        self.draw_cursor(&layout, x_axis, buf);
        let ends = self.draw_lines(&layout, bounds, buf);
        labels::draw(&layout, ends, self.glyphs, self.theme, buf);
    }

    fn layout(&self, area: Rect, ticks: &[axis::Tick]) -> Layout {
        let tick_width = ticks.iter().map(|t| width(&t.label)).max().unwrap_or(0);
        let labelled = self.lines.iter().filter(|l| l.focused || l.weight != Weight::Faint);
        let label_width = labelled.map(|l| labels::width_of(&l.label)).max().unwrap_or(0);
        Layout::new(area, tick_width, label_width, !self.marks.is_empty())
    }

    /// The step that lies at a column of the screen, where the chart has this area; `None` beside the plot.
    pub fn step_at(&self, area: Rect, column: u16) -> Option<u64> {
        let ticks = axis::value_ticks(Bounds::new(self.y, self.visible().finite), area.height.saturating_sub(3));
        let plot = self.layout(area, &ticks).plot;
        let dots = u32::from(self.glyphs.dots().0);
        let columns = Columns::new(self.x, u32::from(plot.width) * dots);
        (plot.x..plot.right()).contains(&column).then(|| columns.start(u32::from(column - plot.x) * dots + dots / 2))
    }

    /// What is in view of the lines that matter; of all lines, where none of those is there.
    fn visible(&self) -> Summary {
        let view = (self.x.0.min(self.x.1), self.x.0.max(self.x.1));
        let of = |faint: bool| {
            let lines = self.lines.iter().filter(|line| faint || line.weight != Weight::Faint);
            lines.map(|line| line.series.summary_of_steps(view)).reduce(Summary::join).unwrap_or_default()
        };
        let matter = of(false);
        if matter.extremes.is_some() { matter } else { of(true) }
    }

    /// The cell column of a step, if it is in view.
    fn column(&self, plot: Rect, step: u64) -> Option<u16> {
        let dots = Columns::new(self.x, u32::from(plot.width) * u32::from(self.glyphs.dots().0));
        let column = dots.of(step) / i64::from(self.glyphs.dots().0);
        u16::try_from(column).ok().filter(|&c| c < plot.width).map(|c| plot.x + c)
    }

    /// The first step after those of a cell column.
    fn end_of(&self, plot: Rect, column: u16) -> u64 {
        let dots = u32::from(self.glyphs.dots().0);
        let columns = Columns::new(self.x, u32::from(plot.width) * dots);
        columns.start((u32::from(column - plot.x) + 1) * dots)
    }

    /// Vertical lines below the curves; their labels stay apart from each other or are left out.
    fn draw_marks(&self, layout: &Layout, buf: &mut Buffer) {
        let symbol = if self.glyphs == Glyphs::Ascii { ":" } else { "┊" };
        let mut free = layout.marks.x;
        let mut marks: Vec<_> = self.marks.iter().collect();
        marks.sort_by_key(|m| m.step);
        // There may be many in one column, which is then worked out once.
        let (mut column, mut until) = (None, 0);
        let placed = marks.into_iter().filter_map(|mark| {
            if mark.step >= until {
                column = self.column(layout.plot, mark.step);
                until = column.map_or(mark.step.saturating_add(1), |x| self.end_of(layout.plot, x));
            }
            Some((column?, mark))
        });
        let mut placed = placed.peekable();
        while let Some((x, mark)) = placed.next() {
            // Of many in one column the last is seen.
            if placed.peek().is_none_or(|(next, _)| *next != x) {
                for y in layout.plot.y..layout.plot.bottom() {
                    buf[(x, y)].set_symbol(symbol).set_style(mark.style);
                }
            }
            // No label is wider than its bytes: this one has no room.
            if usize::from(free) > usize::from(x) + mark.label.len() {
                continue;
            }
            let text = fit(&mark.label, usize::from(layout.marks.right().saturating_sub(free.max(layout.marks.x))));
            let wide = width(&text);
            let at = x.min(layout.marks.right().saturating_sub(wide)).max(free);
            // A label that had to move further than its own width would be read as another mark's.
            if layout.marks.height > 0 && wide > 0 && at + wide <= layout.marks.right() && at - at.min(x) <= wide {
                buf.set_string(at, layout.marks.y, text, mark.style);
                free = at + wide + 1;
            }
        }
    }

    /// The cursor's line below the curves and its step on the x axis.
    fn draw_cursor(&self, layout: &Layout, x_axis: XAxis, buf: &mut Buffer) {
        let Some((step, x)) = self.cursor.and_then(|s| Some((s, self.column(layout.plot, s)?))) else { return };
        let symbol = if self.glyphs == Glyphs::Ascii { "|" } else { "│" };
        for y in layout.plot.y..layout.plot.bottom() {
            buf[(x, y)].set_symbol(symbol).set_style(self.theme.border(true));
        }
        if layout.x_axis.height < 2 {
            return;
        }
        let text = format!(" {} ", x_axis.label(self.x, step));
        let wide = width(&text);
        if wide <= layout.x_axis.width {
            let left = x.saturating_sub(wide / 2).clamp(layout.x_axis.x, layout.x_axis.right() - wide);
            let style = self.theme.accent().add_modifier(Modifier::REVERSED);
            let y = layout.x_axis.y + 1;
            // A tick's label that the cursor's would cut or touch goes.
            let blank = |x: &u16, buf: &mut Buffer| {
                let cell = buf.cell_mut((*x, y)).filter(|cell| cell.symbol() != " ");
                cell.map(|cell| cell.set_symbol(" ")).is_some()
            };
            let (before, after) = (layout.x_axis.x..left, left + wide..layout.x_axis.right());
            let _ = before.rev().take_while(|x| blank(x, buf)).count() + after.take_while(|x| blank(x, buf)).count();
            buf.set_string(left, y, text, style);
        }
    }

    /// The curves; returns where each of them ends.
    fn draw_lines(&self, layout: &Layout, bounds: Bounds, buf: &mut Buffer) -> Vec<EndLabel> {
        let plot = layout.plot;
        let mut canvas = Canvas::new(plot, self.glyphs);
        let (dots_x, dots_y) = canvas.size();
        let columns = Columns::new(self.x, dots_x);
        let place = |step: u64, value: f64| (columns.of(step), bounds.dot(value, dots_y));
        for line in self.lines.iter().filter(|l| l.focused) {
            if let Some((low, high)) = &line.band {
                canvas.band(&reduce(low, columns), &reduce(high, columns), place, self.theme.faint());
            }
        }
        let mut ends = Vec::new();
        let spacing = 14 * i64::from(self.glyphs.dots().0);
        for (i, line) in self.lines.iter().enumerate() {
            let points = reduce(&line.series, columns);
            let faint = line.weight == Weight::Faint && !line.focused;
            let mut pen = Pen::new(line.style(), line.look.dash, line.rank());
            pen = match line.weight {
                Weight::Thick => pen.wide(2),
                Weight::Heavy => pen.wide(3),
                Weight::Plain | Weight::Faint => pen,
            };
            let mut last = None;
            // Markers of neighbouring lines are staggered so that they do not hide one another.
            let mut next_marker = (i as i64 * 5 % 14) * i64::from(self.glyphs.dots().0);
            let mut marks = Vec::new();
            for (step, value) in points.iter() {
                if value.is_nan() {
                    pen.lift();
                    continue;
                }
                let (x, y) = place(step, value);
                canvas.line_to(&mut pen, x, y);
                if faint {
                    continue;
                }
                if value.is_infinite() {
                    marks.push((x, y, if value < 0.0 { '▼' } else { '▲' }));
                } else if !(0..i64::from(dots_y)).contains(&y) {
                    // Beyond the bounds that were asked for: an arrow at the edge, so that nothing leaves unseen.
                    if x >= next_marker {
                        let edge = if y < 0 { 0 } else { i64::from(dots_y) - 1 };
                        marks.push((x, edge, if y < 0 { '▲' } else { '▼' }));
                        next_marker = x + spacing;
                    }
                } else if x >= next_marker || line.focused && x >= next_marker - spacing / 2 {
                    marks.push((x, y, line.look.marker));
                    next_marker = x + spacing;
                }
                if (0..i64::from(dots_x)).contains(&x) {
                    last = Some((x, y));
                }
            }
            for (x, y, marker) in marks {
                canvas.marker(x, y, marker, &pen);
            }
            if let (Some((x, y)), false) = (last, line.label.is_empty() || faint) {
                ends.push(EndLabel::new(line, x, y.clamp(0, i64::from(dots_y) - 1), self.glyphs));
            }
        }
        canvas.draw(buf);
        ends
    }
}

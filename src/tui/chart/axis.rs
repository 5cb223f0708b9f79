//! Bounds, nice numbers, axes.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::layout::{Layout, width};
use crate::history::columns::{Columns, nice};
use crate::text::fit;
use crate::tui::glyphs::Glyphs;
use crate::tui::theme::Theme;

/// The values at the bottom and the top of the plot; finite, and apart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Bounds {
    low: f64,
    high: f64,
}

impl Bounds {
    /// The bounds that were asked for, or those that hold the finite values, `held` being the smallest and the largest of
    /// them, with a little air.
    pub(super) fn new(asked: Option<(f64, f64)>, held: Option<(f64, f64)>) -> Self {
        // Half of what f64 holds, so that a difference of two bounds is finite.
        const LIMIT: f64 = f64::MAX / 4.0;
        let asked = asked.filter(|(a, b)| a.is_finite() && b.is_finite());
        let Some((low, high)) = asked.or(held) else { return Self { low: -1.0, high: 1.0 } };
        let (low, high) = (low.min(high).clamp(-LIMIT, LIMIT), low.max(high).clamp(-LIMIT, LIMIT));
        if high - low <= low.abs().max(high.abs()) * 1e-12 {
            let air = (high.abs() * 0.05).max(1e-9).max(if high == 0.0 { 1.0 } else { 0.0 });
            return Self { low: low - air, high: high + air };
        }
        if asked.is_some() {
            return Self { low, high };
        }
        // Air never crosses zero: a log-prob has no values above it.
        let air = (high - low) * 0.04;
        let low = if low >= 0.0 { (low - air).max(0.0) } else { low - air };
        let high = if high <= 0.0 { (high + air).min(0.0) } else { high + air };
        Self { low, high }
    }

    /// The dot row of a value, 0 at the top; values beyond the bounds lie beyond the rows, infinities at the edge.
    #[allow(clippy::cast_possible_truncation, reason = "clamped to a few screens")]
    pub(super) fn dot(self, value: f64, rows: u32) -> i64 {
        let edge = f64::from(rows.max(1) - 1);
        if value.is_infinite() {
            return if value > 0.0 { 0 } else { edge as i64 };
        }
        let share = (self.high - value) / (self.high - self.low);
        (share * edge).round().clamp(-4.0 * edge - 4.0, 5.0 * edge + 4.0) as i64
    }

    /// Whether the value lies inside, edges included.
    fn holds(self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }
}

/// A value with its label.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tick {
    pub(super) value: f64,
    pub(super) label: String,
}

/// What the x axis counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct XAxis {
    name: &'static str,
    /// What the first and the last step in view stand for; steps themselves if absent.
    ends: Option<(f64, f64)>,
}

impl XAxis {
    /// Optimiser steps.
    pub const STEPS: Self = Self { name: "step", ends: None };

    /// Numbers: the chart's steps are places on a scale that runs evenly from `first` to `last`, which may be smaller.
    pub fn numbers(name: &'static str, first: f64, last: f64) -> Self {
        Self { name, ends: Some((first, last)) }
    }

    /// A place as it is written under the axis.
    #[allow(clippy::cast_precision_loss, reason = "places on a screen")]
    pub(super) fn label(self, x: (u64, u64), at: u64) -> String {
        let Some((first, last)) = self.ends else { return at.to_string() };
        let span = x.1.saturating_sub(x.0).max(1) as f64;
        let value = first + (last - first) * (at.saturating_sub(x.0) as f64 / span);
        let digits = digits_of(nice((last - first).abs() / 100.0));
        format!("{value:.digits$}")
    }

    /// Places of the ticks, in dots from the left of `dots`, and their labels.
    fn ticks(self, x: (u64, u64), cells: u16, dots: u32) -> Vec<(i64, String)> {
        let Some((first, last)) = self.ends.filter(|(a, b)| (a - b).abs() > 0.0) else {
            let columns = Columns::new(x, dots);
            return step_ticks(x, cells).into_iter().map(|(step, label)| (columns.of(step), label)).collect();
        };
        let bounds = Bounds { low: first.min(last), high: first.max(last) };
        // One tick in four rows is as close as ticks of values get: here, one in ten columns.
        let edge = f64::from(dots.max(1) - 1);
        #[allow(clippy::cast_possible_truncation, reason = "dots of a screen")]
        let dot = |value: f64| ((value - first) / (last - first) * edge).round() as i64;
        let mut ticks: Vec<_> =
            value_ticks(bounds, cells / 5 * 2).into_iter().map(|tick| (dot(tick.value), tick.label)).collect();
        ticks.sort_by_key(|&(dot, _)| dot);
        ticks
    }
}

/// Decimals that tell multiples of a step apart.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few digits")]
fn digits_of(step: f64) -> usize {
    (-step.log10().floor()).clamp(0.0, 9.0) as usize
}

/// Rows of a plot from which its values have three ticks.
const ROWS_OF_THREE: u16 = 6;

/// Ticks at round values, about one in four rows; at least three where there is room for them.
pub(super) fn value_ticks(bounds: Bounds, rows: u16) -> Vec<Tick> {
    let wanted = (f64::from(rows) / 4.0).clamp(1.0, 10.0);
    let mut step = nice((bounds.high - bounds.low) / wanted);
    let held = |step: f64| (bounds.high / step + 1e-9).floor() - (bounds.low / step - 1e-9).ceil() + 1.0;
    // Two round numbers do not say whether a scale is linear.
    if rows >= ROWS_OF_THREE {
        while step.is_finite() && step > 0.0 && held(step) < 3.0 {
            step = nice(step / 3.0);
        }
    }
    if !step.is_finite() || step <= 0.0 {
        return Vec::new();
    }
    let digits = digits_of(step);
    let first = (bounds.low / step - 1e-9).ceil();
    (0..32)
        .map(|i| (first + f64::from(i)) * step)
        .take_while(|&x| x <= bounds.high + step * 1e-9)
        .map(|value| {
            let magnitude = value.abs().max(step);
            let label = if (1e-5..1e7).contains(&magnitude) {
                // Adding zero turns -0 into 0.
                format!("{:.digits$}", if value.abs() < step / 2.0 { 0.0 } else { value })
            } else {
                format!("{value:.1e}")
            };
            Tick { value, label }
        })
        .collect()
}

/// Ticks at round steps, so far apart that the labels do not touch.
pub(super) fn step_ticks(x: (u64, u64), cells: u16) -> Vec<(u64, String)> {
    let (first, last) = Columns::new(x, 2).steps();
    let wide = width(&step_label(last, 1)) + 3;
    let wanted = u64::from((cells / wide.max(8)).clamp(1, 12));
    let mut gap = 1u64;
    for factor in [2, 5, 10].into_iter().cycle() {
        if (last - first) / gap <= wanted {
            break;
        }
        let base = 10u64.pow(gap.ilog10());
        gap = match factor {
            10 => base.saturating_mul(10),
            f => base.saturating_mul(f),
        };
    }
    let mut at = first.div_ceil(gap).saturating_mul(gap);
    let mut ticks = Vec::new();
    while at <= last && ticks.len() < 64 {
        ticks.push((at, step_label(at, gap)));
        let Some(next) = at.checked_add(gap) else { break };
        at = next;
    }
    ticks
}

/// A step in full, or in thousands or millions where that loses nothing.
fn step_label(step: u64, gap: u64) -> String {
    match (step, gap) {
        (1_000_000.., _) if gap.is_multiple_of(100_000) => match step / 100_000 % 10 {
            0 => format!("{}M", step / 1_000_000),
            tenths => format!("{}.{tenths}M", step / 1_000_000),
        },
        (10_000.., _) if gap.is_multiple_of(1_000) => format!("{}k", step / 1_000),
        _ => step.to_string(),
    }
}

/// Tick values, the axis line, faint grid lines and the zero line.
pub(super) fn draw_y(layout: &Layout, bounds: Bounds, ticks: &[Tick], glyphs: Glyphs, theme: &Theme, buf: &mut Buffer) {
    let Layout { plot, y_axis, .. } = *layout;
    let ascii = glyphs == Glyphs::Ascii;
    let (line, notch, grid, zero) = if ascii { ("|", "+", ".", "-") } else { ("│", "┤", "·", "─") };
    if !y_axis.is_empty() {
        for y in plot.y..plot.bottom() {
            buf[(y_axis.right() - 1, y)].set_symbol(line).set_style(theme.border(false));
        }
    }
    let row = |value: f64| {
        let rows = u32::from(plot.height) * u32::from(glyphs.dots().1);
        let dot = bounds.dot(value, rows).clamp(0, i64::from(rows) - 1);
        plot.y + u16::try_from(dot / i64::from(glyphs.dots().1)).unwrap_or(0)
    };
    let mut taken = None;
    for tick in ticks.iter().filter(|t| bounds.holds(t.value) && plot.height > 0) {
        let y = row(tick.value);
        if taken.replace(y) == Some(y) {
            continue;
        }
        for x in (plot.x..plot.right()).filter(|x| (x - plot.x) % 4 == 3) {
            buf[(x, y)].set_symbol(grid).set_style(theme.faint());
        }
        if !y_axis.is_empty() {
            buf[(y_axis.right() - 1, y)].set_symbol(notch);
            let label = fit(&tick.label, usize::from(y_axis.width.saturating_sub(2)));
            let x = y_axis.right() - 2 - width(&label);
            buf.set_string(x, y, label, theme.dim());
        }
    }
    if bounds.low < 0.0 && bounds.high > 0.0 {
        for x in plot.x..plot.right() {
            buf[(x, row(0.0))].set_symbol(zero).set_style(theme.faint());
        }
    }
}

/// The axis line, ticks and steps.
pub(super) fn draw_x(layout: &Layout, axis: XAxis, x: (u64, u64), glyphs: Glyphs, theme: &Theme, buf: &mut Buffer) {
    let Layout { plot, x_axis, y_axis, .. } = *layout;
    if x_axis.height < 2 || plot.is_empty() {
        return;
    }
    let ascii = glyphs == Glyphs::Ascii;
    let (line, notch, corner) = if ascii { ("-", "+", "+") } else { ("─", "┬", "└") };
    for x in plot.x..plot.right() {
        buf[(x, x_axis.y)].set_symbol(line).set_style(theme.border(false));
    }
    if !y_axis.is_empty() {
        buf[(plot.x - 1, x_axis.y)].set_symbol(corner).set_style(theme.border(false));
    }
    let (dots, _) = glyphs.dots();
    let mut free = x_axis.x;
    for (dot, label) in axis.ticks(x, plot.width, u32::from(plot.width) * u32::from(dots)) {
        let Ok(cell) = u16::try_from(dot / i64::from(dots)) else { continue };
        if cell >= plot.width {
            continue;
        }
        buf[(plot.x + cell, x_axis.y)].set_symbol(notch);
        let wide = width(&label);
        let left = (plot.x + cell).saturating_sub(wide / 2).max(free).min(x_axis.right().saturating_sub(wide));
        if left >= free && left + wide <= x_axis.right() {
            buf.set_string(left, x_axis.y + 1, label, theme.dim());
            free = left + wide + 1;
        }
    }
    axis_name(axis.name, Rect { x: free, width: x_axis.right().saturating_sub(free), ..x_axis }, theme, buf);
}

/// Says what the x axis counts, where the last tick leaves room.
fn axis_name(name: &str, room: Rect, theme: &Theme, buf: &mut Buffer) {
    if room.width > width(name) {
        buf.set_string(room.x + 1, room.y + 1, name, theme.dim());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Series;

    fn labels(low: f64, high: f64, rows: u16) -> Vec<String> {
        let bounds = Bounds::new(Some((low, high)), None);
        value_ticks(bounds, rows).into_iter().map(|t| t.label).collect()
    }

    #[test]
    fn ticks_are_round_numbers() {
        assert_eq!(labels(-37.0, 0.0, 20), ["-30", "-20", "-10", "0"]);
        assert_eq!(labels(0.0, 1.0, 20), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(labels(-800.0, 0.0, 12), ["-800", "-600", "-400", "-200", "0"]);
        assert_eq!(labels(-5.1, 0.2, 6).len(), 3);
        assert_eq!(labels(1.0e-4, 1.2e-4, 8), ["0.00010", "0.00011", "0.00012"]);
        let steps = |x, cells| step_ticks(x, cells).into_iter().map(|t| t.1).collect::<Vec<_>>();
        assert_eq!(steps((0, 150), 40), ["0", "50", "100", "150"]);
        assert_eq!(steps((0, 1_000_000), 60), ["0", "200k", "400k", "600k", "800k", "1M"].map(String::from));
        assert_eq!(steps((7, 7), 60), ["7", "8"]);
        assert_eq!(steps((0, 3), 100), ["0", "1", "2", "3"]);
    }

    #[test]
    fn an_axis_of_numbers_runs_either_way() {
        let loss = XAxis::numbers("loss", 0.69, 0.19);
        let ticks = loss.ticks((0, 64), 50, 100);
        assert_eq!(ticks.iter().map(|t| t.1.as_str()).collect::<Vec<_>>(), ["0.6", "0.5", "0.4", "0.3", "0.2"]);
        assert!(ticks.is_sorted_by(|a, b| a.0 < b.0) && (0..100).contains(&ticks[0].0), "{ticks:?}");
        assert_eq!(loss.label((0, 64), 32), "0.440");
        assert_eq!(XAxis::numbers("margin", 0.0, 30.0).label((0, 64), 64), "30.0");
        assert_eq!(XAxis::STEPS.label((0, 64), 32), "32");
        assert_eq!(XAxis::numbers("x", 2.0, 2.0).ticks((7, 7), 60, 120).len(), 2, "without extent: steps");
    }

    #[test]
    fn bounds_hold_everything_that_can_be_shown() {
        let fit = |values: &[f64]| {
            let series = Series::new(0.., values.iter().copied());
            Bounds::new(None, series.summary(0..series.len()).finite)
        };
        for values in [
            vec![],
            vec![0.0],
            vec![-5.0; 3],
            vec![f64::NEG_INFINITY, -3.0, f64::INFINITY],
            vec![f64::MIN, f64::MAX],
            vec![1e-300, 2e-300],
        ] {
            let bounds = fit(&values);
            assert!(bounds.low < bounds.high && (bounds.high - bounds.low).is_finite(), "{values:?} {bounds:?}");
            assert!(values.iter().filter(|x| x.abs() < 1e300).all(|&x| bounds.holds(x)), "{values:?} {bounds:?}");
        }
        assert!(fit(&[-40.0, -0.1]).high <= 0.0, "no air above a log-prob of zero");
        assert!(fit(&[0.01, 0.9]).low >= 0.0);
    }

    #[test]
    fn infinities_clamp_at_the_edges() {
        let bounds = Bounds::new(Some((-10.0, 0.0)), None);
        assert_eq!(bounds.dot(f64::NEG_INFINITY, 40), 39);
        assert_eq!(bounds.dot(f64::INFINITY, 40), 0);
        assert_eq!(bounds.dot(0.0, 40), 0);
        assert_eq!(bounds.dot(-10.0, 40), 39);
    }
}

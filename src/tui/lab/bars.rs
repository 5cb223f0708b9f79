//! π before and after a step as bars, one a class; where there are more classes than columns, one for several.
//!
//! ```text
//!  0.20 ┤▒                      what was gained, above what stayed
//!       │█▒▒┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄ the break-even line, behind the bars
//!  0.10 ┤████░░                 what was lost, above what stayed
//!       │██████░░░
//!  0.00 ┤█████████▁▁▁▁▁▁▁▁▁▁▁▁
//!        ★▲▲▲▼▼▼▼▼▼▼▼▼▼▼▼▼▼▼▼▼y  who rose, who fell
//!        0    5    10   15   20
//! ```

use std::ops::Range;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use unicode_width::UnicodeWidthStr;

use super::app::{Lab, Scale};
use crate::dynamics::lab::Outcome;
use crate::dynamics::lab::wording::probability;
use crate::history::CurveId;
use crate::protocol::ProbeKind;
use crate::tui::glyphs::Glyphs;
use crate::tui::theme::{Theme, ThemeKind};
use crate::tui::view::text::right;

/// Columns of the y axis: a value, a gap, the line.
const AXIS: u16 = 8;
/// Widest bar, with its gap.
const WIDEST: u16 = 8;
/// The lowest probability on a logarithmic scale.
const FLOOR: f64 = -12.0;
/// Eighths of a cell, none to all.
const EIGHTHS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The scale that turns probabilities into heights.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Heights {
    /// Up to this.
    Linear(f64),
    /// A logarithmic scale from this power of ten up to 1.
    Log(f64),
}

impl Heights {
    fn new(scale: Scale, outcome: &Outcome) -> Self {
        let all = || outcome.before.iter().chain(&outcome.after).copied();
        match scale {
            Scale::Linear => {
                let highest = all().fold(0.0, f64::max).clamp(1e-9, 1.0);
                let power = 10_f64.powf(highest.log10().floor());
                let round = [1.0, 2.0, 5.0, 10.0].map(|r| r * power);
                Self::Linear(round.into_iter().find(|&top| top >= highest).unwrap_or(1.0))
            }
            Scale::Log => {
                let lowest = all().filter(|&p| p > 0.0).fold(1.0, f64::min);
                Self::Log(lowest.log10().floor().clamp(FLOOR, -1.0))
            }
        }
    }

    /// How high a probability is, 0 to 1; above 1 beyond the top.
    fn share(self, p: f64) -> f64 {
        match self {
            Self::Linear(top) => (p / top).max(0.0),
            Self::Log(floor) if p > 0.0 => (1.0 - p.log10() / floor).max(0.0),
            Self::Log(_) => 0.0,
        }
    }

    /// Values with their labels, as many as so many rows can tell apart.
    #[allow(clippy::cast_possible_truncation, reason = "at most twelve powers of ten")]
    fn ticks(self, rows: u16) -> Vec<(f64, String)> {
        match self {
            Self::Linear(top) => {
                let parts = if rows >= 8 { 4 } else { 2 };
                let decimals = (1.0 - top.log10().floor()).clamp(1.0, 9.0) as usize + usize::from(parts == 4);
                let value = |i: i32| top * f64::from(i) / f64::from(parts);
                (0..=parts).map(|i| (value(i), format!("{:.*}", decimals.min(6), value(i)))).collect()
            }
            Self::Log(floor) => {
                let powers = floor as i32;
                let every = (2 * -powers / i32::from(rows.max(1)) + 1).clamp(1, -powers);
                let label = |i: i32| if i == 0 { "1".to_owned() } else { format!("1e−{}", -i) };
                (powers..=0).rev().filter(|i| -i % every == 0).map(|i| (10_f64.powi(i), label(i))).collect()
            }
        }
    }
}

/// The classes of one bar, and how high they reach, in eighths of a cell.
struct Bar {
    classes: Range<usize>,
    /// Every class of the bar reaches here, before and after.
    kept: u32,
    /// Some class reaches here both before and after; equals `kept` where the bar is of one class.
    spread: u32,
    /// Some class reaches here before or after.
    top: u32,
    /// Whether the top is reached after the step, and not before.
    rose: bool,
}

impl Bar {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a height on a screen")]
    fn new(outcome: &Outcome, classes: Range<usize>, heights: Heights, rows: u16) -> Self {
        let eighths = |p: f64| (heights.share(p).min(1.0) * f64::from(rows) * 8.0).round() as u32;
        let (before, after) = (&outcome.before[classes.clone()], &outcome.after[classes.clone()]);
        let least = before.iter().chain(after).copied().fold(1.0, f64::min);
        let [before, after] = [before, after].map(|p| p.iter().copied().fold(0.0, f64::max));
        Self {
            classes,
            kept: eighths(least),
            spread: eighths(before.min(after)),
            top: eighths(before.max(after)),
            rose: after > before,
        }
    }

    /// Symbol and style of a cell, the lowest being 0; `None` where the bar does not reach.
    fn cell(&self, row: u32, inks: &Inks, own: Style) -> Option<(char, Style)> {
        let [kept, spread, top] = [self.kept, self.spread, self.top].map(|h| h.saturating_sub(row * 8).min(8));
        let change = if self.rose { inks.gain } else { inks.loss };
        let block = |eighths: u32| EIGHTHS[eighths as usize];
        if inks.whole_cells {
            return match (kept, spread, top) {
                (1..8, ..) if kept == top && inks.blocks => Some((block(kept), own)),
                (4.., ..) => Some((inks.kept, own)),
                (_, 4.., _) => Some((inks.spread, own)),
                (_, _, 4..) => Some(change),
                _ => None,
            };
        }
        match (kept, spread, top) {
            (_, _, 0) => None,
            // Classes of different heights: their spread matters more than what changed on top of it.
            _ if spread > kept => Some((if spread == 8 { inks.spread } else { block(spread) }, own)),
            _ if kept == top => Some((block(kept), own)),
            // A cell has two colours and the bar three: of the ways to draw it, the one that is wrong by least.
            _ => {
                let on_change = (8 - top, (block(kept), Style { bg: change.1.fg, ..own }));
                let all_change = (kept, (block(top), change.1));
                let no_change = (top - kept, (block(kept), own));
                [on_change, all_change, no_change].into_iter().min_by_key(|way| way.0).map(|way| way.1)
            }
        }
    }
}

/// What bars are drawn with.
struct Inks {
    kept: char,
    spread: char,
    gain: (char, Style),
    loss: (char, Style),
    line: char,
    /// Whether the cell in which a bar changes is whole: shades have no eighths.
    whole_cells: bool,
    /// Whether there are eighths of a cell at all.
    blocks: bool,
    y: (char, Style),
    star: (char, Style),
    rose: char,
    fell: char,
    mixed: char,
}

impl Inks {
    fn new(theme: &Theme, glyphs: Glyphs) -> Self {
        let y = theme.curve(CurveId::Probe(ProbeKind::Rejected)).style;
        let star = theme.curve(CurveId::ArgmaxChosen).style;
        if glyphs.is_plain() {
            return Self {
                kept: '#',
                spread: '=',
                gain: ('+', theme.gain()),
                loss: ('.', theme.loss()),
                line: '-',
                whole_cells: true,
                blocks: false,
                y: ('y', y),
                star: ('*', star),
                rose: '^',
                fell: 'v',
                mixed: '%',
            };
        }
        // Without colour the shades tell gain from loss.
        let colours = theme.kind != ThemeKind::Mono;
        Self {
            kept: '█',
            spread: '▓',
            gain: (if colours { '█' } else { '▒' }, theme.gain()),
            loss: (if colours { '█' } else { '░' }, theme.loss()),
            line: '┄',
            whole_cells: !colours,
            blocks: true,
            y: ('y', y),
            star: ('★', star),
            rose: '▲',
            fell: '▼',
            mixed: '◆',
        }
    }

    /// The mark below a bar: y and y* before all others.
    fn mark(&self, outcome: &Outcome, mut classes: Range<usize>, theme: &Theme) -> (char, Style) {
        if classes.contains(&outcome.step.y) {
            return (self.y.0, self.y.1.add_modifier(Modifier::REVERSED));
        }
        if classes.contains(&outcome.star) {
            return self.star;
        }
        match (classes.clone().any(|i| outcome.rose(i)), classes.any(|i| outcome.fell(i))) {
            (true, true) => (self.mixed, theme.dim()),
            (true, false) => (self.rose, theme.gain()),
            (false, true) => (self.fell, theme.loss()),
            (false, false) => (if self.blocks { '·' } else { '.' }, theme.dim()),
        }
    }
}

/// What the colours and shades mean, symbol by symbol.
pub(super) fn legend(theme: &Theme, glyphs: Glyphs) -> [(char, Style, &'static str); 4] {
    let inks = Inks::new(theme, glyphs);
    [
        (inks.kept, theme.dim(), "kept"),
        (inks.gain.0, inks.gain.1, "gained"),
        (inks.loss.0, inks.loss.1, "lost"),
        (inks.line, theme.warning(), "break-even"),
    ]
}

/// Draws the bars, the line, the marks and both axes.
pub(super) fn render(lab: &Lab, area: Rect, buf: &mut Buffer) {
    if area.width <= AXIS || area.height < 4 {
        return;
    }
    let plot = Rect { x: area.x + AXIS, width: area.width - AXIS, height: area.height - 2, ..area };
    let outcome = lab.outcome();
    let heights = Heights::new(lab.scale, outcome);
    let inks = Inks::new(&lab.theme, lab.glyphs);
    let classes = outcome.before.len();
    let wide = (usize::from(plot.width) / classes).clamp(1, WIDEST.into());
    let bars = classes.min(plot.width.into());
    // At most `plot.width` columns; the gap needs a second one.
    let (wide, ink) = (u16::try_from(wide).unwrap_or(1), u16::try_from(wide.saturating_sub(1).max(1)).unwrap_or(1));
    let used = Rect { width: u16::try_from(bars).unwrap_or(plot.width).saturating_mul(wide).min(plot.width), ..plot };
    draw_y(lab, heights, area, plot, buf);
    draw_line(lab, heights, &inks, plot, used, buf);
    let mut free = plot.x;
    for (bar, x) in (0..bars).zip((plot.x..).step_by(wide.into())) {
        let range = bar * classes / bars..(bar + 1) * classes / bars;
        let first = range.start;
        let bar = Bar::new(outcome, range.clone(), heights, plot.height);
        let own = own_style(&bar, outcome, &inks, &lab.theme);
        for row in 0..plot.height {
            let Some((symbol, style)) = bar.cell(u32::from(row), &inks, own) else { continue };
            for x in x..(x + ink).min(plot.right()) {
                buf[(x, plot.bottom() - 1 - row)].reset();
                buf[(x, plot.bottom() - 1 - row)].set_char(symbol).set_style(lab.theme.text()).set_style(style);
            }
        }
        let (mark, style) = inks.mark(outcome, range, &lab.theme);
        buf[(x + (ink - 1) / 2, plot.bottom())].set_char(mark).set_style(style);
        // Every class has its number below it where there is room, else every fifth cell or so.
        let label = first.to_string();
        let end = x + u16::try_from(label.len()).unwrap_or(u16::MAX);
        let is_round = classes <= 12 || first % round_step(classes, bars, wide) == 0;
        if x >= free && end <= plot.right() && (is_round || classes > bars) {
            buf.set_string(x, plot.bottom() + 1, &label, lab.theme.dim());
            free = end.max(x + 5) + 1;
        }
    }
}

/// Classes between two numbers of the axis.
fn round_step(classes: usize, bars: usize, wide: u16) -> usize {
    let apart = (8 * classes).div_ceil((bars * usize::from(wide)).max(1));
    [1, 2, 5, 10, 20, 50, 100, 200, 500].into_iter().find(|&step| step >= apart).unwrap_or(1000)
}

fn own_style(bar: &Bar, outcome: &Outcome, inks: &Inks, theme: &Theme) -> Style {
    if bar.classes.contains(&outcome.step.y) {
        inks.y.1
    } else if bar.classes.contains(&outcome.star) {
        inks.star.1
    } else {
        theme.dim()
    }
}

/// The row in which a height lies; `None` above the plot.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a row of a screen")]
fn row_of(share: f64, plot: Rect, below: bool) -> Option<u16> {
    let rows = share * f64::from(plot.height);
    // A height that is a whole number of rows may be a rounding away from it.
    let row = if below { (rows - 1e-9).ceil() - 1.0 } else { rows.floor() };
    (row < f64::from(plot.height)).then(|| plot.bottom() - 1 - row.max(0.0) as u16)
}

fn draw_y(lab: &Lab, heights: Heights, area: Rect, plot: Rect, buf: &mut Buffer) {
    let ascii = lab.glyphs.is_plain();
    let (line, tick) = if ascii { ("|", "+") } else { ("│", "┤") };
    for y in plot.y..plot.bottom() {
        buf.set_string(plot.x - 1, y, line, lab.theme.faint());
    }
    for (value, label) in heights.ticks(plot.height) {
        if let Some(y) = row_of(heights.share(value), plot, true) {
            let label = if ascii { label.replace('−', "-") } else { label };
            buf.set_string(area.x, y, right(&label, usize::from(AXIS) - 2), lab.theme.dim());
            buf.set_string(plot.x - 1, y, tick, lab.theme.faint());
        }
    }
}

/// The break-even line, and its value where the bars leave room for it.
fn draw_line(lab: &Lab, heights: Heights, inks: &Inks, plot: Rect, used: Rect, buf: &mut Buffer) {
    let value = lab.outcome().break_even;
    let share = heights.share(value);
    let Some(y) = row_of(share, plot, false).filter(|_| value > 0.0 && share > 0.0) else { return };
    for x in used.x..used.right() {
        buf[(x, y)].set_char(inks.line).set_style(lab.theme.warning());
    }
    let sign = if lab.settings().push_down { "" } else { "−" };
    let label = format!(" {sign}ln Z/η′ = {}", probability(value));
    if label.width() <= usize::from(plot.right() - used.right()) {
        buf.set_string(used.right(), y, label, lab.theme.warning());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dynamics::lab::{Step, take};

    #[test]
    fn heights_hold_everything() {
        let outcome = take(&[0.0, -1.0, -30.0], Step { y: 1, eta: 50.0, push_down: true }).unwrap();
        let linear = Heights::new(Scale::Linear, &outcome);
        assert_eq!(linear, Heights::Linear(1.0));
        assert_eq!((linear.share(0.25), linear.share(-0.1)), (0.25, 0.0));
        let log = Heights::new(Scale::Log, &outcome);
        assert_eq!(log, Heights::Log(FLOOR));
        assert_eq!((log.share(1.0), log.share(0.0), log.share(1e-300)), (1.0, 0.0, 0.0));
        assert!((log.share(1e-6) - 0.5).abs() < 1e-12);
        for (heights, rows) in [(linear, 2), (linear, 20), (log, 2), (log, 20)] {
            let ticks = heights.ticks(rows);
            assert!(
                ticks.len() > usize::from(rows > 2) && ticks.iter().all(|t| t.1.width() <= usize::from(AXIS) - 2),
                "{ticks:?}"
            );
        }
    }

    #[test]
    fn a_cell_shows_what_is_most_of_it() {
        let theme = Theme::default();
        let (inks, own) = (Inks::new(&theme, Glyphs::Braille), theme.dim());
        let cell = |kept, top, rose, row| Bar { classes: 0..1, kept, spread: kept, top, rose }.cell(row, &inks, own);
        let (gain, loss) = (theme.gain(), theme.loss());
        assert_eq!(cell(16, 16, true, 1), Some(('█', own)));
        assert_eq!(cell(4, 16, true, 0), Some(('▄', Style { bg: gain.fg, ..own })), "kept below, gained above");
        assert_eq!(cell(4, 15, false, 1), Some(('▇', loss)), "lost");
        assert_eq!(cell(6, 7, true, 0), Some(('▆', Style { bg: gain.fg, ..own })), "nearly full");
        assert_eq!(cell(1, 5, true, 0), Some(('▅', gain)), "nearly all of it gained");
        assert_eq!(cell(4, 5, false, 0), Some(('▄', own)), "next to nothing lost");
        assert_eq!(cell(8, 8, true, 1), None);
    }

    #[test]
    fn ticks_lie_where_their_values_do() {
        let plot = Rect::new(0, 0, 10, 8);
        let rows: Vec<_> =
            Heights::Linear(0.2).ticks(8).iter().map(|t| row_of(Heights::Linear(0.2).share(t.0), plot, true)).collect();
        assert_eq!(rows, [7, 6, 4, 2, 0].map(Some), "evenly, whatever rounding does to 3/4");
    }

    #[test]
    fn a_bar_of_many_classes_keeps_their_extremes() {
        let mut z = vec![0.0; 100];
        z[37] = 3.0;
        let outcome = take(&z, Step { y: 90, eta: 0.01, push_down: true }).unwrap();
        let heights = Heights::new(Scale::Linear, &outcome);
        let all = Bar::new(&outcome, 30..40, heights, 10);
        let peak = Bar::new(&outcome, 37..38, heights, 10);
        let plain = Bar::new(&outcome, 30..31, heights, 10);
        assert_eq!((all.top, all.kept), (peak.top, plain.kept));
        assert!(peak.top > 5 * plain.top);
    }
}

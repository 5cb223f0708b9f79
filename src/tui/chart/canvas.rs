//! Dots finer than cells, and the pen that joins them.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

use crate::history::Series;
use crate::tui::glyphs::Glyphs;
use crate::tui::theme::Dash;

impl Glyphs {
    /// Dots a cell, across and down.
    pub(super) fn dots(self) -> (u16, u16) {
        match self {
            Self::Braille | Self::Narrow => (2, 4),
            Self::Half => (1, 2),
            Self::Dot | Self::Ascii => (1, 1),
        }
    }
}

/// One cell of the canvas.
#[derive(Debug, Clone, Copy, Default)]
struct Spot {
    /// Dots that are set: bit `row · 2 + column`.
    dots: u8,
    /// What replaces the dots.
    glyph: Option<char>,
    style: Style,
    /// Rank of what drew it.
    layer: u8,
}

/// The plot as dots. The last to draw in a cell gives it its style; dots of one layer add up, those of a higher layer
/// replace the lower one's, so that the curves that matter stay thin and clean where others come near.
#[derive(Debug)]
pub(super) struct Canvas {
    area: Rect,
    glyphs: Glyphs,
    spots: Vec<Spot>,
}

/// What a line is drawn with: style, dash, and where it stands.
#[derive(Debug)]
pub(super) struct Pen {
    style: Style,
    dash: Dash,
    layer: u8,
    /// Dots across the line.
    width: u8,
    at: Option<(i64, i64)>,
    /// Dots since the line began.
    run: usize,
}

impl Pen {
    /// A pen that stands nowhere.
    pub(super) fn new(style: Style, dash: Dash, layer: u8) -> Self {
        Self { style, dash, layer, width: 1, at: None, run: 0 }
    }

    /// The same pen, so many dots wide: one to three.
    #[must_use]
    pub(super) fn wide(self, width: u8) -> Self {
        Self { width, ..self }
    }

    /// Begins a new stroke: a gap.
    pub(super) fn lift(&mut self) {
        self.at = None;
    }

    /// Whether the dash leaves ink on the next dot.
    fn inks(&mut self) -> bool {
        let pattern = self.dash.pattern();
        let period: usize = pattern.iter().map(|&n| usize::from(n)).sum();
        if period == 0 {
            return true;
        }
        let mut phase = self.run % period;
        self.run += 1;
        for (i, &n) in pattern.iter().enumerate() {
            if phase < usize::from(n) {
                return i % 2 == 0;
            }
            phase -= usize::from(n);
        }
        true
    }
}

impl Canvas {
    /// An empty canvas over the area.
    pub(super) fn new(area: Rect, glyphs: Glyphs) -> Self {
        Self { area, glyphs, spots: vec![Spot::default(); area.area() as usize] }
    }

    /// Dots across and down, at least one each.
    pub(super) fn size(&self) -> (u32, u32) {
        let (x, y) = self.glyphs.dots();
        ((u32::from(self.area.width) * u32::from(x)).max(1), (u32::from(self.area.height) * u32::from(y)).max(1))
    }

    /// The cell of a dot and the dot's bit in it.
    fn spot(&mut self, x: i64, y: i64) -> Option<(&mut Spot, u8)> {
        let (dx, dy) = self.glyphs.dots();
        let (x, y) = (u32::try_from(x).ok()?, u32::try_from(y).ok()?);
        let (column, row) = (x / u32::from(dx), y / u32::from(dy));
        if column >= u32::from(self.area.width) || row >= u32::from(self.area.height) {
            return None;
        }
        let bit = (y % u32::from(dy)) * 2 + x % u32::from(dx);
        let spot = self.spots.get_mut((row * u32::from(self.area.width) + column) as usize)?;
        Some((spot, 1 << bit))
    }

    /// Sets a dot, if it is on the canvas.
    pub(super) fn dot(&mut self, x: i64, y: i64, style: Style, layer: u8) {
        if let Some((spot, bit)) = self.spot(x, y) {
            let dots = if layer > spot.layer { bit } else { spot.dots | bit };
            *spot = Spot { dots, glyph: None, style, layer };
        }
    }

    /// Draws from where the pen stands to the dot (Bresenham), and leaves it there.
    pub(super) fn line_to(&mut self, pen: &mut Pen, x: i64, y: i64) {
        let from = pen.at.replace((x, y));
        let Some((x0, y0)) = from.and_then(|from| self.clip(from, (x, y))) else {
            if from.is_none() && pen.inks() {
                self.stroke(x, y, (0, 0), pen);
            }
            return;
        };
        let (x1, y1) = self.clip((x, y), (x0, y0)).unwrap_or((x, y));
        let (dx, dy) = ((x1 - x0).abs(), (y1 - y0).abs());
        let (sx, sy) = ((x1 - x0).signum(), (y1 - y0).signum());
        let (mut x, mut y, mut error) = (x0, y0, dx - dy);
        while (x, y) != (x1, y1) {
            let twice = 2 * error;
            let mut moved = (0, 0);
            if twice > -dy {
                error -= dy;
                x += sx;
                moved.0 = sx;
            }
            if twice < dx {
                error += dx;
                y += sy;
                moved.1 = sy;
            }
            if pen.inks() {
                self.stroke(x, y, moved, pen);
            }
        }
    }

    /// The part of the segment from `a` to `b` that lies within the canvas' width, so that a far neighbour costs no dots.
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "a dot on a screen")]
    fn clip(&self, a: (i64, i64), b: (i64, i64)) -> Option<(i64, i64)> {
        let right = i64::from(self.size().0) - 1;
        if (a.0 < 0 && b.0 < 0) || (a.0 > right && b.0 > right) {
            return None;
        }
        let edge = a.0.clamp(0, right);
        if edge == a.0 {
            return Some(a);
        }
        let share = (edge as f64 - a.0 as f64) / (b.0 as f64 - a.0 as f64);
        Some((edge, (a.1 as f64 + share * (b.1 as f64 - a.1 as f64)).round() as i64))
    }

    /// A dot of a line that came from the direction.
    fn stroke(&mut self, x: i64, y: i64, from: (i64, i64), pen: &Pen) {
        self.dot(x, y, pen.style, pen.layer);
        let (wide, heavy) = (pen.width > 1, pen.width > 2);
        if wide && self.glyphs.dots().1 > 1 {
            // The second dot lies across the line, within the canvas at its lower edge too.
            let below = if y + 1 < i64::from(self.size().1) { y + 1 } else { y - 1 };
            self.dot(x, below, pen.style, pen.layer);
            // The third on the other side.
            if heavy {
                self.dot(x, if below > y { y - 1 } else { y - 2 }, pen.style, pen.layer);
            }
        }
        if wide && from.0 == 0 && self.glyphs.dots().0 > 1 {
            self.dot(x + 1, y, pen.style, pen.layer);
            if heavy {
                self.dot(x - 1, y, pen.style, pen.layer);
            }
        }
        if self.glyphs == Glyphs::Ascii
            && let Some((spot, _)) = self.spot(x, y)
        {
            spot.glyph = Some(match from {
                (0, 0) => '.',
                (0, _) => '|',
                (_, 0) => '-',
                (x, y) if (x > 0) == (y > 0) => '\\',
                _ => '/',
            });
        }
    }

    /// Replaces the dots of a cell by a marker.
    pub(super) fn marker(&mut self, x: i64, y: i64, marker: char, pen: &Pen) {
        let marker = self.glyphs.glyph(marker);
        if let Some((spot, bit)) = self.spot(x, y) {
            *spot = Spot { dots: bit, glyph: Some(marker), style: pen.style, layer: pen.layer };
        }
    }

    /// Fills between two lines with a loose grid of dots, on the lowest layer.
    pub(super) fn band(&mut self, low: &Series, high: &Series, place: impl Fn(u64, f64) -> (i64, i64), style: Style) {
        let (dots_x, dots_y) = self.size();
        let heights = |series: &Series| {
            let mut known = vec![None; dots_x as usize];
            let mut before: Option<(i64, i64)> = None;
            for (step, value) in series.iter() {
                if value.is_nan() {
                    before = None;
                    continue;
                }
                let (x, y) = place(step, value);
                let (x0, y0) = before.replace((x, y)).unwrap_or((x, y));
                for column in x0.max(0)..=x.min(i64::from(dots_x) - 1) {
                    let y = if x == x0 { y } else { y0 + (y - y0) * (column - x0) / (x - x0) };
                    if let Some(entry) = usize::try_from(column).ok().and_then(|c| known.get_mut(c)) {
                        *entry = Some(y.clamp(0, i64::from(dots_y) - 1));
                    }
                }
            }
            known
        };
        // Coarser dots lie further apart, so that the band stays lighter than a line.
        let (stride_x, stride_y) = if self.glyphs.dots() == (2, 4) { (2, 2) } else { (4, 2) };
        for (x, (low, high)) in (0i64..).zip(heights(low).into_iter().zip(heights(high))) {
            let (Some(low), Some(high)) = (low, high) else { continue };
            for y in high.min(low)..=low.max(high) {
                if x % stride_x == 0 && y % stride_y == 0 {
                    self.dot(x, y, style, 0);
                }
            }
        }
    }

    /// Writes every cell that has ink.
    pub(super) fn draw(&self, buf: &mut Buffer) {
        let width = usize::from(self.area.width.max(1));
        for (i, spot) in self.spots.iter().enumerate().filter(|(_, s)| s.dots != 0) {
            let Some(symbol) = spot.glyph.or_else(|| self.glyph(spot.dots)) else { continue };
            let (Ok(x), Ok(y)) = (u16::try_from(i % width), u16::try_from(i / width)) else { continue };
            if let Some(cell) = buf.cell_mut((self.area.x + x, self.area.y + y)) {
                cell.modifier = Modifier::empty();
                cell.set_char(symbol).set_style(spot.style);
            }
        }
    }

    fn glyph(&self, dots: u8) -> Option<char> {
        match self.glyphs {
            Glyphs::Braille | Glyphs::Narrow => {
                // Bits of U+2800, by dot from the top left, a row of two at a time.
                const BITS: [u32; 8] = [0x01, 0x08, 0x02, 0x10, 0x04, 0x20, 0x40, 0x80];
                let mask = BITS.iter().enumerate().filter(|(i, _)| dots >> i & 1 == 1).map(|(_, b)| b).sum::<u32>();
                char::from_u32(0x2800 + mask)
            }
            Glyphs::Half => Some(match dots & 0b101 {
                0b001 => '▀',
                0b100 => '▄',
                _ => '█',
            }),
            Glyphs::Dot => Some('•'),
            Glyphs::Ascii => Some('.'),
        }
    }
}

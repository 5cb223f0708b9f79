//! Braille, box-drawing characters and block elements as shapes, so that they meet at the cells' edges in every font.

use std::fmt::Write;

/// Width of a cell in an SVG's units.
pub(super) const CELL_WIDTH: u32 = 10;
/// Height of a cell.
pub(super) const CELL_HEIGHT: u32 = 20;

/// A shape: path data and how it is painted.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Shape {
    pub(super) path: String,
    pub(super) paint: Paint,
}

/// How a path is painted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Paint {
    /// Filled, at so many quarters of full opacity.
    Fill(u8),
    /// A line so many tenths of a unit wide.
    Line(u16),
    /// A line with round ends: dots.
    Dots(u16),
}

impl Paint {
    /// Bold braille has larger dots.
    pub(super) fn weighted(self, bold: bool) -> Self {
        match self {
            Self::Dots(tenths) if bold => Self::Dots(tenths + 9),
            paint => paint,
        }
    }
}

/// The shapes of a character in the cell whose upper left corner is (x, y); `None` for text.
pub(super) fn shapes(c: char, x: u32, y: u32) -> Option<Vec<Shape>> {
    let code = u32::from(c);
    match code {
        0x2800..=0x28FF => Some(vec![braille(code - 0x2800, x, y)]),
        0x2500..=0x257F => Some(lines(code - 0x2500, x, y)),
        0x2580..=0x259F => Some(vec![block(code - 0x2580, x, y)]),
        _ => None,
    }
}

fn braille(mask: u32, x: u32, y: u32) -> Shape {
    const ROWS: [u32; 8] = [0, 1, 2, 0, 1, 2, 3, 3];
    let mut path = String::new();
    for (i, row) in ROWS.iter().enumerate().filter(|(i, _)| mask >> i & 1 == 1) {
        let column = u32::from(matches!(i, 3 | 4 | 5 | 7));
        // A dot is a line without length and with round ends.
        let _ = write!(path, "M{}.5 {}.5h0", x + 2 + 5 * column, y + 2 + 5 * row);
    }
    Shape { path, paint: Paint::Dots(32) }
}

/// Weights of the arms up, right, down, left of U+2500 …: 0 none, 1 light, 2 heavy, 3 double; `d` and below are special.
const ARMS: &str = "0101 0202 1010 2020 h3l  h3H  v3l  v3H  h4l  h4H  v4l  v4H  0110 0210 0120 0220 \
0011 0012 0021 0022 1100 1200 2100 2200 1001 1002 2001 2002 1110 1210 2110 1120 \
2120 2210 1220 2220 1011 1012 2011 1021 2021 2012 1022 2022 0111 0112 0211 0212 \
0121 0122 0221 0222 1101 1102 1201 1202 2101 2102 2201 2202 1111 1112 1211 1212 \
2111 1121 2121 2112 2211 1122 1221 2212 1222 2122 2221 2222 h2l  h2H  v2l  v2H  \
0303 3030 0310 0130 0330 0013 0031 0033 1300 3100 3300 1003 3001 3003 1310 3130 \
3330 1013 3031 3033 0313 0131 0333 1303 3101 3303 1313 3131 3333 a0   a1   a2   \
a3   d/   d\\   dx   0001 1000 0100 0010 0002 2000 0200 0020 0201 1020 0102 2010";

const LIGHT: u16 = 12;
const HEAVY: u16 = 26;

fn lines(index: u32, x: u32, y: u32) -> Vec<Shape> {
    let Some(code) = ARMS.split_whitespace().nth(index as usize) else { return Vec::new() };
    let (mid_x, mid_y, right, bottom) = (x + CELL_WIDTH / 2, y + CELL_HEIGHT / 2, x + CELL_WIDTH, y + CELL_HEIGHT);
    let line = |path: String, width| Shape { path, paint: Paint::Line(width) };
    match code.as_bytes() {
        [way @ (b'h' | b'v'), pieces, weight] => {
            let pieces = u32::from(pieces - b'0');
            let length = if *way == b'h' { CELL_WIDTH } else { CELL_HEIGHT };
            let tenth = |i: u32| (10 * length * i + 10 * length / 4) / pieces;
            let dash = 10 * length * 11 / (20 * pieces);
            let path = (0..pieces).fold(String::new(), |mut path, i| {
                let (whole, part) = (tenth(i) / 10, tenth(i) % 10);
                let _ = match way {
                    b'h' => write!(path, "M{}.{part} {mid_y}h{}.{}", x + whole, dash / 10, dash % 10),
                    _ => write!(path, "M{mid_x} {}.{part}v{}.{}", y + whole, dash / 10, dash % 10),
                };
                path
            });
            vec![line(path, if *weight == b'H' { HEAVY } else { LIGHT })]
        }
        b"a0" => vec![line(format!("M{mid_x} {bottom}V{}Q{mid_x} {mid_y} {right} {mid_y}", mid_y + 5), LIGHT)],
        b"a1" => vec![line(format!("M{mid_x} {bottom}V{}Q{mid_x} {mid_y} {x} {mid_y}", mid_y + 5), LIGHT)],
        b"a2" => vec![line(format!("M{mid_x} {y}V{}Q{mid_x} {mid_y} {x} {mid_y}", mid_y - 5), LIGHT)],
        b"a3" => vec![line(format!("M{mid_x} {y}V{}Q{mid_x} {mid_y} {right} {mid_y}", mid_y - 5), LIGHT)],
        b"d/" => vec![line(format!("M{x} {bottom}L{right} {y}"), LIGHT)],
        b"d\\" => vec![line(format!("M{x} {y}L{right} {bottom}"), LIGHT)],
        b"dx" => vec![line(format!("M{x} {bottom}L{right} {y}M{x} {y}L{right} {bottom}"), LIGHT)],
        arms => [(0, mid_x, y), (1, right, mid_y), (2, mid_x, bottom), (3, x, mid_y)]
            .into_iter()
            .filter_map(|(i, to_x, to_y)| {
                let upright = i % 2 == 0;
                match arms.get(i)? {
                    b'1' => Some(line(format!("M{mid_x} {mid_y}L{to_x} {to_y}"), LIGHT)),
                    b'2' => Some(line(format!("M{mid_x} {mid_y}L{to_x} {to_y}"), HEAVY)),
                    b'3' if upright => {
                        Some(line(format!("M{0} {mid_y}V{to_y}M{1} {mid_y}V{to_y}", mid_x - 2, mid_x + 2), LIGHT))
                    }
                    b'3' => Some(line(format!("M{mid_x} {0}H{to_x}M{mid_x} {1}H{to_x}", mid_y - 2, mid_y + 2), LIGHT)),
                    _ => None,
                }
            })
            .collect(),
    }
}

/// Rectangles in twentieths of the cell's height and in eightieths of its width.
fn block(index: u32, x: u32, y: u32) -> Shape {
    let fill = |path, quarters| Shape { path, paint: Paint::Fill(quarters) };
    let full = rect(x, y, 0, 0, 8, 8);
    match index {
        0x00 => fill(rect(x, y, 0, 0, 8, 4), 4),
        0x01..=0x08 => fill(rect(x, y, 0, 8 - index, 8, index), 4),
        0x09..=0x0F => fill(rect(x, y, 0, 0, 0x10 - index, 8), 4),
        0x10 => fill(rect(x, y, 4, 0, 4, 8), 4),
        0x11..=0x13 => fill(full, u8::try_from(index - 0x10).unwrap_or(4)),
        0x14 => fill(rect(x, y, 0, 0, 8, 1), 4),
        0x15 => fill(rect(x, y, 7, 0, 1, 8), 4),
        _ => {
            // Upper left, upper right, lower left, lower right of U+2596 ….
            const QUADRANTS: [u8; 10] =
                [0b0010, 0b0001, 0b1000, 0b1011, 0b1001, 0b1110, 0b1101, 0b0100, 0b0110, 0b0111];
            let mask = QUADRANTS.get(index.wrapping_sub(0x16) as usize).copied().unwrap_or(0);
            let path = [(0, 0), (4, 0), (0, 4), (4, 4)]
                .into_iter()
                .enumerate()
                .filter(|(i, _)| mask >> (3 - i) & 1 == 1)
                .map(|(_, (left, top))| rect(x, y, left, top, 4, 4))
                .collect();
            fill(path, 4)
        }
    }
}

/// A rectangle measured in eighths of a cell.
fn rect(x: u32, y: u32, left: u32, top: u32, width: u32, height: u32) -> String {
    format!(
        "M{} {}h{}v{}h-{}z",
        eighths(x, left, CELL_WIDTH),
        eighths(y, top, CELL_HEIGHT),
        eighths(0, width, CELL_WIDTH),
        eighths(0, height, CELL_HEIGHT),
        eighths(0, width, CELL_WIDTH)
    )
}

/// `start` + `n` eighths of `size`, in decimals.
fn eighths(start: u32, n: u32, size: u32) -> String {
    let (whole, part) = (start + n * size / 8, n * size % 8 * 125);
    if part == 0 { whole.to_string() } else { format!("{whole}.{part:03}").trim_end_matches('0').to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_box_and_block_has_a_shape() {
        assert_eq!(ARMS.split_whitespace().count(), 128);
        for code in (0x2500..=0x259Fu32).chain(0x2801..=0x28FF) {
            let found = char::from_u32(code).and_then(|c| shapes(c, 10, 20));
            assert!(found.is_some_and(|s| !s.is_empty() && s.iter().all(|s| !s.path.is_empty())), "U+{code:04X}");
        }
        assert_eq!(shapes('a', 0, 0), None);
    }

    #[test]
    fn shapes_meet_at_the_edges_of_the_cell() {
        let path = |c| shapes(c, 10, 20).map(|s| s.into_iter().map(|s| s.path).collect::<String>());
        assert_eq!(path('─').as_deref(), Some("M15 30L20 30M15 30L10 30"));
        assert_eq!(path('┘').as_deref(), Some("M15 30L15 20M15 30L10 30"));
        assert_eq!(path('▄').as_deref(), Some("M10 30h10v10h-10z"));
        assert_eq!(path('▁').as_deref(), Some("M10 37.5h10v2.5h-10z"));
        assert_eq!(path('▏').as_deref(), Some("M10 20h1.25v20h-1.25z"));
        assert_eq!(path('⣀').as_deref(), Some("M12.5 37.5h0M17.5 37.5h0"));
        assert_eq!(path('▚').as_deref(), Some("M10 20h5v10h-5zM15 30h5v10h-5z"));
    }
}

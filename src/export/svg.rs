//! A ratatui buffer as SVG. Cells have a fixed size; braille, boxes and blocks are shapes, the rest is text; every
//! number is written by integer arithmetic, so that the bytes are the same on any machine.

use std::collections::BTreeMap;
use std::fmt::Write;

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};
use unicode_width::UnicodeWidthStr;

use super::ScreenshotMeta;
use super::shapes::{CELL_HEIGHT, CELL_WIDTH, Paint, shapes};
use crate::text::Shown;

/// The bundled face's family.
pub(super) const FONT_FAMILY: &str = "DejaVu Sans Mono";
/// Size of the text, at which a character of the bundled face is exactly one cell wide (advance 1233 of 2048 units an em).
const FONT_SIZE: &str = "16.61";
/// Pixels from the top of a cell to the baseline.
const BASELINE: u32 = 15;

/// How a cell is drawn once reverse, dim and the defaults are resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Paints {
    fg: u32,
    bg: u32,
    bold: bool,
    italic: bool,
}

/// Draws the buffer. Two calls with equal arguments give equal bytes.
pub fn svg(buffer: &Buffer, meta: &ScreenshotMeta) -> String {
    let (width, height) = (u32::from(buffer.area.width) * CELL_WIDTH, u32::from(buffer.area.height) * CELL_HEIGHT);
    let mut out = String::new();
    let _ = writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\">"
    );
    write_meta(&mut out, meta);
    let _ = writeln!(out, "<rect width=\"{width}\" height=\"{height}\" fill=\"#{:06x}\"/>", meta.bg);
    let mut paths: BTreeMap<(Paint, u32), String> = BTreeMap::new();
    let mut texts = String::new();
    for row in 0..buffer.area.height {
        let cells = row_of(buffer, row);
        let y = u32::from(row) * CELL_HEIGHT;
        write_grounds(&mut out, &cells, y, meta);
        write_texts(&mut texts, &cells, y, meta);
        for &(column, cell) in &cells {
            let paints = Paints::of(cell, meta);
            if let Some(found) = sole_char(cell.symbol()).and_then(|c| shapes(c, column * CELL_WIDTH, y)) {
                for shape in found {
                    let paint = shape.paint.weighted(paints.bold);
                    paths.entry((paint, paints.fg)).or_default().push_str(&shape.path);
                }
            }
            let (left, wide) = (column * CELL_WIDTH, columns_of(cell) * CELL_WIDTH);
            for (modifier, offset) in [(Modifier::UNDERLINED, BASELINE + 2), (Modifier::CROSSED_OUT, 10)] {
                if cell.modifier.contains(modifier) {
                    let path = paths.entry((Paint::Line(12), paints.fg)).or_default();
                    let _ = write!(path, "M{left} {}h{wide}", y + offset);
                }
            }
        }
    }
    for ((paint, color), path) in paths {
        let _ = match paint {
            Paint::Fill(4) => writeln!(out, "<path fill=\"#{color:06x}\" d=\"{path}\"/>"),
            Paint::Fill(quarters) => {
                writeln!(out, "<path fill=\"#{color:06x}\" fill-opacity=\"0.{:02}\" d=\"{path}\"/>", 25 * quarters)
            }
            Paint::Line(tenths) => writeln!(out, "<path {} d=\"{path}\"/>", stroke(color, tenths, "")),
            Paint::Dots(tenths) => {
                writeln!(out, "<path {} d=\"{path}\"/>", stroke(color, tenths, " stroke-linecap=\"round\""))
            }
        };
    }
    let _ =
        writeln!(out, "<g font-family=\"{FONT_FAMILY}, monospace\" font-size=\"{FONT_SIZE}\" xml:space=\"preserve\">");
    out.push_str(&texts);
    out.push_str("</g>\n</svg>\n");
    out
}

fn stroke(color: u32, tenths: u16, more: &str) -> String {
    format!("fill=\"none\" stroke=\"#{color:06x}\" stroke-width=\"{}.{}\"{more}", tenths / 10, tenths % 10)
}

fn write_meta(out: &mut String, meta: &ScreenshotMeta) {
    let (run, view) = (escaped(&meta.run_id), escaped(&meta.view));
    let _ = writeln!(out, "<title>{run}, step {}</title>", meta.step);
    let _ = writeln!(out, "<desc>run {run}, seed {}, step {}, view {view}</desc>", meta.seed, meta.step);
    let quoted = |raw: &str| serde_json::Value::from(Shown::new(raw).as_str()).to_string();
    let json = format!(
        "{{\"run_id\":{},\"seed\":{},\"step\":{},\"view\":{}}}",
        quoted(&meta.run_id),
        meta.seed,
        meta.step,
        quoted(&meta.view)
    );
    let _ = writeln!(out, "<metadata>{}</metadata>", escaped(&json));
}

/// The cells of a row with their columns; those hidden behind a wide neighbour are left out.
fn row_of(buffer: &Buffer, row: u16) -> Vec<(u32, &Cell)> {
    let mut cells = Vec::new();
    let mut column = 0;
    while column < u32::from(buffer.area.width) {
        let x = buffer.area.x + u16::try_from(column).unwrap_or(u16::MAX);
        let Some(cell) = buffer.cell((x, buffer.area.y + row)) else { break };
        cells.push((column, cell));
        column += columns_of(cell);
    }
    cells
}

fn columns_of(cell: &Cell) -> u32 {
    u32::try_from(cell.symbol().width()).unwrap_or(1).clamp(1, 2)
}

/// Backgrounds, one rectangle a run of equal colour.
fn write_grounds(out: &mut String, cells: &[(u32, &Cell)], y: u32, meta: &ScreenshotMeta) {
    let end = cells.last().map_or(0, |(column, cell)| column + columns_of(cell));
    for run in cells.chunk_by(|a, b| Paints::of(a.1, meta).bg == Paints::of(b.1, meta).bg) {
        let (Some(first), Some(last)) = (run.first(), run.last()) else { continue };
        let bg = Paints::of(first.1, meta).bg;
        if bg == meta.bg {
            continue;
        }
        let stop = (last.0 + columns_of(last.1)).min(end);
        let (x, wide) = (first.0 * CELL_WIDTH, (stop - first.0) * CELL_WIDTH);
        let _ =
            writeln!(out, "<rect x=\"{x}\" y=\"{y}\" width=\"{wide}\" height=\"{CELL_HEIGHT}\" fill=\"#{bg:06x}\"/>");
    }
}

/// Texts: runs of ASCII in one style share an element, every other character has its own, so that columns stay true
/// even where a viewer falls back to another font.
fn write_texts(out: &mut String, cells: &[(u32, &Cell)], y: u32, meta: &ScreenshotMeta) {
    let joins = |a: &(u32, &Cell), b: &(u32, &Cell)| {
        let same = |cell: &Cell| Paints { bg: 0, ..Paints::of(cell, meta) };
        a.1.symbol().is_ascii() && b.1.symbol().is_ascii() && same(a.1) == same(b.1)
    };
    for run in cells.chunk_by(joins) {
        let blank = |cell: &Cell| cell.symbol().trim().is_empty() || cell.modifier.contains(Modifier::HIDDEN);
        let Some(begin) = run.iter().position(|(_, cell)| !blank(cell)) else { continue };
        let stop = run.iter().rposition(|(_, cell)| !blank(cell)).map_or(run.len(), |i| i + 1);
        let run = &run[begin..stop];
        let text: String = run.iter().map(|(_, cell)| cell.symbol()).collect();
        if sole_char(&text).is_some_and(|c| shapes(c, 0, 0).is_some()) {
            continue;
        }
        let (column, cell) = run[0];
        let paints = Paints::of(cell, meta);
        let _ = write!(out, "<text x=\"{}\" y=\"{}\" fill=\"#{:06x}\"", column * CELL_WIDTH, y + BASELINE, paints.fg);
        if run.len() > 1 {
            let _ = write!(out, " textLength=\"{}\"", run.len() * CELL_WIDTH as usize);
        }
        if paints.bold {
            out.push_str(" font-weight=\"bold\"");
        }
        if paints.italic {
            out.push_str(" font-style=\"italic\"");
        }
        let _ = writeln!(out, ">{}</text>", escaped(&text));
    }
}

impl Paints {
    fn of(cell: &Cell, meta: &ScreenshotMeta) -> Self {
        let (mut fg, mut bg) = (rgb(cell.fg, meta.fg), rgb(cell.bg, meta.bg));
        if cell.modifier.contains(Modifier::REVERSED) {
            (fg, bg) = (bg, fg);
        }
        if cell.modifier.contains(Modifier::DIM) {
            fg = mixed(fg, bg);
        }
        if cell.modifier.contains(Modifier::HIDDEN) {
            fg = bg;
        }
        Self { fg, bg, bold: cell.modifier.contains(Modifier::BOLD), italic: cell.modifier.contains(Modifier::ITALIC) }
    }
}

/// Six tenths of `a` and four of `b`: dim text.
fn mixed(a: u32, b: u32) -> u32 {
    [16, 8, 0].into_iter().map(|shift| ((((a >> shift) & 0xFF) * 6 + ((b >> shift) & 0xFF) * 4) / 10) << shift).sum()
}

/// The 16 colours of ANSI as muted ones that are legible on light and dark grounds alike.
pub(super) const ANSI: [u32; 16] = [
    0x00_0000, 0xC9_4A3B, 0x2E_9E6B, 0xB8_8A00, 0x3B_78C2, 0xA6_5A94, 0x2A_94A8, 0xA8_AEB5, 0x6B_737C, 0xFF_7A5C,
    0x4F_D1A0, 0xF0_D93F, 0x62_A8F5, 0xE0_90C8, 0x5F_CDE4, 0xFF_FFFF,
];

/// A terminal colour in 24 bits.
fn rgb(color: Color, default: u32) -> u32 {
    let ansi = |i: usize| ANSI.get(i).copied().unwrap_or(default);
    match color {
        Color::Reset => default,
        Color::Rgb(r, g, b) => u32::from_be_bytes([0, r, g, b]),
        Color::Indexed(i @ 0..=15) => ansi(usize::from(i)),
        Color::Indexed(i @ 16..=231) => {
            let level = |x: u32| if x.is_multiple_of(6) { 0 } else { 55 + 40 * (x % 6) };
            let i = u32::from(i - 16);
            level(i / 36) << 16 | level(i / 6) << 8 | level(i)
        }
        Color::Indexed(i) => (8 + 10 * u32::from(i - 232)) * 0x01_0101,
        Color::Black => ansi(0),
        Color::Red => ansi(1),
        Color::Green => ansi(2),
        Color::Yellow => ansi(3),
        Color::Blue => ansi(4),
        Color::Magenta => ansi(5),
        Color::Cyan => ansi(6),
        Color::Gray => ansi(7),
        Color::DarkGray => ansi(8),
        Color::LightRed => ansi(9),
        Color::LightGreen => ansi(10),
        Color::LightYellow => ansi(11),
        Color::LightBlue => ansi(12),
        Color::LightMagenta => ansi(13),
        Color::LightCyan => ansi(14),
        Color::White => ansi(15),
    }
}

fn sole_char(symbol: &str) -> Option<char> {
    let mut chars = symbol.chars();
    chars.next().filter(|_| chars.next().is_none())
}

/// Text that XML may hold: hidden characters shown, markup escaped.
pub(super) fn escaped(raw: &str) -> String {
    let mut out = String::new();
    for c in Shown::new(raw).as_str().chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\u{FFFE}' | '\u{FFFF}' => out.push('\u{FFFD}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    use super::super::tests::meta;
    use super::*;

    fn sample() -> Buffer {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 24, 4));
        buffer.set_string(0, 0, "╭─ y* on y⁺ ─╮", Style::new().fg(Color::Rgb(1, 2, 3)));
        buffer.set_string(0, 1, "│⣀⠤⠒ 漢字 bold│", Style::new().add_modifier(Modifier::BOLD));
        buffer.set_string(0, 2, "▁▂▃▄▅▆▇█▌░▒▓▚", Style::new().fg(Color::Indexed(208)).bg(Color::Indexed(17)));
        buffer.set_string(0, 3, "reverse dim", Style::new().add_modifier(Modifier::REVERSED));
        buffer.set_style(Rect::new(8, 3, 3, 1), Style::new().add_modifier(Modifier::DIM | Modifier::UNDERLINED));
        buffer
    }

    #[test]
    fn a_small_screen() {
        insta::assert_snapshot!(svg(&sample(), &meta()));
    }

    #[test]
    fn the_same_screen_gives_the_same_bytes() {
        assert_eq!(svg(&sample(), &meta()), svg(&sample(), &meta()));
    }

    #[test]
    fn hostile_text_is_shown_and_escaped() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 30, 1));
        for (x, symbol) in (0u16..).zip(["<", "script", ">", "&", "\"", "\u{202e}", "\u{1b}", "]", "]", ">"]) {
            buffer[(x, 0)].set_symbol(symbol);
        }
        let meta = ScreenshotMeta { run_id: "</title><script>\u{1b}\u{202e}".into(), ..meta() };
        let svg = svg(&buffer, &meta);
        assert!(!svg.contains("<script") && svg.matches("</title>").count() == 1);
        assert!(svg.chars().all(|c| c == '\n' || !c.is_control() && c != '\u{202e}'));
        assert!(svg.contains("&lt;U+202E&gt;"));
    }
}

//! Terminal recordings in the form of asciicast v3: a header, then events a line each, with the seconds since the one before.

use std::io::{self, Write};
use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use serde::Serialize;
use unicode_width::UnicodeWidthStr;

use super::film::Film;
use super::svg::ANSI;
use super::text::sgr;
use crate::error::{Error, Result};
use crate::text::Shown;

/// The first line.
#[derive(Serialize)]
struct Header<'a> {
    version: u8,
    term: Term,
    title: &'a str,
}

/// The terminal that is recorded.
#[derive(Serialize)]
struct Term {
    cols: u16,
    rows: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    theme: Option<Ground>,
}

/// Its colours.
#[derive(Serialize)]
struct Ground {
    fg: String,
    bg: String,
    palette: String,
}

/// A recording that is being written.
#[derive(Debug)]
pub struct Cast<W: Write> {
    out: W,
}

impl<W: Write> Cast<W> {
    /// Writes the header: the terminal's columns and rows, foreground and background as `0xRRGGBB` where they are known, and
    /// what is recorded.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn begin(mut out: W, (cols, rows): (u16, u16), ground: Option<(u32, u32)>, title: &Shown) -> io::Result<Self> {
        let hex = |color: u32| format!("#{color:06x}");
        let theme = ground.map(|(fg, bg)| Ground { fg: hex(fg), bg: hex(bg), palette: ANSI.map(hex).join(":") });
        let header = Header { version: 3, term: Term { cols, rows, theme }, title: title.as_str() };
        writeln!(out, "{}", serde_json::to_string(&header)?)?;
        Ok(Self { out })
    }

    /// Bytes for the terminal, after some time.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn output(&mut self, after: Duration, data: &str) -> io::Result<()> {
        self.event(after, "o", data)
    }

    /// A place that a player can go to.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn mark(&mut self, after: Duration, text: &Shown) -> io::Result<()> {
        self.event(after, "m", text.as_str())
    }

    /// Another size of the terminal.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn resized(&mut self, after: Duration, (columns, rows): (u16, u16)) -> io::Result<()> {
        self.event(after, "r", &format!("{columns}x{rows}"))
    }

    /// A line in one write, so that a file never ends within one because the program did.
    fn event(&mut self, after: Duration, code: &str, data: &str) -> io::Result<()> {
        let data = serde_json::to_string(data)?;
        let line = format!("[{}.{:06}, \"{code}\", {data}]\n", after.as_secs(), after.subsec_micros());
        self.out.write_all(line.as_bytes())
    }
}

/// A film as a terminal recording: the first frame whole, the others as what changes.
///
/// # Errors
/// Never but for want of memory.
pub fn cast(film: &mut Film<'_>) -> Result<Vec<u8>> {
    let failed = |e: io::Error| Error::failed(format!("the terminal recording cannot be made: {e}"));
    let (title, ground) = (Shown::new(&film.meta.run_id), Some((film.meta.fg, film.meta.bg)));
    let mut out = Vec::new();
    let mut cast = Cast::begin(&mut out, film.size, ground, &title).map_err(failed)?;
    let mut before = Buffer::empty(Rect::new(0, 0, film.size.0, film.size.1));
    let mut after = Duration::ZERO;
    let mut begin = "\x1b[?25l\x1b[0m\x1b[2J".to_owned();
    for frame in film.frames.by_ref() {
        begin.push_str(&differences(&before, &frame.shown));
        cast.output(after, &std::mem::take(&mut begin)).map_err(failed)?;
        frame.told.iter().try_for_each(|told| cast.mark(Duration::ZERO, told)).map_err(failed)?;
        (before, after) = (frame.shown, frame.lasts);
    }
    // The last frame is seen for as long as the others: a player ends with the last event.
    cast.output(after, "").map_err(failed)?;
    Ok(out)
}

/// What turns a terminal that shows one screen into one that shows the other, of the same size.
fn differences(before: &Buffer, after: &Buffer) -> String {
    let mut out = String::new();
    // Where the terminal's cursor stands, and in which style it writes.
    let (mut cursor, mut style) = (None, None);
    for (x, y, cell) in before.diff(after) {
        if cursor != Some((x, y)) {
            out.push_str(&format!("\x1b[{};{}H", y + 1, x + 1));
        }
        let wanted = (cell.fg, cell.bg, cell.modifier);
        if style != Some(wanted) {
            sgr(&mut out, cell);
            style = Some(wanted);
        }
        let shown = Shown::new(cell.symbol());
        let wide = shown.as_str().width();
        let is_cell = wide == cell.symbol().width().max(1) && shown.as_str() == cell.symbol();
        out.push_str(shown.as_str());
        let end = x.saturating_add(u16::try_from(wide).unwrap_or(u16::MAX));
        // At the end of a line terminals differ in where the cursor is, and after a hidden character made visible it is astray.
        cursor = (is_cell && end < after.area.width).then_some((end, y));
    }
    if style.is_some() {
        out.push_str("\x1b[0m");
    }
    out
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU16;

    use ratatui::style::{Color, Modifier, Style};

    use super::super::film::Frame;
    use super::super::tests::meta;
    use super::*;

    fn screen(rows: [&str; 2], style: Style) -> Buffer {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 12, 2));
        (0..).zip(rows).for_each(|(y, row)| {
            buffer.set_string(0, y, row, style);
        });
        buffer
    }

    #[test]
    fn a_terminal_that_plays_it_shows_every_frame() -> Result<(), Box<dyn std::error::Error>> {
        let red = Style::new().fg(Color::Rgb(255, 0, 0)).add_modifier(Modifier::BOLD);
        let screens = [
            screen(["漢字 log p(y)", "└──────────┘"], Style::new()),
            screen(["a漢 log p(y)", "└───x──────┘"], red),
            screen(["", "└───x──────┘"], Style::new().bg(Color::Indexed(17))),
        ];
        let told = |i| if i == 1 { vec![Shown::new("stage \u{1b}[2J DPO")] } else { Vec::new() };
        let frames = screens.iter().enumerate();
        let frames =
            frames.map(|(i, shown)| Frame { shown: shown.clone(), lasts: Duration::from_millis(1500), told: told(i) });
        let mut film = Film { meta: meta(), size: (12, 2), count: 3, frames: Box::new(frames) };
        let text = String::from_utf8(cast(&mut film)?)?;
        let mut lines = text.lines();
        let header: serde_json::Value = serde_json::from_str(lines.next().ok_or("no header")?)?;
        assert_eq!(
            (&header["version"], &header["term"]["cols"], &header["term"]["rows"]),
            (&3.into(), &12.into(), &2.into())
        );
        assert_eq!(header["term"]["theme"]["palette"].as_str().map(|p| p.split(':').count()), Some(16));
        let cells = |n: u16| NonZeroU16::new(n).ok_or("a terminal has cells");
        let mut terminal = vt100::Parser::new(cells(2)?, cells(12)?, 0);
        let (mut shown, mut time) = (screens.iter(), 0.0);
        for line in lines {
            let (after, code, data): (f64, String, String) = serde_json::from_str(line)?;
            time += after;
            if code == "m" {
                assert_eq!(data, Shown::new("stage \u{1b}[2J DPO").as_str());
            } else if !data.is_empty() {
                terminal.process(data.as_bytes());
                let rows: Vec<String> = terminal.screen().rows(0, 12).map(|row| row.trim_end().to_owned()).collect();
                let plain = super::super::text::plain(shown.next().ok_or("too many frames")?);
                assert_eq!(rows, plain.lines().collect::<Vec<_>>());
            }
        }
        assert!(shown.next().is_none() && (time - 4.5).abs() < 1e-9, "{time}");
        Ok(())
    }

    #[test]
    fn hidden_characters_reach_no_terminal() {
        for (symbol, shown) in [("\u{1b}]52;c;QQ\u{7}", "<U+001B>]52;c;QQ<U+0007>"), ("\u{202e}", "<U+202E>")] {
            let mut hostile = Buffer::empty(Rect::new(0, 0, 4, 1));
            hostile[(0, 0)].set_symbol(symbol);
            let text = differences(&Buffer::empty(hostile.area), &hostile);
            assert!(text.contains(shown) && !text.contains(symbol), "{text:?}");
        }
    }
}

//! A film as an animated PNG: of every frame the rectangle that changed, with what did not change in it transparent.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::film::{Film, Frame};
use super::shapes::{CELL_HEIGHT, CELL_WIDTH};
use super::{ScreenshotMeta, png as still, svg};
use crate::error::{Error, Result};

/// Pixels per unit of the SVG: half of a screenshot's, for a film is looked at as a whole.
const SCALE: u16 = 1;

/// Draws the film. Viewers that know no animation show its first frame.
///
/// # Errors
/// When a frame cannot be drawn.
pub fn apng(film: &mut Film<'_>) -> Result<Vec<u8>> {
    let failed = |e: png::EncodingError| Error::failed(format!("the film cannot be drawn: {e}"));
    let cell = (CELL_WIDTH * u32::from(SCALE), CELL_HEIGHT * u32::from(SCALE));
    let (width, height) = (u32::from(film.size.0) * cell.0, u32::from(film.size.1) * cell.1);
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, width, height);
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::High);
    encoder.set_animated(u32::try_from(film.count).unwrap_or(u32::MAX), 0).map_err(failed)?;
    for (keyword, text) in still::chunks(&film.meta) {
        encoder.add_text_chunk(keyword.to_owned(), text).map_err(failed)?;
    }
    let mut writer = encoder.write_header().map_err(failed)?;
    let mut canvas = Canvas { width, pixels: Vec::new() };
    let mut before: Option<Buffer> = None;
    for Frame { shown, lasts, .. } in film.frames.by_ref() {
        let rows = before.as_ref().map_or(Some((0, film.size.1)), |before| changed_rows(before, &shown));
        let patch = match rows {
            Some((top, bottom)) => canvas.paint(&band(&shown, top, bottom), u32::from(top) * cell.1, &film.meta)?,
            None => Patch::nothing(),
        };
        // A size is held against the place of the frame before.
        writer.set_frame_position(0, 0).map_err(failed)?;
        writer.set_frame_dimension(patch.size.0, patch.size.1).map_err(failed)?;
        writer.set_frame_position(patch.place.0, patch.place.1).map_err(failed)?;
        writer.set_blend_op(png::BlendOp::Over).map_err(failed)?;
        let millis = u16::try_from(lasts.as_millis()).unwrap_or(u16::MAX);
        writer.set_frame_delay(millis, 1000).map_err(failed)?;
        writer.write_image_data(&patch.pixels).map_err(failed)?;
        before = Some(shown);
    }
    writer.finish().map_err(failed)?;
    Ok(out)
}

/// The first row that differs, and the one after the last.
fn changed_rows(before: &Buffer, after: &Buffer) -> Option<(u16, u16)> {
    let rows: Vec<u16> = before.diff(after).into_iter().map(|(_, y, _)| y).collect();
    Some((*rows.iter().min()?, rows.iter().max()? + 1))
}

/// Rows of a screen, as a screen.
fn band(shown: &Buffer, top: u16, bottom: u16) -> Buffer {
    let width = usize::from(shown.area.width);
    let cells = usize::from(top) * width..usize::from(bottom) * width;
    Buffer { area: Rect::new(0, 0, shown.area.width, bottom - top), content: shown.content[cells].to_vec() }
}

/// What is seen so far, three bytes a pixel.
struct Canvas {
    width: u32,
    pixels: Vec<u8>,
}

/// What is drawn over it: place, size, and four bytes a pixel.
struct Patch {
    place: (u32, u32),
    size: (u32, u32),
    pixels: Vec<u8>,
}

impl Patch {
    /// A frame has a pixel at least, which may be transparent.
    fn nothing() -> Self {
        Self { place: (0, 0), size: (1, 1), pixels: vec![0; 4] }
    }
}

impl Canvas {
    /// Paints a band of the screen whose first line is `top`; returns the rectangle that has changed.
    fn paint(&mut self, band: &Buffer, top: u32, meta: &ScreenshotMeta) -> Result<Patch> {
        let (width, height, new) = still::pixels(&svg::svg(band, meta), SCALE)?;
        let line = self.width as usize * 3;
        if self.pixels.is_empty() {
            let pixels = new.chunks_exact(3).flat_map(|p| [p[0], p[1], p[2], 0xFF]).collect();
            self.pixels = new;
            return Ok(Patch { place: (0, top), size: (width, height), pixels });
        }
        let begin = top as usize * line;
        let old = &mut self.pixels[begin..begin + new.len()];
        let (mut left, mut right, mut first, mut last) = (usize::MAX, 0, usize::MAX, 0);
        for (i, (a, b)) in old.chunks_exact(3).zip(new.chunks_exact(3)).enumerate() {
            if a != b {
                let (x, y) = (i % self.width as usize, i / self.width as usize);
                (left, right, first, last) = (left.min(x), right.max(x), first.min(y), last.max(y));
            }
        }
        if left == usize::MAX {
            return Ok(Patch::nothing());
        }
        let mut pixels = Vec::new();
        for y in first..=last {
            let range = y * line + left * 3..y * line + (right + 1) * 3;
            for (a, b) in old[range.clone()].chunks_exact(3).zip(new[range].chunks_exact(3)) {
                pixels.extend(if a == b { [0; 4] } else { [b[0], b[1], b[2], 0xFF] });
            }
        }
        old.copy_from_slice(&new);
        let small = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let size = (small(right - left + 1), small(last - first + 1));
        Ok(Patch { place: (small(left), top + small(first)), size, pixels })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;
    use std::time::Duration;

    use ratatui::style::Style;

    use super::super::tests::meta;
    use super::*;

    #[test]
    fn its_frames_one_over_the_other_are_the_last_screen() -> Result<(), Box<dyn std::error::Error>> {
        let screen = |text: &str| {
            let mut buffer = Buffer::empty(Rect::new(0, 0, 8, 3));
            buffer.set_string(1, 1, text, Style::new());
            buffer
        };
        let screens = [screen("abc"), screen("adc⣀"), screen("adc⣀"), screen("xyz")];
        let frames = screens.iter().map(|shown| Frame {
            shown: shown.clone(),
            lasts: Duration::from_millis(250),
            told: Vec::new(),
        });
        let mut film = Film { meta: meta(), size: (8, 3), count: screens.len(), frames: Box::new(frames) };
        let mut reader = png::Decoder::new(Cursor::new(apng(&mut film)?)).read_info()?;
        assert_eq!(reader.info().animation_control().map(|a| a.num_frames), Some(4));
        let (_, _, wanted) = still::pixels(&svg::svg(&screens[3], &meta()), SCALE)?;
        let mut canvas = vec![0; wanted.len()];
        let mut frame = vec![0; reader.output_buffer_size().ok_or("too large")?];
        for _ in 0..4 {
            let info = reader.next_frame(&mut frame)?;
            let control = *reader.info().frame_control().ok_or("no frame")?;
            assert_eq!((control.delay_num, control.delay_den), (250, 1000));
            for (i, p) in frame[..info.buffer_size()].chunks_exact(4).enumerate().filter(|(_, p)| p[3] == 0xFF) {
                let (x, y) = (i % info.width as usize, i / info.width as usize);
                let at = (control.y_offset as usize + y) * 80 + control.x_offset as usize + x;
                canvas[at * 3..at * 3 + 3].copy_from_slice(&p[..3]);
            }
        }
        assert!(canvas == wanted);
        Ok(())
    }
}

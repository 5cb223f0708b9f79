//! PNG made from our own SVG with the bundled font and no other.

use std::sync::{Arc, OnceLock};

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::fontdb::Database;
use resvg::usvg::{Options, Tree};

use super::ScreenshotMeta;
use super::svg::FONT_FAMILY;
use crate::error::{Error, Result};
use crate::text::Shown;

/// Pixels per unit of the SVG.
pub const SCALE: u16 = 2;

const REGULAR: &[u8] = include_bytes!("../../assets/font/DejaVuSansMono.ttf");
const BOLD: &[u8] = include_bytes!("../../assets/font/DejaVuSansMono-Bold.ttf");

/// The two bundled faces; characters that they lack show as the face's own box.
fn fonts() -> Arc<Database> {
    static FONTS: OnceLock<Arc<Database>> = OnceLock::new();
    let load = || {
        let mut fonts = Database::new();
        fonts.load_font_data(REGULAR.to_vec());
        fonts.load_font_data(BOLD.to_vec());
        fonts.set_monospace_family(FONT_FAMILY);
        fonts.set_sans_serif_family(FONT_FAMILY);
        Arc::new(fonts)
    };
    Arc::clone(FONTS.get_or_init(load))
}

/// Rasterises an SVG of [`svg`](super::svg::svg) at [`SCALE`], with run id, seed and step as `tEXt` chunks.
///
/// # Errors
/// When the SVG is not one, or the picture is empty or too large.
pub fn png(svg: &str, meta: &ScreenshotMeta) -> Result<Vec<u8>> {
    let (width, height, pixels) = pixels(svg, SCALE)?;
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    for (keyword, text) in chunks(meta) {
        encoder.add_text_chunk(keyword.to_owned(), text).map_err(|e| failed(&e))?;
    }
    encoder
        .write_header()
        .and_then(|mut writer| {
            writer.write_image_data(&pixels)?;
            writer.finish()
        })
        .map_err(|e| failed(&e))?;
    Ok(out)
}

/// An SVG laid out in the bundled font.
///
/// # Errors
/// When it is not one.
pub(super) fn tree(svg: &str) -> Result<Tree> {
    let options = Options { fontdb: fonts(), font_family: FONT_FAMILY.to_owned(), ..Options::default() };
    Tree::from_str(svg, &options).map_err(|e| failed(&e))
}

/// The pixels of an SVG at a scale: width, height, and red, green and blue of each, line by line.
///
/// # Errors
/// When the SVG is not one, or the picture is empty or too large.
pub(super) fn pixels(svg: &str, scale: u16) -> Result<(u32, u32, Vec<u8>)> {
    let tree = tree(svg)?;
    let size = tree.size().to_int_size();
    let (width, height) = (size.width() * u32::from(scale), size.height() * u32::from(scale));
    let mut pixmap = Pixmap::new(width, height).ok_or_else(|| failed(&"it has no extent"))?;
    resvg::render(&tree, Transform::from_scale(f32::from(scale), f32::from(scale)), &mut pixmap.as_mut());
    // The ground is opaque, so alpha says nothing.
    let pixels = pixmap.data().chunks_exact(4).flat_map(|p| [p[0], p[1], p[2]]).collect();
    Ok((width, height, pixels))
}

/// What a picture is of, as keywords and texts of `tEXt` chunks.
pub(super) fn chunks(meta: &ScreenshotMeta) -> [(&'static str, String); 6] {
    let ascii = |raw: &str| Shown::new(raw).as_str().replace(|c: char| !c.is_ascii(), "?");
    [
        ("Title", ascii(&meta.run_id)),
        ("run_id", ascii(&meta.run_id)),
        ("seed", meta.seed.to_string()),
        ("step", meta.step.to_string()),
        ("view", ascii(&meta.view)),
        ("Software", concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION")).to_owned()),
    ]
}

fn failed(why: &dyn std::fmt::Display) -> Error {
    Error::failed(format!("the screenshot cannot be drawn: {why}"))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use ratatui::buffer::Buffer;
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    use super::super::svg::svg;
    use super::super::tests::meta;
    use super::*;

    /// Width, height, pixels, text chunks.
    type Picture = (u32, u32, Vec<u8>, Vec<(String, String)>);

    fn drawn(text: &str) -> Result<Picture, Box<dyn std::error::Error>> {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 8, 2));
        buffer.set_string(0, 0, text, Style::new());
        let bytes = png(&svg(&buffer, &meta()), &meta())?;
        assert_eq!(bytes, png(&svg(&buffer, &meta()), &meta())?, "the same screen gives the same bytes");
        let mut reader = png::Decoder::new(Cursor::new(bytes)).read_info()?;
        let mut pixels = vec![0; reader.output_buffer_size().ok_or("too large")?];
        let info = reader.next_frame(&mut pixels)?;
        let texts = &reader.info().uncompressed_latin1_text;
        let texts = texts.iter().map(|t| (t.keyword.clone(), t.text.clone())).collect();
        Ok((info.width, info.height, pixels, texts))
    }

    #[test]
    fn it_has_the_size_the_ink_and_the_metadata() -> Result<(), Box<dyn std::error::Error>> {
        let (width, height, blank, texts) = drawn("")?;
        assert_eq!((width, height), (160, 80));
        assert!(blank.chunks_exact(3).all(|p| p == [0x0F, 0x14, 0x1A]));
        for (keyword, text) in [("run_id", "dpo_offpolicy-seed1"), ("seed", "1"), ("step", "123")] {
            assert!(texts.iter().any(|(k, t)| k == keyword && t == text), "{texts:?}");
        }
        Ok(())
    }

    #[test]
    fn every_kind_of_character_leaves_ink() -> Result<(), Box<dyn std::error::Error>> {
        let (.., blank, _) = drawn("")?;
        for text in [
            "a", "⁺", "⁻", "*", "Δ", "π", "β", "⏎", "⇥", "⣿", "⠁", "─", "╭", "▁", "●", "★", "☆", "◐", "◒", "✕", "▸",
            "漢",
        ] {
            assert_ne!(drawn(text)?.2, blank, "{text} is invisible");
        }
        Ok(())
    }
}

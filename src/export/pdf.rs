//! A drawing as PDF, made from our own SVG: lines, areas and text stay what they are, and the parts of the font that are used are
//! embedded, so that text can be searched and copied. The same drawing gives the same bytes.

use std::collections::BTreeMap;

use krilla::color::rgb;
use krilla::geom::{Path, PathBuilder, Point, Transform};
use krilla::metadata::Metadata;
use krilla::num::NormalizedF32;
use krilla::page::PageSettings;
use krilla::paint::{Fill, LineJoin, Stroke, StrokeDash};
use krilla::surface::Surface;
use krilla::text::{Font, GlyphId, KrillaGlyph};
use krilla::{Document, paint};
use resvg::tiny_skia::PathSegment;
use resvg::usvg::{self, Group, Node, fontdb};

use super::png;
use crate::error::{Error, Result};

/// Points in a unit of an SVG.
const POINTS: f32 = 0.75;

/// The faces of the bundled font.
type Fonts = BTreeMap<fontdb::ID, Font>;

/// An SVG as a page of its size, in the bundled font.
///
/// # Errors
/// When the SVG is not one, or has in it what a figure has not: a picture, a gradient.
pub(super) fn pdf(svg: &str, title: &str) -> Result<Vec<u8>> {
    let tree = png::tree(svg)?;
    let database = tree.fontdb();
    let font = |id| Font::new(database.with_face_data(id, |data, _| data.to_vec())?.into(), 0);
    let fonts: Fonts = database.faces().filter_map(|face| Some((face.id, font(face.id)?))).collect();
    let size = tree.size();
    let page = PageSettings::from_wh(size.width() * POINTS, size.height() * POINTS);
    let mut document = Document::new();
    document.set_metadata(Metadata::new().title(title.to_owned()));
    let mut page = document.start_page_with(page.ok_or_else(|| failed(&"it has no extent"))?);
    let mut surface = page.surface();
    let drawn =
        within(Transform::from_scale(POINTS, POINTS), &mut surface, |surface| group(&fonts, tree.root(), surface));
    surface.finish();
    page.finish();
    drawn?;
    document.finish().map_err(|e| failed(&e))
}

/// Draws under a transform. It must end also where that fails: a surface does not go with one that is open.
fn within<'a>(at: Transform, on: &mut Surface<'a>, draw: impl FnOnce(&mut Surface<'a>) -> Result<()>) -> Result<()> {
    on.push_transform(&at);
    let drawn = draw(on);
    on.pop();
    drawn
}

fn group(fonts: &Fonts, of: &Group, surface: &mut Surface<'_>) -> Result<()> {
    for node in of.children() {
        match node {
            Node::Group(inner) => group(fonts, inner, surface)?,
            Node::Path(path) => shape(path, surface)?,
            Node::Text(text) => within(placed(text.abs_transform()), surface, |surface| words(fonts, text, surface))?,
            Node::Image(_) => return Err(failed(&"it has a picture in it")),
        }
    }
    Ok(())
}

fn shape(path: &usvg::Path, surface: &mut Surface<'_>) -> Result<()> {
    let fill = path.fill().map(|fill| self::fill(fill.paint())).transpose()?;
    let stroke = path.stroke().map(stroke).transpose()?;
    let Some(outline) = outline(path) else { return Ok(()) };
    within(placed(path.abs_transform()), surface, |surface| {
        surface.set_fill(fill);
        surface.set_stroke(stroke);
        surface.draw_path(&outline);
        Ok(())
    })
}

fn outline(path: &usvg::Path) -> Option<Path> {
    let mut pen = PathBuilder::new();
    for segment in path.data().segments() {
        match segment {
            PathSegment::MoveTo(p) => pen.move_to(p.x, p.y),
            PathSegment::LineTo(p) => pen.line_to(p.x, p.y),
            PathSegment::QuadTo(a, p) => pen.quad_to(a.x, a.y, p.x, p.y),
            PathSegment::CubicTo(a, b, p) => pen.cubic_to(a.x, a.y, b.x, b.y, p.x, p.y),
            PathSegment::Close => pen.close(),
        }
    }
    pen.finish()
}

/// A line of text is a run of glyphs for each of its styles.
fn words(fonts: &Fonts, text: &usvg::Text, surface: &mut Surface<'_>) -> Result<()> {
    for span in text.layouted() {
        let glyphs = &span.positioned_glyphs;
        let (Some(first), Some(fill)) = (glyphs.first(), &span.fill) else { continue };
        let font = fonts.get(&first.font).ok_or_else(|| failed(&"a font is missing"))?.clone();
        let mut said = String::new();
        let mut run = Vec::with_capacity(glyphs.len());
        for (at, glyph) in glyphs.iter().enumerate() {
            let from = said.len();
            said.push_str(&glyph.text);
            let next = glyphs.get(at + 1).unwrap_or(glyph);
            let advance = (next.transform().tx - glyph.transform().tx) / glyph.font_size();
            let id = GlyphId::new(glyph.id.0);
            run.push(KrillaGlyph::new(id, advance, 0.0, 0.0, 0.0, from..said.len(), None));
        }
        let start = first.transform();
        surface.set_fill(Some(self::fill(fill.paint())?));
        surface.set_stroke(None);
        surface.draw_glyphs(Point::from_xy(start.tx, start.ty), &run, font, &said, first.font_size(), false);
    }
    Ok(())
}

fn placed(at: usvg::Transform) -> Transform {
    Transform::from_row(at.sx, at.ky, at.kx, at.sy, at.tx, at.ty)
}

fn colour(of: &usvg::Paint) -> Result<paint::Paint> {
    match of {
        usvg::Paint::Color(c) => Ok(rgb::Color::new(c.red, c.green, c.blue).into()),
        _ => Err(failed(&"it has a gradient or a pattern in it")),
    }
}

fn fill(of: &usvg::Paint) -> Result<Fill> {
    Ok(Fill { paint: colour(of)?, opacity: NormalizedF32::ONE, rule: paint::FillRule::default() })
}

fn stroke(of: &usvg::Stroke) -> Result<Stroke> {
    let dash = of.dasharray().map(|array| StrokeDash { array: array.to_vec(), offset: of.dashoffset() });
    let paint = colour(of.paint())?;
    Ok(Stroke { paint, width: of.width().get(), line_join: LineJoin::Round, dash, ..Stroke::default() })
}

fn failed(why: &dyn std::fmt::Display) -> Error {
    Error::failed(format!("the figure cannot be written as PDF: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIGURE: &str = r##"<svg xmlns="http://www.w3.org/2000/svg" width="88mm" height="20mm" viewBox="0 0 249.4 56.7"
        font-family="Helvetica, sans-serif" font-size="6"><path d="M1 1h40" stroke="#005fa8" stroke-dasharray="4 2"/>
        <text x="10" y="20"><tspan font-weight="bold">a</tspan> y⁺ −6.7</text></svg>"##;

    #[test]
    fn a_figure_is_a_page_of_its_size_with_fonts_and_text() -> Result<()> {
        let bytes = pdf(FIGURE, "run")?;
        assert!(bytes.starts_with(b"%PDF-"));
        let text = String::from_utf8_lossy(&bytes);
        let sheet = text.split("/MediaBox").nth(1).unwrap_or_default();
        assert!(sheet.starts_with("[0 0 249.4"), "{}", &sheet[..40.min(sheet.len())]);
        for part in ["/FontFile2", "/ToUnicode", "DejaVuSansMono-Bold", "(run)"] {
            assert!(text.contains(part), "{part}");
        }
        assert!(bytes.len() < 40_000, "the font is embedded in part: {}", bytes.len());
        assert_eq!(bytes, pdf(FIGURE, "run")?, "the same bytes");
        Ok(())
    }

    #[test]
    fn what_a_figure_has_not_is_an_error() {
        let gradient = FIGURE.replace("<path d", "<defs><linearGradient id='g'><stop offset='0'/><stop offset='1' stop-color='red'/></linearGradient></defs><path fill='url(#g)' d").replace("h40", "h40v9z");
        for svg in ["<svg", &gradient] {
            assert!(pdf(svg, "run").is_err());
        }
    }
}

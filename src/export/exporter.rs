//! The ways in which a run and a comparison are written: a row each.

use std::cell::OnceCell;

use ratatui::buffer::Buffer;

use super::csv::NamedTable;
use super::film::Film;
use super::{ScreenshotMeta, apng, cast, comparison, csv, png, svg, text};
use crate::error::Result;
use crate::history::{Aligned, RunHistory};

/// What tables are made of.
#[derive(Debug, Clone, Copy)]
pub enum Numbers<'a> {
    /// One run.
    Run(&'a RunHistory),
    /// Several runs on one axis.
    Comparison(&'a Aligned),
}

/// A drawn screen that figures are made of. Its SVG is drawn once, for the figures that are made of it share it.
pub struct Picture<'a> {
    buffer: &'a Buffer,
    meta: &'a ScreenshotMeta,
    svg: OnceCell<String>,
}

impl<'a> Picture<'a> {
    /// A picture of a screen and what it is of.
    pub fn new(buffer: &'a Buffer, meta: &'a ScreenshotMeta) -> Self {
        Self { buffer, meta, svg: OnceCell::new() }
    }

    fn svg(&self) -> &str {
        self.svg.get_or_init(|| svg::svg(self.buffer, self.meta))
    }
}

/// One way to write a run or a comparison.
#[derive(Debug)]
pub struct Exporter {
    /// The name of the format on the command line.
    pub name: &'static str,
    /// What the files' names end with.
    pub extension: &'static str,
    /// What it writes, for the help.
    pub help: &'static str,
    /// What makes it.
    pub kind: Kind,
}

/// What an exporter makes.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// Tables of a run, and tables of a comparison.
    Tables(fn(&RunHistory) -> Vec<NamedTable>, fn(&Aligned) -> Vec<NamedTable>),
    /// A figure of a screen.
    Figure(fn(&Picture<'_>) -> Result<Vec<u8>>),
    /// A film of a recording that plays.
    Film(fn(&mut Film<'_>) -> Result<Vec<u8>>),
}

/// Every way.
pub static EXPORTERS: [Exporter; 7] = [
    Exporter {
        name: "csv",
        extension: "csv",
        help: "Every number, as tables",
        kind: Kind::Tables(csv::tables, comparison::tables),
    },
    Exporter {
        name: "svg",
        extension: "svg",
        help: "The dashboard as a scalable figure",
        kind: Kind::Figure(|picture| Ok(picture.svg().as_bytes().to_vec())),
    },
    Exporter {
        name: "png",
        extension: "png",
        help: "The same as pixels",
        kind: Kind::Figure(|picture| png::png(picture.svg(), picture.meta)),
    },
    Exporter {
        name: "txt",
        extension: "txt",
        help: "The same as plain text",
        kind: Kind::Figure(|picture| Ok(text::plain(picture.buffer).into_bytes())),
    },
    Exporter {
        name: "ansi",
        extension: "ans",
        help: "The same as text with colours for a terminal (`.ans`): `cat` shows it",
        kind: Kind::Figure(|picture| Ok(text::ansi(picture.buffer).into_bytes())),
    },
    Exporter {
        name: "cast",
        extension: "cast",
        help: "A replay as a recording of a terminal (asciicast v3)",
        kind: Kind::Film(cast::cast),
    },
    Exporter { name: "apng", extension: "apng.png", help: "A replay as an animated PNG", kind: Kind::Film(apng::apng) },
];

impl Exporter {
    /// The exporter of that name.
    pub fn named(name: &str) -> Option<&'static Self> {
        EXPORTERS.iter().find(|exporter| exporter.name == name)
    }

    /// The tables; none where it draws figures.
    pub fn tables(&self, numbers: Numbers<'_>) -> Vec<NamedTable> {
        match (self.kind, numbers) {
            (Kind::Tables(of_run, _), Numbers::Run(history)) => of_run(history),
            (Kind::Tables(_, of_comparison), Numbers::Comparison(aligned)) => of_comparison(aligned),
            (Kind::Figure(_) | Kind::Film(_), _) => Vec::new(),
        }
    }

    /// The picture as a file: its ending and its bytes; `None` where this makes no figure.
    ///
    /// # Errors
    /// When the figure cannot be drawn.
    pub fn figure(&self, picture: &Picture<'_>) -> Result<Option<(&'static str, Vec<u8>)>> {
        match self.kind {
            Kind::Tables(..) | Kind::Film(_) => Ok(None),
            Kind::Figure(draw) => Ok(Some((self.extension, draw(picture)?))),
        }
    }

    /// The film as a file: its ending and its bytes; `None` where this makes no film.
    ///
    /// # Errors
    /// When a frame cannot be drawn.
    pub fn film(&self, film: &mut Film<'_>) -> Result<Option<(&'static str, Vec<u8>)>> {
        match self.kind {
            Kind::Tables(..) | Kind::Figure(_) => Ok(None),
            Kind::Film(write) => Ok(Some((self.extension, write(film)?))),
        }
    }
}

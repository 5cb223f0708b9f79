//! The ways in which a run and a comparison are written: a row each.

use std::cell::OnceCell;

use ratatui::buffer::Buffer;

use super::csv::NamedTable;
use super::film::Film;
use super::sheet::{self, Sheet};
use super::{ScreenshotMeta, apng, cast, comparison, csv, figure, html, jsonl, parquet, pdf, png, svg, text};
use crate::error::{Error, Result};
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
    /// The same tables in the long form, each written as this says.
    Sheets(fn(&Sheet) -> Result<Vec<u8>>),
    /// A file of one run: what is added to its name, and what makes it.
    Page(&'static str, fn(&RunHistory) -> Result<Vec<u8>>),
    /// A figure of a screen.
    Figure(fn(&Picture<'_>) -> Result<Vec<u8>>),
    /// A film of a recording that plays.
    Film(fn(&mut Film<'_>) -> Result<Vec<u8>>),
}

/// Every way.
pub static EXPORTERS: [Exporter; 12] = [
    Exporter {
        name: "csv",
        extension: "csv",
        help: "Every number, as tables",
        kind: Kind::Tables(csv::tables, comparison::tables),
    },
    Exporter {
        name: "jsonl",
        extension: "jsonl",
        help: "The same numbers in the long form, a JSON object a line",
        kind: Kind::Sheets(|sheet| Ok(jsonl::text(sheet).into_bytes())),
    },
    Exporter {
        name: "parquet",
        extension: "parquet",
        help: "The same for data frames (builds with the feature `parquet`)",
        kind: Kind::Sheets(parquet::bytes),
    },
    Exporter {
        name: "html",
        extension: "html",
        help: "One page for a browser: curves with values under the pointer, pairs, the verdict",
        kind: Kind::Page("dynamics", html::page),
    },
    Exporter {
        name: "figure",
        extension: "svg",
        help: "A figure for a paper, 88 mm wide: a panel for each group of answers",
        kind: Kind::Page("figure", |history| figure::figure(history).map(String::into_bytes)),
    },
    Exporter {
        name: "pdf",
        extension: "pdf",
        help: "The same figure as PDF, with its font embedded",
        kind: Kind::Page("figure", |history| pdf::pdf(&figure::figure(history)?, &figure::title(history))),
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

    /// Whether files are made of numbers, and not of a drawn screen.
    pub fn is_of_numbers(&self) -> bool {
        matches!(self.kind, Kind::Tables(..) | Kind::Sheets(_) | Kind::Page(..))
    }

    /// The files that are made of numbers, each with what is added to its name; none where it draws screens.
    ///
    /// # Errors
    /// When the numbers have no such file, or it cannot be made.
    pub fn files(&self, numbers: Numbers<'_>) -> Result<Vec<(&'static str, Vec<u8>)>> {
        let encoded =
            |tables: Vec<NamedTable>| Ok(tables.into_iter().map(|(n, text)| (n, text.into_bytes())).collect());
        match (self.kind, numbers) {
            (Kind::Tables(of_run, _), Numbers::Run(history)) => encoded(of_run(history)),
            (Kind::Tables(_, of_comparison), Numbers::Comparison(aligned)) => encoded(of_comparison(aligned)),
            (Kind::Sheets(write), _) => {
                let sheets = match numbers {
                    Numbers::Run(history) => sheet::of_run(history),
                    Numbers::Comparison(aligned) => comparison::sheets(aligned),
                };
                sheets.iter().map(|sheet| Ok((sheet.name, write(sheet)?))).collect()
            }
            (Kind::Page(name, make), Numbers::Run(history)) => Ok(vec![(name, make(history)?)]),
            (Kind::Page(..) | Kind::Film(_), Numbers::Comparison(_)) => {
                let name = self.name;
                Err(Error::usage(format!("--format {name} is of one run: `export RUN --format {name}` writes it")))
            }
            (Kind::Figure(_), _) | (Kind::Film(_), Numbers::Run(_)) => Ok(Vec::new()),
        }
    }

    /// The picture as a file: its ending and its bytes; `None` where this makes no figure.
    ///
    /// # Errors
    /// When the figure cannot be drawn.
    pub fn figure(&self, picture: &Picture<'_>) -> Result<Option<(&'static str, Vec<u8>)>> {
        match self.kind {
            Kind::Tables(..) | Kind::Sheets(_) | Kind::Page(..) | Kind::Film(_) => Ok(None),
            Kind::Figure(draw) => Ok(Some((self.extension, draw(picture)?))),
        }
    }

    /// The film as a file: its ending and its bytes; `None` where this makes no film.
    ///
    /// # Errors
    /// When a frame cannot be drawn.
    pub fn film(&self, film: &mut Film<'_>) -> Result<Option<(&'static str, Vec<u8>)>> {
        match self.kind {
            Kind::Tables(..) | Kind::Sheets(_) | Kind::Page(..) | Kind::Figure(_) => Ok(None),
            Kind::Film(write) => Ok(Some((self.extension, write(film)?))),
        }
    }
}

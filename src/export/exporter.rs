//! The ways in which a run and a comparison are written: a row each.

use ratatui::buffer::Buffer;

use super::{ScreenshotMeta, comparison, csv, png, svg, text};
use crate::error::Result;
use crate::history::{Aligned, RunHistory};

/// A table: what is added to the name of its file, and its text.
pub type Table = (&'static str, String);

/// What tables are made of.
#[derive(Debug, Clone, Copy)]
pub enum Numbers<'a> {
    /// One run.
    Run(&'a RunHistory),
    /// Several runs on one axis.
    Comparison(&'a Aligned),
}

/// One way to write a run or a comparison.
#[derive(Debug)]
pub struct Exporter {
    /// Its name on the command line.
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
    Tables(fn(&RunHistory) -> Vec<Table>, fn(&Aligned) -> Vec<Table>),
    /// A figure of a screen.
    Figure(fn(&Buffer, &ScreenshotMeta) -> Result<Vec<u8>>),
}

/// Every way.
pub static EXPORTERS: [Exporter; 5] = [
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
        kind: Kind::Figure(|buffer, meta| Ok(svg::svg(buffer, meta).into_bytes())),
    },
    Exporter {
        name: "png",
        extension: "png",
        help: "The same as pixels",
        kind: Kind::Figure(|buffer, meta| png::png(&svg::svg(buffer, meta), meta)),
    },
    Exporter {
        name: "txt",
        extension: "txt",
        help: "The same as plain text",
        kind: Kind::Figure(|buffer, _| Ok(text::plain(buffer).into_bytes())),
    },
    Exporter {
        name: "ansi",
        extension: "ans",
        help: "The same as text with colours for a terminal (`.ans`): `cat` shows it",
        kind: Kind::Figure(|buffer, _| Ok(text::ansi(buffer).into_bytes())),
    },
];

impl Exporter {
    /// The exporter of that name.
    pub fn named(name: &str) -> Option<&'static Self> {
        EXPORTERS.iter().find(|exporter| exporter.name == name)
    }

    /// The tables; none where it draws figures.
    pub fn tables(&self, numbers: Numbers<'_>) -> Vec<Table> {
        match (self.kind, numbers) {
            (Kind::Tables(of_run, _), Numbers::Run(history)) => of_run(history),
            (Kind::Tables(_, of_comparison), Numbers::Comparison(aligned)) => of_comparison(aligned),
            (Kind::Figure(_), _) => Vec::new(),
        }
    }

    /// The screen as one of its files; `None` where it makes tables.
    ///
    /// # Errors
    /// When the figure cannot be drawn.
    pub fn figure(&self, buffer: &Buffer, meta: &ScreenshotMeta) -> Result<Option<(&'static str, Vec<u8>)>> {
        match self.kind {
            Kind::Tables(..) => Ok(None),
            Kind::Figure(draw) => Ok(Some((self.extension, draw(buffer, meta)?))),
        }
    }
}

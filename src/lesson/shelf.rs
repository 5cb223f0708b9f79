//! The lessons that come with the program, and those in files.

use std::path::Path;

use super::open::Opened;
use crate::error::{Error, Location, Result};

macro_rules! lesson {
    ($name:literal) => {
        (
            concat!("experiments/lessons/", $name, ".ron"),
            include_str!(concat!("../../experiments/lessons/", $name, ".ron")),
        )
    };
}

macro_rules! recording {
    ($name:literal) => {
        ($name, include_bytes!(concat!("../../experiments/lessons/", $name)))
    };
}

/// The lessons that come with the program, in the order in which they build on each other: path, text.
pub const LESSONS: [(&str, &str); 5] =
    [lesson!("softmax"), lesson!("hallucination"), lesson!("winner_falls"), lesson!("on_policy"), lesson!("gate")];

/// Their recordings.
const RECORDINGS: [(&str, &[u8]); 4] = [
    recording!("hallucination.jsonl.gz"),
    recording!("dpo_offpolicy.jsonl.gz"),
    recording!("dpo_onpolicy.jsonl.gz"),
    recording!("gate_dpo.jsonl.gz"),
];

/// The lesson of that path or bare name.
pub fn embedded(path: &Path) -> Option<&'static (&'static str, &'static str)> {
    LESSONS.iter().find(|(known, _)| {
        let known = Path::new(known);
        path == known || Some(path.as_os_str()) == known.file_stem() || Some(path.as_os_str()) == known.file_name()
    })
}

/// Opens a lesson: a file, or one that comes with the program, by its path or its bare name.
///
/// # Errors
/// Every mistake in it with line and column; that there is no such lesson, with those that there are.
pub fn open(path: &Path) -> Result<Opened> {
    if path.is_file() {
        let text = std::fs::read_to_string(path).map_err(|e| Error::reading(path, &e))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        return Opened::new(path, &text, |file| {
            let file = folder.join(file);
            std::fs::read(&file).map_err(|e| Error::reading(&file, &e))
        });
    }
    let Some((known, text)) = embedded(path) else {
        let names: Vec<&str> =
            LESSONS.iter().filter_map(|(path, _)| Path::new(path).file_stem().and_then(|stem| stem.to_str())).collect();
        let advice = format!("name a file, or one of {}", names.join(", "));
        return Err(Error::input(Location::file(path), "there is no such lesson", advice));
    };
    Opened::new(Path::new(known), text, |file| {
        let found = RECORDINGS.iter().find(|(name, _)| Path::new(name) == file);
        found.map(|(_, bytes)| bytes.to_vec()).ok_or_else(|| {
            Error::input(Location::file(file), "does not come with the program", "name one of those that do")
        })
    })
}

//! Files that leave the program besides the run file: screenshots and tables. Everything here is a pure function of its
//! arguments, so that the same state gives the same bytes on any machine.

mod apng;
pub mod cast;
pub mod comparison;
pub mod csv;
mod exporter;
mod figure;
mod film;
mod html;
mod hue;
pub mod influence;
mod jsonl;
mod meta;
mod parquet;
mod pdf;
pub mod png;
mod shapes;
mod sheet;
pub mod svg;
pub mod text;
mod thin;

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// A drawn screen, cell by cell: what figures are made from.
pub use ratatui::buffer::Buffer;

use exporter::Picture;
pub use exporter::{EXPORTERS, Exporter, Kind, Numbers};
pub use film::{Film, Frame, Pace, schedule};
pub use meta::ScreenshotMeta;

use crate::error::{Error, Result};
use crate::text::Shown;

/// Writes the buffer as `<run>-step000123-<view>.{svg,png,txt,ans}` into `dir`, which is made if it is missing. Never
/// overwrites: a name that is taken in any of the four formats gets `-2`, `-3`, …. Returns the paths written.
pub fn screenshot(buffer: &Buffer, meta: &ScreenshotMeta, dir: &Path) -> Result<Vec<PathBuf>> {
    figures(&EXPORTERS.iter().collect::<Vec<_>>(), buffer, meta, dir)
}

/// Writes the buffer as figures of some formats, named and kept as [`screenshot`] does; formats of tables are passed over.
/// Returns the paths written.
pub fn figures(formats: &[&Exporter], buffer: &Buffer, meta: &ScreenshotMeta, dir: &Path) -> Result<Vec<PathBuf>> {
    let picture = Picture::new(buffer, meta);
    let figures = formats.iter().map(|exporter| exporter.figure(&picture));
    let files = figures.filter_map(Result::transpose).collect::<Result<Vec<_>>>()?;
    if files.is_empty() { Ok(Vec::new()) } else { write_new(dir, &stem(meta), &files) }
}

/// Writes `<stem>.<extension>` for every extension and its bytes into `dir`, which is made if it is missing. Never
/// overwrites: a stem that is taken under any of the extensions gets `-2`, `-3`, …. Returns the paths written.
pub fn write_new(dir: &Path, stem: &str, files: &[(&str, Vec<u8>)]) -> Result<Vec<PathBuf>> {
    std::fs::create_dir_all(dir).map_err(|e| Error::writing(dir, &e))?;
    for attempt in 1u32.. {
        let name = if attempt == 1 { stem.to_owned() } else { format!("{stem}-{attempt}") };
        let path = |extension: &str| dir.join(format!("{name}.{extension}"));
        if files.iter().any(|(extension, _)| path(extension).exists()) {
            continue;
        }
        let written =
            files.iter().map(|(extension, bytes)| create(path(extension), bytes)).collect::<Result<Option<_>>>();
        match written? {
            Some(paths) => return Ok(paths),
            // Another process took the name in between.
            None => continue,
        }
    }
    Err(Error::failed(format!("{}: no name is left for {stem}", dir.display())))
}

/// Writes a new file; `None` if the name is taken.
fn create(path: PathBuf, bytes: &[u8]) -> Result<Option<PathBuf>> {
    let mut file = match OpenOptions::new().write(true).create_new(true).open(&path) {
        Ok(file) => file,
        Err(e) if e.kind() == ErrorKind::AlreadyExists => return Ok(None),
        Err(e) => return Err(Error::writing(&path, &e)),
    };
    file.write_all(bytes).map_err(|e| Error::writing(&path, &e))?;
    Ok(Some(path))
}

/// The file name of a screenshot, without its extension: `<run>-step000123-<view>`.
pub fn stem(meta: &ScreenshotMeta) -> String {
    format!("{}-step{:06}-{}", safe_name(&meta.run_id), meta.step, safe_name(&meta.view))
}

/// A file name, or a part of one, out of any text: letters, digits, `.`, `_` and `-`, at most 80 of them, and no leading
/// dot or dash that a shell or a file manager would read differently.
pub fn safe_name(raw: &str) -> String {
    let shown = Shown::new(raw);
    let safe = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '_' };
    let name: String = shown.as_str().chars().map(safe).take(80).collect();
    let name = name.trim_start_matches(['.', '-']);
    if name.is_empty() { "unnamed".to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use ratatui::layout::Rect;

    use super::*;

    pub(super) fn meta() -> ScreenshotMeta {
        ScreenshotMeta {
            run_id: "dpo_offpolicy-seed1".into(),
            seed: 1,
            step: 123,
            view: "main".into(),
            fg: 0xD5_DAE1,
            bg: 0x0F_141A,
        }
    }

    #[test]
    fn names_are_safe_and_files_are_never_overwritten() -> Result<(), Box<dyn std::error::Error>> {
        let dir = tempfile::tempdir()?;
        let buffer = Buffer::empty(Rect::new(0, 0, 4, 2));
        let meta = ScreenshotMeta { run_id: "../../e\u{202e}vil\u{1b}[2J".into(), ..meta() };
        let first = screenshot(&buffer, &meta, dir.path())?;
        let before = std::fs::read(&first[0])?;
        let second = screenshot(&buffer, &meta, dir.path())?;
        let names = |paths: &[PathBuf]| -> Vec<String> {
            paths.iter().filter_map(|p| p.strip_prefix(dir.path()).ok()).map(|p| p.display().to_string()).collect()
        };
        let stem = "_.._e_U_202E_vil_U_001B__2J-step000123-main";
        assert_eq!(names(&first), ["svg", "png", "txt", "ans"].map(|e| format!("{stem}.{e}")));
        assert_eq!(names(&second), ["svg", "png", "txt", "ans"].map(|e| format!("{stem}-2.{e}")));
        assert_eq!(std::fs::read(&first[0])?, before);
        Ok(())
    }

    #[test]
    fn no_name_leaves_its_folder() {
        for (raw, safe) in
            [("", "unnamed"), ("..", "unnamed"), ("/etc/passwd", "_etc_passwd"), ("a b⁺", "a_b_"), ("-rf", "rf")]
        {
            assert_eq!(safe_name(raw), safe);
        }
        assert_eq!(safe_name(&"x".repeat(500)).len(), 80);
    }
}

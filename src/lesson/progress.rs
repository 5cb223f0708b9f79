//! What a learner has done, kept in one file of the platform's folder for state.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Location, Result};
use crate::record::{Folder, own_file};

/// The variable that names another file; empty for none at all.
const VARIABLE: &str = "LDYN_TUI_PROGRESS";

/// What is kept of one lesson.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Kept {
    /// The step that comes next, counted from 0; 0 after the last.
    pub at: usize,
    /// Whether it was gone through to the end.
    pub done: bool,
    /// Questions that were answered, the last time each.
    pub asked: usize,
    /// How many of them rightly.
    pub right: usize,
}

/// What is kept of all lessons.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Progress {
    path: Option<PathBuf>,
    lessons: BTreeMap<String, Kept>,
}

impl Progress {
    /// Reads the file that the environment leads to; nothing is kept yet where there is none.
    ///
    /// # Errors
    /// When the file cannot be read, or holds something else.
    pub fn load(var: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let Some(path) = place(var) else { return Ok(Self::default()) };
        let lessons = match std::fs::read_to_string(&path) {
            Ok(text) => serde_json::from_str(&text).map_err(|e| broken(&path, &e))?,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => BTreeMap::new(),
            Err(e) => return Err(Error::reading(&path, &e)),
        };
        Ok(Self { path: Some(path), lessons })
    }

    /// What is kept of a lesson.
    pub fn of(&self, lesson: &str) -> Kept {
        self.lessons.get(lesson).copied().unwrap_or_default()
    }

    /// Keeps what was done of a lesson.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn keep(&mut self, lesson: &str, kept: Kept) -> Result<()> {
        if self.lessons.insert(lesson.to_owned(), kept) == Some(kept) {
            return Ok(());
        }
        let Some(path) = &self.path else { return Ok(()) };
        let text = serde_json::to_string_pretty(&self.lessons)
            .map_err(|e| Error::failed(format!("the progress cannot be written: {e}")))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        std::fs::create_dir_all(folder).map_err(|e| Error::writing(folder, &e))?;
        // A file that is read meanwhile is the old one or the new one.
        let beside = path.with_extension("json.new");
        std::fs::write(&beside, text + "\n").map_err(|e| Error::writing(&beside, &e))?;
        std::fs::rename(&beside, path).map_err(|e| Error::writing(path, &e))
    }
}

fn broken(path: &Path, error: &serde_json::Error) -> Error {
    let location =
        Location { file: path.to_owned(), line: Some(error.line()), column: Some(error.column()).filter(|&c| c > 0) };
    Error::input(location, error.to_string(), "remove the file: it keeps what was learnt, and nothing else")
}

/// The file that what was learnt is kept in; `None` for none.
fn place(var: impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    own_file(var, VARIABLE, Folder::State, "lessons.json")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_found_again_and_a_broken_file_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("deep/lessons.json");
        let named = |name: &str| (name == VARIABLE).then(|| file.display().to_string());
        let kept = Kept { at: 2, done: false, asked: 2, right: 1 };
        let mut progress = Progress::load(named).unwrap();
        assert_eq!(progress.of("softmax"), Kept::default());
        progress.keep("softmax", kept).unwrap();
        assert_eq!(Progress::load(named).unwrap().of("softmax"), kept);
        std::fs::write(&file, "{\n \"softmax\": 3}").unwrap();
        let error = Progress::load(named).unwrap_err();
        assert!(error.exit_status() == 2 && error.to_string().contains("lessons.json:2:"), "{error}");
        let mut nowhere = Progress::load(|name| (name == VARIABLE).then(String::new)).unwrap();
        nowhere.keep("softmax", kept).unwrap();
        assert_eq!(nowhere.of("softmax"), kept, "of this session");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_file_lies_where_the_platform_keeps_state() {
        let holding = |vars: &'static [(&str, &str)]| {
            move |name: &str| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned())
        };
        let home = place(holding(&[("HOME", "/h")]));
        assert_eq!(home, Some(PathBuf::from("/h/.local/state/ldyn-tui/lessons.json")));
        let state = place(holding(&[("HOME", "/h"), ("XDG_STATE_HOME", "/s")]));
        assert_eq!(state, Some(PathBuf::from("/s/ldyn-tui/lessons.json")));
    }
}

//! Files of the program's own that belong to no run, in the platform's folders.

use std::path::PathBuf;

/// A folder of the platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Folder {
    /// For what a user sets.
    Settings,
    /// For what a program remembers.
    State,
}

/// The file that the environment's `variable` names, none where it is empty. Without that variable the file `name` in the
/// program's part of a folder; `None` where the environment does not say where that is.
pub fn own_file(var: impl Fn(&str) -> Option<String>, variable: &str, folder: Folder, name: &str) -> Option<PathBuf> {
    if let Some(named) = var(variable) {
        return Some(PathBuf::from(named)).filter(|path| !path.as_os_str().is_empty());
    }
    let set = |name: &str| var(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let [windows, unix, below_home] = match folder {
        Folder::Settings => ["APPDATA", "XDG_CONFIG_HOME", ".config"],
        Folder::State => ["LOCALAPPDATA", "XDG_STATE_HOME", ".local/state"],
    };
    let folder = if cfg!(windows) {
        set(windows)
    } else if cfg!(target_os = "macos") {
        set("HOME").map(|home| home.join("Library/Application Support"))
    } else {
        set(unix).or_else(|| set("HOME").map(|home| home.join(below_home)))
    };
    folder.map(|folder| folder.join("ldyn-tui").join(name))
}

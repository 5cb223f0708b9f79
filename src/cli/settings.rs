//! The user's settings: one RON file in the platform's folder for configuration.

use std::path::{Path, PathBuf};

use ron::error::SpannedError;
use ron::extensions::Extensions;
use serde::Deserialize;

use super::display::DisplayOptions;
use super::keys::Keys;
use super::opening::Opening;
use crate::error::{Error, Location, Result};
use crate::experiment::{is_slip, slips};
use crate::record::{Folder, own_file};
use crate::text::Shown;
use crate::tui::environment;
use crate::tui::glyphs::Glyphs;
use crate::tui::keymap;
use crate::tui::theme::ThemeKind;

/// The variable that names another file of settings; empty for none at all.
const VARIABLE: &str = "LDYN_TUI_CONFIG";

/// The names of all settings, in the order in which they are printed.
const NAMES: [&str; 9] = ["theme", "marker", "view", "narration", "bell", "mouse", "copy", "on_alarm", "keys"];

/// What the dashboard opens on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OpeningView {
    /// y⁺, y⁻ and y* stand out.
    #[default]
    Story,
    /// All curves are alike.
    All,
}

/// The user's settings; what is absent is as the flags, the terminal or the program have it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename = "settings")]
pub struct Settings {
    /// The palette of screens and of the pictures taken on them.
    pub theme: Option<ThemeKind>,
    /// The glyphs of screens and of the pictures taken on them.
    pub marker: Option<Glyphs>,
    /// What the dashboard opens on.
    pub view: Option<OpeningView>,
    /// Whether playing a recording stops at every event.
    pub narration: Option<bool>,
    /// Whether the terminal's bell rings at an alarm.
    pub bell: Option<bool>,
    /// Whether the mouse works: then the terminal does not select text with it.
    pub mouse: Option<bool>,
    /// Whether the key that copies may write the terminal's clipboard.
    pub copy: Option<bool>,
    /// A command for the shell, run at every alarm of a training that is watched.
    pub on_alarm: Option<String>,
    /// Keys that are others than the program's, by their names.
    pub keys: Keys,
}

impl Settings {
    /// Reads the settings that the environment leads to; the defaults where there is no file.
    ///
    /// # Errors
    /// When the file cannot be read, or holds what is no setting: with line and column, and what there is.
    pub fn load(var: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let Some(path) = path(var) else { return Ok(Self::default()) };
        match std::fs::read_to_string(&path) {
            Ok(text) => Self::parse(&path, &text),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(e) => Err(Error::reading(&path, &e)),
        }
    }

    /// Reads the text of a file of settings; `file` only names it.
    pub(super) fn parse(file: &Path, text: &str) -> Result<Self> {
        let options = ron::Options::default().with_default_extension(Extensions::IMPLICIT_SOME);
        let text = text.trim_start_matches('\u{feff}');
        let settings: Self = options.from_str(text).map_err(|error| refused(file, &error))?;
        settings.keys.table().map_err(|mistake| super::keys::refused(file, text, &mistake))?;
        Ok(settings)
    }

    /// Maps the keys as they are set, for the rest of the process.
    pub fn map_keys(&self) {
        // What was read has been looked at: there is a table.
        if let Ok(table) = self.keys.table() {
            keymap::remap(table);
        }
    }

    /// The flags, with what they leave open as it is set.
    #[must_use]
    pub fn under(&self, flags: &DisplayOptions) -> DisplayOptions {
        let mut display = *flags;
        display.theme = flags.theme.or(self.theme.filter(|_| !flags.no_color));
        display.marker = flags.marker.or(self.marker);
        display.opening = Opening {
            all_curves: self.view == Some(OpeningView::All),
            plays_through: self.narration == Some(false),
            bell: self.bell == Some(true),
            mouse: self.mouse == Some(true),
            copies: self.copy == Some(true),
        };
        display
    }

    /// A line a setting: name, what holds, and where that comes from; and before them the file.
    pub fn lines(&self, var: impl Fn(&str) -> Option<String>) -> Vec<Shown> {
        let path = path(&var);
        let place = match &path {
            None => format!("settings: none ({VARIABLE} is empty, or no folder is known)"),
            Some(path) if path.exists() => format!("settings: {}", path.display()),
            Some(path) => format!("settings: {} (not there: nothing is set)", path.display()),
        };
        let rows = NAMES.map(|name| {
            let (value, from) = self.row(name, &var);
            format!("  {name:<10} {value:<10} {from}")
        });
        std::iter::once(place).chain(rows).chain(self.keys.lines()).map(|line| Shown::new(&line)).collect()
    }

    /// What holds of a setting where no flag says otherwise, and where that comes from.
    fn row(&self, name: &str, var: impl Fn(&str) -> Option<String>) -> (String, &'static str) {
        const FILE: &str = "the file";
        const DEFAULT: &str = "the program";
        const TERMINAL: &str = "the terminal (TERM, LC_ALL, LC_CTYPE, LANG)";
        let of_file = |set: bool| if set { FILE } else { DEFAULT };
        let word = |value: &dyn std::fmt::Debug| format!("{value:?}").to_lowercase();
        match name {
            "theme" if environment::without_color(&var) => ("mono".to_owned(), "NO_COLOR"),
            "theme" => {
                let kind = self.theme.unwrap_or_else(|| environment::theme(&var).kind);
                (word(&kind), of_file(self.theme.is_some()))
            }
            "marker" => {
                let glyphs = self.marker.unwrap_or_else(|| environment::glyphs(&var));
                (word(&glyphs), if self.marker.is_some() { FILE } else { TERMINAL })
            }
            "view" => (word(&self.view.unwrap_or_default()), of_file(self.view.is_some())),
            "narration" => (self.narration.unwrap_or(true).to_string(), of_file(self.narration.is_some())),
            "bell" => (self.bell.unwrap_or(false).to_string(), of_file(self.bell.is_some())),
            "mouse" => (self.mouse.unwrap_or(false).to_string(), of_file(self.mouse.is_some())),
            "copy" => (self.copy.unwrap_or(false).to_string(), of_file(self.copy.is_some())),
            "keys" => (format!("{} mapped", self.keys.len()), of_file(self.keys.len() > 0)),
            _ => (self.on_alarm.clone().unwrap_or_else(|| "–".to_owned()), of_file(self.on_alarm.is_some())),
        }
    }
}

/// The file of settings; `None` for none.
fn path(var: impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    own_file(var, VARIABLE, Folder::Settings, "settings.ron")
}

/// The error of a text that holds no settings.
fn refused(file: &Path, error: &SpannedError) -> Error {
    let at = error.span.start;
    let location = Location { file: file.to_owned(), line: Some(at.line), column: Some(at.col) };
    let all = format!("the settings are {}", NAMES.join(", "));
    let advice = match &error.code {
        ron::Error::NoSuchStructField { found, .. } => {
            let near = NAMES.into_iter().filter(|name| is_slip(found, name)).min_by_key(|name| slips(found, name));
            near.map_or(all, |near| format!("did you mean `{near}`?"))
        }
        ron::Error::NoSuchEnumVariant { expected, .. } => format!("write one of {}", expected.join(", ")),
        _ => format!("write (theme: light, bell: true), for instance; {all}"),
    };
    Error::input(location, error.code.to_string(), advice)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail")]

    use super::*;

    fn parse(text: &str) -> Result<Settings> {
        Settings::parse(Path::new("settings.ron"), text)
    }

    #[test]
    fn settings_are_read_and_stand_behind_the_flags() {
        let text =
            r#"(theme: light, marker: half, view: all, narration: false, bell: true, on_alarm: "notify-send x")"#;
        let settings = parse(text).unwrap();
        assert_eq!(settings.on_alarm.as_deref(), Some("notify-send x"));
        let display = settings.under(&DisplayOptions::default());
        assert_eq!((display.theme, display.marker.named()), (Some(ThemeKind::Light), Some(Glyphs::Half)));
        let opening = Opening { all_curves: true, plays_through: true, bell: true, mouse: false, copies: false };
        assert_eq!(display.opening, opening);
        let flags = DisplayOptions { theme: Some(ThemeKind::Dark), ..DisplayOptions::default() };
        assert_eq!(settings.under(&flags).theme, Some(ThemeKind::Dark), "a flag says more");
        let colourless = DisplayOptions { no_color: true, ..DisplayOptions::default() };
        assert_eq!(settings.under(&colourless).theme, None);
        assert_eq!(parse("()").unwrap(), Settings::default());
    }

    #[test]
    fn what_is_no_setting_is_refused_with_its_place() {
        for (text, place, says) in [
            ("(\n  theme: light,\n  bel: true,\n)", "settings.ron:3:", "did you mean `bell`?"),
            ("(colour: 3)", "settings.ron:1:", "the settings are theme, marker"),
            ("(theme: blue)", "settings.ron:1:", "dark"),
            ("(bell: 3)", "settings.ron:1:", "for instance"),
            ("theme = light", "settings.ron:1:", "for instance"),
        ] {
            let error = parse(text).unwrap_err();
            assert_eq!(error.exit_status(), 2);
            assert!(error.to_string().contains(place) && error.to_string().contains(says), "{text}: {error}");
        }
    }

    #[test]
    fn the_file_lies_where_the_platform_keeps_such_files() {
        let holding = |vars: &'static [(&str, &str)]| {
            move |name: &str| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned())
        };
        assert_eq!(path(holding(&[(VARIABLE, "/x/y.ron"), ("HOME", "/h")])), Some(PathBuf::from("/x/y.ron")));
        assert_eq!(path(holding(&[(VARIABLE, ""), ("HOME", "/h")])), None);
        assert_eq!(path(holding(&[])), None);
        #[cfg(target_os = "linux")]
        {
            let home = path(holding(&[("HOME", "/h")]));
            assert_eq!(home, Some(PathBuf::from("/h/.config/ldyn-tui/settings.ron")));
            let xdg = path(holding(&[("HOME", "/h"), ("XDG_CONFIG_HOME", "/c")]));
            assert_eq!(xdg, Some(PathBuf::from("/c/ldyn-tui/settings.ron")));
        }
    }

    #[test]
    fn every_setting_is_printed_with_where_it_comes_from() {
        let settings = parse("(bell: true)").unwrap();
        let none = |name: &str| (name == VARIABLE).then(String::new);
        let text: Vec<String> = settings.lines(none).iter().map(ToString::to_string).collect();
        assert!(text.len() > 1 + NAMES.len(), "the keys come after the settings");
        assert!(text[0].contains("none") && text[5].contains("bell       true       the file"), "{text:?}");
        assert!(text[1].contains("theme      dark       the program"), "{text:?}");
        let colourless = |name: &str| (name == "NO_COLOR").then(|| "1".to_owned());
        assert!(settings.lines(colourless)[1].as_str().contains("mono       NO_COLOR"));
    }
}

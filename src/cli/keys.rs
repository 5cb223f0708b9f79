//! The keys of the user's settings: which are mapped otherwise, held against the table of keys.

use std::fmt;
use std::path::Path;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

use crate::error::{Error, Location};
use crate::tui::keymap::{self, Binding, Key, Mistake};

/// Keys by their names, in the file's order: `{"pause": "p", "copy": "Ctrl-y"}`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Keys(Vec<(String, String)>);

impl<'de> Deserialize<'de> for Keys {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Names;
        impl<'de> Visitor<'de> for Names {
            type Value = Keys;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of names to keys, such as {\"pause\": \"p\"}")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Keys, A::Error> {
                let mut keys = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    keys.push(pair);
                }
                Ok(Keys(keys))
            }
        }
        d.deserialize_map(Names)
    }
}

impl Keys {
    /// How many are mapped.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The table with them.
    pub(super) fn table(&self) -> Result<Vec<Binding>, Mistake> {
        keymap::remapped(self.0.iter().map(|(name, keys)| (name.as_str(), keys.as_str())))
    }

    /// A line a name: the keys, and where they come from.
    pub(super) fn lines(&self) -> Vec<String> {
        let table = self.table().unwrap_or_default();
        let mut seen: Vec<&str> = Vec::new();
        let mut lines = vec!["keys:".to_owned()];
        for row in &table {
            if seen.contains(&row.name) {
                continue;
            }
            seen.push(row.name);
            // Of rows that share a name the longest list says most.
            let same = table.iter().filter(|other| other.name == row.name);
            let keys = same.map(|row| &row.keys).max_by_key(|keys| keys.len());
            let keys: Vec<String> =
                keys.into_iter().flat_map(|keys| keys.iter().copied().map(Key::plain_name)).collect();
            let mapped = self.0.iter().any(|(name, _)| name == row.name);
            let from = if mapped { "the file" } else { "the program" };
            lines.push(format!("  {:<21} {:<22} {from:<12} {}", row.name, keys.join(" "), row.help));
        }
        lines
    }
}

/// The error of keys that cannot be mapped, where their name stands in the file.
pub(super) fn refused(file: &Path, text: &str, mistake: &Mistake) -> Error {
    let quoted = format!("\"{}\"", mistake.name);
    let from = text.find("keys").unwrap_or(0);
    let at = text[from..].rfind(&quoted).map_or(from, |at| from + at);
    let before = &text[..at];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    let location = Location { file: file.to_owned(), line: Some(line), column: Some(column) };
    Error::input(location, &mistake.problem, &mistake.advice)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use super::*;
    use crate::cli::Settings;

    #[test]
    fn what_is_no_key_is_refused_where_its_name_stands() {
        for (keys, place, says) in [
            ("\n  \"pause\": \"p\",\n  \"puase\": \"x\"", ":3:3", "did you mean `pause`?"),
            ("\n  \"pause\": \"Hyper-x\"", ":2:3", "Shift-Right"),
            ("\n  \"pause\": \"q\"", ":2:3", "`q` is the key of `quit` on a live run too"),
            ("\n  \"pause\": \"p\",\n  \"measure\": \"p\"", ":3:3", "`p` is the key of `pause`"),
            ("\n  \"pause\": \"p\",\n  \"pause\": \"P\"", ":3:3", "mapped twice"),
            ("\n  \"pause\": \" \"", ":2:3", "has no key"),
            ("\n  \"filter_erase\": \"x\"", ":2:3", "typed into it"),
        ] {
            let text = format!("(keys: {{{keys}\n}})");
            let error = Settings::parse(Path::new("settings.ron"), &text).unwrap_err();
            assert_eq!(error.exit_status(), 2);
            let told = error.to_string();
            assert!(told.starts_with(&format!("settings.ron{place}: ")) && told.contains(says), "{text}: {told}");
        }
        let swapped = "(keys: {\"scale\": \"a\", \"story\": \"y\", \"pause\": \"p Space\"})";
        let settings = Settings::parse(Path::new("settings.ron"), swapped).unwrap();
        let lines = settings.keys.lines();
        let line = |name: &str| lines.iter().find(|line| line.trim_start().starts_with(name)).unwrap();
        assert!(line("pause ").contains("p Space") && line("pause ").contains("the file"), "{lines:?}");
        assert!(line("quit ").contains("the program"), "{lines:?}");
    }
}

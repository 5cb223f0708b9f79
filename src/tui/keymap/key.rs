//! A key: as the keyboard sends it, as the screen names it, as a file of settings spells it.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// A key as it is written in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Key {
    /// A character, however the keyboard makes it.
    Char(char),
    /// A letter with Ctrl.
    Ctrl(char),
    /// A named key without Shift.
    Named(KeyCode),
    /// A named key with Shift.
    Shift(KeyCode),
}

impl Key {
    pub(super) fn matches(self, event: KeyEvent) -> bool {
        let ctrl = event.modifiers.contains(KeyModifiers::CONTROL);
        let shift = event.modifiers.contains(KeyModifiers::SHIFT);
        if event.modifiers.contains(KeyModifiers::ALT) {
            return false;
        }
        match self {
            Self::Char(c) => event.code == KeyCode::Char(c) && !ctrl,
            Self::Ctrl(c) => event.code == KeyCode::Char(c) && ctrl,
            Self::Named(KeyCode::BackTab) => event.code == KeyCode::BackTab,
            Self::Named(code) => event.code == code && !shift && !ctrl,
            Self::Shift(code) => event.code == code && shift,
        }
    }

    /// The name where there are no arrows: `<` and `>` are keys of their own.
    pub fn plain_name(self) -> String {
        let plain = |code| match code {
            KeyCode::Left | KeyCode::Right | KeyCode::Up | KeyCode::Down => Some(code.to_string()),
            _ => None,
        };
        match self {
            Self::Named(code) => plain(code),
            Self::Shift(code) => plain(code).map(|name| format!("Shift-{name}")),
            _ => None,
        }
        .unwrap_or_else(|| self.name())
    }

    /// The name on the screen.
    pub fn name(self) -> String {
        match self {
            Self::Char(' ') => "Space".to_owned(),
            Self::Char(c) => c.to_string(),
            Self::Ctrl(c) => format!("Ctrl-{}", c.to_ascii_uppercase()),
            Self::Named(code) => named(code),
            Self::Shift(code) => format!("Shift-{}", named(code)),
        }
    }
}

fn named(code: KeyCode) -> String {
    match code {
        KeyCode::Left => "←".to_owned(),
        KeyCode::Right => "→".to_owned(),
        KeyCode::Up => "↑".to_owned(),
        KeyCode::Down => "↓".to_owned(),
        KeyCode::BackTab => "Shift-Tab".to_owned(),
        KeyCode::PageDown => "PgDn".to_owned(),
        KeyCode::PageUp => "PgUp".to_owned(),
        other => other.to_string(),
    }
}

impl Key {
    /// The key of a spelling: a character, `Space`, `Enter`, `Left`, `PgDn`, `F5`, `Ctrl-x`, `Shift-Right`.
    ///
    /// # Errors
    /// In words, when it is none.
    pub fn spelled(text: &str) -> Result<Self, String> {
        let mut characters = text.chars();
        if let (Some(only), None) = (characters.next(), characters.next()) {
            return match only {
                c if c.is_control() || c.is_whitespace() => Err("write Space, Tab or Enter by their names".to_owned()),
                c => Ok(Self::Char(c)),
            };
        }
        if let Some(letter) = text.strip_prefix("Ctrl-") {
            let mut letters = letter.chars();
            return match (letters.next(), letters.next()) {
                (Some(c), None) if c.is_ascii_alphabetic() => Ok(Self::Ctrl(c.to_ascii_lowercase())),
                _ => Err("Ctrl goes with a letter: Ctrl-x".to_owned()),
            };
        }
        match (text, text.strip_prefix("Shift-")) {
            ("Space", _) => Some(Self::Char(' ')),
            ("Shift-Tab", _) => Some(Self::Named(KeyCode::BackTab)),
            (_, Some(name)) => code(name).map(Self::Shift),
            (name, None) => code(name).map(Self::Named),
        }
        .ok_or_else(|| {
            format!(
                "write a character, Space, Ctrl-x, Shift-Right, or one of {}",
                CODES.map(|(name, _)| name).join(", ")
            )
        })
    }
}

const CODES: [(&str, KeyCode); 12] = [
    ("Enter", KeyCode::Enter),
    ("Esc", KeyCode::Esc),
    ("Tab", KeyCode::Tab),
    ("Backspace", KeyCode::Backspace),
    ("Left", KeyCode::Left),
    ("Right", KeyCode::Right),
    ("Up", KeyCode::Up),
    ("Down", KeyCode::Down),
    ("Home", KeyCode::Home),
    ("End", KeyCode::End),
    ("PgUp", KeyCode::PageUp),
    ("PgDn", KeyCode::PageDown),
];

fn code(name: &str) -> Option<KeyCode> {
    let function = || name.strip_prefix('F')?.parse().ok().filter(|n| (1..=12).contains(n)).map(KeyCode::F);
    CODES.iter().find(|(known, _)| *known == name).map(|(_, code)| *code).or_else(function)
}

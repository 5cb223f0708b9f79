//! Kinds of answers that this program has no row for: a run file of another program may have some.

use std::cmp::Ordering;
use std::sync::{Mutex, PoisonError};

/// A kind of answer by its name alone. A copy costs nothing and two of one name are the same. It is a place in a list of
/// names and no name, for a long recording holds millions of kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Unlisted(u8);

/// Longest name, characters: it is a label at a line's end.
const LONGEST: usize = 32;

/// Names in the order in which they were first met. They stay for as long as the program runs, so there is an end to them.
static NAMES: Mutex<Vec<&'static str>> = Mutex::new(Vec::new());
/// Kinds that one program can tell apart.
const MOST: usize = 128;

impl Unlisted {
    /// The kind of this name. What is no ASCII letter, digit, `_`, `-` or `.` becomes `_`, and what is beyond 32 characters is
    /// cut off: the name is shown as it is. `None` after 128 different ones.
    pub(super) fn new(raw: &str) -> Option<Self> {
        let fit = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.') { c } else { '_' };
        let name: String = raw.chars().take(LONGEST).map(fit).collect();
        let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
        let place = names.iter().position(|known| *known == name).unwrap_or(names.len());
        if place == MOST {
            return None;
        }
        if place == names.len() {
            names.push(Box::leak(name.into_boxed_str()));
        }
        u8::try_from(place).ok().map(Self)
    }

    /// The name.
    pub fn name(self) -> &'static str {
        NAMES.lock().unwrap_or_else(PoisonError::into_inner).get(self.place()).copied().unwrap_or_default()
    }

    /// How many other names were met before it: what tells its looks from theirs.
    pub const fn place(self) -> usize {
        self.0 as usize
    }
}

impl Ord for Unlisted {
    /// By name: the order in which files are read decides nothing.
    fn cmp(&self, other: &Self) -> Ordering {
        if self == other { Ordering::Equal } else { self.name().cmp(other.name()) }
    }
}

impl PartialOrd for Unlisted {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail")]

    use super::super::ProbeKind;
    use super::Unlisted;

    #[test]
    fn a_kind_without_a_row_keeps_its_name_and_is_itself() {
        let kind: ProbeKind = serde_json::from_str("\"my_judge\"").unwrap();
        assert_eq!((kind, kind.key()), (ProbeKind::named("my_judge").unwrap(), "my_judge"));
        assert_eq!(serde_json::to_string(&kind).unwrap(), "\"my_judge\"");
        assert_ne!(Some(kind), ProbeKind::named("another_judge"));
    }

    #[test]
    fn known_kinds_are_read_and_written_by_their_keys() {
        for &kind in ProbeKind::ALL {
            let text = format!("\"{}\"", kind.key());
            assert_eq!(serde_json::from_str::<ProbeKind>(&text).unwrap(), kind);
            assert_eq!(serde_json::to_string(&kind).unwrap(), text);
            assert_eq!(ron::from_str::<ProbeKind>(kind.key()).unwrap(), kind);
            assert_eq!(ron::to_string(&kind).unwrap(), kind.key());
        }
    }

    #[test]
    fn a_name_can_do_no_harm() {
        let name = Unlisted::new("\u{1b}]0;x\u{7}\u{202e} y").unwrap().name();
        assert_eq!(name, "__0_x___y");
        assert_eq!(Unlisted::new(&"x".repeat(1000)).unwrap().name().len(), 32);
    }
}

//! [`TokenLists`]: many tokens in little room.

use std::fmt;

use serde::de::{self, DeserializeSeed, SeqAccess};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Lists of tokens as text, one list a prompt; in JSON an array of arrays of strings.
///
/// A long recording has millions of tokens, most of a few bytes: they are kept end to end, for a string of its own takes
/// many times the room of a token.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct TokenLists {
    text: Box<str>,
    /// Where each token ends in the text.
    tokens: Box<[usize]>,
    /// Where each list ends among the tokens.
    lists: Box<[usize]>,
}

impl TokenLists {
    /// How many lists there are.
    pub fn len(&self) -> usize {
        self.lists.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.lists.is_empty()
    }

    /// The tokens of a list; none where there is no such list.
    pub fn list(&self, index: usize) -> impl Iterator<Item = &str> {
        let before = |ends: &[usize], at: usize| at.checked_sub(1).map_or(0, |last| ends[last]);
        let places = self.lists.get(index).map_or(0..0, |&end| before(&self.lists, index)..end);
        places.map(move |at| &self.text[before(&self.tokens, at)..self.tokens[at]])
    }

    /// Every list.
    fn lists(&self) -> impl ExactSizeIterator<Item = Vec<&str>> {
        (0..self.len()).map(|index| self.list(index).collect())
    }
}

impl fmt::Debug for TokenLists {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.lists()).finish()
    }
}

impl<L: IntoIterator<Item: AsRef<str>>> FromIterator<L> for TokenLists {
    fn from_iter<I: IntoIterator<Item = L>>(lists: I) -> Self {
        let mut growing = Growing::default();
        for list in lists {
            list.into_iter().for_each(|token| growing.push(token.as_ref()));
            growing.end_list();
        }
        growing.finish()
    }
}

impl Serialize for TokenLists {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(self.lists())
    }
}

impl<'de> Deserialize<'de> for TokenLists {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let mut growing = Growing::default();
        d.deserialize_seq(Lists(&mut growing))?;
        Ok(growing.finish())
    }
}

/// Lists that are being read.
#[derive(Default)]
struct Growing {
    text: String,
    tokens: Vec<usize>,
    lists: Vec<usize>,
}

impl Growing {
    fn push(&mut self, token: &str) {
        self.text.push_str(token);
        self.tokens.push(self.text.len());
    }

    fn end_list(&mut self) {
        self.lists.push(self.tokens.len());
    }

    /// Copies, because an allocator may leave what is merely shrunk in the room that it had.
    fn finish(&self) -> TokenLists {
        TokenLists {
            text: self.text.as_str().into(),
            tokens: self.tokens.as_slice().into(),
            lists: self.lists.as_slice().into(),
        }
    }
}

/// Reads the outer array.
struct Lists<'a>(&'a mut Growing);

impl<'de> de::Visitor<'de> for Lists<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("lists of tokens")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut lists: A) -> Result<(), A::Error> {
        while lists.next_element_seed(List(self.0))?.is_some() {
            self.0.end_list();
        }
        Ok(())
    }
}

/// Reads an inner array.
struct List<'a>(&'a mut Growing);

impl<'de> DeserializeSeed<'de> for List<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<(), D::Error> {
        d.deserialize_seq(self)
    }
}

impl<'de> de::Visitor<'de> for List<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of tokens")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut tokens: A) -> Result<(), A::Error> {
        while tokens.next_element_seed(Token(self.0))?.is_some() {}
        Ok(())
    }
}

/// Reads a token.
struct Token<'a>(&'a mut Growing);

impl<'de> DeserializeSeed<'de> for Token<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<(), D::Error> {
        d.deserialize_str(self)
    }
}

impl de::Visitor<'_> for Token<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a token")
    }

    fn visit_str<E: de::Error>(self, token: &str) -> Result<(), E> {
        self.0.push(token);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_what_lists_of_strings_are(lists in prop::collection::vec(prop::collection::vec(".{0,6}", 0..5), 0..5)) {
            let kept: TokenLists = lists.iter().collect();
            prop_assert_eq!(kept.len(), lists.len());
            for (index, list) in lists.iter().enumerate() {
                prop_assert_eq!(&kept.list(index).collect::<Vec<_>>(), list);
            }
            prop_assert_eq!(kept.list(lists.len()).count(), 0);
            let json = serde_json::to_string(&kept).unwrap();
            prop_assert_eq!(&json, &serde_json::to_string(&lists).unwrap());
            prop_assert_eq!(serde_json::from_str::<TokenLists>(&json).unwrap(), kept);
        }
    }

    #[test]
    fn what_is_no_list_of_lists_of_strings_is_an_error() {
        for wrong in ["3", "[3]", "[\"a\"]", "[[3]]", "[[\"a\"", "{}"] {
            assert!(serde_json::from_str::<TokenLists>(wrong).is_err(), "{wrong}");
        }
    }
}

//! [`Sums`]: a number for every kind of answer and prompt, in little room.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::{Index, Range};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{ProbeKind, floats};

/// Sums of log-probs, nats: a list for every kind of answer, in the order of kinds, with one entry a prompt; in JSON an
/// object of arrays.
///
/// A long recording has millions of lists, most of few numbers: they are kept end to end, for a map of lists takes many
/// times the room of its numbers.
#[derive(Clone, Default, PartialEq)]
pub struct Sums {
    /// In ascending order.
    kinds: Box<[ProbeKind]>,
    /// Where the list of each kind ends among the values.
    ends: Box<[u32]>,
    values: Box<[f32]>,
}

impl Sums {
    /// How many kinds there are.
    pub fn len(&self) -> usize {
        self.kinds.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.kinds.is_empty()
    }

    /// The list of a kind.
    pub fn get(&self, kind: ProbeKind) -> Option<&[f32]> {
        self.values.get(self.places(self.kinds.binary_search(&kind).ok()?))
    }

    /// The list of a kind, to be changed.
    pub fn get_mut(&mut self, kind: ProbeKind) -> Option<&mut [f32]> {
        let places = self.places(self.kinds.binary_search(&kind).ok()?);
        self.values.get_mut(places)
    }

    /// The kinds, in their order.
    pub fn kinds(&self) -> impl ExactSizeIterator<Item = ProbeKind> {
        self.kinds.iter().copied()
    }

    /// Every kind with its list, in the order of kinds.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (ProbeKind, &[f32])> {
        let list = |(at, &kind)| (kind, self.values.get(self.places(at)).unwrap_or_default());
        self.kinds.iter().enumerate().map(list)
    }

    /// Every kind with its list, to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (ProbeKind, &mut [f32])> {
        let (mut rest, mut start) = (&mut *self.values, 0);
        self.kinds.iter().zip(&self.ends).map(move |(&kind, &end)| {
            let list = rest.split_off_mut(..(end - start) as usize).unwrap_or_default();
            start = end;
            (kind, list)
        })
    }

    /// Sets the list of a kind.
    pub fn insert(&mut self, kind: ProbeKind, list: Vec<f32>) {
        let others = self.iter().filter(|&(other, _)| other != kind).map(|(kind, list)| (kind, list.to_vec()));
        *self = others.chain([(kind, list)]).collect();
    }

    /// Takes a kind out.
    pub fn remove(&mut self, kind: ProbeKind) {
        *self = self.iter().filter(|&(other, _)| other != kind).map(|(kind, list)| (kind, list.to_vec())).collect();
    }

    /// The places of the list of the kind with this place.
    fn places(&self, at: usize) -> Range<usize> {
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        start as usize..self.ends[at] as usize
    }
}

impl From<BTreeMap<ProbeKind, Vec<f32>>> for Sums {
    fn from(lists: BTreeMap<ProbeKind, Vec<f32>>) -> Self {
        let mut end = 0;
        let ends = lists.values().map(|list| {
            end += list.len();
            u32::try_from(end).unwrap_or(u32::MAX)
        });
        Self {
            ends: ends.collect(),
            kinds: lists.keys().copied().collect(),
            values: lists.into_values().flatten().collect(),
        }
    }
}

impl<const N: usize> From<[(ProbeKind, Vec<f32>); N]> for Sums {
    fn from(lists: [(ProbeKind, Vec<f32>); N]) -> Self {
        BTreeMap::from(lists).into()
    }
}

impl FromIterator<(ProbeKind, Vec<f32>)> for Sums {
    fn from_iter<I: IntoIterator<Item = (ProbeKind, Vec<f32>)>>(lists: I) -> Self {
        lists.into_iter().collect::<BTreeMap<_, _>>().into()
    }
}

impl Index<ProbeKind> for Sums {
    type Output = [f32];

    fn index(&self, kind: ProbeKind) -> &[f32] {
        self.get(kind).unwrap_or_default()
    }
}

impl fmt::Debug for Sums {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl Serialize for Sums {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_map(self.iter().map(|(kind, list)| (kind, floats::List(list))))
    }
}

impl<'de> Deserialize<'de> for Sums {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let lists = BTreeMap::<ProbeKind, floats::Listed>::deserialize(d)?;
        Ok(lists.into_iter().map(|(kind, list)| (kind, list.0)).collect())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lists() -> impl Strategy<Value = BTreeMap<ProbeKind, Vec<f32>>> {
        let kind = prop::sample::select(ProbeKind::ALL);
        prop::collection::btree_map(kind, prop::collection::vec(-800.0..0.0f32, 0..5), 0..14)
    }

    proptest! {
        #[test]
        fn lists_are_what_was_put_in(lists in lists(), other in lists()) {
            let mut sums = Sums::from(lists.clone());
            prop_assert_eq!(sums.len(), lists.len());
            prop_assert!(sums.iter().eq(lists.iter().map(|(&kind, list)| (kind, list.as_slice()))));
            let json = serde_json::to_string(&sums).unwrap();
            prop_assert_eq!(serde_json::from_str::<Sums>(&json).unwrap(), sums.clone());
            let mut expected = lists;
            for (&kind, list) in &other {
                sums.insert(kind, list.clone());
                expected.insert(kind, list.clone());
            }
            prop_assert_eq!(&sums, &Sums::from(expected.clone()));
            for &kind in other.keys() {
                sums.remove(kind);
                expected.remove(&kind);
                prop_assert_eq!(sums.get(kind), None);
            }
            prop_assert_eq!(sums, Sums::from(expected));
        }
    }
}

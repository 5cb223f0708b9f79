//! JSON for numbers that may not be finite: NaN is `null`, infinities are strings.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A number on its way through JSON.
struct Number(f64);
/// A number in single precision, so that its shortest decimal form is written.
struct Single(f32);

fn write<S: Serializer>(x: f64, finite: impl FnOnce(S) -> Result<S::Ok, S::Error>, s: S) -> Result<S::Ok, S::Error> {
    if x.is_nan() {
        s.serialize_none()
    } else if x.is_infinite() {
        s.serialize_str(if x > 0.0 { "inf" } else { "-inf" })
    } else {
        finite(s)
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        write(self.0, |s| s.serialize_f64(self.0), s)
    }
}

impl Serialize for Single {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        write(f64::from(self.0), |s| s.serialize_f32(self.0), s)
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Number;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a number, null, \"inf\" or \"-inf\"")
            }
            fn visit_f64<E>(self, x: f64) -> Result<Number, E> {
                Ok(Number(x))
            }
            #[allow(clippy::cast_precision_loss, reason = "a log-prob written as an integer is small")]
            fn visit_i64<E>(self, x: i64) -> Result<Number, E> {
                Ok(Number(x as f64))
            }
            #[allow(clippy::cast_precision_loss, reason = "as above")]
            fn visit_u64<E>(self, x: u64) -> Result<Number, E> {
                Ok(Number(x as f64))
            }
            fn visit_unit<E>(self) -> Result<Number, E> {
                Ok(Number(f64::NAN))
            }
            fn visit_str<E: de::Error>(self, s: &str) -> Result<Number, E> {
                match s {
                    "inf" => Ok(Number(f64::INFINITY)),
                    "-inf" => Ok(Number(f64::NEG_INFINITY)),
                    _ => Err(E::invalid_value(de::Unexpected::Str(s), &self)),
                }
            }
        }
        d.deserialize_any(Visitor)
    }
}

impl<'de> Deserialize<'de> for Single {
    #[allow(clippy::cast_possible_truncation, reason = "it was written from an f32")]
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Number::deserialize(d).map(|n| Self(n.0 as f32))
    }
}

/// A list of numbers to write.
pub(super) struct List<'a>(pub(super) &'a [f32]);

impl Serialize for List<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        list::serialize(self.0, s)
    }
}

/// A list of numbers that was read.
#[derive(Deserialize)]
pub(super) struct Listed(#[serde(with = "list")] pub(super) Vec<f32>);

/// Writes an `f64`.
///
/// # Errors
/// When the serializer fails.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
pub fn double<S: Serializer>(x: &f64, s: S) -> Result<S::Ok, S::Error> {
    Number(*x).serialize(s)
}

/// `f32`.
pub mod single {
    use super::{Deserialize, Deserializer, Serialize, Serializer, Single};

    /// Writes the number.
    pub fn serialize<S: Serializer>(x: &f32, s: S) -> Result<S::Ok, S::Error> {
        Single(*x).serialize(s)
    }

    /// Reads the number.
    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<f32, D::Error> {
        Ok(Single::deserialize(d)?.0)
    }
}

/// `Vec<f32>`.
pub mod list {
    use super::{Deserialize, Deserializer, Serializer, Single};

    /// Writes the list.
    pub fn serialize<S: Serializer>(xs: &[f32], s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(xs.iter().map(|&x| Single(x)))
    }

    /// Reads the list.
    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<f32>, D::Error> {
        Ok(Vec::<Single>::deserialize(d)?.into_iter().map(|x| x.0).collect())
    }
}

/// Lists of `f32`.
pub mod lists {
    use super::{Deserialize, Deserializer, List, Listed, Serializer};

    /// Lists, in little room.
    pub type Lists = Box<[Box<[f32]>]>;

    /// Writes the lists.
    ///
    /// # Errors
    /// When the serializer fails.
    pub fn serialize<S: Serializer>(lists: &[Box<[f32]>], s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(lists.iter().map(|list| List(list)))
    }

    /// Reads the lists.
    ///
    /// # Errors
    /// When there is something else.
    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Lists, D::Error> {
        Ok(Vec::<Listed>::deserialize(d)?.into_iter().map(|list| list.0.into()).collect())
    }
}

/// `BTreeMap<MetricKey, f64>`.
pub mod map {
    use super::super::MetricKey;
    use super::{Deserialize, Deserializer, Number, Serializer};
    use std::collections::BTreeMap;

    /// Writes the map.
    pub fn serialize<S: Serializer>(map: &BTreeMap<MetricKey, f64>, s: S) -> Result<S::Ok, S::Error> {
        s.collect_map(map.iter().map(|(k, &v)| (k, Number(v))))
    }

    /// Reads the map.
    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<BTreeMap<MetricKey, f64>, D::Error> {
        let map = BTreeMap::<MetricKey, Number>::deserialize(d)?;
        Ok(map.into_iter().map(|(k, v)| (k, v.0)).collect())
    }
}

//! The macro over the table of objectives, and what follows from it: the type that an experiment spells, its defaults, names and bounds.

use serde::{Deserialize, Deserializer};

/// What an objective does with a rejected answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rejected {
    /// The objective does not read it.
    Unread,
    /// The answer is a target like the chosen one.
    Target,
    /// The objective pushes it down: only then can a stage be said to squeeze.
    PushedDown,
}

/// What the trainer and the viewer must know of an objective besides its loss.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Traits {
    /// The objective's name, TRL's where it has one.
    pub name: &'static str,
    /// What it is, in a sentence.
    pub about: &'static str,
    /// What it does with a rejected answer.
    pub rejected: Rejected,
    /// Whether it compares with a frozen reference model.
    pub reference: bool,
}

/// Which values a parameter of an objective may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// Every value.
    Any,
    /// A finite number, and what it is otherwise not: “a log-prob”, with an example of one.
    Finite(&'static str, &'static str),
    /// A number above 0, with an example.
    AboveZero(&'static str),
    /// 0 or more, and what it is: “a weight”.
    NotNegative(&'static str),
    /// 0 to 1.
    Share,
    /// 0 or more, and less than a half: a share of flipped preferences.
    Flipped,
}

/// A parameter of an objective.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Parameter {
    /// The parameter's name in an experiment.
    pub name: &'static str,
    /// The parameter's value; 0 and 1 of one that is false or true.
    pub value: f64,
    /// The values that it may have.
    pub bound: Bound,
}

/// A parameter as an experiment gives it, or leaves it out.
pub(super) struct Given<T>(pub(super) Option<T>);

impl<T> Default for Given<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Given<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(|value| Self(Some(value)))
    }
}

/// Makes [`ObjectiveConfig`](super::ObjectiveConfig) of the table's rows.
macro_rules! objective_config {
    ($(
        $(#[doc = $doc:literal])+
        $variant:ident = $name:ident [$rejected:ident, reference: $reference:literal]
        $({ $( $(#[$about:meta])* $field:ident: $ty:ident = $default:expr, $bound:expr; )+ })?
        => |$pair:ident| $equation:expr;
    )+) => {
        /// What is minimised; names as in TRL's `loss_type` where it has one. r = log π − log π_ref over sums of log-probs,
        /// h = r⁺ − r⁻. The formulas stand in `src/objective`, one file each.
        #[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case", from = "Spelled")]
        pub enum ObjectiveConfig {
            $( $(#[doc = $doc])+ $variant $({ $( $(#[$about])* $field: $ty, )+ })?, )+
        }

        /// An objective as an experiment spells it: every parameter may be left out.
        #[derive(Deserialize)]
        #[serde(rename_all = "snake_case", deny_unknown_fields)]
        enum Spelled {
            $( $variant $({ $( #[serde(default)] $field: Given<$ty>, )+ })?, )+
        }

        impl From<Spelled> for ObjectiveConfig {
            fn from(spelled: Spelled) -> Self {
                match spelled {
                    $( Spelled::$variant $({ $( $field, )+ })? => {
                        Self::$variant $({ $( $field: $field.0.unwrap_or($default), )+ })?
                    } )+
                }
            }
        }

        impl ObjectiveConfig {
            /// Every objective, with the defaults of its parameters.
            pub const ALL: &[Self] = &[ $( Self::$variant $({ $( $field: $default, )+ })?, )+ ];

            /// The objective's traits, as the table has them.
            pub fn traits(&self) -> Traits {
                match self {
                    $( Self::$variant { .. } => Traits {
                        name: stringify!($name),
                        about: concat!($($doc),+),
                        rejected: Rejected::$rejected,
                        reference: $reference,
                    }, )+
                }
            }

            /// The objective's parameters, in the table's order.
            pub fn parameters(&self) -> Vec<Parameter> {
                match *self {
                    $( Self::$variant $({ $( $field, )+ })? => vec![ $($(
                        Parameter { name: stringify!($field), value: f64::from($field), bound: $bound },
                    )+)? ], )+
                }
            }
        }

        /// One pair's loss and weights under an objective.
        pub fn evaluate(objective: &ObjectiveConfig, pair: &PairLogps) -> PairLoss {
            match *objective {
                $( ObjectiveConfig::$variant $({ $( $field, )+ })? => {
                    let $pair = pair;
                    $equation
                } )+
            }
        }
    };
}
pub(super) use objective_config;

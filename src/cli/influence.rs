//! The arguments of `influence`.

use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

use crate::protocol::ProbeKind;

/// What is asked about a recorded run.
#[derive(Debug, Clone, Args)]
pub struct InfluenceArgs {
    /// A run's directory.
    pub run: PathBuf,
    /// The kind of answer, by its key (`chosen`, `rejected`, `irr_train`).
    #[arg(long, value_name = "KIND", value_parser = kinds())]
    pub probe: ProbeKind,
    /// The prompt, counted from 1 as on the screen; the mean over all prompts if absent.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub prompt: Option<u64>,
    /// Steps taken before and at the end, as in 160..192; of the windows between two evaluations the one in which the
    /// answer moved most if absent.
    #[arg(long, value_name = "FROM..TO")]
    pub window: Option<Steps>,
    /// Examples that are named; the others are summed.
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub top: usize,
    /// Tell on stderr how long each part took.
    #[arg(long)]
    pub timings: bool,
    /// Print JSON, with every example.
    #[arg(long)]
    pub json: bool,
}

/// The observed answer whose tokens are looked at.
#[derive(Debug, Clone, Args)]
pub struct TokensArgs {
    /// A run's directory.
    pub run: PathBuf,
    /// The kind of answer, by its key (`chosen`, `rejected`, `irr_train`).
    #[arg(long, value_name = "KIND", value_parser = kinds())]
    pub probe: ProbeKind,
    /// The prompt, counted from 1 as on the screen.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub prompt: u64,
    /// Steps taken before and at the end, as in 160..192; of the windows between two evaluations the one in which the
    /// answer moved most if absent.
    #[arg(long, value_name = "FROM..TO")]
    pub window: Option<Steps>,
    /// The position in the answer, counted from 1; the one where most was lost if absent.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub position: Option<u64>,
    /// Tokens that are named of those that gained and of those that lost.
    #[arg(long, value_name = "N", default_value_t = 8)]
    pub top: usize,
}

/// What is observed and what is learnt, whose kernel is asked about.
#[derive(Debug, Clone, Args)]
pub struct KernelArgs {
    /// A run's directory.
    pub run: PathBuf,
    /// The observed prompt, counted from 1 as on the screen; of a classifier the observed class, from 0. A map of several if
    /// absent.
    #[arg(long, value_name = "N", requires = "learnt")]
    pub observed: Option<u64>,
    /// The training example, counted from 1 as `influence` names it; of a classifier the learnt class, from 0.
    #[arg(long, value_name = "N", requires = "observed")]
    pub learnt: Option<u64>,
    /// Prompts of the map, at most: the first that have such an answer.
    #[arg(long, value_name = "N", default_value_t = Self::PROMPTS, conflicts_with = "observed")]
    pub prompts: usize,
    /// Training examples of the map, at most: those that were learnt last.
    #[arg(long, value_name = "N", default_value_t = Self::EXAMPLES, conflicts_with = "observed")]
    pub examples: usize,
    /// The kind of observed answer, by its key.
    #[arg(long, value_name = "KIND", value_parser = kinds(), default_value = "chosen")]
    pub probe: ProbeKind,
    /// Optimiser steps taken before. If absent: of a map and of a classifier the last measurement, of one pair the beginning.
    #[arg(long, value_name = "N")]
    pub step: Option<u64>,
    /// Print the map as JSON, with every cell's interval.
    #[arg(long, conflicts_with = "observed")]
    pub json: bool,
}

impl KernelArgs {
    /// Prompts of a map, where nothing else is asked for.
    pub const PROMPTS: usize = 8;
    /// Training examples of a map, where nothing else is asked for.
    pub const EXAMPLES: usize = 8;
}

/// The kinds of answers, as values of an argument.
fn kinds() -> impl TypedValueParser<Value = ProbeKind> {
    let named = |name: String| ProbeKind::ALL.iter().copied().find(|kind| kind.key() == name);
    let values = ProbeKind::ALL.iter().map(|kind| PossibleValue::new(kind.key()).help(kind.description()));
    PossibleValuesParser::new(values).try_map(move |name| named(name).ok_or("there is no such kind"))
}

/// A window of optimiser steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Steps {
    /// Steps taken before it.
    pub since: u64,
    /// Steps taken at its end.
    pub until: u64,
}

impl FromStr for Steps {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        let parse =
            |(since, until): (&str, &str)| Some(Self { since: since.parse().ok()?, until: until.parse().ok()? });
        s.split_once("..")
            .and_then(parse)
            .filter(|steps| steps.since < steps.until)
            .ok_or_else(|| "write the steps taken before and at the end, as in 160..192".to_owned())
    }
}

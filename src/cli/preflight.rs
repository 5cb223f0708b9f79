//! What `preflight` is asked.

use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;

use super::options::RunOptions;
use crate::backend::BackendChoice;
use crate::error::Result;
use crate::experiment::Experiment;

/// What is ranked before a training, and what becomes of it.
#[derive(Debug, Clone, Args)]
pub struct PreflightArgs {
    /// A RON file, or an experiment that comes with the program.
    #[arg(value_name = "EXPERIMENT")]
    pub experiment: PathBuf,
    /// Show so many pairs, those that are likeliest to be displaced first.
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub top: usize,
    /// Tell each pair's band too, which takes two gradients a pair: where w⁺/w⁻ lies below its lower edge, which is 1 where the
    /// objective weighs both answers alike, learning the pair lowers its own y⁺.
    #[arg(long)]
    pub band: bool,
    /// Write all pairs with their scores as a table.
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
    /// Leave out this share of the pairs, those with the highest scores, and write the others to --out.
    #[arg(long, value_name = "PERCENT", requires = "out")]
    pub drop: Option<Percent>,
    /// File for the pairs that are left, as JSON lines.
    #[arg(long, value_name = "FILE", requires = "drop")]
    pub out: Option<PathBuf>,
    /// Say how well the scores told which pairs of these finished runs would be displaced.
    #[arg(long, value_name = "RUN", num_args = 1..)]
    pub against: Vec<PathBuf>,
    /// Seed of the data; replaces the experiment's.
    #[arg(long)]
    pub seed: Option<u64>,
    /// Change a value of the experiment, as for `run`.
    #[arg(long, value_name = "PATH=VALUE")]
    pub set: Vec<String>,
    /// What computes.
    #[arg(long, value_enum, default_value_t)]
    pub backend: BackendChoice,
}

impl PreflightArgs {
    /// The experiment with everything that the flags change.
    ///
    /// # Errors
    /// As [`RunOptions::experiment`].
    pub fn experiment(&self) -> Result<Experiment> {
        RunOptions { seed: self.seed, set: self.set.clone(), ..RunOptions::default() }.experiment(&self.experiment)
    }
}

/// A share, written as `5%`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Percent(f64);

impl Percent {
    /// The share of `count`, rounded to a whole number.
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a count is a count"
    )]
    pub fn of(self, count: usize) -> usize {
        (count as f64 * self.0 / 100.0).round() as usize
    }
}

impl FromStr for Percent {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let percent = text.strip_suffix('%').and_then(|number| number.trim().parse().ok());
        let percent = percent.filter(|percent| (0.0..100.0).contains(percent));
        percent.map(Self).ok_or_else(|| "expected a share from 0% to below 100%, such as 5%".to_owned())
    }
}

//! How an experiment is run.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::backend::BackendChoice;
use crate::error::Result;
use crate::experiment::Experiment;

/// How an experiment is run.
#[derive(Debug, Clone, Default, Args)]
pub struct RunOptions {
    /// Train without a screen: a progress bar on stderr. The default where stdout is no terminal.
    #[arg(long)]
    pub headless: bool,
    /// Take only the first N optimiser steps, over all stages.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub steps: Option<u64>,
    /// Seed of everything random; replaces the experiment's.
    #[arg(long)]
    pub seed: Option<u64>,
    /// Folder in which the run gets a directory of its own; replaces the experiment's.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Change a value of the experiment: `stages[1].learning_rate=1e-5`, `stages[DPO].steps=10`, `data.train=64`.
    #[arg(long, value_name = "PATH=VALUE")]
    pub set: Vec<String>,
    /// The backend that trains.
    #[arg(long, value_enum, default_value_t)]
    pub backend: BackendChoice,
}

impl RunOptions {
    /// The experiment with everything that the flags change.
    ///
    /// # Errors
    /// Every mistake in the file and in the overrides.
    pub fn experiment(&self, path: &Path) -> Result<Experiment> {
        let mut experiment = Experiment::load(path, &self.set)?;
        if let Some(seed) = self.seed {
            experiment.seed = seed;
        }
        if let Some(out) = &self.out {
            experiment.output.directory.clone_from(out);
        }
        if let Some(steps) = self.steps {
            experiment.truncate(steps);
        }
        Ok(experiment)
    }
}

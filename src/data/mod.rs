//! The data that is learnt: preference pairs from files or from the synthetic world, and the tokenizer; pictures of digits.
//!
//! ```text
//! file -> jsonl | parquet -> row (TRL's formats) -> chat template -> text -> tokens, cut to length
//! ```

pub mod chat;
pub mod digits;
pub mod example;
pub mod idx;
mod jsonl;
pub mod lengths;
mod message;
#[cfg(feature = "parquet")]
pub(crate) mod parquet;
pub mod pictures;
mod place;
pub(crate) mod pointer;
mod preferences;
pub mod report;
pub mod row;
mod sequence;
pub mod tokenizer;
mod visited;
pub mod world;

pub use example::{Dataset, Form, PreferenceExample};
pub use idx::MNIST_FILES;
pub use lengths::Lengths;
pub use pictures::{PictureSet, Pictures};
pub use preferences::PreferenceData;
pub(crate) use preferences::Survey;
pub use report::DataReport;
pub use sequence::Sequence;
pub use visited::{ExampleVisitor, Visited};

use std::collections::BTreeMap;

use self::chat::ModelFiles;
use self::lengths::{Trainable, Untrainable};
use crate::error::{Error, Result};
use crate::experiment::{DataSource, Experiment, ModelSource};
use crate::protocol::ProbeKind;

/// The data of an experiment.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "there is one in a run")]
pub enum Data {
    /// Drawn, and in memory.
    Drawn(Dataset),
    /// Preference data in files, to be read row by row.
    Files(PreferenceData),
}

/// Draws the data that an experiment asks for, or gets its files ready; `files_of` tells where the files of its model are.
///
/// # Errors
/// When the world cannot provide what is asked for.
pub(crate) fn load(experiment: &Experiment, files_of: fn(&ModelSource) -> ModelFiles) -> Result<Data> {
    Ok(match &experiment.data {
        DataSource::World(task) => Data::Drawn(world::task(experiment.seed, task)?),
        DataSource::WorldDocuments(documents) => {
            let (train, held_out) = world::documents(experiment.seed, documents);
            let free = |texts: Vec<String>| {
                let example = |text| PreferenceExample {
                    prompt: String::new(),
                    responses: BTreeMap::from([(ProbeKind::Chosen, text)]),
                    form: Form::Plain,
                };
                texts.into_iter().map(example).collect()
            };
            Data::Drawn(Dataset { train: free(train), held_out: free(held_out) })
        }
        DataSource::Preferences(files) => Data::Files(PreferenceData::open(files, files_of(&experiment.model))),
        DataSource::Digits(_) | DataSource::Mnist(_) | DataSource::Lab(_) => {
            return Err(Error::usage(
                "data: there is no text in it; a language model reads world(), preferences(…) or world_documents()",
            ));
        }
    })
}

impl Data {
    /// The first `limit` training examples as text, to train a tokenizer on.
    ///
    /// # Errors
    /// As [`Self::visit`].
    pub fn documents(&self, limit: usize) -> Result<Vec<String>> {
        match self {
            Self::Drawn(dataset) => Ok(dataset.train.iter().take(limit).map(PreferenceExample::document).collect()),
            Self::Files(files) => files.documents(limit),
        }
    }

    /// Shows every training example to `each`, in order, and forgets it; `observe` of those that are kept remain.
    ///
    /// # Errors
    /// When a row is broken, cannot be written with the chat template or is refused, with its place; and any error of
    /// `each`.
    pub fn visit(self, observe: usize, seed: u64, each: &mut ExampleVisitor<'_>) -> Result<Visited> {
        let Dataset { mut train, mut held_out } = match self {
            Self::Files(files) => return files.visit(observe, seed, each),
            Self::Drawn(dataset) => dataset,
        };
        for (index, example) in train.iter().enumerate() {
            if let Trainable::No(Untrainable::Refused(problem) | Untrainable::Unknown(problem)) =
                each(index + 1, example)?
            {
                return Err(Error::usage(format!("training example {}: {problem}", index + 1)));
            }
        }
        let asks = train.iter().any(|example| !example.prompt.is_empty());
        if !asks {
            held_out.truncate(observe);
            return Ok(Visited { observed: held_out, held_out: Vec::new(), asks, report: None });
        }
        train.truncate(observe);
        Ok(Visited { observed: train, held_out, asks, report: None })
    }
}

/// Draws or reads the pictures that an experiment asks for.
///
/// # Errors
/// When a file is missing or broken, or the data holds no pictures.
pub fn load_pictures(experiment: &Experiment) -> Result<PictureSet> {
    match &experiment.data {
        DataSource::Digits(settings) => Ok(digits::digits(experiment.seed, settings)),
        DataSource::Mnist(folder) => idx::read_mnist(folder),
        _ => Err(Error::usage("data: there are no pictures in it; a classifier reads digits() or mnist(\"…\")")),
    }
}

#[cfg(test)]
mod round_trip_tests;

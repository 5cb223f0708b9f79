//! What is learnt: preference pairs from files or from the synthetic world, and the tokenizer; pictures of digits.
//!
//! ```text
//! file -> jsonl | parquet -> row (TRL's formats) -> chat template -> text -> tokens, cut to length
//! ```

pub mod batch;
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
mod preferences;
pub mod report;
pub mod row;
pub mod tokenizer;
pub mod world;

pub use chat::ChatTemplate;
pub use example::{Dataset, Form, PreferenceExample};
pub use lengths::Lengths;
pub use pictures::{PictureSet, Pictures};
pub use preferences::PreferenceData;
pub(crate) use preferences::Survey;
pub use report::DataReport;

use std::collections::BTreeMap;
use std::path::Path;

use self::lengths::{Fate, Unfit};
use crate::error::{Error, Result};
use crate::experiment::{DataSource, Experiment};
use crate::protocol::ProbeKind;

/// The files of MNIST, unpacked: training pictures and labels, held-out pictures and labels.
pub const MNIST_FILES: [&str; 4] =
    ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"];

/// The data of an experiment.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "there is one in a run")]
pub enum Data {
    /// Drawn, and in memory.
    Drawn(Dataset),
    /// In files, to be read row by row.
    Files(PreferenceData),
}

/// What is asked about every training example in turn: what became of it, or why it is not trained on.
pub type Each<'a> = dyn FnMut(&PreferenceExample) -> Result<Result<Fate, Unfit>> + 'a;

/// What is left of the data once every training example has been seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visited {
    /// The examples under observation, with every probe that follows from the data: the first training examples, or held-out
    /// ones where there are nothing but documents.
    pub observed: Vec<PreferenceExample>,
    /// Held-out examples; of a file, as many as are observed.
    pub held_out: Vec<PreferenceExample>,
    /// Whether the examples answer prompts; documents do not.
    pub asks: bool,
    /// What was done to the rows of a file.
    pub report: Option<DataReport>,
}

/// Draws the data that an experiment asks for, or gets its files ready.
///
/// # Errors
/// When the world cannot provide what is asked for.
pub fn load(experiment: &Experiment) -> Result<Data> {
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
        DataSource::Preferences(files) => Data::Files(PreferenceData::open(files, &experiment.model)),
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
    pub fn visit(self, observe: usize, seed: u64, each: &mut Each<'_>) -> Result<Visited> {
        let Dataset { mut train, mut held_out } = match self {
            Self::Files(files) => return files.visit(observe, seed, each),
            Self::Drawn(dataset) => dataset,
        };
        for (index, example) in train.iter().enumerate() {
            if let Err(Unfit::Refused(problem) | Unfit::Unknown(problem)) = each(example)? {
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

/// Whether a file is read as Parquet, by its ending.
fn is_parquet(file: &Path) -> bool {
    file.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("parquet"))
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

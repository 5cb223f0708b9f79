//! What is learnt: preference pairs, the synthetic world, the tokenizer; pictures of digits.

pub mod batch;
pub mod digits;
pub mod example;
pub mod idx;
pub mod jsonl;
pub mod pictures;
pub mod tokenizer;
pub mod world;

pub use example::{Dataset, PreferenceExample};
pub use jsonl::read_jsonl;
pub use pictures::{PictureSet, Pictures};

use std::collections::BTreeMap;

use crate::error::{Error, Result};
use crate::experiment::{DataSource, Experiment};
use crate::protocol::ProbeKind;

/// The files of MNIST, unpacked: training pictures and labels, held-out pictures and labels.
pub const MNIST_FILES: [&str; 4] =
    ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"];

/// Draws or reads the data that an experiment asks for.
///
/// # Errors
/// When a file is missing or broken, or the world cannot provide what is asked for.
pub fn load(experiment: &Experiment) -> Result<Dataset> {
    match &experiment.data {
        DataSource::World(task) => world::task(experiment.seed, task),
        DataSource::WorldDocuments(documents) => {
            let (train, held_out) = world::documents(experiment.seed, documents);
            let free = |texts: Vec<String>| {
                let example = |text| PreferenceExample {
                    prompt: String::new(),
                    responses: BTreeMap::from([(ProbeKind::Chosen, text)]),
                };
                texts.into_iter().map(example).collect()
            };
            Ok(Dataset { train: free(train), held_out: free(held_out) })
        }
        DataSource::Jsonl(files) => {
            let held_out = files.held_out.as_deref().map(jsonl::read_jsonl).transpose()?.unwrap_or_default();
            let mut dataset = Dataset { train: jsonl::read_jsonl(&files.train)?, held_out };
            example::derive_probes(&mut dataset, experiment.seed);
            Ok(dataset)
        }
        DataSource::Digits(_) | DataSource::Mnist(_) | DataSource::Lab(_) => Err(Error::usage(
            "data: there is no text in it; a language model reads world(), jsonl(…) or world_documents()",
        )),
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

//! What is learnt: preference pairs, the synthetic world, the tokenizer.

pub mod batch;
pub mod example;
pub mod jsonl;
pub mod tokenizer;
pub mod world;

pub use example::{Dataset, PreferenceExample};
pub use jsonl::read_jsonl;

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

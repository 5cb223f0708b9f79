//! The models: weights in, logits out. They know neither loss nor data.

pub mod checkpoint;
pub mod classifier;
pub mod config;
pub mod generate;
#[cfg(test)]
mod tests;
pub mod transformer;

pub use checkpoint::Checkpoint;
pub use classifier::{Classifier, ClassifierShape};
pub use config::LlamaConfig;
pub use transformer::{KeyValues, Transformer};

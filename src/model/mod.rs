//! The language model: weights in, logits out. Knows neither loss nor data.

pub mod checkpoint;
pub mod config;
pub mod generate;
pub mod transformer;

pub use checkpoint::Checkpoint;
pub use config::LlamaConfig;
pub use transformer::{KeyValues, Transformer};

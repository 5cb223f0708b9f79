//! The models: weights in, logits out. They know neither loss nor data.

mod adapter;
pub mod architecture;
mod attention;
pub mod batch;
mod block;
pub mod checkpoint;
pub mod classifier;
mod family;
mod files;
pub(crate) mod foreign;
mod fused;
pub mod generate;
mod gguf;
pub mod hub;
pub mod inspect;
mod layers;
pub mod lora;
mod normal;
mod plain;
#[cfg(test)]
mod precision_tests;
mod product;
mod rope;
mod save;
mod shards;
mod special;
mod tensors;
#[cfg(test)]
mod tests;
pub mod transformer;

pub use architecture::Architecture;
pub use attention::KeyValues;
pub use checkpoint::Checkpoint;
pub use classifier::{Classifier, ClassifierShape};
pub(crate) use fused::{Exponentials, exponentials, label_and_largest, label_logps};
use gguf::tokenizer_config as gguf_tokenizer_config;
pub(crate) use plain::{Answer, LOGITS as LOGITS_TOGETHER, Plain, Prompt, ROWS as READ_TOGETHER};
pub(crate) use special::model_files;
pub use transformer::Transformer;

//! The models: weights in, logits out. They know neither loss nor data.

mod adapter;
pub mod architecture;
mod attention;
pub mod checkpoint;
pub mod classifier;
mod family;
pub(crate) mod foreign;
mod fused;
pub mod generate;
mod gguf;
pub mod hub;
pub mod inspect;
mod layers;
pub mod lora;
mod normal;
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
pub(crate) use fused::label_logps;
use gguf::tokenizer_config as gguf_tokenizer_config;
pub(crate) use special::{CHAT_TEMPLATE, TOOL_TEMPLATE, tokenizer_settings};
pub use transformer::{Reading, Transformer};

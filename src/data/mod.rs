//! What is learnt: preference pairs, the synthetic world, the tokenizer.

pub mod example;
pub mod jsonl;
pub mod tokenizer;
pub mod world;

pub use example::{Dataset, PreferenceExample, derive_probes};
pub use jsonl::read_jsonl;

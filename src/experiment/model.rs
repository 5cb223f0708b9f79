//! The model that is trained: where its weights come from, and what of it is computed and changed.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::role::Role;

/// The source of the weights.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ModelSource {
    /// The base model embedded in the program (`assets/base`).
    #[default]
    Base,
    /// A Hugging Face folder (`config.json`, `tokenizer.json`, `model.safetensors` or its shards), relative to the working
    /// directory.
    Folder(PathBuf),
    /// A GGUF file, relative to the working directory; its weights are dequantised.
    File(PathBuf),
    /// A model of the Hugging Face hub, `owner/name` or `owner/name@revision`, from the user's cache or the network.
    Hub(String),
    /// A new Llama, randomly initialised, with a tokenizer trained on the data.
    New(NewModel),
    /// A new multilayer perceptron for pictures, one hidden layer an entry, of that many units.
    Mlp(Vec<usize>),
    /// A new LeNet-5 for pictures (LeCun et al., 1998), with rectified units and max-pooling.
    Lenet,
}

/// The shape of a new model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewModel {
    /// Entries of the BPE vocabulary at most.
    pub vocab_size: usize,
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Width inside the SwiGLU.
    pub intermediate_size: usize,
    /// Transformer blocks.
    pub layers: usize,
    /// Attention heads; `hidden_size / heads` must be even.
    pub heads: usize,
    /// Longest sequence in tokens.
    pub max_positions: usize,
}

/// Low-rank adaptation (Hu et al. 2021, arXiv 2106.09685): the weights W of a language model are frozen, and a change
/// (alpha / rank)·B·A of some of them is trained. A written model has it added to its weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Lora {
    /// Rows of A and columns of B (PEFT's `r`).
    pub rank: usize,
    /// The change is scaled by alpha / rank (PEFT's `lora_alpha`).
    pub alpha: f64,
    /// The matrices of every block that are changed (PEFT's `target_modules`).
    pub targets: Vec<Role>,
}

impl Default for Lora {
    fn default() -> Self {
        Self { rank: 8, alpha: 16.0, targets: vec![Role::Query, Role::Value] }
    }
}

/// What the matrix products of a language model are computed in. The weights, the optimiser's memory and everything else are
/// in single precision whichever it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// Single precision.
    #[default]
    F32,
    /// bfloat16, as PyTorch's autocast does it: factors and results of the products have 8 significant bits. It pays on GPUs
    /// with units for it; a CPU only imitates it.
    Bf16,
}

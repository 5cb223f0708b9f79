//! Checkpoints: an ordinary Hugging Face folder (`config.json`, `tokenizer.json`, `model.safetensors`), read and written.

use std::borrow::Cow;
use std::path::Path;

use burn::tensor::backend::Backend;
use half::{bf16, f16};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use safetensors::{Dtype, SafeTensors, View};

use super::config::LlamaConfig;
use super::transformer::Transformer;
use crate::data::tokenizer::Tokenizer;
use crate::error::{Error, Location, Result};
use crate::experiment::NewModel;

/// A model as it lies in a folder or in memory: shape, weights and tokenizer, not yet on a device.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    /// The shape.
    pub config: LlamaConfig,
    /// The tokenizer.
    pub tokenizer: Tokenizer,
    /// Every parameter in row-major order, in the order of [`LlamaConfig::parameters`].
    weights: Vec<Vec<f32>>,
}

impl Checkpoint {
    /// The base model that ships with the program (`assets/base`).
    ///
    /// # Errors
    /// Never in a sound build; the embedded files are parsed like any other.
    pub fn base() -> Result<Self> {
        Self::from_bytes(
            Path::new("assets/base"),
            include_bytes!("../../assets/base/config.json"),
            include_bytes!("../../assets/base/tokenizer.json"),
            include_bytes!("../../assets/base/model.safetensors"),
        )
    }

    /// Reads a folder.
    ///
    /// # Errors
    /// When a file is missing or broken, or a tensor is missing, superfluous, of another shape or not finite.
    pub fn read(folder: &Path) -> Result<Self> {
        if !folder.is_dir() {
            return Err(Error::input(
                Location::file(folder),
                "is no folder",
                "name a folder that holds config.json, tokenizer.json and model.safetensors",
            ));
        }
        let bytes = |name: &str| {
            let path = folder.join(name);
            std::fs::read(&path).map_err(|e| Error::reading(&path, &e))
        };
        Self::from_bytes(folder, &bytes("config.json")?, &bytes("tokenizer.json")?, &bytes("model.safetensors")?)
    }

    fn from_bytes(folder: &Path, config: &[u8], tokenizer: &[u8], weights: &[u8]) -> Result<Self> {
        let config = LlamaConfig::from_json(config, &folder.join("config.json"))?;
        let tokenizer_file = folder.join("tokenizer.json");
        let tokenizer = Tokenizer::from_json(&tokenizer_file, tokenizer)?
            .with_special_tokens(config.eos_token_id, config.pad_token_id);
        if tokenizer.vocab_size() > config.vocab_size {
            return Err(Error::input(
                Location::file(&tokenizer_file),
                format!("has {} tokens, and config.json says vocab_size {}", tokenizer.vocab_size(), config.vocab_size),
                "use the tokenizer that belongs to the checkpoint",
            ));
        }
        let weights = read_safetensors(&config, weights, &folder.join("model.safetensors"))?;
        Ok(Self { config, tokenizer, weights })
    }

    /// A new model: normal weights of standard deviation 0.02, those that write into the residual stream scaled by
    /// 1/√(2·layers) as in GPT-2, norms of one.
    pub fn random(shape: &NewModel, tokenizer: Tokenizer, seed: u64) -> Self {
        let config = LlamaConfig::new(shape, tokenizer.vocab_size(), tokenizer.eos(), tokenizer.pad());
        let mut checkpoint = Self { config, tokenizer, weights: Vec::new() };
        checkpoint.randomise(seed);
        checkpoint
    }

    /// Draws all weights anew.
    #[allow(clippy::cast_precision_loss, reason = "a count of layers")]
    pub(super) fn randomise(&mut self, seed: u64) {
        let mut normal = Normal::new(seed);
        let residual = 0.02 / (2.0 * self.config.num_hidden_layers as f64).sqrt();
        let draw = |(name, shape): (String, Vec<usize>)| {
            let count = shape.iter().product();
            if shape.len() == 1 {
                return vec![1.0; count];
            }
            let deviation = if name.contains("o_proj") || name.contains("down_proj") { residual } else { 0.02 };
            (0..count).map(|_| normal.sample(deviation)).collect()
        };
        self.weights = self.config.parameters().into_iter().map(draw).collect();
    }

    /// The same checkpoint with the weights of a trained model.
    pub fn with_weights<B: Backend>(&self, model: &Transformer<B>) -> Self {
        Self { config: self.config.clone(), tokenizer: self.tokenizer.clone(), weights: model.to_parameters() }
    }

    /// Puts the weights on a device.
    ///
    /// # Errors
    /// Never for a checkpoint that was read or made by this type.
    pub fn load<B: Backend>(&self, device: &B::Device) -> Result<Transformer<B>> {
        let mut weights = self.weights.iter();
        Transformer::from_parameters(&self.config, device, |name, _| {
            weights.next().cloned().ok_or_else(|| Error::failed(format!("the checkpoint lacks {name}")))
        })
    }

    /// Writes an ordinary Hugging Face folder, weights in half precision (f16).
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write(&self, folder: &Path) -> Result<()> {
        std::fs::create_dir_all(folder).map_err(|e| Error::writing(folder, &e))?;
        let write = |name: &str, bytes: &[u8]| {
            let path = folder.join(name);
            std::fs::write(&path, bytes).map_err(|e| Error::writing(&path, &e))
        };
        let config = serde_json::to_vec_pretty(&self.config).map_err(|e| Error::failed(e.to_string()))?;
        write("config.json", &config)?;
        write("tokenizer.json", self.tokenizer.to_json()?.as_bytes())?;
        let tensors = self.config.parameters().into_iter().zip(&self.weights).map(|((name, shape), weights)| {
            let bytes = weights.iter().flat_map(|&x| f16::from_f32(x).to_le_bytes()).collect();
            (name, HalfTensor { shape, bytes })
        });
        let metadata = [("format".to_owned(), "pt".to_owned())].into();
        let bytes = safetensors::serialize(tensors, Some(metadata)).map_err(|e| Error::failed(e.to_string()))?;
        write("model.safetensors", &bytes)
    }
}

/// One tensor on its way into a file.
struct HalfTensor {
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl View for HalfTensor {
    fn dtype(&self) -> Dtype {
        Dtype::F16
    }
    fn shape(&self) -> &[usize] {
        &self.shape
    }
    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.bytes)
    }
    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}

fn read_safetensors(config: &LlamaConfig, bytes: &[u8], file: &Path) -> Result<Vec<Vec<f32>>> {
    let broken = |problem: String, advice: &str| Error::input(Location::file(file), problem, advice);
    let tensors = SafeTensors::deserialize(bytes).map_err(|e| {
        broken(format!("is no sound safetensors file: {e}"), "download or copy it again: it may have been cut short")
    })?;
    let expected = config.parameters();
    if let Some(stranger) = tensors.names().into_iter().find(|n| {
        // A tied checkpoint may carry its embedding twice.
        let has_place =
            expected.iter().any(|(name, _)| name == n) || (config.tie_word_embeddings && *n == "lm_head.weight");
        !has_place
    }) {
        return Err(broken(
            format!("holds the tensor {stranger}, which config.json has no place for"),
            "config.json and model.safetensors must belong together",
        ));
    }
    expected
        .into_iter()
        .map(|(name, shape)| {
            let tensor = tensors.tensor(&name).map_err(|_| {
                broken(format!("lacks the tensor {name}"), "config.json and model.safetensors must belong together")
            })?;
            if tensor.shape() != shape {
                return Err(broken(
                    format!("{name} has shape {:?}, and config.json asks for {shape:?}", tensor.shape()),
                    "config.json and model.safetensors must belong together",
                ));
            }
            let data = tensor.data();
            let values: Vec<f32> = match tensor.dtype() {
                Dtype::F32 => data.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect(),
                Dtype::F16 => data.chunks_exact(2).map(|b| f16::from_le_bytes([b[0], b[1]]).to_f32()).collect(),
                Dtype::BF16 => data.chunks_exact(2).map(|b| bf16::from_le_bytes([b[0], b[1]]).to_f32()).collect(),
                other => {
                    return Err(broken(
                        format!("{name} has element type {other:?}"),
                        "convert the checkpoint to F32, F16 or BF16",
                    ));
                }
            };
            if let Some(at) = values.iter().position(|x| !x.is_finite()) {
                return Err(broken(
                    format!("{name} holds {} at element {at}", values[at]),
                    "a checkpoint with numbers that are not finite cannot be trained",
                ));
            }
            Ok(values)
        })
        .collect()
}

/// Normal deviates by Box and Muller over a seeded stream, the same on every machine.
pub(super) struct Normal(ChaCha8Rng);

impl Normal {
    pub(super) fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "53 random bits make an f64")]
    pub(super) fn sample(&mut self, deviation: f64) -> f32 {
        let mut unit = || ((self.0.next_u64() >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
        let (radius, angle) = ((-2.0 * unit().ln()).sqrt(), std::f64::consts::TAU * unit());
        (deviation * radius * angle.cos()) as f32
    }
}

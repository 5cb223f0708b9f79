//! Checkpoints: a Hugging Face folder (`config.json`, `tokenizer.json`, safetensors) or a GGUF file, read as untrusted;
//! folders are also written.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn::tensor::backend::Backend;
use serde_json::{Map, Value};

use super::architecture::{Architecture, Parameter, Role};
use super::family::{self, Family, Stored};
use super::files::read_small;
use super::gguf::Gguf;
use super::normal::Normal;
use super::special::{self, TokenIds};
use super::tensors::{Blob, TensorFiles, unknown_element};
use super::transformer::Transformer;
use super::{foreign, hub, shards};
use crate::data::tokenizer::Tokenizer;
use crate::error::{Error, Location, Result};
use crate::experiment::{ModelSource, NewModel};

const LARGEST_CONFIG: u64 = 1 << 20;
const LARGEST_TOKENIZER: u64 = 64 << 20;

/// A model as it lies in files or in memory: what it is made of, weights and tokenizer, not yet on a device.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    /// What it is made of.
    pub config: Architecture,
    /// The tokenizer.
    pub tokenizer: Tokenizer,
    pub(super) family: &'static Family,
    /// `config.json`, with everything that this program does not understand.
    pub(super) config_json: Map<String, Value>,
    /// Small files that belong to it (generation config, chat template, …) and are written as they were read.
    pub(super) companions: BTreeMap<String, Vec<u8>>,
    pub(super) precision: Precision,
    weights: Weights,
}

/// What numbers are written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Precision {
    /// f16.
    Half,
    /// f32.
    Single,
}

/// The place of the numbers: memory or files.
#[derive(Debug, Clone)]
enum Weights {
    /// Numbers in the order of [`Architecture::parameters`].
    Memory(Arc<Vec<Vec<f32>>>),
    /// Numbers in files; read when they are put on a device.
    Files { tensors: Vec<Stored>, files: TensorFiles },
}

/// The bytes of a folder's files.
struct Folder<'a> {
    path: &'a Path,
    config: Vec<u8>,
    tokenizer: Vec<u8>,
    companions: BTreeMap<String, Vec<u8>>,
    files: TensorFiles,
}

impl Checkpoint {
    /// The base model that ships with the program (`assets/base`).
    ///
    /// # Errors
    /// Never in a sound build; the embedded files are parsed like any other.
    pub fn base() -> Result<Self> {
        let path = Path::new("assets/base");
        let weights: &'static [u8] = include_bytes!("../../assets/base/model.safetensors");
        Self::from_folder(Folder {
            path,
            config: include_bytes!("../../assets/base/config.json").to_vec(),
            tokenizer: include_bytes!("../../assets/base/tokenizer.json").to_vec(),
            companions: BTreeMap::new(),
            files: shards::open_one(Blob::embedded(path.join("model.safetensors"), weights))?,
        })
    }

    /// The model that an experiment names, where it can be looked at before the training: it need be neither downloaded nor
    /// made.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn at_hand(source: &ModelSource) -> Result<Option<Self>> {
        match source {
            ModelSource::Base => Self::base().map(Some),
            ModelSource::Folder(path) | ModelSource::File(path) => Self::read(path).map(Some),
            ModelSource::Hub(id) => hub::cached(id).ok().map(|folder| Self::read(&folder)).transpose(),
            ModelSource::New(_) | ModelSource::Mlp(_) | ModelSource::Lenet => Ok(None),
        }
    }

    /// Reads a folder or a GGUF file: everything but the weights, of which only the list is held against the
    /// configuration. They are read by [`Self::load`].
    ///
    /// # Errors
    /// When a file is missing or broken, or a tensor is missing, superfluous, of another shape or of a type that cannot
    /// be trained.
    pub fn read(path: &Path) -> Result<Self> {
        if path.is_file() {
            foreign::file(path)?;
            return Self::from_gguf(Gguf::open(path.to_owned())?, path);
        }
        if !path.is_dir() {
            return Err(Error::input(
                Location::file(path),
                "is neither a folder nor a file",
                "name a folder that holds config.json, tokenizer.json and model.safetensors, or a GGUF file",
            ));
        }
        for needed in ["config.json", "tokenizer.json"] {
            if !path.join(needed).exists() {
                foreign::refuse_instead_of(needed, path)?;
            }
        }
        foreign::refuse_adapter_beside(path)?;
        Self::from_folder(Folder {
            path,
            config: read_small(&path.join("config.json"), LARGEST_CONFIG)?,
            tokenizer: read_small(&path.join("tokenizer.json"), LARGEST_TOKENIZER)?,
            companions: special::companions(path)?,
            files: shards::open(path)?,
        })
    }

    fn from_folder(folder: Folder<'_>) -> Result<Self> {
        let config_file = folder.path.join("config.json");
        let (family, config) = family::of_config(&folder.config, &config_file)?;
        let Ok(Value::Object(config_json)) = serde_json::from_slice(&folder.config) else {
            return Err(Error::input(Location::file(&config_file), "is not a JSON object", "write fields in braces"));
        };
        let ids = TokenIds::read(&folder.config, &folder.companions, &config, &config_file)?;
        let tokenizer_file = folder.path.join("tokenizer.json");
        let tokenizer = ids.add_to(Tokenizer::from_json(&tokenizer_file, &folder.tokenizer)?)?;
        let tensors = expected(family.tensors(&config), &folder.files, family, &config, "config.json")?;
        let weights = Weights::Files { tensors, files: folder.files };
        let precision = Precision::Single;
        Ok(Self { config, tokenizer, family, config_json, companions: folder.companions, precision, weights })
    }

    fn from_gguf(gguf: Gguf, path: &Path) -> Result<Self> {
        foreign::part(path, gguf.metadata.parts()?)?;
        let (family, config_json) = gguf.config()?;
        let json = serde_json::to_vec(&config_json).map_err(|e| Error::failed(e.to_string()))?;
        let (_, config) = family::of_config(&json, path)?;
        let template = gguf.tokenizer_config();
        let companions = serde_json::to_vec_pretty(&template).map_err(|e| Error::failed(e.to_string()))?;
        let companions = BTreeMap::from([(special::TOKENIZER_CONFIG.to_owned(), companions)]);
        let ids = TokenIds::read(&json, &companions, &config, path)?;
        let tokenizer = ids.add_to(Tokenizer::from_json(path, &gguf.tokenizer_json()?)?)?;
        let tensors = expected(family.gguf_tensors(&config), &gguf.tensors, family, &config, "its metadata")?;
        let weights = Weights::Files { tensors, files: gguf.tensors };
        Ok(Self { config, tokenizer, family, config_json, companions, precision: Precision::Single, weights })
    }

    /// A new model: normal weights of standard deviation 0.02, those that write into the residual stream scaled by
    /// 1/√(2·layers) as in GPT-2, norms of one.
    pub fn random(shape: &NewModel, tokenizer: Tokenizer, seed: u64) -> Self {
        Self::random_llama(Architecture::new_llama(shape, tokenizer.vocab_size()), tokenizer, seed)
    }

    #[allow(clippy::cast_precision_loss, reason = "a count of layers")]
    pub(super) fn random_llama(config: Architecture, tokenizer: Tokenizer, seed: u64) -> Self {
        let mut normal = Normal::new(seed);
        let residual = 0.02 / (2.0 * config.layers as f64).sqrt();
        let draw = |(Parameter { role, .. }, shape): (Parameter, Vec<usize>)| {
            let count = shape.iter().product();
            if shape.len() == 1 {
                return vec![1.0; count];
            }
            let deviation = if role.writes_residual() { residual } else { 0.02 };
            (0..count).map(|_| normal.sample(deviation)).collect()
        };
        let weights = Weights::Memory(Arc::new(config.parameters().into_iter().map(draw).collect()));
        let mut config_json = config.llama_config();
        config_json.extend(tokenizer.eos().map(|eos| ("eos_token_id".to_owned(), eos.into())));
        config_json.insert("pad_token_id".to_owned(), tokenizer.pad().into());
        let family = family::of_new_models();
        let precision = Precision::Half;
        Self { config, tokenizer, family, config_json, companions: BTreeMap::new(), precision, weights }
    }

    /// This checkpoint with the weights of a trained model in place of its own.
    pub fn with_weights<B: Backend>(&self, model: &Transformer<B>) -> Self {
        Self {
            config: self.config.clone(),
            tokenizer: self.tokenizer.clone(),
            config_json: self.config_json.clone(),
            companions: self.companions.clone(),
            weights: Weights::Memory(Arc::new(model.to_parameters())),
            ..*self
        }
    }

    /// The first block alone, between the embedding and the output: every shape of the model at little cost.
    pub(crate) fn first_block(&self) -> Self {
        let config = Architecture { layers: self.config.layers.min(1), ..self.config.clone() };
        let weights = match &self.weights {
            Weights::Memory(all) => {
                let all = self.config.parameters().into_iter().zip(all.iter());
                let kept = all.filter(|((parameter, _), _)| parameter.layer.unwrap_or(0) == 0);
                Weights::Memory(Arc::new(kept.map(|(_, numbers)| numbers.clone()).collect()))
            }
            files @ Weights::Files { .. } => files.clone(),
        };
        Self { config, weights, ..self.clone() }
    }

    /// Puts the weights on a device, reading one tensor at a time.
    ///
    /// # Errors
    /// When a file cannot be read any more, or a number in it is not finite.
    pub fn load<B: Backend>(&self, device: &B::Device) -> Result<Transformer<B>> {
        let mut numbers = Numbers::of(&self.weights);
        Transformer::from_parameters(&self.config, device, |parameter, _| numbers.next(parameter))
    }

    /// Reads every number once, one tensor at a time.
    ///
    /// # Errors
    /// When a file cannot be read, or a number in it is not finite.
    pub fn check_numbers(&self) -> Result<()> {
        let Weights::Files { tensors, files } = &self.weights else { return Ok(()) };
        tensors.iter().try_for_each(|stored| files.read(&stored.name).map(drop))
    }

    /// Every parameter's numbers, in the order of [`Architecture::parameters`].
    pub(super) fn numbers(&self) -> Result<Arc<Vec<Vec<f32>>>> {
        if let Weights::Memory(numbers) = &self.weights {
            return Ok(Arc::clone(numbers));
        }
        let mut numbers = Numbers::of(&self.weights);
        let all = self.config.parameters().into_iter().map(|(parameter, _)| numbers.next(parameter));
        all.collect::<Result<_>>().map(Arc::new)
    }

    /// The files that hold the weights, and in what form; nothing for a model that was made in memory.
    pub(super) fn files(&self) -> Option<&TensorFiles> {
        match &self.weights {
            Weights::Memory(_) => None,
            Weights::Files { files, .. } => Some(files),
        }
    }

    /// The family's name, as `model_type` spells it.
    pub fn family(&self) -> &'static str {
        self.family.model_type
    }

    /// The template (Jinja) that makes a prompt of a conversation, where the checkpoint has one.
    pub fn chat_template(&self) -> Option<String> {
        special::chat_template(&self.companions)
    }
}

/// Hands parameters out one by one; a stored tensor that holds several is read once.
struct Numbers<'a> {
    weights: &'a Weights,
    given: usize,
    /// The stored tensor of every parameter that lies in a file.
    places: HashMap<Parameter, &'a Stored>,
    /// Read with another, and not yet asked for.
    waiting: HashMap<Parameter, Vec<f32>>,
}

impl<'a> Numbers<'a> {
    fn of(weights: &'a Weights) -> Self {
        let places = match weights {
            Weights::Memory(_) => HashMap::new(),
            Weights::Files { tensors, .. } => {
                tensors.iter().flat_map(|stored| stored.holds.iter().map(move |&p| (p, stored))).collect()
            }
        };
        Self { weights, given: 0, places, waiting: HashMap::new() }
    }

    /// The numbers of the next parameter, which is `parameter`.
    fn next(&mut self, parameter: Parameter) -> Result<Vec<f32>> {
        let lacking = || Error::failed(format!("the checkpoint lacks {parameter:?}"));
        self.given += 1;
        let files = match self.weights {
            Weights::Memory(all) => return all.get(self.given - 1).cloned().ok_or_else(lacking),
            Weights::Files { files, .. } => files,
        };
        if let Some(numbers) = self.waiting.remove(&parameter) {
            return Ok(numbers);
        }
        let stored = self.places.get(&parameter).ok_or_else(lacking)?;
        self.waiting.extend(stored.holds.iter().copied().zip(stored.unpack(files.read(&stored.name)?)));
        self.waiting.remove(&parameter).ok_or_else(lacking)
    }
}

/// Holds the tensors in the files against those that the architecture asks for. `who` asks, in errors.
fn expected(
    mut expected: Vec<Stored>,
    files: &TensorFiles,
    family: &Family,
    config: &Architecture,
    who: &str,
) -> Result<Vec<Stored>> {
    let together = "configuration and weights must belong together";
    for stored in &mut expected {
        if !files.tensors.contains_key(&stored.name) {
            let short = family.short_name(&stored.name);
            if files.tensors.contains_key(short) {
                stored.name = short.to_owned();
            }
        }
    }
    let places: HashMap<&str, &Stored> = expected.iter().map(|stored| (stored.name.as_str(), stored)).collect();
    for (name, entry) in &files.tensors {
        let blob = files.file_of(entry);
        let Some(stored) = places.get(name.as_str()) else {
            if family.tolerates(config, name) {
                continue;
            }
            return Err(blob.error(format!("holds the tensor {name}, which {who} has no place for"), together));
        };
        if entry.shape != stored.shape {
            let problem = format!("{name} has shape {:?}, and {who} asks for {:?}", entry.shape, stored.shape);
            return Err(blob.error(problem, together));
        }
        if let Err(other) = &entry.element {
            return Err(unknown_element(blob, name, other));
        }
    }
    if let Some(missing) = expected.iter().find(|stored| !files.tensors.contains_key(&stored.name)) {
        let last = files.files.last().map_or_else(PathBuf::new, |blob| blob.path.clone());
        let advice = match missing.holds[..] {
            [Parameter { role: Role::Logits, .. }] => {
                "the output matrix is missing, as where a base model was saved: save the AutoModelForCausalLM"
            }
            _ => together,
        };
        return Err(Error::input(Location::file(&last), format!("lacks the tensor {}", missing.name), advice));
    }
    Ok(expected)
}

//! The experiment file: what is trained, on what, how, and what is watched. RON, every field with a default that is
//! written down here, unknown fields refused. See `experiments/` for files with comments.

mod nearest;
mod overrides;
mod parse;
mod scan;
mod schema;
mod source;
mod stage;
pub mod starter;
mod validate;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::model::architecture::Role;
use crate::protocol::{DetectorSettings, ProbeKind};

pub use parse::{EMBEDDED, REAL};
pub use stage::{ObjectiveConfig, OnPolicy, OptimizerConfig, Replaces, Schedule, Stage};

/// One run from beginning to end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Experiment {
    /// Short name; letters, digits, `_`, `-` and `.`; names the run directory.
    pub name: String,
    /// One or two sentences for whoever watches: what to look at.
    #[serde(default)]
    pub description: String,
    /// Seed of everything random: data, order, sampling.
    #[serde(default)]
    pub seed: u64,
    /// Where the weights come from.
    #[serde(default)]
    pub model: ModelSource,
    /// What is trained in the place of the model's weights; absent where those are trained themselves.
    #[serde(default)]
    pub lora: Option<Lora>,
    /// What a language model's matrix products are computed in.
    #[serde(default)]
    pub precision: Precision,
    /// Whether a GPU is held against the CPU on the model's own shapes before it trains; it takes a few seconds.
    #[serde(default = "yes")]
    pub check_device: bool,
    /// What is learnt.
    pub data: DataSource,
    /// What is observed.
    #[serde(default)]
    pub probes: Probes,
    /// What is done, in order; empty where nothing is trained (`lab`).
    #[serde(default)]
    pub stages: Vec<Stage>,
    /// Claims of the paper that this experiment must show (`verify` fails where one does not hold); the others are reported
    /// with their numbers.
    #[serde(default)]
    pub claims: Vec<String>,
    /// The experiment that this one is to be compared with, by path or bare name: claims about a difference (D5, D6, E1)
    /// are read against it, seed by seed.
    #[serde(default)]
    pub baseline: Option<PathBuf>,
    /// Thresholds of the squeeze detector.
    #[serde(default)]
    pub detector: DetectorSettings,
    /// Where the results go.
    #[serde(default)]
    pub output: Output,
}

fn yes() -> bool {
    true
}

/// Where the weights come from.
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

/// What is learnt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum DataSource {
    /// Questions about the synthetic world, each with y⁺, y⁻ and every probe response.
    World(WorldTask),
    /// Free text of the synthetic world, for pretraining: documents without prompts.
    WorldDocuments(WorldDocuments),
    /// Preference data in files, in any of TRL's formats: rows `{"prompt", "chosen", "rejected", …}`, plain or
    /// conversational, the prompt under its own key or not; further probe kinds under their keys.
    #[serde(alias = "jsonl")]
    Preferences(PreferenceFiles),
    /// Generated pictures of the ten digits, for a classifier (`model: mlp([…])` or `lenet`).
    Digits(DigitPictures),
    /// Pictures of digits in IDX files, as MNIST comes: `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`,
    /// `t10k-images-idx3-ubyte`, `t10k-labels-idx1-ubyte`, in this folder.
    Mnist(PathBuf),
    /// One softmax and one step on it: the paper's section 3.3. Nothing is trained.
    Lab(LabSettings),
}

/// How the world's preference pairs are drawn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WorldTask {
    /// Training questions.
    pub train: usize,
    /// Held-out questions, disjoint from training; their answers are `irr_test`.
    pub held_out: usize,
    /// Zipf exponent of the words of y⁺: larger is peakier.
    pub chosen_exponent: f64,
    /// Zipf exponent of the words of y⁻: the smaller, the deeper in a valley of the model's belief it lies.
    pub rejected_exponent: f64,
    /// Probability that a content word of y⁻ is copied from y⁺.
    pub overlap: f64,
}

impl Default for WorldTask {
    fn default() -> Self {
        Self { train: 512, held_out: 128, chosen_exponent: 1.4, rejected_exponent: 0.8, overlap: 0.2 }
    }
}

/// How the world's pretraining text is drawn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WorldDocuments {
    /// Documents to train on.
    pub train: usize,
    /// Documents that measure the validation loss.
    pub held_out: usize,
}

impl Default for WorldDocuments {
    fn default() -> Self {
        Self { train: 51_200, held_out: 256 }
    }
}

/// Preference data in files: Parquet where the name ends in `.parquet`, JSON lines otherwise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PreferenceFiles {
    /// Training rows.
    pub train: PathBuf,
    /// Held-out rows: `irr_test` comes from here.
    #[serde(default)]
    pub held_out: Option<PathBuf>,
    /// Tokens of prompt and answer together; longer answers lose their end. Absent: a row that the model cannot read is an
    /// error.
    #[serde(default)]
    pub max_length: Option<usize>,
    /// Tokens of a prompt; longer ones lose their beginning.
    #[serde(default)]
    pub max_prompt_length: Option<usize>,
    /// How conversations become text: Jinja, a file of it, or a folder of a model that has one. Absent: the template of the
    /// model's own folder.
    #[serde(default)]
    pub chat_template: Option<String>,
}

/// How many pictures of digits are drawn, and how differently.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DigitPictures {
    /// Training pictures, as many of each digit.
    pub train: usize,
    /// Held-out pictures, as many of each digit.
    pub held_out: usize,
    /// How far strokes are moved, turned, thickened and stained: 0 draws every 4 alike, 1 is the usual variety.
    pub variety: f64,
}

impl Default for DigitPictures {
    fn default() -> Self {
        Self { train: 2000, held_out: 500, variety: 1.0 }
    }
}

/// A softmax and a step on it: what the squeeze lab begins with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LabSettings {
    /// Classes, V: 2 to 1,000.
    pub classes: usize,
    /// The distribution before the step.
    pub shape: LabShape,
    /// Which class the step is taken on, counted from the likeliest (0); clamped to the last.
    pub rank: usize,
    /// η′ = η‖x‖² of the step.
    pub eta: f64,
    /// Whether the step pushes the class down (−, as DPO does to y⁻) or pulls it up (+, as SFT does).
    pub push_down: bool,
}

impl Default for LabSettings {
    fn default() -> Self {
        Self { classes: 50, shape: LabShape::Peaks(8), rank: 49, eta: 5.0, push_down: true }
    }
}

/// The distribution before a step of the lab.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum LabShape {
    /// Every class alike.
    Uniform,
    /// Gently falling from the first class to the last.
    Flat,
    /// So many peaks over a low plain.
    Peaks(usize),
    /// One class has nearly everything.
    OnePeak,
}

/// What is observed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Probes {
    /// Training prompts under observation; of pictures, held-out ones, as many of each class (rounded down).
    pub prompts: usize,
    /// Prompts for which the free-running greedy answer is generated at every evaluation; all of them if there are fewer.
    pub greedy: usize,
    /// Longest answer that the model gives itself, tokens.
    pub max_new_tokens: usize,
    /// Held-out prompts to which an answer is sampled (temperature 1) at every evaluation and judged by the world's reward:
    /// what win rates are counted over.
    pub held_out: usize,
    /// Kinds of responses under observation, y⁺ among them; empty for every kind that the data has. Each costs a forward
    /// pass an evaluation.
    pub kinds: Vec<ProbeKind>,
}

impl Default for Probes {
    fn default() -> Self {
        Self { prompts: 64, greedy: 64, max_new_tokens: 64, held_out: 0, kinds: Vec::new() }
    }
}

/// Where the results go.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Output {
    /// Folder in which every run gets a directory of its own.
    pub directory: PathBuf,
    /// Whether the final weights are written to the run directory as a Hugging Face folder `model/`.
    pub save_model: bool,
    /// Evaluations between two checkpoints, from which `run --resume` goes on with a run that was killed; 0 for none. Where
    /// it is absent the clock decides: no checkpoint in the first minute, and then so seldom that writing them takes 1 % of
    /// the time at most.
    pub checkpoint_every: Option<u64>,
}

impl Default for Output {
    fn default() -> Self {
        Self { directory: PathBuf::from("runs"), save_model: false, checkpoint_every: None }
    }
}

//! The data that is learnt: where the examples come from.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

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

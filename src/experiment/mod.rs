//! The experiment file: what is trained, on what, how, and what is watched. RON, every field with a default that is
//! written down here, unknown fields refused. See `experiments/` for files with comments.

mod check;
mod data;
mod model;
mod nearest;
mod overrides;
mod parse;
mod role;
mod scan;
pub(crate) mod schema;
mod source;
mod stage;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::protocol::{DetectorSettings, ProbeKind};

pub use data::{DataSource, DigitPictures, LabSettings, LabShape, PreferenceFiles, WorldDocuments, WorldTask};
pub use model::{Lora, ModelSource, NewModel, Precision};
pub(crate) use nearest::{instead, is_slip, near_file, slips};
pub(crate) use parse::{EMBEDDED, Parsed, embedded, parse, parse_by};
pub use role::Role;
pub(crate) use scan::Node;
pub(crate) use source::Source;
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
    /// The source of the weights.
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
    /// Whether and how the changes of observed answers are taken apart into pull and push; absent where they are not.
    #[serde(default)]
    pub forces: Option<ForceSettings>,
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
    /// The folder of the results.
    #[serde(default)]
    pub output: Output,
}

fn yes() -> bool {
    true
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
    /// Prompts, from the first on, along whose y⁺ and y⁻ the log-prob of every token is recorded at every evaluation. Each
    /// number is about 12 bytes of the run file; 0 for none.
    pub tokens: usize,
}

impl Default for Probes {
    fn default() -> Self {
        Self { prompts: 64, greedy: 64, max_new_tokens: 64, held_out: 0, kinds: Vec::new(), tokens: 0 }
    }
}

/// How the change of an observed answer between two evaluations is taken apart: what the learning of chosen answers did
/// (pull), what that of rejected answers did (push), and the rest (see [`Forces`](crate::protocol::Forces)). The training
/// is the same with and without.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ForceSettings {
    /// Observed prompts whose answers are taken apart, from the first on; all of them if there are fewer.
    pub prompts: usize,
    /// Places on the way of the weights between two evaluations at which slopes are taken, at least. Each costs two
    /// passes over the answers for the pull, and two for the push.
    pub nodes: usize,
    /// Share of the change that may be left unexplained, both as root mean squares over the answers; where it is more,
    /// slopes are taken at more places, up to [`Self::MOST_NODES`].
    pub tolerance: f64,
}

impl ForceSettings {
    /// Places at which slopes are taken, at most.
    pub const MOST_NODES: usize = 4;
}

impl Default for ForceSettings {
    fn default() -> Self {
        Self { prompts: 8, nodes: 2, tolerance: 0.05 }
    }
}

/// The folder of the results.
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
    /// Megabytes of disk for snapshots in the run directory's `snapshots/`; 0 for none. One is taken after every evaluation
    /// that is due; where the room is spent, those go that lie closest together. Questions (`i`, `influence`, `tokens`,
    /// `kernel`) begin at the snapshot before the steps that they are about. One takes three times the trained weights.
    pub snapshots_mb: u64,
}

impl Default for Output {
    fn default() -> Self {
        Self { directory: PathBuf::from("runs"), save_model: false, checkpoint_every: None, snapshots_mb: 0 }
    }
}

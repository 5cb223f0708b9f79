//! What a well-formed experiment must still satisfy to make sense. Every finding is an error with the place in the file
//! and the way out; all of them are reported.

mod frugal;

use std::path::Path;

use super::scan::Node;
use super::source::Source;
use super::{
    DataSource, Experiment, LabShape, ModelSource, NewModel, ObjectiveConfig, OnPolicy, OptimizerConfig,
    PreferenceFiles, Replaces, Schedule, Stage,
};
use crate::data::pictures::CLASSES;
use crate::data::world::QUESTIONS;
use crate::data::{PreferenceData, Survey};
use crate::error::Error;
use crate::model::foreign;
use crate::model::hub::HubId;
use crate::protocol::ProbeKind;

/// The 256 bytes and the special tokens, with something to merge.
const SMALLEST_VOCABULARY: usize = 300;

/// Pictures under observation: their kernel has ten rows and columns for each of them.
const MOST_OBSERVED: usize = 200;

/// Collects findings and knows where they are.
struct Findings<'a> {
    source: &'a Source,
    tree: &'a Node,
    /// Whether every training example has a rejected answer.
    has_rejected: bool,
    /// Whether the data has a reward that can be checked.
    has_reward: bool,
    /// Whether the data is pictures.
    has_pictures: bool,
    errors: Vec<Error>,
}

/// Every reason why the experiment cannot be run. What the text leaves open is fitted to the data.
pub(super) fn validate(experiment: &mut Experiment, source: &Source, tree: &Node) -> Vec<Error> {
    let has_reward = matches!(experiment.data, DataSource::World(_));
    let has_pictures = experiment.has_pictures();
    let mut findings = Findings { source, tree, has_rejected: true, has_reward, has_pictures, errors: Vec::new() };
    findings.name(&experiment.name);
    findings.model(experiment);
    findings.lora(experiment);
    findings.precision(experiment);
    let training = findings.data(experiment);
    if tree.field("probes").and_then(|probes| probes.field("prompts")).is_none() {
        fit_probes(experiment, training);
    }
    findings.probes(experiment, training);
    findings.comparison(experiment);
    let trains = !matches!(experiment.data, DataSource::Lab(_));
    if !trains && !experiment.stages.is_empty() {
        findings.add("stages", "the lab trains nothing", "leave the stages out");
    }
    if trains && experiment.stages.is_empty() {
        findings.add(
            "stages",
            "there is no stage",
            "add at least one: (name: \"SFT\", objective: sft, steps: 128, learning_rate: 5e-4)",
        );
    }
    for (i, stage) in experiment.stages.iter().enumerate() {
        findings.stage(i, stage);
    }
    findings.detector(experiment);
    findings.errors
}

/// Observes no more than there is, where the text does not say how much.
fn fit_probes(experiment: &mut Experiment, training: Option<usize>) {
    let there_are = match &experiment.data {
        DataSource::Digits(pictures) => Some(pictures.held_out / CLASSES.len() * CLASSES.len()),
        _ => training,
    };
    let prompts = &mut experiment.probes.prompts;
    *prompts = there_are.map_or(*prompts, |there_are| (*prompts).min(there_are.max(1)));
}

impl Findings<'_> {
    fn add(&mut self, path: &str, problem: impl AsRef<str>, advice: impl AsRef<str>) {
        let at = self.tree.nearest(path).span.start;
        self.errors.push(self.source.error(at, format!("{path}: {}", problem.as_ref()), advice));
    }

    fn name(&mut self, name: &str) {
        let safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        if name.is_empty() {
            self.add(
                "name",
                "the name is empty",
                "it names the run's directory: write something like \"dpo_offpolicy\"",
            );
        } else if !name.chars().all(safe) || !name.starts_with(|c: char| c.is_ascii_alphanumeric()) || name.len() > 80 {
            self.add(
                "name",
                format!("{name:?} cannot name a directory everywhere"),
                "use up to 80 letters, digits, `_`, `-` and `.`, and begin with a letter or a digit",
            );
        }
    }

    /// What the experiment is said to show, and against what.
    fn comparison(&mut self, experiment: &Experiment) {
        for claim in &experiment.claims {
            if !crate::protocol::CLAIMS.contains(&claim.as_str()) {
                let advice = format!("known here: {}", crate::protocol::CLAIMS.join(", "));
                self.add("claims", format!("{claim:?} is no claim"), advice);
            }
        }
        if let Some(baseline) = &experiment.baseline {
            let name = experiment.baseline_name().unwrap_or_default();
            if name == experiment.name {
                self.add("baseline", "an experiment cannot be its own baseline", "name another experiment");
            } else if !baseline.is_file() && super::parse::embedded(baseline).is_none() {
                self.file("baseline", baseline, "name an experiment file, or one that comes with the program");
            }
        }
    }

    fn model(&mut self, experiment: &Experiment) {
        let sees = self.has_pictures;
        let classifies = matches!(experiment.model, ModelSource::Mlp(_) | ModelSource::Lenet);
        if sees != classifies && !matches!(experiment.data, DataSource::Lab(_)) {
            self.add(
                "model",
                if sees { "a language model cannot look at pictures" } else { "this model reads pictures only" },
                if sees {
                    "write model: mlp([64]) or model: lenet"
                } else {
                    "write data: digits() or data: mnist(\"…\")"
                },
            );
        }
        match &experiment.model {
            ModelSource::Base | ModelSource::Lenet => {}
            ModelSource::Mlp(hidden) => {
                if hidden.iter().any(|&units| units == 0 || units > 4096) || hidden.len() > 16 {
                    self.add(
                        "model",
                        "a hidden layer has 1 to 4096 units, and there are 16 at most",
                        "write mlp([64])",
                    );
                }
            }
            ModelSource::Folder(folder) => {
                let advice = "name a Hugging Face folder, relative to the working directory";
                let sharded = folder.join("model.safetensors.index.json").is_file();
                let weights = if sharded { "model.safetensors.index.json" } else { "model.safetensors" };
                let lacking = ["config.json", "tokenizer.json", weights].into_iter();
                let lacking: Vec<&str> = lacking.filter(|file| !folder.join(file).is_file()).collect();
                match lacking.iter().find_map(|file| foreign::instead_of(file, folder)) {
                    Some((problem, advice)) => self.add("model", format!("{} {problem}", folder.display()), advice),
                    None => lacking.iter().for_each(|file| self.file("model", &folder.join(file), advice)),
                }
            }
            ModelSource::File(file) => self.file("model", file, "name a GGUF file, relative to the working directory"),
            ModelSource::Hub(id) => {
                if let Err(problem) = id.parse::<HubId>() {
                    self.add("model", problem, "write something like hub(\"HuggingFaceTB/SmolLM2-135M-Instruct\")");
                }
            }
            ModelSource::New(new) => self.new_model(new),
        }
    }

    fn new_model(&mut self, new: &NewModel) {
        let NewModel { vocab_size, hidden_size, intermediate_size, layers, heads, max_positions } = *new;
        if vocab_size < SMALLEST_VOCABULARY {
            let advice = format!("write {SMALLEST_VOCABULARY} or more: the 256 bytes come first");
            self.add("model.vocab_size", format!("{vocab_size} entries are too few"), advice);
        }
        for (field, value) in [
            ("hidden_size", hidden_size),
            ("intermediate_size", intermediate_size),
            ("layers", layers),
            ("heads", heads),
            ("max_positions", max_positions),
        ] {
            self.positive(&format!("model.{field}"), value as u64);
        }
        if heads > 0 && hidden_size > 0 && (hidden_size % heads != 0 || (hidden_size / heads) % 2 != 0) {
            self.add(
                "model.heads",
                format!("{heads} heads do not split hidden_size {hidden_size} into even sizes"),
                "choose heads so that hidden_size / heads is a whole, even number (rotary embeddings need pairs)",
            );
        }
    }

    /// Checks the data; returns the number of training examples, where it is known.
    fn data(&mut self, experiment: &Experiment) -> Option<usize> {
        match &experiment.data {
            DataSource::World(task) => {
                self.positive("data.train", task.train as u64);
                self.positive("data.held_out", task.held_out as u64);
                if task.train.saturating_add(task.held_out) > QUESTIONS {
                    self.add(
                        "data.train",
                        format!("{} + {} questions are more than the world has", task.train, task.held_out),
                        format!("train and held_out together can be {QUESTIONS} at most: they never overlap"),
                    );
                }
                for (field, x) in
                    [("chosen_exponent", task.chosen_exponent), ("rejected_exponent", task.rejected_exponent)]
                {
                    if !(x.is_finite() && x >= 0.0) {
                        self.add(
                            &format!("data.{field}"),
                            format!("{x} is no Zipf exponent"),
                            "write 0 or more, such as 1.4",
                        );
                    }
                }
                self.share("data.overlap", task.overlap);
                Some(task.train)
            }
            DataSource::WorldDocuments(documents) => {
                self.has_rejected = false;
                self.positive("data.train", documents.train as u64);
                self.positive("data.held_out", documents.held_out as u64);
                None
            }
            DataSource::Preferences(files) => self.files(files, &experiment.model),
            DataSource::Digits(pictures) => {
                self.has_rejected = false;
                self.positive("data.train", pictures.train as u64);
                self.positive("data.held_out", pictures.held_out as u64);
                self.not_negative("data.variety", pictures.variety, "a variety");
                None
            }
            DataSource::Mnist(folder) => {
                self.has_rejected = false;
                for file in crate::data::MNIST_FILES {
                    self.file("data", &folder.join(file), "name a folder with the four unpacked IDX files of MNIST");
                }
                None
            }
            DataSource::Lab(lab) => {
                if !(2..=1000).contains(&lab.classes) {
                    self.add("data.classes", format!("{} classes", lab.classes), "write 2 to 1000");
                }
                if let LabShape::Peaks(0) = lab.shape {
                    self.add("data.shape", "no peak at all is uniform", "write peaks(8), or uniform");
                }
                if lab.rank >= lab.classes {
                    self.add(
                        "data.rank",
                        format!("rank {} of {} classes", lab.rank, lab.classes),
                        "ranks count from 0, the likeliest",
                    );
                }
                self.above_zero("data.eta", lab.eta, "such as 5.0");
                let most = crate::dynamics::lab::MAX_ETA;
                if lab.eta > most {
                    let advice = format!("write up to {most}: beyond it a softmax is 0 and 1");
                    self.add("data.eta", format!("{} is a step too large for f64", lab.eta), advice);
                }
                None
            }
        }
    }

    /// Looks through the data files; returns the number of training rows.
    fn files(&mut self, files: &PreferenceFiles, model: &ModelSource) -> Option<usize> {
        let PreferenceFiles { max_length, max_prompt_length, .. } = *files;
        for (field, length) in [("max_length", max_length), ("max_prompt_length", max_prompt_length)] {
            self.positive(&format!("data.{field}"), length.unwrap_or(1) as u64);
        }
        if let (Some(whole), Some(prompt)) = (max_length, max_prompt_length)
            && prompt >= whole
        {
            self.add(
                "data.max_prompt_length",
                format!("prompts of {prompt} tokens leave no room for an answer within max_length {whole}"),
                "write less than max_length, such as half of it",
            );
        }
        let data = PreferenceData::open(files, model);
        let train = self.survey(&data, "data.train", &files.train);
        if let Some(held_out) = &files.held_out {
            self.survey(&data, "data.held_out", held_out);
        }
        self.has_rejected = train.is_none_or(|survey| survey.has_rejected);
        train.map(|survey| survey.rows)
    }

    /// What a data file holds, or the first mistake in it.
    fn survey(&mut self, data: &PreferenceData, path: &str, file: &Path) -> Option<Survey> {
        if !file.is_file() {
            let advice = "name a file of JSON lines or a Parquet file, relative to the working directory";
            self.file(path, file, advice);
            return None;
        }
        data.survey(file).map_err(|e| self.errors.push(e)).ok()
    }

    fn probes(&mut self, experiment: &Experiment, training: Option<usize>) {
        let probes = &experiment.probes;
        if let DataSource::Digits(pictures) = &experiment.data {
            let (of_each, there_are) = (probes.prompts / CLASSES.len(), pictures.held_out / CLASSES.len());
            if of_each > there_are {
                let problem =
                    format!("{of_each} pictures of each digit are to be observed, and {there_are} are held out");
                self.add("probes.prompts", problem, "observe fewer, or give more data.held_out");
            }
        }
        if self.has_pictures && !(CLASSES.len()..=MOST_OBSERVED).contains(&probes.prompts) {
            let problem = format!("{} pictures are too few to show every digit, or too many", probes.prompts);
            let advice = format!("write 10 to {MOST_OBSERVED}: as many of each digit are observed, each with each");
            self.add("probes.prompts", problem, advice);
        }
        if self.has_pictures && experiment.output.save_model {
            let advice = "leave it out: a run of a classifier is short, and its seed gives the same weights again";
            self.add("output.save_model", "a classifier's weights are not written", advice);
        }
        let observes = matches!(experiment.data, DataSource::World(_) | DataSource::Preferences(_));
        if observes {
            self.positive("probes.prompts", probes.prompts as u64);
            self.positive("probes.max_new_tokens", probes.max_new_tokens as u64);
            if !probes.kinds.is_empty() && !probes.kinds.contains(&ProbeKind::Chosen) {
                let problem = "the preferred answer is not among the kinds under observation";
                self.add(
                    "probes.kinds",
                    problem,
                    "add chosen: displacement, the argmax and mass flow are read along it",
                );
            }
        }
        if let Some(training) = training.filter(|&n| probes.prompts > n) {
            self.add(
                "probes.prompts",
                format!("{} prompts are to be observed, but there are {training} training examples", probes.prompts),
                "observe fewer, or train on more: the observed prompts are training prompts",
            );
        }
    }

    fn stage(&mut self, index: usize, stage: &Stage) {
        let path = |field: &str| format!("stages[{index}].{field}");
        if stage.name.trim().is_empty() {
            self.add(
                &path("name"),
                "the name is empty",
                "it is the stage's word on the screen: write \"SFT\" or \"DPO\"",
            );
        }
        self.positive(&path("steps"), stage.steps);
        self.positive(&path("batch_size"), stage.batch_size as u64);
        self.positive(&path("gradient_accumulation_steps"), stage.gradient_accumulation_steps as u64);
        self.positive(&path("evaluate_every"), stage.evaluate_every);
        self.above_zero(&path("learning_rate"), stage.learning_rate, "such as 5e-4");
        if stage.warmup_steps > stage.steps {
            self.add(
                &path("warmup_steps"),
                format!("a warm-up of {} steps does not fit into {} steps", stage.warmup_steps, stage.steps),
                "shorten the warm-up or lengthen the stage",
            );
        }
        if !(stage.max_grad_norm.is_finite() && stage.max_grad_norm >= 0.0) {
            self.add(
                &path("max_grad_norm"),
                format!("{} is no norm", stage.max_grad_norm),
                "write 0 for no clipping, or a positive number",
            );
        }
        if let Schedule::Cosine(share) = stage.schedule {
            self.share(&path("schedule"), share);
        }
        match stage.optimizer {
            OptimizerConfig::Adamw { beta_1, beta_2, weight_decay } => {
                self.decay(&path("optimizer.beta_1"), beta_1);
                self.decay(&path("optimizer.beta_2"), beta_2);
                if !(weight_decay.is_finite() && weight_decay >= 0.0) {
                    self.add(
                        &path("optimizer.weight_decay"),
                        format!("{weight_decay} is no decay"),
                        "write 0 or a small positive number",
                    );
                }
            }
            OptimizerConfig::Rmsprop { alpha } => self.decay(&path("optimizer.alpha"), alpha),
            OptimizerConfig::Sgd => {}
        }
        if self.has_pictures {
            if stage.objective != ObjectiveConfig::Sft {
                let problem = format!("`{}` compares answers, and a picture has one label", stage.objective.name());
                self.add(&path("objective"), problem, "write objective: sft, the cross entropy of the label");
            }
            if stage.on_policy.is_some() {
                self.add(&path("on_policy"), "a classifier writes no answers", "leave on_policy out");
            }
            if stage.gradient_checkpointing {
                let problem = "a classifier has no blocks to compute anew";
                self.add(&path("gradient_checkpointing"), problem, "leave gradient_checkpointing out");
            }
            return;
        }
        self.objective(&path("objective"), stage);
        if let Some(on_policy) = &stage.on_policy {
            self.on_policy(&path("on_policy"), on_policy, stage);
        }
    }

    fn objective(&mut self, path: &str, stage: &Stage) {
        let objective = &stage.objective;
        let field = |name: &str| format!("{path}.{name}");
        if let Some(beta) = objective.beta() {
            self.above_zero(&field("beta"), beta, "such as 0.1");
        }
        match *objective {
            ObjectiveConfig::Sigmoid { label_smoothing, nll, .. } => {
                self.smoothing(&field("label_smoothing"), label_smoothing);
                self.not_negative(&field("nll"), nll, "a weight");
            }
            ObjectiveConfig::Robust { label_smoothing, .. } => {
                self.smoothing(&field("label_smoothing"), label_smoothing);
            }
            ObjectiveConfig::Hinge { nll, .. } => self.not_negative(&field("nll"), nll, "a weight"),
            ObjectiveConfig::Slic { delta, nll } => {
                self.above_zero(&field("delta"), delta, "such as 1.0");
                self.not_negative(&field("nll"), nll, "a weight");
            }
            ObjectiveConfig::Simpo { gamma, .. } => self.not_negative(&field("gamma"), gamma, "a margin"),
            ObjectiveConfig::Dpop { lambda, .. } => self.not_negative(&field("lambda"), lambda, "a weight"),
            ObjectiveConfig::GateDpo { threshold, sharpness, .. } => {
                if !threshold.is_finite() {
                    let advice = "write a log-prob a token, such as -1.5";
                    self.add(&field("threshold"), format!("{threshold} is no log-prob"), advice);
                }
                self.above_zero(&field("sharpness"), sharpness, "such as 8.0");
            }
            ObjectiveConfig::DpoShift { shift, .. } => self.share(&field("shift"), shift),
            ObjectiveConfig::Sft
            | ObjectiveConfig::SftExtended
            | ObjectiveConfig::Ipo { .. }
            | ObjectiveConfig::SppoHard { .. } => {}
        }
        if objective.reads_rejected() && !self.has_rejected && stage.on_policy.is_none() {
            self.add(
                path,
                format!("`{}` needs a rejected answer to every prompt, and the data has none", objective.name()),
                "use data with preference pairs, such as world(), or sample them: on_policy: (replaces: rejected), or \
                 objective: sft",
            );
        }
    }

    fn on_policy(&mut self, path: &str, on_policy: &OnPolicy, stage: &Stage) {
        let field = |name: &str| format!("{path}.{name}");
        if !stage.objective.reads_rejected() {
            let problem = format!("`{}` reads no rejected answer, so none need be sampled", stage.objective.name());
            self.add(path, problem, "leave on_policy out, or use an objective with a rejected answer, such as sigmoid");
        }
        self.positive(&field("candidates"), on_policy.candidates as u64);
        self.positive(&field("max_new_tokens"), on_policy.max_new_tokens as u64);
        self.above_zero(&field("temperature"), on_policy.temperature, "such as 1.0");
        if !(on_policy.top_p > 0.0 && on_policy.top_p <= 1.0) {
            let advice = "write more than 0 and at most 1; 1 keeps every token";
            self.add(&field("top_p"), format!("{} is no share", on_policy.top_p), advice);
        }
        if on_policy.replaces == Replaces::Both && on_policy.candidates < 2 {
            let advice = "write candidates: 2 or more: the best becomes y⁺, the worst y⁻";
            self.add(&field("candidates"), "one answer cannot be better than itself", advice);
        }
        if !self.has_reward && (on_policy.replaces == Replaces::Both || on_policy.candidates > 1) {
            self.add(
                path,
                "candidates are ranked by a reward, and only world() has one that can be checked",
                "write replaces: rejected and candidates: 1, or use data: world()",
            );
        }
    }

    fn smoothing(&mut self, path: &str, x: f64) {
        if !(0.0..0.5).contains(&x) {
            self.add(
                path,
                format!("{x} is not between 0 and 0.5"),
                "write the share of flipped preferences, such as 0.1",
            );
        }
    }

    fn not_negative(&mut self, path: &str, x: f64, what: &str) {
        if !(x.is_finite() && x >= 0.0) {
            self.add(path, format!("{x} is not {what}"), "write 0 or a positive number");
        }
    }

    fn detector(&mut self, experiment: &Experiment) {
        let detector = &experiment.detector;
        for (field, x, what) in [
            ("tau", detector.tau, "a number of nats per token"),
            ("noise", detector.noise, "a multiple of the noise"),
            ("noise_of_means", detector.noise_of_means, "a multiple of the noise"),
        ] {
            self.not_negative(&format!("detector.{field}"), x, what);
        }
        for (field, share) in [
            ("recent", detector.recent),
            ("displacing_rate", detector.displacing_rate),
            ("squeezing_rate", detector.squeezing_rate),
            ("leave", detector.leave),
            ("squeezed_share", detector.squeezed_share),
            ("collapse_distinct_2_drop", detector.collapse_distinct_2_drop),
            ("collapse_repeat_4", detector.collapse_repeat_4),
        ] {
            self.share(&format!("detector.{field}"), share);
        }
    }

    fn positive(&mut self, path: &str, value: u64) {
        if value == 0 {
            self.add(path, "0 is too few", "write 1 or more");
        }
    }

    fn above_zero(&mut self, path: &str, x: f64, example: &str) {
        if !(x.is_finite() && x > 0.0) {
            self.add(path, format!("{x} is not above 0"), format!("write a positive number, {example}"));
        }
    }

    fn share(&mut self, path: &str, x: f64) {
        if !(0.0..=1.0).contains(&x) {
            self.add(path, format!("{x} is not between 0 and 1"), "write a share from 0 to 1");
        }
    }

    fn decay(&mut self, path: &str, x: f64) {
        if !(0.0..1.0).contains(&x) {
            self.add(path, format!("{x} is no decay rate"), "write 0 or more and less than 1, such as 0.9");
        }
    }

    fn file(&mut self, path: &str, file: &Path, advice: &str) {
        if !file.is_file() {
            self.add(path, format!("there is no file {}", file.display()), advice);
        }
    }
}

//! Checks of what a well-formed experiment must still satisfy to make sense. Every finding is an error with the place in the file
//! and the way out; all of them are reported.

mod adapters;
mod data;
mod forces;
mod load;
mod model;

use std::path::Path;

use crate::data::pictures::CLASSES;
use crate::error::Error;
use crate::experiment::{
    DataSource, Experiment, Node, ObjectiveConfig, OnPolicy, OptimizerConfig, Replaces, Schedule, Source, Stage,
    near_file,
};
use crate::objective::{Bound, Parameter};

/// Collects findings and knows where they are.
struct Findings<'a> {
    source: &'a Source,
    tree: &'a Node,
    /// Whether every training example has a rejected answer.
    has_rejected: bool,
    /// The first example without one, where it can be named.
    unpaired: Option<String>,
    /// Whether the data has a reward that can be checked.
    has_reward: bool,
    /// Whether the data is pictures.
    has_pictures: bool,
    errors: Vec<Error>,
}

/// Every reason why the experiment cannot be run. What the text leaves open is fitted to the data.
fn validate(experiment: &mut Experiment, source: &Source, tree: &Node) -> Vec<Error> {
    let has_reward = matches!(experiment.data, DataSource::World(_));
    let has_pictures = experiment.has_pictures();
    let mut findings =
        Findings { source, tree, has_rejected: true, unpaired: None, has_reward, has_pictures, errors: Vec::new() };
    findings.name(&experiment.name);
    findings.model(experiment);
    findings.lora(experiment);
    findings.precision(experiment);
    let training = findings.data(experiment);
    if tree.field("probes").and_then(|probes| probes.field("prompts")).is_none() {
        fit_probes(experiment, training);
    }
    findings.probes(experiment, training);
    findings.forces(experiment);
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
            } else if !baseline.is_file() && crate::experiment::embedded(baseline).is_none() {
                self.file("baseline", baseline, "name an experiment file, or one that comes with the program");
            }
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
        for Parameter { name, value, bound } in objective.parameters() {
            self.within(&field(name), value, bound);
        }
        if objective.reads_rejected() && !self.has_rejected && stage.on_policy.is_none() {
            let unpaired = self.unpaired.as_deref().unwrap_or("the data").to_owned();
            self.add(
                path,
                format!("`{}` needs a rejected answer to every prompt, and {unpaired} has none", objective.name()),
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

    /// Holds a parameter of an objective against its bound.
    fn within(&mut self, path: &str, x: f64, bound: Bound) {
        match bound {
            Bound::Any => {}
            Bound::Finite(_, _) if x.is_finite() => {}
            Bound::Finite(what, example) => self.add(path, format!("{x} is no {what}"), format!("write {example}")),
            Bound::AboveZero(example) => self.above_zero(path, x, example),
            Bound::NotNegative(what) => self.not_negative(path, x, what),
            Bound::Share => self.share(path, x),
            Bound::Flipped if (0.0..0.5).contains(&x) => {}
            Bound::Flipped => {
                let advice = "write the share of flipped preferences, such as 0.1";
                self.add(path, format!("{x} is not between 0 and 0.5"), advice);
            }
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
            let advice = near_file(file).map_or_else(|| advice.to_owned(), |near| format!("did you mean {near}?"));
            self.add(path, format!("there is no file {}", file.display()), advice);
        }
    }
}

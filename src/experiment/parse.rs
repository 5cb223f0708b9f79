//! Experiments read from a file, and written back.

use std::path::Path;

use ron::extensions::Extensions;
use ron::ser::PrettyConfig;

use super::check;
use super::scan::Node;
use super::schema::{EXPERIMENT, Type};
use super::source::Source;
use super::{DataSource, Experiment, overrides};
use crate::error::{Error, Result};

/// An experiment's path and text.
macro_rules! embed {
    ($name:literal) => {
        (concat!("experiments/", $name, ".ron"), include_str!(concat!("../../experiments/", $name, ".ron")))
    };
}

/// The experiments that come with the program: path, text. A path that names no file names one of these.
pub const EMBEDDED: [(&str, &str); 19] = [
    embed!("sft"),
    embed!("sft_extended"),
    embed!("dpo_offpolicy"),
    embed!("dpo_onpolicy"),
    embed!("dpo_after_extended_sft"),
    embed!("dpo_after_long_sft"),
    embed!("ipo"),
    embed!("hinge"),
    embed!("simpo"),
    embed!("sppo"),
    embed!("spin"),
    embed!("dpo_nll"),
    embed!("gate_dpo"),
    embed!("dpo_shift"),
    embed!("hallucination"),
    embed!("repeater"),
    embed!("squeeze_lab"),
    embed!("digits"),
    embed!("pretrain_base"),
];

/// The experiments on models and data that do not come with the program: the paper's own settings on real checkpoints.
/// Found in the same way.
pub const REAL: [(&str, &str); 4] = [
    embed!("real/pythia_410m_hh_dpo"),
    embed!("real/qwen_0_5b_hh_dpo"),
    embed!("real/qwen_1_8b_extend"),
    embed!("real/smollm2_135m_hh_dpo"),
];

/// How a text of RON is read: payloads without doubled parentheses, options without `Some`.
fn options() -> ron::Options {
    ron::Options::default().with_default_extension(
        Extensions::IMPLICIT_SOME | Extensions::UNWRAP_NEWTYPES | Extensions::UNWRAP_VARIANT_NEWTYPES,
    )
}

/// An experiment as its text has it, with the text: not yet held against what an experiment must satisfy to make sense.
pub(crate) struct Parsed {
    pub(crate) experiment: Experiment,
    pub(crate) source: Source,
    pub(crate) tree: Node,
}

/// Reads the text of an experiment, with overrides (`stages[1].learning_rate=1e-5`) written into it; `file` only names it.
///
/// # Errors
/// Every mistake in the text, each with file, line and column, and what to write instead.
pub(crate) fn parse(file: &Path, text: &str, overrides: &[String]) -> Result<Parsed> {
    let mut source = Source::new(file, text);
    let tree = source.scan()?;
    source.unwrap_payloads(&tree);
    let mut errors: Vec<Error> =
        overrides.iter().filter_map(|argument| overrides::apply(&mut source, argument).err()).collect();
    let tree = source.scan()?;
    source.unwrap_payloads(&tree);
    let tree = source.scan()?;
    check::check(&source, &tree, &EXPERIMENT, &mut errors);
    Error::all(errors)?;
    let experiment = options().from_str(&source.text).map_err(|e| unread(&source, &e))?;
    Ok(Parsed { experiment, source, tree })
}

/// Reads a text of another kind by the table of its fields.
///
/// # Errors
/// Every mistake in the text, each with file, line and column, and what to write instead.
pub(crate) fn parse_by<T: serde::de::DeserializeOwned>(
    file: &Path,
    text: &str,
    schema: &Type,
) -> Result<(T, Source, Node)> {
    let mut source = Source::new(file, text);
    let tree = source.scan()?;
    source.unwrap_payloads(&tree);
    let tree = source.scan()?;
    let mut errors = Vec::new();
    check::check(&source, &tree, schema, &mut errors);
    Error::all(errors)?;
    let read = options().from_str(&source.text).map_err(|e| unread(&source, &e))?;
    Ok((read, source, tree))
}

impl Experiment {
    /// The experiment as it is run, every default spelled out. Loading it gives the same experiment.
    ///
    /// # Errors
    /// When a path in it is no Unicode.
    pub fn to_ron(&self) -> Result<String> {
        let config = PrettyConfig::new()
            .new_line("\n")
            .indentor("  ")
            .extensions(Extensions::IMPLICIT_SOME | Extensions::UNWRAP_NEWTYPES | Extensions::UNWRAP_VARIANT_NEWTYPES);
        options()
            .to_string_pretty(self, config)
            .map_err(|e| Error::failed(format!("the experiment cannot be written as RON: {e}")))
    }

    /// What the run is called: `<name>-seed<seed>`.
    pub fn run_id(&self) -> String {
        format!("{}-seed{}", self.name, self.seed)
    }

    /// Name of the experiment that this one is compared with: the file's name without its ending.
    pub fn baseline_name(&self) -> Option<String> {
        let name = self.baseline.as_ref()?.file_stem()?;
        Some(name.to_string_lossy().into_owned())
    }

    /// Whether it trains a classifier of pictures.
    pub fn has_pictures(&self) -> bool {
        matches!(self.data, DataSource::Digits(_) | DataSource::Mnist(_))
    }

    /// Optimiser steps over all stages.
    pub fn total_steps(&self) -> u64 {
        self.stages.iter().map(|s| s.steps).sum()
    }

    /// Truncation the run to its first `steps` optimiser steps, over all stages; later stages are dropped. A warm-up is
    /// shortened with its stage, and a cosine schedule ends where the stage now ends.
    pub fn truncate(&mut self, mut steps: u64) {
        for stage in &mut self.stages {
            stage.steps = stage.steps.min(steps);
            stage.warmup_steps = stage.warmup_steps.min(stage.steps);
            steps -= stage.steps;
        }
        self.stages.retain(|s| s.steps > 0);
    }
}

/// What the table of the schema let pass and serde did not.
fn unread(source: &Source, error: &ron::error::SpannedError) -> Error {
    let ron::error::Position { line, col } = error.span.start;
    let offset: usize = source.text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let rest = source.text.get(offset..).unwrap_or_default();
    let column = rest.char_indices().nth(col.saturating_sub(1)).map_or(rest.len(), |(i, _)| i);
    source.error(offset + column, error.code.to_string(), "see experiments/ for files that are read")
}

/// The experiment of that path or bare name.
pub(crate) fn embedded(path: &Path) -> Option<&'static (&'static str, &'static str)> {
    EMBEDDED.iter().chain(&REAL).find(|(name, _)| {
        let known = Path::new(name);
        path == known
            || path.as_os_str() == known.file_stem().unwrap_or_default()
            || Some(path.as_os_str()) == known.file_name()
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use std::path::{Path, PathBuf};

    use super::super::Role;
    use super::super::{
        DigitPictures, ForceSettings, LabSettings, LabShape, Lora, ModelSource, NewModel, ObjectiveConfig, OnPolicy,
        OptimizerConfig, Output, Precision, PreferenceFiles, Probes, Replaces, Schedule, Stage, WorldDocuments,
        WorldTask, check, scan, schema, source::Source,
    };
    use super::{DataSource, EMBEDDED, EXPERIMENT, Experiment, REAL, embedded};
    use crate::protocol::{DetectorSettings, ProbeKind};

    fn stage(objective: ObjectiveConfig, optimizer: OptimizerConfig, schedule: Schedule) -> Stage {
        Stage {
            name: "S \"1\" \u{1f}".to_owned(),
            objective,
            steps: 20,
            batch_size: 8,
            gradient_accumulation_steps: 2,
            gradient_checkpointing: false,
            optimizer,
            learning_rate: 5e-7,
            warmup_steps: 10,
            schedule,
            max_grad_norm: 10.0,
            evaluate_every: 16,
            on_policy: None,
        }
    }

    fn experiment(model: ModelSource, data: DataSource, stages: Vec<Stage>) -> Experiment {
        Experiment {
            name: "x-1".to_owned(),
            description: "two\nlines".to_owned(),
            seed: u64::MAX,
            model,
            lora: None,
            precision: Precision::F32,
            check_device: false,
            data,
            probes: Probes { prompts: 2, kinds: ProbeKind::ALL.to_vec(), ..Probes::default() },
            forces: Some(ForceSettings { prompts: 3, nodes: 1, tolerance: 0.5 }),
            stages,
            claims: vec!["S1".to_owned()],
            baseline: Some("sft".into()),
            detector: DetectorSettings::default(),
            output: Output { checkpoint_every: Some(4), snapshots_mb: 100, ..Output::default() },
        }
    }

    /// Experiments that together hold every variant.
    fn every_variant() -> Vec<Experiment> {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/pairs.jsonl");
        let new = NewModel {
            vocab_size: 1400,
            hidden_size: 192,
            intermediate_size: 512,
            layers: 3,
            heads: 6,
            max_positions: 128,
        };
        let new = || ModelSource::New(new.clone());
        let files = |held_out: Option<PathBuf>| {
            DataSource::Preferences(PreferenceFiles {
                train: file.clone(),
                max_length: held_out.as_ref().map(|_| 64),
                max_prompt_length: held_out.as_ref().map(|_| 32),
                chat_template: held_out.as_ref().map(|_| "{{ messages[0].content }}".to_owned()),
                held_out,
            })
        };
        let sft = |optimizer| stage(ObjectiveConfig::Sft, optimizer, Schedule::Cosine(0.1));
        let adam = OptimizerConfig::default();
        let on_policy = |objective: &str, replaces| Stage {
            on_policy: Some(OnPolicy { replaces, candidates: 2, ..OnPolicy::default() }),
            ..stage(ron::from_str(objective).unwrap(), adam, Schedule::Constant)
        };
        let mut preferences: Vec<Stage> =
            ObjectiveConfig::ALL.iter().map(|&objective| stage(objective, adam, Schedule::Constant)).collect();
        preferences.extend([Replaces::Rejected, Replaces::Both].map(|r| on_policy("sigmoid()", r)));
        let lab = |shape| Experiment {
            forces: None,
            ..experiment(
                ModelSource::Base,
                DataSource::Lab(LabSettings { shape, ..LabSettings::default() }),
                Vec::new(),
            )
        };
        let classifier = |model| Experiment {
            forces: None,
            probes: Probes { prompts: 10, ..Probes::default() },
            ..experiment(model, DataSource::Digits(DigitPictures::default()), vec![sft(adam)])
        };
        // The shipped model has every matrix.
        let frugal = Experiment {
            precision: Precision::Bf16,
            lora: Some(Lora { targets: Role::LINEAR.to_vec(), ..Lora::default() }),
            ..experiment(ModelSource::Base, DataSource::World(WorldTask::default()), vec![sft(adam)])
        };
        vec![
            experiment(ModelSource::Base, DataSource::World(WorldTask::default()), preferences),
            experiment(
                new(),
                DataSource::WorldDocuments(WorldDocuments::default()),
                vec![sft(OptimizerConfig::Rmsprop { alpha: 0.99 })],
            ),
            experiment(new(), files(None), vec![sft(OptimizerConfig::Sgd)]),
            experiment(new(), files(Some(file.clone())), vec![sft(OptimizerConfig::Sgd)]),
            classifier(ModelSource::Mlp(vec![64, 32])),
            classifier(ModelSource::Lenet),
            lab(LabShape::Uniform),
            lab(LabShape::Flat),
            lab(LabShape::Peaks(8)),
            lab(LabShape::OnePeak),
            frugal,
        ]
    }

    #[test]
    fn what_is_written_is_read_again() {
        for experiment in every_variant() {
            let text = experiment.to_ron().unwrap();
            assert_eq!(Experiment::parse(Path::new("x.ron"), &text, &[]).unwrap(), experiment, "{text}");
        }
    }

    #[test]
    fn probes_default_to_what_the_data_has() {
        let prompts = |data: &str, probes: &str| {
            let text = format!(
                "(name: \"x\", data: {data}, {probes} stages: [(name: \"S\", objective: sft, steps: 1, learning_rate: 1.0)])"
            );
            let parsed = Experiment::parse(Path::new("x.ron"), &text, &[]).map_err(|e| e.to_string());
            parsed.map(|experiment| experiment.probes.prompts)
        };
        let pairs = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/pairs.jsonl");
        let rows = std::fs::read_to_string(&pairs).unwrap().lines().count();
        let file = format!("preferences(train: {:?})", pairs.to_str().unwrap());
        assert!(rows < 64);
        assert_eq!(prompts(&file, ""), Ok(rows));
        assert_eq!(prompts(&file, "probes: (greedy: 2),"), Ok(rows));
        assert_eq!(prompts("world(train: 8, held_out: 4)", ""), Ok(8));
        assert_eq!(prompts("world()", ""), Ok(64));
        let error = prompts(&file, "probes: (prompts: 64),").unwrap_err();
        assert!(error.contains("64 prompts are to be observed, but there are"), "{error}");
    }

    /// Serde's fields and the table's are the same: what serde writes has a row, and every row is written.
    #[test]
    fn the_table_of_the_schema_is_complete() {
        let mut written = std::collections::BTreeSet::new();
        for experiment in every_variant() {
            let source = Source::new(Path::new("x.ron"), &experiment.to_ron().unwrap());
            let mut errors = Vec::new();
            let tree = source.scan().unwrap();
            check::check(&source, &tree, &EXPERIMENT, &mut errors);
            assert!(errors.is_empty(), "{errors:?}");
            names(&tree, &mut written);
        }
        // `jsonl` is `preferences` by its older name.
        written.extend(["folder", "file", "hub", "mnist", "jsonl"].map(str::to_owned));
        let mut known = std::collections::BTreeSet::new();
        rows(&EXPERIMENT, &mut known);
        assert_eq!(known, written);
    }

    fn names(node: &scan::Node, out: &mut std::collections::BTreeSet<String>) {
        match &node.kind {
            scan::Kind::Fields(fields) => {
                out.extend(fields.name.clone());
                for field in &fields.entries {
                    out.insert(field.name.clone());
                    names(&field.value, out);
                }
            }
            scan::Kind::Tuple(name, items) => {
                out.extend(name.clone());
                items.iter().for_each(|n| names(n, out));
            }
            scan::Kind::List(items) => items.iter().for_each(|n| names(n, out)),
            scan::Kind::Word(word) if !matches!(word.as_str(), "true" | "false" | "None") => {
                out.insert(word.clone());
            }
            _ => {}
        }
    }

    fn rows(ty: &schema::Type, out: &mut std::collections::BTreeSet<String>) {
        match ty {
            schema::Type::Struct(fields) => {
                for row in fields.iter().filter(|row| !row.ty.is_retired()) {
                    out.insert(row.name.to_owned());
                    rows(&row.ty, out);
                }
            }
            schema::Type::Enum(variants) => {
                for variant in *variants {
                    out.insert(variant.name.to_owned());
                    variant.payload.iter().for_each(|ty| rows(ty, out));
                }
            }
            schema::Type::List(item) | schema::Type::Optional(item) => rows(item, out),
            _ => {}
        }
    }

    #[test]
    fn a_variants_fields_may_have_parentheses_of_their_own() {
        let text = |data: &str| {
            format!("(name: \"x\", data: {data}, stages: [(name: \"S\", objective: sft, steps: 1, learning_rate: 1)])")
        };
        let plain = Experiment::parse(Path::new("x.ron"), &text("world(train: 99, held_out: 7)"), &[]).unwrap();
        for doubled in [
            "world((train: 99, held_out: 7))",
            "world( ( train: 99, held_out: 7, ) , )",
            "world((train: 99, held_out: 7,))",
        ] {
            assert_eq!(Experiment::parse(Path::new("x.ron"), &text(doubled), &[]).unwrap(), plain, "{doubled}");
        }
        let set = ["data=world((train: 99, held_out: 7))".to_owned()];
        assert_eq!(Experiment::parse(Path::new("x.ron"), &text("world()"), &set).unwrap(), plain);
        let error = Experiment::parse(Path::new("x.ron"), &text("world((train: 0))"), &[]).unwrap_err().to_string();
        assert!(error.starts_with("x.ron:1:33: data.train: 0 is too few"), "{error}");
    }

    #[test]
    fn preference_files_have_two_names() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/pairs.jsonl");
        let parse = |name: &str| {
            let text = format!(
                "(name: \"x\", data: {name}(train: {file:?}), probes: (prompts: 1), \
                 stages: [(name: \"S\", objective: sft, steps: 1, learning_rate: 1)])"
            );
            Experiment::parse(Path::new("x.ron"), &text, &[]).unwrap()
        };
        assert_eq!(parse("jsonl"), parse("preferences"));
    }

    #[test]
    fn embedded_experiments_are_valid_and_found_by_path_and_name() {
        for (name, text) in EMBEDDED {
            Experiment::parse(Path::new(name), text, &[]).unwrap();
            let path = Path::new(name);
            for spelling in [path, Path::new(path.file_stem().unwrap()), Path::new(path.file_name().unwrap())] {
                assert_eq!(embedded(spelling).map(|e| e.0), Some(name));
            }
        }
        assert_eq!(embedded(Path::new("elsewhere/sft.ron")), None);
    }

    /// Without the models and the data of experiments on real ones: the shipped model and two rows stand in for them.
    #[test]
    fn experiments_on_real_models_are_valid_but_for_what_they_do_not_bring() {
        let rows = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/pairs.jsonl");
        let set = |field: &str, value: &str| format!("{field}={value}");
        let file = format!("{:?}", rows.to_str().unwrap());
        for (name, text) in REAL {
            let stand_in = [
                set("model", "base"),
                set("data.train", &file),
                set("data.held_out", &file),
                set("probes.prompts", "1"),
                set("probes.greedy", "1"),
            ];
            let experiment = Experiment::parse(Path::new(name), text, &stand_in).unwrap();
            assert_eq!(Path::new(name).file_stem().unwrap().to_str(), Some(experiment.name.as_str()));
            assert!(text.contains("// What it needs: ") && text.contains("// What to look at: "), "{name}");
            let error = Experiment::parse(Path::new(name), text, &[]).unwrap_err();
            assert_eq!(error.exit_status(), 2);
            let error = error.to_string();
            for field in
                ["data.train: there is no file hh_train.jsonl", "data.held_out: there is no file hh_test.jsonl"]
            {
                assert!(error.contains(field), "{field}: {error}");
            }
            assert!(!error.contains("model"), "its name is one of the hub: {error}");
            assert!(embedded(Path::new(&experiment.name)).is_some());
        }
    }

    #[test]
    fn a_truncated_run_is_the_beginning_of_the_whole() {
        let mut experiment = every_variant().remove(0);
        experiment.truncate(25);
        assert_eq!(experiment.stages.iter().map(|s| s.steps).collect::<Vec<_>>(), [20, 5]);
        assert_eq!(experiment.stages[1].warmup_steps, 5);
        experiment.truncate(3);
        assert_eq!(experiment.stages.len(), 1);
        assert_eq!(experiment.total_steps(), 3);
    }
}

//! A first experiment for a model and data of one's own, with remarks: what `ldyn-tui new` writes.

use std::path::{Path, PathBuf};

use super::target::create;
use crate::data::{PreferenceData, Survey};
use crate::error::{Error, Result};
use crate::experiment::{Experiment, ModelSource, PreferenceFiles};
use crate::model::hub::HubId;
use crate::model::{Checkpoint, model_files};

/// Tokens of prompt and answer together, where the model reads more.
const LONGEST: usize = 512;
/// Pairs a step, where there are so many.
const PAIRS: usize = 8;
/// Optimiser steps of a stage, at most.
const MOST_STEPS: usize = 200;
/// Parameters from which on blocks are computed again instead of kept.
const LARGE: usize = 300_000_000;
/// Parameters from which on a low-rank change is trained in the place of the weights.
const HUGE: usize = 1_500_000_000;

/// What `model` names: a folder, a GGUF file, `base`, or a name on the hub.
///
/// # Errors
/// Wrong usage where it is none of them.
pub(crate) fn model_named(model: &Path) -> Result<ModelSource> {
    if model.is_dir() {
        return Ok(ModelSource::Folder(model.to_owned()));
    }
    if model.is_file() {
        return Ok(ModelSource::File(model.to_owned()));
    }
    match model.to_str() {
        Some("base") => Ok(ModelSource::Base),
        Some(name) if name.parse::<HubId>().is_ok() => Ok(ModelSource::Hub(name.to_owned())),
        _ => Err(Error::usage(format!(
            "--model {}: there is no such folder or file; name a Hugging Face folder, a GGUF file, base, or owner/name of \
             the hub",
            model.display()
        ))),
    }
}

/// Writes an experiment that fits a model and data: what fits is read off both. An existing file is left alone.
///
/// # Errors
/// When the model or the data cannot be read, or the file is there already.
pub(crate) fn write(file: &Path, model: &ModelSource, train: &Path, held_out: Option<&Path>) -> Result<()> {
    let text = compose(file, model, train, held_out)?;
    // What is written must be read.
    Experiment::parse(file, &text, &[])?;
    create(file, &text)
}

fn compose(file: &Path, model: &ModelSource, train: &Path, held_out: Option<&Path>) -> Result<String> {
    let files = PreferenceFiles {
        train: train.to_owned(),
        held_out: held_out.map(Path::to_owned),
        max_length: None,
        max_prompt_length: None,
        chat_template: None,
    };
    let data = PreferenceData::open(&files, model_files(model));
    let survey = data.survey(train)?;
    if let Some(held_out) = held_out {
        data.survey(held_out)?;
    }
    let checkpoint = Checkpoint::at_hand(model)?;
    let size = checkpoint.as_ref().map(|checkpoint| checkpoint.config.parameter_count());
    let positions = checkpoint.map(|checkpoint| checkpoint.config.max_position_embeddings);
    let longest = positions.map_or(LONGEST, |positions| positions.min(LONGEST)).max(2);
    let rows = survey.rows;
    Ok([
        heading(file, size, positions, survey)?,
        format!("    model: {},\n", spelled(model)?),
        format!(
            "    // Tokens: longer prompts lose their beginning, longer answers their end. `ldyn-tui check` says how many.\n    \
             data: preferences(train: {}{}, max_length: {longest}, max_prompt_length: {}),\n",
            quoted(train)?,
            held_out.map(quoted).transpose()?.map_or_else(String::new, |file| format!(", held_out: {file}")),
            longest / 2,
        ),
        format!(
            "    // Prompts that are watched; greedy answers cost most of an evaluation.\n    \
             probes: (prompts: {}, greedy: {}, max_new_tokens: 48),\n",
            rows.min(32),
            rows.min(8),
        ),
        if size.is_some_and(|size| size >= HUGE) {
            "    // A change of low rank is trained; take this out to train every weight.\n    \
             lora: (rank: 16, alpha: 32.0, targets: [query, key, value, output]),\n"
                .to_owned()
        } else {
            String::new()
        },
        stages(size, survey),
    ]
    .concat())
}

fn heading(file: &Path, size: Option<usize>, positions: Option<usize>, survey: Survey) -> Result<String> {
    #[allow(clippy::cast_precision_loss, reason = "rounded")]
    let model = match (size, positions) {
        (Some(size), Some(positions)) => {
            format!("a model of {:.1} M parameters that reads {positions} tokens", size as f64 / 1e6)
        }
        _ => "a model that is yet to be downloaded".to_owned(),
    };
    let pairs = if survey.unpaired.is_none() { "pairs" } else { "rows without rejected answers" };
    let name = name(file);
    Ok(format!(
        "// Written by `ldyn-tui new` for {model}, and {} {pairs}.\n//\n//     ldyn-tui check {file}      \
         what will be cut and dropped, and the memory that is needed\n//     ldyn-tui {file}            \
         train, and watch\n(\n    name: {},\n    seed: 0,\n",
        survey.rows,
        ron::to_string(&name).map_err(|e| Error::failed(e.to_string()))?,
        file = crate::text::Shown::new(&file.display().to_string()),
    ))
}

fn stages(size: Option<usize>, survey: Survey) -> String {
    let batch = survey.rows.min(PAIRS);
    let steps = survey.rows.div_ceil(batch.max(1)).clamp(1, MOST_STEPS);
    let every = steps.div_ceil(10);
    let frugal = if size.is_some_and(|size| size >= LARGE) {
        "\n            // Slower, and much less memory.\n            gradient_checkpointing: true,"
    } else {
        ""
    };
    let stage = |remark: &str, name: &str, objective: &str, rate: &str| {
        format!(
            "        // {remark}\n        (\n            name: \"{name}\",\n            objective: {objective},\n            \
             steps: {steps},\n            batch_size: {batch},{frugal}\n            learning_rate: {rate},\n            \
             max_grad_norm: 10.0,\n            evaluate_every: {every},\n        ),\n"
        )
    };
    let mut text =
        "    // A step sees batch_size rows; the steps of a stage go over the data once, up to 200 of them.\n    \
                    stages: [\n"
            .to_owned();
    text += &stage("Learns the chosen answers.", "SFT", "sft", "1e-5");
    if survey.unpaired.is_none() {
        text += &stage("Prefers them to the rejected ones: watch y⁺ and y*.", "DPO", "sigmoid(beta: 0.1)", "5e-6");
    } else {
        text += "        // Every row needs a `rejected` answer for DPO: objective: sigmoid(beta: 0.1).\n";
    }
    text + "    ],\n)\n"
}

/// The model as an experiment spells it.
fn spelled(model: &ModelSource) -> Result<String> {
    Ok(match model {
        ModelSource::Folder(path) => format!("folder({})", quoted(path)?),
        ModelSource::File(path) => format!("file({})", quoted(path)?),
        ModelSource::Hub(name) => format!("hub({})", quoted(Path::new(name))?),
        _ => "base".to_owned(),
    })
}

fn quoted(path: &Path) -> Result<String> {
    let text = path.to_str().ok_or_else(|| Error::usage(format!("{}: is not Unicode", path.display())))?;
    ron::to_string(text).map_err(|e| Error::failed(format!("{}: cannot be written as RON: {e}", path.display())))
}

/// A name for the experiment, of its file's.
fn name(file: &Path) -> String {
    let stem = file.file_stem().map_or_else(|| PathBuf::from("experiment"), PathBuf::from);
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '.') { c } else { '_' };
    let name: String = stem.to_string_lossy().chars().map(plain).take(80).collect();
    if name.starts_with(|c: char| c.is_ascii_alphanumeric()) { name } else { format!("x{name}") }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::path::Path;

    use super::{model_named, name, write};
    use crate::experiment::{DataSource, Experiment, ModelSource};

    #[test]
    fn what_is_written_fits_the_model_and_the_data() {
        let folder = tempfile::tempdir().unwrap();
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
        let (data, file) = (folder.path().join("four \"rows\".jsonl"), folder.path().join("my first.ron"));
        let row = |i: usize| format!("{{\"prompt\": \"q{i}\", \"chosen\": \"yes\", \"rejected\": \"no\"}}\n");
        std::fs::write(&data, (0..4).map(row).collect::<String>()).unwrap();
        let model = model_named(&golden.join("families/qwen2")).unwrap();
        write(&file, &model, &data, Some(&data)).unwrap();
        let experiment = Experiment::load(&file, &[]).unwrap();
        assert_eq!((experiment.name.as_str(), experiment.probes.prompts), ("my_first", 4));
        assert_eq!((experiment.stages.len(), experiment.stages[1].batch_size), (2, 4));
        assert_eq!(experiment.model, model);
        let DataSource::Preferences(files) = experiment.data else { panic!("files") };
        assert_eq!((files.max_length, files.train), (Some(64), data.clone()));
        assert!(std::fs::read_to_string(&file).unwrap().contains("reads 64 tokens, and 4 pairs."));
        let error = write(&file, &model, &data, None).unwrap_err();
        assert!(error.exit_status() == 2 && error.to_string().contains("is there already"), "{error}");
        // Without rejected answers there is nothing to prefer.
        std::fs::write(&data, "{\"prompt\": \"q\", \"chosen\": \"yes\"}\n").unwrap();
        let other = folder.path().join("sft.ron");
        write(&other, &ModelSource::Base, &data, None).unwrap();
        assert_eq!(Experiment::load(&other, &[]).unwrap().stages.len(), 1);
    }

    #[test]
    fn models_are_named_as_everywhere() {
        assert_eq!(model_named(Path::new("base")).unwrap(), ModelSource::Base);
        assert_eq!(
            model_named(Path::new("owner/some-model")).unwrap(),
            ModelSource::Hub("owner/some-model".to_owned())
        );
        assert_eq!(model_named(Path::new("no such/model/at all")).unwrap_err().exit_status(), 2);
    }

    #[test]
    fn names_are_plain() {
        let of = |file: &str| name(Path::new(file));
        assert_eq!([of("a/b c.ron"), of("ä.ron"), of("..")], ["b_c", "x_", "experiment"]);
    }
}

//! Foreign files that lie where a checkpoint is looked for, and cannot be read here: adapters, other tools' weights, parts of a
//! file, stand-ins for files that were not downloaded. Each is told by name, with the way out.

use std::path::Path;

use super::files::{INDEX, SINGLE, read_small, refuse};
use crate::data::pointer;
use crate::error::Result;

const LARGEST_CONFIG: u64 = 1 << 20;

/// The way out of other formats.
const CONVERT: &str =
    "convert it: in Python, AutoModelForCausalLM.from_pretrained(…).save_pretrained(…), and name the folder";

/// What is there in the place of what is looked for, and the way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Instead {
    /// What is there, as the end of a sentence about it.
    pub(crate) problem: String,
    /// The way out.
    pub(crate) advice: &'static str,
}

impl Instead {
    fn new(problem: String, advice: &'static str) -> Self {
        Self { problem, advice }
    }
}

/// What a folder holds in the place of a file that it lacks, if that is known.
pub(crate) fn instead_of(lacking: &str, folder: &Path) -> Option<Instead> {
    let has = |name: &str| folder.join(name).is_file();
    if has("adapter_config.json") {
        return Some(adapter(folder));
    }
    match lacking {
        "tokenizer.json" => {
            let older = ["tokenizer.model", "vocab.json"].into_iter().find(|name| has(name))?;
            let advice =
                "write one: in Python, AutoTokenizer.from_pretrained(…).save_pretrained(…) of a fast tokenizer";
            Some(Instead::new(format!("holds its tokenizer as {older}, and no tokenizer.json"), advice))
        }
        _ => weights(folder),
    }
}

/// Refuses a folder that holds something else in the place of what it lacks.
pub(super) fn refuse_instead_of(lacking: &str, folder: &Path) -> Result<()> {
    instead_of(lacking, folder).map_or(Ok(()), |Instead { problem, advice }| refuse(folder, problem, advice))
}

/// Refuses a folder in which an adapter lies beside whole weights: `transformers` would put it on another model, and to
/// leave it out silently would give the log-probs of a model that nobody trained.
pub(super) fn refuse_adapter_beside(folder: &Path) -> Result<()> {
    let has = |name: &str| folder.join(name).is_file();
    let adapts = has("adapter_config.json") && (has("adapter_model.safetensors") || has("adapter_model.bin"));
    if !adapts || !(has(SINGLE) || has(INDEX)) {
        return Ok(());
    }
    let advice = "if it is merged into the weights, remove adapter_config.json and adapter_model; otherwise merge it: in \
        Python, AutoPeftModelForCausalLM.from_pretrained(…).merge_and_unload().save_pretrained(…)";
    refuse(folder, "holds an adapter (PEFT) beside whole weights", advice)
}

/// Weights that are no safetensors.
fn weights(folder: &Path) -> Option<Instead> {
    let names = names(folder);
    let find = |known: &dyn Fn(&str) -> bool| names.iter().find(|name| known(name.as_str()));
    if let Some(name) = find(&|name| name.starts_with("pytorch_model")) {
        return Some(Instead::new(
            format!("holds its weights as {name}, which can run code when it is opened"),
            CONVERT,
        ));
    }
    if let Some(name) = find(&|name| name.ends_with(".gguf")) {
        return Some(Instead::new(
            format!("holds a GGUF file, {name}"),
            "name the file itself: model: file(\"….gguf\")",
        ));
    }
    if let Some(name) = find(&|name| name.starts_with("consolidated.")) {
        let advice = "name the same model in Hugging Face's format (config.json, tokenizer.json, model.safetensors)";
        return Some(Instead::new(format!("holds its weights as {name}, in their publisher's own format"), advice));
    }
    let of_others = [(".pt", "PyTorch"), (".pth", "PyTorch"), (".bin", "PyTorch"), (".h5", "TensorFlow")];
    let of_others = of_others.into_iter().chain([(".msgpack", "Flax"), (".onnx", "ONNX"), (".npz", "NumPy or MLX")]);
    of_others.into_iter().find_map(|(ending, tool)| {
        let name = find(&|name| name.ends_with(ending))?;
        Some(Instead::new(format!("holds {name}, a file of {tool}, and no model.safetensors"), CONVERT))
    })
}

/// Says what a file is that was named as a model, by its name and its first bytes.
pub(super) fn file(path: &Path) -> Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if name.ends_with(".safetensors") {
        return refuse(path, "holds weights and nothing else", "name its folder: model: folder(\"…\")");
    }
    if [".bin", ".pt", ".pth"].iter().any(|ending| name.ends_with(ending)) {
        return refuse(path, "is a file of PyTorch, which can run code when it is opened", CONVERT);
    }
    pointer::refuse(path)
}

/// Says that a GGUF file is one of several parts.
pub(super) fn part(path: &Path, parts: usize) -> Result<()> {
    if parts < 2 && !is_split(&path.file_name().unwrap_or_default().to_string_lossy()) {
        return Ok(());
    }
    let of = if parts < 2 { "several parts".to_owned() } else { format!("{parts} parts") };
    refuse(
        path,
        format!("is one of {of} of a GGUF file"),
        "join them with llama.cpp: llama-gguf-split --merge FIRST-PART WHOLE.gguf",
    )
}

fn adapter(folder: &Path) -> Instead {
    let base = || -> Option<String> {
        let bytes = read_small(&folder.join("adapter_config.json"), LARGEST_CONFIG).ok()?;
        let config: serde_json::Value = serde_json::from_slice(&bytes).ok()?;
        Some(config.get("base_model_name_or_path")?.as_str()?.to_owned())
    };
    let of = base().map_or_else(String::new, |base| format!(" of {base}"));
    let advice = "merge it into its model: in Python, \
        AutoPeftModelForCausalLM.from_pretrained(…).merge_and_unload().save_pretrained(…), and save the tokenizer there";
    Instead::new(format!("holds an adapter (PEFT){of}, not a model"), advice)
}

/// Whether a name is that of one part of several: `…-00001-of-00003.…`.
fn is_split(name: &str) -> bool {
    let digits = |text: &str| text.len() == 5 && text.bytes().all(|byte| byte.is_ascii_digit());
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    stem.rsplit_once("-of-").is_some_and(|(before, count)| {
        digits(count) && before.rsplit_once('-').is_some_and(|(_, number)| digits(number))
    })
}

/// The names of a folder's files, in order.
fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort_unstable();
    names
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::{is_split, refuse_adapter_beside};

    #[test]
    fn an_adapter_beside_whole_weights_is_not_left_out_silently() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str| std::fs::write(folder.path().join(name), "{}").unwrap();
        write("model.safetensors");
        write("adapter_config.json");
        assert!(refuse_adapter_beside(folder.path()).is_ok(), "what is left of one that was merged");
        write("adapter_model.safetensors");
        let error = refuse_adapter_beside(folder.path()).unwrap_err();
        assert!(error.to_string().contains("holds an adapter (PEFT) beside whole weights"), "{error}");
        assert_eq!(error.exit_status(), 2);
    }

    #[test]
    fn parts_are_told_by_their_names() {
        assert!(is_split("m-00001-of-00003.gguf") && is_split("pytorch_model-00002-of-00002.bin"));
        for whole in ["m.gguf", "best-of-00003.gguf", "m-1-of-3.gguf", "a-of-b", "-of-.gguf", "m-0000x-of-00003.gguf"] {
            assert!(!is_split(whole), "{whole}");
        }
    }
}

//! A checkpoint described in words.

use std::collections::BTreeMap;
use std::path::Path;

use super::Checkpoint;
use super::architecture::Scaling;
use super::architecture::{Activation, Architecture, Norm, Positions};
use super::gguf::Gguf;
use super::shards;
use super::tensors::TensorFiles;
use crate::backend::machine_memory;
use crate::error::{Error, Result};
use crate::text::{self, Shown};

/// Bytes of a trained number in single precision: itself, its gradient and Adam's two moments.
const TRAINED_NUMBER: u64 = 16;

/// A name and what there is to say.
pub type Fact = (&'static str, Shown);

/// The facts about a checkpoint in a folder or a GGUF file. One that cannot be trained is described as far as it can be
/// read, with the reason.
///
/// # Errors
/// When there is no sound list of tensors.
pub fn inspect(path: &Path) -> Result<Vec<Fact>> {
    let mut facts = vec![("model", Shown::new(&path.display().to_string()))];
    match Checkpoint::read(path).and_then(|checkpoint| checkpoint.check_numbers().map(|()| checkpoint)) {
        Ok(checkpoint) => {
            facts.extend(describe(&checkpoint));
            if let Some(files) = checkpoint.files() {
                facts.extend(storage(files));
            }
            facts.extend(training(&checkpoint.config));
        }
        Err(error) => {
            let Some(files) = list(path) else { return Err(error) };
            facts.extend(storage(&files));
            facts.push(("trainable", Shown::new(&format!("no: {}", first_line(&error)))));
        }
    }
    Ok(facts)
}

/// The tensors of a checkpoint that is otherwise not understood.
fn list(path: &Path) -> Option<TensorFiles> {
    if path.is_file() { Gguf::open(path.to_owned()).ok().map(|g| g.tensors) } else { shards::open(path).ok() }
}

fn first_line(error: &Error) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

fn describe(checkpoint: &Checkpoint) -> Vec<Fact> {
    let Checkpoint { config, tokenizer, .. } = checkpoint;
    let Architecture { layers, hidden_size, intermediate_size, heads, key_value_heads, head_size, .. } = *config;
    let norm = match config.norm {
        Norm::Rms => "RMS norms",
        Norm::Layer => "layer norms",
    };
    let activation = match config.activation {
        Activation::Silu => "SiLU",
        Activation::GeluErf => "GELU",
        Activation::GeluTanh => "GELU by tanh",
    };
    let order =
        if config.parallel_residual { "attention and feed-forward side by side" } else { "one after the other" };
    let mut extras = Vec::new();
    if config.query_key_value_bias {
        extras.push("biases");
    }
    if config.query_key_norm {
        extras.push("normalised queries and keys");
    }
    let extras = if extras.is_empty() { String::new() } else { format!(", {}", extras.join(", ")) };
    let token = |id: u32| format!("{:?} ({id})", tokenizer.token(id));
    let eos = tokenizer.eos().map_or_else(|| "none".to_owned(), token);
    let output = if config.tied_output { "the embedding" } else { "a matrix of its own" };
    let template = if checkpoint.chat_template().is_some() { "yes" } else { "no" };
    [
        ("family", checkpoint.family().to_owned()),
        ("parameters", grouped(config.parameter_count() as u64)),
        ("blocks", format!("{layers} of width {hidden_size}, {norm}, {order}")),
        ("attention", format!("{heads} heads of {head_size}, {key_value_heads} of keys and values{extras}")),
        (
            "feed-forward",
            format!("{intermediate_size} wide, {activation}{}", if config.gated { ", gated" } else { "" }),
        ),
        ("positions", positions(config)),
        ("vocabulary", format!("{} entries, output by {output}", grouped(config.vocab_size as u64))),
        ("tokenizer", format!("{} tokens", grouped(tokenizer.vocab_size() as u64))),
        ("special tokens", format!("ends with {eos}, pads with {}", token(tokenizer.pad()))),
        ("chat template", template.to_owned()),
    ]
    .map(|(name, fact)| (name, Shown::new(&fact)))
    .into()
}

fn positions(config: &Architecture) -> String {
    let longest = grouped(config.max_position_embeddings as u64);
    match &config.positions {
        Positions::Learned => format!("{longest}, learned"),
        Positions::Rotary(rotary) => {
            let stretch = match rotary.scaling {
                Scaling::None => String::new(),
                Scaling::Linear { factor } => format!(", stretched by {factor}"),
                Scaling::Llama3 { factor, original_positions, .. } => {
                    format!(", stretched by {factor} from {original_positions} as in Llama 3")
                }
            };
            format!("{longest}, rotary over {} of a head, θ = {}{stretch}", rotary.size, rotary.theta)
        }
    }
}

fn storage(files: &TensorFiles) -> Vec<Fact> {
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for entry in files.tensors.values() {
        *kinds.entry(entry.element.as_ref().map_or_else(String::as_str, |e| e.name())).or_default() += 1;
    }
    let kinds: Vec<String> = kinds.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    let bytes = files.tensors.values().map(|entry| entry.bytes).sum();
    let count = files.files.len();
    let stored = format!(
        "{} tensors ({}), {} in {count} file{}",
        files.tensors.len(),
        kinds.join(", "),
        text::bytes(bytes),
        if count == 1 { "" } else { "s" }
    );
    vec![("stored as", Shown::new(&stored))]
}

fn training(config: &Architecture) -> Vec<Fact> {
    let needed = config.parameter_count() as u64 * TRAINED_NUMBER;
    let memory = format!(
        "{} for weights, gradients and Adam's two moments in f32; activations come on top",
        text::bytes(needed)
    );
    let trainable = match machine_memory() {
        Some(total) if needed > total => format!("no: this machine has {} of memory", text::bytes(total)),
        Some(total) => format!("yes; this machine has {} of memory", text::bytes(total)),
        None => "yes, where there is memory for it".to_owned(),
    };
    vec![("memory to train", Shown::new(&memory)), ("trainable", Shown::new(&trainable))]
}

/// `1,234,567`
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::{grouped, inspect};
    use crate::model::family::tests::folder;

    #[test]
    fn a_checkpoint_is_described() {
        let said = |name: &str| -> Vec<String> {
            inspect(&folder().join(name)).unwrap().iter().map(|(name, fact)| format!("{name}: {fact}")).collect()
        };
        let neox = said("gpt_neox_parallel");
        for line in [
            "family: gpt_neox",
            "blocks: 2 of width 32, layer norms, attention and feed-forward side by side",
            "positions: 64, rotary over 2 of a head, θ = 10000",
            "vocabulary: 290 entries, output by a matrix of its own",
            "special tokens: ends with \"<eos>\" (0), pads with \"<pad>\" (1)",
            "chat template: no",
        ] {
            assert!(neox.iter().any(|l| l == line), "{line}: {neox:#?}");
        }
        let sharded = said("qwen2");
        assert!(sharded.iter().any(|l| l.starts_with("stored as: 26 tensors (26 F16)") && l.ends_with("in 2 files")));
        assert!(said("gpt2.gguf").iter().any(|l| l.starts_with("trainable: yes")));
    }

    #[test]
    fn what_cannot_be_trained_is_described_as_far_as_it_goes() {
        let copy = tempfile::tempdir().unwrap();
        for name in ["config.json", "tokenizer.json", "model.safetensors"] {
            std::fs::copy(folder().join("gpt2").join(name), copy.path().join(name)).unwrap();
        }
        let config = copy.path().join("config.json");
        let text = std::fs::read_to_string(&config).unwrap().replace("\"gpt2\"", "\"mamba\"");
        std::fs::write(&config, text).unwrap();
        let facts = inspect(copy.path()).unwrap();
        let (name, fact) = facts.last().unwrap();
        assert_eq!(*name, "trainable");
        assert!(fact.as_str().contains("model_type is 'mamba'"), "{fact}");
        assert_eq!(inspect(&copy.path().join("nothing")).unwrap_err().exit_status(), 2);
    }

    #[test]
    fn numbers_are_readable() {
        assert_eq!([0, 999, 1000, 134_515_008].map(grouped), ["0", "999", "1,000", "134,515,008"]);
    }
}

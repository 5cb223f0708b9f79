//! GGUF files (llama.cpp's): metadata, tokenizer and tensors in one, read as untrusted. The numbers are dequantised one
//! tensor at a time, so that any of them can be trained.

mod header;
pub(super) mod metadata;
pub(super) mod quant;
#[cfg(test)]
mod tests;
mod tokenizer;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use self::metadata::Metadata;
use super::architecture::{Rotary, Scaling};
use super::family::{FAMILIES, Family};
use super::tensors::{Blob, TensorFiles};
use crate::error::{Error, Result};

/// Holds how far Llama 3's rotary frequencies are stretched, pair by pair.
const ROPE_FACTORS: &str = "rope_freqs.weight";

/// A GGUF file, its header read.
#[derive(Debug)]
pub(super) struct Gguf {
    pub(super) metadata: Metadata,
    pub(super) tensors: TensorFiles,
}

impl Gguf {
    /// Reads the header.
    ///
    /// # Errors
    /// When the file cannot be read or its header is not sound.
    pub(super) fn open(path: PathBuf) -> Result<Self> {
        Self::read(&Blob::file(path))
    }

    fn read(blob: &Blob) -> Result<Self> {
        let (metadata, tensors) = header::read(blob)?;
        Ok(Self { metadata, tensors })
    }

    /// The family, and the `config.json` that the metadata amount to.
    ///
    /// # Errors
    /// When the architecture is not known here, or a field that it needs is missing or of another kind.
    pub(super) fn config(&self) -> Result<(&'static Family, serde_json::Map<String, Value>)> {
        let architecture = self.metadata.architecture();
        let family = FAMILIES.into_iter().find(|f| f.gguf.architecture == architecture).ok_or_else(|| {
            let known: Vec<&str> = FAMILIES.iter().map(|f| f.gguf.architecture).collect();
            self.metadata.error(
                format!("general.architecture is '{architecture}', and only {} can be trained here", known.join(", ")),
                "use a checkpoint of one of these families",
            )
        })?;
        let mut config = (family.gguf.config)(&self.metadata)?;
        let special = |name: &str| Ok::<_, Error>(self.metadata.special_token(name)?.map(Value::from));
        let shared = [
            ("architectures", Some(json!([family.class]))),
            ("model_type", Some(json!(family.model_type))),
            ("vocab_size", Some(json!(self.metadata.vocab_size()?))),
            ("tie_word_embeddings", Some(json!(!self.tensors.tensors.contains_key("output.weight")))),
            ("bos_token_id", special("bos")?),
            ("eos_token_id", self.ends()?),
            ("pad_token_id", special("padding")?),
            ("rope_scaling", self.rope_factors(&config)?),
        ];
        config.extend(shared.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
        Ok((family, config))
    }

    /// The tokens that end a text, a turn or a message: one, or a list of several.
    fn ends(&self) -> Result<Option<Value>> {
        let mut ends = Vec::new();
        for name in ["eos", "eot", "eom"] {
            ends.extend(self.metadata.special_token(name)?.filter(|id| !ends.contains(id)));
        }
        Ok(match ends[..] {
            [] => None,
            [only] => Some(only.into()),
            _ => Some(json!(ends)),
        })
    }

    /// The tokenizer's `tokenizer.json`.
    ///
    /// # Errors
    /// When the file has none, or one of a kind that is not known here.
    pub(super) fn tokenizer_json(&self) -> Result<Vec<u8>> {
        tokenizer::json(&self.metadata)
    }

    /// What Hugging Face keeps beside a tokenizer: its special tokens and the chat template.
    pub(super) fn tokenizer_config(&self) -> Value {
        tokenizer::config(&self.metadata)
    }

    /// The `rope_scaling` that the stored factors amount to, if they are Llama 3's.
    fn rope_factors(&self, config: &serde_json::Map<String, Value>) -> Result<Option<Value>> {
        if !self.tensors.tensors.contains_key(ROPE_FACTORS) {
            return Ok(None);
        }
        if config.get("rope_scaling").is_some_and(|other| !other.is_null()) {
            return Err(self.metadata.error(
                format!("stretches the rotary frequencies twice: by its metadata and by {ROPE_FACTORS}"),
                "only one of the two is known here",
            ));
        }
        let factors = self.tensors.read(ROPE_FACTORS)?;
        let theta = config.get("rope_theta").and_then(Value::as_f64).unwrap_or(10_000.0);
        let (factor, original) = llama3_scaling(&factors, theta).ok_or_else(|| {
            self.metadata.error(
                format!("{ROPE_FACTORS} stretches the rotary frequencies in an unknown way"),
                "only Llama 3's, with low_freq_factor 1 and high_freq_factor 4, is known here",
            )
        })?;
        Ok(Some(json!({
            "rope_type": "llama3",
            "factor": factor,
            "low_freq_factor": LOW,
            "high_freq_factor": HIGH,
            "original_max_position_embeddings": original,
        })))
    }
}

/// What Hugging Face keeps in a `tokenizer_config.json`, of a GGUF file.
///
/// # Errors
/// When the file cannot be read or its header is not sound.
pub(crate) fn tokenizer_config(path: &Path) -> Result<Value> {
    Ok(Gguf::open(path.to_owned())?.tokenizer_config())
}

/// Llama 3's bounds between slow, blended and fast frequencies.
const LOW: f64 = 1.0;
const HIGH: f64 = 4.0;

/// The factor and the original positions of which the stored stretch of every pair's frequency comes.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of positions, rounded")]
fn llama3_scaling(factors: &[f32], theta: f64) -> Option<(f64, u64)> {
    let of = |scaling| Rotary { size: 2 * factors.len(), theta, scaling }.frequencies();
    let plain = of(Scaling::None);
    let factor = f64::from(factors.iter().copied().fold(1.0, f32::max));
    // A blended pair tells where the bounds lie.
    let (frequency, blended) =
        plain.iter().zip(factors).map(|(w, f)| (w, f64::from(*f))).find(|(_, f)| *f > 1.001 && *f < 0.999 * factor)?;
    let kept = (blended.recip() - factor.recip()) / (1.0 - factor.recip());
    let original = ((LOW + kept * (HIGH - LOW)) * std::f64::consts::TAU / frequency).round();
    let stretched = of(Scaling::Llama3 { factor, low: LOW, high: HIGH, original_positions: original });
    let explained = plain
        .iter()
        .zip(stretched)
        .zip(factors)
        .all(|((plain, stretched), stored)| (plain / stretched / f64::from(*stored) - 1.0).abs() < 1e-3);
    (explained && (1.0..=1e9).contains(&original)).then_some((factor, original as u64))
}

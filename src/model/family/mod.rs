//! Model families: how `config.json` spells an [`Architecture`], and where in a file its parameters lie.
//!
//! A family is one file with one [`Family`], and a row in [`FAMILIES`].

mod config;
mod gpt2;
mod gpt_neox;
mod layout;
mod llama;
mod qwen;
mod rotary;
mod spelling;
#[cfg(test)]
pub(super) mod tests;

use std::path::Path;

use serde::Deserialize;

use self::config::Refusal;
pub(super) use self::spelling::{Family, Stored};
use super::architecture::Architecture;
use crate::error::Result;

/// Every family.
pub(super) const FAMILIES: [&Family; 5] = [&llama::LLAMA, &qwen::QWEN2, &qwen::QWEN3, &gpt_neox::GPT_NEOX, &gpt2::GPT2];

/// The family of new models.
pub(super) fn of_new_models() -> &'static Family {
    &llama::LLAMA
}

/// The family and the architecture that a `config.json` names; `file` is what errors call it.
///
/// # Errors
/// When the JSON is malformed, the family is unknown, sizes contradict each other, or a field asks for mathematics that
/// this program does not have.
pub(super) fn of_config(json: &[u8], file: &Path) -> Result<(&'static Family, Architecture)> {
    #[derive(Deserialize)]
    struct Header {
        model_type: String,
    }
    let refused = |refusal: Refusal| refusal.at(file);
    let Header { model_type } = serde_json::from_slice(json).map_err(|e| refused(e.into()))?;
    let family = FAMILIES.into_iter().find(|f| f.model_type == model_type).ok_or_else(|| {
        let known: Vec<&str> = FAMILIES.iter().map(|f| f.model_type).collect();
        let problem = format!("model_type is '{model_type}', and only {} can be trained here", known.join(", "));
        refused(Refusal::Unknown(problem, "use a checkpoint of one of these families"))
    })?;
    let architecture = (family.architecture)(json).map_err(refused)?;
    architecture.check().map_err(|e| refused(e.into()))?;
    Ok((family, architecture))
}

//! The model as chat data need it, without knowing models: where its files lie, and who reads its tokenizer's settings.

use std::path::{Path, PathBuf};

use crate::Result;
use crate::data::tokenizer::settings::Settings;

/// Reads what the small files of a model, a folder or a GGUF file, say of its tokenizer.
pub(crate) type ReadSettings = fn(&Path) -> Result<Settings>;

/// The files of a model, in which its chat template and its special tokens are.
#[derive(Debug, Clone)]
pub(crate) struct ModelFiles {
    /// The model's folder or GGUF file; `None` where it lies in no file.
    pub(crate) path: Option<PathBuf>,
    /// Whether the model is on the hub and not here yet, and its template with it.
    pub(crate) awaited: bool,
    /// Reads the settings of its tokenizer.
    pub(crate) settings: ReadSettings,
}

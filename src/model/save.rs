//! Writing a checkpoint as a Hugging Face folder, one tensor in memory at a time.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;

use half::f16;
use safetensors::{Dtype, View};

use super::checkpoint::{Checkpoint, Precision};
use super::family::Stored;
use crate::error::{Error, Result};

impl Checkpoint {
    /// Writes an ordinary Hugging Face folder: new models in half precision, others in single precision, since the steps
    /// of finetuning are smaller than what half precision resolves.
    ///
    /// # Errors
    /// When a file cannot be written, or a number does not fit.
    pub fn write(&self, folder: &Path) -> Result<()> {
        write(self, folder)
    }
}

/// Writes the folder.
fn write(checkpoint: &Checkpoint, folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|e| Error::writing(folder, &e))?;
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.join(name);
        // Some lie in a folder of their own.
        let made = path.parent().map_or(Ok(()), std::fs::create_dir_all);
        made.and_then(|()| std::fs::write(&path, bytes)).map_err(|e| Error::writing(&path, &e))
    };
    let mut config = checkpoint.config_json.clone();
    let precision = checkpoint.precision;
    let dtype = if precision == Precision::Half { "float16" } else { "float32" };
    // Newer files call it `dtype`; two names for two types would contradict each other.
    config.remove("dtype");
    config.insert("torch_dtype".to_owned(), dtype.into());
    let config = serde_json::to_vec_pretty(&config).map_err(|e| Error::failed(e.to_string()))?;
    write("config.json", &config)?;
    write("tokenizer.json", checkpoint.tokenizer.to_json()?.as_bytes())?;
    for (name, bytes) in &checkpoint.companions {
        write(name, bytes)?;
    }
    let numbers = checkpoint.numbers()?;
    let parameters = checkpoint.config.parameters();
    let parts: HashMap<_, &[f32]> =
        parameters.iter().map(|(parameter, _)| *parameter).zip(numbers.iter().map(Vec::as_slice)).collect();
    let mut tensors = Vec::new();
    for stored in checkpoint.family.tensors(&checkpoint.config) {
        let parts: Vec<&[f32]> = stored.holds.iter().filter_map(|p| parts.get(p).copied()).collect();
        if precision == Precision::Half
            && let Some(x) = parts.iter().copied().flatten().find(|x| x.abs() > f16::MAX.to_f32())
        {
            return Err(Error::failed(format!("{}: {x} does not fit into half precision", stored.name)));
        }
        tensors.push((stored.name.clone(), Written { stored, parts, precision }));
    }
    let path = folder.join("model.safetensors");
    let metadata = [("format".to_owned(), "pt".to_owned())].into();
    safetensors::serialize_to_file(tensors, Some(metadata), &path)
        .map_err(|e| Error::failed(format!("{}: cannot be written: {e}", path.display())))?;
    // The crate writes through a temporary file that is its owner's alone; it is to be as readable as its neighbours.
    let neighbour = std::fs::metadata(folder.join("config.json")).map_err(|e| Error::writing(&path, &e))?;
    std::fs::set_permissions(&path, neighbour.permissions()).map_err(|e| Error::writing(&path, &e))
}

/// One tensor on its way into a file.
struct Written<'a> {
    stored: Stored,
    parts: Vec<&'a [f32]>,
    precision: Precision,
}

impl View for Written<'_> {
    fn dtype(&self) -> Dtype {
        match self.precision {
            Precision::Half => Dtype::F16,
            Precision::Single => Dtype::F32,
        }
    }
    fn shape(&self) -> &[usize] {
        &self.stored.shape
    }
    fn data(&self) -> Cow<'_, [u8]> {
        let values = self.stored.pack(&self.parts);
        Cow::Owned(match self.precision {
            Precision::Half => values.into_iter().flat_map(|x| f16::from_f32(x).to_le_bytes()).collect(),
            Precision::Single => values.into_iter().flat_map(f32::to_le_bytes).collect(),
        })
    }
    fn data_len(&self) -> usize {
        let bytes = if self.precision == Precision::Half { 2 } else { 4 };
        self.parts.iter().map(|part| part.len() * bytes).sum()
    }
}

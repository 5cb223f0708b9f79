//! Checks of the model: whether it can be had, and fits the data.

use super::Findings;
use crate::experiment::{DataSource, Experiment, ModelSource, NewModel, near_file};
use crate::model::foreign::{self, Instead};
use crate::model::hub::HubId;

/// The 256 bytes and the special tokens, with something to merge.
const SMALLEST_VOCABULARY: usize = 300;

impl Findings<'_> {
    pub(super) fn model(&mut self, experiment: &Experiment) {
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
            ModelSource::Folder(folder) if !folder.exists() => {
                let advice = near_file(folder).map_or_else(
                    || "name a Hugging Face folder, relative to the working directory".to_owned(),
                    |near| format!("did you mean {near}?"),
                );
                self.add("model", format!("there is no folder {}", folder.display()), advice);
            }
            ModelSource::Folder(folder) => {
                let advice = "name a Hugging Face folder, relative to the working directory";
                let sharded = folder.join("model.safetensors.index.json").is_file();
                let weights = if sharded { "model.safetensors.index.json" } else { "model.safetensors" };
                let lacking = ["config.json", "tokenizer.json", weights].into_iter();
                let lacking: Vec<&str> = lacking.filter(|file| !folder.join(file).is_file()).collect();
                match lacking.iter().find_map(|file| foreign::instead_of(file, folder)) {
                    Some(Instead { problem, advice }) => {
                        self.add("model", format!("{} {problem}", folder.display()), advice)
                    }
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
}

//! Checks of adapters and precision: whether the model can be trained with them.

use super::Findings;
use crate::experiment::{DataSource, Experiment, Lora, ModelSource, Precision};
use crate::model::Checkpoint;
use crate::model::lora::{self, Mismatch};

/// Numbers in A's rows and B's columns at most, whatever the model.
const LARGEST_RANK: usize = 1 << 16;

impl Findings<'_> {
    pub(super) fn lora(&mut self, experiment: &Experiment) {
        let Some(lora) = &experiment.lora else { return };
        if !self.trains_language(experiment) {
            self.add("lora", "only a language model has matrices to adapt", "leave lora out");
            return;
        }
        if let ModelSource::New(_) = experiment.model {
            let advice = "leave lora out, or begin with a trained model: base, folder(…), file(…) or hub(…)";
            self.add(
                "lora",
                "a new model's weights are random, and adapters leave them as they are: it would never learn",
                advice,
            );
        }
        self.above_zero("lora.alpha", lora.alpha, "such as 16.0");
        if lora.targets.is_empty() {
            self.add("lora.targets", "nothing would be trained", "name one at least, such as [query, value]");
        }
        for (i, role) in lora.targets.iter().enumerate() {
            if lora.targets[..i].contains(role) {
                self.add(&format!("lora.targets[{i}]"), "is given twice", "keep one of them");
            }
        }
        if lora.rank == 0 || lora.rank > LARGEST_RANK {
            self.add("lora.rank", format!("{} is not a rank", lora.rank), "write a small one, such as 8");
        } else {
            self.fits(lora, &experiment.model);
        }
    }

    pub(super) fn precision(&mut self, experiment: &Experiment) {
        if experiment.precision != Precision::F32 && !self.trains_language(experiment) {
            self.add("precision", "only a language model's products can be rounded", "leave precision out");
        }
    }

    fn trains_language(&self, experiment: &Experiment) -> bool {
        !self.has_pictures && !matches!(experiment.data, DataSource::Lab(_))
    }

    /// Holds the adapters against the model, where it is here to be looked at; its own mistakes are told elsewhere.
    fn fits(&mut self, lora: &Lora, model: &ModelSource) {
        let Ok(Some(checkpoint)) = Checkpoint::at_hand(model) else { return };
        if let Err(Mismatch { setting, problem, advice }) = lora::check(lora, &checkpoint.config) {
            self.add(&format!("lora.{setting}"), problem, advice);
        }
    }
}

//! Low-rank adaptation (Hu et al. 2021, arXiv 2106.09685): y = x·Wᵀ + (alpha / rank)·(x·Aᵀ)·Bᵀ, where W is frozen and A
//! and B are trained. Nothing else is: no bias, no norm, no embedding.

use burn::module::Module;
use burn::tensor::backend::Backend;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::architecture::{Architecture, Parameter, Role};
use super::transformer::Transformer;
use crate::experiment::Lora;

/// The stream of the experiment's seed that A is drawn from; the others' numbers are small.
const STREAM: u64 = u64::MAX;

impl<B: Backend> Transformer<B> {
    /// Freezes every weight and puts an adapter beside the targets of every block. The model computes what it computed
    /// before; `check` says whether it has the targets.
    #[must_use]
    pub fn adapt(self, lora: &Lora, seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(STREAM);
        let mut model = self.no_grad();
        for (_, linear) in model.linears().filter(|(role, _)| lora.targets.contains(role)) {
            linear.adapt(lora, &mut rng);
        }
        model
    }
}

/// The targets of one block and their shapes `[out, in]`.
fn targets<'a>(
    lora: &'a Lora,
    architecture: &'a Architecture,
) -> impl Iterator<Item = (Role, Option<Vec<usize>>)> + 'a {
    lora.targets.iter().map(|&role| (role, architecture.shape(Parameter { layer: Some(0), role, bias: false })))
}

/// Numbers that are trained.
pub fn parameter_count(lora: &Lora, architecture: &Architecture) -> usize {
    let sides = targets(lora, architecture).filter_map(|(_, shape)| shape).map(|shape| shape.iter().sum::<usize>());
    architecture.layers * lora.rank * sides.sum::<usize>()
}

/// A setting that does not go with a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mismatch {
    /// The setting's path within `lora`.
    pub(crate) setting: String,
    /// What is wrong.
    pub(crate) problem: String,
    /// The way out.
    pub(crate) advice: String,
}

/// Whether a model of this architecture has every target, and each is larger than the rank.
///
/// # Errors
/// When it has not, or is not.
pub(crate) fn check(lora: &Lora, architecture: &Architecture) -> Result<(), Mismatch> {
    let spelled = |role: Role| format!("{role:?}").to_lowercase();
    for (i, (role, shape)) in targets(lora, architecture).enumerate() {
        let Some(shape) = shape else {
            let all = Role::LINEAR.into_iter().filter(|&role| {
                let parameter = Parameter { layer: Some(0), role, bias: false };
                architecture.shape(parameter).is_some()
            });
            let known: Vec<String> = all.map(spelled).collect();
            let problem = format!("the model has no `{}`", spelled(role));
            let advice = format!("it has {}", known.join(", "));
            return Err(Mismatch { setting: format!("targets[{i}]"), problem, advice });
        };
        let most = shape.into_iter().min().unwrap_or_default();
        if lora.rank > most {
            let problem =
                format!("the rank of `{}` is {most}, and its change cannot have rank {}", spelled(role), lora.rank);
            let advice = format!("write {most} or less, such as 8");
            return Err(Mismatch { setting: "rank".to_owned(), problem, advice });
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "lora_tests.rs"]
mod tests;

//! The parameters of a module as named arrays, and back. Names are paths in the module: `blocks.0.query.weight`.
//!
//! Of a model with adapters only those are kept: its other weights stay as the checkpoint has them.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};

use super::state::{Array, SavedState, TrainerState, bytes};
use crate::backend::floats;
use crate::error::{Error, Result};
use crate::model::Transformer;

/// Adds every parameter of a model that is trained to a state; `prefix` begins their names.
pub(super) fn save<B: Backend>(model: &Transformer<B>, prefix: &str, state: &mut TrainerState) {
    model.visit(&mut Save { path: vec![prefix.to_owned()], adapters: model.is_adapted(), state });
}

/// The model with the parameters of a saved state.
///
/// # Errors
/// When the state lacks one, or has it in another shape.
pub(super) fn load<B: Backend>(model: Transformer<B>, prefix: &str, state: &mut SavedState) -> Result<Transformer<B>> {
    let mut load = Load { path: vec![prefix.to_owned()], adapters: model.is_adapted(), state, error: None };
    let model = model.map(&mut load);
    load.error.map_or(Ok(model), Err)
}

/// Adds every number of a model to a checksum.
pub(super) fn hash<B: Backend>(model: &Transformer<B>, hasher: &mut crc32fast::Hasher) {
    model.visit(&mut Hash(hasher));
}

struct Hash<'a>(&'a mut crc32fast::Hasher);

impl<B: Backend> ModuleVisitor<B> for Hash<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        self.0.update(&bytes(&floats(param.val()), f32::to_le_bytes));
    }
}

/// Whether the parameter at this path is kept; with `adapters`, no other is.
fn is_kept(path: &[String], adapters: bool) -> bool {
    !adapters || path.iter().any(|name| name == "adapter")
}

/// The path of the parameter that is being visited.
macro_rules! follow_path {
    () => {
        fn enter_module(&mut self, name: &str, _container: &str) {
            self.path.push(name.to_owned());
        }

        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.path.pop();
        }
    };
}
pub(super) use follow_path;

struct Save<'a> {
    path: Vec<String>,
    adapters: bool,
    state: &'a mut TrainerState,
}

impl<B: Backend> ModuleVisitor<B> for Save<'_> {
    follow_path!();

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        if is_kept(&self.path, self.adapters) {
            self.state.add(self.path.join("."), Array::tensor(param.val()));
        }
    }
}

struct Load<'a> {
    path: Vec<String>,
    adapters: bool,
    state: &'a mut SavedState,
    error: Option<Error>,
}

impl<B: Backend> ModuleMapper<B> for Load<'_> {
    follow_path!();

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
        if !is_kept(&self.path, self.adapters) {
            return param;
        }
        let (id, tensor, mapper) = param.consume();
        let tensor = match saved_tensor(self.state, &self.path.join("."), tensor.dims(), &tensor.device()) {
            Ok(saved) => saved.set_require_grad(tensor.is_require_grad()),
            Err(error) => {
                self.error.get_or_insert(error);
                tensor
            }
        };
        Param::from_mapped_value(id, tensor, mapper)
    }
}

/// An array of a saved state as a tensor.
///
/// # Errors
/// When the state lacks it, or has it in another shape.
pub(super) fn saved_tensor<B: Backend, const D: usize>(
    state: &mut SavedState,
    name: &str,
    shape: [usize; D],
    device: &B::Device,
) -> Result<Tensor<B, D>> {
    Ok(Tensor::from_data(TensorData::new(state.f32(name, &shape)?, shape), device))
}

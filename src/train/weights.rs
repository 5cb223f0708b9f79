//! The parameters of a module as named arrays, and back. Names are paths in the module: `blocks.0.query.weight`.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};

use super::state::{Array, SavedState, TrainerState};
use crate::error::{Error, Result};

/// Adds every parameter of a module to a state; `prefix` begins their names.
pub(super) fn save<B: Backend, M: Module<B>>(module: &M, prefix: &str, state: &mut TrainerState) {
    module.visit(&mut Save { path: vec![prefix.to_owned()], state });
}

/// The module with the parameters of a saved state.
///
/// # Errors
/// When the state lacks one, or has it in another shape.
pub(super) fn load<B: Backend, M: Module<B>>(module: M, prefix: &str, state: &mut SavedState) -> Result<M> {
    let mut load = Load { path: vec![prefix.to_owned()], state, error: None };
    let module = module.map(&mut load);
    load.error.map_or(Ok(module), Err)
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
    state: &'a mut TrainerState,
}

impl<B: Backend> ModuleVisitor<B> for Save<'_> {
    follow_path!();

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        self.state.add(self.path.join("."), Array::tensor(param.val()));
    }
}

struct Load<'a> {
    path: Vec<String>,
    state: &'a mut SavedState,
    error: Option<Error>,
}

impl<B: Backend> ModuleMapper<B> for Load<'_> {
    follow_path!();

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
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

//! The parameters of a module as named arrays, and back. Names are paths in the module: `blocks.0.query.weight`.
//!
//! Of a model with adapters only those are kept: its other weights stay as the checkpoint has them.

use burn::module::{AutodiffModule, Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::adaptor::OptimizerAdaptor;
use burn::optim::record::AdaptorRecord;
use burn::optim::{
    AdamW, AdamWState, AdaptiveMomentumState, CenteredState, Optimizer as _, RmsProp, RmsPropState, Sgd, SgdState,
    SimpleOptimizer, SquareAvgState,
};
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{Tensor, TensorData};

use super::state::{Array, SavedState, TrainerState, bytes};
use crate::error::{Error, Result};
use crate::model::Transformer;
use crate::model::transformer::floats;

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

fn saved_tensor<B: Backend, const D: usize>(
    state: &mut SavedState,
    name: &str,
    shape: [usize; D],
    device: &B::Device,
) -> Result<Tensor<B, D>> {
    Ok(Tensor::from_data(TensorData::new(state.f32(name, &shape)?, shape), device))
}

/// What an optimiser remembers of a parameter, as named arrays, and back.
pub(super) trait Remembers<B: Backend>: SimpleOptimizer<B> {
    fn save<const D: usize>(memory: Self::State<D>) -> Vec<(&'static str, Array)>;

    /// `None` where nothing was remembered of the parameter `name`.
    fn load<const D: usize>(
        state: &mut SavedState,
        name: &str,
        shape: [usize; D],
        device: &B::Device,
    ) -> Result<Option<Self::State<D>>>;
}

impl<B: Backend> Remembers<B> for AdamW {
    fn save<const D: usize>(memory: Self::State<D>) -> Vec<(&'static str, Array)> {
        let AdaptiveMomentumState { time, moment_1, moment_2, .. } = memory.momentum;
        #[allow(clippy::cast_possible_truncation, reason = "steps are few")]
        let time = Array::u32(vec![time as u32]);
        vec![("time", time), ("moment_1", Array::tensor(moment_1)), ("moment_2", Array::tensor(moment_2))]
    }

    fn load<const D: usize>(
        state: &mut SavedState,
        name: &str,
        shape: [usize; D],
        device: &B::Device,
    ) -> Result<Option<Self::State<D>>> {
        if !state.has(&format!("{name}.time")) {
            return Ok(None);
        }
        let time = state.u32(&format!("{name}.time"), 1)?[0] as usize;
        let moment_1 = saved_tensor(state, &format!("{name}.moment_1"), shape, device)?;
        let moment_2 = saved_tensor(state, &format!("{name}.moment_2"), shape, device)?;
        Ok(Some(AdamWState::new(AdaptiveMomentumState::new(time, moment_1, moment_2))))
    }
}

impl<B: Backend> Remembers<B> for RmsProp {
    /// Neither centred nor with momentum, it remembers one average; burn keeps that twice.
    fn save<const D: usize>(memory: Self::State<D>) -> Vec<(&'static str, Array)> {
        vec![("square_avg", Array::tensor(memory.square_avg.square_avg))]
    }

    fn load<const D: usize>(
        state: &mut SavedState,
        name: &str,
        shape: [usize; D],
        device: &B::Device,
    ) -> Result<Option<Self::State<D>>> {
        let name = format!("{name}.square_avg");
        if !state.has(&name) {
            return Ok(None);
        }
        let average = saved_tensor::<B, D>(state, &name, shape, device)?;
        let centered = CenteredState::new(None, average.clone());
        Ok(Some(RmsPropState::new(SquareAvgState::new(average), centered, None)))
    }
}

impl<B: Backend> Remembers<B> for Sgd<B> {
    /// Without momentum it remembers nothing.
    fn save<const D: usize>(_: Self::State<D>) -> Vec<(&'static str, Array)> {
        Vec::new()
    }

    fn load<const D: usize>(
        _: &mut SavedState,
        _: &str,
        _: [usize; D],
        _: &B::Device,
    ) -> Result<Option<SgdState<B, D>>> {
        Ok(None)
    }
}

/// What an optimiser remembers, by parameter.
type Record<O, M, B> = <OptimizerAdaptor<O, M, B> as burn::optim::Optimizer<M, B>>::Record;

/// Adds what an optimiser remembers of every parameter of a module; `prefix` begins the names.
pub(super) fn save_optimizer<O, M, B>(
    optimizer: &OptimizerAdaptor<O, M, B>,
    module: &M,
    prefix: &str,
    state: &mut TrainerState,
) where
    O: Remembers<B::InnerBackend>,
    M: AutodiffModule<B>,
    B: AutodiffBackend,
{
    module.visit(&mut SaveMemory::<O, M, B> { path: vec![prefix.to_owned()], record: optimizer.to_record(), state });
}

/// A new optimiser with the memory of a saved state.
///
/// # Errors
/// When the state has it in another shape.
pub(super) fn load_optimizer<O, M, B>(
    optimizer: OptimizerAdaptor<O, M, B>,
    module: &M,
    prefix: &str,
    state: &mut SavedState,
) -> Result<OptimizerAdaptor<O, M, B>>
where
    O: Remembers<B::InnerBackend>,
    M: AutodiffModule<B>,
    B: AutodiffBackend,
{
    let record = optimizer.to_record();
    let mut load = LoadMemory::<O, M, B> { path: vec![prefix.to_owned()], record, state, error: None };
    module.visit(&mut load);
    match load.error {
        Some(error) => Err(error),
        None => Ok(optimizer.load_record(load.record)),
    }
}

struct SaveMemory<'a, O, M, B>
where
    O: SimpleOptimizer<B::InnerBackend>,
    M: AutodiffModule<B>,
    B: AutodiffBackend,
{
    path: Vec<String>,
    record: Record<O, M, B>,
    state: &'a mut TrainerState,
}

impl<O, M, B> ModuleVisitor<B> for SaveMemory<'_, O, M, B>
where
    O: Remembers<B::InnerBackend>,
    M: AutodiffModule<B>,
    B: AutodiffBackend,
{
    follow_path!();

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        if let Some(memory) = self.record.remove(&param.id) {
            for (what, array) in O::save::<D>(memory.into_state()) {
                self.state.add(format!("{}.{what}", self.path.join(".")), array);
            }
        }
    }
}

struct LoadMemory<'a, O, M, B>
where
    O: SimpleOptimizer<B::InnerBackend>,
    M: AutodiffModule<B>,
    B: AutodiffBackend,
{
    path: Vec<String>,
    record: Record<O, M, B>,
    state: &'a mut SavedState,
    error: Option<Error>,
}

impl<O, M, B> ModuleVisitor<B> for LoadMemory<'_, O, M, B>
where
    O: Remembers<B::InnerBackend>,
    M: AutodiffModule<B>,
    B: AutodiffBackend,
{
    follow_path!();

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        let tensor = param.val();
        match O::load(self.state, &self.path.join("."), tensor.dims(), &tensor.device()) {
            Ok(Some(memory)) => {
                self.record.insert(param.id, AdaptorRecord::from_state::<D>(memory));
            }
            Ok(None) => {}
            Err(error) => {
                self.error.get_or_insert(error);
            }
        }
    }
}

//! Optimisers by configuration: AdamW, RMSprop and SGD as in PyTorch, and what they remember of every parameter.
//!
//! burn's own go over the parameters a dozen times and ask for new memory each time; here one pass writes weights and
//! averages where they lie (see [`update`](super::update)).

use std::collections::HashMap;

use burn::module::{AutodiffModule, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use burn::tensor::backend::AutodiffBackend;

use super::direction::Direction;
use super::halves::Halves;
use super::parameter::{Memory, Moved, Parameter};
use super::state::{Array, SavedState, TrainerState};
use super::update::Rule;
use super::weights::{follow_path, saved_tensor};
use crate::error::{Error, Result};
use crate::experiment::OptimizerConfig;

/// An optimiser with its memory.
pub(super) struct Optimizer<B: AutodiffBackend> {
    rule: Rule,
    memory: HashMap<ParamId, Memory<Tensor<B::InnerBackend, 1>>>,
}

/// What moved the parameters since forces were last measured.
pub(super) type Trace<B> = HashMap<ParamId, Moved<Tensor<B, 1>>>;

/// The pull's part in the first moment, by its name in a saved state.
const PULLED: &str = "moment_1_pull";

impl<B: AutodiffBackend> Optimizer<B> {
    /// A fresh optimiser.
    pub(super) fn new(config: &OptimizerConfig) -> Self {
        Self { rule: Rule::new(config), memory: HashMap::new() }
    }

    /// Applies one update. Where nobody else holds the module, its weights are overwritten. With a `trace`, adds to it what
    /// moved them.
    pub(super) fn step<M: AutodiffModule<B>>(
        &mut self,
        learning_rate: f64,
        module: M,
        gradients: Halves<GradientsParams>,
        trace: Option<&mut Trace<B::InnerBackend>>,
    ) -> M {
        module.map(&mut Step { optimizer: self, learning_rate, gradients, trace })
    }

    /// What it does with a gradient.
    pub(super) fn rule(&self) -> Rule {
        self.rule
    }

    /// How far the latest update, at this rate, took every weight for each unit of its average of gradients.
    pub(super) fn reach<M: AutodiffModule<B>>(&self, module: &M, learning_rate: f64) -> Direction<B::InnerBackend> {
        self.of_each(module, |memory, zeros| self.rule.reach(memory, zeros, learning_rate))
    }

    /// The averages of gradients that the next update goes on from: nothing before the first, and where none are kept.
    pub(super) fn averages<M: AutodiffModule<B>>(&self, module: &M) -> Direction<B::InnerBackend> {
        self.of_each(module, |memory, zeros| match memory.averages.first() {
            Some(average) if self.rule.averages_gradients() => average.clone(),
            _ => zeros,
        })
    }

    /// Something of each parameter that was ever updated, made of what is remembered of it and as many zeros.
    fn of_each<M: AutodiffModule<B>>(
        &self,
        module: &M,
        of: impl Fn(&Memory<Numbers<B>>, Numbers<B>) -> Numbers<B>,
    ) -> Direction<B::InnerBackend> {
        let mut each = Each { optimizer: self, of, parts: Vec::new() };
        module.visit(&mut each);
        each.parts.into_iter().collect()
    }

    /// Adds what it remembers of the module's parameters to a state; with `halves`, of the halves of their gradients too.
    pub(super) fn save<M: AutodiffModule<B>>(&self, module: &M, prefix: &str, halves: bool, state: &mut TrainerState) {
        module.visit(&mut Save { path: vec![prefix.to_owned()], optimizer: self, halves, state });
    }

    /// This fresh optimiser with the memory of a saved state.
    ///
    /// # Errors
    /// When the state has it in another shape.
    pub(super) fn load<M: AutodiffModule<B>>(
        mut self,
        module: &M,
        prefix: &str,
        state: &mut SavedState,
    ) -> Result<Self> {
        let mut load = Load { path: vec![prefix.to_owned()], optimizer: &mut self, state, error: None };
        module.visit(&mut load);
        match load.error {
            Some(error) => Err(error),
            None => Ok(self),
        }
    }
}

/// A number for each of a parameter's.
type Numbers<B> = Tensor<<B as AutodiffBackend>::InnerBackend, 1>;

struct Each<'a, B: AutodiffBackend, F> {
    optimizer: &'a Optimizer<B>,
    of: F,
    parts: Vec<(ParamId, Numbers<B>)>,
}

impl<B: AutodiffBackend, F> ModuleVisitor<B> for Each<'_, B, F>
where
    F: Fn(&Memory<Numbers<B>>, Numbers<B>) -> Numbers<B>,
{
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        if let Some(memory) = self.optimizer.memory.get(&param.id) {
            let zeros = Tensor::zeros([param.shape().num_elements()], &param.val().device());
            self.parts.push((param.id, (self.of)(memory, zeros)));
        }
    }
}

struct Step<'a, B: AutodiffBackend> {
    optimizer: &'a mut Optimizer<B>,
    learning_rate: f64,
    gradients: Halves<GradientsParams>,
    trace: Option<&'a mut Trace<B::InnerBackend>>,
}

impl<B: AutodiffBackend> ModuleMapper<B> for Step<'_, B> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
        let (id, tensor, mapper) = param.consume();
        let Some(gradient) = self.gradients.remove::<B::InnerBackend, D>(id) else {
            return Param::from_mapped_value(id, tensor, mapper);
        };
        let (shape, learns, device) = (tensor.shape(), tensor.is_require_grad(), tensor.device());
        let numbers = shape.num_elements();
        let zeros = || Tensor::zeros([numbers], &device);
        let Optimizer { rule, memory } = &mut *self.optimizer;
        let mut memory_of_it = memory.remove(&id).unwrap_or_else(|| Memory {
            time: 0,
            averages: rule.averages().iter().map(|_| zeros()).collect(),
            pulled: None,
        });
        let moved = self.trace.as_mut().map(|trace| {
            if rule.averages_gradients() && gradient.push.is_some() {
                memory_of_it.pulled.get_or_insert_with(zeros);
            }
            trace.remove(&id).unwrap_or_else(|| Moved {
                halves: Halves { pull: zeros(), push: gradient.push.as_ref().map(|_| zeros()) },
                decay: rule.decays().then(zeros),
            })
        });
        let weight = tensor.inner().reshape([numbers]);
        let parameter = Parameter { weight, memory: memory_of_it, moved };
        let gradient = gradient.map(|half| half.reshape([numbers]));
        let Parameter { weight, memory: remembered, moved } = rule.apply(parameter, gradient, self.learning_rate);
        memory.insert(id, remembered);
        if let (Some(trace), Some(moved)) = (&mut self.trace, moved) {
            trace.insert(id, moved);
        }
        let tensor = Tensor::from_inner(weight.reshape(shape)).set_require_grad(learns);
        Param::from_mapped_value(id, tensor, mapper)
    }
}

struct Save<'a, B: AutodiffBackend> {
    path: Vec<String>,
    optimizer: &'a Optimizer<B>,
    halves: bool,
    state: &'a mut TrainerState,
}

impl<B: AutodiffBackend> ModuleVisitor<B> for Save<'_, B> {
    follow_path!();

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        let Optimizer { rule, memory } = self.optimizer;
        let Some(memory) = memory.get(&param.id) else { return };
        let name = self.path.join(".");
        if rule.counts() {
            self.state.add(format!("{name}.time"), Array::u32(vec![memory.time]));
        }
        let pulled = memory.pulled.iter().filter(|_| self.halves);
        let averages = rule.averages().iter().zip(&memory.averages).chain(pulled.map(|m| (&PULLED, m)));
        for (what, average) in averages {
            let shaped: Tensor<_, D> = average.clone().reshape(param.shape());
            self.state.add(format!("{name}.{what}"), Array::tensor(shaped));
        }
    }
}

struct Load<'a, B: AutodiffBackend> {
    path: Vec<String>,
    optimizer: &'a mut Optimizer<B>,
    state: &'a mut SavedState,
    error: Option<Error>,
}

impl<B: AutodiffBackend> Load<'_, B> {
    /// What the state holds of the parameter `name`; `None` where nothing was remembered.
    fn memory<const D: usize>(
        &mut self,
        name: &str,
        parameter: &Tensor<B, D>,
    ) -> Result<Option<Memory<Tensor<B::InnerBackend, 1>>>> {
        let rule = &self.optimizer.rule;
        if !rule.averages().first().is_some_and(|what| self.state.has(&format!("{name}.{what}"))) {
            return Ok(None);
        }
        let followed = self.state.has(&format!("{name}.{PULLED}"));
        let time = if rule.counts() { self.state.u32(&format!("{name}.time"), 1)?[0] } else { 0 };
        let (shape, device) = (parameter.dims(), parameter.device());
        let mut read = |what: &str| {
            let saved: Tensor<_, D> = saved_tensor(self.state, &format!("{name}.{what}"), shape, &device)?;
            Ok(saved.reshape([shape.iter().product::<usize>()]))
        };
        let averages = rule.averages().iter().map(|what| read(what)).collect::<Result<_>>()?;
        let pulled = if followed { Some(read(PULLED)?) } else { None };
        Ok(Some(Memory { time, averages, pulled }))
    }
}

impl<B: AutodiffBackend> ModuleVisitor<B> for Load<'_, B> {
    follow_path!();

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        match self.memory(&self.path.join("."), &param.val()) {
            Ok(Some(memory)) => {
                self.optimizer.memory.insert(param.id, memory);
            }
            Ok(None) => {}
            Err(error) => {
                self.error.get_or_insert(error);
            }
        }
    }
}

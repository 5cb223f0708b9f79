//! The two halves of a gradient: what pulls the chosen answers up, and what pushes the rejected ones down. They are made
//! apart and summed where they are used, whether or not anybody asks which of them moved what, so that asking does not
//! change the training.

use burn::module::ParamId;
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use burn::tensor::backend::{AutodiffBackend, Backend};

use super::backprop::Accumulator;
use super::beside::both;

/// Something that there is of each half of a gradient.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Halves<T> {
    /// The half of the chosen answers' part in the loss.
    pub(super) pull: T,
    /// The half of the rejected answers' part; absent where the objective reads none.
    pub(super) push: Option<T>,
}

impl<T> Halves<T> {
    /// The whole is the pull.
    pub(super) fn whole(pull: T) -> Self {
        Self { pull, push: None }
    }

    /// The same of both.
    pub(super) fn map<U>(self, mut f: impl FnMut(T) -> U) -> Halves<U> {
        Halves { pull: f(self.pull), push: self.push.map(f) }
    }

    /// The same of both, side by side.
    pub(super) fn map_beside<U: Send>(self, f: impl Fn(T) -> U + Sync) -> Halves<U>
    where
        T: Send,
    {
        match self.push {
            None => Halves::whole(f(self.pull)),
            Some(push) => {
                let (pull, push) = both(|| f(self.pull), || f(push));
                Halves { pull, push: Some(push) }
            }
        }
    }

    /// Each with the other's.
    pub(super) fn zip<U>(self, other: Halves<U>) -> Halves<(T, U)> {
        Halves { pull: (self.pull, other.pull), push: self.push.zip(other.push) }
    }

    /// Both, to be changed.
    pub(super) fn each_mut(&mut self) -> Halves<&mut T> {
        Halves { pull: &mut self.pull, push: self.push.as_mut() }
    }
}

impl<B: Backend, const D: usize> Halves<Tensor<B, D>> {
    /// The whole.
    pub(super) fn sum(self) -> Tensor<B, D> {
        match self.push {
            None => self.pull,
            Some(push) => self.pull + push,
        }
    }
}

impl Halves<GradientsParams> {
    /// The gradient of one parameter, taken out; `None` where it has none.
    pub(super) fn remove<B: Backend, const D: usize>(&mut self, id: ParamId) -> Option<Halves<Tensor<B, D>>> {
        let pull = self.pull.remove::<B, D>(id);
        let push = self.push.as_mut().and_then(|push| push.remove::<B, D>(id));
        match (pull, push) {
            (Some(pull), push) => Some(Halves { pull, push }),
            (None, Some(push)) => Some(Halves { pull: push.zeros_like(), push: Some(push) }),
            (None, None) => None,
        }
    }

    /// Puts the gradient of one parameter back.
    pub(super) fn register<B: Backend, const D: usize>(&mut self, id: ParamId, gradient: Halves<Tensor<B, D>>) {
        self.pull.register(id, gradient.pull);
        if let (Some(all), Some(push)) = (&mut self.push, gradient.push) {
            all.register(id, push);
        }
    }
}

impl<B: AutodiffBackend> Halves<Accumulator<B>> {
    /// Sums of nothing yet; with `push`, of both halves.
    pub(super) fn accumulators(push: bool) -> Self {
        Self { pull: Accumulator::new(), push: push.then(Accumulator::new) }
    }

    /// The sums.
    pub(super) fn grads(self) -> Halves<GradientsParams> {
        self.map(|mut sum| sum.grads())
    }
}

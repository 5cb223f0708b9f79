//! One parameter with all that an optimiser keeps of it, in whatever form its numbers are: as tensors, as numbers in this
//! machine's memory, as a chunk of those.

use super::halves::Halves;

/// What is remembered of a parameter. Every entry has one number for each of the parameter's.
#[derive(Debug, Clone)]
pub(super) struct Memory<T> {
    /// Updates so far.
    pub(super) time: u32,
    /// Moving averages, in the order of [`Rule::averages`](super::update::Rule::averages).
    pub(super) averages: Vec<T>,
    /// The pull's part in the first average of the gradients. Kept where forces are measured, both halves are there and
    /// the rule averages gradients; the push's part is what is left.
    pub(super) pulled: Option<T>,
}

/// What moved a parameter since forces were last measured, number by number: the updates are linear in the gradients, once
/// their scale is known, so that they are a sum of parts.
#[derive(Debug, Clone)]
pub(super) struct Moved<T> {
    /// What each half of the gradients did.
    pub(super) halves: Halves<T>,
    /// What weight decay did; absent without any.
    pub(super) decay: Option<T>,
}

/// A parameter, its memory, and what moved it, where that is followed.
#[derive(Debug, Clone)]
pub(super) struct Parameter<T> {
    pub(super) weight: T,
    pub(super) memory: Memory<T>,
    pub(super) moved: Option<Moved<T>>,
}

impl<T> Moved<T> {
    /// The same of every part.
    pub(super) fn map<U>(self, mut f: impl FnMut(T) -> U) -> Moved<U> {
        Moved { halves: self.halves.map(&mut f), decay: self.decay.map(f) }
    }
}

impl<T> Parameter<T> {
    /// The same of everything.
    pub(super) fn map<U>(self, mut f: impl FnMut(T) -> U) -> Parameter<U> {
        let Memory { time, averages, pulled } = self.memory;
        Parameter {
            weight: f(self.weight),
            memory: Memory { time, averages: averages.into_iter().map(&mut f).collect(), pulled: pulled.map(&mut f) },
            moved: self.moved.map(|moved| moved.map(f)),
        }
    }

    /// The same of everything, where it lies.
    pub(super) fn each_mut(&mut self) -> Parameter<&mut T> {
        let Memory { time, averages, pulled } = &mut self.memory;
        Parameter {
            weight: &mut self.weight,
            memory: Memory { time: *time, averages: averages.iter_mut().collect(), pulled: pulled.as_mut() },
            moved: self.moved.as_mut().map(|moved| Moved {
                halves: Halves { pull: &mut moved.halves.pull, push: moved.halves.push.as_mut() },
                decay: moved.decay.as_mut(),
            }),
        }
    }
}

/// A chunk of a parameter's numbers and of its gradient.
pub(super) type Chunk<'a> = (Parameter<&'a mut [f32]>, Halves<&'a [f32]>);

/// Numbers that lie in this machine's memory, chunk by chunk; `None` where they are not equally many.
pub(super) fn chunks<'a>(
    mut parameter: Parameter<&'a mut [f32]>,
    mut gradient: Halves<&'a [f32]>,
    size: usize,
) -> Option<Vec<Chunk<'a>>> {
    let numbers = parameter.weight.len();
    let mut fits = gradient.pull.len() == numbers && gradient.push.is_none_or(|push| push.len() == numbers);
    parameter.each_mut().map(|slice| fits &= slice.len() == numbers);
    let mut chunks = Vec::with_capacity(numbers.div_ceil(size));
    while fits && !parameter.weight.is_empty() {
        let taken = size.min(parameter.weight.len());
        let part = parameter.each_mut().map(|rest| {
            let (head, tail) = std::mem::take(rest).split_at_mut(taken);
            *rest = tail;
            head
        });
        let of_gradient = gradient.clone().map(|rest| &rest[..taken]);
        gradient = gradient.map(|rest| &rest[taken..]);
        chunks.push((part, of_gradient));
    }
    fits.then_some(chunks)
}

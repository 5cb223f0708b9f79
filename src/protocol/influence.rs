//! Who did it: the change of an observed answer in a window of steps, example by example.

use super::kinds::ProbeKind;

/// What is asked: which answer moved, in which steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Question {
    /// The kind of answer.
    pub kind: ProbeKind,
    /// Index of its prompt; absent for the mean over the prompts that have such an answer.
    pub prompt: Option<usize>,
    /// Optimiser steps taken before the window.
    pub since: u64,
    /// Optimiser steps taken at its end.
    pub until: u64,
}

/// The change of the log-prob of an observed answer in a window of steps, by whose learning moved it, nats: the examples'
/// contributions, `carried`, `decay` and the residual add up to `measured`.
///
/// An update is linear in the gradients of its examples, once the second moment is known, and log π moves by
/// ∫⟨∇log π, θ′⟩ds along the weights' way. So each example of each step has a share of the change, through that step's
/// update and, by way of the momentum, through those after it.
#[derive(Debug, Clone, PartialEq)]
pub struct Influence {
    /// What was asked.
    pub question: Question,
    /// Name of the stage.
    pub stage: String,
    /// How many answers `measured` is the mean of.
    pub answers: usize,
    /// The change that was measured.
    pub measured: f64,
    /// What came in with the momentum: what examples before the window did in it.
    pub carried: f64,
    /// What weight decay did.
    pub decay: f64,
    /// The training examples that were learnt in the window, the strongest first.
    pub examples: Vec<Contribution>,
}

/// What the learning of one training example did in a window, nats.
#[derive(Debug, Clone, PartialEq)]
pub struct Contribution {
    /// Index of the example in the training data, as it was trained on.
    pub example: usize,
    /// How often it was learnt in the window.
    pub times: usize,
    /// Whether its prompt is that of the observed answer.
    pub own: bool,
    /// Whether the observed answer is its y⁺: the observed answer is this example's, whatever it is asked after.
    pub same_answer: bool,
    /// What the learning of its y⁺ did.
    pub pull: f64,
    /// What the learning of its y⁻ did; 0 where the objective reads none.
    pub push: f64,
    /// Its raw prompt.
    pub prompt: String,
    /// Its raw y⁺.
    pub chosen: String,
    /// Its raw y⁻, where it was read.
    pub rejected: Option<String>,
}

impl Contribution {
    /// What the example did in all.
    pub fn net(&self) -> f64 {
        self.pull + self.push
    }

    /// How much it did, whichever way: where its two halves nearly cancel, both count.
    pub fn strength(&self) -> f64 {
        self.pull.abs().max(self.push.abs()).max(self.net().abs())
    }
}

impl Influence {
    /// What the learning of y⁺, and that of y⁻, did over all examples.
    pub fn sums(&self) -> (f64, f64) {
        self.examples.iter().fold((0.0, 0.0), |(pull, push), c| (pull + c.pull, push + c.push))
    }

    /// What the parts leave unexplained.
    pub fn residual(&self) -> f64 {
        let (pull, push) = self.sums();
        self.measured - pull - push - self.carried - self.decay
    }
}

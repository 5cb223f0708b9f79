//! The measurement of a classifier: how often it is right, what it says of a few held-out pictures of every class, how
//! alike it finds the classes, and what learning from one class has done to the others.

use std::collections::BTreeSet;

use burn::module::AutodiffModule as _;
use burn::tensor::backend::{AutodiffBackend, Backend};

use super::entk::{Belief, Gradients, Kernel, jacobian};
use crate::backend::floats;
use crate::data::Pictures;
use crate::data::pictures::CLASSES;
use crate::error::{Error, Result};
use crate::model::Classifier;
use crate::model::classifier::pictures;
use crate::protocol::ClassReading;

/// Classes.
const V: usize = CLASSES.len();
/// Pictures in a forward pass that only counts right answers.
const ROWS_AT_ONCE: usize = 512;

/// A number for every ordered pair of classes, row-major.
type Matrix = Vec<f64>;

/// Observes some held-out pictures of every class, and remembers what learning has done to them.
#[derive(Debug)]
pub struct ClassObserver {
    pictures: Pictures,
    /// The observed pictures, class by class.
    observed: Vec<usize>,
    /// The classes of the observed pictures.
    classes: Vec<usize>,
    /// How many there are of a class.
    per_class: f64,
    /// One step in so many is examined, and stands for all of them.
    every: u64,
    influence: Matrix,
    influence_on_label: Matrix,
    predicted: Matrix,
}

/// What the examples of one batch would do to the beliefs about the observed pictures, for a learning rate of one: for
/// every class that was learnt from (u), every observed class (o) and every answer (v), the change of log π(v | x_o).
#[derive(Debug, Clone, PartialEq)]
pub struct Contributions(Vec<f64>);

impl Contributions {
    fn at(u: usize, o: usize, v: usize) -> usize {
        (u * V + o) * V + v
    }

    /// The change of log π(v | x_o) by the pictures of class u.
    pub fn get(&self, u: usize, o: usize, v: usize) -> f64 {
        self.0[Self::at(u, o, v)]
    }
}

impl ClassObserver {
    /// Observes `per_class` pictures of each class, and counts right answers over all of `pictures`.
    ///
    /// # Errors
    /// Wrong usage, if there are not so many pictures of each class.
    #[allow(clippy::cast_precision_loss, reason = "a few pictures")]
    pub fn new(pictures: Pictures, per_class: usize, every: u64) -> Result<Self> {
        let observed = pictures.first_of_each(per_class);
        let classes = pictures.labels_of(&observed);
        if observed.len() < per_class * V {
            let distinct: BTreeSet<&usize> = classes.iter().collect();
            return Err(Error::usage(format!(
                "the held-out pictures do not have {per_class} of each of the {V} classes ({} classes occur): lower \
                 probes.prompts, or give more data.held_out",
                distinct.len()
            )));
        }
        let zeros = || vec![0.0; V * V];
        Ok(Self {
            pictures,
            observed,
            classes,
            per_class: per_class as f64,
            every: every.max(1),
            influence: zeros(),
            influence_on_label: zeros(),
            predicted: zeros(),
        })
    }

    /// Whether the step, counted from 1, is examined.
    pub fn examines(&self, step: u64) -> bool {
        step % self.every == 1 % self.every
    }

    /// What a batch would do, at the current weights. `batch` holds the gradient of each example's part in the loss, and
    /// the example's class, slice by slice.
    pub fn contributions<B: AutodiffBackend>(
        &self,
        model: &Classifier<B>,
        batch: &[(Gradients<B::InnerBackend>, Vec<usize>)],
    ) -> Contributions {
        let (beliefs, jacobian) = self.look::<B>(model);
        let mut contributions = vec![0.0; V * V * V];
        for (gradients, labels) in batch {
            let kernel = jacobian.kernel(gradients);
            for (o, belief) in beliefs.iter().enumerate() {
                for u in labels.iter().collect::<BTreeSet<_>>() {
                    let of_class = || labels.iter().enumerate().filter(|(_, label)| *label == u).map(|(i, _)| i);
                    // K·G, summed over the examples of the class.
                    let change: Vec<f64> =
                        (0..V).map(|v| of_class().map(|i| kernel.get((o, v), (i, 0))).sum::<f64>()).collect();
                    for (v, change) in belief.adapt(&change).into_iter().enumerate() {
                        contributions[Contributions::at(*u, self.classes[o], v)] -= change / self.per_class;
                    }
                }
            }
        }
        Contributions(contributions)
    }

    /// Accumulates what a step did that was taken at this learning rate (times the factor by which the gradient was
    /// clipped).
    #[allow(clippy::cast_precision_loss, reason = "a few steps")]
    pub fn accumulate(&mut self, contributions: &Contributions, learning_rate: f64) {
        let weight = learning_rate * self.every as f64;
        for u in 0..V {
            for o in 0..V {
                self.influence[u * V + o] += weight * contributions.get(u, o, u);
                self.influence_on_label[u * V + o] += weight * contributions.get(u, o, o);
                for v in 0..V {
                    self.predicted[o * V + v] += weight * contributions.get(u, o, v);
                }
            }
        }
    }

    /// Measures everything at the current weights.
    ///
    /// # Errors
    /// When what the model says is no longer a number.
    pub fn measure<B: AutodiffBackend>(
        &mut self,
        model: &Classifier<B>,
        step: u64,
        stage: usize,
    ) -> Result<ClassReading> {
        let (beliefs, jacobian) = self.look::<B>(model);
        if beliefs.iter().any(|belief| belief.log_probs.iter().any(|x| !x.is_finite())) {
            return Err(Error::failed(format!(
                "what the model says of a picture is not a number at step {step}: lower the stage's learning_rate"
            )));
        }
        let mut log_probs = vec![0.0; V * V];
        let (mut residual, mut adaptation) = (vec![0.0; V], vec![0.0; V]);
        for (belief, &o) in beliefs.iter().zip(&self.classes) {
            for (v, log_prob) in belief.log_probs.iter().enumerate() {
                log_probs[o * V + v] += log_prob / self.per_class;
            }
            residual[o] += belief.residual_norm(o) / self.per_class;
            adaptation[o] += belief.adaptation_norm() / self.per_class;
        }
        let predicted = std::mem::replace(&mut self.predicted, vec![0.0; V * V]);
        Ok(ClassReading {
            step,
            stage,
            accuracy: self.accuracy(&model.valid()),
            log_probs: single(&log_probs),
            influence: single(&self.influence),
            influence_on_label: single(&self.influence_on_label),
            kernel: single(&self.kernel_norms(&jacobian.kernel(&jacobian))),
            residual: single(&residual),
            adaptation: single(&adaptation),
            predicted: single(&predicted),
            examined_every: self.every,
        })
    }

    /// The beliefs about the observed pictures, and their Jacobian.
    fn look<B: AutodiffBackend>(&self, model: &Classifier<B>) -> (Vec<Belief>, Gradients<B::InnerBackend>) {
        jacobian(model, pictures(self.pictures.ink(&self.observed), &model.device()))
    }

    /// Share of right answers.
    #[allow(clippy::cast_precision_loss, reason = "thousands of pictures")]
    fn accuracy<B: Backend>(&self, model: &Classifier<B>) -> f64 {
        let all: Vec<usize> = (0..self.pictures.len()).collect();
        let right = all.chunks(ROWS_AT_ONCE).map(|rows| {
            let logits = floats(model.forward(pictures(self.pictures.ink(rows), &model.device())));
            let said = logits.chunks_exact(V).map(|row| Belief::new(row).likeliest());
            said.zip(self.pictures.labels_of(rows)).filter(|(said, label)| said == label).count()
        });
        right.sum::<usize>() as f64 / all.len() as f64
    }

    /// Mean norms of K over the pairs of different pictures of two classes.
    fn kernel_norms(&self, kernel: &Kernel) -> Matrix {
        let (mut sums, mut counts) = (vec![0.0; V * V], vec![0.0; V * V]);
        for (i, &o) in self.classes.iter().enumerate() {
            for (j, &u) in self.classes.iter().enumerate().filter(|&(j, _)| j != i || self.per_class < 2.0) {
                sums[o * V + u] += kernel.frobenius(i, j);
                counts[o * V + u] += 1.0;
            }
        }
        sums.iter().zip(counts).map(|(sum, count)| sum / count).collect()
    }
}

#[allow(clippy::cast_possible_truncation, reason = "recorded in single precision")]
fn single(values: &[f64]) -> Vec<f32> {
    values.iter().map(|&x| x as f32).collect()
}

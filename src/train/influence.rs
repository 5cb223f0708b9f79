//! Who did it: which training examples moved an observed answer in a window of steps, under any of the optimisers.
//!
//! The window is gone through twice. Forwards the steps are taken and kept (see [`Window`]). Along straight stretches of
//! the weights' way G = ∫∇log π ds, so that ⟨G, Δθ⟩ is the change of the answer. Backwards, with q how far an update took
//! the weights for each unit of its average of gradients and β its momentum, R_τ = q_τ ⊙ G + β·R_τ₊₁ is how the answer
//! depends on what step τ's average gains, and (1 − β)⟨R_τ, g⟩ is the share of an example whose gradient is g.
//!
//! No example's gradient is made: ⟨R_τ, g⟩ is how far the example's log-prob moves along R_τ, which one pass gives for a
//! whole batch (see [`slopes`]).

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Instant;

use burn::tensor::backend::{AutodiffBackend, Backend};

use super::control::Control;
use super::direction::Direction;
use super::halves::Halves;
use super::observed::Observed;
use super::prepare::rejected;
use super::slopes::slopes;
use super::window::{Window, WindowStep};
use crate::data::Sequence;
use crate::data::tokenizer::Tokenizer;
use crate::dynamics::quadrature::gauss_legendre;
use crate::error::Result;
use crate::experiment::Precision;
use crate::model::Transformer;
use crate::protocol::{Contribution, Influence, Question, RunPhase};

/// Places on a stretch at which the answer's gradient is taken.
const NODES: usize = 4;
/// What the stretches may leave of the measured change together, nats; a stretch that leaves more is halved.
const CLOSED: f64 = 2e-4;
/// Of this, what any stretch may leave, however short: rounding is not mended by looking closer.
const LEAST: f64 = 0.1;

/// Answers that are read with their graph at the same time: as many as a batch has, commonly. Where blocks are computed anew
/// to save memory, one.
const ROWS_AT_ONCE: usize = 16;

/// A part of a window along which the answer's gradient was integrated.
struct Stretch<B: Backend> {
    steps: Range<usize>,
    gradient: Direction<B>,
}

/// A window and an observed answer whose change is shared out among the examples.
pub(super) struct Attribution<'a, B: AutodiffBackend> {
    pub(super) question: Question,
    pub(super) stage: &'a str,
    pub(super) observed: &'a Observed,
    pub(super) window: &'a Window<B::InnerBackend>,
    /// Any model of this shape; it lends its graph.
    pub(super) mould: Transformer<B>,
    pub(super) checkpointing: bool,
    pub(super) tokenizer: &'a Tokenizer,
}

/// Shares of the examples, by index: how often each was learnt, what its halves did.
type Shares = BTreeMap<usize, (usize, Halves<f64>)>;

impl<B: AutodiffBackend> Attribution<'_, B> {
    /// Who moved the answer. Hears of it as it goes.
    ///
    /// # Errors
    /// When what hears of it fails.
    pub(super) fn answer(&self, control: &mut Control<'_>) -> Result<Influence> {
        let steps = &self.window.steps;
        let began = Instant::now();
        let measured = self.level(steps.len()) - self.level(0);
        let mut stretches = Vec::new();
        self.integrate(0..steps.len(), measured, &mut stretches, control)?;
        tracing::debug!("the answer's gradient along {} stretches: {:?}", stretches.len(), began.elapsed());
        let began = Instant::now();
        let (mut shares, mut decay, mut carried) = (Shares::new(), 0.0, 0.0);
        let mut dependence: Option<Direction<B::InnerBackend>> = None;
        for Stretch { steps, gradient } in stretches.iter().rev() {
            for (index, step) in steps.clone().zip(&self.window.steps[steps.clone()]).rev() {
                self.say(format!("sharing out step {} of {}", index + 1, self.window.steps.len()), control)?;
                let here = step.reach.scaled_by(gradient);
                let now = match dependence {
                    Some(later) if self.window.momentum != 0.0 => here.plus(&later.times(self.window.momentum)),
                    _ => here,
                };
                if step.decay != 0.0 {
                    decay += step.decay * gradient.dot(&Direction::of_model(&step.model, gradient));
                }
                self.share_out(step, &now, &mut shares)?;
                dependence = Some(now);
            }
        }
        if let (Some(first), Some(before)) = (dependence, &self.window.before) {
            carried = self.window.momentum * first.dot(before);
        }
        tracing::debug!("the shares of {} steps: {:?}", steps.len(), began.elapsed());
        let examples = self.named(shares);
        let answers = self.observed.answers();
        Ok(Influence {
            question: self.question,
            stage: self.stage.to_owned(),
            answers,
            measured,
            carried,
            decay,
            examples,
        })
    }

    fn say(&self, what: String, control: &mut Control<'_>) -> Result<()> {
        control.say(RunPhase::Starting(what), self.question.until)
    }

    /// Mean log-prob of the observed answers after so many steps of the window.
    fn level(&self, steps: usize) -> f64 {
        self.observed.mean(self.window.model(steps), self.tokenizer.pad())
    }

    /// Cuts steps in which the answer changed by so much into stretches that explain it.
    fn integrate(
        &self,
        steps: Range<usize>,
        change: f64,
        stretches: &mut Vec<Stretch<B::InnerBackend>>,
        control: &mut Control<'_>,
    ) -> Result<()> {
        self.say(format!("following the answer through steps {} to {}", steps.start + 1, steps.end), control)?;
        let like = &self.window.steps[0].reach;
        let [start, end] = [steps.start, steps.end].map(|at| Direction::of_model(self.window.model(at), like));
        let way = end.minus(&start);
        let mut gradient = Direction::zeros_like(like);
        for (place, weight) in gauss_legendre(NODES) {
            let model = start.plus(&way.times(place)).put_into(self.mould.clone()).compute_in(Precision::F32);
            let here = self.observed.gradient(&model, self.tokenizer.pad(), self.checkpointing);
            gradient = gradient.plus(&Direction::of_gradient(&model, here, like).times(weight));
        }
        #[allow(clippy::cast_precision_loss, reason = "few steps")]
        let share = (steps.len() as f64 / self.window.steps.len() as f64).max(LEAST);
        let left = (gradient.dot(&way) - change).abs();
        // What is no number is not mended by looking closer.
        if steps.len() == 1 || left <= CLOSED * share || left.is_nan() {
            stretches.push(Stretch { steps, gradient });
            return Ok(());
        }
        let middle = steps.start + steps.len() / 2;
        let first = self.level(middle) - self.level(steps.start);
        self.integrate(steps.start..middle, first, stretches, control)?;
        self.integrate(middle..steps.end, change - first, stretches, control)
    }

    /// Adds what each example of a step did by moving the weights' average, which the answer depends on like that.
    fn share_out(
        &self,
        step: &WindowStep<B::InnerBackend>,
        dependence: &Direction<B::InnerBackend>,
        shares: &mut Shares,
    ) -> Result<()> {
        let model = Direction::of_model(&step.model, dependence).put_into(self.mould.clone());
        let model = model.compute_in(Precision::F32);
        let direction = dependence.clone().into_model(self.mould.clone()).compute_in(Precision::F32);
        let at_once = if self.checkpointing { 1 } else { ROWS_AT_ONCE };
        let of = |answers: &[&Sequence]| slopes(&model, &direction, answers, self.tokenizer.pad(), at_once);
        let fresh = 1.0 - self.window.momentum;
        let pairs = || step.lessons.iter().map(|lesson| &step.pairs[lesson.pair]);
        let mut answers: Vec<&Sequence> = pairs().map(|pair| &pair.chosen).collect();
        if step.lessons.iter().any(|lesson| lesson.weights.push.is_some()) {
            // Behind the others, so that one pass over many rows gives both.
            answers.extend(pairs().map(rejected).collect::<Result<Vec<_>>>()?);
        }
        let slopes = of(&answers);
        let (pulled, pushed) = slopes.split_at(step.lessons.len());
        for (row, (lesson, slope)) in step.lessons.iter().zip(pulled).enumerate() {
            let (times, sum) = shares.entry(lesson.pair).or_default();
            *times += 1;
            sum.pull += fresh * lesson.weights.pull * slope;
            let push = lesson.weights.push.zip(pushed.get(row)).map(|(weight, slope)| fresh * weight * slope);
            *sum.push.get_or_insert(0.0) += push.unwrap_or_default();
        }
        Ok(())
    }

    /// The examples by their texts, the strongest first.
    fn named(&self, shares: Shares) -> Vec<Contribution> {
        let text = |ids: &[u32]| self.tokenizer.decode(self.tokenizer.without_stop(ids)).trim().to_owned();
        let contribution = |(example, (times, halves)): (usize, (usize, Halves<f64>))| {
            // As they were when it was last learnt.
            let last = self.window.steps.iter().rev().find(|s| s.lessons.iter().any(|l| l.pair == example));
            let pair = last.map(|step| &step.pairs[example]);
            let reads = last.is_some_and(|step| step.lessons.iter().any(|l| l.weights.push.is_some()));
            let rejected = pair.and_then(|pair| pair.rejected.as_ref()).filter(|_| reads);
            Contribution {
                example,
                times,
                own: pair.is_some_and(|pair| self.observed.asks(&pair.chosen)),
                same_answer: pair.is_some_and(|pair| self.observed.says(&pair.chosen)),
                pull: halves.pull,
                push: halves.push.unwrap_or_default(),
                prompt: pair.map_or_else(String::new, |pair| text(&pair.chosen.prompt_ids)),
                chosen: pair.map_or_else(String::new, |pair| text(&pair.chosen.completion_ids)),
                rejected: rejected.map(|answer| text(&answer.completion_ids)),
            }
        };
        let mut examples: Vec<Contribution> = shares.into_iter().map(contribution).collect();
        examples.sort_by(|a, b| b.strength().total_cmp(&a.strength()));
        examples
    }
}

//! One position under the microscope: where its probability went between two models, held against what one step on the
//! answer's own token would have done there.
//!
//! A step of size η′ that pushes the token y down raises a token i ≠ y exactly where p_i lies above the break-even line
//! ln Z/η′ (see [`lab`](super::lab)); a pull raises it where p_i lies below −ln Z/η′. As η′ goes to zero both lines go to
//! Σ_j p_j² − p_y. The step that is held against the measured one is that which moves y's own log-prob as far. What really
//! moved the position is many steps on many other tokens, so that how much of the mass went as the line says is a finding.

use super::lab::{MAX_ETA, Outcome, Step, take};
use crate::error::Result;

/// Halvings of the interval in which η′ is sought: to the last digit.
const HALVINGS: usize = 60;
/// A log-prob that moved less did not move, nats: rounding of single precision.
const MOVED: f64 = 1e-6;

/// One position before and after.
#[derive(Debug, Clone, PartialEq)]
pub struct Look {
    /// The answer's own token.
    pub label: usize,
    /// p, `[V]`.
    pub before: Vec<f64>,
    /// p′, `[V]`.
    pub after: Vec<f64>,
    /// y*: the likeliest token other than the label, before.
    pub star: usize,
    /// The change of the label's log-prob, nats.
    pub change: f64,
    /// The one step on the label that moves it as far; absent where it did not move.
    pub step: Option<Step>,
    /// That step's break-even line; the first-order form where the label did not move.
    pub break_even: f64,
    /// Σ_j p_j² − p_y: the line of a step that is ever so small.
    pub first_order: f64,
    /// Of the mass that tokens other than the label gained or lost, the share that went as the line says; NaN where none moved.
    pub as_predicted: f64,
}

impl Look {
    /// Holds two rows of log-probs `[V]` against each other, nats; V ≥ 2.
    ///
    /// # Errors
    /// When the label is no token, or a row is no distribution.
    pub fn new(before: &[f64], after: &[f64], label: usize) -> Result<Self> {
        let still = take(before, Step { y: label, eta: 0.0, push_down: true })?;
        let after: Vec<f64> = after.iter().map(|logp| logp.exp()).collect();
        let change = after.get(label).map_or(f64::NAN, |p| p.ln()) - still.logits[label];
        let (before_p, star) = (still.before, still.star);
        let first_order = before_p.iter().map(|p| p * p).sum::<f64>() - before_p[label];
        let outcome = if change.abs() > MOVED { Some(fitted(before, label, change)?) } else { None };
        let break_even = outcome.as_ref().map_or(first_order, |outcome| outcome.break_even);
        let step = outcome.map(|outcome| outcome.step);
        let pushes = step.is_none_or(|step| step.push_down);
        let (mut moved, mut told) = (0.0, 0.0);
        let others = before_p.iter().zip(&after).enumerate().filter(|&(token, _)| token != label);
        for (_, (&p, &q)) in others {
            let rises = (p > break_even) == pushes;
            moved += (q - p).abs();
            told += if (q > p) == rises { (q - p).abs() } else { 0.0 };
        }
        let as_predicted = if moved > 0.0 { told / moved } else { f64::NAN };
        Ok(Self { label, before: before_p, after, star, change, step, break_even, first_order, as_predicted })
    }

    /// p′ − p of a token.
    pub fn moved(&self, token: usize) -> f64 {
        self.after[token] - self.before[token]
    }

    /// The tokens that gained most, or lost most, first; none that did not.
    pub fn largest(&self, gains: bool, most: usize) -> Vec<usize> {
        let signed = |token: usize| if gains { self.moved(token) } else { -self.moved(token) };
        let mut tokens: Vec<usize> = (0..self.before.len()).filter(|&token| signed(token) > 0.0).collect();
        tokens.sort_by(|&a, &b| signed(b).total_cmp(&signed(a)).then(a.cmp(&b)));
        tokens.truncate(most);
        tokens
    }

    /// Whether the line says that a token rises.
    pub fn said_to_rise(&self, token: usize) -> bool {
        let pushes = self.step.is_none_or(|step| step.push_down);
        (self.before[token] > self.break_even) == pushes
    }
}

/// The position at which an answer's own token lost most, the first of equals; `None` of no answer.
pub fn most_lost(looks: &[Look]) -> Option<usize> {
    (0..looks.len()).min_by(|&a, &b| looks[a].change.total_cmp(&looks[b].change).then(a.cmp(&b)))
}

/// The step that moves the label's log-prob by so much, or the largest one there is.
fn fitted(before: &[f64], label: usize, change: f64) -> Result<Outcome> {
    let with = |eta: f64| take(before, Step { y: label, eta, push_down: change < 0.0 });
    // The label's log-prob goes ever further with η′.
    let (mut low, mut high) = (0.0, MAX_ETA);
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        let reaches = with(middle)?.log_ratios[label].abs() >= change.abs();
        (low, high) = if reaches { (low, middle) } else { (middle, high) };
    }
    with(high)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail")]

    use super::*;
    use crate::dynamics::lab::logits;
    use crate::experiment::LabShape;

    /// Under the very step that the line is made for, all that moved went as it says, whichever way the step goes.
    #[test]
    fn a_single_step_is_found_again_and_wholly_told() {
        for (shape, y) in
            [(LabShape::Peaks(8), 3), (LabShape::Peaks(8), 40), (LabShape::OnePeak, 49), (LabShape::Flat, 7)]
        {
            for push_down in [true, false] {
                for eta in [0.05, 1.0, 5.0] {
                    let start = logits(shape, 50);
                    let outcome = take(&start, Step { y, eta, push_down }).unwrap();
                    let look = Look::new(&start, &outcome.logits, y).unwrap();
                    let step = look.step.unwrap();
                    assert!(step.push_down == push_down && (step.eta - eta).abs() < 1e-6 * eta, "{step:?}, not {eta}");
                    assert!((look.break_even - outcome.break_even).abs() < 1e-6);
                    assert!(look.as_predicted > 1.0 - 1e-9, "{shape:?} {y} {eta}: {}", look.as_predicted);
                    for token in (0..50).filter(|&t| t != y && look.moved(t).abs() > 1e-9) {
                        assert_eq!(look.said_to_rise(token), look.moved(token) > 0.0, "{shape:?} {token}");
                    }
                    if eta < 0.1 {
                        assert!((look.break_even - look.first_order).abs() < 0.01);
                    }
                }
            }
        }
    }

    #[test]
    fn gains_and_losses_are_ranked_and_the_deepest_loss_is_offered() {
        let of = |p: [f64; 4]| p.map(f64::ln);
        let look = Look::new(&of([0.4, 0.3, 0.2, 0.1]), &of([0.5, 0.1, 0.25, 0.15]), 1).unwrap();
        assert_eq!((look.largest(true, 2), look.largest(false, 9), look.star), (vec![0, 2], vec![1], 0));
        assert!((look.change - (0.1f64 / 0.3).ln()).abs() < 1e-9);
        // The line lies at 0.12: of the 0.2 that the others gained, the poorest took 0.05 against it.
        assert!((look.as_predicted - 0.75).abs() < 1e-9, "{}", look.as_predicted);
        assert!(look.said_to_rise(2) && !look.said_to_rise(3));
        let still = Look::new(&of([0.4, 0.3, 0.2, 0.1]), &of([0.4, 0.3, 0.2, 0.1]), 1).unwrap();
        assert!(still.step.is_none() && still.first_order.abs() < 1e-12);
        assert_eq!(most_lost(&[still, look]), Some(1));
        assert_eq!(most_lost(&[]), None);
    }

    #[test]
    fn what_is_no_position_is_refused() {
        assert!(Look::new(&[0.5f64.ln(); 2], &[0.5f64.ln(); 2], 2).is_err());
        assert!(Look::new(&[0.0], &[0.0], 0).is_err());
    }
}

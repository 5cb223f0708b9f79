//! Numbers that cannot be right, told once each: the first loss that is no number, the first log-prob that is not
//! finite, the first argmax below its label.

use super::mark::{Mark, MarkKind};
use super::series::CurveId;
use crate::protocol::{Evaluation, MetricKey, ProbeKind, RunStarted, StepMetrics};
use crate::text::Shown;

/// How far the argmax may lie below the label, nats per token: rounding, not a mistake.
const ARGMAX_SLACK: f64 = 1e-3;

/// What was already warned of.
#[derive(Debug, Clone, Default)]
pub(super) struct Watch {
    loss: bool,
    log_prob: bool,
    argmax: bool,
}

impl Watch {
    /// Looks at one optimiser step.
    pub(super) fn step(&mut self, step: &StepMetrics) -> Option<Mark> {
        let loss = *step.metrics.get(&MetricKey::LOSS)?;
        (!loss.is_finite() && first(&mut self.loss))
            .then(|| warning(step.step, &format!("the loss is {loss} at step {}", step.step)))
    }

    /// Looks at one evaluation.
    pub(super) fn evaluation(&mut self, run: &RunStarted, evaluation: &Evaluation) -> Vec<Mark> {
        let step = evaluation.step;
        let log_prob = (!self.log_prob).then(|| not_finite(run, evaluation)).flatten();
        self.log_prob |= log_prob.is_some();
        let argmax = (!self.argmax).then(|| argmax_below_label(run, evaluation)).flatten();
        self.argmax |= argmax.is_some();
        log_prob.into_iter().chain(argmax).map(|text| warning(step, &text)).collect()
    }
}

/// Whether the flag was down; raises it.
fn first(flag: &mut bool) -> bool {
    !std::mem::replace(flag, true)
}

fn warning(step: u64, text: &str) -> Mark {
    Mark { step, kind: MarkKind::Warning, text: Shown::new(text) }
}

fn not_finite(run: &RunStarted, evaluation: &Evaluation) -> Option<String> {
    CurveId::of(evaluation).find_map(|curve| {
        let values = curve.values(evaluation)?;
        let (pair, value) = values.iter().enumerate().find(|&(pair, x)| {
            let has_response = run.probes.get(pair).is_none_or(|p| p.responses.contains_key(&curve.kind()));
            has_response && !x.is_finite()
        })?;
        Some(format!("the log-prob of {} is {value} {} at step {}", curve.key(), place(run, pair), evaluation.step))
    })
}

/// A warning where the argmax lies below the label: at every position the largest log-prob is at least the label's, so the sums are ordered too. Imported data breaks it.
fn argmax_below_label(run: &RunStarted, evaluation: &Evaluation) -> Option<String> {
    [(CurveId::ArgmaxChosen, ProbeKind::Chosen), (CurveId::ArgmaxRejected, ProbeKind::Rejected)].iter().find_map(
        |&(curve, kind)| {
            let (argmax, label) = (curve.values(evaluation)?, evaluation.logps.get(kind)?);
            let below = |pair: usize, argmax: f32, label: f32| {
                let slack = ARGMAX_SLACK * f64::from(curve.tokens(run, pair).unwrap_or(1));
                f64::from(argmax) < f64::from(label) - slack
            };
            let pair = argmax.iter().zip(label).enumerate().position(|(pair, (&a, &l))| below(pair, a, l))?;
            Some(format!(
                "the argmax along {kind} ({:.3}) is below the label's log-prob ({:.3}) {} at step {}: \
                 these numbers cannot come from one forward pass",
                argmax[pair],
                label[pair],
                place(run, pair),
                evaluation.step
            ))
        },
    )
}

/// The place where a number was read, in words. Prompts are counted from 1 on the screen; a mean is no prompt.
fn place(run: &RunStarted, pair: usize) -> String {
    if run.means { "in the mean".to_owned() } else { format!("on prompt {}", pair + 1) }
}

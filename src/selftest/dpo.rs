//! A short experiment from end to end, and what must hold of it.

use std::path::Path;
use std::sync::Arc;

use crossbeam_channel::never;

use super::Row;
use crate::backend::BackendChoice;
use crate::error::Result;
use crate::experiment::Experiment;
use crate::protocol::{Evaluation, MassFlow, MetricKey, ProbeKind, RunPhase, TrainerEvent};
use crate::train;

/// SFT and DPO on a few questions of the world.
const EXPERIMENT: &str = "(
    name: \"selftest\",
    data: world((train: 16, held_out: 4)),
    probes: (prompts: 4, greedy: 1, max_new_tokens: 8),
    stages: [
        (name: \"SFT\", objective: sft, steps: 4, batch_size: 8, learning_rate: 5e-4, evaluate_every: 4),
        (name: \"DPO\", objective: sigmoid(beta: 0.1), steps: 8, batch_size: 8, learning_rate: 1e-4, evaluate_every: 4),
    ],
)";
/// How far changes of probability that must cancel may be from it, per pair.
const BALANCE: f32 = 1e-4;

/// Trains it and looks at what was told.
///
/// # Errors
/// When it does not come to its end.
pub(super) fn rows(choice: BackendChoice) -> Result<Vec<Row>> {
    let experiment = Experiment::parse(Path::new("selftest"), EXPERIMENT, &[])?;
    let mut told = Told::default();
    let mut sink = |event: &TrainerEvent| {
        told.hear(event);
        Ok(())
    };
    train::train(&experiment, choice, None, &mut sink, &never())?;
    Ok(told.rows())
}

/// What a run told.
#[derive(Default)]
struct Told {
    finished: bool,
    /// Losses of the DPO stage, step by step.
    losses: Vec<f64>,
    margins: Vec<f64>,
    evaluations: Vec<Arc<Evaluation>>,
}

impl Told {
    fn hear(&mut self, event: &TrainerEvent) {
        match event {
            TrainerEvent::Step(step) if step.stage == 1 => {
                self.losses.extend(step.metrics.get(&MetricKey::LOSS));
                self.margins.extend(step.metrics.get(&MetricKey::REWARDS_MARGINS));
            }
            TrainerEvent::Evaluation(evaluation) => self.evaluations.push(Arc::clone(evaluation)),
            TrainerEvent::Phase { phase: RunPhase::Finished, .. } => self.finished = true,
            _ => {}
        }
    }

    fn rows(&self) -> Vec<Row> {
        let first_loss = self.losses.first().copied().unwrap_or(f64::NAN);
        let margin = self.margins.last().copied().unwrap_or(f64::NAN);
        let rejected = |evaluation: &Arc<Evaluation>| mean(evaluation.logps.get(ProbeKind::Rejected));
        let dpo: Vec<f32> = self.evaluations.iter().filter(|e| e.step >= 4).map(rejected).collect();
        let (before, after) = (dpo.first().copied().unwrap_or(f32::NAN), dpo.last().copied().unwrap_or(f32::NAN));
        let below = self.evaluations.iter().map(|e| below_the_label(e)).sum::<usize>();
        let read = self.evaluations.iter().map(|e| e.chosen.argmax_logps.len()).sum::<usize>();
        let flows = self.evaluations.iter().flat_map(|e| &e.stage_flow);
        let worst = flows.clone().map(imbalance).fold(0.0f32, |most, x| if x > most || x.is_nan() { x } else { most });
        let measured = flows.count();
        vec![
            Row::held("experiment: runs to its end", self.finished, format!("{} evaluations", self.evaluations.len())),
            Row::apart("DPO begins at a loss of log 2", (first_loss - std::f64::consts::LN_2).abs(), 1e-3),
            Row::held("DPO's margin grows", margin > 0.0, format!("to {margin:.3} nats")),
            Row::held(
                "DPO pushes rejected answers down",
                after < before,
                format!("from {before:.2} to {after:.2} nats"),
            ),
            Row::held("no argmax lies below its label", read > 0 && below == 0, format!("{below} of {read}")),
            Row::held(
                "gained and lost probability cancel",
                measured > 0 && worst <= BALANCE,
                format!("{worst:.1e} apart at most, {BALANCE:.0e} tolerated"),
            ),
        ]
    }
}

#[allow(clippy::cast_precision_loss, reason = "few pairs")]
fn mean(values: Option<&[f32]>) -> f32 {
    values.map_or(f32::NAN, |values| values.iter().sum::<f32>() / values.len() as f32)
}

/// Prompts whose argmax along y⁺ is less likely than y⁺ itself.
fn below_the_label(evaluation: &Evaluation) -> usize {
    let labels = evaluation.logps.get(ProbeKind::Chosen).into_iter().flatten();
    // A number that is none is as bad.
    labels
        .zip(&evaluation.chosen.argmax_logps)
        .filter(|(label, argmax)| !matches!(argmax.partial_cmp(label), Some(o) if o.is_ge()))
        .count()
}

/// How far y*, the label and everyone else are from cancelling, the worst pair.
fn imbalance(flow: &MassFlow) -> f32 {
    let pairs = flow.star.iter().zip(&flow.label).zip(&flow.bystanders);
    pairs
        .map(|((star, label), others)| (star + label + others).abs())
        .fold(0.0, |most, x| if x > most || x.is_nan() { x } else { most })
}

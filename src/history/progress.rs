//! Progress of a stage: its training loss and its training margin, brought to the moments of its evaluations.

use std::sync::Arc;

use super::series::Series;
use super::stats::mean;
use super::store::RunHistory;
use crate::protocol::{Evaluation, MetricKey};

/// Training loss at each evaluation of a stage, the mean over the steps since the one before; at the first the loss of the
/// stage's first step, which is computed before any update. `None` where it was not recorded.
pub(super) fn losses(history: &RunHistory, stage: usize) -> Option<Vec<f64>> {
    at_evaluations(history, &MetricKey::LOSS, stage)
}

/// Growth of the training margin h = r⁺ − r⁻ at each evaluation of a stage, since its first step, nats: `rewards/margins`
/// over β, the mean over the steps since the evaluation before. 0 at the first. (Of an objective whose rewards are per
/// token, nats a token; of one without β, its rewards as they are.) `None` where no rewards were recorded.
pub fn margins(history: &RunHistory, stage: usize) -> Option<Vec<f64>> {
    let rewards = at_evaluations(history, &MetricKey::REWARDS_MARGINS, stage)?;
    let beta = history.run.as_ref()?.stages.get(stage)?.beta.unwrap_or(1.0);
    let first = rewards.first().copied()?;
    Some(rewards.iter().map(|reward| (reward - first) / beta).collect())
}

fn at_evaluations(history: &RunHistory, key: &MetricKey, stage: usize) -> Option<Vec<f64>> {
    let start = *history.stage_starts.get(stage)?;
    Some(means_between(history.metrics.get(key)?, start, history.stage_evaluations(stage)))
}

/// The mean of a scalar over the steps from each evaluation (exclusive) to the next (inclusive); at the first evaluation
/// the first step's own value. An evaluation out of turn, which no step precedes, repeats the mean before it.
fn means_between(series: &Series, start: u64, evaluations: &[Arc<Evaluation>]) -> Vec<f64> {
    let mut from = series.up_to(start);
    let mut now = series.get(from).map_or(f64::NAN, |(_, value)| value);
    let mut means = vec![now];
    for evaluation in evaluations.iter().skip(1) {
        let to = series.up_to(evaluation.step);
        if to > from {
            now = mean(&series.part(from..to).values());
            from = to;
        }
        means.push(now);
    }
    means
}

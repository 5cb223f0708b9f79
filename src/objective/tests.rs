//! Golden values of PyTorch (`tests/golden/objective.py`), loss by loss and gradient by gradient.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "tests fail by panicking; values were f32")]

use burn::tensor::{Tensor, TensorData};
use serde::Deserialize;

use super::logps::per_token_logps;
use super::{PairLogps, evaluate, normaliser};
use crate::backend::TestBackend;
use crate::experiment::ObjectiveConfig;
use crate::model::transformer::{floats, int_tensor};

#[derive(Deserialize)]
struct Golden {
    pairs: Pairs,
    sigmoid: Vec<Sigmoid>,
    sft: Sft,
    logits: Logits,
}

#[derive(Deserialize)]
struct Pairs {
    chosen_tokens: Vec<usize>,
    rejected_tokens: Vec<usize>,
    logp_chosen: Vec<f64>,
    logp_rejected: Vec<f64>,
    ref_logp_chosen: Vec<f64>,
    ref_logp_rejected: Vec<f64>,
}

#[derive(Deserialize)]
struct Sigmoid {
    beta: f64,
    loss: f64,
    losses: Vec<f64>,
    rewards_chosen: Vec<f64>,
    rewards_rejected: Vec<f64>,
    w_chosen: Vec<f64>,
    w_rejected: Vec<f64>,
}

#[derive(Deserialize)]
struct Sft {
    loss: f64,
    dloss_dlogp_chosen: Vec<f64>,
}

#[derive(Deserialize)]
struct Logits {
    shape: [usize; 3],
    beta: f64,
    logits: Vec<f32>,
    targets: Vec<u32>,
    completion_mask: Vec<u8>,
    ref_logp_sums: Vec<f64>,
    per_token_logps: Vec<f64>,
    sigmoid: Gradient,
    sft: Gradient,
}

#[derive(Deserialize)]
struct Gradient {
    loss: f64,
    dloss_dlogits: Vec<f64>,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("../../tests/golden/objective.json")).unwrap()
}

/// 1e-5 relative, with an absolute floor for numbers that are zero in theory.
fn near(ours: f64, theirs: f64, what: &str) {
    assert!((ours - theirs).abs() <= 1e-5 * theirs.abs() + 1e-9, "{what}: {ours}, and PyTorch has {theirs}");
}

impl Golden {
    fn pairs(&self) -> Vec<PairLogps> {
        let p = &self.pairs;
        (0..p.logp_chosen.len())
            .map(|i| PairLogps {
                policy_chosen_logps: p.logp_chosen[i],
                policy_rejected_logps: p.logp_rejected[i],
                ref_chosen_logps: p.ref_logp_chosen[i],
                ref_rejected_logps: p.ref_logp_rejected[i],
                chosen_tokens: p.chosen_tokens[i],
                rejected_tokens: p.rejected_tokens[i],
            })
            .collect()
    }
}

#[test]
fn sigmoid_equals_pytorch() {
    let golden = golden();
    let pairs = golden.pairs();
    for case in &golden.sigmoid {
        let objective = ObjectiveConfig::Sigmoid { beta: case.beta };
        let mut loss = 0.0;
        for (i, pair) in pairs.iter().enumerate() {
            let outcome = evaluate(&objective, pair);
            let what = |name| format!("{name} of pair {i} at beta {}", case.beta);
            near(outcome.loss, case.losses[i], &what("loss"));
            near(outcome.chosen_weight, case.w_chosen[i], &what("w+"));
            near(outcome.rejected_weight, case.w_rejected[i], &what("w-"));
            let (chosen, rejected) = outcome.rewards.unwrap();
            near(chosen, case.rewards_chosen[i], &what("reward of chosen"));
            near(rejected, case.rewards_rejected[i], &what("reward of rejected"));
            loss += outcome.loss / normaliser(&objective, pairs.len(), 0);
        }
        near(loss, case.loss, "mean loss");
    }
}

#[test]
fn sft_equals_pytorch() {
    let golden = golden();
    let pairs = golden.pairs();
    let tokens = pairs.iter().map(|p| p.chosen_tokens).sum();
    let normaliser = normaliser(&ObjectiveConfig::Sft, pairs.len(), tokens);
    let mut loss = 0.0;
    for (pair, gradient) in pairs.iter().zip(&golden.sft.dloss_dlogp_chosen) {
        let outcome = evaluate(&ObjectiveConfig::Sft, pair);
        loss += outcome.loss / normaliser;
        near(-outcome.chosen_weight / normaliser, *gradient, "gradient");
        assert_eq!((outcome.rejected_weight, outcome.rewards), (0.0, None));
    }
    near(loss, golden.sft.loss, "loss");
}

/// From logits through the log-probs and the weights back to ∂L/∂z: the trainer's path, without a model.
#[test]
fn gradients_with_respect_to_logits_equal_pytorch() {
    let golden = golden();
    let case = &golden.logits;
    let [rows, positions, vocab] = case.shape;
    let batch = rows / 2;
    for (objective, expected) in
        [(ObjectiveConfig::Sigmoid { beta: case.beta }, &case.sigmoid), (ObjectiveConfig::Sft, &case.sft)]
    {
        let sequences = if objective.has_rejected() { rows } else { batch };
        let kept: Vec<usize> = (0..sequences * positions).filter(|&i| case.completion_mask[i] == 1).collect();
        let device = Default::default();
        let z = Tensor::<TestBackend, 2>::from_data(
            TensorData::new(case.logits.clone(), [rows * positions, vocab]),
            &device,
        )
        .require_grad();
        let chosen_rows = z.clone().select(0, int_tensor(kept.iter().map(|&i| i as i64).collect(), &device));
        let labels = int_tensor(kept.iter().map(|&i| i64::from(case.targets[i])).collect(), &device);
        let logps = per_token_logps(chosen_rows, labels);
        let mut sums = vec![0.0; rows];
        for (&i, logp) in kept.iter().zip(floats(logps.clone())) {
            near(f64::from(logp), case.per_token_logps[i], "per-token log-prob");
            sums[i / positions] += f64::from(logp);
        }
        let tokens = (0..batch * positions).filter(|&i| case.completion_mask[i] == 1).count();
        let normaliser = normaliser(&objective, batch, tokens);
        let (mut loss, mut weights) = (0.0, vec![0.0; rows]);
        for i in 0..batch {
            let outcome = evaluate(
                &objective,
                &PairLogps {
                    policy_chosen_logps: sums[i],
                    policy_rejected_logps: sums[batch + i],
                    ref_chosen_logps: case.ref_logp_sums[i],
                    ref_rejected_logps: case.ref_logp_sums[batch + i],
                    ..PairLogps::default()
                },
            );
            loss += outcome.loss / normaliser;
            weights[i] = -outcome.chosen_weight / normaliser;
            weights[batch + i] = outcome.rejected_weight / normaliser;
        }
        near(loss, expected.loss, "loss");
        let per_token: Vec<f32> = kept.iter().map(|&i| weights[i / positions] as f32).collect();
        let count = per_token.len();
        let surrogate = (logps * Tensor::from_data(TensorData::new(per_token, [count]), &device)).sum();
        let gradient = floats(z.grad(&surrogate.backward()).unwrap());
        for (i, (ours, theirs)) in gradient.iter().zip(&expected.dloss_dlogits).enumerate() {
            // Differences of probabilities of order one, in f32: the floor is their rounding.
            assert!(
                (f64::from(*ours) - theirs).abs() <= 1e-5 * theirs.abs() + 1e-8,
                "{} gradient {i}: {ours}, and PyTorch has {theirs}",
                objective.name()
            );
        }
    }
}

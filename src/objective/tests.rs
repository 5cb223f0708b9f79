//! Golden values of PyTorch (`tests/golden/objective.py`), loss by loss and gradient by gradient.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "tests fail by panicking; values were f32")]

use burn::tensor::{Tensor, TensorData};
use serde::Deserialize;

use super::logps::per_token_logps;
use super::{ObjectiveConfig, PairLogps, Rejected, evaluate, normaliser};
use crate::backend::TestBackend;
use crate::backend::{floats, int_tensor};

#[derive(Deserialize)]
struct Golden {
    pairs: Pairs,
    cases: Vec<Case>,
    cross_entropy: Vec<CrossEntropy>,
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
struct Case {
    objective: String,
    loss: f64,
    losses: Vec<f64>,
    w_chosen: Vec<f64>,
    w_rejected: Vec<f64>,
}

#[derive(Deserialize)]
struct CrossEntropy {
    objective: String,
    loss: f64,
    dloss_dlogp_chosen: Vec<f64>,
    dloss_dlogp_rejected: Vec<f64>,
}

#[derive(Deserialize)]
struct Logits {
    shape: [usize; 3],
    logits: Vec<f32>,
    targets: Vec<u32>,
    completion_mask: Vec<u8>,
    ref_logp_sums: Vec<f64>,
    per_token_logps: Vec<f64>,
    cases: Vec<Gradient>,
}

#[derive(Deserialize)]
struct Gradient {
    objective: String,
    loss: f64,
    dloss_dlogits: Vec<f64>,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("../../tests/golden/objective.json")).unwrap()
}

/// An objective as an experiment file spells it.
fn objective(text: &str) -> ObjectiveConfig {
    ron::from_str(text).unwrap()
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
fn losses_and_weights_equal_pytorch() {
    let golden = golden();
    let pairs = golden.pairs();
    for case in &golden.cases {
        let objective = objective(&case.objective);
        let mut loss = 0.0;
        for (i, pair) in pairs.iter().enumerate() {
            let outcome = evaluate(&objective, pair);
            let what = |name| format!("{name} of pair {i} under {}", case.objective);
            near(outcome.loss, case.losses[i], &what("loss"));
            near(outcome.chosen_weight, case.w_chosen[i], &what("w+"));
            near(outcome.rejected_weight, case.w_rejected[i], &what("w-"));
            loss += outcome.loss / normaliser(&objective, pairs.len(), 0, 0);
        }
        near(loss, case.loss, &case.objective);
    }
}

#[test]
fn cross_entropies_equal_pytorch() {
    let golden = golden();
    let pairs = golden.pairs();
    let tokens = |count: fn(&PairLogps) -> usize| pairs.iter().map(count).sum();
    for case in &golden.cross_entropy {
        let objective = objective(&case.objective);
        let normaliser =
            normaliser(&objective, pairs.len(), tokens(|p| p.chosen_tokens), tokens(|p| p.rejected_tokens));
        let mut loss = 0.0;
        for (i, pair) in pairs.iter().enumerate() {
            let outcome = evaluate(&objective, pair);
            loss += outcome.loss / normaliser;
            near(-outcome.chosen_weight / normaliser, case.dloss_dlogp_chosen[i], "gradient of the chosen");
            near(outcome.rejected_weight / normaliser, case.dloss_dlogp_rejected[i], "gradient of the rejected");
            assert_eq!(outcome.rewards, None);
        }
        near(loss, case.loss, &case.objective);
    }
}

/// Every objective of the table is among the golden cases: a new one cannot be added without its values.
#[test]
fn every_objective_has_golden_values() {
    let golden = golden();
    let covered: std::collections::BTreeSet<&str> =
        golden.logits.cases.iter().map(|case| objective(&case.objective).name()).collect();
    let known: std::collections::BTreeSet<&str> = ObjectiveConfig::ALL.iter().map(ObjectiveConfig::name).collect();
    assert_eq!(covered, known);
    for case in &golden.logits.cases {
        let traits = objective(&case.objective).traits();
        assert!(!traits.reference || traits.rejected == Rejected::PushedDown);
        assert!(case.objective.starts_with(traits.name));
    }
}

#[test]
fn what_help_spells_is_what_an_experiment_reads_and_the_readme_names_every_objective() {
    let readme = include_str!("../../README.md");
    for known in ObjectiveConfig::ALL {
        assert_eq!(objective(&known.spelled()), *known);
        assert!(readme.contains(&format!("`{}`", known.name())), "README.md does not name {}", known.name());
        let about = known.traits().about.trim();
        assert!(about.ends_with('.') && !about.contains("  "), "{about}");
    }
}

/// From logits through the log-probs and the weights back to ∂L/∂z: the trainer's path, without a model.
#[test]
fn gradients_with_respect_to_logits_equal_pytorch() {
    let golden = golden();
    let given = &golden.logits;
    let [rows, positions, vocab] = given.shape;
    let batch = rows / 2;
    let length = |row: usize| (0..positions).filter(|t| given.completion_mask[row * positions + t] == 1).count();
    for case in &given.cases {
        let objective = objective(&case.objective);
        let sequences = if objective.reads_rejected() { rows } else { batch };
        let kept: Vec<usize> = (0..sequences * positions).filter(|&i| given.completion_mask[i] == 1).collect();
        let device = Default::default();
        let z = Tensor::<TestBackend, 2>::from_data(
            TensorData::new(given.logits.clone(), [rows * positions, vocab]),
            &device,
        )
        .require_grad();
        let chosen_rows = z.clone().select(0, int_tensor(kept.iter().map(|&i| i as i64).collect(), &device));
        let labels = int_tensor(kept.iter().map(|&i| i64::from(given.targets[i])).collect(), &device);
        let logps = per_token_logps(chosen_rows, labels);
        let mut sums = vec![0.0; rows];
        for (&i, logp) in kept.iter().zip(floats(logps.clone())) {
            near(f64::from(logp), given.per_token_logps[i], "per-token log-prob");
            sums[i / positions] += f64::from(logp);
        }
        let normaliser = normaliser(&objective, batch, (0..batch).map(length).sum(), (batch..rows).map(length).sum());
        let (mut loss, mut weights) = (0.0, vec![0.0; rows]);
        for i in 0..batch {
            let outcome = evaluate(
                &objective,
                &PairLogps {
                    policy_chosen_logps: sums[i],
                    policy_rejected_logps: sums[batch + i],
                    ref_chosen_logps: given.ref_logp_sums[i],
                    ref_rejected_logps: given.ref_logp_sums[batch + i],
                    chosen_tokens: length(i),
                    rejected_tokens: length(batch + i),
                },
            );
            loss += outcome.loss / normaliser;
            weights[i] = -outcome.chosen_weight / normaliser;
            weights[batch + i] = outcome.rejected_weight / normaliser;
        }
        near(loss, case.loss, &case.objective);
        let per_token: Vec<f32> = kept.iter().map(|&i| weights[i / positions] as f32).collect();
        let count = per_token.len();
        let surrogate = (logps * Tensor::from_data(TensorData::new(per_token, [count]), &device)).sum();
        let gradient = floats(z.grad(&surrogate.backward()).unwrap());
        // Differences of probabilities of order one, in f32: the floor is their rounding, times the largest weight.
        let floor = 1e-8 + 1e-7 * weights.iter().fold(0.0, |most: f64, w| most.max(w.abs()));
        for (i, (ours, theirs)) in gradient.iter().zip(&case.dloss_dlogits).enumerate() {
            assert!(
                (f64::from(*ours) - theirs).abs() <= 1e-5 * theirs.abs() + floor,
                "{} gradient {i}: {ours}, and PyTorch has {theirs}",
                case.objective
            );
        }
    }
}

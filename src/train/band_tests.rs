//! Both edges of the band against real steps of plain SGD on single pairs, and where a run tells it.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::path::Path;

use burn::optim::GradientsParams;
use crossbeam_channel::never;

use super::gradients::clip;
use super::halves::Halves;
use super::job::train_on;
use super::observed::gradient;
use super::optimizer::Optimizer;
use super::prepare::{self, Pair};
use crate::backend::TestBackend;
use crate::data;
use crate::data::Sequence;
use crate::data::lengths::Trainable;
use crate::experiment::{Experiment, OptimizerConfig};
use crate::model::{Checkpoint, Transformer, model_files};
use crate::probe::score;
use crate::protocol::{MetricKey, TrainerEvent};

type B = TestBackend;

/// Pairs, each of which is learnt by itself.
const PAIRS: usize = 64;
/// How far the answer at an edge is to move, nats: far above rounding, near enough for the first order.
const STEP: f64 = 2e-3;

fn experiment(stage: &str) -> Experiment {
    let text = format!(
        "(name: \"x\", data: world(train: {PAIRS}, held_out: 2), probes: (prompts: 2, greedy: 0, kinds: [chosen]),
          stages: [({stage})])"
    );
    Experiment::parse(Path::new("x.ron"), &text, &[]).unwrap()
}

fn pairs(checkpoint: &Checkpoint) -> Vec<Pair> {
    let experiment = experiment("name: \"SFT\", objective: sft, steps: 1, learning_rate: 1e-5");
    let data = data::load(&experiment, model_files).unwrap();
    let lengths = prepare::lengths(&experiment, Some(checkpoint.config.max_position_embeddings));
    let mut pairs = Vec::new();
    data.visit(0, 7, &mut |_, example| {
        Ok(match prepare::pair(&lengths, &checkpoint.tokenizer, example)? {
            Trainable::Yes((pair, truncation)) => {
                pairs.push(pair);
                Trainable::Yes(truncation)
            }
            Trainable::No(unfit) => Trainable::No(unfit),
        })
    })
    .unwrap();
    pairs
}

/// The step that a rate and weights make on a pair: how far y⁺ and y⁻ move.
fn moved(model: &Transformer<B>, pair: &Pair, weights: [f64; 2], rate: f64, pad: u32) -> [f64; 2] {
    let both = [&pair.chosen, pair.rejected.as_ref().unwrap()];
    let level = |model: &Transformer<B>| {
        score::completions(model, &both, pad).iter().map(score::CompletionLogps::sum).collect::<Vec<_>>()
    };
    let gradients = halves(model, both, weights, pad);
    let before = level(model);
    let after = level(&Optimizer::new(&OptimizerConfig::Sgd).step(rate, model.clone(), gradients, None));
    [after[0] - before[0], after[1] - before[1]]
}

#[allow(clippy::cast_possible_truncation, reason = "gradients are in single precision")]
fn halves(
    model: &Transformer<B>,
    [chosen, rejected]: [&Sequence; 2],
    [pull, push]: [f64; 2],
    pad: u32,
) -> Halves<GradientsParams> {
    Halves {
        pull: gradient(model, &[chosen], -pull as f32, (pad, false)),
        push: Some(gradient(model, &[rejected], push as f32, (pad, false))),
    }
}

#[test]
fn answers_move_as_the_band_says() {
    let checkpoint = Checkpoint::base().unwrap();
    let model: Transformer<B> = checkpoint.load(&Default::default()).unwrap();
    let pad = checkpoint.tokenizer.pad();
    let mut steps = 0;
    for pair in pairs(&checkpoint) {
        let both = [&pair.chosen, pair.rejected.as_ref().unwrap()];
        // With weights of one, g⁺ and g⁻ are the halves themselves.
        let squares = clip(&model, &mut halves(&model, both, [1.0, 1.0], pad), 0.0).squares;
        let (a, rho) = (squares.ratio(), squares.cosine());
        let product = rho * (squares.pull * squares.push).sqrt();
        if rho < 0.05 {
            continue;
        }
        for by in [0.5, 2.0] {
            // Around the lower edge y⁺ turns, around the upper one y⁻.
            let (lower, upper) = (by * rho * a, by * a / rho);
            let rate = STEP / ((by - 1.0_f64).abs() * product);
            let [chosen, _] = moved(&model, &pair, [lower, 1.0], rate, pad);
            assert_eq!(chosen > 0.0, lower > rho * a, "y⁺ moved by {chosen} at r = {lower}, a = {a}, rho = {rho}");
            let rate = STEP / ((by - 1.0_f64).abs() * squares.push);
            let [_, rejected] = moved(&model, &pair, [upper, 1.0], rate, pad);
            assert_eq!(rejected < 0.0, upper < a / rho, "y⁻ moved by {rejected} at r = {upper}, a = {a}, rho = {rho}");
            steps += 2;
        }
    }
    assert!(steps >= 2 * PAIRS, "only {steps} steps had an edge");
}

/// The scalars of every step of a stage.
fn metrics(stage: &str) -> Vec<std::collections::BTreeMap<MetricKey, f64>> {
    let mut all = Vec::new();
    let mut sink = |event: &TrainerEvent| {
        if let TrainerEvent::Step(step) = event {
            all.push(step.metrics.clone());
        }
        Ok(())
    };
    train_on::<B>(&experiment(stage), &Default::default(), "test", None, &mut sink, &never()).unwrap();
    all
}

#[test]
fn a_stage_that_pushes_down_tells_its_band() {
    let keys = [MetricKey::BAND_RATIO, MetricKey::BAND_COSINE, MetricKey::BAND_WEIGHTS];
    let common = "name: \"X\", steps: 3, batch_size: 4, learning_rate: 1e-5";
    for step in metrics(&format!("{common}, objective: sigmoid()")) {
        let [a, rho, r] = keys.clone().map(|key| step[&key]);
        assert!(a > 0.0 && (-1.0..=1.0).contains(&rho) && rho != 0.0, "a = {a}, rho = {rho}");
        assert!((r - 1.0).abs() < 1e-9, "DPO weighs both answers alike, not {r}");
    }
    // Both are targets, or only one is read.
    for objective in ["sft_extended", "sft"] {
        let steps = metrics(&format!("{common}, objective: {objective}"));
        assert!(steps.iter().all(|step| keys.iter().all(|key| !step.contains_key(key))), "{objective}");
    }
}

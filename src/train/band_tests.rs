//! Both edges of the band against real steps of plain SGD on single pairs, and where a run tells it.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::path::Path;

use crossbeam_channel::never;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::gradients::clip;
use super::job::train_on;
use super::optimizer::Optimizer;
use super::pair_band::{Band, halves};
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

/// Pairs of a small model, each of which takes a step of its own at either edge, inside it or outside.
const MANY: usize = 1000;

#[test]
fn both_edges_hold_on_a_thousand_pairs() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/families/llama_tied_linear");
    let model: Transformer<B> = Checkpoint::read(&folder).unwrap().load(&Default::default()).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let mut drawn = |length: usize| (0..length).map(|_| rng.random_range(2..200u32)).collect::<Vec<u32>>();
    let (mut held, mut tried) = (0, 0);
    while held < MANY {
        tried += 1;
        assert!(tried < 4 * MANY, "only {held} of {tried} pairs have edges");
        // They begin alike, as answers to one question do: else they hardly pull against each other.
        let (prompt, shared) = (drawn(2), drawn(1));
        let chosen = [shared.clone(), drawn(1 + tried % 3)].concat();
        let rejected = [shared, drawn(1 + tried % 2)].concat();
        let pair =
            Pair { chosen: Sequence::new(prompt.clone(), chosen), rejected: Some(Sequence::new(prompt, rejected)) };
        let both = [&pair.chosen, pair.rejected.as_ref().unwrap()];
        let squares = clip(&model, &mut halves(&model, both, [1.0, 1.0], 1), 0.0).squares;
        let band = Band { ratio: squares.ratio(), cosine: squares.cosine() };
        if band.cosine < 0.2 {
            continue;
        }
        let by = if tried % 2 == 0 { 0.5 } else { 2.0 };
        let (lower, upper) = (by * band.lower(), by * band.upper());
        let rate = STEP / (0.5 * band.cosine * (squares.pull * squares.push).sqrt());
        let [y, _] = moved(&model, &pair, [lower, 1.0], rate, 1);
        assert_eq!(y > 0.0, by > 1.0, "y⁺ moved by {y} at {lower}: {band:?}");
        let [_, y] = moved(&model, &pair, [upper, 1.0], STEP / (0.5 * squares.push), 1);
        assert_eq!(y < 0.0, by < 1.0, "y⁻ moved by {y} at {upper}: {band:?}");
        held += 1;
    }
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

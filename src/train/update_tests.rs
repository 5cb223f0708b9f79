//! Against burn's own optimisers, which say the same in a dozen tensor operations.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use burn::optim::{AdamWConfig, RmsPropConfig, SgdConfig, SimpleOptimizer};
use burn::tensor::Tensor;
use burn::tensor::backend::{AutodiffBackend, Backend};

use super::{CHUNK, EPSILON, Memory, Rule};
use crate::backend::TestBackend;
use crate::backend::floats;
use crate::experiment::OptimizerConfig;

type B = <TestBackend as AutodiffBackend>::InnerBackend;

/// More numbers than one thread takes at a time.
const NUMBERS: usize = CHUNK + 3;
const STEPS: u32 = 5;

/// Numbers of both signs over several magnitudes.
#[allow(clippy::cast_precision_loss, reason = "small")]
fn numbers(salt: usize) -> Vec<f32> {
    (0..NUMBERS).map(|i| ((i * 7 + salt * 13) % 101) as f32 - 50.0).map(|x| x * x * x * 1e-4).collect()
}

fn tensor(values: Vec<f32>) -> Tensor<B, 1> {
    Tensor::from_floats(values.as_slice(), &Default::default())
}

fn learning_rate(step: u32) -> f64 {
    1e-2 / f64::from(step)
}

/// The weights after some steps of one of burn's optimisers.
fn stock<O: SimpleOptimizer<B>>(optimizer: &O) -> Vec<f32> {
    let (mut weight, mut state) = (tensor(numbers(0)), None);
    for step in 1..=STEPS {
        (weight, state) = optimizer.step(learning_rate(step), weight, tensor(numbers(step as usize)), state);
    }
    floats(weight)
}

fn ours(config: &OptimizerConfig, host: bool) -> Vec<f32> {
    let rule = Rule::new(config);
    let averages = rule.averages().iter().map(|_| Tensor::zeros([NUMBERS], &Default::default()));
    let mut memory: Memory<B> = Memory { time: 0, averages: averages.collect() };
    let mut weight = tensor(numbers(0));
    for step in 1..=STEPS {
        let gradient = tensor(numbers(step as usize));
        weight = if host {
            rule.apply(weight, gradient, &mut memory, learning_rate(step))
        } else {
            memory.time += 1;
            let scalars = rule.scalars(memory.time, learning_rate(step));
            rule.apply_tensors(weight, gradient, &mut memory, scalars)
        };
    }
    floats(weight)
}

#[test]
fn they_are_burns_own_to_the_last_bit_or_two() {
    let adamw = OptimizerConfig::Adamw { beta_1: 0.9, beta_2: 0.95, weight_decay: 0.01 };
    let (rmsprop, sgd) = (OptimizerConfig::Rmsprop { alpha: 0.99 }, OptimizerConfig::Sgd);
    let stock_adamw =
        AdamWConfig::new().with_beta_1(0.9).with_beta_2(0.95).with_epsilon(EPSILON).with_weight_decay(0.01).build();
    let stock_rmsprop = RmsPropConfig::new().with_alpha(0.99).with_momentum(0.0).with_epsilon(EPSILON).build();
    for (config, expected) in
        [(adamw, stock(&stock_adamw)), (rmsprop, stock(&stock_rmsprop)), (sgd, stock(&SgdConfig::new().build::<B>()))]
    {
        for host in [true, false] {
            let updated = ours(&config, host);
            let worst =
                updated.iter().zip(&expected).map(|(a, b)| (a - b).abs() / (b.abs() + 1e-3)).fold(0.0, f32::max);
            assert!(worst <= 3e-7, "{config:?}, in place: {host}: {worst:e} apart");
            let moved = updated.iter().zip(numbers(0)).filter(|(a, b)| *a != b).count();
            assert!(moved > NUMBERS * 9 / 10, "{config:?}: {moved} weights moved");
        }
    }
}

#[test]
fn weights_are_overwritten_where_nobody_holds_them_and_copied_where_somebody_does() {
    assert!(crate::backend::is_host::<B>(&Default::default()), "{}", B::name(&Default::default()));
    let rule = Rule::new(&OptimizerConfig::Sgd);
    let mut memory: Memory<B> = Memory { time: 0, averages: Vec::new() };
    let held = tensor(numbers(0));
    let updated = rule.apply(held.clone(), tensor(numbers(1)), &mut memory, 0.1);
    assert_eq!(floats(held), numbers(0));
    assert_ne!(floats(updated), numbers(0));
}

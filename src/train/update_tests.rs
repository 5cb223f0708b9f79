//! Against burn's own optimisers, which say the same in a dozen tensor operations.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use burn::optim::{AdamWConfig, RmsPropConfig, SgdConfig, SimpleOptimizer};
use burn::tensor::Tensor;
use burn::tensor::backend::{AutodiffBackend, Backend};

use super::{CHUNK, EPSILON, Rule};
use crate::backend::TestBackend;
use crate::backend::floats;
use crate::experiment::OptimizerConfig;
use crate::train::halves::Halves;
use crate::train::parameter::{Memory, Moved, Parameter};

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

/// A parameter that nothing has moved yet.
fn parameter(rule: &Rule, weight: Vec<f32>) -> Parameter<Tensor<B, 1>> {
    let zeros = || Tensor::zeros([NUMBERS], &Default::default());
    let averages = rule.averages().iter().map(|_| zeros()).collect();
    Parameter { weight: tensor(weight), memory: Memory { time: 0, averages, pulled: None }, moved: None }
}

/// The same, followed.
fn followed(rule: &Rule, weight: Vec<f32>, push: bool) -> Parameter<Tensor<B, 1>> {
    let zeros = || Tensor::zeros([NUMBERS], &Default::default());
    let mut parameter = parameter(rule, weight);
    parameter.memory.pulled = (push && rule.averages_gradients()).then(zeros);
    let halves = Halves { pull: zeros(), push: push.then(zeros) };
    parameter.moved = Some(Moved { halves, decay: rule.decays().then(zeros) });
    parameter
}

/// After some steps, in place or by tensor operations.
fn updated(
    rule: &Rule,
    mut parameter: Parameter<Tensor<B, 1>>,
    gradient: impl Fn(u32) -> Halves<Vec<f32>>,
    host: bool,
) -> Parameter<Tensor<B, 1>> {
    for step in 1..=STEPS {
        let gradient = gradient(step).map(tensor);
        parameter = if host {
            rule.apply(parameter, gradient, learning_rate(step))
        } else {
            parameter.memory.time += 1;
            let scalars = rule.scalars(parameter.memory.time, learning_rate(step));
            rule.apply_tensors(parameter, gradient, scalars)
        };
    }
    parameter
}

fn ours(config: &OptimizerConfig, host: bool) -> Vec<f32> {
    let rule = Rule::new(config);
    let gradient = |step: u32| Halves::whole(numbers(step as usize));
    floats(updated(&rule, parameter(&rule, numbers(0)), gradient, host).weight)
}

/// Two halves of which the sum is a tenth to nine tenths of one, as of those of DPO.
#[allow(clippy::cast_precision_loss, reason = "small")]
fn halves(step: u32) -> Halves<Vec<f32>> {
    let pull = numbers(step as usize);
    let left = |i: usize| 0.1 + 0.8 * ((i * 11 + step as usize) % 17) as f32 / 16.0;
    let push = pull.iter().enumerate().map(|(i, a)| (left(i) - 1.0) * a).collect();
    Halves { pull, push: Some(push) }
}

const RULES: [OptimizerConfig; 3] = [
    OptimizerConfig::Adamw { beta_1: 0.9, beta_2: 0.95, weight_decay: 0.01 },
    OptimizerConfig::Rmsprop { alpha: 0.99 },
    OptimizerConfig::Sgd,
];

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
    let parameter = parameter(&rule, numbers(0));
    let held = parameter.weight.clone();
    let updated = rule.apply(parameter, Halves::whole(tensor(numbers(1))), 0.1);
    assert_eq!(floats(held), numbers(0));
    assert_ne!(floats(updated.weight), numbers(0));
}

#[test]
fn halves_and_their_sum_train_alike_whether_they_are_followed_or_not() {
    for (config, host) in RULES.iter().flat_map(|config| [(config, true), (config, false)]) {
        let rule = Rule::new(config);
        let whole = |step: u32| {
            let Halves { pull, push } = halves(step);
            Halves::whole(pull.iter().zip(push.unwrap()).map(|(a, b)| a + b).collect())
        };
        let expected = floats(updated(&rule, parameter(&rule, numbers(0)), whole, host).weight);
        for parameter in [parameter(&rule, numbers(0)), followed(&rule, numbers(0), true)] {
            assert_eq!(
                floats(updated(&rule, parameter, halves, host).weight),
                expected,
                "{config:?}, in place: {host}"
            );
        }
    }
}

/// What each half did, by the recurrences of the two moments, and what decay did, all in double precision.
#[allow(clippy::cast_possible_truncation, reason = "as the optimiser does")]
fn in_double(config: &OptimizerConfig) -> [Vec<f64>; 3] {
    let mut parts = [vec![0.0; NUMBERS], vec![0.0; NUMBERS], vec![0.0; NUMBERS]];
    let gradients: Vec<_> = (1..=STEPS).map(halves).collect();
    for i in 0..NUMBERS {
        let (mut pulled, mut pushed, mut square, mut weight) = (0.0, 0.0, 0.0, 0.0);
        for (time, (step, gradient)) in (1..).zip((1..=STEPS).zip(&gradients)) {
            let (a, b) = (f64::from(gradient.pull[i]), f64::from(gradient.push.as_ref().unwrap()[i]));
            // As the optimiser sees it.
            let whole = f64::from(gradient.pull[i] + gradient.push.as_ref().unwrap()[i]);
            let rate = learning_rate(step);
            let decayed = match *config {
                OptimizerConfig::Adamw { beta_1, beta_2, weight_decay } => {
                    pulled = beta_1 * pulled + (1.0 - beta_1) * a;
                    pushed = beta_1 * pushed + (1.0 - beta_1) * b;
                    square = beta_2 * square + (1.0 - beta_2) * whole * whole;
                    // What is left of a weight is a number in single precision.
                    let kept = (1.0 - rate * f64::from(weight_decay as f32)) as f32;
                    (f64::from(kept) - 1.0) * weight
                }
                OptimizerConfig::Rmsprop { alpha } => {
                    (pulled, pushed) = (a, b);
                    square = alpha * square + (1.0 - alpha) * whole * whole;
                    0.0
                }
                OptimizerConfig::Sgd => {
                    (pulled, pushed) = (a, b);
                    0.0
                }
            };
            let scale = match *config {
                OptimizerConfig::Adamw { beta_1, beta_2, .. } => {
                    let second = (square / (1.0 - beta_2.powi(time))).sqrt() + f64::from(EPSILON);
                    rate / (1.0 - beta_1.powi(time)) / second
                }
                OptimizerConfig::Rmsprop { .. } => rate / (square.sqrt() + f64::from(EPSILON)),
                OptimizerConfig::Sgd => rate,
            };
            let by = [-scale * pulled, -scale * pushed, decayed];
            for (part, by) in parts.iter_mut().zip(by) {
                part[i] += by;
                weight += by;
            }
        }
    }
    parts
}

/// ‖a − b‖ / ‖b‖.
fn apart(a: impl IntoIterator<Item = f64>, b: &[f64]) -> f64 {
    let square = |x: f64| x * x;
    let off: f64 = a.into_iter().zip(b).map(|(a, b)| square(a - b)).sum();
    (off / b.iter().map(|&b| square(b)).sum::<f64>()).sqrt()
}

#[test]
fn the_parts_are_what_each_half_did_and_add_up_to_the_update() {
    for (config, host) in RULES.iter().flat_map(|config| [(config, true), (config, false)]) {
        let rule = Rule::new(config);
        // From zero: a weight rounds its changes to its own size.
        let Parameter { weight, moved, .. } = updated(&rule, followed(&rule, vec![0.0; NUMBERS], true), halves, host);
        let Moved { halves: Halves { pull, push }, decay } = moved.unwrap();
        let parts = [Some(pull), push, decay].map(|part| part.map(floats));
        let [pull, push, decay] = in_double(config);
        let names = ["pull", "push", "decay"];
        for ((name, part), expected) in names.into_iter().zip(&parts).zip([pull, push, decay]) {
            let Some(part) = part else {
                assert!(name == "decay" && !rule.decays());
                continue;
            };
            let off = apart(part.iter().map(|&x| f64::from(x)), &expected);
            assert!(off <= 1e-6, "{config:?}, in place: {host}: the {name} is {off:e} off");
        }
        let sum = (0..NUMBERS).map(|i| parts.iter().flatten().map(|part| f64::from(part[i])).sum());
        let update: Vec<f64> = floats(weight).into_iter().map(f64::from).collect();
        let off = apart(sum, &update);
        assert!(off <= 1e-6, "{config:?}, in place: {host}: the parts are {off:e} off the update");
    }
}

#[test]
fn without_a_push_the_pull_is_the_update() {
    for (config, host) in RULES.iter().flat_map(|config| [(config, true), (config, false)]) {
        let rule = Rule::new(config);
        let gradient = |step: u32| Halves::whole(numbers(step as usize));
        let Parameter { weight, memory, moved } =
            updated(&rule, followed(&rule, vec![0.0; NUMBERS], false), gradient, host);
        let Moved { halves, decay } = moved.unwrap();
        assert!(halves.push.is_none() && memory.pulled.is_none(), "nothing is kept for a half that is not there");
        let decay = decay.map_or_else(|| vec![0.0; NUMBERS], floats);
        let sum = floats(halves.pull).into_iter().zip(decay).map(|(a, b)| f64::from(a) + f64::from(b));
        let update: Vec<f64> = floats(weight).into_iter().map(f64::from).collect();
        assert!(apart(sum, &update) <= 1e-6, "{config:?}, in place: {host}");
    }
}

//! Shapes and orders of work on which kernels for GPUs have been wrong: widths that are no multiple of 32, inner widths of an
//! odd number of tiles, one query over a growing cache, outputs of one column, numbers that are read while kernels are still
//! being chosen; each product read as it is, and fused with what follows. Each part of a gated feed-forward is checked alone
//! and then with the next, so that a wrong row tells which of them is at fault.

use burn::tensor::activation::silu;
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};

use super::kernels::{architecture_like, model_of, rounded, single};
use super::reference::{Model, product};
use super::{Row, Tolerance};
use crate::backend::{floats, int_tensor};
use crate::model::{Architecture, Transformer};
use crate::train::apart;

/// Rows, width and inner width of feed-forwards.
const FEED_FORWARDS: [[usize; 3]; 5] = [[14, 24, 40], [14, 32, 64], [7, 33, 65], [1, 100, 36], [130, 24, 8]];
/// Rows and widths of perceptrons that end in one column.
const TO_ONE: [[usize; 3]; 4] = [[14, 24, 40], [64, 64, 64], [33, 10, 7], [1, 24, 40]];
/// Inner widths of products that are an odd number of 8, of 16, of 32 or of 64. A kernel that reads such portions in pairs
/// has added what lies behind the last one.
const ODD_TILES: [usize; 9] = [8, 24, 40, 48, 64, 96, 104, 160, 192];
/// Rows and columns of those products; the larger ones are given to other kernels.
const AROUND: [[usize; 2]; 2] = [[14, 40], [24, 520]];
/// The longest cache that one query attends to.
const LONGEST: usize = 130;

/// Every check.
pub(super) fn rows<B: Backend>(device: &B::Device, tolerance: Tolerance) -> Vec<Row> {
    let mut rows = parts::<B>(device, tolerance);
    let gated = worst(FEED_FORWARDS.iter().map(|&sizes| Gate::new(sizes).whole::<B>(device)));
    rows.push(Row::apart("gated feed-forwards, widths of any size", gated, tolerance.products));
    let (mut read, mut fused) = (Vec::new(), Vec::new());
    for (&inner, &[n, m]) in ODD_TILES.iter().flat_map(|inner| AROUND.iter().map(move |around| (inner, around))) {
        let errors = lying_either_way::<B>([n, inner, m], device);
        read.push(errors[0]);
        fused.push(errors[1]);
    }
    rows.push(Row::apart("products over an odd number of tiles, read", worst(read), tolerance.products));
    rows.push(Row::apart("products over an odd number of tiles, fused", worst(fused), tolerance.products));
    let errors = TO_ONE.map(|sizes| to_one::<B>(sizes, device));
    let [read, fused] = [0, 1].map(|form| worst(errors.iter().map(|errors| errors[form])));
    rows.push(Row::apart("products with one column", read, tolerance.products));
    rows.push(Row::apart("perceptrons that end in one column", fused, tolerance.products));
    rows.push(Row::apart("numbers read while kernels are chosen", reads::<B>(device), tolerance.products));
    rows.push(match architecture_like(LONGEST + 2) {
        Some(architecture) => {
            let error = decoding::<B>(&architecture, device);
            Row::apart("one query over caches of 1 to 130 tokens", error, tolerance.products)
        }
        None => Row::held("the shipped model", false, "cannot be read"),
    });
    rows
}

fn tensor<B: Backend, const D: usize>(numbers: &[f64], shape: [usize; D], device: &B::Device) -> Tensor<B, D> {
    Tensor::from_data(TensorData::new(single(numbers), shape), device)
}

/// W·x of every row, `[rows, in]` and `[out, in]`, as the model has it.
fn linear<B: Backend>(x: Tensor<B, 2>, weight: Tensor<B, 2>) -> Tensor<B, 2> {
    x.matmul(weight.transpose())
}

fn linear_of(x: &[f64], weight: &[f64], [rows, wide, out]: [usize; 3]) -> Vec<f64> {
    let across: Vec<f64> = (0..wide * out).map(|i| weight[i % out * wide + i / out]).collect();
    product(x, &across, [rows, wide, out])
}

fn swish(x: f64) -> f64 {
    x / (1.0 + (-x).exp())
}

/// down(silu(gate(x)) · up(x)).
struct Gate {
    sizes: [usize; 3],
    x: Vec<f64>,
    gate: Vec<f64>,
    up: Vec<f64>,
    down: Vec<f64>,
}

impl Gate {
    fn new(sizes @ [rows, wide, inner]: [usize; 3]) -> Self {
        let of = |count, salt| rounded(count, salt);
        Self {
            sizes,
            x: of(rows * wide, 201),
            gate: of(inner * wide, 202),
            up: of(inner * wide, 203),
            down: of(wide * inner, 204),
        }
    }

    /// What is expected of gate(x), up(x), their gated product and the whole.
    fn expected(&self) -> [Vec<f64>; 4] {
        let [rows, wide, inner] = self.sizes;
        let gate = linear_of(&self.x, &self.gate, [rows, wide, inner]);
        let up = linear_of(&self.x, &self.up, [rows, wide, inner]);
        let gated: Vec<f64> = gate.iter().zip(&up).map(|(&gate, up)| swish(gate) * up).collect();
        let down = linear_of(&gated, &self.down, [rows, inner, wide]);
        [gate, up, gated, down]
    }

    /// x, gate, up and down on a device.
    fn tensors<B: Backend>(&self, device: &B::Device) -> [Tensor<B, 2>; 4] {
        let [rows, wide, inner] = self.sizes;
        [
            tensor(&self.x, [rows, wide], device),
            tensor(&self.gate, [inner, wide], device),
            tensor(&self.up, [inner, wide], device),
            tensor(&self.down, [wide, inner], device),
        ]
    }

    fn whole<B: Backend>(&self, device: &B::Device) -> f64 {
        let [x, gate, up, down] = self.tensors::<B>(device);
        let gated = silu(linear(x.clone(), gate)) * linear(x, up);
        apart(&floats(linear(gated, down)), &self.expected()[3])
    }
}

/// How many bits of a number in single precision its products keep. Tensor cores round factors to the 11 bits of TF32,
/// and which products go there is chosen by their shapes: a few are tried.
pub(super) fn precision<B: Backend>(device: &B::Device) -> Row {
    let kept = [64usize, 256, 512].map(|side| kept_bits(&products_with_one::<B>(side, device))).into_iter().min();
    let said = match kept.unwrap_or(0) {
        24 => "keep all 24 bits of their factors".to_owned(),
        11 => "keep 11 bits of their factors (TF32): docs/gpu.md says how to have all of them".to_owned(),
        bits => format!("keep {bits} bits of their factors"),
    };
    Row::measured("products in single precision", said)
}

/// (1 + 2⁻ⁿ)·1 for n of 1 to 23, each as a row and a column of a product of square matrices.
fn products_with_one<B: Backend>(side: usize, device: &B::Device) -> Vec<f32> {
    let mut factors = vec![0.0; side * side];
    for n in 1..24 {
        factors[n * side + n] = 1.0 + 0.5f64.powi(i32::try_from(n).unwrap_or(0));
    }
    let one: Vec<f64> = (0..side * side).map(|i| f64::from(u8::from(i / side == i % side))).collect();
    let found = floats(tensor::<B, 2>(&factors, [side, side], device).matmul(tensor(&one, [side, side], device)));
    (1..24).map(|n| found[n * side + n]).collect()
}

/// Bits of a mantissa, the leading one counted, that the numbers 1 + 2⁻ⁿ came through with.
fn kept_bits(found: &[f32]) -> usize {
    #[allow(clippy::float_cmp, reason = "a product with one is exact, or rounded")]
    let exact = |&(n, &x): &(usize, &f32)| x == 1.0 + 0.5f32.powi(i32::try_from(n).unwrap_or(0) + 1);
    1 + found.iter().enumerate().take_while(exact).count()
}

/// The parts of the first feed-forward, each alone, then with the next.
fn parts<B: Backend>(device: &B::Device, tolerance: Tolerance) -> Vec<Row> {
    let ffn = Gate::new(FEED_FORWARDS[0]);
    let [rows, wide, inner] = ffn.sizes;
    let [expected_gate, expected_up, gated, whole] = ffn.expected();
    let swished: Vec<f64> = expected_gate.iter().map(|&x| swish(x)).collect();
    let [x, gate, up, down] = ffn.tensors::<B>(device);
    let on = |numbers: &[f64], shape| tensor::<B, 2>(numbers, shape, device);
    let (alone_gate, alone_up) = (on(&expected_gate, [rows, inner]), on(&expected_up, [rows, inner]));
    [
        ("silu alone", floats(silu(alone_gate.clone())), &swished),
        ("silu and a product of numbers", floats(silu(alone_gate) * alone_up), &gated),
        ("matrix product of small odd widths", floats(linear(x.clone(), gate.clone())), &expected_gate),
        ("matrix product, then silu", floats(silu(linear(x.clone(), gate.clone()))), &swished),
        ("two matrix products, gated", floats(silu(linear(x.clone(), gate)) * linear(x, up)), &gated),
        ("matrix product of what was just gated", floats(linear(on(&gated, [rows, inner]), down)), &whole),
    ]
    .into_iter()
    .map(|(what, found, expected)| {
        Row::apart(format!("{what} ({rows}, {wide}, {inner})"), apart(&found, expected), tolerance.products)
    })
    .collect()
}

/// The largest error; one that is no number is larger than any.
fn worst(errors: impl IntoIterator<Item = f64>) -> f64 {
    errors.into_iter().fold(0.0, |most: f64, error| if error > most || error.is_nan() { error } else { most })
}

/// a·b with either of them lying in memory as it is or across, as in a forward pass, in the gradient of what goes in and in
/// the gradient of weights: read as it is, and fused with work of two results.
fn lying_either_way<B: Backend>(sizes @ [n, k, m]: [usize; 3], device: &B::Device) -> [f64; 2] {
    let (a, b) = (rounded(n * k, 230), rounded(k * m, 231));
    let expected = product(&a, &b, sizes);
    let squashed: Vec<f64> = expected.iter().map(|&x| swish(x)).collect();
    let lying = |numbers: &[f64], [rows, columns]: [usize; 2]| {
        let across: Vec<f64> = (0..rows * columns).map(|i| numbers[i % rows * columns + i / rows]).collect();
        [tensor::<B, 2>(numbers, [rows, columns], device), tensor(&across, [columns, rows], device).transpose()]
    };
    let (mut read, mut fused) = (0.0, 0.0);
    for left in lying(&a, [n, k]) {
        for right in lying(&b, [k, m]) {
            let found = floats(left.clone().matmul(right.clone()));
            read = worst([read, apart(&found, &expected)]);
            let made = left.clone().matmul(right);
            let (halved, made) = (made.clone().mul_scalar(0.5), silu(made));
            let halved: Vec<f32> = floats(halved).into_iter().map(|x| 2.0 * x).collect();
            fused = worst([fused, apart(&halved, &expected), apart(&floats(made), &squashed)]);
        }
    }
    [read, fused]
}

/// x·w of one column, read as it is; silu(x·W₁ᵀ)·W₂ᵀ + b of one column: every row of them.
fn to_one<B: Backend>([rows, wide, inner]: [usize; 3], device: &B::Device) -> [f64; 2] {
    let (x, first) = (rounded(rows * wide, 211), rounded(inner * wide, 212));
    let (second, bias) = (rounded(inner, 213), rounded(1, 214));
    let hidden: Vec<f64> = linear_of(&x, &first, [rows, wide, inner]).into_iter().map(swish).collect();
    let bare = linear_of(&hidden, &second, [rows, inner, 1]);
    let expected: Vec<f64> = bare.iter().map(|y| y + bias[0]).collect();
    let second = tensor::<B, 2>(&second, [1, inner], device);
    let read = floats(linear(tensor(&hidden, [rows, inner], device), second.clone()));
    let hidden = silu(linear(tensor::<B, 2>(&x, [rows, wide], device), tensor(&first, [inner, wide], device)));
    let fused = floats(linear(hidden, second) + tensor::<B, 2>(&bias, [1, 1], device));
    [apart(&read, &bare), apart(&fused, &expected)]
}

/// Products of shapes that were not met before, each followed at once by the reading of another tensor.
fn reads<B: Backend>(device: &B::Device) -> f64 {
    let (mut found, mut expected) = (Vec::new(), Vec::new());
    for (salt, size) in [3usize, 9, 17, 35, 50].into_iter().enumerate() {
        let salt = 220 + 2 * salt as u64;
        let (a, b) = (rounded(size * 29, salt), rounded(29 * (size + 2), salt + 1));
        let aside = tensor::<B, 2>(&a, [size, 29], device).mul_scalar(2.0);
        let made = tensor::<B, 2>(&a, [size, 29], device).matmul(tensor(&b, [29, size + 2], device)).add_scalar(1.0);
        found.extend(floats(aside));
        found.extend(floats(made));
        expected.extend(a.iter().map(|x| 2.0 * x));
        expected.extend(product(&a, &b, [size, 29, size + 2]).into_iter().map(|x| x + 1.0));
    }
    apart(&found, &expected)
}

/// A model that reads one token after the other, keys and values kept, against one that reads them all at once.
fn decoding<B: Backend>(architecture: &Architecture, device: &B::Device) -> f64 {
    let (parameters, model): (_, Transformer<B>) = model_of(architecture, None, device);
    let tokens: Vec<usize> = (0..=LONGEST).map(|i| (i * 7 + i / 5) % architecture.vocab_size).collect();
    let expected = Model { architecture, parameters: &parameters }.forward(&tokens);
    let token = |i: usize| int_tensor::<B>(vec![tokens[i] as i64], device).reshape([1, 1]);
    let (hidden, mut past) = model.read_prompts(token(0), vec![1]);
    let mut found = floats(hidden);
    for i in 1..tokens.len() {
        found.extend(floats(model.forward_after(token(i), &mut past, true)));
    }
    apart(&found, &expected)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::{Gate, kept_bits, parts, precision, products_with_one};
    use crate::backend::TestBackend;
    use crate::selftest::{Row, Tolerance};
    use crate::train::apart;
    use burn::tensor::backend::AutodiffBackend;

    type B = <TestBackend as AutodiffBackend>::InnerBackend;

    #[test]
    fn the_bits_that_products_keep_are_counted() {
        assert_eq!(kept_bits(&products_with_one::<B>(64, &Default::default())), 24);
        assert!(precision::<B>(&Default::default()).to_string().contains("all 24 bits"));
        let rounded: Vec<f32> = (1..24).map(|n| if n <= 10 { 1.0 + 0.5f32.powi(n) } else { 1.0 }).collect();
        assert_eq!(kept_bits(&rounded), 11, "TF32 has ten bits behind the leading one");
    }

    /// A kernel that gives every row but the first wrong, as a known one does, is seen.
    #[test]
    fn one_wrong_row_is_seen() {
        let ffn = Gate::new([14, 24, 40]);
        let expected = &ffn.expected()[3];
        let mut found: Vec<f32> = crate::selftest::kernels::single(expected);
        assert!(apart(&found, expected) < 1e-6);
        found[24..].iter_mut().for_each(|x| *x *= 1.1);
        assert!(apart(&found, expected) > 4e-3);
        let tolerance = Tolerance { products: 2e-5, pointwise: 2e-5 };
        assert_eq!(parts::<B>(&Default::default(), tolerance).iter().filter(|row| Row::failed(row)).count(), 0);
    }
}

//! Nonlinearities, number by number.

use super::super::architecture::Activation;
use super::super::fused::exp::{exp, sigmoid};
use crate::backend::wide;

/// Writes activation(x) over x.
pub(super) fn activate(activation: Activation, x: &mut [f32]) {
    wide(
        #[inline(always)]
        || match activation {
            Activation::Silu => x.iter_mut().for_each(|x| *x *= sigmoid(*x)),
            Activation::GeluErf => x.iter_mut().for_each(|x| *x = gelu_erf(*x)),
            Activation::GeluTanh => x.iter_mut().for_each(|x| *x = gelu_tanh(*x)),
        },
    );
}

/// Writes activation(gate)·up over the gate.
pub(super) fn gate(activation: Activation, gate: &mut [f32], up: &[f32]) {
    wide(
        #[inline(always)]
        || match activation {
            Activation::Silu => gate.iter_mut().zip(up).for_each(|(x, u)| *x = *x * sigmoid(*x) * u),
            Activation::GeluErf => gate.iter_mut().zip(up).for_each(|(x, u)| *x = gelu_erf(*x) * u),
            Activation::GeluTanh => gate.iter_mut().zip(up).for_each(|(x, u)| *x = gelu_tanh(*x) * u),
        },
    );
}

/// x·Φ(x).
#[inline(always)]
fn gelu_erf(x: f32) -> f32 {
    0.5 * x * (1.0 + erf(x * std::f32::consts::FRAC_1_SQRT_2))
}

/// The error function to within 2e-7 (Abramowitz and Stegun, 7.1.26).
#[inline(always)]
fn erf(x: f32) -> f32 {
    let size = x.abs();
    let t = 1.0 / (1.0 + 0.327_591_1 * size);
    let series =
        [1.421_413_8, -0.284_496_72, 0.254_829_6].iter().fold(1.061_405_4 * t - 1.453_152, |sum, c| sum * t + c);
    (1.0 - series * t * exp(-size * size)).copysign(x)
}

/// x·Φ(x), Φ by a hyperbolic tangent: ½(1 + tanh y) is σ(2y).
#[inline(always)]
fn gelu_tanh(x: f32) -> f32 {
    const TWICE_ROOT: f32 = 1.595_769_2;
    x * sigmoid(TWICE_ROOT * x * (1.0 + 0.044_715 * x * x))
}

#[cfg(test)]
mod tests {
    use super::erf;

    /// `math.erf` of Python 3.11.
    #[test]
    fn the_error_function_is_what_it_is_elsewhere() {
        for (x, expected) in [
            (0.0, 0.0),
            (0.01, 0.011_283_415_555_849_618),
            (0.3, 0.328_626_759_459_127_4),
            (1.0, 0.842_700_792_949_714_9),
            (2.5, 0.999_593_047_982_555),
            (6.0, 1.0),
        ] {
            for (x, expected) in [(x, expected), (-x, -expected)] {
                let found = f64::from(erf(x));
                assert!((found - expected).abs() < 3e-7, "{x}: {found}, not {expected}");
            }
        }
    }
}
